//! The reverse walk.

use super::rules::RuleCache;
use super::{mask, scan};
use crate::graph::make::Site;
use crate::graph::splice::splice;
use crate::graph::{Graph, Node, Op, SparseRows, Type, Value};
use std::collections::HashMap;
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::dim::Dim;
use tfm_lang::model::Attr;

/// What one use of a value adds to its gradient.
#[derive(Clone, Copy)]
pub(super) enum Contribution {
    /// Of the value's type; 0 where the mask, if there is one, is false.
    Dense(Value, Option<Value>),
    /// Rows of a table.
    Rows(SparseRows),
}

/// What each of the targets receives, when the seeds, values with their gradients, are walked back.
pub(super) fn backward(
    graph: &mut Graph,
    rules: &mut RuleCache,
    seeds: &[(Value, Value)],
    targets: &[Value],
) -> Result<HashMap<Value, Vec<Contribution>>, Diagnostic> {
    let last = seeds.iter().map(|(v, _)| v.0).max().unwrap_or_default();
    let wanted = wanted(graph, last, targets);
    let mut contributions: Vec<Vec<Contribution>> = vec![Vec::new(); last as usize + 1];
    for (v, dy) in seeds {
        contributions[v.0 as usize].push(Contribution::Dense(*dy, None));
    }
    // What the results of a scan received, by the scan.
    let mut of_scan: HashMap<Value, Vec<(u32, Value)>> = HashMap::new();
    let mut found = HashMap::new();
    for i in (0..=last).rev().filter(|i| wanted[*i as usize]) {
        let value = Value(i);
        let received = std::mem::take(&mut contributions[i as usize]);
        if targets.contains(&value) {
            found.insert(value, received.clone());
        }
        let node = graph.node(value).clone();
        let pulled = match &node.op {
            Op::Scan(turns) => {
                let received = of_scan.remove(&value).unwrap_or_default();
                if received.is_empty() {
                    continue;
                }
                scan::pull_back(graph, rules, value, turns, &received, &wanted)?
            }
            // Leaves have nothing behind them.
            _ if node.args.is_empty() => continue,
            _ => {
                let Some((dy, mask)) = sum(graph, &received, &node.ty, &Site::of(&node)) else { continue };
                if let Op::Result(k) = node.op {
                    of_scan.entry(node.args[0]).or_default().push((k, dy));
                    continue;
                }
                pull_back(graph, rules, value, &node, (dy, mask), &wanted)?
            }
        };
        for (arg, contribution) in pulled {
            contributions[arg.0 as usize].push(contribution);
        }
    }
    Ok(found)
}

/// Which nodes up to the last a target reaches through floating values.
pub(super) fn wanted(graph: &Graph, last: u32, targets: &[Value]) -> Vec<bool> {
    let mut wanted = vec![false; last as usize + 1];
    for t in targets.iter().filter(|t| t.0 <= last) {
        wanted[t.0 as usize] = graph.ty(*t).dtype.is_float();
    }
    for i in 0..wanted.len() {
        let node = &graph.nodes[i];
        // The first argument of a node with its own gradient receives none.
        let skipped = graph.pending.rules.contains_key(&Value(i as u32)) as usize;
        let passes = node.ty.dtype.is_float() || matches!(node.op, Op::Scan(_));
        wanted[i] |= passes && node.args[skipped.min(node.args.len())..].iter().any(|a| wanted[a.0 as usize]);
    }
    wanted
}

/// What the arguments of a node receive for the gradient of its value.
fn pull_back(
    graph: &mut Graph,
    rules: &mut RuleCache,
    y: Value,
    node: &Node,
    (dy, mask): (Value, Option<Value>),
    wanted: &[bool],
) -> Result<Vec<(Value, Contribution)>, Diagnostic> {
    let Op::Primitive(name, attrs) = &node.op else { return Ok(Vec::new()) };
    if &**name == "gather"
        && let [table, ids] = node.args[..]
        && matches!(graph.node(table).op, Op::Read(_) | Op::Input(_))
    {
        return Ok(vec![(table, gather_gradient(graph, table, ids, dy))]);
    }
    let own = graph.pending.rules.get(&y).cloned();
    let (rule, args) = match &own {
        Some(rule) => (rule.clone(), &node.args[1..]),
        None => (rules.get(graph, name, attrs, node)?, &node.args[..]),
    };
    let bound: Vec<_> = rule.inputs.iter().copied().zip(args.iter().copied().chain([y, dy])).collect();
    let pairs = args.iter().enumerate().zip(&rule.outputs).filter(|((_, arg), _)| wanted[arg.0 as usize]);
    let (targets, roots): (Vec<_>, Vec<_>) = pairs.filter_map(|((i, arg), out)| Some(((i, *arg), (*out)?))).unzip();
    let values = splice(graph, &rule.body, &bound, &roots, Some(&Site::of(node)));
    let mut received = Vec::new();
    for ((i, arg), v) in targets.into_iter().zip(values) {
        if graph.constant_value(v) == Some(0.0) {
            continue;
        }
        let mask = if own.is_some() { None } else { mask::behind(graph, node, i, mask) };
        let v = mask::kept(graph, node, v, dy, mask);
        received.push((arg, Contribution::Dense(v, mask)));
    }
    Ok(received)
}

/// Rows stay rows, unless the numbers are all rows in their order.
fn gather_gradient(graph: &Graph, table: Value, ids: Value, dy: Value) -> Contribution {
    let rows = graph.ty(table).shape[0].clone();
    let all = graph.is_primitive(ids, "iota").is_some() && graph.ty(ids).shape == [rows];
    if all { Contribution::Dense(dy, None) } else { Contribution::Rows(SparseRows { ids, rows: dy }) }
}

/// The sum of what a value of this type received, and its mask; `None` when that is nothing.
pub(super) fn sum(
    graph: &mut Graph,
    received: &[Contribution],
    ty: &Type,
    site: &Site,
) -> Option<(Value, Option<Value>)> {
    let mut total = None;
    for contribution in received {
        let (part, mask) = match *contribution {
            Contribution::Dense(v, mask) => (v, mask),
            Contribution::Rows(SparseRows { ids, rows }) => {
                let n = ty.shape.first().cloned().unwrap_or_else(|| Dim::constant(1));
                let attrs = vec![("n".into(), Attr::Int(n))];
                (graph.primitive("scatter_add", vec![ids, rows], attrs, ty.clone(), site), None)
            }
        };
        total = Some(match total {
            None => (part, mask),
            Some((sum, other)) => (graph.add(sum, part, site), mask::either(graph, other, mask, site)),
        });
    }
    total
}

/// The sum of what a value of this type received, zeros when that is nothing.
pub(super) fn dense(graph: &mut Graph, received: &[Contribution], ty: &Type, site: &Site) -> Value {
    match sum(graph, received, ty, site) {
        Some((total, _)) => total,
        None => graph.filled(0.0, ty.clone(), site),
    }
}
