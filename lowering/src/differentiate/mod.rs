//! Autodiff: a reverse walk that asks the library for the gradient of each primitive.
//!
//! `backward` walks, `mask` keeps what a `where` did not take from making NaN, `scan` turns a scan around,
//! `rules` remembers what the library answered.

mod backward;
mod mask;
mod rules;
mod scan;
mod turn;

use crate::graph::make::Site;
use crate::graph::{Gradient, Graph, Op, Value, Var};
use backward::{Contribution, backward, dense};
use rules::RuleCache;
use std::collections::HashMap;
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::model::{Model, Rules, VarId};

/// Writes the gradient of every loss in every parameter that descends it, and leaves them pending
/// for [`crate::update()`]. Gradients that the file takes itself are written out before.
///
/// Gradients are taken at the values before the step. A parameter that its loss does not depend on
/// has zeros. What a parameter receives only through `gather` stays rows and numbers. Afterwards no
/// node with a gradient of its own is left: its value is that of its first argument.
///
/// # Errors
/// Those of the rule of a primitive: it is not differentiable.
pub fn differentiate(graph: &mut Graph, model: &Model) -> Result<(), Diagnostic> {
    let mut rules = RuleCache::new(&*model.rules);
    write_gradients(graph, &mut rules)?;
    for (t, train) in model.trains.iter().enumerate() {
        for minimize in &train.minimize {
            let loss = graph.pending.trains[t].losses[minimize.loss];
            let gradients = of_parameters(graph, &mut rules, loss, &minimize.parameters)?;
            graph.pending.trains[t].gradients.push(gradients);
        }
    }
    drop_custom_gradients(graph);
    graph.prune();
    graph.debug_verify("differentiate");
    Ok(())
}

/// Writes out the gradients that a body takes itself, where nothing is trained.
pub(crate) fn expand(graph: &mut Graph, rules: &(dyn Rules + Send + Sync)) -> Result<(), Diagnostic> {
    write_gradients(graph, &mut RuleCache::new(rules))
}

/// The gradient of a scalar in each of the parameters, as a tensor of its type.
pub(crate) fn gradients(
    graph: &mut Graph,
    rules: &(dyn Rules + Send + Sync),
    loss: Value,
    parameters: &[VarId],
) -> Result<Vec<Value>, Diagnostic> {
    let found = of_parameters(graph, &mut RuleCache::new(rules), loss, parameters)?;
    let whole = found.into_iter().map(|(var, gradient)| match gradient {
        Gradient::Dense(v) => v,
        Gradient::Sparse(rows) => {
            let ty = graph.variables[var.0 as usize].ty.clone();
            let rows: Vec<Contribution> = rows.into_iter().map(Contribution::Rows).collect();
            dense(graph, &rows, &ty, &Site::default())
        }
    });
    Ok(whole.collect())
}

/// The gradient of a scalar in each of the parameters.
fn of_parameters(
    graph: &mut Graph,
    rules: &mut RuleCache,
    loss: Value,
    parameters: &[VarId],
) -> Result<Vec<(Var, Gradient)>, Diagnostic> {
    let reads = |graph: &Graph, var: Var| {
        let read = graph.nodes[..=loss.0 as usize].iter().enumerate().filter(move |(_, n)| n.op == Op::Read(var));
        read.map(|(i, _)| Value(i as u32)).collect::<Vec<_>>()
    };
    let targets: Vec<Value> = parameters.iter().flat_map(|p| reads(graph, Var(p.0))).collect();
    let one = graph.number(1.0, graph.ty(loss).dtype, &Site::of(graph.node(loss)));
    let mut received = backward(graph, rules, &[(loss, one)], &targets)?;
    let gradients = parameters.iter().map(|p| {
        let var = Var(p.0);
        let of = |v: Value| received.remove(&v).unwrap_or_default();
        let all: Vec<Contribution> = reads(graph, var).into_iter().flat_map(of).collect();
        (var, gradient_of(graph, var, &all))
    });
    Ok(gradients.collect())
}

fn gradient_of(graph: &mut Graph, var: Var, received: &[Contribution]) -> Gradient {
    let rows = received.iter().map(|c| match c {
        Contribution::Rows(rows) => Some(*rows),
        Contribution::Dense(..) => None,
    });
    if let Some(rows) = rows.collect::<Option<Vec<_>>>().filter(|rows| !rows.is_empty()) {
        return Gradient::Sparse(rows);
    }
    let ty = graph.variables[var.0 as usize].ty.clone();
    Gradient::Dense(dense(graph, received, &ty, &Site::default()))
}

/// Replaces every `gradient` by the operations that compute it, innermost first: in turns of scans, then in
/// the order of the graph, so that what lies before one is written out already.
fn write_gradients(graph: &mut Graph, rules: &mut RuleCache) -> Result<(), Diagnostic> {
    let mut outcome = Ok(());
    graph.for_each_turn(|turn| {
        if outcome.is_ok() {
            outcome = write_gradients(turn, rules);
        }
    });
    outcome?;
    if !graph.nodes.iter().any(|n| matches!(n.op, Op::Gradient(_))) {
        return Ok(());
    }
    let old = std::mem::take(&mut graph.nodes);
    let mut old_rules = std::mem::take(&mut graph.pending.rules);
    let mut moved: Vec<Value> = Vec::with_capacity(old.len());
    let mut written: HashMap<Vec<Value>, Vec<Value>> = HashMap::new();
    for (i, mut node) in old.into_iter().enumerate() {
        node.args.iter_mut().for_each(|a| *a = moved[a.0 as usize]);
        let value = match node.op {
            Op::Gradient(k) => {
                if !written.contains_key(&node.args) {
                    let gradients = in_values(graph, rules, node.args[0], &node.args[1..])?;
                    written.insert(node.args.clone(), gradients);
                }
                written[&node.args][k as usize]
            }
            _ => {
                let value = graph.push(node);
                if let Some(rule) = old_rules.remove(&Value(i as u32)) {
                    graph.pending.rules.insert(value, rule);
                }
                value
            }
        };
        moved.push(value);
    }
    graph.for_each_root(|v| *v = moved[v.0 as usize]);
    Ok(())
}

/// The gradient of a scalar in each of these values.
fn in_values(
    graph: &mut Graph,
    rules: &mut RuleCache,
    loss: Value,
    values: &[Value],
) -> Result<Vec<Value>, Diagnostic> {
    let site = Site::of(graph.node(loss));
    let one = graph.number(1.0, graph.ty(loss).dtype, &site);
    let received = backward(graph, rules, &[(loss, one)], values)?;
    let of = |v: &Value| {
        let ty = graph.ty(*v).clone();
        let received = received.get(v).map_or(&[][..], |r| r);
        dense(graph, received, &ty, &site)
    };
    Ok(values.iter().map(of).collect())
}

/// Every use of a node with its own gradient becomes a use of its first argument.
pub(crate) fn drop_custom_gradients(graph: &mut Graph) {
    graph.for_each_turn(drop_custom_gradients);
    let rules = std::mem::take(&mut graph.pending.rules);
    let mut stands_for: HashMap<Value, Value> = HashMap::new();
    for value in rules.into_keys() {
        // Keys rise, so that the argument's own stand-in is known.
        let arg = graph.node(value).args[0];
        stands_for.insert(value, stands_for.get(&arg).copied().unwrap_or(arg));
    }
    let redirect = |v: &mut Value| *v = stands_for.get(v).copied().unwrap_or(*v);
    graph.nodes.iter_mut().flat_map(|n| &mut n.args).for_each(redirect);
    graph.for_each_root(redirect);
}
