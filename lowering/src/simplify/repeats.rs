//! Rules about values that are repeated: work is done before it is repeated, not after. Each identity stands in
//! [`super::rules`].

use super::Rewriter;
use super::numbers::everywhere;
use super::shapes::{axes, reduced};
use crate::graph::make::{is_elementwise, sizes};
use crate::graph::{Node, Op, Type, Value};
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, Attrs, Literal};

/// What a broadcast repeats.
pub(super) fn repeated(rw: &Rewriter, v: Value) -> Option<Value> {
    rw.graph.is_primitive(v, "broadcast").map(|(args, _)| args[0])
}

/// The sizes of a source along the last axes of a shape of this rank, 1 where it has no such axis.
pub(super) fn aligned(shape: &[Dim], rank: usize) -> Vec<Dim> {
    let mut sizes = vec![Dim::constant(1); rank - shape.len().min(rank)];
    sizes.extend_from_slice(shape);
    sizes
}

pub(super) fn repeat_later(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(name, attrs) = &node.op else { return None };
    let rank = node.ty.shape.len();
    if rank == 0 || node.args.is_empty() || !is_elementwise(name) {
        return None;
    }
    let sources = node.args.iter().map(|a| repeated(rw, *a)).collect::<Option<Vec<_>>>()?;
    let one = Dim::constant(1);
    let mut common = vec![one.clone(); rank];
    for source in &sources {
        for (c, n) in common.iter_mut().zip(aligned(&rw.graph.ty(*source).shape, rank)) {
            if n != one {
                *c = n;
            }
        }
    }
    if common == node.ty.shape {
        return None;
    }
    let longest = sources.iter().map(|s| rw.graph.ty(*s).shape.len()).max().unwrap_or(0);
    common.drain(..rank - longest);
    let mut args = Vec::with_capacity(sources.len());
    for source in sources {
        let ty = Type { dtype: rw.graph.ty(source).dtype, shape: common.clone() };
        let like = Node { ty, ..node.clone() };
        args.push(rw.broadcast_like(source, &like));
    }
    let value = rw.primitive(name, args, attrs.clone(), Type { dtype: node.ty.dtype, shape: common }, node);
    Some(rw.broadcast_like(value, node))
}

pub(super) fn divide_by_repeated(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let [a, b] = node.args[..] else { return None };
    let source = repeated(rw, b).filter(|_| node.ty.dtype.is_float() && rw.known(b).is_none())?;
    let like = Node { ty: rw.graph.ty(source).clone(), ..node.clone() };
    let one = rw.number(1.0, node);
    let one = rw.broadcast_like(one, &like);
    let inverse = rw.primitive("divide", vec![one, source], Attrs::new(), like.ty.clone(), node);
    let inverse = rw.broadcast_like(inverse, node);
    Some(rw.primitive("multiply", vec![a, inverse], Attrs::new(), node.ty.clone(), node))
}

pub(super) fn fold_repeated(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(name, attrs) = &node.op else { return None };
    let x = *node.args.first()?;
    let source = repeated(rw, x)?;
    let shape = rw.graph.ty(x).shape.clone();
    let sizes_of = aligned(&rw.graph.ty(source).shape, shape.len());
    let gone = reduced(attrs, shape.len())?;
    let one = Dim::constant(1);
    if &**name == "sum" && !node.ty.dtype.is_float() || gone.iter().any(|a| sizes_of[*a] != one) {
        return None;
    }
    let scalar = rw.graph.ty(source).shape.is_empty();
    let kept = (0..shape.len()).filter(|a| !scalar && !gone.contains(a));
    let kept: Vec<Dim> = kept.map(|a| sizes_of[a].clone()).collect();
    let whole: Vec<Dim> = (0..shape.len()).filter(|a| !gone.contains(a)).map(|a| shape[a].clone()).collect();
    let like = |shape: Vec<Dim>| Node { ty: Type { dtype: node.ty.dtype, shape }, ..node.clone() };
    let mut value = rw.reshape_like(source, &like(kept.clone()));
    if &**name == "sum" {
        let count = gone.iter().fold(Dim::constant(1), |n, a| n.mul(&shape[*a]));
        let op = Op::Constant(Literal::Dim(count));
        let count = rw.write(Node { op, args: Vec::new(), ty: Type::scalar(node.ty.dtype), ..node.clone() });
        let count = rw.broadcast_like(count, &like(kept.clone()));
        value = rw.primitive("multiply", vec![value, count], Attrs::new(), like(kept).ty, node);
    }
    let value = rw.broadcast_like(value, &like(whole));
    Some(rw.reshape_like(value, node))
}

pub(super) fn sum_of_negated(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(_, attrs) = &node.op else { return None };
    let x = one_of(rw, *node.args.first()?, "negate")?;
    let sum = rw.primitive("sum", vec![x], attrs.clone(), node.ty.clone(), node);
    Some(rw.primitive("negate", vec![sum], Attrs::new(), node.ty.clone(), node))
}

pub(super) fn sum_of_deviations(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(_, attrs) = &node.op else { return None };
    let (args, _) = rw.graph.is_primitive(*node.args.first()?, "subtract").filter(|_| node.ty.dtype.is_float())?;
    let [x, mean] = args[..] else { return None };
    let shape = &rw.graph.ty(x).shape;
    let gone = reduced(attrs, shape.len())?;
    let count = gone.iter().fold(Dim::constant(1), |n, a| n.mul(&shape[*a]));
    let is_sum = |v: Value| {
        let of = rw.graph.is_primitive(bare(rw, v), "sum").filter(|(args, _)| args[0] == x);
        of.and_then(|(_, attrs)| reduced(attrs, shape.len())).as_ref() == Some(&gone)
    };
    let is_count = |v: Value| match (&rw.graph.node(v).op, count.as_constant()) {
        (Op::Constant(Literal::Dim(n)), _) => *n == count,
        (Op::Constant(Literal::Number(x)), Some(n)) => *x == n as f64,
        _ => false,
    };
    let is_inverse = |v: Value| match (rw.graph.is_primitive(bare(rw, v), "divide"), count.as_constant()) {
        (Some((args, _)), _) => rw.known(args[0]) == Some(1.0) && is_count(args[1]),
        (None, Some(n)) => rw.known(v).is_some_and(|known| known as f32 == (1.0 / n as f64) as f32),
        (None, None) => false,
    };
    let mean_of = bare(rw, mean);
    let holds = match (rw.graph.is_primitive(mean_of, "multiply"), rw.graph.is_primitive(mean_of, "divide")) {
        (Some((args, _)), _) => {
            let (a, b) = (args[0], args[1]);
            is_sum(a) && is_inverse(b) || is_sum(b) && is_inverse(a)
        }
        (_, Some((args, _))) => is_sum(args[0]) && is_count(bare(rw, args[1])),
        _ => false,
    };
    // The mean of each place is that of its own elements where all other axes are as they were.
    let source = repeated(rw, mean)?;
    let sizes = aligned(&rw.graph.ty(source).shape, shape.len());
    let one = Dim::constant(1);
    let own = (0..shape.len()).all(|a| sizes[a] == *(if gone.contains(&a) { &one } else { &shape[a] }));
    (holds && own).then(|| everywhere(rw, node, 0.0))
}

/// What a value repeats or shows in another shape.
fn bare(rw: &Rewriter, mut v: Value) -> Value {
    while let Some((args, _)) = ["broadcast", "reshape"].iter().find_map(|name| rw.graph.is_primitive(v, name)) {
        v = args[0];
    }
    v
}

pub(super) fn exp_of_log_softmax(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let argument = |v: Value, name: &str| rw.graph.is_primitive(v, name).map(|(args, _)| args[0]);
    let (args, _) = rw.graph.is_primitive(*node.args.first()?, "subtract")?;
    let [low, repeats] = args[..] else { return None };
    let source = repeated(rw, repeats)?;
    let sum = argument(argument(source, "reshape").unwrap_or(source), "log")?;
    let exp = argument(bare(rw, sum), "sum").filter(|&e| argument(e, "exp") == Some(low))?;
    // Where nothing is above 0 nothing overflows.
    let (of, _) = rw.graph.is_primitive(low, "subtract")?;
    rw.graph.is_primitive(bare(rw, of[1]), "max")?;
    let like = Node { ty: rw.graph.ty(source).clone(), ..node.clone() };
    let sum = rw.reshape_like(sum, &like);
    let sum = rw.broadcast_like(sum, node);
    Some(rw.primitive("divide", vec![exp, sum], Attrs::new(), node.ty.clone(), node))
}

pub(super) fn sum_of_scaled(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(_, attrs) = &node.op else { return None };
    let product = *node.args.first()?;
    let (args, _) = rw.graph.is_primitive(product, "multiply").filter(|_| node.ty.dtype.is_float())?;
    let [a, b] = args[..] else { return None };
    let shape = rw.graph.ty(product).shape.clone();
    let gone = reduced(attrs, shape.len())?;
    let one = Dim::constant(1);
    // What is the same along the axes that go.
    let scale = |v: Value| {
        let source = repeated(rw, v)?;
        let sizes = aligned(&rw.graph.ty(source).shape, shape.len());
        gone.iter().all(|a| sizes[*a] == one).then_some((source, sizes))
    };
    let (x, (source, sizes)) = match (scale(a), scale(b)) {
        (_, Some(b)) => (a, b),
        (Some(a), None) => (b, a),
        (None, None) => return None,
    };
    let sum = rw.primitive("sum", vec![x], attrs.clone(), node.ty.clone(), node);
    // The scale in the shape of the sum, where nothing but sizes of 1 goes with the axes.
    let short = if node.ty.shape.len() == shape.len() {
        sizes
    } else {
        (0..shape.len()).filter(|a| !gone.contains(a)).map(|a| sizes[a].clone()).collect()
    };
    let like = Node { ty: Type { dtype: node.ty.dtype, shape: short }, ..node.clone() };
    let scalar = rw.graph.ty(source).shape.is_empty();
    let source = if scalar { source } else { rw.reshape_like(source, &like) };
    let scale = rw.broadcast_like(source, node);
    Some(rw.primitive("multiply", vec![sum, scale], Attrs::new(), node.ty.clone(), node))
}

pub(super) fn sum_of_one(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(_, attrs) = &node.op else { return None };
    let (args, _) = rw.graph.is_primitive(*node.args.first()?, "where")?;
    let [mask, dy, zero] = args[..] else { return None };
    let rank = rw.graph.ty(mask).shape.len();
    let given = sizes(attrs, "axis").filter(|given| !given.is_empty()).and_then(|given| axes(given, rank))?;
    if given != [rank - 1] || rw.known(zero) != Some(0.0) {
        return None;
    }
    let (args, _) = rw.graph.is_primitive(mask, "equal")?;
    let one = Dim::constant(1);
    let source = |v: Value| {
        repeated(rw, v)
            .filter(|s| rw.graph.ty(*s).shape.is_empty() || aligned(&rw.graph.ty(*s).shape, rank)[rank - 1] == one)
    };
    let counts = |v: Value| {
        let mut v = repeated(rw, v)?;
        while let Some((args, _)) = ["cast", "reshape"].iter().find_map(|n| rw.graph.is_primitive(v, n)) {
            v = args[0];
        }
        rw.graph.is_primitive(v, "iota").map(|_| v)
    };
    let (ids, all) = (source(args[0]).and(counts(args[1])), source(args[1]).and(counts(args[0])));
    let counted = ids.or(all)?;
    if rw.graph.ty(counted).shape != [rw.graph.ty(mask).shape[rank - 1].clone()] {
        return None;
    }
    // The numbers are those of elements: the checker and `gather` or `pick` see to it.
    let dy = source(dy)?;
    let shape = rw.graph.ty(dy).shape.clone();
    let shape = if shape.is_empty() { shape } else { shape[..shape.len() - 1].to_vec() };
    let short = Type { dtype: node.ty.dtype, shape };
    let dy = rw.reshape_like(dy, &Node { ty: short.clone(), ..node.clone() });
    let mut whole = rw.graph.ty(mask).shape.clone();
    whole.pop();
    let dy = rw.broadcast_like(dy, &Node { ty: Type { dtype: node.ty.dtype, shape: whole }, ..node.clone() });
    Some(rw.reshape_like(dy, node))
}

/// What an argument of an elementwise operation is along the last axis.
enum Last {
    /// The same everywhere: what is repeated.
    Same(Value),
    /// The same for all rows, an element of this for each place along the axis.
    Row(Value),
    /// Another one everywhere.
    Whole,
}

fn along_last(rw: &Rewriter, v: Value, rank: usize) -> Last {
    let Some(source) = repeated(rw, v) else { return Last::Whole };
    let (one, sizes) = (Dim::constant(1), aligned(&rw.graph.ty(source).shape, rank));
    if sizes[rank - 1] == one {
        Last::Same(source)
    } else if sizes[..rank - 1].iter().all(|n| *n == one) {
        Last::Row(source)
    } else {
        Last::Whole
    }
}

pub(super) fn pick_first(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let [x, ids] = node.args[..] else { return None };
    let of = rw.graph.node(x).clone();
    let Op::Primitive(name, attrs) = &of.op else { return None };
    let rank = of.ty.shape.len();
    if !is_elementwise(name) || of.args.is_empty() {
        return None;
    }
    let lasts: Vec<Last> = of.args.iter().map(|v| along_last(rw, *v, rank)).collect();
    let whole = of.args.iter().zip(&lasts).filter(|(_, last)| matches!(last, Last::Whole));
    let mut differing: Vec<Value> = whole.map(|(v, _)| *v).collect();
    differing.dedup();
    let [_] = differing[..] else { return None };
    let mut args = Vec::with_capacity(lasts.len());
    for (arg, last) in of.args.iter().zip(lasts) {
        let dtype = rw.graph.ty(*arg).dtype;
        let like = Node { ty: Type { dtype, shape: node.ty.shape.clone() }, ..node.clone() };
        args.push(match last {
            Last::Whole => rw.primitive("pick", vec![*arg, ids], Attrs::new(), like.ty.clone(), node),
            Last::Row(source) => {
                let row = Type { dtype, shape: of.ty.shape[rank - 1..].to_vec() };
                let row = rw.reshape_like(source, &Node { ty: row, ..node.clone() });
                rw.primitive("gather", vec![row, ids], Attrs::new(), like.ty.clone(), node)
            }
            Last::Same(source) => {
                let shape = rw.graph.ty(source).shape.clone();
                let short = Type { dtype, shape: shape[..shape.len().saturating_sub(1)].to_vec() };
                let source = rw.reshape_like(source, &Node { ty: short, ..node.clone() });
                rw.broadcast_like(source, &like)
            }
        });
    }
    Some(rw.primitive(name, args, attrs.clone(), node.ty.clone(), node))
}

/// An attribute-free primitive of one argument.
fn one_of(rw: &Rewriter, v: Value, name: &str) -> Option<Value> {
    rw.graph.is_primitive(v, name).map(|(args, _)| args[0])
}

pub(super) fn log_of_exp(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    one_of(rw, *node.args.first()?, "exp")
}

pub(super) fn log_of_quotient(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let quotient = *node.args.first()?;
    let (args, _) = rw.graph.is_primitive(quotient, "multiply")?;
    let [e, inverse] = args[..] else { return None };
    let (x, source) = (one_of(rw, e, "exp")?, repeated(rw, inverse)?);
    let (args, _) = rw.graph.is_primitive(source, "divide")?;
    let [top, below] = args[..] else { return None };
    if rw.known(top) != Some(1.0) {
        return None;
    }
    let ty = rw.graph.ty(below).clone();
    let log = rw.primitive("log", vec![below], Attrs::new(), ty, node);
    let log = rw.broadcast_like(log, node);
    Some(rw.primitive("subtract", vec![x, log], Attrs::new(), node.ty.clone(), node))
}

pub(super) fn log_of_sigmoid(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let of = *node.args.first()?;
    let ty = node.ty.clone();
    // 1 - sigmoid(x) is sigmoid(-x)
    let x = match (one_of(rw, of, "sigmoid"), rw.graph.is_primitive(of, "subtract")) {
        (Some(x), _) => x,
        (None, Some((args, _))) if rw.known(args[0]) == Some(1.0) => {
            let x = one_of(rw, args[1], "sigmoid")?;
            rw.primitive("negate", vec![x], Attrs::new(), ty.clone(), node)
        }
        _ => return None,
    };
    let mut make = |name: &str, args: Vec<Value>| rw.primitive(name, args, Attrs::new(), ty.clone(), node);
    let size = make("abs", vec![x]);
    let minus = make("negate", vec![size]);
    let e = make("exp", vec![minus]);
    let (zero, one) = (rw.number(0.0, node), rw.number(1.0, node));
    let (zero, one) = (rw.broadcast_like(zero, node), rw.broadcast_like(one, node));
    let mut make = |name: &str, args: Vec<Value>| rw.primitive(name, args, Attrs::new(), ty.clone(), node);
    let low = make("minimum", vec![x, zero]);
    let sum = make("add", vec![one, e]);
    let log = make("log", vec![sum]);
    Some(make("subtract", vec![low, log]))
}

pub(super) fn log_sum_exp(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let (args, attrs) = rw.graph.is_primitive(*node.args.first()?, "sum")?;
    let (sum, attrs) = (args[0], attrs.clone());
    let x = one_of(rw, sum, "exp")?;
    if is_shifted(rw, x) {
        return None;
    }
    let of = rw.graph.ty(x).clone();
    let axis = reduced(&attrs, of.shape.len())?;
    let mut shape = of.shape.clone();
    axis.iter().for_each(|a| shape[*a] = Dim::constant(1));
    let along = axis.iter().map(|a| Dim::constant(*a as i64)).collect();
    let keep = vec![("axis".into(), Attr::Ints(along)), ("keep".into(), Attr::Bool(true))];
    let largest = rw.primitive("max", vec![x], keep, Type { dtype: of.dtype, shape }, node);
    let like = Node { ty: of.clone(), ..node.clone() };
    let repeated = rw.broadcast_like(largest, &like);
    let low = rw.primitive("subtract", vec![x, repeated], Attrs::new(), of.clone(), node);
    let e = rw.primitive("exp", vec![low], Attrs::new(), of, node);
    let sum = rw.primitive("sum", vec![e], attrs, node.ty.clone(), node);
    let log = rw.primitive("log", vec![sum], Attrs::new(), node.ty.clone(), node);
    let largest = rw.reshape_like(largest, node);
    Some(rw.primitive("add", vec![log, largest], Attrs::new(), node.ty.clone(), node))
}

/// True for a difference with the largest of something, which is how sums of exponentials are kept from overflowing.
fn is_shifted(rw: &Rewriter, x: Value) -> bool {
    let Some((args, _)) = rw.graph.is_primitive(x, "subtract") else { return false };
    let mut b = bare(rw, args[1]);
    if let Some((args, _)) = rw.graph.is_primitive(b, "stop_gradient") {
        b = bare(rw, args[0]);
    }
    rw.graph.is_primitive(b, "max").is_some()
}
