//! Rules about the largest value of windows: what rises with a number is done to the largest alone, which are fewer. Each
//! identity stands in [`super::rules`].

use super::Rewriter;
use super::numbers::everywhere;
use super::repeats::{aligned, repeated};
use super::shapes::reduced;
use crate::graph::{Node, Op, Type, Value};
use tfm_lang::dim::Dim;
use tfm_lang::model::Attrs;
use tfm_lang::types::DType;

/// Batch and channels, before the axes that windows slide over.
const BEFORE: usize = 2;

/// What is repeated along all axes that windows slide over.
fn the_same_in_windows(rw: &Rewriter, v: Value) -> Option<Value> {
    let rank = rw.graph.ty(v).shape.len();
    let source = repeated(rw, v)?;
    aligned(&rw.graph.ty(source).shape, rank)[BEFORE..].iter().all(|n| *n == Dim::constant(1)).then_some(source)
}

/// The two arguments of a primitive, one of which is the same in windows: the other, and what is repeated.
fn with_the_same(rw: &Rewriter, v: Value, name: &str) -> Option<(Value, Value)> {
    let (args, _) = rw.graph.is_primitive(v, name)?;
    let [a, b] = args[..] else { return None };
    the_same_in_windows(rw, b).map(|b| (a, b)).or_else(|| the_same_in_windows(rw, a).map(|a| (b, a)))
}

pub(super) fn pool_first(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(name, attrs) = &node.op else { return None };
    let x = *node.args.first()?;
    let risen = rw.graph.node(x).clone();
    let (rising, (x, other)) =
        ["maximum", "add"].into_iter().find_map(|rising| Some((rising, with_the_same(rw, x, rising)?)))?;
    let pooled = rw.primitive(name, vec![x], attrs.clone(), node.ty.clone(), node);
    let other = rw.broadcast_like(other, node);
    // An activation stays its own step. What a layer adds is the pool's now: half of the layer would come after it.
    let of = if rising == "maximum" { risen } else { node.clone() };
    Some(rw.primitive(rising, vec![pooled, other], Attrs::new(), node.ty.clone(), &of))
}

pub(super) fn pool_of_shifted(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(name, attrs) = &node.op else { return None };
    let [x, dy] = node.args[..] else { return None };
    let (x, _) = with_the_same(rw, x, "add")?;
    Some(rw.primitive(name, vec![x, dy], attrs.clone(), node.ty.clone(), node))
}

pub(super) fn gate_of_pool(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let [mask, given, zero] = node.args[..] else { return None };
    let (compared, _) = rw.graph.is_primitive(mask, "greater")?;
    let [x, low] = compared[..] else { return None };
    let (args, attrs) = rw.graph.is_primitive(given, "max_pool_gradient")?;
    let ([risen, dy], attrs) = (args[..].try_into().ok()?, attrs.clone());
    let (risen, _) = rw.graph.is_primitive(risen, "maximum")?;
    let nought = |v: Value| rw.known(v) == Some(0.0);
    if !nought(zero) || !nought(low) || risen[0] != x || !nought(risen[1]) {
        return None;
    }
    let small = Node { ty: rw.graph.ty(dy).clone(), ..node.clone() };
    let pooled = rw.primitive("max_pool", vec![x], attrs.clone(), small.ty.clone(), node);
    let nothing = everywhere(rw, &small, 0.0);
    let is = Type { dtype: DType::Bool, shape: small.ty.shape.clone() };
    let above = rw.primitive("greater", vec![pooled, nothing], Attrs::new(), is, node);
    let passed = rw.primitive("where", vec![above, dy, nothing], Attrs::new(), small.ty, node);
    Some(rw.primitive("max_pool_gradient", vec![x, passed], attrs, node.ty.clone(), node))
}

pub(super) fn sum_of_pooled(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(name, attrs) = &node.op else { return None };
    let x = *node.args.first()?;
    let rank = rw.graph.ty(x).shape.len();
    let (args, _) = rw.graph.is_primitive(x, "max_pool_gradient")?;
    let dy = *args.get(1)?;
    let gone = reduced(attrs, rank)?;
    if (BEFORE..rank).any(|a| !gone.contains(&a)) {
        return None;
    }
    Some(rw.primitive(name, vec![dy], attrs.clone(), node.ty.clone(), node))
}
