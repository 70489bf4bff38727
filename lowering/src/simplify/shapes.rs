//! Rules about broadcasts, movement and sums; each identity stands in [`super::rules`].

use super::Rewriter;
use crate::graph::make::{attr, is_elementwise, sizes};
use crate::graph::{Node, Op, Type, Value};
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, Attrs};

fn attrs(node: &Node) -> Option<&Attrs> {
    match &node.op {
        Op::Primitive(_, attrs) => Some(attrs),
        _ => None,
    }
}

pub(super) fn same_shape(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = *node.args.first()?;
    (rw.graph.ty(x) == &node.ty).then_some(x)
}

pub(super) fn broadcast_broadcast(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = rw.graph.is_primitive(*node.args.first()?, "broadcast")?.0[0];
    Some(rw.broadcast_like(x, node))
}

pub(super) fn reshape_reshape(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = rw.graph.is_primitive(*node.args.first()?, "reshape")?.0[0];
    Some(rw.reshape_like(x, node))
}

/// The order of a transpose of this rank; without one the last two axes change places.
pub(crate) fn transpose_order(attrs: &Attrs, rank: usize) -> Option<Vec<usize>> {
    let order = match sizes(attrs, "order") {
        Some(order) if !order.is_empty() => axes(order, rank)?,
        _ => {
            let mut order: Vec<usize> = (0..rank).collect();
            if let [.., a, b] = order.as_mut_slice() {
                std::mem::swap(a, b);
            }
            order
        }
    };
    (order.len() == rank).then_some(order)
}

/// Axes as numbers from the front; negative ones count from the end.
pub(crate) fn axes(given: &[Dim], rank: usize) -> Option<Vec<usize>> {
    let axis = |d: &Dim| {
        let n = d.as_constant()?;
        let n = if n < 0 { n + rank as i64 } else { n };
        usize::try_from(n).ok().filter(|n| *n < rank)
    };
    given.iter().map(axis).collect()
}

pub(super) fn transpose_identity(_: &mut Rewriter, node: &Node) -> Option<Value> {
    let rank = node.ty.shape.len();
    let order = transpose_order(attrs(node)?, rank)?;
    if order.iter().enumerate().all(|(i, a)| i == *a) { node.args.first().copied() } else { None }
}

pub(super) fn transpose_transpose(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let rank = node.ty.shape.len();
    let (args, inner) = rw.graph.is_primitive(*node.args.first()?, "transpose")?;
    let (x, inner) = (args[0], transpose_order(inner, rank)?);
    let order = transpose_order(attrs(node)?, rank)?.iter().map(|i| Dim::constant(inner[*i] as i64)).collect();
    Some(rw.primitive("transpose", vec![x], vec![("order".into(), Attr::Ints(order))], node.ty.clone(), node))
}

pub(super) fn move_scalar(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let arg = *node.args.first()?;
    // A reshape of a true scalar is left: it may be what makes it rank 1.
    rw.graph.is_primitive(arg, "broadcast")?;
    let scalar = rw.scalar(arg)?;
    Some(rw.broadcast_like(scalar, node))
}

pub(super) fn scalars_stay_scalar(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(name, attrs) = &node.op else { return None };
    if node.ty.shape.is_empty() || node.args.is_empty() || !is_elementwise(name) {
        return None;
    }
    let scalars = node.args.iter().map(|a| rw.scalar(*a)).collect::<Option<Vec<_>>>()?;
    let value = rw.primitive(name, scalars, attrs.clone(), Type::scalar(node.ty.dtype), node);
    Some(rw.broadcast_like(value, node))
}

pub(super) fn ones_later(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(name, attrs) = &node.op else { return None };
    if node.args.is_empty() || !is_elementwise(name) {
        return None;
    }
    let one = Dim::constant(1);
    let bare = |shape: &[Dim]| shape.iter().filter(|n| **n != one).cloned().collect::<Vec<_>>();
    let source = |rw: &Rewriter, v: Value| rw.graph.is_primitive(v, "reshape").map(|(args, _)| args[0]);
    let first = node.args.iter().find_map(|a| source(rw, *a))?;
    let shape = rw.graph.ty(first).shape.clone();
    if shape.len() >= node.ty.shape.len() || bare(&shape) != bare(&node.ty.shape) {
        return None;
    }
    let fits = |rw: &Rewriter, v: Value| match source(rw, v) {
        Some(from) => rw.graph.ty(from).shape == shape,
        None => rw.scalar(v).is_some(),
    };
    if !node.args.iter().all(|a| fits(rw, *a)) {
        return None;
    }
    let mut args = Vec::with_capacity(node.args.len());
    for arg in &node.args {
        let like = Node { ty: Type { dtype: rw.graph.ty(*arg).dtype, shape: shape.clone() }, ..node.clone() };
        args.push(match (source(rw, *arg), rw.scalar(*arg)) {
            (Some(from), _) => from,
            (None, scalar) => rw.broadcast_like(scalar?, &like),
        });
    }
    let value = rw.primitive(name, args, attrs.clone(), Type { dtype: node.ty.dtype, shape }, node);
    Some(rw.reshape_like(value, node))
}

/// The axes that a reduction runs over: all when none is named.
pub(crate) fn reduced(attrs: &Attrs, rank: usize) -> Option<Vec<usize>> {
    match sizes(attrs, "axis") {
        Some(given) if !given.is_empty() => axes(given, rank),
        _ => Some((0..rank).collect()),
    }
}

pub(super) fn sum_nothing(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = *node.args.first()?;
    let shape = &rw.graph.ty(x).shape;
    let one = Dim::constant(1);
    let nothing = reduced(attrs(node)?, shape.len())?.iter().all(|a| shape[*a] == one);
    if nothing { Some(rw.reshape_like(x, node)) } else { None }
}

pub(super) fn keep_later(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(name, attrs) = &node.op else { return None };
    if attr(attrs, "keep") != Some(&Attr::Bool(true)) {
        return None;
    }
    let x = *node.args.first()?;
    let gone = reduced(attrs, rw.graph.ty(x).shape.len())?;
    let shape = node.ty.shape.iter().enumerate().filter(|(a, _)| !gone.contains(a)).map(|(_, n)| n.clone()).collect();
    let mut attrs = attrs.clone();
    attrs.iter_mut().filter(|(name, _)| &**name == "keep").for_each(|(_, keep)| *keep = Attr::Bool(false));
    let short = rw.primitive(name, vec![x], attrs, Type { dtype: node.ty.dtype, shape }, node);
    Some(rw.reshape_like(short, node))
}

pub(super) fn sum_to(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let x = *node.args.first()?;
    let shape = rw.graph.ty(x).shape.clone();
    let extra = shape.len().checked_sub(node.ty.shape.len())?;
    let one = Dim::constant(1);
    let goes = |i: usize| i < extra || (node.ty.shape[i - extra] == one && shape[i] != one);
    let (gone, kept): (Vec<usize>, Vec<usize>) = (0..shape.len()).partition(|i| goes(*i));
    if gone.is_empty() {
        return Some(rw.reshape_like(x, node));
    }
    let ty = Type { dtype: node.ty.dtype, shape: kept.iter().map(|i| shape[*i].clone()).collect() };
    let axis = gone.iter().map(|i| Dim::constant(*i as i64)).collect();
    let attrs = vec![("axis".into(), Attr::Ints(axis)), ("keep".into(), Attr::Bool(false))];
    let sum = rw.primitive("sum", vec![x], attrs, ty, node);
    Some(rw.reshape_like(sum, node))
}

pub(super) fn gather_all(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let [table, ids] = node.args[..] else { return None };
    let (_, attrs) = rw.graph.is_primitive(ids, "iota")?;
    let Some(Attr::Int(n)) = attr(attrs, "n") else { return None };
    (rw.graph.ty(table).shape.first() == Some(n) && rw.graph.ty(table) == &node.ty).then_some(table)
}

/// What a `pad` makes longer along one axis alone: the axis, its argument, and the zeros before and after.
fn padded(rw: &Rewriter, v: Value) -> Option<(usize, Value, Dim, Dim)> {
    let (args, attrs) = rw.graph.is_primitive(v, "pad")?;
    let (before, after) = (sizes(attrs, "before")?, sizes(attrs, "after")?);
    let zero = Dim::constant(0);
    let mut axes = (0..before.len()).filter(|a| before[*a] != zero || after[*a] != zero);
    match (axes.next(), axes.next()) {
        (Some(axis), None) => Some((axis, args[0], before[axis].clone(), after[axis].clone())),
        _ => None,
    }
}

pub(super) fn pads_side_by_side(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let [a, b] = node.args[..] else { return None };
    let (a, b) = (padded(rw, a)?, padded(rw, b)?);
    let size = |rw: &Rewriter, p: &(usize, Value, Dim, Dim)| rw.graph.ty(p.1).shape[p.0].clone();
    let follows = |rw: &Rewriter, a: &(usize, Value, Dim, Dim), b: &(usize, Value, Dim, Dim)| {
        a.0 == b.0 && a.2.add(&size(rw, a)) == b.2
    };
    let (first, second) = match (follows(rw, &a, &b), follows(rw, &b, &a)) {
        (true, _) => (a, b),
        (_, true) => (b, a),
        _ => return None,
    };
    let axis = first.0;
    let mut shape = rw.graph.ty(first.1).shape.clone();
    shape[axis] = size(rw, &first).add(&size(rw, &second));
    let attrs = vec![("axis".into(), Attr::Int(Dim::constant(axis as i64)))];
    let joined = rw.primitive("concat", vec![first.1, second.1], attrs, Type { dtype: node.ty.dtype, shape }, node);
    let zero = Dim::constant(0);
    if first.2 == zero && second.3 == zero {
        return Some(joined);
    }
    let along = |n: Dim| {
        let mut all = vec![zero.clone(); node.ty.shape.len()];
        all[axis] = n;
        Attr::Ints(all)
    };
    let attrs = vec![("before".into(), along(first.2)), ("after".into(), along(second.3))];
    Some(rw.primitive("pad", vec![joined], attrs, node.ty.clone(), node))
}

pub(super) fn concat_concat(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let rank = node.ty.shape.len();
    let axis = |attrs: &Attrs| sizes(attrs, "axis").and_then(|given| axes(given, rank)).filter(|a| a.len() == 1);
    let along = axis(attrs(node)?)?;
    let inner = |v: Value| {
        let (args, attrs) = rw.graph.is_primitive(v, "concat")?;
        (axis(attrs)? == along).then(|| args.to_vec())
    };
    if node.args.iter().all(|a| inner(*a).is_none()) {
        return None;
    }
    let args = node.args.iter().flat_map(|a| inner(*a).unwrap_or(vec![*a])).collect();
    Some(rw.primitive("concat", args, attrs(node)?.clone(), node.ty.clone(), node))
}
