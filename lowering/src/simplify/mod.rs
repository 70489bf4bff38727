//! Rewriting a graph into a smaller one that computes the same values.
//!
//! The graph is written anew, node by node in its order: a node whose arguments are already simple
//! is tried against the table of rules ([`rules::RULES`]), then merged with an equal node if one was
//! written before. That is repeated until nothing changes, and what no entry needs is dropped.
//!
//! Needs: gradients and updates written out (rules drop `stop_gradient`). Guarantees: the same
//! entries, variables and inputs; every value the same up to the rounding of arithmetic on
//! literals, except that `x * 0` is 0 also where x is not finite.

mod fold;
mod numbers;
mod pools;
mod repeats;
pub mod rules;
mod scans;
pub(crate) mod shapes;

use crate::graph::make::Site;
use crate::graph::text::head;
use crate::graph::{Graph, Node, Op, Type, Value};
pub(crate) use fold::evaluate;
use rules::{RULES, Rule};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use tfm_lang::model::{Attr, Attrs, Literal};

/// Rounds after which the graph is taken as it is; two or three are usual.
const MOST_ROUNDS: usize = 16;

/// Rewrites the graph to a fixed point.
pub fn simplify(graph: &mut Graph) {
    graph.prune();
    graph.prune_scans();
    graph.for_each_turn(simplify);
    for _ in 0..MOST_ROUNDS {
        graph.prune();
        let went = graph.prune_scans();
        graph.prune();
        if !round(graph) && !went {
            break;
        }
    }
    graph.prune();
    graph.debug_verify("simplify");
}

/// Writes the graph anew once; true when that changed something.
fn round(graph: &mut Graph) -> bool {
    let old = std::mem::take(&mut graph.nodes);
    let before = old.len();
    let mut rewriter = Rewriter::new(graph);
    let mut moved: Vec<Value> = Vec::with_capacity(before);
    for mut node in old {
        node.args.iter_mut().for_each(|a| *a = moved[a.0 as usize]);
        let value = rewriter.write(node);
        moved.push(value);
    }
    let fired = rewriter.fired;
    graph.for_each_root(|v| *v = moved[v.0 as usize]);
    fired || graph.nodes.len() != before
}

/// The graph while it is written, with an index of its nodes.
pub(crate) struct Rewriter<'a> {
    pub(crate) graph: &'a mut Graph,
    written: HashMap<u64, Vec<Value>>,
    rules: HashMap<&'static str, Vec<&'static Rule>>,
    fired: bool,
}

impl<'a> Rewriter<'a> {
    fn new(graph: &'a mut Graph) -> Rewriter<'a> {
        let mut rules: HashMap<&'static str, Vec<&'static Rule>> = HashMap::new();
        for rule in RULES {
            for op in rule.on {
                rules.entry(op).or_default().push(rule);
            }
        }
        Rewriter { graph, written: HashMap::new(), rules, fired: false }
    }

    /// Adds a node in its simplest form.
    pub(crate) fn write(&mut self, node: Node) -> Value {
        let name = match &node.op {
            Op::Primitive(name, _) => &**name,
            Op::Constant(_) => "constant",
            Op::Result(_) => "result",
            _ => return self.intern(node),
        };
        let specific = self.rules.get(name).into_iter().flatten();
        let general = self.rules.get("").into_iter().flatten();
        for rule in specific.chain(general).copied().collect::<Vec<_>>() {
            if let Some(value) = (rule.apply)(self, &node) {
                debug_assert_eq!(self.graph.ty(value), &node.ty, "rule `{}` on {}", rule.name, node.op);
                self.fired = true;
                return value;
            }
        }
        self.intern(node)
    }

    /// Common subexpressions: an equal node that stands already is used again. Random draws are
    /// told apart by their `key`.
    fn intern(&mut self, node: Node) -> Value {
        let mut hasher = DefaultHasher::new();
        hash_node(&node, &mut hasher);
        let key = hasher.finish();
        let candidates = self.written.entry(key).or_default();
        if let Some(v) = candidates.iter().find(|v| same_node(self.graph.node(**v), &node)) {
            return *v;
        }
        let value = self.graph.push(node);
        candidates.push(value);
        value
    }

    /// Adds a primitive in its simplest form.
    pub(crate) fn primitive(&mut self, name: &str, args: Vec<Value>, attrs: Attrs, ty: Type, like: &Node) -> Value {
        let op = Op::Primitive(name.into(), attrs);
        self.write(Site::of(like).node(op, args, ty))
    }

    /// Adds a number of rank 0.
    pub(crate) fn number(&mut self, x: f64, like: &Node) -> Value {
        let op = Op::Constant(Literal::Number(x));
        let ty = Type::scalar(like.ty.dtype);
        self.write(Site::of(like).node(op, Vec::new(), ty))
    }

    /// Adds the broadcast of a value to the type of `like`.
    pub(crate) fn broadcast_like(&mut self, x: Value, like: &Node) -> Value {
        self.shaped("broadcast", x, like)
    }

    /// Adds a value's elements in the shape of `like`.
    pub(crate) fn reshape_like(&mut self, x: Value, like: &Node) -> Value {
        self.shaped("reshape", x, like)
    }

    fn shaped(&mut self, name: &str, x: Value, like: &Node) -> Value {
        if self.graph.ty(x).shape == like.ty.shape {
            return x;
        }
        let attrs = vec![("to".into(), Attr::Ints(like.ty.shape.clone()))];
        self.primitive(name, vec![x], attrs, like.ty.clone(), like)
    }

    /// The scalar that a value repeats everywhere: itself at rank 0, or what its broadcast repeats.
    pub(crate) fn scalar(&self, v: Value) -> Option<Value> {
        if self.graph.ty(v).shape.is_empty() {
            return Some(v);
        }
        let (args, _) = self.graph.is_primitive(v, "broadcast")?;
        self.graph.ty(args[0]).shape.is_empty().then_some(args[0])
    }

    /// The number that a value is everywhere.
    pub(crate) fn known(&self, v: Value) -> Option<f64> {
        self.graph.constant_value(v)
    }
}

fn hash_node(node: &Node, h: &mut DefaultHasher) {
    match &node.op {
        Op::Input(name) => (0, name).hash(h),
        Op::Read(var) => (1, var).hash(h),
        Op::Primitive(name, attrs) if attrs.is_empty() => (2, name).hash(h),
        Op::Primitive(name, attrs) => (2, head(name, attrs)).hash(h),
        Op::Constant(Literal::Number(x)) => (3, x.to_bits()).hash(h),
        Op::Constant(Literal::Numbers(xs)) => xs.iter().for_each(|x| x.to_bits().hash(h)),
        Op::Constant(Literal::Dim(d)) => (4, d).hash(h),
        Op::Constant(Literal::Bool(b)) => (5, b).hash(h),
        Op::Scan(scan) => (6, &scan.length, &scan.walked).hash(h),
        Op::Result(k) => (7, k).hash(h),
        Op::Gradient(k) => (8, k).hash(h),
    }
    node.args.hash(h);
    node.ty.dtype.hash(h);
    node.ty.shape.len().hash(h);
}

/// Equal in everything but scope and place in the text; numbers by their bits, so that 0 and -0 differ.
fn same_node(a: &Node, b: &Node) -> bool {
    let bits = |xs: &[f64]| xs.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    a.args == b.args
        && a.ty == b.ty
        && a.device == b.device
        && match (&a.op, &b.op) {
            (Op::Constant(Literal::Number(x)), Op::Constant(Literal::Number(y))) => x.to_bits() == y.to_bits(),
            (Op::Constant(Literal::Numbers(x)), Op::Constant(Literal::Numbers(y))) => bits(x) == bits(y),
            (a, b) => a == b,
        }
}
