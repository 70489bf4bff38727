//! `gradient(loss, x)`: what it may be taken of. Lowering writes it out.

use super::apply::Argument;
use super::builtins::order;
use super::elab::{Elab, Failed, Res};
use super::gradients::moved;
use super::scan::{leaves, rebuild};
use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::model::{Body, Op, ValueId};
use crate::source::Span;
use crate::types::TensorType;
use std::collections::HashMap;

/// The gradient of a scalar in a tensor, or in each of several, themselves differentiable values.
pub(super) fn gradient(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let slots = order(e, "gradient", args, span, 2)?;
    let [Some(loss), Some(x)] = slots.as_slice() else { return Err(Failed) };
    if e.in_grad > 0 {
        let d = Diagnostic::error("E0803", span, "a `grad` block cannot take a gradient")
            .help("write out what the gradient is: a `grad` block is what differentiation uses");
        return Err(e.fail(d));
    }
    let y = e.tensor(&loss.value, None, loss.span)?;
    let ty = e.ty(y).clone();
    if ty.rank() != 0 || !ty.dtype.is_float() {
        let d = Diagnostic::error(
            "E0803",
            loss.span,
            format!("the gradient of one floating number is taken, this is {ty}"),
        );
        let d = if ty.dtype.is_float() {
            d.help(format!("reduce it first: `gradient(sum({}), …)`", e.quote(loss.span)))
        } else {
            d.help("whole numbers do not change a little: convert before they are computed with, `f32(…)`")
        };
        return Err(e.fail(d));
    }
    let mut wanted = Vec::new();
    leaves(&x.value, &mut wanted);
    if wanted.is_empty() {
        let d = Diagnostic::error(
            "E0803",
            x.span,
            format!("a gradient is taken in tensors, this is {}", x.value.kind()),
        )
        .help(
            "name a value that the loss was computed from, a parameter (`layer.w`), or a tuple of them; numbers \
                     in the text are a new tensor wherever they are used, and `let t = f32([1, 2])` makes one",
        );
        return Err(e.fail(d));
    }
    for v in &wanted {
        e.depends(y, *v, loss.span, x.span)?;
    }
    let args: Vec<ValueId> = std::iter::once(y).chain(wanted.iter().copied()).collect();
    let mut results = Vec::new();
    for (k, v) in wanted.iter().enumerate() {
        let ty = TensorType { below: None, ..e.ty(*v).clone() };
        results.push(e.push(Op::Gradient(k as u32), args.clone(), ty, span));
    }
    Ok(rebuild(&x.value, &mut results.into_iter()))
}

impl Elab {
    /// Refuses a loss that does not depend on a value through floating operations with gradients.
    fn depends(&mut self, loss: ValueId, x: ValueId, at: Span, of: Span) -> Res<()> {
        let ty = self.ty(x).clone();
        if !ty.dtype.is_float() {
            let d = Diagnostic::error("E0803", of, format!("there is no gradient in whole numbers, this is {ty}"))
                .help("take it in a floating value that is computed from them");
            return Err(self.fail(d));
        }
        let body = std::mem::take(&mut self.body);
        let moved = moved(&body, &|v| v == x);
        let path = if moved[loss.0 as usize] { self.path(&body, &moved, &[loss]).map(|_| ()) } else { Ok(()) };
        self.body = body;
        path?;
        if moved[loss.0 as usize] {
            return Ok(());
        }
        let (loss, x) = (self.quote(at), self.quote(of));
        let d = Diagnostic::error("E0803", of, format!("`{loss}` does not depend on `{x}`"))
            .label(at, "computed without it")
            .help(format!("compute the loss from the very value `{x}`; through `stop_gradient` nothing is reached"));
        Err(self.fail(d))
    }

    /// In a turn of a scan: a value between `x` and the loss that was computed outside would be passed over.
    /// `outside` has the values that inputs of the turn stand for.
    pub fn whole_gradients(&mut self, turn: &Body, outside: &HashMap<ValueId, ValueId>) -> Res<()> {
        for node in turn.nodes.iter().filter(|n| matches!(n.op, Op::Gradient(_))) {
            for x in &node.args[1..] {
                let Some(x) = outside.get(x) else { continue };
                let moved = moved(&self.body, &|v| v == *x);
                let needed = ancestors(turn, node.args[0]);
                let between = outside.iter().find(|(inner, outer)| {
                    *outer != x && needed[inner.0 as usize] && moved.get(outer.0 as usize) == Some(&true)
                });
                if let Some((_, between)) = between {
                    let place = self.body.node(*between).span;
                    let d = Diagnostic::error("E0803", node.span, "this gradient would leave its `scan`")
                        .label(place, "computed outside, from what the gradient is taken in")
                        .help("compute this inside the scan, or take the gradient outside");
                    return Err(self.fail(d));
                }
            }
        }
        Ok(())
    }
}

/// What a value was computed from, itself included.
fn ancestors(body: &Body, v: ValueId) -> Vec<bool> {
    let mut seen = vec![false; body.nodes.len()];
    let mut left = vec![v];
    while let Some(v) = left.pop() {
        if !std::mem::replace(&mut seen[v.0 as usize], true) {
            left.extend(&body.node(v).args);
        }
    }
    seen
}
