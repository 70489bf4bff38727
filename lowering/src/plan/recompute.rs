//! Fitting a step into less memory: what was computed early and is needed late is computed once more in between.
//!
//! Where the most memory is taken, some values only wait: activations that the backward pass will read. Those that
//! are cheapest for their size are computed again just before they are read, from what is there then. It is the same
//! operation on the same numbers, so that the step's values stay what they were. This is done until the step fits, or
//! until nothing more is won.
//!
//! Chen and others, "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174; that which values to keep is
//! chosen by size and cost, and not by layer, follows Jain and others, "Checkmate", arXiv 1910.02653.

use super::schedule::{Lives, PlanError, Request, planned};
use super::views::movement;
use super::{Device, Plan};
use crate::graph::make::is_elementwise;
use crate::graph::{Graph, Node, Op, Type, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Rounds after which the best plan is taken.
const MOST_ROUNDS: usize = 24;
/// The most operations that are done again for one value.
const MOST_AGAIN: usize = 48;
/// What is so many times smaller than a value may be kept for it.
const SMALL: usize = 16;

/// What is computed again, and how much an element of it costs: about the elements that are moved in that time.
/// Reductions are not among them: they are small, and their order of adding may depend on what stands beside them.
const AGAIN: &[(&str, usize)] = &[
    ("exp", 4),
    ("log", 4),
    ("tanh", 4),
    ("sigmoid", 4),
    ("erf", 16),
    ("power", 32),
    ("sin", 8),
    ("cos", 8),
    ("max_pool", 8),
    ("avg_pool", 8),
    ("random_uniform", 8),
    ("random_normal", 16),
    ("concat", 1),
    ("pad", 1),
    ("gather", 2),
    ("iota", 1),
];

/// What was done to make a step fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recomputed {
    /// Bytes of the arena without it.
    pub before: usize,
    /// Bytes of the arena with it.
    pub after: usize,
    /// How many operations are done a second time.
    pub operations: usize,
}

/// A plan whose arena has at most so many bytes, or as few as can be had, and what was done for it; `None` when nothing
/// was.
///
/// # Errors
/// Those of [`super::schedule()`].
pub fn schedule_within(
    graph: &Graph,
    request: &Request,
    device: &dyn Device,
    arena: usize,
) -> Result<(Plan, Option<Recomputed>), PlanError> {
    let (first, mut lives) = planned(graph, request, device)?;
    let (before, mut plan) = (first.arena, first.clone());
    let (mut graph, mut best) = (graph.clone(), None::<(Plan, Vec<Value>)>);
    // The node of the graph that was given, by node of the one that grows.
    let mut origin: Vec<Value> = (0..graph.nodes.len()).map(|i| Value(i as u32)).collect();
    let given = origin.len();
    for _ in 0..MOST_ROUNDS {
        if plan.arena <= arena {
            break;
        }
        let round = Round::new(&graph, request, &plan, &lives);
        let chosen = round.choose(plan.arena - arena);
        let Some((next, from)) = round.rewrite(&chosen) else { break };
        (plan, lives) = planned(&next, request, device)?;
        origin = from.iter().map(|v| origin[v.0 as usize]).collect();
        graph = next;
        if plan.arena < best.as_ref().map_or(before, |(plan, _)| plan.arena) {
            best = Some((plan.clone(), origin.clone()));
        }
    }
    let Some((mut plan, origin)) = best else { return Ok((first, None)) };
    plan.steps.iter_mut().flat_map(|s| &mut s.nodes).for_each(|v| *v = origin[v.0 as usize]);
    let done = Recomputed { before, after: plan.arena, operations: origin.len() - given };
    Ok((plan, Some(done)))
}

/// One look at a plan: where it takes the most, and what waits there.
struct Round<'a> {
    graph: &'a Graph,
    request: &'a Request,
    lives: &'a Lives,
    needed: Vec<bool>,
    /// First and last step that computes a node.
    steps: HashMap<Value, (usize, usize)>,
    /// Values that are in memory: bytes, and the steps that read them.
    kept: HashMap<Value, (usize, &'a [usize])>,
}

impl<'a> Round<'a> {
    fn new(graph: &'a Graph, request: &'a Request, plan: &Plan, lives: &'a Lives) -> Round<'a> {
        let mut steps: HashMap<Value, (usize, usize)> = HashMap::new();
        for (at, step) in plan.steps.iter().enumerate() {
            for v in &step.nodes {
                steps.entry(*v).or_insert((at, at)).1 = at;
            }
        }
        let entry = graph.entry(&request.entry);
        let roots = entry.into_iter().flat_map(|e| {
            let outputs = e.outputs.iter().filter(|(name, _)| request.fetches.contains(name)).map(|(_, v)| *v);
            outputs.chain(e.assigns.iter().filter(|_| request.assigns).map(|(_, v)| *v))
        });
        let needed = graph.needed(roots);
        let kept = lives.values.iter().map(|live| (live.node, (live.bytes, &*live.uses))).collect();
        Round { graph, request, lives, needed, steps, kept }
    }

    /// The first step behind the peak that reads a value.
    fn first_late(&self, v: Value) -> Option<usize> {
        self.kept.get(&v)?.1.iter().copied().filter(|at| *at > self.lives.peak).min()
    }

    /// Values to be computed again, with what it takes: the cheapest for their size first.
    fn choose(&self, wanted: usize) -> BTreeSet<Value> {
        let peak = self.lives.peak;
        let waits = self
            .lives
            .values
            .iter()
            .filter(|live| live.first < peak && live.last > peak && !live.fetched && !live.uses.contains(&peak));
        let mut ranked: Vec<(u128, usize, Value)> = waits
            .filter_map(|live| {
                let (cone, _) = self.cone(live.node, &BTreeSet::new())?;
                let cost: u128 = cone.iter().map(|v| self.cost(*v)).sum();
                Some((cost * 1024 / live.bytes.max(1) as u128, live.bytes, live.node))
            })
            .collect();
        ranked.sort();
        let (mut chosen, mut pinned, mut won) = (BTreeSet::new(), BTreeSet::new(), 0);
        for (_, bytes, v) in ranked {
            if won >= wanted {
                break;
            }
            // What others are computed from stays.
            if pinned.contains(&v) {
                continue;
            }
            let Some((cone, from)) = self.cone(v, &chosen) else { continue };
            won += bytes;
            chosen.extend(cone);
            pinned.extend(from);
        }
        chosen
    }

    /// The operations that compute a value from what is there when it is read late, and what they need of that;
    /// nothing of it is among those that are gone.
    fn cone(&self, v: Value, gone: &BTreeSet<Value>) -> Option<(BTreeSet<Value>, BTreeSet<Value>)> {
        let late = self.first_late(v)?;
        let size = self.kept.get(&v)?.0;
        let (mut cone, mut from) = (BTreeSet::new(), BTreeSet::new());
        let mut left = vec![v];
        while let Some(at) = left.pop() {
            let node = self.graph.node(at);
            if at != v {
                let is_there = self.kept.get(&at).is_some_and(|(_, uses)| uses.iter().any(|u| *u >= late));
                let leaf = matches!(node.op, Op::Input(_) | Op::Read(_) | Op::Constant(_));
                let small = self.bytes(&node.ty).is_some_and(|n| n * SMALL <= size);
                if leaf || (is_there || small) && !gone.contains(&at) {
                    from.insert(at);
                    continue;
                }
            }
            let Op::Primitive(name, _) = &node.op else { return None };
            let known = is_elementwise(name) || movement(name).is_some() || AGAIN.iter().any(|(n, _)| *n == &**name);
            if !known && !matches!(&**name, "matmul" | "conv") || cone.len() > MOST_AGAIN {
                return None;
            }
            if cone.insert(at) {
                left.extend(&node.args);
            }
        }
        Some((cone, from))
    }

    fn bytes(&self, ty: &Type) -> Option<usize> {
        let size = ty.size().evaluate(&|s| self.request.sizes.get(s).copied())?;
        Some(usize::try_from(size).ok()? * ty.dtype.bytes())
    }

    /// How long an operation takes, in elements moved.
    fn cost(&self, v: Value) -> u128 {
        let node = self.graph.node(v);
        let size = |ty: &Type| self.bytes(ty).unwrap_or(0) as u128 / ty.dtype.bytes() as u128;
        let Op::Primitive(name, _) = &node.op else { return 0 };
        // Sums of products: how many there are in each element, sixteen in the time that one is moved.
        let products = |of: Value, per: usize| {
            let dims = &self.graph.ty(of).shape[per..];
            let each = dims.iter().filter_map(|d| d.evaluate(&|s| self.request.sizes.get(s).copied()));
            each.product::<i64>().max(1) as u128 / 16 + 1
        };
        let each = match (&**name, node.args.as_slice()) {
            ("matmul", [lhs, _]) => products(*lhs, self.graph.ty(*lhs).shape.len() - 1),
            ("conv", [_, w]) => products(*w, 1),
            (name, _) if movement(name).is_some() => 0,
            (name, _) => AGAIN.iter().find(|(n, _)| *n == name).map_or(1, |(_, cost)| *cost as u128),
        };
        size(&node.ty) * each
    }

    /// The graph in which what comes after the peak reads second copies of the chosen values, and the node that each
    /// of its nodes was; `None` when nobody reads one.
    fn rewrite(&self, chosen: &BTreeSet<Value>) -> Option<(Graph, Vec<Value>)> {
        let mut copies = Copies { round: self, chosen, of: HashMap::new(), places: BTreeMap::new() };
        let mut nodes = self.graph.nodes.clone();
        for (i, node) in nodes.iter_mut().enumerate().filter(|(i, _)| self.needed[*i]) {
            if self.steps.get(&Value(i as u32)).is_some_and(|(first, _)| *first > self.lives.peak) {
                node.args.iter_mut().for_each(|a| *a = copies.late(*a, i));
            }
        }
        if copies.places.is_empty() {
            return None;
        }
        // Originals keep their order; a copy stands before the first that reads it, what it reads before it.
        let first = self.graph.nodes.len() as u32;
        let mut order: Vec<(usize, u32, Value)> = (0..first).map(|i| (i as usize, first, Value(i))).collect();
        for (copy, (place, of, node)) in copies.places {
            debug_assert_eq!(copy.0 as usize, nodes.len());
            order.push((place, of.0, copy));
            nodes.push(node);
        }
        order.sort_unstable();
        let mut moved = vec![Value(0); nodes.len()];
        order.iter().enumerate().for_each(|(i, (_, _, v))| moved[v.0 as usize] = Value(i as u32));
        let from = |(_, of, v): &(usize, u32, Value)| if v.0 < first { *v } else { Value(*of) };
        let origin = order.iter().map(from).collect();
        let mut graph = self.graph.clone();
        graph.nodes = order.iter().map(|(_, _, v)| nodes[v.0 as usize].clone()).collect();
        graph.nodes.iter_mut().flat_map(|n| &mut n.args).for_each(|a| *a = moved[a.0 as usize]);
        graph.for_each_root(|v| *v = moved[v.0 as usize]);
        graph.debug_verify("recompute");
        Some((graph, origin))
    }
}

/// Second copies while they are made.
struct Copies<'a> {
    round: &'a Round<'a>,
    chosen: &'a BTreeSet<Value>,
    /// The value to read late, where it is known.
    of: HashMap<Value, Value>,
    /// Copies in the order of their numbers: the node before which each stands, what it is a copy of, and itself.
    places: BTreeMap<Value, (usize, Value, Node)>,
}

impl Copies<'_> {
    /// What a node behind the peak reads in place of a value; copies that it takes stand before that node.
    fn late(&mut self, v: Value, reader: usize) -> Value {
        if let Some(known) = self.of.get(&v) {
            return *known;
        }
        let node = self.round.graph.node(v);
        let steps = self.round.steps.get(&v);
        // Views have no step, and what is cheap may be computed on both sides of the peak.
        let passes = match &node.op {
            Op::Primitive(name, _) => {
                movement(name).is_some()
                    || steps.is_some_and(|(first, last)| {
                        *first <= self.round.lives.peak && *last > self.round.lives.peak && is_elementwise(name)
                    })
            }
            _ => false,
        };
        let chosen = self.chosen.contains(&v);
        let mut late = v;
        if chosen || passes {
            let args: Vec<Value> = node.args.iter().map(|a| self.late(*a, reader)).collect();
            if chosen || args != node.args {
                late = Value((self.round.graph.nodes.len() + self.places.len()) as u32);
                self.places.insert(late, (reader, v, Node { args, ..node.clone() }));
            }
        }
        self.of.insert(v, late);
        late
    }
}
