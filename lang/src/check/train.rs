//! `train` blocks: settings, the step with `training` true and false, what is done every so often.

use super::elab::{Elab, Failed, Res, Scope};
use super::gradients::Reach;
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::{
    Body, DataRef, Minimize, Op, OptimizerId, Period, Program, Report, Train, ValueId, VarId, VariableKind,
};
use crate::source::{FileId, Span};
use crate::syntax::ast::{Block, CallableKind, Expr, ExprKind, Name, StmtKind, Unit};
use crate::types::{Axis, TensorType};
use std::collections::{BTreeMap, BTreeSet};

/// The settings of `train`, and whether they work in this version.
const SETTINGS: [(&str, bool); 10] = [
    ("optimizer", true),
    ("batch", true),
    ("epochs", true),
    ("steps", true),
    ("seed", true),
    ("micro", false),
    ("precision", false),
    ("parallel", false),
    ("parameters", false),
    ("memory", false),
];

/// True for the name of a setting.
pub(super) fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|(n, _)| *n == name)
}

/// A `train` block as parsed.
pub(super) struct TrainItem<'a> {
    pub file: FileId,
    pub name: &'a Name,
    pub data: &'a Expr,
    pub body: &'a Block,
}

/// A setting's expression and the file that it stands in.
type Settings = BTreeMap<String, (Expr, FileId, Span)>;

/// One `minimize` as evaluated: loss, what it is over, its optimizer.
struct Descent {
    loss: ValueId,
    over: Vec<Value>,
    with: Option<Value>,
    span: Span,
}

impl Elab {
    pub fn train(&mut self, item: &TrainItem, overrides: &Settings, optimizers: &mut Vec<Value>) -> Res<Train> {
        let mut env = Env::new(item.file);
        let data = self.eval(&mut env, item.data).and_then(|v| self.part_of(v, item.data.span));
        self.holes = item.body.statements.iter().any(|s| matches!(s.kind, StmtKind::Error(_)));
        let settings = self.settings(item, overrides);
        let batch = self.positive_setting(&settings, "batch", item);
        let length = self.length(&settings, item);
        let seed = match settings.get("seed") {
            Some((e, file, _)) => self.eval_static(*file, e).and_then(|v| self.whole(&v, e.span)),
            None => Ok(0),
        };
        let optimizer = match settings.get("optimizer") {
            Some((e, file, _)) => self.eval_static(*file, e).and_then(|v| self.optimizer_value(v, e.span)).map(Some),
            None => Ok(None),
        };
        let data = data?;
        let training = self.pass(item, &data, true);
        let evaluation = self.pass(item, &data, false);
        let (training, descents) = training?;
        let (evaluation, _) = evaluation?;
        let optimizer = optimizer?;
        let mut minimize = Vec::new();
        for (i, d) in descents.iter().enumerate() {
            minimize.push(self.descent(i, d, &training, optimizer.as_ref(), optimizers, item)?);
        }
        self.every_parameter_moves(&minimize, [&training.body, &evaluation.body], item)?;
        let (periodic, stop) = self.periodic(item, &evaluation)?;
        Ok(Train {
            name: item.name.text.clone(),
            data,
            batch: batch?,
            length: length?,
            seed: seed? as u64,
            training,
            evaluation,
            minimize,
            periodic,
            stop,
            span: item.name.span,
        })
    }

    pub fn part_of(&mut self, value: Value, span: Span) -> Res<DataRef> {
        match value {
            Value::Data(part) => Ok(part),
            Value::DataSet(i) => {
                let Some(spec) = self.program.data.get(i).cloned() else { return Err(Failed) };
                if spec.splits.len() == 1 {
                    return Ok(DataRef { data: i, split: 0, operators: Vec::new() });
                }
                let names: Vec<&str> = spec.splits.iter().map(String::as_str).collect();
                let d = Diagnostic::error(
                    "E0601",
                    span,
                    format!("`{}` has several parts: {}", spec.name, super::list_words(&names)),
                )
                .help(format!("write `{}.{}`", spec.name, names[0]));
                Err(self.fail(d))
            }
            Value::Unknown | Value::Opaque => Err(Failed),
            other => {
                let kind = other.kind();
                self.error("E0601", span, format!("data is wanted here, this is {kind}"))
            }
        }
    }

    fn settings(&mut self, item: &TrainItem, overrides: &Settings) -> Settings {
        let mut out = Settings::new();
        for s in &item.body.statements {
            let StmtKind::Setting(name, value) = &s.kind else { continue };
            match SETTINGS.iter().find(|(n, _)| *n == name.text) {
                Some((_, true)) => {
                    if let Some((_, _, first)) = out.get(&name.text) {
                        let d = Diagnostic::error("E0203", name.span, format!("`{}` is set twice", name.text))
                            .label(*first, "first here");
                        self.fail(d);
                    }
                    out.insert(name.text.clone(), (value.clone(), item.file, name.span));
                }
                Some((_, false)) => {
                    self.holes = true;
                    let _ = self.not_yet::<()>(&format!("the setting `{}`", name.text), name.span);
                }
                None => {
                    self.holes = true;
                    let names: Vec<&str> = SETTINGS.iter().map(|(n, _)| *n).collect();
                    let mut d =
                        Diagnostic::error("E0602", name.span, format!("`train` has no setting `{}`", name.text));
                    d = match super::near(&name.text, names.iter().copied()) {
                        _ if super::foreign::setting(&name.text).is_some() => {
                            let here = super::foreign::setting(&name.text).unwrap_or_default();
                            d.help(format!("write {here}"))
                        }
                        Some(near) => {
                            d.help(format!("did you mean `{near}`?")).fix("correct the name", name.span, near)
                        }
                        None => d.help(format!("the settings are {}", super::list_words(&names))),
                    };
                    self.fail(d);
                }
            }
        }
        out.extend(overrides.iter().map(|(k, v)| (k.clone(), v.clone())));
        if overrides.contains_key("epochs") && !overrides.contains_key("steps") {
            out.remove("steps");
        }
        if overrides.contains_key("steps") && !overrides.contains_key("epochs") {
            out.remove("epochs");
        }
        out
    }

    fn positive_setting(&mut self, settings: &Settings, name: &str, item: &TrainItem) -> Res<i64> {
        let Some((e, file, _)) = settings.get(name) else {
            if self.holes {
                return Err(Failed);
            }
            let d = Diagnostic::error(
                "E0603",
                item.name.span,
                format!("`train {}` does not say its {name}", item.name.text),
            )
            .help(format!("add `{name}: 32`"));
            return Err(self.fail(d));
        };
        let value = self.eval_static(*file, e)?;
        match self.whole(&value, e.span)? {
            n if n >= 1 => Ok(n),
            n => self.error("E0503", e.span, format!("`{name}` is at least 1, this is {n}")),
        }
    }

    fn length(&mut self, settings: &Settings, item: &TrainItem) -> Res<Period> {
        let (unit, other) = match (settings.get("epochs"), settings.get("steps")) {
            (Some((_, _, a)), Some((_, _, b))) => {
                let d = Diagnostic::error("E0602", *b, "`epochs` and `steps` both say how long the training is")
                    .label(*a, "and here")
                    .help("keep one of them");
                return Err(self.fail(d));
            }
            (Some(e), None) => (Unit::Epochs, e),
            (None, Some(s)) => (Unit::Steps, s),
            (None, None) if self.holes => return Err(Failed),
            (None, None) => {
                let d = Diagnostic::error(
                    "E0603",
                    item.name.span,
                    format!("`train {}` does not say how long it runs", item.name.text),
                )
                .help("add `epochs: 5` or `steps: 2000`");
                return Err(self.fail(d));
            }
        };
        let (e, file, _) = other;
        let value = self.eval_static(*file, e)?;
        match value.as_f64() {
            Some(n) if n > 0.0 && (unit == Unit::Epochs || n.fract() == 0.0) => Ok(Period { count: n, unit }),
            _ => {
                let kind = value.kind();
                self.error("E0503", e.span, format!("a number above 0 is wanted, this is {kind}"))
            }
        }
    }

    fn optimizer_value(&mut self, value: Value, span: Span) -> Res<Value> {
        match &value {
            Value::Bound(b) if self.program.callable(b.callable).callable.kind == CallableKind::Optimizer => Ok(value),
            Value::Unknown | Value::Opaque => Err(Failed),
            Value::Callable(id) if self.program.callable(*id).callable.kind == CallableKind::Optimizer => {
                let name = self.program.callable(*id).callable.name.text.clone();
                let d = Diagnostic::error("E0405", span, format!("the optimizer `{name}` is not made yet"))
                    .help(format!("write `{name}()`"))
                    .fix("add the brackets", span, format!("{name}()"));
                Err(self.fail(d))
            }
            other => {
                let kind = other.kind();
                let d = Diagnostic::error("E0503", span, format!("an optimizer is wanted, this is {kind}"))
                    .help("`Adam(lr: 1e-3)`, imported from `std.optim`");
                Err(self.fail(d))
            }
        }
    }

    /// The body once, with `training` true or false.
    fn pass(&mut self, item: &TrainItem, data: &DataRef, training: bool) -> Res<(Program, Vec<Descent>)> {
        self.training = training;
        self.phase = if training { "train" } else { "evaluate" };
        self.scopes = vec![Scope::default()];
        self.frames.clear();
        for map in [&mut self.paths, &mut self.hints] {
            map.clear();
        }
        self.draws.clear();
        self.outputs.clear();
        let (body, result) = self.in_fresh_body(|e| {
            let mut env = Env::new(item.file);
            e.bind_fields(&mut env, data, item);
            let outcome = e.walk(item, &mut env);
            let assigns = e.assigned.iter().filter_map(|id| e.current.get(id).map(|v| (*id, *v))).collect();
            outcome.map(|(descents, reports)| (descents, reports, assigns))
        });
        let (descents, reports, assigns) = result?;
        let losses = descents.iter().map(|d| d.loss).collect();
        let outputs = std::mem::take(&mut self.outputs);
        Ok((Program { body, losses, reports, outputs, assigns }, descents))
    }

    fn bind_fields(&mut self, env: &mut Env, data: &DataRef, item: &TrainItem) {
        let program = self.program.clone();
        let spec = &program.data[data.data];
        let batch = self.history.add(format!("B, the batch of `{}`", item.name.text), item.name.span, Vec::new());
        env.bind("B", Value::Int(Dim::var("B")), item.name.span);
        for field in &spec.fields {
            let place = spec.columns.iter().find(|c| c.name == field.name).map_or(spec.span, |c| c.span);
            let mut shape = vec![Axis { dim: Dim::var("B"), origin: batch }];
            for axis in &field.ty.shape {
                let origin = self.history.add(
                    format!("{}, of `{}` in the data `{}`", axis.dim, field.name, spec.name),
                    place,
                    Vec::new(),
                );
                shape.push(Axis { dim: axis.dim.clone(), origin });
            }
            let ty = TensorType { dtype: field.ty.dtype, shape, below: field.ty.below.clone() };
            let v = self.push(Op::Input(field.name.as_str().into()), Vec::new(), ty, place);
            env.bind(&field.name, Value::Tensor(v), place);
        }
    }

    /// The statements that make the step.
    fn walk(&mut self, item: &TrainItem, env: &mut Env) -> Res<(Vec<Descent>, Vec<Report>)> {
        let (mut descents, mut reports, mut failed) = (Vec::new(), Vec::new(), false);
        let outer = env.names.len();
        for s in &item.body.statements {
            let outcome = match &s.kind {
                StmtKind::Minimize { loss, over, with } => {
                    self.minimize(env, loss, over, with.as_ref(), s.span).map(|d| descents.push(d))
                }
                StmtKind::Report(values) => self.reports(env, values, &mut reports),
                StmtKind::Setting(..) | StmtKind::Every(..) | StmtKind::AtEnd(_) | StmtKind::Stop { .. } => Ok(()),
                StmtKind::Start { .. } => self.not_yet("`start … from`", s.span),
                StmtKind::Freeze(_) => self.not_yet("`freeze`", s.span),
                StmtKind::Evaluate(_)
                | StmtKind::CheckpointKeep(_)
                | StmtKind::CheckpointBest(..)
                | StmtKind::Save(_) => {
                    let d = Diagnostic::error("E0602", s.span, "this does not say when")
                        .help("put it under `every 1 epoch { … }` or `at end { … }`");
                    Err(self.fail(d))
                }
                StmtKind::Expr(e) => {
                    let value = self.eval(env, e);
                    value.and_then(|_| {
                        let d = Diagnostic::error("E0504", e.span, "nobody uses this value")
                            .help("name it with `let`, or `minimize` or `report` it");
                        Err(self.fail(d))
                    })
                }
                _ => self.statement(env, s, outer, false).map(|_| ()),
            };
            failed |= outcome.is_err();
        }
        if descents.is_empty() && !failed && !self.holes {
            let d = Diagnostic::error("E0603", item.name.span, format!("`train {}` minimizes nothing", item.name.text))
                .help("add `minimize cross_entropy(logits, label)`, or whatever its loss is");
            return Err(self.fail(d));
        }
        if failed { Err(Failed) } else { Ok((descents, reports)) }
    }

    fn minimize(&mut self, env: &mut Env, loss: &Expr, over: &[Expr], with: Option<&Expr>, span: Span) -> Res<Descent> {
        let value = self.eval(env, loss);
        let over = self.eval_all(env, over);
        let with = match with {
            Some(e) => self.eval(env, e).and_then(|v| self.optimizer_value(v, e.span)).map(Some),
            None => Ok(None),
        };
        let v = self.scalar_of(value?, loss, "the loss")?;
        if !self.ty(v).dtype.is_float() {
            let ty = self.ty(v).to_string();
            return self.error("E0401", loss.span, format!("a loss must be floating, this is {ty}"));
        }
        Ok(Descent { loss: v, over: over?, with: with?, span })
    }

    /// A value of rank 0.
    fn scalar_of(&mut self, value: Value, e: &Expr, what: &str) -> Res<ValueId> {
        if let Value::Bool(_) | Value::Str(_) = value {
            let kind = value.kind();
            return self.error("E0402", e.span, format!("{what} must be a number, this is {kind}"));
        }
        let v = self.tensor(&value, None, e.span)?;
        let ty = self.ty(v).clone();
        if ty.rank() > 0 {
            let d = Diagnostic::error("E0301", e.span, format!("{what} must be one number, this is {ty}"))
                .says(format!("{ty}"))
                .help("reduce it: `mean(…)`");
            return Err(self.fail(d));
        }
        Ok(v)
    }

    fn reports(&mut self, env: &mut Env, values: &[Expr], reports: &mut Vec<Report>) -> Res<()> {
        let mut failed = false;
        for e in values {
            let assigned = self.assigned.len();
            let value = self.eval(env, e).and_then(|v| self.scalar_of(v, e, "a reported value"));
            let Ok(mut v) = value else {
                failed = true;
                continue;
            };
            if self.ty(v).dtype != crate::types::DType::F32 {
                let to = super::apply::Argument::of(Value::Tensor(v), e.span);
                if let Value::Tensor(f) = self.call(Value::DType(crate::types::DType::F32), vec![to], e.span, e.span)? {
                    v = f;
                }
            }
            let touched =
                self.assigned[assigned..].iter().any(|id| self.variables[id.0 as usize].kind == VariableKind::Metric);
            let name = match &*e.kind {
                ExprKind::Name(n) => n.clone(),
                ExprKind::Call(callee, _) => self.quote(callee.span),
                ExprKind::Pipe(_, r) => match &*r.kind {
                    ExprKind::Call(callee, _) => self.quote(callee.span),
                    _ => self.quote(r.span),
                },
                _ => {
                    let d = Diagnostic::error("E0503", e.span, "this reported value has no name")
                        .help("name it with `let`, then report the name");
                    self.fail(d);
                    failed = true;
                    continue;
                }
            };
            if reports.iter().any(|r| r.name == name) {
                let d = Diagnostic::error("E0203", e.span, format!("`{name}` is reported twice"))
                    .help("name one of them with `let`");
                self.fail(d);
                failed = true;
            }
            let accumulated = touched || self.reads_metric(v);
            reports.push(Report { name, value: v, accumulated });
        }
        if failed { Err(Failed) } else { Ok(()) }
    }

    /// Whether a value is made from the states of a metric.
    fn reads_metric(&self, v: ValueId) -> bool {
        let mut seen = vec![false; self.body.nodes.len()];
        let mut next = vec![v];
        while let Some(v) = next.pop() {
            if std::mem::replace(&mut seen[v.0 as usize], true) {
                continue;
            }
            let node = self.body.node(v);
            if let crate::model::Op::Read(id) = node.op
                && self.variables[id.0 as usize].kind == VariableKind::Metric
            {
                return true;
            }
            next.extend(&node.args);
        }
        false
    }

    /// Which parameters a loss moves, and how.
    fn descent(
        &mut self,
        index: usize,
        d: &Descent,
        training: &Program,
        optimizer: Option<&Value>,
        optimizers: &mut Vec<Value>,
        item: &TrainItem,
    ) -> Res<Minimize> {
        let Some(optimizer) = d.with.as_ref().or(optimizer) else {
            if self.holes {
                return Err(Failed);
            }
            let diagnostic =
                Diagnostic::error("E0603", item.name.span, format!("`train {}` has no optimizer", item.name.text))
                    .label(d.span, "for this")
                    .help("add `optimizer: Adam(lr: 1e-3)`, with `import std.optim.Adam`");
            return Err(self.fail(diagnostic));
        };
        let Reach { parameters } = self.reach(&training.body, d.loss)?;
        let chosen: Vec<VarId> = if d.over.is_empty() {
            parameters
        } else {
            parameters.into_iter().filter(|id| self.is_over(*id, &d.over)).collect()
        };
        if chosen.is_empty() {
            let mut diagnostic = Diagnostic::error("E0606", d.span, "this loss reaches no parameter")
                .says("no gradient comes from here");
            diagnostic = match self.gradient_ends(&training.body, d.loss) {
                Some((name, at)) => diagnostic
                    .label(at, format!("no gradient passes `{name}`"))
                    .help("make the loss from what the model gives before that"),
                None => diagnostic.help("a loss is made from what a model or a layer gives"),
            };
            return Err(self.fail(diagnostic));
        }
        optimizers.push(optimizer.clone());
        Ok(Minimize { loss: index, parameters: chosen, optimizer: OptimizerId(optimizers.len() as u32 - 1) })
    }

    fn is_over(&self, id: VarId, over: &[Value]) -> bool {
        let path = &self.variables[id.0 as usize].path;
        over.iter().any(|v| {
            let prefix = match v {
                Value::Callable(c) => Some(self.program.callable(*c).callable.name.text.clone()),
                Value::Bound(b) => self.paths.get(&b.id).cloned(),
                _ => None,
            };
            prefix.is_some_and(|p| path.strip_prefix(&p).is_some_and(|rest| rest.starts_with('.')))
        })
    }

    /// A parameter that no loss moves is a mistake.
    fn every_parameter_moves(&mut self, minimize: &[Minimize], bodies: [&Body; 2], item: &TrainItem) -> Res<()> {
        let moved: BTreeSet<VarId> = minimize.iter().flat_map(|m| m.parameters.iter().copied()).collect();
        // What only other blocks read is theirs to move.
        let nodes = bodies.into_iter().flat_map(|body| &body.nodes);
        let places = nodes.clone();
        let read: BTreeSet<VarId> =
            nodes.filter_map(|n| if let Op::Read(id) = n.op { Some(id) } else { None }).collect();
        let left: Vec<(VarId, String)> = read
            .difference(&moved)
            .map(|id| (*id, &self.variables[id.0 as usize]))
            .filter(|(_, v)| v.kind == VariableKind::Parameter)
            .map(|(id, v)| (id, v.path.clone()))
            .collect();
        let Some((id, path)) = left.first() else { return Ok(()) };
        let made = places.into_iter().find(|n| matches!(n.op, Op::Read(r) if r == *id)).map(|n| n.span);
        let mut d = Diagnostic::error(
            "E0606",
            item.name.span,
            format!("no loss of `train {}` moves the parameter `{path}`", item.name.text),
        )
        .note(format!(
            "{} in all",
            if left.len() == 1 { "1 parameter".to_string() } else { format!("{} parameters", left.len()) }
        ))
        .says("this training")
        .help("use its layer's output in the loss, or remove the layer");
        if let Some(made) = made.filter(|s| *s != item.name.span) {
            d = d.label(made, "makes it");
        }
        Err(self.fail(d))
    }
}
