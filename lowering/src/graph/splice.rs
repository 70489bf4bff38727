//! Copying a checked body into the graph: programs, initial values, gradients, updates.

use super::make::Site;
use super::{Entry, Graph, Op, Scan, Type, Value, Var, Variable};
use std::collections::HashMap;
use std::sync::Arc;
use tfm_lang::model::{Body, Op as BodyOp, Scan as BodyScan, ValueId, VariableKind};

/// Copies what `roots` need of a body and returns their values.
///
/// Nodes in `bound` are not copied: they stand for the given values. An input that is not bound
/// stays an input of the graph. Variables keep their numbers. With a `site`, the copies belong
/// there; without, they keep their own scope and place.
pub fn splice(
    graph: &mut Graph,
    body: &Body,
    bound: &[(ValueId, Value)],
    roots: &[ValueId],
    site: Option<&Site>,
) -> Vec<Value> {
    let mut done: HashMap<ValueId, Value> = bound.iter().copied().collect();
    let mut needed = vec![false; body.nodes.len()];
    let mut stack: Vec<ValueId> = roots.to_vec();
    while let Some(id) = stack.pop() {
        if !done.contains_key(&id) && !std::mem::replace(&mut needed[id.0 as usize], true) {
            stack.extend(&body.node(id).args);
        }
    }
    for (i, node) in body.nodes.iter().enumerate().filter(|(i, _)| needed[*i]) {
        let args: Vec<Value> = node.args.iter().map(|a| done[a]).collect();
        let op = match &node.op {
            BodyOp::Input(name) => Op::Input(*name),
            BodyOp::Constant(literal) => Op::Constant(literal.clone()),
            BodyOp::Read(var) => Op::Read(Var(var.0)),
            BodyOp::Primitive(name, attrs) => Op::Primitive(*name, attrs.clone()),
            BodyOp::CustomGradient(rule) => {
                graph.pending.rules.insert(Value(graph.nodes.len() as u32), rule.clone());
                Op::Primitive("custom_gradient".into(), Vec::new())
            }
            BodyOp::Scan(scan) => Op::Scan(Arc::new(turn(scan, site))),
            BodyOp::Result(k) => Op::Result(*k),
            BodyOp::Gradient(k) => Op::Gradient(*k),
        };
        let own = || Site { scope: Some(node.scope), span: Some(node.span), device: node.device.clone() };
        let site = site.cloned().unwrap_or_else(own);
        let value = graph.push(site.node(op, args, Type::from(&node.ty)));
        done.insert(ValueId(i as u32), value);
    }
    roots.iter().map(|id| done[id]).collect()
}

/// A scan of a body as one of a graph: what is carried becomes the variables of the turn.
fn turn(scan: &BodyScan, site: Option<&Site>) -> Scan {
    let mut turn = Graph::default();
    let mut bound = Vec::new();
    let mut leaf = |turn: &mut Graph, id: &ValueId, op: Op| {
        let node = scan.body.node(*id);
        let site = Site { scope: Some(node.scope), span: Some(node.span), device: None };
        bound.push((*id, turn.push(site.node(op, Vec::new(), Type::from(&node.ty)))));
    };
    for (i, id) in scan.captured.iter().chain(&scan.walked).enumerate() {
        leaf(&mut turn, id, Op::Input(Scan::input(i)));
    }
    for (k, id) in scan.carried.iter().enumerate() {
        turn.variables.push(Variable {
            path: format!("c{k}"),
            kind: VariableKind::State,
            ty: Type::from(scan.body.ty(*id)),
            device: None,
        });
        leaf(&mut turn, id, Op::Read(Var(k as u32)));
    }
    let roots = [&scan.next[..], &scan.yields].concat();
    let values = splice(&mut turn, &scan.body, &bound, &roots, site);
    let (next, yields) = values.split_at(scan.next.len());
    turn.entries.push(Entry {
        name: Scan::TURN.into(),
        outputs: yields.iter().enumerate().map(|(i, v)| (format!("y{i}"), *v)).collect(),
        assigns: next.iter().enumerate().map(|(k, v)| (Var(k as u32), *v)).collect(),
    });
    let walked = (0..scan.captured.len() + scan.walked.len()).map(|i| i >= scan.captured.len()).collect();
    Scan { length: scan.length.clone(), reverse: false, walked, turn }
}
