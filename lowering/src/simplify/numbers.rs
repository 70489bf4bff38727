//! Rules of arithmetic with known numbers; each identity stands in [`super::rules`].

use super::Rewriter;
use crate::graph::{Node, Value};
use tfm_lang::model::Attrs;

/// The other argument, when one of the two is the number everywhere.
fn beside(rw: &Rewriter, node: &Node, number: f64) -> Option<Value> {
    let [a, b] = node.args[..] else { return None };
    let is = |v| rw.known(v) == Some(number);
    if is(b) {
        Some(a)
    } else if is(a) {
        Some(b)
    } else {
        None
    }
}

/// The first argument, when the second is the number everywhere.
fn before(rw: &Rewriter, node: &Node, number: f64) -> Option<Value> {
    let [a, b] = node.args[..] else { return None };
    (rw.known(b) == Some(number)).then_some(a)
}

/// What is negated, when the value is a negation.
fn negated(rw: &Rewriter, v: Value) -> Option<Value> {
    rw.graph.is_primitive(v, "negate").map(|(args, _)| args[0])
}

/// A primitive without attributes, of the node's type.
fn become_(rw: &mut Rewriter, node: &Node, name: &str, args: Vec<Value>) -> Option<Value> {
    Some(rw.primitive(name, args, Attrs::new(), node.ty.clone(), node))
}

/// A number, repeated in the type of the node.
pub(super) fn everywhere(rw: &mut Rewriter, node: &Node, x: f64) -> Value {
    let x = rw.number(x, node);
    rw.broadcast_like(x, node)
}

pub(super) fn add_zero(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    beside(rw, node, 0.0)
}

pub(super) fn add_negated(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let [a, b] = node.args[..] else { return None };
    match (negated(rw, a), negated(rw, b)) {
        (_, Some(y)) => become_(rw, node, "subtract", vec![a, y]),
        (Some(x), None) => become_(rw, node, "subtract", vec![b, x]),
        (None, None) => None,
    }
}

pub(super) fn add_twice(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let [a, b] = node.args[..] else { return None };
    if a != b || !node.ty.dtype.is_float() {
        return None;
    }
    let two = everywhere(rw, node, 2.0);
    become_(rw, node, "multiply", vec![a, two])
}

pub(super) fn subtract_zero(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    before(rw, node, 0.0)
}

pub(super) fn subtract_from_zero(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let [a, b] = node.args[..] else { return None };
    if rw.known(a) == Some(0.0) { become_(rw, node, "negate", vec![b]) } else { None }
}

pub(super) fn subtract_negated(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let [a, b] = node.args[..] else { return None };
    let y = negated(rw, b)?;
    become_(rw, node, "add", vec![a, y])
}

pub(super) fn multiply_one(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    beside(rw, node, 1.0)
}

pub(super) fn multiply_zero(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    beside(rw, node, 0.0)?;
    Some(everywhere(rw, node, 0.0))
}

pub(super) fn multiply_minus_one(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = beside(rw, node, -1.0)?;
    become_(rw, node, "negate", vec![x])
}

pub(super) fn divide_one(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    before(rw, node, 1.0)
}

pub(super) fn divide_zero(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    if node.ty.dtype.is_float() && rw.known(*node.args.first()?) == Some(0.0) {
        Some(everywhere(rw, node, 0.0))
    } else {
        None
    }
}

pub(super) fn negate_negate(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    negated(rw, *node.args.first()?)
}

pub(super) fn power_one(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    before(rw, node, 1.0)
}

pub(super) fn power_two(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = before(rw, node, 2.0)?;
    become_(rw, node, "multiply", vec![x, x])
}

pub(super) fn power_half(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = before(rw, node, 0.5)?;
    become_(rw, node, "sqrt", vec![x])
}

pub(super) fn where_same(_: &mut Rewriter, node: &Node) -> Option<Value> {
    let [_, a, b] = node.args[..] else { return None };
    (a == b).then_some(a)
}

pub(super) fn cast_same(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = *node.args.first()?;
    (rw.graph.ty(x) == &node.ty).then_some(x)
}

pub(super) fn stop_gradient(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    if rw.graph.pending.trains.is_empty() { node.args.first().copied() } else { None }
}
