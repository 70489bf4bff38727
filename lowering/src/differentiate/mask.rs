//! What a `where` did not take.
//!
//! The gradient of a branch is 0 where the branch was not taken, and 0 times an infinity is NaN: the rule of
//! `log` divides by what may be 0 there. So a gradient knows its mask, and behind each elementwise rule it is
//! made 0 again where the mask is false:
//!
//! ```text
//! dx = where(mask, rule(dy), 0)
//! ```

use crate::graph::make::{Site, is_elementwise};
use crate::graph::{Graph, Node, Op, Type, Value};
use crate::simplify::shapes::transpose_order;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, Attrs};
use tfm_lang::types::DType;

/// The mask of what argument `arg` of a node receives, when the node's own gradient has this mask: the
/// received gradient is 0 wherever it is false.
pub(super) fn behind(graph: &mut Graph, node: &Node, arg: usize, mask: Option<Value>) -> Option<Value> {
    let Op::Primitive(name, attrs) = &node.op else { return None };
    let site = Site::of(node);
    match (&**name, arg) {
        ("where", 1) => Some(both(graph, mask, node.args[0], &site)),
        ("where", 2) => {
            let other = logical(graph, "logical_not", vec![node.args[0]], &site);
            Some(both(graph, mask, other, &site))
        }
        (name, _) if is_elementwise(name) => mask,
        ("reshape", _) => {
            let shape = graph.ty(node.args[0]).shape.clone();
            mask.map(|mask| graph.reshape(mask, shape, &site))
        }
        ("broadcast", _) => mask.map(|mask| unrepeated(graph, mask, node.args[0], &site)),
        ("transpose", _) => mask.and_then(|mask| {
            let order = transpose_order(attrs, node.ty.shape.len())?;
            let mut inverse = vec![Dim::default(); order.len()];
            order.iter().enumerate().for_each(|(i, a)| inverse[*a] = Dim::constant(i as i64));
            let ty = Type { dtype: DType::Bool, shape: graph.ty(node.args[0]).shape.clone() };
            Some(graph.primitive("transpose", vec![mask], vec![("order".into(), Attr::Ints(inverse))], ty, &site))
        }),
        _ => None,
    }
}

/// What the rule gave, made 0 again where the mask is false; as it is where the rule cannot have made it
/// anything else.
pub(super) fn kept(graph: &mut Graph, node: &Node, given: Value, dy: Value, mask: Option<Value>) -> Value {
    let elementwise = matches!(&node.op, Op::Primitive(name, _) if is_elementwise(name) && &**name != "where");
    let same = given == dy || graph.is_primitive(given, "negate").is_some_and(|(args, _)| args[0] == dy);
    match mask.filter(|mask| elementwise && !same && graph.ty(*mask).shape == graph.ty(given).shape) {
        Some(mask) => {
            let ty = graph.ty(given).clone();
            let site = Site::of(node);
            let zero = graph.filled(0.0, ty.clone(), &site);
            graph.primitive("where", vec![mask, given, zero], Attrs::new(), ty, &site)
        }
        None => given,
    }
}

/// The mask of a sum of gradients with these masks.
pub(super) fn either(graph: &mut Graph, a: Option<Value>, b: Option<Value>, site: &Site) -> Option<Value> {
    match (a?, b?) {
        (a, b) if a == b => Some(a),
        (a, b) => Some(logical(graph, "logical_or", vec![a, b], site)),
    }
}

fn both(graph: &mut Graph, a: Option<Value>, b: Value, site: &Site) -> Value {
    match a {
        Some(a) if a != b => logical(graph, "logical_and", vec![a, b], site),
        _ => b,
    }
}

fn logical(graph: &mut Graph, name: &str, args: Vec<Value>, site: &Site) -> Value {
    let ty = graph.ty(args[0]).clone();
    graph.primitive(name, args, Attrs::new(), ty, site)
}

/// Where `x` has been repeated to the mask's shape: true where one of the places is.
fn unrepeated(graph: &mut Graph, mask: Value, x: Value, site: &Site) -> Value {
    let shape = graph.ty(x).shape.clone();
    if let Some(([small], _)) = graph.is_primitive(mask, "broadcast")
        && graph.ty(*small).shape == shape
    {
        return *small;
    }
    let counted = graph.cast(mask, DType::I32, site);
    let ty = Type { dtype: DType::I32, shape: shape.clone() };
    let attrs = vec![("shape".into(), Attr::Ints(shape.clone()))];
    let count = graph.primitive("sum_to", vec![counted], attrs, ty.clone(), site);
    let zero = graph.filled(0.0, ty, site);
    graph.primitive("greater", vec![count, zero], Attrs::new(), Type { dtype: DType::Bool, shape }, site)
}
