//! What becomes of the examples of a batch on the way to a loss: averaged, summed, divided twice.

use super::Context;
use super::pass::{Pass, axes_of, is_batch, strip};
use crate::model::{Literal, Op, ValueId};
use crate::source::Span;

/// What the walk from a loss ends at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaf {
    /// A sum over examples that nothing divides.
    Summed,
    /// A division by the batch where another one has been.
    Twice,
}

/// The places where a loss of some block is no plain mean over the batch, for this reason.
pub fn places(cx: &Context, reason: Leaf) -> Vec<Span> {
    let mut out = Vec::new();
    for pass in cx.training() {
        let mut found = Vec::new();
        pass.losses.iter().for_each(|loss| walk(pass, *loss, None, &mut found, 0));
        out.extend(found.iter().filter(|(_, leaf)| *leaf == reason).map(|(v, _)| pass.node(*v).span));
    }
    out
}

/// `divided` is a division by the batch above this value.
fn walk(pass: &Pass, v: ValueId, divided: Option<ValueId>, out: &mut Vec<(ValueId, Leaf)>, depth: usize) {
    let v = strip(pass.body, v);
    let args = &pass.node(v).args;
    if depth > 64 {
        return;
    }
    let mut go = |v: ValueId, divided: Option<ValueId>| walk(pass, v, divided, out, depth + 1);
    match pass.primitive(v) {
        Some("add" | "subtract") => args.iter().for_each(|a| go(*a, divided)),
        Some("negate") => go(args[0], divided),
        Some("multiply") => {
            let constant = |a: ValueId| pass.fact(a).low == pass.fact(a).high;
            match (constant(args[0]), constant(args[1])) {
                (true, false) => go(args[1], divided),
                (false, true) => go(args[0], divided),
                _ => {}
            }
        }
        Some("divide") if by_batch(pass, args[1]) => {
            if divided.is_some() {
                // The outer division is the one that comes on top where the inner is a mean.
                let outer = divided.filter(|_| is_mean(pass, v)).unwrap_or(v);
                out.push((outer, Leaf::Twice));
            } else {
                go(args[0], Some(v));
            }
        }
        Some("divide") if pass.fact(args[1]).low == pass.fact(args[1]).high => go(args[0], divided),
        Some("sum") => {
            let over_batch = axes_of(pass.body, v).iter().any(|a| pass.batch_axis(args[0], *a));
            match (over_batch, divided) {
                (true, None) => out.push((v, Leaf::Summed)),
                _ => go(args[0], divided),
            }
        }
        _ => {}
    }
}

/// A division by a number that grows with the batch.
fn by_batch(pass: &Pass, v: ValueId) -> bool {
    matches!(&pass.node(strip(pass.body, v)).op, Op::Constant(Literal::Dim(d)) if is_batch(d))
}

fn is_mean(pass: &Pass, v: ValueId) -> bool {
    let sum = strip(pass.body, pass.node(v).args[0]);
    pass.is(sum, "sum") && axes_of(pass.body, sum).iter().any(|a| pass.batch_axis(pass.node(sum).args[0], *a))
}
