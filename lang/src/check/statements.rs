//! Blocks and their statements, each tried whatever happened to those before it.

use super::elab::{Elab, Failed, Frame, Res};
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};
use crate::syntax::ast::{Block, Callable, CallableKind, Expr, ExprKind, Name, Pattern, Stmt, StmtKind, TypeKind};
use crate::types::Axis;
use crate::word::Word;
use std::sync::Arc;

impl Elab {
    /// A block's statements, each tried whatever happened to those before it.
    pub fn block(&mut self, env: &mut Env, block: &Block) -> Res<Value> {
        let outer = env.names.len();
        let mut value = Ok(Value::Tuple(Arc::new(Vec::new())));
        for (i, statement) in block.statements.iter().enumerate() {
            let last = i + 1 == block.statements.len();
            value = self.statement(env, statement, outer, last);
            // What follows a requirement relies on it.
            if value.is_err() && matches!(statement.kind, StmtKind::Require(..)) {
                break;
            }
        }
        if let Some(Stmt { kind: StmtKind::Error(_), .. }) = block.statements.last() {
            value = Err(Failed);
        }
        env.names.truncate(outer);
        value
    }

    /// One statement of a body. Gives its value when it is the last one.
    pub fn statement(&mut self, env: &mut Env, s: &Stmt, outer: usize, last: bool) -> Res<Value> {
        let nothing = Value::Tuple(Arc::new(Vec::new()));
        match &s.kind {
            StmtKind::Let(pattern, e) => {
                let value = self.eval(env, e);
                self.bind_pattern(env, pattern, value, e.span, outer)?;
                Ok(nothing)
            }
            StmtKind::Variable { trained, name, ty, init } => {
                let value = self.variable(env, *trained, name, ty.as_ref(), init.as_ref(), s.span);
                let failed = value.is_err();
                if let Ok(value) = &value {
                    self.note(name.span, value);
                }
                env.bind(name.text, value.unwrap_or(Value::Unknown), name.span);
                if failed { Err(Failed) } else { Ok(nothing) }
            }
            StmtKind::Require(condition, text) => {
                self.require(env, condition, text.as_ref().map(|t| t.text.as_str()))?;
                Ok(nothing)
            }
            StmtKind::Assign(name, e) => {
                let value = self.eval(env, e)?;
                self.assign(env, name, value, e.span)?;
                Ok(nothing)
            }
            StmtKind::Expr(e) => {
                let value = self.eval(env, e)?;
                let effect = matches!(&value, Value::Tuple(items) if items.is_empty());
                if !last && !effect && self.kind_here() == Some(CallableKind::Optimizer) {
                    let d = Diagnostic::error("E0405", e.span, "an average of the parameter would be lost here")
                        .help("let the average go around the others: `|> ema()` stands last");
                    return Err(self.fail(d));
                }
                if !last && !effect {
                    let d = Diagnostic::error("E0504", e.span, "nobody uses this value")
                        .help("name it with `let`, or remove it; only the last value of a block is its result");
                    return Err(self.fail(d));
                }
                Ok(value)
            }
            StmtKind::Error(names) => {
                for name in names {
                    env.bind(name.text, Value::Unknown, name.span);
                }
                Err(Failed)
            }
            StmtKind::Yield(e) => {
                let value = self.eval(env, e)?;
                self.yielded(value, e.span, s.span)?;
                Ok(nothing)
            }
            _ => {
                let d = Diagnostic::error("E0602", s.span, "this belongs into a `train` block")
                    .says("not in the body of a function or layer");
                Err(self.fail(d))
            }
        }
    }

    pub fn bind_pattern(
        &mut self,
        env: &mut Env,
        pattern: &Pattern,
        value: Res<Value>,
        span: Span,
        outer: usize,
    ) -> Res<()> {
        let names: Vec<&Name> = match pattern {
            Pattern::Name(name, _) => vec![name],
            Pattern::Tuple(names, _) => names.iter().collect(),
        };
        let mut failed = false;
        for (i, name) in names.iter().enumerate().filter(|(_, n)| n.text != "_") {
            let within = names[..i].iter().find(|n| n.text == name.text).map(|n| n.span);
            let first = within.or_else(|| {
                env.names[outer.min(env.names.len())..].iter().find(|(n, _, _)| **n == *name.text).map(|x| x.2)
            });
            if let Some(first) = first {
                let d = Diagnostic::error("E0203", name.span, format!("`{}` is bound twice in this block", name.text))
                    .says("again here")
                    .label(first, "first here")
                    .help("give one of them another name");
                self.fail(d);
                failed = true;
            }
        }
        let parts = value.and_then(|v| self.take_apart(env, pattern, v, span));
        failed |= parts.is_err();
        let parts = parts.unwrap_or_else(|_| vec![Value::Unknown; names.len()]);
        for (name, part) in names.into_iter().zip(parts) {
            if let Value::Bound(bound) = &part {
                self.hints.entry(bound.id).or_insert_with(|| name.text.to_string());
            }
            if let Value::Tensor(v) = &part
                && self.keep_names
            {
                let ty = self.ty(*v).clone();
                self.keep("a value", &name.text, &ty, name.span);
            }
            if self.record.is_some() {
                self.note(name.span, &part);
            }
            env.bind(name.text, part, name.span);
        }
        if failed { Err(Failed) } else { Ok(()) }
    }

    pub fn take_apart(&mut self, env: &Env, pattern: &Pattern, value: Value, span: Span) -> Res<Vec<Value>> {
        let (names, place) = match pattern {
            Pattern::Name(_, None) => return Ok(vec![value]),
            Pattern::Name(name, Some(ty)) => return Ok(vec![self.ascribe(env, name, ty, value, span)?]),
            Pattern::Tuple(names, place) => (names, *place),
        };
        let parts: Vec<Value> = match &value {
            Value::Tuple(items) | Value::List(items) => items.to_vec(),
            Value::Named(items) => items.iter().map(|(_, v)| v.clone()).collect(),
            other => {
                let d = Diagnostic::error("E0402", place, format!("{} names for one value", names.len()))
                    .label(span, format!("this is {}", other.kind()));
                return Err(self.fail(d));
            }
        };
        if parts.len() != names.len() {
            let d = Diagnostic::error("E0402", place, format!("{} names for {} values", names.len(), parts.len()))
                .label(span, format!("gives {} values", parts.len()))
                .help("`_` stands for a value that is not wanted");
            return Err(self.fail(d));
        }
        Ok(parts)
    }

    /// A `require` at the top of a file.
    pub fn require_at(&mut self, file: FileId, condition: &Expr, text: Option<&str>) -> Res<()> {
        self.require(&mut Env::new(file), condition, text)
    }

    pub fn require(&mut self, env: &mut Env, condition: &Expr, text: Option<&str>) -> Res<()> {
        match self.eval(env, condition)? {
            Value::Bool(true) => Ok(()),
            Value::Opaque => {
                self.learn(env, condition, true);
                Ok(())
            }
            Value::Bool(false) => {
                let told = self.tell_values(env, condition);
                let message = text.map_or_else(|| "this requirement does not hold".into(), String::from);
                let frame = self.frames.last().cloned();
                let by = frame.as_ref().and_then(|f| f.callable).map(|id| self.program.callable(id).callable.clone());
                let message = match &by {
                    Some(by) => format!("`{}` cannot be applied: {message}", by.name.text),
                    None => message,
                };
                let mut d = Diagnostic::error("E0506", condition.span, message).says("this is false");
                if !told.is_empty() {
                    d = d.note(format!("here {}", told.join(", ")));
                }
                if let Some(frame) = &frame {
                    let types: Vec<String> = frame.tensors.iter().map(|(name, ty)| format!("{name} is {ty}")).collect();
                    d = d.label(frame.call, types.join(", "));
                    let mut used = Vec::new();
                    names_of(condition, &mut |name| used.push(Word::new(name)));
                    let axes: Vec<Axis> =
                        frame.dims.iter().filter(|(name, _)| used.contains(name)).map(|(_, a)| a.clone()).collect();
                    d = self.with_story(d, &axes.iter().collect::<Vec<_>>());
                    if let Some(help) = by.and_then(|by| self.image_help(&by, frame)) {
                        d = d.help(help);
                    }
                }
                Err(self.fail(d))
            }
            other => {
                let kind = other.kind();
                self.error("E0507", condition.span, format!("a requirement must be a bool, this is {kind}"))
            }
        }
    }

    /// What was likely meant where a layer for images cannot be applied: their channels last, or the number of
    /// channels that come in as the first argument.
    pub fn image_help(&self, by: &Callable, frame: &Frame) -> Option<String> {
        let TypeKind::Tensor { axes, .. } = &by.inputs.first()?.ty.as_ref()?.kind else { return None };
        let (_, ty) = frame.tensors.first()?;
        let sizes: Vec<i64> = ty.shape.iter().filter_map(|a| self.concrete(&a.dim).as_constant()).collect();
        let [.., channels, height, width] = sizes.as_slice() else { return None };
        if axes.len() != 4 || by.kind != CallableKind::Layer {
            return None;
        }
        if *width <= 4 && channels == height {
            return Some(format!(
                "images are [batch, channels, height, width] here, {ty} has its channels last: \
                 `|> transpose([0, 3, 1, 2])` before it"
            ));
        }
        let told = self.quote(frame.call);
        let numbers: Vec<&str> = told.split_once('(')?.1.trim_end_matches(')').split(", ").collect();
        let leading = numbers.iter().take_while(|n| n.parse::<i64>().is_ok()).count();
        (leading >= 3 && numbers[0] == channels.to_string()).then(|| {
            format!(
                "the channels that come in are those of the input, and are not given: `{}({})`",
                by.name.text,
                numbers[1..].join(", ")
            )
        })
    }

    /// `D = 130`, for each name of a static expression.
    pub fn tell_values(&mut self, env: &Env, e: &Expr) -> Vec<String> {
        let mut names = Vec::new();
        names_of(e, &mut |name| names.push(name.to_string()));
        let mut out = Vec::new();
        for name in &names {
            let global = self.program.lookup(env.file, name).is_some();
            let known =
                env.get(name).cloned().or_else(|| if global { self.name(env, name.into(), e.span).ok() } else { None });
            let value = match known {
                Some(Value::Int(d)) => d.to_string(),
                Some(Value::Float(x)) => x.to_string(),
                Some(Value::Bool(b)) => b.to_string(),
                _ => continue,
            };
            let line = format!("{name} = {value}");
            if !out.contains(&line) {
                out.push(line);
            }
        }
        out
    }
}

/// Calls `f` with every name in an expression of operators.
fn names_of(e: &Expr, f: &mut dyn FnMut(&str)) {
    match &*e.kind {
        ExprKind::Name(n) => f(n),
        ExprKind::Unary(_, x) => names_of(x, f),
        ExprKind::Binary(_, _, l, r) => {
            names_of(l, f);
            names_of(r, f);
        }
        _ => {}
    }
}
