//! `expect gradient(f)` and `expect gradient(f, x, …)`: the function on parameters that stand for its
//! arguments, and a scalar made of what it gives.
//!
//! In f64 where the function takes it, so that differences are exact to many digits, else in f32.

use super::super::apply::Argument;
use super::super::elab::{Elab, Failed, Res};
use super::super::update::Library;
use super::super::value::{Env, Value};
use super::GradientClaim;
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::{Attr, Literal, Op, ValueId, VarId, Variable, VariableKind};
use crate::source::Span;
use crate::syntax::ast::{CallableKind, Param, TypeExpr, TypeKind};
use crate::types::{DType, TensorType};
use std::collections::HashMap;
use std::sync::Arc;

/// The rank that `..S` has in arguments that are chosen.
const RANK: usize = 2;

impl Elab {
    /// The claim that the gradient of the first argument, at the others, agrees with differences.
    pub(super) fn gradient_claim(&mut self, args: Vec<Argument>, span: Span) -> Res<GradientClaim> {
        let mut args = args.into_iter();
        let Some(function) = args.next().filter(|f| f.name.is_none()) else {
            let d = Diagnostic::error("E0702", span, "`gradient` wants a function")
                .help("write `expect gradient(gelu)`, or `expect gradient(f, x)` to choose its argument");
            return Err(self.fail(d));
        };
        let params = self.inputs_of(&function)?;
        let args: Vec<Argument> = args.collect();
        let mut last = Vec::new();
        for dtype in [DType::F64, DType::F32] {
            let mut inner = self.clone();
            inner.diagnostics.clear();
            let given = if args.is_empty() { inner.chosen(&params, dtype, span) } else { Ok(args.clone()) };
            match given.and_then(|given| inner.probe(&function, &params, given, dtype, span)) {
                Ok(claim) => return Ok(claim),
                Err(Failed) => last = inner.diagnostics,
            }
        }
        for d in last {
            self.fail(d);
        }
        Err(Failed)
    }

    /// The list that a function, a model or an instance is applied to.
    fn inputs_of(&mut self, function: &Argument) -> Res<Vec<Param>> {
        let refused = |e: &mut Elab, what: &str, help: &str| {
            let d = Diagnostic::error("E0702", function.span, format!("{what} has no gradient to check")).help(help);
            Err(e.fail(d))
        };
        match &function.value {
            Value::Lambda(lambda) => Ok(lambda.params.clone()),
            Value::Callable(id) => {
                let callable = self.program.callable(*id).callable.clone();
                match callable.kind {
                    CallableKind::Layer => {
                        let name = &callable.name.text;
                        refused(self, &format!("the layer `{name}`"), &format!("make it first: `gradient({name}(…))`"))
                    }
                    CallableKind::Optimizer | CallableKind::Schedule => {
                        refused(self, &format!("`{}`", callable.name.text), "a function, loss, model or layer has one")
                    }
                    _ => Ok(callable.inputs),
                }
            }
            Value::Bound(bound) if self.program.callable(bound.callable).callable.kind == CallableKind::Layer => {
                Ok(self.program.callable(bound.callable).callable.inputs.clone())
            }
            Value::Unknown | Value::Opaque => Err(Failed),
            other => {
                let what = other.kind();
                refused(self, what, "a function, loss, model or layer has one")
            }
        }
    }

    /// Arguments of the declared types, for a function that was given none: sizes from 2 on, another one for each
    /// name, and numbers on both sides of 0.
    fn chosen(&mut self, params: &[Param], float: DType, span: Span) -> Res<Vec<Argument>> {
        let mut scratch = Elab::new(self.program.clone());
        scratch.generic = true;
        let mut sizes: HashMap<String, i64> = HashMap::new();
        let mut env = Env::new(span.file);
        let mut out = Vec::new();
        for (i, param) in params.iter().enumerate() {
            let Some(TypeExpr { kind: TypeKind::Tensor { dtype, .. }, .. }) = &param.ty else {
                if param.default.is_some() {
                    continue;
                }
                let d = Diagnostic::error("E0702", span, format!("nothing is known of `{}`", param.name.text))
                    .help("choose the arguments: `expect gradient(f, x, …)`");
                return Err(self.fail(d));
            };
            let declared = match scratch.stand_in(&mut env, param, RANK) {
                Some(Value::Tensor(v)) => scratch.ty(v).clone(),
                _ => return Err(Failed),
            };
            let mut size_of = |d: &Dim| {
                let d = self.concrete(d);
                for symbol in d.symbols() {
                    let next = sizes.len() as i64 + 2;
                    sizes.entry(symbol.to_string()).or_insert(next);
                }
                d.substitute(&|s| sizes.get(s).map(|n| Dim::constant(*n)))
            };
            let shape: Vec<Dim> = declared.shape.iter().map(|a| size_of(&a.dim)).collect();
            let below = declared.below.as_ref().map(&mut size_of);
            let dtype = match dtype.text.as_str() {
                "float" | "number" | "any" => float,
                _ => declared.dtype,
            };
            let n = shape.iter().try_fold(1, |n, d| Some(n * usize::try_from(d.as_constant()?).ok()?));
            let Some(n) = n else { return Err(Failed) };
            let numbers = (0..n).map(|k| chosen_number(dtype, 100 * i + k, below.as_ref())).collect();
            let ty = TensorType { below, ..TensorType::new(dtype, shape) };
            let v = self.push(Op::Constant(Literal::Numbers(numbers)), Vec::new(), ty, span);
            out.push(Argument { name: Some(param.name.clone()), value: Value::Tensor(v), span, pattern: None });
        }
        Ok(out)
    }

    /// Applies the function with parameters in place of its floating arguments.
    fn probe(
        &mut self,
        function: &Argument,
        params: &[Param],
        given: Vec<Argument>,
        float: DType,
        span: Span,
    ) -> Res<GradientClaim> {
        let mut args = Vec::new();
        let mut next = 0;
        for arg in given {
            let param = match &arg.name {
                Some(name) => params.iter().find(|p| p.name.text == name.text),
                None => {
                    next += 1;
                    params.get(next - 1)
                }
            };
            args.push(self.as_parameter(param, arg, float)?);
        }
        let value = self.call(function.value.clone(), args, function.span, span)?;
        let mut tensors = Vec::new();
        floats_in(self, &value, &mut tensors);
        if tensors.is_empty() {
            let d = Diagnostic::error("E0702", function.span, "this gives no floating tensor: it has no gradient");
            return Err(self.fail(d));
        }
        let mut loss = None;
        for (i, y) in tensors.into_iter().enumerate() {
            let part = self.spread_over(y, i, span)?;
            loss = Some(match loss {
                None => part,
                Some(sum) => self.call_primitive("add", vec![sum, part], span)?,
            });
        }
        let Some(Value::Tensor(loss)) = loss else { return Err(Failed) };
        let mut body = std::mem::take(&mut self.body);
        let parameters = self.reach(&body, loss)?.parameters;
        if parameters.is_empty() {
            let d = Diagnostic::error("E0702", function.span, "this does not depend on a floating argument")
                .help("choose its arguments: `expect gradient(f, x, …)`");
            return Err(self.fail(d));
        }
        self.finish_body(&mut body);
        let mut variables = std::mem::take(&mut self.variables);
        variables.iter_mut().for_each(|v| self.finish_variable(v));
        let rules = Arc::new(Library { program: self.program.clone(), optimizers: Vec::new() });
        Ok(GradientClaim { variables, body, loss, parameters, rules })
    }

    /// A floating argument as a parameter that starts at its value; other arguments as they are.
    fn as_parameter(&mut self, param: Option<&Param>, arg: Argument, float: DType) -> Res<Argument> {
        let declared = param.and_then(|p| p.ty.as_ref()).map(|t| &t.kind);
        let wanted = match (declared, &arg.value) {
            (Some(TypeKind::Tensor { dtype, .. }), value) => match DType::from_name(&dtype.text) {
                Some(dtype) => Some(dtype),
                None if dtype.text == "int" => None,
                None => self.tensor_dtype(value).filter(|d| !d.is_float()).or(Some(float)),
            },
            (Some(_), _) => None,
            (None, Value::Tensor(v)) => Some(if self.ty(*v).dtype.is_float() { float } else { self.ty(*v).dtype }),
            (None, Value::List(_) | Value::Int(_) | Value::Float(_)) => Some(float),
            (None, _) => None,
        };
        let Some(dtype) = wanted.filter(|d| d.is_float()) else { return Ok(arg) };
        let mut v = self.tensor(&arg.value, Some(dtype), arg.span)?;
        if self.ty(v).dtype != dtype {
            let to = vec![("dtype".into(), Attr::DType(dtype))];
            let ty = TensorType { dtype, below: None, ..self.ty(v).clone() };
            v = self.primitive("cast", to, vec![v], ty, arg.span);
        }
        let ty = TensorType { below: None, ..self.ty(v).clone() };
        let id = VarId(self.variables.len() as u32);
        let path = param.map_or("x", |p| p.name.text.as_str()).to_string();
        let init = (self.body.clone(), v);
        self.variables.push(Variable { path, kind: VariableKind::Parameter, ty, init, span: arg.span, device: None });
        let value = Value::Tensor(self.read(id, arg.span));
        Ok(Argument { value, ..arg })
    }

    fn tensor_dtype(&self, value: &Value) -> Option<DType> {
        match value {
            Value::Tensor(v) => Some(self.ty(*v).dtype),
            _ => None,
        }
    }

    /// `sum(sin(y) * weights)`, another weight for each element: no two derivatives can be exchanged, and the
    /// -1e30 of a mask does not hide the other elements.
    fn spread_over(&mut self, y: ValueId, i: usize, span: Span) -> Res<Value> {
        let ty = self.ty(y).clone();
        let n = self.concrete(&ty.size()).as_constant().and_then(|n| usize::try_from(n).ok());
        let Some(n) = n else { return Err(Failed) };
        let numbers = (0..n).map(|k| (1.3 * (k + 7 * i) as f64 + 0.4).cos()).collect();
        let weights = TensorType { below: None, ..ty };
        let weights = self.push(Op::Constant(Literal::Numbers(numbers)), Vec::new(), weights, span);
        let waves = self.call_primitive("sin", vec![Value::Tensor(y)], span)?;
        let parts = self.call_primitive("multiply", vec![waves, Value::Tensor(weights)], span)?;
        self.call_primitive("sum", vec![parts], span)
    }
}

/// Between -1.6 and 1.6 and not near 0, where many functions have a kink; whole numbers below their bound.
fn chosen_number(dtype: DType, k: usize, below: Option<&Dim>) -> f64 {
    if !dtype.is_float() {
        let bound = below.and_then(Dim::as_constant).unwrap_or(2).max(1);
        return (k as i64 % bound) as f64;
    }
    let x = 3.0 * ((k + 1) as f64 * std::f64::consts::SQRT_2).fract() - 1.5;
    x + 0.1 * x.signum()
}

fn floats_in(e: &Elab, value: &Value, out: &mut Vec<ValueId>) {
    match value {
        Value::Tensor(v) if e.ty(*v).dtype.is_float() => out.push(*v),
        Value::Tuple(items) | Value::List(items) => items.iter().for_each(|v| floats_in(e, v, out)),
        Value::Named(items) => items.iter().for_each(|(_, v)| floats_in(e, v, out)),
        _ => {}
    }
}
