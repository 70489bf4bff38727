//! The gradient of a scan is a scan in the other direction.
//!
//! It carries the gradients of what was carried, and walks the gradients of what was stacked. What a turn
//! needs of the forward turn is stacked by the forward scan and walked here; nothing is computed again. What
//! every turn saw alike receives something in each turn: sums of products over a batch are not added up turn
//! by turn, their factors are stacked and multiplied once:
//!
//! ```text
//! sum over t of matmul(transpose(x_t), dy_t) = matmul(transpose(x), dy), with t and batch as one axis
//! ```

use super::backward::{Contribution, backward, dense, sum, wanted as reached};
use super::rules::RuleCache;
use super::turn::Turned;
use crate::graph::make::Site;
use crate::graph::{Graph, Node, Op, Scan, SparseRows, Type, Value, Var};
use std::collections::BTreeMap;
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, Attrs};

/// What the arguments of a scan receive when its results received these gradients.
pub(super) fn pull_back(
    graph: &mut Graph,
    rules: &mut RuleCache,
    scan: Value,
    forward: &Scan,
    received: &[(u32, Value)],
    wanted: &[bool],
) -> Result<Vec<(Value, Contribution)>, Diagnostic> {
    let node = graph.node(scan).clone();
    let site = Site::of(&node);
    let (inputs, carried) = (forward.walked.len(), forward.turn.variables.len());
    let is_wanted = |i: usize| wanted[node.args[i].0 as usize];
    let active = Active::new(forward, &is_wanted);

    // The turn, with what its results received as further inputs, and walked back.
    let mut work = forward.turn.clone();
    let mut turned = Turned::new(scan, forward.clone(), &node.args);
    let mut seeds = Vec::new();
    for k in &active.carried {
        let ty = work.variables[*k].ty.clone();
        let Some(next) = forward.next(*k) else { continue };
        let initial = received.iter().find(|(of, _)| *of as usize == *k).map(|(_, dy)| *dy);
        let initial = initial.unwrap_or_else(|| graph.filled(0.0, ty.clone(), &site));
        let dy = turned.carry(&mut work, ty, initial);
        seeds.push((next, dy));
    }
    for (k, dy) in received.iter().filter(|(k, _)| *k as usize >= carried) {
        let Some(value) = forward.of_result(*k as usize).filter(|v| active.moved[v.0 as usize]) else { continue };
        let ty = work.ty(value).clone();
        let dy = turned.walk(&mut work, ty, *dy);
        seeds.push((value, dy));
    }
    let found = backward(&mut work, rules, &seeds, &active.targets)?;

    // What comes of it, by argument.
    let of = |i: usize| -> Vec<Value> {
        active.targets.iter().copied().filter(|t| active.argument(forward, *t) == Some(i)).collect()
    };
    let contributions =
        |i: usize| -> Vec<Contribution> { of(i).iter().filter_map(|t| found.get(t)).flatten().copied().collect() };
    for (n, k) in active.carried.iter().enumerate() {
        let ty = work.variables[*k].ty.clone();
        let next = dense(&mut work, &contributions(inputs + k), &ty, &site);
        turned.next(n, next);
    }
    let mut outcomes = Vec::new();
    for (i, walked) in forward.walked.iter().enumerate() {
        let all = contributions(i);
        let Some(ty) = of(i).first().map(|t| work.ty(*t).clone()) else { continue };
        if *walked {
            if let Some((dx, _)) = sum(&mut work, &all, &ty, &site) {
                turned.stack(dx);
                outcomes.push((i, Outcome::Stacked(dx)));
            }
            continue;
        }
        let mut now = Vec::new();
        for contribution in all {
            match Later::of(&work, &turned, contribution) {
                Some(later) => {
                    later.factors(&mut |v| turned.stack(v));
                    outcomes.push((i, Outcome::Later(later)));
                }
                None => now.push(contribution),
            }
        }
        if let Some((part, _)) = sum(&mut work, &now, &ty, &site) {
            let zero = graph.filled(0.0, ty.clone(), &site);
            let so_far = turned.carry(&mut work, ty, zero);
            let next = work.add(so_far, part, &site);
            outcomes.push((i, Outcome::Carried(turned.next_of_last(next))));
        }
    }

    let results = turned.write(graph, &work, &site);
    let mut out = Vec::new();
    for (n, k) in active.carried.iter().enumerate().filter(|(_, k)| is_wanted(inputs + **k)) {
        out.push((node.args[inputs + k], Contribution::Dense(results.carried[n], None)));
    }
    for (i, outcome) in outcomes {
        let contribution = match outcome {
            Outcome::Carried(n) => Contribution::Dense(results.carried[n], None),
            Outcome::Stacked(v) => Contribution::Dense(results.stacked[&v], None),
            Outcome::Later(later) => later.write(graph, &results.stacked, &site),
        };
        out.push((node.args[i], contribution));
    }
    Ok(out)
}

/// What an argument of the forward scan receives.
enum Outcome {
    /// This carried value of the backward scan.
    Carried(usize),
    /// This value of every turn.
    Stacked(Value),
    /// What is made of several after the scan.
    Later(Later),
}

/// Which parts of a turn gradients go through.
struct Active {
    /// Carried values, by number.
    carried: Vec<usize>,
    /// Nodes of the turn whose gradients are wanted: inputs and reads of what is carried.
    targets: Vec<Value>,
    moved: Vec<bool>,
}

impl Active {
    fn new(scan: &Scan, is_wanted: &dyn Fn(usize) -> bool) -> Active {
        let turn = &scan.turn;
        let inputs = scan.walked.len();
        let mut carried: Vec<usize> = (0..turn.variables.len()).filter(|k| is_wanted(inputs + k)).collect();
        loop {
            let is_target = |node: &Node| {
                node.ty.dtype.is_float()
                    && match &node.op {
                        Op::Input(name) => Scan::input_number(name).is_some_and(is_wanted),
                        Op::Read(var) => carried.contains(&(var.0 as usize)),
                        _ => false,
                    }
            };
            let targets = turn.nodes.iter().enumerate().filter(|(_, n)| is_target(n)).map(|(i, _)| Value(i as u32));
            let targets: Vec<Value> = targets.collect();
            let last = turn.nodes.len().saturating_sub(1) as u32;
            let moved = reached(turn, last, &targets);
            let more = (0..turn.variables.len())
                .find(|k| !carried.contains(k) && scan.next(*k).is_some_and(|v| moved[v.0 as usize]));
            match more {
                Some(k) => carried.push(k),
                None => {
                    carried.retain(|k| turn.variables[*k].ty.dtype.is_float());
                    carried.sort_unstable();
                    return Active { carried, targets, moved };
                }
            }
        }
    }

    /// The number of the argument that a target stands for.
    fn argument(&self, scan: &Scan, target: Value) -> Option<usize> {
        match &scan.turn.node(target).op {
            Op::Input(name) => Scan::input_number(name),
            Op::Read(Var(k)) => Some(scan.walked.len() + *k as usize),
            _ => None,
        }
    }
}

/// A sum over the turns that is computed after the scan, of stacked values of the turn.
enum Later {
    /// `matmul(transpose(p), q)` or `matmul(p, q)`.
    Product { p: Value, transposed: bool, q: Value },
    /// `sum_to(x)`.
    Sum(Value, Type),
    /// Rows of a table.
    Rows(SparseRows),
    /// `reshape` of another one.
    Reshaped(Box<Later>, Type),
    /// `transpose` of another one.
    Transposed(Box<Later>, Attrs, Type),
}

impl Later {
    fn of(work: &Graph, turned: &Turned, contribution: Contribution) -> Option<Later> {
        match contribution {
            Contribution::Rows(rows) => Some(Later::Rows(rows)),
            Contribution::Dense(v, _) => Later::of_value(work, turned, v),
        }
    }

    fn of_value(work: &Graph, turned: &Turned, v: Value) -> Option<Later> {
        let node = work.node(v);
        let Op::Primitive(name, attrs) = &node.op else { return None };
        if turned.is_forward(work, v) {
            return None;
        }
        match (&**name, &node.args[..]) {
            ("matmul", [p, q]) if node.ty.shape.len() == 2 => {
                let swapped = work.is_primitive(*p, "transpose").map(|(args, _)| args[0]);
                Some(Later::Product { p: swapped.unwrap_or(*p), transposed: swapped.is_some(), q: *q })
            }
            ("sum_to", [x]) => Some(Later::Sum(*x, node.ty.clone())),
            ("reshape", [x]) => Some(Later::Reshaped(Box::new(Later::of_value(work, turned, *x)?), node.ty.clone())),
            ("transpose", [x]) => {
                let inner = Box::new(Later::of_value(work, turned, *x)?);
                Some(Later::Transposed(inner, attrs.clone(), node.ty.clone()))
            }
            _ => None,
        }
    }

    /// Calls `f` on what must be stacked.
    fn factors(&self, f: &mut dyn FnMut(Value)) {
        match self {
            Later::Product { p, q, .. } => [*p, *q].into_iter().for_each(f),
            Later::Sum(x, _) => f(*x),
            Later::Rows(rows) => [rows.ids, rows.rows].into_iter().for_each(f),
            Later::Reshaped(inner, _) | Later::Transposed(inner, ..) => inner.factors(f),
        }
    }

    fn write(&self, graph: &mut Graph, stacked: &BTreeMap<Value, Value>, site: &Site) -> Contribution {
        if let Later::Rows(SparseRows { ids, rows }) = self {
            return Contribution::Rows(SparseRows { ids: stacked[ids], rows: stacked[rows] });
        }
        Contribution::Dense(self.value(graph, stacked, site), None)
    }

    fn value(&self, graph: &mut Graph, stacked: &BTreeMap<Value, Value>, site: &Site) -> Value {
        match self {
            Later::Product { p, transposed, q } => {
                let (p, q) = (stacked[p], stacked[q]);
                let p = if *transposed { p } else { transpose(graph, p, &[0, 2, 1], site) };
                let (p, q) = (joined(graph, p, site), joined(graph, q, site));
                let p = transpose(graph, p, &[1, 0], site);
                let shape = vec![graph.ty(p).shape[0].clone(), graph.ty(q).shape[1].clone()];
                let ty = Type { dtype: graph.ty(p).dtype, shape };
                graph.primitive("matmul", vec![p, q], Attrs::new(), ty, site)
            }
            Later::Sum(x, ty) => {
                let attrs = vec![("shape".into(), Attr::Ints(ty.shape.clone()))];
                graph.primitive("sum_to", vec![stacked[x]], attrs, ty.clone(), site)
            }
            Later::Reshaped(inner, ty) => {
                let inner = inner.value(graph, stacked, site);
                graph.reshape(inner, ty.shape.clone(), site)
            }
            Later::Transposed(inner, attrs, ty) => {
                let inner = inner.value(graph, stacked, site);
                graph.primitive("transpose", vec![inner], attrs.clone(), ty.clone(), site)
            }
            Later::Rows(_) => unreachable!("rows are never below a view"),
        }
    }
}

/// `[T, n, a]` as `[T * n, a]`.
fn joined(graph: &mut Graph, x: Value, site: &Site) -> Value {
    let shape = graph.ty(x).shape.clone();
    graph.reshape(x, vec![shape[0].mul(&shape[1]), shape[2].clone()], site)
}

fn transpose(graph: &mut Graph, x: Value, order: &[usize], site: &Site) -> Value {
    let ty = graph.ty(x).clone();
    let shape = order.iter().map(|i| ty.shape[*i].clone()).collect();
    let attr = Attr::Ints(order.iter().map(|i| Dim::constant(*i as i64)).collect());
    graph.primitive("transpose", vec![x], vec![("order".into(), attr)], Type { shape, ..ty }, site)
}
