//! Halves of matrices that are known to be 0, or that nobody looks at: products and programs leave them out. The masks of
//! causal attention make such halves, forward and backward.
//!
//! A half is what lies on one side of the diagonal of the last two axes. Two passes over what a request needs:
//!
//! ```text
//! forward    what number stands all over a half: comparing the places along both axes makes a mask, `where` takes a
//!            literal there, softmax makes it 0
//! backward   whether anybody looks at a half: not behind a mask that takes the other side, not where it is
//!            multiplied by 0
//! ```
//!
//! Needs: a simplified graph. Guarantees: every fetched value and variable stays the same, except that 0 times what is
//! not finite is 0, as for the rewrites.

use super::Value;
use crate::graph::make::{is_elementwise, sizes};
use crate::graph::{Graph, Node, Op, Value as NodeId};
use crate::simplify::{evaluate, shapes::reduced};
use std::collections::HashMap;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attrs, Word};

/// Attributes of `matmul` in a plan: the half of its left side, of its right side that is 0, and of the result that
/// nobody looks at. A kernel may take them into account or not.
pub const LHS_ZERO: &str = "lhs_zero";
/// See [`LHS_ZERO`].
pub const RHS_ZERO: &str = "rhs_zero";
/// See [`LHS_ZERO`].
pub const OUT_UNUSED: &str = "out_unused";
/// All of them.
pub const NAMES: [&str; 3] = [LHS_ZERO, RHS_ZERO, OUT_UNUSED];

/// A mask writes at most this where it lets nothing through; scores are far above it.
const MASKED: f64 = -1e29;

/// One side of the diagonal of the last two axes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Half {
    /// The column's number is above the row's.
    After,
    /// The column's number is below the row's.
    Before,
}

impl Half {
    /// Both.
    pub const ALL: [Half; 2] = [Half::After, Half::Before];

    /// As an attribute.
    pub fn name(self) -> &'static str {
        match self {
            Half::After => "after",
            Half::Before => "before",
        }
    }

    /// From an attribute.
    pub fn parse(name: &str) -> Option<Half> {
        Half::ALL.into_iter().find(|h| h.name() == name)
    }

    /// The same half of the transposed matrix.
    pub fn turned(self) -> Half {
        match self {
            Half::After => Half::Before,
            Half::Before => Half::After,
        }
    }
}

/// Something about each of [`Half::ALL`].
type Both<T> = [T; 2];

/// What is known of a half of a value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fact {
    /// The number that stands all over it.
    pub number: Option<f64>,
    /// Somebody looks at it.
    pub used: bool,
}

impl Fact {
    /// It is 0, or may as well be.
    pub fn is_nothing(&self) -> bool {
        self.number == Some(0.0) || !self.used
    }

    /// It is what a mask writes: no score is below it.
    pub fn is_masked(&self) -> bool {
        self.number.is_some_and(|x| x <= MASKED)
    }
}

/// What is known of the halves of a graph's values.
#[derive(Clone, Debug, Default)]
pub struct Halves {
    /// The attributes of products that have such halves.
    pub attrs: HashMap<NodeId, Vec<(Word, Value)>>,
    /// Of each of [`Half::ALL`], where there is more to say than that it is used.
    pub facts: HashMap<NodeId, [Fact; 2]>,
}

/// Looks for halves in what is needed.
pub(super) fn halves(graph: &Graph, needed: &[bool], roots: impl Iterator<Item = NodeId>) -> Halves {
    let known = known(graph, needed);
    if known.iter().all(|k| k[0] == k[1]) {
        // No mask is as a triangle.
        return Halves::default();
    }
    let used = used(graph, needed, roots, &known);
    let (mut found, mut facts) = (HashMap::new(), HashMap::new());
    for i in (0..graph.nodes.len()).filter(|i| needed[*i]) {
        let id = NodeId(i as u32);
        let of = [0, 1].map(|half| Fact { number: known[i][half], used: used[i][half] });
        if of.iter().any(|fact| fact.is_nothing() || fact.is_masked()) {
            facts.insert(id, of);
        }
        let Some(([lhs, rhs], _)) = graph.is_primitive(id, "matmul") else { continue };
        let zero = |v: &NodeId| known[v.0 as usize].map(|x| x == Some(0.0));
        let of = |name: &str, is: Both<bool>| {
            let half = Half::ALL.into_iter().zip(is).find(|(_, is)| *is)?.0;
            Some((Word::from(name), Value::Str(half.name().into())))
        };
        let unused = used[i].map(|used| !used);
        let attrs: Vec<_> =
            NAMES.into_iter().zip([zero(lhs), zero(rhs), unused]).filter_map(|(name, is)| of(name, is)).collect();
        if !attrs.is_empty() {
            found.insert(id, attrs);
        }
    }
    Halves { attrs: found, facts }
}

/// The number that stands all over each half of each value, where there is one.
fn known(graph: &Graph, needed: &[bool]) -> Vec<Both<Option<f64>>> {
    let mut known: Vec<Both<Option<f64>>> = vec![[None; 2]; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate().filter(|(i, _)| needed[*i]) {
        let id = NodeId(i as u32);
        known[i] = match (&node.op, graph.constant_value(id)) {
            (_, Some(x)) => [Some(x); 2],
            (Op::Primitive(name, attrs), _) if node.ty.shape.len() >= 2 => in_halves(graph, node, name, attrs, &known),
            _ => [None; 2],
        };
    }
    known
}

fn in_halves(graph: &Graph, node: &Node, name: &str, attrs: &Attrs, known: &[Both<Option<f64>>]) -> Both<Option<f64>> {
    if let Some(turned) = keeps_matrices(graph, node, name, attrs) {
        return across(turned, known[node.args[0].0 as usize]);
    }
    if !is_elementwise(name) {
        return [None; 2];
    }
    if let [a, b] = node.args[..]
        && let Some(mask) = compared(name, place(graph, a), place(graph, b))
    {
        return mask;
    }
    [0, 1].map(|half| {
        let args: Vec<Option<f64>> = node.args.iter().map(|a| known[a.0 as usize][half]).collect();
        match (name, &args[..]) {
            ("where", [mask, yes, no]) => match mask {
                Some(mask) => *if *mask != 0.0 { yes } else { no },
                None => yes.filter(|_| yes == no),
            },
            ("multiply", args) if args.contains(&Some(0.0)) => Some(0.0),
            ("divide", [Some(0.0), _]) => Some(0.0),
            ("subtract", [Some(x), None]) if *x <= MASKED && subtracts_the_largest(graph, node) => {
                Some(f64::NEG_INFINITY)
            }
            (_, args) => {
                let args = args.iter().copied().collect::<Option<Vec<f64>>>()?;
                evaluate(name, &args, node.ty.dtype)
            }
        }
    })
}

/// The same of a matrix that is turned, or not.
fn across<T: Copy>(turned: bool, both: Both<T>) -> Both<T> {
    if turned { [both[1], both[0]] } else { both }
}

/// For what leaves the last two axes as they are, false; turned, true.
fn keeps_matrices(graph: &Graph, node: &Node, name: &str, attrs: &Attrs) -> Option<bool> {
    let from = &graph.ty(*node.args.first()?).shape;
    let (rank, to) = (from.len(), &node.ty.shape);
    if rank < 2 || to.len() < 2 {
        return None;
    }
    match name {
        "broadcast" | "reshape" => (from[rank - 2..] == to[to.len() - 2..]).then_some(false),
        "stop_gradient" => Some(false),
        "transpose" => {
            let order: Vec<i64> = sizes(attrs, "order")?.iter().filter_map(|d| d.as_constant()).collect();
            let at = |axis: i64| if axis < 0 { axis + rank as i64 } else { axis };
            let [.., a, b] = order[..] else { return None };
            match (rank as i64 - at(a), rank as i64 - at(b)) {
                (2, 1) => Some(false),
                (1, 2) => Some(true),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The axis, counted from the end and from 1, along which a value is the place.
fn place(graph: &Graph, v: NodeId) -> Option<usize> {
    let node = graph.node(v);
    let Op::Primitive(name, _) = &node.op else { return None };
    match &**name {
        "iota" => Some(1),
        "broadcast" => place(graph, node.args[0]),
        "reshape" => {
            // An axis of ones is added before or behind.
            let (from, to) = (&graph.ty(node.args[0]).shape, &node.ty.shape);
            let before = place(graph, node.args[0])?;
            let size = &from[from.len().checked_sub(before)?];
            let ones = |shape: &[Dim]| shape.iter().filter(|d| d.as_constant() != Some(1)).count() == 1;
            let at = to.iter().rev().position(|d| d == size)? + 1;
            (ones(from) && ones(to)).then_some(at)
        }
        _ => None,
    }
}

/// What a comparison of places is in each half.
fn compared(name: &str, a: Option<usize>, b: Option<usize>) -> Option<Both<Option<f64>>> {
    // Whether the left place is above the right one in each half.
    let above = match (a?, b?) {
        (2, 1) => [false, true],
        (1, 2) => [true, false],
        _ => return None,
    };
    let truth = |above: bool| match name {
        "greater" | "greater_equal" => Some(above),
        "less" | "less_equal" => Some(!above),
        "equal" => Some(false),
        "not_equal" => Some(true),
        _ => None,
    };
    let is = |above: bool| truth(above).map(|t| f64::from(u8::from(t)));
    is(true).and(Some([is(above[0]), is(above[1])]))
}

/// True for `x - max(x)`, along a row or a column at least, of scores behind a square mask that lets the diagonal through: the
/// largest of each row and column is a score then, and not what the mask writes.
fn subtracts_the_largest(graph: &Graph, node: &Node) -> bool {
    let ([x, y], rank) = (&node.args[..], node.ty.shape.len()) else { return false };
    let Some((max, attrs)) = graph.is_primitive(repeated(graph, *y), "max") else { return false };
    let along = reduced(attrs, rank).is_some_and(|axes| axes.iter().any(|axis| axis + 2 >= rank));
    let square = matches!(&node.ty.shape[..], [.., a, b] if a == b);
    let Some(([mask, yes, no], _)) = graph.is_primitive(*x, "where") else { return false };
    let on_the_diagonal = match &graph.node(repeated(graph, *mask)).op {
        Op::Primitive(name, _) if matches!(&**name, "greater_equal" | "less_equal" | "equal") => yes,
        Op::Primitive(name, _) if matches!(&**name, "greater" | "less" | "not_equal") => no,
        _ => return false,
    };
    max[0] == *x && along && square && is_score(graph, *on_the_diagonal)
}

/// What is repeated, perhaps in another shape.
fn repeated(graph: &Graph, mut v: NodeId) -> NodeId {
    while let Op::Primitive(name, _) = &graph.node(v).op
        && matches!(&**name, "broadcast" | "reshape")
    {
        v = graph.node(v).args[0];
    }
    v
}

/// A product, perhaps times numbers: no mask has been at it, so that it is far above [`MASKED`].
fn is_score(graph: &Graph, v: NodeId) -> bool {
    let node = graph.node(v);
    let Op::Primitive(name, _) = &node.op else { return false };
    let number = |v: NodeId| graph.constant_value(v).is_some_and(|x| x.abs() < 1e9);
    match (&**name, &node.args[..]) {
        ("matmul", _) => true,
        ("multiply", [a, b]) => (is_score(graph, *a) && number(*b)) || (number(*a) && is_score(graph, *b)),
        ("divide", [a, b]) => is_score(graph, *a) && number(*b),
        ("tanh" | "broadcast" | "reshape" | "transpose", [a]) => is_score(graph, *a),
        _ => false,
    }
}

/// Whether anybody looks at each half of each value.
fn used(
    graph: &Graph,
    needed: &[bool],
    roots: impl Iterator<Item = NodeId>,
    known: &[Both<Option<f64>>],
) -> Vec<Both<bool>> {
    let mut used = vec![[false; 2]; graph.nodes.len()];
    roots.for_each(|v| used[v.0 as usize] = [true; 2]);
    for (i, node) in graph.nodes.iter().enumerate().rev().filter(|(i, _)| needed[*i]) {
        let here = used[i];
        for (a, arg) in node.args.iter().enumerate() {
            let at = |k: usize, half: usize| known[node.args[k].0 as usize][half];
            let looks: Both<bool> = match &node.op {
                Op::Primitive(name, attrs) => match keeps_matrices(graph, node, name, attrs) {
                    Some(turned) => across(turned, here),
                    None if !is_elementwise(name) => [true; 2],
                    None => [0, 1].map(|half| {
                        here[half]
                            && match (&**name, a) {
                                ("where", 1) => at(0, half) != Some(0.0),
                                ("where", 2) => at(0, half).is_none_or(|mask| mask == 0.0),
                                ("multiply", a) => at(1 - a, half) != Some(0.0),
                                _ => true,
                            }
                    }),
                },
                _ => [true; 2],
            };
            let arg = &mut used[arg.0 as usize];
            *arg = [arg[0] | looks[0], arg[1] | looks[1]];
        }
    }
    used
}
