//! Autodiff: a reverse walk that asks the library for the gradient of each primitive.

use crate::graph::make::Site;
use crate::graph::splice::splice;
use crate::graph::{Gradient, Graph, Node, Op, SparseRows, Type, Value, Var};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, GradientRule, Model, Rules, VarId};

/// Writes the gradient of every loss in every parameter that descends it, and leaves them pending
/// for [`crate::update()`].
///
/// Gradients are taken at the values before the step. A parameter that its loss does not depend on
/// has zeros. What a parameter receives only through `gather` stays rows and numbers. Afterwards no
/// node with a gradient of its own is left: its value is that of its first argument.
///
/// # Errors
/// Those of the rule of a primitive: it is not differentiable.
pub fn differentiate(graph: &mut Graph, model: &Model) -> Result<(), Diagnostic> {
    let mut rules = RuleCache { rules: &*model.rules, known: HashMap::new() };
    for (t, train) in model.trains.iter().enumerate() {
        for minimize in &train.minimize {
            let loss = graph.pending.trains[t].losses[minimize.loss];
            let gradients = backward(graph, &mut rules, loss, &minimize.parameters)?;
            graph.pending.trains[t].gradients.push(gradients);
        }
    }
    drop_custom_gradients(graph);
    graph.prune();
    graph.debug_verify("differentiate");
    Ok(())
}

/// The gradient of a scalar in each of the parameters, as a tensor of its type.
pub(crate) fn gradients(
    graph: &mut Graph,
    rules: &(dyn Rules + Send + Sync),
    loss: Value,
    parameters: &[VarId],
) -> Result<Vec<Value>, Diagnostic> {
    let mut rules = RuleCache { rules, known: HashMap::new() };
    let found = backward(graph, &mut rules, loss, parameters)?;
    let dense = found.into_iter().map(|(var, gradient)| match gradient {
        Gradient::Dense(v) => v,
        Gradient::Sparse(rows) => {
            let ty = graph.variables[var.0 as usize].ty.clone();
            let rows: Vec<Contribution> = rows.into_iter().map(Contribution::Rows).collect();
            let site = Site::default();
            sum(graph, &rows, &ty, &site).unwrap_or_else(|| graph.filled(0.0, ty, &site))
        }
    });
    Ok(dense.collect())
}

/// What one use of a value adds to its gradient.
#[derive(Clone, Copy)]
enum Contribution {
    Dense(Value),
    Rows(SparseRows),
}

/// The gradient of a scalar in each of the parameters.
fn backward(
    graph: &mut Graph,
    rules: &mut RuleCache,
    loss: Value,
    parameters: &[VarId],
) -> Result<Vec<(Var, Gradient)>, Diagnostic> {
    let wanted = wanted(graph, loss, parameters);
    let mut contributions: Vec<Vec<Contribution>> = vec![Vec::new(); loss.0 as usize + 1];
    let one = graph.number(1.0, graph.ty(loss).dtype, &Site::of(graph.node(loss)));
    contributions[loss.0 as usize].push(Contribution::Dense(one));

    let mut of_variable: HashMap<Var, Vec<Contribution>> = HashMap::new();
    for i in (0..=loss.0).rev().filter(|i| wanted[*i as usize]) {
        let received = std::mem::take(&mut contributions[i as usize]);
        let node = graph.node(Value(i)).clone();
        if let Op::Read(var) = node.op {
            of_variable.entry(var).or_default().extend(received);
        } else if let Some(dy) = sum(graph, &received, &node.ty, &Site::of(&node)) {
            for (arg, contribution) in pull_back(graph, rules, Value(i), &node, dy, &wanted)? {
                contributions[arg.0 as usize].push(contribution);
            }
        }
    }
    let gradients = parameters.iter().map(|p| {
        let var = Var(p.0);
        (var, gradient_of(graph, var, &of_variable.remove(&var).unwrap_or_default()))
    });
    Ok(gradients.collect())
}

/// Which nodes up to the loss a parameter reaches through floating values.
fn wanted(graph: &Graph, loss: Value, parameters: &[VarId]) -> Vec<bool> {
    let mut wanted = vec![false; loss.0 as usize + 1];
    for i in 0..wanted.len() {
        let node = &graph.nodes[i];
        // The first argument of a node with its own gradient receives none.
        let skipped = graph.pending.rules.contains_key(&Value(i as u32)) as usize;
        wanted[i] = node.ty.dtype.is_float()
            && match node.op {
                Op::Read(var) => parameters.iter().any(|p| p.0 == var.0),
                _ => node.args[skipped.min(node.args.len())..].iter().any(|a| wanted[a.0 as usize]),
            };
    }
    wanted
}

/// What the arguments of a node receive for the gradient `dy` of its value.
fn pull_back(
    graph: &mut Graph,
    rules: &mut RuleCache,
    y: Value,
    node: &Node,
    dy: Value,
    wanted: &[bool],
) -> Result<Vec<(Value, Contribution)>, Diagnostic> {
    let Op::Primitive(name, attrs) = &node.op else { return Ok(Vec::new()) };
    if &**name == "gather"
        && let [table, ids] = node.args[..]
        && matches!(graph.node(table).op, Op::Read(_))
    {
        return Ok(vec![(table, gather_gradient(graph, table, ids, dy))]);
    }
    let (rule, args) = match graph.pending.rules.get(&y) {
        Some(rule) => (rule.clone(), &node.args[1..]),
        None => (rules.get(graph, name, attrs, node)?, &node.args[..]),
    };
    let bound: Vec<_> = rule.inputs.iter().copied().zip(args.iter().copied().chain([y, dy])).collect();
    let pairs = args.iter().zip(&rule.outputs).filter(|(arg, _)| wanted[arg.0 as usize]);
    let (targets, roots): (Vec<Value>, Vec<_>) = pairs.filter_map(|(arg, out)| Some((*arg, (*out)?))).unzip();
    let values = splice(graph, &rule.body, &bound, &roots, Some(&Site::of(node)));
    let received = targets.into_iter().zip(values).filter(|(_, v)| graph.constant_value(*v) != Some(0.0));
    Ok(received.map(|(arg, v)| (arg, Contribution::Dense(v))).collect())
}

/// Rows stay rows, unless the numbers are all rows in their order.
fn gather_gradient(graph: &Graph, table: Value, ids: Value, dy: Value) -> Contribution {
    let rows = graph.ty(table).shape[0].clone();
    let all = graph.is_primitive(ids, "iota").is_some() && graph.ty(ids).shape == [rows];
    if all { Contribution::Dense(dy) } else { Contribution::Rows(SparseRows { ids, rows: dy }) }
}

/// The sum of what a value of this type received; `None` when that is nothing.
fn sum(graph: &mut Graph, received: &[Contribution], ty: &Type, site: &Site) -> Option<Value> {
    let mut total = None;
    for contribution in received {
        let part = match *contribution {
            Contribution::Dense(v) => v,
            Contribution::Rows(SparseRows { ids, rows }) => {
                let n = ty.shape.first().cloned().unwrap_or_else(|| Dim::constant(1));
                graph.primitive("scatter_add", vec![ids, rows], vec![("n".into(), Attr::Int(n))], ty.clone(), site)
            }
        };
        total = Some(total.map_or(part, |sum| graph.add(sum, part, site)));
    }
    total
}

fn gradient_of(graph: &mut Graph, var: Var, received: &[Contribution]) -> Gradient {
    let rows = received.iter().map(|c| match c {
        Contribution::Rows(rows) => Some(*rows),
        Contribution::Dense(_) => None,
    });
    if let Some(rows) = rows.collect::<Option<Vec<_>>>().filter(|rows| !rows.is_empty()) {
        return Gradient::Sparse(rows);
    }
    let ty = graph.variables[var.0 as usize].ty.clone();
    let site = Site::default();
    let total = sum(graph, received, &ty, &site);
    Gradient::Dense(total.unwrap_or_else(|| graph.filled(0.0, ty, &site)))
}

/// Every use of a node with its own gradient becomes a use of its first argument.
pub(crate) fn drop_custom_gradients(graph: &mut Graph) {
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

/// The rules that were asked for, by primitive, attributes and types.
struct RuleCache<'a> {
    rules: &'a (dyn Rules + Send + Sync),
    known: HashMap<String, Arc<GradientRule>>,
}

impl RuleCache<'_> {
    fn get(
        &mut self,
        graph: &Graph,
        name: &str,
        attrs: &tfm_lang::model::Attrs,
        node: &Node,
    ) -> Result<Arc<GradientRule>, Diagnostic> {
        let mut key = crate::graph::text::head(name, attrs);
        for a in node.args.iter() {
            let _ = write!(key, " {}", graph.ty(*a));
        }
        let _ = write!(key, " : {}", node.ty);
        if let Some(rule) = self.known.get(&key) {
            return Ok(rule.clone());
        }
        let types: Vec<_> = node.args.iter().map(|a| graph.ty(*a).tensor()).collect();
        let rule = Arc::new(self.rules.gradient(name, attrs, &types, &node.ty.tensor())?);
        self.known.insert(key, rule.clone());
        Ok(rule)
    }
}
