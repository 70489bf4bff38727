//! Expressions: names, blocks, conditions, loops. Applications are in `apply`, operators in `operators`.

use super::apply::Argument;
use super::elab::{Elab, Failed, Res};
use super::program::Global;
use super::value::{Env, Lambda, Value};
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::source::{FileId, Span};
use crate::syntax::ast::{Arg, Block, CallableKind, Each, Expr, ExprKind, Name, TypeKind};
use crate::types::DType;
use crate::word::{Word, word};
use std::sync::Arc;

/// How deep applications may nest; a cycle of calls ends here at the latest.
const DEEPEST: u32 = 120;

/// How much one file may ask for, in expressions evaluated; what takes longer than most of them counts for several. A
/// Transformer of 300 blocks asks for 600,000; what asks for more is refused within 100 ms.
const MOST: usize = 750_000;

/// What a node written out counts for.
pub(super) const NODE: usize = 2;

/// What the body of something applied counts for, besides the expressions in it.
pub(super) const APPLICATION: usize = 4;

/// What a new instance of a layer counts for: its path, and a place in every table of instances.
pub(super) const INSTANCE: usize = 12;

impl Elab {
    pub fn eval(&mut self, env: &mut Env, e: &Expr) -> Res<Value> {
        self.depth += 1;
        let result = if self.depth > 4 * DEEPEST {
            self.error("E0508", e.span, "this is nested too deeply")
        } else {
            self.effort(1, e.span).and_then(|()| self.eval_kind(env, e))
        };
        self.depth -= 1;
        if self.record.is_some()
            && let Ok(value) = &result
        {
            self.note(e.span, value);
        }
        result
    }

    /// Counts what was written out so far, and ends it where that is without end.
    pub fn effort(&mut self, more: usize, span: Span) -> Res<()> {
        let before = self.effort;
        self.effort += more;
        if self.effort <= MOST {
            return Ok(());
        }
        if before <= MOST {
            let d = Diagnostic::error("E0509", span, "the file is too much to write out")
                .says("was being worked out when it became too much")
                .help("loops, lists and applications are written out one by one: make fewer of them");
            self.fail(d);
        }
        Err(Failed)
    }

    /// Counts what has no place of its own to show: the next expression ends it.
    pub fn effort_later(&mut self, more: usize) {
        self.effort = (self.effort + more).min(self.effort.max(MOST));
    }

    /// True where the file is too much to write out, which was said.
    pub fn exhausted(&self) -> bool {
        self.effort > MOST
    }

    fn eval_kind(&mut self, env: &mut Env, e: &Expr) -> Res<Value> {
        match &*e.kind {
            ExprKind::Int(n) => Ok(Value::int(*n)),
            ExprKind::Float(x) => Ok(Value::Float(*x)),
            ExprKind::Str(s) => Ok(Value::Str(s.as_str().into())),
            ExprKind::Bool(b) => Ok(Value::Bool(*b)),
            ExprKind::Duration(n, unit) => Ok(Value::Duration(*n, *unit)),
            ExprKind::Name(name) => self.name(env, *name, e.span),
            ExprKind::Field(base, field) => self.field(env, base, field),
            ExprKind::Call(callee, args) => self.call_expr(env, callee, args, e.span),
            ExprKind::Index(base, items) => {
                let value = self.eval(env, base)?;
                self.index(env, value, items, e.span)
            }
            ExprKind::Unary(op, x) => {
                let value = self.eval(env, x)?;
                self.unary(*op, value, e.span)
            }
            ExprKind::Binary(op, at, l, r) => {
                let (a, b) = (self.eval(env, l), self.eval(env, r));
                self.binary(*op, *at, (a?, l), (b?, r), e.span)
            }
            ExprKind::Pipe(l, r) => self.pipe(env, l, r),
            ExprKind::If { condition, then, otherwise } => self.condition(env, condition, then, otherwise.as_ref()),
            ExprKind::Loop { scan: false, carries, each, body } => self.fold(env, carries, each, body, e.span),
            ExprKind::Loop { scan: true, carries, each, body } => self.scan(env, carries, each, body, e.span),
            ExprKind::Placed(hint, block) => self.placed(env, hint, block),
            ExprKind::Bytes(_) => {
                let d = Diagnostic::error("E0402", e.span, "an amount of memory stands where a value is wanted");
                Err(self.fail(d.help("it is for the setting `memory: 2 GB` of `train`")))
            }
            ExprKind::Lambda(params, body) => {
                let lambda = Lambda { params: params.clone(), body: body.clone(), env: env.clone(), span: e.span };
                Ok(Value::Lambda(Arc::new(lambda)))
            }
            ExprKind::List(items) => Ok(Value::list(self.eval_all(env, items)?)),
            ExprKind::Tuple(items) => Ok(Value::Tuple(Arc::new(self.eval_all(env, items)?))),
            ExprKind::ListFor(item, each) => {
                let mut out = Vec::new();
                for turn in self.turns(env, each)? {
                    let bound = env.names.len();
                    self.bind_each(env, each, turn)?;
                    let value = self.eval(env, item);
                    env.names.truncate(bound);
                    out.push(value?);
                }
                Ok(Value::list(out))
            }
            ExprKind::Einops(p) => {
                let d = Diagnostic::error("E0311", p.span, "a pattern stands by itself")
                    .help("give it to `rearrange`, `einsum`, `reduce` or `repeat`");
                Err(self.fail(d))
            }
            ExprKind::Type(t) => {
                let mut d = Diagnostic::error("E0402", t.span, "a type stands where a value is wanted");
                if let TypeKind::Tensor { dtype, .. } = &t.kind {
                    d = d.help(format!("`{}(x)` converts, `zeros([…])` makes a tensor", dtype.text));
                }
                Err(self.fail(d))
            }
        }
    }

    pub fn eval_all(&mut self, env: &mut Env, items: &[Expr]) -> Res<Vec<Value>> {
        let values: Vec<Res<Value>> = items.iter().map(|e| self.eval(env, e)).collect();
        values.into_iter().collect()
    }

    pub fn name(&mut self, env: &Env, name: Word, span: Span) -> Res<Value> {
        if let Some(value) = env.get(name) {
            return match value {
                Value::Unknown => Err(Failed),
                value => Ok(value.clone()),
            };
        }
        if name == word!("training") {
            return Ok(Value::Bool(self.training));
        }
        if let Some(global) = self.program.lookup(env.file, name) {
            return self.global(global);
        }
        if let Some(builtin) = super::builtins::find(name) {
            return Ok(Value::Builtin(builtin));
        }
        if let Some(dtype) = DType::from_name(&name) {
            return Ok(Value::DType(dtype));
        }
        Err(self.unknown_name(env, &name, span))
    }

    fn unknown_name(&mut self, env: &Env, name: &str, span: Span) -> Failed {
        let program = self.program.clone();
        let mut d = Diagnostic::error("E0201", span, format!("there is no `{name}` here"));
        let locals = env.names.iter().map(|(n, _, _)| &**n);
        let builtins = super::builtins::names();
        let mut candidates: Vec<&str> = locals.chain(program.visible(env.file)).collect();
        for builtin in builtins {
            candidates.push(builtin);
        }
        let near = super::near(name, candidates.into_iter());
        let skipped = program
            .data
            .iter()
            .flat_map(|s| &s.columns)
            .find(|c| c.name == name && matches!(&c.kind, crate::model::Static::Call(kind, _) if kind == "skip"));
        if let Some(module) = program.module_with(name) {
            d = d.help(format!("it is in the library: write `import {module}.{name}` at the top of the file"));
        } else if let Some(column) = skipped {
            d = d
                .label(column.span, "this column is not read")
                .help("declare it with a kind, `f32`, instead of `skip`");
        } else if let Some((here, help)) = super::foreign::name(&program, env.file, name) {
            d = d.help(help);
            if program.lookup(env.file, here).is_some() {
                d = d.fix("write its name here", span, here);
            }
        } else if let Some(near) = near {
            d = d.help(format!("did you mean `{near}`?")).fix("correct the name", span, near);
        }
        if d.labels.len() == 1 && program.module_with(name).is_none() {
            d = self.with_declaration(d, env, name, near);
        }
        self.fail(d)
    }

    fn global(&mut self, global: Global) -> Res<Value> {
        match global {
            Global::Callable(id) => Ok(Value::Callable(id)),
            Global::Data(i) => Ok(Value::DataSet(i as usize)),
            Global::Broken => Err(Failed),
            Global::Dim(i) => {
                let (dim, size) = &self.program.dims[i as usize];
                match size {
                    Some(_) => Ok(Value::Int(Dim::var(dim.name.text.as_str()))),
                    None => Err(Failed),
                }
            }
            Global::Const(i) => {
                let constant = self.program.constants[i as usize].clone();
                let mut env = Env::new(constant.file);
                self.eval(&mut env, &constant.value)
            }
        }
    }

    /// Evaluates a constant by itself, in the file it stands in.
    pub fn eval_static(&mut self, file: FileId, e: &Expr) -> Res<Value> {
        self.eval(&mut Env::new(file), e)
    }

    fn field(&mut self, env: &mut Env, base: &Expr, field: &Name) -> Res<Value> {
        if let ExprKind::Name(name) = &*base.kind
            && super::foreign::is_prefix(name)
            && env.get(name).is_none()
            && self.program.lookup(env.file, name).is_none()
        {
            let here = super::foreign::name(&self.program.clone(), env.file, &field.text);
            let d = Diagnostic::error("E0201", base.span.to(field.span), format!("there is no module `{name}` here"));
            let help = here.map_or_else(
                || format!("names stand without a module before them: `{}`", field.text),
                |(_, help)| format!("names stand without a module before them: {help}"),
            );
            return Err(self.fail(d.help(help)));
        }
        let value = self.eval(env, base)?;
        match &value {
            Value::Named(items) => {
                if let Some((_, v)) = items.iter().find(|(n, _)| *n == field.text) {
                    return Ok(v.clone());
                }
                let names: Vec<&str> = items.iter().map(|(n, _)| n.as_str()).collect();
                self.no_field(field, "these results", &names)
            }
            Value::DataSet(i) => self.data_part(*i, field),
            Value::Bound(bound) => {
                let Some(path) = self.paths.get(&bound.id).cloned() else {
                    let d = Diagnostic::error(
                        "E0202",
                        field.span,
                        format!("`{}` has no parameters yet", self.quote(base.span)),
                    )
                    .help("an instance makes its parameters where it is first applied: apply it above this line");
                    return Err(self.fail(d));
                };
                let prefix = format!("{path}.");
                if let Some(&id) = self.by_path.get(&format!("{prefix}{}", field.text)) {
                    return Ok(Value::Tensor(self.read(id, field.span)));
                }
                let owned: Vec<String> = self
                    .by_path
                    .keys()
                    .filter_map(|p| p.strip_prefix(&prefix))
                    .filter(|p| !p.contains('.'))
                    .map(String::from)
                    .collect();
                let names: Vec<&str> = owned.iter().map(String::as_str).collect();
                self.no_field(field, &format!("`{}`", self.quote(base.span)), &names)
            }
            Value::Opaque | Value::Unknown => Err(Failed),
            other => {
                let kind = self.describe(other);
                let d = Diagnostic::error("E0202", field.span, format!("{kind} has no field `{}`", field.text));
                let (x, name) = (self.quote(base.span), field.text.as_str());
                let known = self.program.prelude.contains_key(&field.text) || super::builtins::find(name).is_some();
                let here = super::foreign::name(&self.program.clone(), env.file, name);
                Err(self.fail(match (known, here) {
                    (true, _) if name == "shape" => {
                        d.help(format!("write `shape({x})`; its sizes are `B` and so on, by name"))
                    }
                    (true, _) => d.help(format!("functions are applied: `{name}({x})`, or `{x} |> {name}`")),
                    (false, Some((_, help))) => d.help(format!("functions are applied, `f({x})`: {help}")),
                    (false, None) if name == "T" => d.help(format!("write `transpose({x})`")),
                    (false, None) => d,
                }))
            }
        }
    }

    /// What a value is, as a noun with an article; a layer, function, optimizer or schedule with its name.
    pub fn describe(&self, value: &Value) -> String {
        let (id, made) = match value {
            Value::Callable(id) => (*id, false),
            Value::Bound(b) => (b.callable, true),
            other => return other.kind().into(),
        };
        let callable = &self.program.callable(id).callable;
        let name = &callable.name.text;
        match (callable.kind, made) {
            (CallableKind::Layer, true) => format!("the layer `{name}`, which is not applied"),
            (CallableKind::Layer, false) => format!("the layer `{name}`, which is not made"),
            (CallableKind::Optimizer, _) => format!("the optimizer `{name}`"),
            (CallableKind::Schedule, _) => format!("the schedule `{name}`"),
            (CallableKind::Model, _) => format!("the model `{name}`"),
            _ => format!("the function `{name}`"),
        }
    }

    pub fn no_field<T>(&mut self, field: &Name, of: &str, names: &[&str]) -> Res<T> {
        let mut names = names.to_vec();
        names.sort_unstable();
        let mut d = Diagnostic::error("E0202", field.span, format!("there is no `{}` in {of}", field.text));
        d = match super::near(&field.text, names.iter().copied()) {
            Some(near) => d.help(format!("did you mean `{near}`?")).fix("correct the name", field.span, near),
            None if names.is_empty() => d,
            None => d.help(format!("it has {}", super::list_words(&names))),
        };
        Err(self.fail(d))
    }

    /// Evaluates the arguments of a call, all of them, so that each error in them is found.
    pub fn arguments(&mut self, env: &mut Env, args: &[Arg]) -> Res<Vec<Argument>> {
        let mut values = Vec::with_capacity(args.len());
        let mut failed = false;
        for a in args {
            if let ExprKind::Einops(p) = &*a.value.kind {
                values.push(Argument::pattern(p.clone()));
                continue;
            }
            match self.eval(env, &a.value) {
                Ok(value) => values.push(Argument { name: a.name.clone(), value, span: a.value.span, pattern: None }),
                Err(Failed) => failed = true,
            }
        }
        if failed { Err(Failed) } else { Ok(values) }
    }

    fn call_expr(&mut self, env: &mut Env, callee: &Expr, args: &[Arg], span: Span) -> Res<Value> {
        if let ExprKind::Call(inner, _) = &*callee.kind
            && let ExprKind::Name(name) = &*inner.kind
            && env.get(name).is_none()
            && let Some(Global::Callable(id)) = self.program.lookup(env.file, name)
            && matches!(
                self.program.callable(id).callable.kind,
                CallableKind::Function | CallableKind::Primitive | CallableKind::Model
            )
        {
            let kind = self.program.callable(id).callable.kind;
            let what = if kind == CallableKind::Model { "a model" } else { "a function" };
            let x = args.first().map_or("x".to_string(), |a| self.quote(a.value.span));
            let d = Diagnostic::error("E0405", callee.span, format!("`{name}` is {what}: it is not made first"))
                .says("only layers, optimizers and schedules have a list before their arguments")
                .help(format!("apply it in one list: `{name}({x}, …)`"));
            return Err(self.fail(d));
        }
        let function = self.eval(env, callee);
        let args_values = self.arguments(env, args);
        let (function, args_values) = (function?, args_values?);
        let result = self.call(function.clone(), args_values, callee.span, span)?;
        // `inner(p, g, step)` in an optimizer's body moves `p`.
        if let (Value::Bound(bound), Some(first)) = (&function, args.first())
            && self.program.callable(bound.callable).callable.kind == CallableKind::Optimizer
            && let ExprKind::Name(name) = &*first.value.kind
            && let Value::Tuple(moved) = &result
        {
            env.rebind(*name, moved[0].clone());
            return Ok(moved.get(1).cloned().unwrap_or(Value::Tuple(Arc::new(Vec::new()))));
        }
        Ok(result)
    }

    /// `x |> f`, `x |> f(a)`, `x |> F(a)`, `x |> F(a)(b)`.
    fn pipe(&mut self, env: &mut Env, left: &Expr, right: &Expr) -> Res<Value> {
        let x = self.eval(env, left)?;
        if let Value::Data(_) | Value::DataSet(_) = x {
            return self.data_pipe(env, x, right);
        }
        let input = Argument { name: None, value: x, span: left.span, pattern: None };
        // A pipeline's errors point at its last step, not at all of it.
        let place = right.span;
        match &*right.kind {
            ExprKind::Call(callee, args) => {
                if let ExprKind::Call(maker, first) = &*callee.kind
                    && let Value::Callable(id) = self.eval(env, maker)?
                    && self.program.callable(id).callable.kind == CallableKind::Layer
                {
                    let first = self.arguments(env, first)?;
                    let instance = self.call(Value::Callable(id), first, maker.span, callee.span)?;
                    let mut all = vec![input];
                    all.extend(self.arguments(env, args)?);
                    return self.call(instance, all, callee.span, place);
                }
                let function = self.eval(env, callee);
                let rest = self.arguments(env, args);
                let (function, rest) = (function?, rest?);
                if let Value::Callable(id) = function
                    && self.program.callable(id).callable.kind == CallableKind::Layer
                {
                    let instance = self.call(function, rest, callee.span, place)?;
                    return self.call(instance, vec![input], callee.span, place);
                }
                let mut all = vec![input];
                all.extend(rest);
                self.call(function, all, callee.span, place)
            }
            _ => {
                let function = self.eval(env, right)?;
                if let Value::Callable(id) = function
                    && self.program.callable(id).callable.kind == CallableKind::Layer
                {
                    let name = self.program.callable(id).callable.name.text;
                    let d = Diagnostic::error("E0405", place, format!("`{name}` is a layer that is not made yet"))
                        .says("a layer's first list is missing")
                        .help(format!("write `{name}()`, with its settings between the brackets"))
                        .fix("add the first list", place, format!("{}()", self.quote(place)));
                    return Err(self.fail(d));
                }
                self.call(function, vec![input], right.span, place)
            }
        }
    }

    fn condition(&mut self, env: &mut Env, condition: &Expr, then: &Block, otherwise: Option<&Block>) -> Res<Value> {
        match self.eval(env, condition) {
            Ok(Value::Bool(true)) => self.block(env, then),
            Ok(Value::Bool(false)) => match otherwise {
                Some(block) => self.block(env, block),
                None => Ok(Value::Tuple(Arc::new(Vec::new()))),
            },
            Ok(Value::Opaque) => {
                // Each branch is checked with the condition known.
                let known = self.facts.clone();
                self.learn(env, condition, true);
                let first = self.block(env, then);
                self.facts = known.clone();
                self.learn(env, condition, false);
                let second = otherwise.map(|b| self.block(env, b));
                self.facts = known;
                match second {
                    Some(second) => first.and(second),
                    None => first,
                }
            }
            Ok(Value::Tensor(_)) => {
                let d = Diagnostic::error(
                    "E0507",
                    condition.span,
                    "this condition is a tensor, known only when the program runs",
                )
                .help("`where(mask, a, b)` chooses element by element");
                Err(self.fail(d))
            }
            Ok(other) => {
                let kind = other.kind();
                self.error("E0507", condition.span, format!("a condition must be a bool, this is {kind}"))
            }
            Err(failed) => {
                // Both branches may still have errors of their own.
                let _ = self.block(env, then);
                if let Some(b) = otherwise {
                    let _ = self.block(env, b);
                }
                Err(failed)
            }
        }
    }

    /// The values that `each` goes through, one a turn.
    fn turns(&mut self, env: &mut Env, each: &Each) -> Res<Vec<Value>> {
        if let Some(axis) = &each.axis {
            let d = Diagnostic::error("E0801", axis.span, "only `scan` walks along an axis of a tensor")
                .help("`fold` and `[… for …]` go through a list or a range, `for i in 0..n`");
            return Err(self.fail(d));
        }
        let start = self.eval(env, &each.over)?;
        let Some(until) = &each.until else {
            return match start {
                Value::List(items) => Ok(items.to_vec()),
                other => {
                    let d = Diagnostic::error(
                        "E0503",
                        each.over.span,
                        format!("a list or a range is wanted, this is {}", other.kind()),
                    )
                    .help("a range is `0..n`");
                    Err(self.fail(d))
                }
            };
        };
        let end = self.eval(env, until)?;
        let (from, to) = (self.whole(&start, each.over.span)?, self.whole(&end, until.span)?);
        if to.saturating_sub(from) > 10_000 {
            return self.error(
                "E0503",
                until.span,
                format!("a loop of {} turns is written out, which is too long", to.saturating_sub(from)),
            );
        }
        Ok((from..to).map(Value::int).collect())
    }

    /// A whole number that is known now.
    pub fn whole(&mut self, value: &Value, span: Span) -> Res<i64> {
        match value {
            Value::Int(d) => match self.concrete(d).as_constant() {
                Some(n) => Ok(n),
                None if self.generic => Err(Failed),
                None => {
                    let d = Diagnostic::error(
                        "E0507",
                        span,
                        format!("this must be known before the program runs, it is {d}"),
                    )
                    .note("the size of a batch is not known here");
                    Err(self.fail(d))
                }
            },
            Value::Opaque | Value::Unknown => Err(Failed),
            other => {
                let kind = other.kind();
                self.error("E0503", span, format!("an int is wanted, this is {kind}"))
            }
        }
    }

    pub fn bind_each(&mut self, env: &mut Env, each: &Each, turn: Value) -> Res<()> {
        if let [name] = each.names.as_slice() {
            env.bind(name.text, turn, name.span);
            return Ok(());
        }
        match &turn {
            Value::Tuple(items) if items.len() == each.names.len() => {
                for (name, item) in each.names.iter().zip(items.iter()) {
                    env.bind(name.text, item.clone(), name.span);
                }
                Ok(())
            }
            _ => self.error("E0503", each.over.span, format!("each turn must give {} values", each.names.len())),
        }
    }

    fn fold(&mut self, env: &mut Env, carries: &[(Name, Expr)], each: &Each, body: &Block, span: Span) -> Res<Value> {
        let outer = env.names.len();
        let mut values = Vec::new();
        for (_, e) in carries {
            values.push(self.eval(env, e)?);
        }
        for turn in self.turns(env, each)? {
            for ((name, _), value) in carries.iter().zip(&values) {
                env.bind(name.text, value.clone(), name.span);
            }
            let result = self.bind_each(env, each, turn).and_then(|()| self.block(env, body));
            env.names.truncate(outer);
            values = match (result?, carries.len()) {
                (value, 1) => vec![value],
                (Value::Tuple(items), n) if items.len() == n => items.to_vec(),
                (other, n) => {
                    let kind = other.kind();
                    return self.error(
                        "E0503",
                        span,
                        format!("each turn must give {n} carried values, this gives {kind}"),
                    );
                }
            };
        }
        Ok(if values.len() == 1 { values.remove(0) } else { Value::Tuple(Arc::new(values)) })
    }
}
