//! `grad { … }` blocks, evaluated into bodies of their own: of primitives and of functions.

use super::apply::Argument;
use super::elab::{Elab, Failed, Res};
use super::signature::Signature;
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::model::{Attr, Attrs, GradientRule, Op, ValueId};
use crate::source::Span;
use crate::syntax::ast::{Callable, Param};
use crate::types::TensorType;
use std::sync::Arc;

impl Elab {
    /// Wraps the value of a `fn` that has a `grad` of its own.
    pub fn custom_gradient(
        &mut self,
        callable: &Callable,
        sig: &Signature,
        inputs: &[Option<ValueId>],
        value: Value,
        span: Span,
    ) -> Res<Value> {
        let Value::Tensor(y) = value else {
            return self.error("E0402", callable.name.span, "a function with `grad` must give one tensor");
        };
        let args: Vec<ValueId> = inputs.iter().flatten().copied().collect();
        let types: Vec<TensorType> = args.iter().map(|v| self.ty(*v).clone()).collect();
        let result = self.ty(y).clone();
        let rule = self.gradient_rule(callable, sig, inputs, &types, &result)?;
        let mut all = vec![y];
        all.extend(args);
        Ok(Value::Tensor(self.push(Op::CustomGradient(Arc::new(rule)), all, result, span)))
    }

    /// Evaluates a `grad` block into a body of its own.
    pub fn gradient_rule(
        &mut self,
        callable: &Callable,
        sig: &Signature,
        inputs: &[Option<ValueId>],
        types: &[TensorType],
        result: &TensorType,
    ) -> Res<GradientRule> {
        let Some(grad) = &callable.grad else { return Err(Failed) };
        let head = callable.head;
        let float = types.iter().map(|t| t.dtype).find(|d| d.is_float());
        let (body, outcome) = self.in_fresh_body(|e| {
            e.frame(None, head, float);
            let mut env = sig.env.clone();
            let mut nodes = Vec::new();
            let mut types = types.iter();
            for (param, input) in callable.inputs.iter().zip(inputs) {
                let list = match env.get(param.name.text) {
                    Some(Value::List(items)) if input.is_none() => Some(items.len()),
                    _ => None,
                };
                // A parameter that is a list of tensors has an input for each of them.
                let parts = if super::signature::is_tensor_list(param) { list } else { None };
                if let Some(n) = parts {
                    let mut items = Vec::new();
                    for ty in types.by_ref().take(n) {
                        let v = e.push(Op::Input(param.name.text.as_str().into()), Vec::new(), ty.clone(), head);
                        nodes.push(v);
                        items.push(Value::Tensor(v));
                    }
                    env.rebind(param.name.text, Value::list(items));
                } else if input.is_some()
                    && let Some(ty) = types.next()
                {
                    let v = e.push(Op::Input(param.name.text.as_str().into()), Vec::new(), ty.clone(), head);
                    nodes.push(v);
                    env.rebind(param.name.text, Value::Tensor(v));
                }
            }
            let y = e.push(Op::Input("y".into()), Vec::new(), result.clone(), head);
            let dy_type = TensorType { below: None, ..result.clone() };
            let dy = e.push(Op::Input("dy".into()), Vec::new(), dy_type, head);
            env.bind("y", Value::Tensor(y), head);
            env.bind("dy", Value::Tensor(dy), head);
            e.in_grad += 1;
            let value = e.block(&mut env, grad);
            e.in_grad -= 1;
            let outputs = value.and_then(|v| e.gradient_outputs(callable, &nodes, v));
            e.frames.pop();
            let mut inputs = nodes;
            inputs.extend([y, dy]);
            outputs.map(|outputs| (inputs, outputs))
        });
        let (inputs, outputs) = outcome?;
        Ok(GradientRule { body, inputs, outputs })
    }

    /// The values of a `grad` block, one per floating argument, each of exactly its type. A number stands for a
    /// tensor of it.
    fn gradient_outputs(&mut self, callable: &Callable, args: &[ValueId], value: Value) -> Res<Vec<Option<ValueId>>> {
        let block = callable.grad.as_ref();
        let span = block.and_then(|g| g.statements.last()).map_or(callable.head, |s| s.span);
        let values = match value {
            Value::Tuple(items) | Value::List(items) => items.to_vec(),
            one => vec![one],
        };
        let named = |e: &Elab, v: ValueId| match &e.body.node(v).op {
            Op::Input(name) => name.to_string(),
            _ => String::new(),
        };
        let floating: Vec<ValueId> = args.iter().copied().filter(|v| self.ty(*v).dtype.is_float()).collect();
        if values.len() != floating.len() {
            let names: Vec<String> = floating.iter().map(|v| named(self, *v)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let count = |n: usize| if n == 1 { "1 value".to_string() } else { format!("{n} values") };
            let d = Diagnostic::error(
                "E0402",
                span,
                format!("`grad` must give {}, this gives {}", count(floating.len()), count(values.len())),
            )
            .label(callable.name.span, "of this function")
            .help(match names.as_slice() {
                [] => "no argument is floating: there is no gradient to give".to_string(),
                _ => format!("one for each floating argument, {}, in their order", super::list_words(&names)),
            });
            return Err(self.fail(d));
        }
        let mut values = values.into_iter();
        let mut outputs = Vec::new();
        for &arg in args {
            let Some(value) = floating.contains(&arg).then(|| values.next()).flatten() else {
                outputs.push(None);
                continue;
            };
            let want = TensorType { below: None, ..self.ty(arg).clone() };
            let mut got = self.tensor(&value, Some(want.dtype), span)?;
            if value.is_number() {
                got = self.broadcast(got, &want.shape, span);
            }
            let have = TensorType { below: None, ..self.ty(got).clone() };
            let fits = have.dtype == want.dtype
                && have.rank() == want.rank()
                && have.shape.iter().zip(&want.shape).all(|(a, b)| self.agree(&a.dim, &b.dim));
            if !fits {
                let name = named(self, arg);
                let place = callable.inputs.iter().find(|p| p.name.text == name).map(|p| p.name.span);
                let mut d = Diagnostic::error(
                    "E0309",
                    span,
                    format!("the gradient in `{name}` is {have}, `{name}` is {want}"),
                )
                .says(format!("{have}"))
                .help(
                    "a gradient has exactly the type of its argument: `sum_to(g, shape(x))` adds up what was repeated",
                );
                if let Some(place) = place {
                    d = d.label(place, format!("{want}"));
                }
                return Err(self.fail(d));
            }
            outputs.push(Some(got));
        }
        Ok(outputs)
    }

    /// The gradient of a primitive at these types, from its `grad` block.
    pub fn gradient_of(
        &mut self,
        primitive: &str,
        attrs: &Attrs,
        args: &[TensorType],
        result: &TensorType,
    ) -> Res<GradientRule> {
        let program = self.program.clone();
        let Some(id) = program.primitive(primitive) else {
            return self.error("E0607", Span::default(), format!("the library has no primitive `{primitive}`"));
        };
        let declared = program.callable(id);
        let callable = &declared.callable;
        let head = callable.head;
        if callable.grad.is_none() {
            return self.error("E0607", head, format!("`{primitive}` has no gradient"));
        }
        let (_, outcome) = self.in_fresh_body(|e| {
            let mut types = args.iter();
            let mut arguments = Vec::new();
            let mut inputs = Vec::new();
            let input = |e: &mut Elab, ty: &TensorType| {
                Value::Tensor(e.push(Op::Input("argument".into()), Vec::new(), ty.clone(), head))
            };
            let named = |p: &Param, value| Argument { name: Some(p.name.clone()), value, span: head, pattern: None };
            for param in &callable.inputs {
                if super::signature::is_tensor_list(param) {
                    let items: Vec<Value> = types.by_ref().map(|t| input(e, t)).collect();
                    arguments.push(named(param, Value::list(items)));
                    inputs.push(None);
                } else if super::primitives::is_static(param) {
                    if let Some((_, attr)) = attrs.iter().find(|(n, _)| **n == *param.name.text) {
                        arguments.push(named(param, value_of(attr)));
                    }
                    inputs.push(None);
                } else if let Some(ty) = types.next() {
                    let value = input(e, ty);
                    inputs.push(if let Value::Tensor(v) = value { Some(v) } else { None });
                    arguments.push(named(param, value));
                }
            }
            let sig = e.bind(callable, &callable.inputs, arguments, Env::new(declared.file), head, false)?;
            e.gradient_rule(callable, &sig, &inputs, args, result)
        });
        outcome
    }
}

/// An attribute as the value of the static parameter it came from.
fn value_of(attr: &Attr) -> Value {
    match attr {
        Attr::Int(d) => Value::Int(d.clone()),
        Attr::Ints(ds) => Value::dims(ds.iter().cloned()),
        Attr::Float(x) => Value::Float(*x),
        Attr::Bool(b) => Value::Bool(*b),
        Attr::DType(d) => Value::DType(*d),
        Attr::Str(s) => Value::Str(s.as_str().into()),
    }
}
