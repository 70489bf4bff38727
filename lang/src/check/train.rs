//! `train` blocks: settings, the step with `training` true and false, what is done every so often.

use super::elab::{Elab, Failed, Res, Scope};
use super::settings::Given;
use super::targets::Target;
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::{
    DataRef, Glance, Minimize, OptimizerId, Program, Report, Start, Train, ValueId, VarId, VariableKind,
};
use crate::source::{FileId, Span};
use crate::syntax::ast::{Block, CallableKind, Expr, ExprKind, Name, StmtKind};
use crate::types::{Axis, TensorType};
use crate::word::Word;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A `train` block as parsed.
pub(super) struct TrainItem<'a> {
    pub file: FileId,
    pub name: &'a Name,
    pub data: &'a Expr,
    pub body: &'a Block,
}

/// A block's body, evaluated once.
struct Pass {
    program: Program,
    descents: Vec<Descent>,
    /// One per periodic part, where `training` is false.
    glances: Vec<Glance>,
    applications: Vec<super::trace::Application>,
}

/// Frozen variables, each with the place that says so.
type Frozen = BTreeMap<VarId, Span>;

/// One `minimize` as evaluated: loss, what it is over, its optimizer.
struct Descent {
    loss: ValueId,
    over: Vec<Target>,
    with: Option<Value>,
    span: Span,
}

impl Elab {
    pub fn train(&mut self, item: &TrainItem, overrides: &Given, optimizers: &mut Vec<Value>) -> Res<Train> {
        let mut env = Env::new(item.file);
        let data = self.eval(&mut env, item.data).and_then(|v| self.part_of(v, item.data.span));
        self.holes = item.body.statements.iter().any(|s| matches!(s.kind, StmtKind::Error(_)));
        let given = self.settings(item, overrides);
        let batch = self.batch(&given, item);
        let length = self.length(&given, item);
        let settings = self.run_settings(&given, &batch);
        let seed = match given.get("seed") {
            Some((e, file, _)) => self.eval_static(*file, e).and_then(|v| self.whole(&v, e.span)),
            None => Ok(0),
        };
        let optimizer = match given.get("optimizer") {
            Some((e, file, _)) => self.eval_static(*file, e).and_then(|v| self.optimizer_value(v, e.span)).map(Some),
            None => Ok(None),
        };
        let freezes = self.freezes(item);
        let data = data?;
        self.frozen = freezes.as_ref().map_or_else(|_| Vec::new(), |f| f.iter().map(|t| t.path.clone()).collect());
        let training = self.pass(item, &data, true);
        let evaluation = self.pass(item, &data, false);
        self.frozen.clear();
        let Pass { program: training, descents, applications, .. } = training?;
        let mut traced = super::trace::TracedTrain { training: applications, ..Default::default() };
        let Pass { program: evaluation, glances, applications, .. } = evaluation?;
        traced.evaluation = applications;
        let optimizer = optimizer?;

        let used = self.used(&[&training.body, &evaluation.body]);
        let frozen = self.frozen_variables(&freezes?, &used)?;
        let starts = self.starts(item, &used)?;
        let mut minimize = Vec::new();
        for (i, d) in descents.iter().enumerate() {
            let Some(optimizer) = d.with.as_ref().or(optimizer.as_ref()) else {
                return Err(self.no_optimizer(item, d));
            };
            let parameters = self.descended(d, &training, &used, &frozen)?;
            let (id, written) = (OptimizerId(optimizers.len() as u32), self.setting(optimizer));
            minimize.push(Minimize { loss: i, parameters, optimizer: id, written });
            traced.optimizers.push(self.given(optimizer));
            optimizers.push(optimizer.clone());
        }
        self.descend_apart(&minimize, &descents)?;
        self.every_parameter_moves(&minimize, &used, &frozen, item)?;
        let (periodic, stop) = self.periodic(item, &evaluation, glances)?;
        self.traced.push(traced);
        Ok(Train {
            name: item.name.text.to_string(),
            data,
            batch: batch?,
            length: length?,
            seed: seed? as u64,
            settings: settings?,
            training,
            evaluation,
            minimize,
            periodic,
            stop,
            starts,
            frozen: frozen.into_keys().collect(),
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

    fn optimizer_value(&mut self, value: Value, span: Span) -> Res<Value> {
        match &value {
            Value::Bound(b) if self.program.callable(b.callable).callable.kind == CallableKind::Optimizer => Ok(value),
            Value::Unknown | Value::Opaque => Err(Failed),
            Value::Callable(id) if self.program.callable(*id).callable.kind == CallableKind::Optimizer => {
                let name = self.program.callable(*id).callable.name.text;
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

    /// The body once, with `training` true or false; the periodic parts see its names when it is false.
    fn pass(&mut self, item: &TrainItem, data: &DataRef, training: bool) -> Res<Pass> {
        self.training = training;
        self.phase = if training { "train" } else { "evaluate" }.into();
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
            let outer = env.names.len();
            let outcome = e.walk(item, &mut env);
            let assigns: Vec<_> = e.assigned.iter().filter_map(|id| e.current.get(id).map(|v| (*id, *v))).collect();
            let outputs = std::mem::take(&mut e.outputs);
            let (descents, reports) = outcome?;
            let glances = if training { Vec::new() } else { e.glances(item, &env, outer, &reports)? };
            Ok((descents, reports, assigns, outputs, glances, std::mem::take(&mut e.applications)))
        });
        let (descents, reports, assigns, outputs, glances, applications) = result?;
        let losses = descents.iter().map(|d: &Descent| d.loss).collect();
        Ok(Pass { program: Program { body, losses, reports, outputs, assigns }, descents, glances, applications })
    }

    fn bind_fields(&mut self, env: &mut Env, data: &DataRef, item: &TrainItem) {
        let program = self.program.clone();
        let spec = &program.data[data.data];
        let batch = self.history.add(format!("B, the batch of `{}`", item.name.text), item.name.span, Vec::new());
        env.bind("B", Value::Int(Dim::var("B")), item.name.span);
        let mut values: Vec<(Word, Value)> = Vec::new();
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
            let ty = TensorType { dtype: field.ty.dtype, shape: shape.into(), below: field.ty.below.clone() };
            self.keep("a field of the data", &field.name, &ty, place);
            let v = self.push(crate::model::Op::Input(field.name.as_str().into()), Vec::new(), ty, place);
            values.push((field.name.as_str().into(), Value::Tensor(v)));
        }
        for (name, value) in records(values) {
            env.bind(name, value, spec.span);
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
                StmtKind::Setting(..)
                | StmtKind::Every(..)
                | StmtKind::AtEnd(_)
                | StmtKind::Stop { .. }
                | StmtKind::Start { .. }
                | StmtKind::Freeze(_) => Ok(()),
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
        let over: Vec<Res<Target>> = over.iter().map(|e| self.target(env.file, e)).collect();
        let over: Res<Vec<Target>> = over.into_iter().collect();
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

    pub fn reports(&mut self, env: &mut Env, values: &[Expr], reports: &mut Vec<Report>) -> Res<()> {
        let mut failed = false;
        for e in values {
            let assigned = self.assigned.len();
            let value = self.eval(env, e);
            let table = value.as_ref().ok().cloned().and_then(|v| self.table_of(&v));
            let value = match &table {
                Some((v, _)) => Ok(*v),
                None => value.and_then(|v| self.scalar_of(v, e, "a reported value")),
            };
            let Ok(mut v) = value else {
                failed = true;
                continue;
            };
            let sizes = table.map_or_else(Vec::new, |(_, sizes)| sizes);
            if sizes.is_empty() && self.ty(v).dtype != crate::types::DType::F32 {
                let to = super::apply::Argument::of(Value::Tensor(v), e.span);
                if let Value::Tensor(f) = self.call(Value::DType(crate::types::DType::F32), vec![to], e.span, e.span)? {
                    v = f;
                }
            }
            let touched =
                self.assigned[assigned..].iter().any(|id| self.variables[id.0 as usize].kind == VariableKind::Metric);
            let name = match &*e.kind {
                ExprKind::Name(n) => n.to_string(),
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
            reports.push(Report { name, value: v, accumulated, sizes });
        }
        if failed { Err(Failed) } else { Ok(()) }
    }

    /// A list or a table of numbers that a metric keeps over an evaluation, with its sizes: `confusion_matrix`.
    fn table_of(&mut self, value: &Value) -> Option<(ValueId, Vec<i64>)> {
        let Value::Tensor(v) = value else { return None };
        let dims: Vec<Dim> = self.ty(*v).shape.iter().map(|a| a.dim.clone()).collect();
        let sizes: Option<Vec<i64>> = dims.iter().map(|d| self.concrete(d).as_constant()).collect();
        let sizes = sizes.filter(|s| matches!(s.len(), 1 | 2))?;
        (self.ty(*v).dtype != crate::types::DType::Bool && self.is_of_metric(*v)).then_some((*v, sizes))
    }

    /// Whether a value is made by a metric from its states: they are read, or were just changed.
    fn is_of_metric(&self, v: ValueId) -> bool {
        let changed = |v: &ValueId| {
            self.current.iter().any(|(id, new)| new == v && self.variables[id.0 as usize].kind == VariableKind::Metric)
        };
        changed(&v) || self.reads_metric(v)
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

    fn no_optimizer(&mut self, item: &TrainItem, d: &Descent) -> Failed {
        if self.holes {
            return Failed;
        }
        let diagnostic =
            Diagnostic::error("E0603", item.name.span, format!("`train {}` has no optimizer", item.name.text))
                .label(d.span, "for this")
                .help("add `optimizer: Adam(lr: 1e-3)`, with `import std.optim.Adam`");
        self.fail(diagnostic)
    }

    /// Which parameters a loss moves.
    fn descended(
        &mut self,
        d: &Descent,
        training: &Program,
        used: &BTreeSet<VarId>,
        frozen: &Frozen,
    ) -> Res<Vec<VarId>> {
        for target in &d.over {
            let named = self.lying_in(target, used)?;
            if let Some((id, freeze)) = named.iter().find_map(|id| Some((id, frozen.get(id)?))) {
                let path = self.variables[id.0 as usize].path.clone();
                let diagnostic = Diagnostic::error("E0609", target.span, format!("`{path}` is frozen"))
                    .says("descended here")
                    .label(*freeze, "frozen here")
                    .help("leave it out of one of them");
                return Err(self.fail(diagnostic));
            }
        }
        let reached = self.reach(&training.body, d.loss)?.parameters;
        let path = |id: &VarId| self.variables[id.0 as usize].path.as_str();
        let is_over = |id: &VarId| d.over.is_empty() || d.over.iter().any(|t| t.covers(path(id)));
        let chosen: Vec<VarId> = reached.iter().copied().filter(|id| is_over(id) && !frozen.contains_key(id)).collect();
        if chosen.is_empty() {
            let (message, help) = if reached.is_empty() {
                ("this loss reaches no parameter".to_string(), "a loss is made from what a model or a layer gives")
            } else if let [target, ..] = d.over.as_slice() {
                (format!("this loss does not depend on `{}`", target.path), "say `over` what the loss is made from")
            } else {
                ("every parameter that this loss reaches is frozen".to_string(), "leave one out of `freeze`")
            };
            let diagnostic = Diagnostic::error("E0606", d.span, message).says("no gradient comes from here").help(help);
            let ends = if reached.is_empty() { self.gradient_ends(&training.body, d.loss) } else { None };
            return Err(self.fail(match ends {
                Some((name, at)) => diagnostic
                    .label(at, format!("no gradient passes `{name}`"))
                    .help("make the loss from what the model gives before that"),
                None => diagnostic,
            }));
        }
        Ok(chosen)
    }

    /// No parameter is moved by two losses.
    fn descend_apart(&mut self, minimize: &[Minimize], descents: &[Descent]) -> Res<()> {
        for (i, later) in minimize.iter().enumerate() {
            for (j, first) in minimize[..i].iter().enumerate() {
                let Some(id) = later.parameters.iter().find(|id| first.parameters.contains(id)) else { continue };
                let path = self.variables[id.0 as usize].path.clone();
                let place = |d: &Descent| d.over.iter().find(|t| t.covers(&path)).map_or(d.span, |t| t.span);
                let (here, there) = (place(&descents[i]), place(&descents[j]));
                let d = Diagnostic::error("E0609", here, format!("two losses move the parameter `{path}`"))
                    .says("moved here")
                    .label(there, "and here")
                    .help("say what each one is `over`, without overlap; or add them up, `minimize a + b`");
                return Err(self.fail(d));
            }
        }
        Ok(())
    }

    /// A parameter that no loss moves is a mistake, unless it is frozen.
    fn every_parameter_moves(
        &mut self,
        minimize: &[Minimize],
        used: &BTreeSet<VarId>,
        frozen: &Frozen,
        item: &TrainItem,
    ) -> Res<()> {
        let moved: BTreeSet<VarId> = minimize.iter().flat_map(|m| m.parameters.iter().copied()).collect();
        let is_left = |id: &&VarId| {
            let kind = self.variables[id.0 as usize].kind;
            kind == VariableKind::Parameter && !moved.contains(id) && !frozen.contains_key(id)
        };
        let left: Vec<VarId> = used.iter().filter(is_left).copied().collect();
        let Some(first) = left.first() else { return Ok(()) };
        let variable = &self.variables[first.0 as usize];
        let (path, declared) = (variable.path.clone(), variable.span);
        let owner = path.rsplit_once('.').map_or(path.as_str(), |(owner, _)| owner);
        let help = format!("use what it is for in the loss, leave it out, or write `freeze {owner}`");
        let mut d = Diagnostic::error(
            "E0606",
            item.name.span,
            format!("no loss of `train {}` moves the parameter `{path}`", item.name.text),
        )
        .help(help);
        if !self.in_library(declared) {
            d = d.label(declared, "it is made here");
        }
        if left.len() > 1 {
            d = d.note(format!("nor {} others", left.len() - 1));
        }
        Err(self.fail(d))
    }

    /// What `freeze` names.
    fn freezes(&mut self, item: &TrainItem) -> Res<Vec<Target>> {
        let frozen = item.body.statements.iter().filter_map(|s| match &s.kind {
            StmtKind::Freeze(targets) => Some(targets),
            _ => None,
        });
        let targets: Vec<Res<Target>> = frozen.flatten().map(|e| self.target(item.file, e)).collect();
        targets.into_iter().collect()
    }

    /// The variables that are frozen, each with the place that says so.
    fn frozen_variables(&mut self, targets: &[Target], used: &BTreeSet<VarId>) -> Res<Frozen> {
        let mut frozen = Frozen::new();
        for target in targets {
            frozen.extend(self.lying_in(target, used)?.into_iter().map(|id| (id, target.span)));
        }
        Ok(frozen)
    }

    /// `start … from …`, with what each one sets.
    fn starts(&mut self, item: &TrainItem, used: &BTreeSet<VarId>) -> Res<Vec<Start>> {
        let mut out = Vec::new();
        for s in &item.body.statements {
            let StmtKind::Start { target, file, at } = &s.kind else { continue };
            let words: Vec<&str> = target.iter().map(|n| n.text.as_str()).collect();
            let span = target.first().map_or(s.span, |n| n.span.to(target[target.len() - 1].span));
            let target = self.named(item.file, &words, span)?;
            let variables = self.lying_in(&target, used)?;
            let there = at.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".");
            let at = if at.is_empty() { target.path.clone() } else { there };
            out.push(Start { target: target.path, file: file.text.clone(), at, variables, span: s.span });
        }
        Ok(out)
    }
}

/// Fields by name, where `past.x` is the field `x` of `past`, as a named result of a model is.
fn records(fields: Vec<(Word, Value)>) -> Vec<(Word, Value)> {
    let mut out: Vec<(Word, Value)> = Vec::new();
    let mut inner: Vec<(Word, Vec<(Word, Value)>)> = Vec::new();
    for (name, value) in fields {
        match name.split_once('.') {
            None => out.push((name, value)),
            Some((record, field)) => match inner.iter_mut().find(|(r, _)| *r == *record) {
                Some((_, fields)) => fields.push((field.into(), value)),
                None => inner.push((record.into(), vec![(field.into(), value)])),
            },
        }
    }
    out.extend(inner.into_iter().map(|(record, fields)| (record, Value::Named(Arc::new(records(fields))))));
    out
}
