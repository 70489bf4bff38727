//! Optimizers inside others: `inner(p, g, step, when: due)` is a step that is taken only where `due` is true; and an
//! optimizer by itself, as tests and examples apply it.

use super::apply::Argument;
use super::elab::{Elab, Failed, Res, UpdateTarget};
use super::schedules::Clock;
use super::value::{Bound, Value};
use crate::diagnostic::Diagnostic;
use crate::model::{Literal, Op, ValueId};
use crate::source::Span;
use crate::syntax::ast::Callable;
use crate::types::{DType, TensorType};
use std::collections::HashMap;
use std::sync::Arc;

/// A step that may be held back: what to go back to where it is.
pub(super) struct Hold {
    when: Value,
    parameter: Value,
    /// The states at the time, by path.
    states: HashMap<String, ValueId>,
}

impl Hold {
    /// Takes `when:` out of the arguments of an optimizer, where it is given and no input of its own.
    pub fn new(e: &mut Elab, callable: &Callable, args: &mut Vec<Argument>, span: Span) -> Res<Option<Hold>> {
        let own = callable.inputs.iter().any(|p| p.name.text == "when");
        let at = args.iter().position(|a| !own && a.name.as_ref().is_some_and(|n| n.text == "when"));
        let Some(when) = at.map(|i| args.remove(i)) else { return Ok(None) };
        let v = e.tensor(&when.value, Some(DType::Bool), when.span)?;
        let ty = e.ty(v).clone();
        if ty.dtype != DType::Bool || ty.rank() > 0 {
            let d = Diagnostic::error("E0402", when.span, format!("`when` is one truth, this is {ty}"))
                .help("compare two numbers: `when: step % 4 == 0`");
            return Err(e.fail(d));
        }
        let Some(parameter) = args.first().map(|a| a.value.clone()) else {
            return e.error("E0501", span, "an optimizer takes the parameter, its gradient and the step");
        };
        let target = e.update.as_ref().ok_or(Failed)?;
        let states = target.states.iter().map(|(path, _, now, _)| (path.clone(), *now)).collect();
        Ok(Some(Hold { when: Value::Tensor(v), parameter, states }))
    }

    /// Puts what the step moved back where it was, but for where `when` is true.
    pub fn back(self, e: &mut Elab, moved: &mut [Value], span: Span) -> Res<()> {
        if moved.len() > 1 {
            let d = Diagnostic::error("E0405", span, "a step that gives an average cannot be held back")
                .help("let the average go around: `Adam() |> accumulate(4) |> ema()`");
            return Err(e.fail(d));
        }
        let Hold { when, parameter, states } = self;
        moved[0] = e.call_primitive("where", vec![when.clone(), moved[0].clone(), parameter], span)?;
        let after = e.update.as_ref().map(|u| u.states.clone()).unwrap_or_default();
        for (i, (path, first, now, _)) in after.into_iter().enumerate() {
            let before = states.get(&path).copied().unwrap_or(first);
            if now == before {
                continue;
            }
            let values = vec![when.clone(), Value::Tensor(now), Value::Tensor(before)];
            let Value::Tensor(held) = e.call_primitive("where", values, span)? else { return Err(Failed) };
            if let Some(target) = &mut e.update {
                target.states[i].2 = held;
            }
        }
        Ok(())
    }
}

impl Elab {
    /// `Sgd(0.5)([1, 2], [2, 4], 1)`: where a first step moves a parameter, or what evaluation would use in its place.
    /// A schedule sees a run of 1 step with the loss 1.
    pub fn optimizer_example(&mut self, bound: &Arc<Bound>, mut args: Vec<Argument>, span: Span) -> Res<Value> {
        for arg in &mut args {
            let v = self.tensor(&arg.value, None, arg.span)?;
            arg.value = Value::Tensor(v);
        }
        let (Some(Value::Tensor(p)), Some(Value::Tensor(step))) =
            (args.first().map(|a| &a.value), args.get(2).map(|a| &a.value))
        else {
            return self.error("E0501", span, "an optimizer takes the parameter, its gradient and the step");
        };
        let (p, step) = (*p, *step);
        let full = self.ty(p).clone();
        let step = self.in_dtype(step, DType::F32, span);
        let one = self.push(Op::Constant(Literal::Number(1.0)), Vec::new(), TensorType::new(DType::F32, []), span);
        self.clock = Some(Clock { step, total: one, loss: one });
        let target = UpdateTarget::alone(format!("example_{}", self.variables.len()), full);
        self.update = Some(target);
        let moved = self.call(Value::Bound(bound.clone()), args, span, span);
        self.update = None;
        match moved? {
            Value::Tuple(moved) => moved.last().cloned().ok_or(Failed),
            _ => Err(Failed),
        }
    }
}
