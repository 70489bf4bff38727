//! Applications: matching arguments to parameters, and evaluating what is applied.

use super::elab::{Elab, Failed, Frame, Res, Scope};
use super::signature::Signature;
use super::value::{Bound, CallableId, Env, Lambda, Value};
use crate::diagnostic::Diagnostic;
use crate::model::{ValueId, Word};
use crate::source::Span;
use crate::syntax::ast::{Callable, CallableKind, Einops, Name, Param};
use crate::types::DType;
use std::sync::Arc;

/// An argument, evaluated.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub name: Option<Name>,
    pub value: Value,
    pub span: Span,
    /// For an argument that is a pattern in backticks.
    pub pattern: Option<Box<Einops>>,
}

impl Argument {
    pub fn pattern(p: Einops) -> Argument {
        Argument { name: None, value: Value::Opaque, span: p.span, pattern: Some(Box::new(p)) }
    }

    pub fn of(value: Value, span: Span) -> Argument {
        Argument { name: None, value, span, pattern: None }
    }
}

impl Elab {
    /// Applies anything that can be applied. `at` is the place of its name, `span` of the whole call.
    pub fn call(&mut self, function: Value, args: Vec<Argument>, at: Span, span: Span) -> Res<Value> {
        match function {
            Value::Callable(id) => {
                let kind = self.program.callable(id).callable.kind;
                match kind {
                    CallableKind::Layer | CallableKind::Optimizer | CallableKind::Schedule => {
                        self.make(id, args, at, span)
                    }
                    CallableKind::Primitive => self.apply_primitive(id, args, at, span),
                    _ => self.apply_function(id, args, span),
                }
            }
            Value::Bound(bound) => self.apply_bound(&bound, args, span),
            Value::Lambda(lambda) => self.apply_lambda(&lambda, args, span),
            Value::Builtin(builtin) => (builtin.run)(self, args, at, span),
            Value::DType(dtype) => self.convert(dtype, args, span),
            Value::Unknown | Value::Opaque => Err(Failed),
            other => {
                let d = Diagnostic::error("E0405", at, format!("{} cannot be applied", other.kind()))
                    .says(format!("this is {}", other.kind()));
                Err(self.fail(d))
            }
        }
    }

    /// `f32(x)`
    fn convert(&mut self, dtype: DType, args: Vec<Argument>, span: Span) -> Res<Value> {
        let [arg] = args.as_slice() else {
            return self.error("E0501", span, format!("`{dtype}(x)` converts one tensor, {} are given", args.len()));
        };
        if let Value::Tensor(_) = arg.value {
            let cast = self.program.primitive("cast").map(Value::Callable);
            let to = Argument::of(Value::DType(dtype), span);
            return match cast {
                Some(cast) => self.call(cast, vec![arg.clone(), to], span, span),
                None => Err(Failed),
            };
        }
        Ok(Value::Tensor(self.tensor(&arg.value, Some(dtype), arg.span)?))
    }

    /// Puts arguments in the order of the parameters; `None` where one is not given.
    pub fn match_arguments(
        &mut self,
        what: &str,
        head: Option<Span>,
        params: &[Param],
        args: Vec<Argument>,
        span: Span,
    ) -> Res<Vec<Option<Argument>>> {
        if args.len() == params.len() && args.iter().all(|a| a.name.is_none()) {
            return Ok(args.into_iter().map(Some).collect());
        }
        let mut slots: Vec<Option<Argument>> = params.iter().map(|_| None).collect();
        let (mut next, mut failed) = (0, false);
        let given = args.len();
        for arg in args {
            let slot = match &arg.name {
                Some(name) => params.iter().position(|p| p.name.text == name.text),
                None => {
                    next += 1;
                    (next <= params.len()).then(|| next - 1)
                }
            };
            match (slot, &arg.name) {
                (Some(i), name) => {
                    if slots[i].is_some() {
                        let place = name.as_ref().map_or(arg.span, |n| n.span);
                        let d = Diagnostic::error(
                            "E0502",
                            place,
                            format!("`{}` of `{what}` is given twice", params[i].name.text),
                        );
                        self.fail(d);
                        failed = true;
                    }
                    slots[i] = Some(arg);
                }
                (None, Some(name)) => {
                    let names: Vec<&str> = params.iter().map(|p| p.name.text.as_str()).collect();
                    let mut d =
                        Diagnostic::error("E0502", name.span, format!("`{what}` has no parameter `{}`", name.text));
                    let theirs = super::foreign::parameter(&name.text, &names);
                    let wrapper = super::foreign::wrapper(&name.text).filter(|_| names.contains(&"lr"));
                    d = match wrapper {
                        Some(wrapper) => d.help(format!("write {wrapper}")),
                        None => match theirs.or_else(|| super::near(&name.text, names.iter().copied())) {
                            Some(here) if theirs.is_some() => d.help(format!("it is called `{here}` here")).fix(
                                "write its name here",
                                name.span,
                                here,
                            ),
                            Some(near) => {
                                d.help(format!("did you mean `{near}`?")).fix("correct the name", name.span, near)
                            }
                            None if names.is_empty() => d.help("it takes no arguments here"),
                            None => d.help(format!("it takes {}", super::list_words(&names))),
                        },
                    };
                    self.fail(d);
                    failed = true;
                }
                (None, None) => {
                    let n = params.len();
                    let mut d = Diagnostic::error(
                        "E0501",
                        arg.span,
                        format!("`{what}` takes {n} argument{}, {given} are given", if n == 1 { "" } else { "s" }),
                    )
                    .says("one too many");
                    d = match head.filter(|_| !params.is_empty()) {
                        Some(head) if self.in_library(head) => {
                            d.note(format!("it is declared as {}", self.quote(head)))
                        }
                        Some(head) => d.label(head, "declared here"),
                        None => d,
                    };
                    self.fail(d);
                    return Err(Failed);
                }
            }
        }
        let missing: Vec<Word> = params
            .iter()
            .zip(&slots)
            .filter(|(p, s)| s.is_none() && p.default.is_none())
            .map(|(p, _)| p.name.text)
            .collect();
        if !missing.is_empty() && !failed {
            let words: Vec<&str> = missing.iter().map(Word::as_str).collect();
            let mut d = Diagnostic::error("E0501", span, format!("`{what}` also needs {}", super::list_words(&words)));
            d = match head {
                Some(head) if self.in_library(head) => d.note(format!("it is declared as {}", self.quote(head))),
                Some(head) => d.label(head, "declared here"),
                None => d,
            };
            if given == 0 && self.quote(span).ends_with("()") {
                let applied = words.iter().map(|w| w.to_string()).collect::<Vec<_>>().join(", ");
                d = d.help(format!("apply it, `{what}({applied})`; to hand it on, write `{what}` without brackets"));
            }
            self.fail(d);
            failed = true;
        }
        if failed { Err(Failed) } else { Ok(slots) }
    }

    pub fn frame(&mut self, callable: Option<CallableId>, call: Span, float: Option<DType>) {
        let float = float.unwrap_or_else(|| self.float());
        self.frames.push(Frame { callable, call, float, dims: Vec::new(), tensors: Vec::new() });
    }

    /// As `frame`, with what the signature has bound.
    fn frame_of(&mut self, id: CallableId, call: Span, params: &[Param], sig: &Signature) {
        self.frame(Some(id), call, sig.float());
        let dims = sig.dims.iter().map(|(name, (axis, _))| (name, axis.clone())).collect();
        // Errors tell the types of what the user applied.
        let named = params.iter().zip(&sig.tensors).filter(|_| !self.in_library(call));
        let tensors = named.filter_map(|(p, v)| v.map(|v| (p.name.text, self.ty(v).clone()))).collect();
        if let Some(frame) = self.frames.last_mut() {
            (frame.dims, frame.tensors) = (dims, tensors);
        }
    }

    /// Refuses to enter a declaration that is being applied already.
    fn enter(&mut self, id: CallableId, span: Span) -> Res<()> {
        self.effort(super::expr::APPLICATION, span)?;
        self.applied.insert(id);
        let kind = self.program.callable(id).callable.kind;
        let wraps = matches!(kind, CallableKind::Optimizer | CallableKind::Schedule);
        let nested = self.frames.iter().filter(|f| f.callable == Some(id)).count();
        // An instance of a layer may be given to another of the same layer; nothing else comes back.
        if nested > if wraps || kind == CallableKind::Layer { 16 } else { 8 } {
            let name = self.program.callable(id).callable.name.text;
            let d = Diagnostic::error("E0508", span, format!("`{name}` applies itself"))
                .help("nothing calls itself: repeat with `fold`");
            return Err(self.fail(d));
        }
        Ok(())
    }

    fn make(&mut self, id: CallableId, args: Vec<Argument>, at: Span, span: Span) -> Res<Value> {
        let program = self.program.clone();
        let declared = program.callable(id);
        let callable = &declared.callable;
        let params = callable.statics.as_deref().unwrap_or(&[]);
        if callable.kind == CallableKind::Layer
            && let Some(tensor) = args.iter().find(|a| matches!(a.value, Value::Tensor(_)))
        {
            let name = &callable.name.text;
            let d = Diagnostic::error("E0405", span, format!("the layer `{name}` is used as a function"))
                .label(tensor.span, "a tensor where its settings are wanted")
                .help(format!("a layer is made first and applied then: `{name}(…)(x)`, or `x |> {name}(…)`"));
            return Err(self.fail(d));
        }
        let slots = self.match_arguments(&callable.name.text, Some(callable.head), params, args, span)?;
        let mut env = Env::new(declared.file);
        self.bind_statics(callable, params, slots, &mut env, at)?;
        let statics = env.names.into_iter().map(|(n, v, _)| (n, v)).collect();
        let id_number = self.fresh_id();
        Ok(Value::Bound(Arc::new(Bound { id: id_number, callable: id, statics, span })))
    }

    fn apply_lambda(&mut self, lambda: &Lambda, args: Vec<Argument>, span: Span) -> Res<Value> {
        let slots = self.match_arguments("this function", Some(lambda.span), &lambda.params, args, span)?;
        let mut env = lambda.env.clone();
        for (param, slot) in lambda.params.iter().zip(slots) {
            let value = match (slot, &param.default) {
                (Some(arg), _) => arg.value,
                (None, Some(default)) => self.eval(&mut env, default)?,
                (None, None) => return Err(Failed),
            };
            env.bind(param.name.text, value, param.name.span);
        }
        if self.frames.len() > 100 {
            return self.error("E0508", span, "functions apply each other without end");
        }
        self.frame(None, span, None);
        let result = self.block(&mut env, &lambda.body);
        self.frames.pop();
        result
    }

    /// A `fn`, `loss`, `metric` or `model`.
    fn apply_function(&mut self, id: CallableId, args: Vec<Argument>, span: Span) -> Res<Value> {
        self.enter(id, span)?;
        let program = self.program.clone();
        let declared = program.callable(id);
        let callable = &declared.callable;
        let env = Env::new(declared.file);
        let sig = self.bind(callable, &callable.inputs, args, env, span, false)?;
        let is_model = callable.kind == CallableKind::Model;
        let training = self.training;
        if callable.kind == CallableKind::Metric {
            let path = self.metric_path(&callable.name.text);
            self.scopes.push(Scope::new(path));
        } else if is_model {
            self.note_model(&callable.name);
            self.scopes.push(Scope::new(callable.name.text.as_str()));
            self.training &= !self.is_frozen(&callable.name.text);
        }
        self.frame_of(id, span, &callable.inputs, &sig);
        if is_model && self.keep_names {
            for (param, v) in callable.inputs.iter().zip(&sig.tensors) {
                if let Some(v) = v {
                    let ty = self.ty(*v).clone();
                    self.keep("an input", &param.name.text, &ty, param.name.span);
                }
            }
        }
        let path = self.scopes.last().filter(|_| is_model).map_or_else(|| "".into(), |s| s.path);
        let begun = self.begin_trace(callable, &sig, None);
        let result = self.run_body(callable, sig, span);
        self.frames.pop();
        self.training = training;
        if is_model || callable.kind == CallableKind::Metric {
            self.scopes.pop();
        }
        let value = result?;
        self.end_trace(begun, id, &path, span, &value);
        if is_model && self.frames.iter().filter(|f| f.callable.is_some()).count() == 0 {
            self.record_output(&callable.name.text, &value);
        }
        Ok(value)
    }

    fn record_output(&mut self, model: &str, value: &Value) {
        let named: Vec<(String, ValueId)> = match value {
            Value::Tensor(v) => vec![(model.to_string(), *v)],
            Value::Named(items) => items
                .iter()
                .filter_map(|(n, v)| if let Value::Tensor(v) = v { Some((format!("{model}.{n}"), *v)) } else { None })
                .collect(),
            _ => Vec::new(),
        };
        for (name, v) in named {
            let again = self.outputs.iter().filter(|(n, _)| *n == name || n.starts_with(&format!("{name}#"))).count();
            let name = if again == 0 { name } else { format!("{name}#{}", again + 1) };
            self.outputs.push((name, v));
        }
    }

    /// A body with its signature bound, and its result held against the declared one.
    fn run_body(&mut self, callable: &Callable, mut sig: Signature, span: Span) -> Res<Value> {
        let Some(body) = &callable.body else { return Err(Failed) };
        let mut env = std::mem::take(&mut sig.env);
        // What the body requires is known in it, and of its result.
        let known = self.facts.clone();
        let value = self.block(&mut env, body);
        // A block leaves the names that it was given as they were.
        sig.env = env;
        let value = value.and_then(|value| match &callable.result {
            None => Ok(value),
            Some(result) => self.check_result(callable, result, &mut sig, value),
        });
        self.facts = known;
        let value = value?;
        match &callable.grad {
            Some(_) => {
                let inputs = sig.tensors.clone();
                self.custom_gradient(callable, &sig, &inputs, value, span)
            }
            None => Ok(value),
        }
    }

    fn apply_bound(&mut self, bound: &Arc<Bound>, args: Vec<Argument>, span: Span) -> Res<Value> {
        self.enter(bound.callable, span)?;
        let program = self.program.clone();
        let declared = program.callable(bound.callable);
        let callable = &declared.callable;
        let mut env = Env::new(declared.file);
        for (name, value) in &bound.statics {
            env.bind(name, value.clone(), bound.span);
        }
        match callable.kind {
            CallableKind::Layer => {}
            CallableKind::Optimizer => return self.apply_optimizer(bound, callable, env, args, span),
            // In tests and examples a schedule is applied to a step and a number of steps.
            _ if self.testing => {
                return self.schedule_example(Value::Bound(bound.clone()), &args, span);
            }
            _ => {
                let d = Diagnostic::error(
                    "E0405",
                    span,
                    format!("the schedule `{}` is applied by itself", callable.name.text),
                )
                .help("inside an optimizer or a schedule its name is its value now");
                return Err(self.fail(d));
            }
        }
        let sig = self.bind(callable, &callable.inputs, args, env, span, false)?;
        let path = self.instance_path(bound, &callable.name.text);
        let training = self.training;
        self.training &= !self.is_frozen(&path);
        self.scopes.push(Scope::new(path.as_str()));
        let begun = self.begin_trace(callable, &sig, Some(bound));
        self.frame_of(bound.callable, span, &callable.inputs, &sig);
        let result = self.run_body(callable, sig, span);
        self.frames.pop();
        self.training = training;
        self.scopes.pop();
        if let Ok(value) = &result {
            self.end_trace(begun, bound.callable, &path, span, value);
        }
        result
    }

    /// True for what `freeze` names: inside, `training` is false.
    fn is_frozen(&self, path: &str) -> bool {
        self.frozen.iter().any(|f| super::targets::lies_in(path, f))
    }

    /// The path of an instance: given where it is first applied, by its `let` name or by its layer's
    /// name and a number counted in its parent.
    fn instance_path(&mut self, bound: &Bound, layer: &str) -> String {
        if let Some(path) = self.paths.get(&bound.id) {
            return path.clone();
        }
        self.effort_later(super::expr::INSTANCE);
        let hint = self.hints.get(&bound.id).cloned();
        let Some(scope) = self.scopes.last_mut() else { return layer.into() };
        let mut name = match &hint {
            Some(hint) => hint.clone(),
            None => {
                let snake = super::snake_case(layer);
                let n = scope.counters.entry(snake.clone()).or_insert(0);
                *n += 1;
                format!("{snake}_{n}")
            }
        };
        let base = name.clone();
        let mut again = 1;
        while scope.used.get(&name).is_some_and(|id| *id != bound.id) {
            again += 1;
            name = format!("{base}_{again}");
        }
        scope.used.insert(name.clone(), bound.id);
        let path = if scope.path.is_empty() { name } else { format!("{}.{name}", scope.path) };
        self.paths.insert(bound.id, path.clone());
        self.note_instance(bound, layer, &path, hint.is_some());
        path
    }
}
