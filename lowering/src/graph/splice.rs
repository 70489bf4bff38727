//! Copying a checked body into the graph: programs, initial values, gradients, updates.

use super::make::Site;
use super::{Graph, Op, Type, Value, Var};
use std::collections::HashMap;
use tfm_lang::model::{Body, Op as BodyOp, ValueId};

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
            BodyOp::Input(name) => Op::Input(name.clone()),
            BodyOp::Constant(literal) => Op::Constant(literal.clone()),
            BodyOp::Read(var) => Op::Read(Var(var.0)),
            BodyOp::Primitive(name, attrs) => Op::Primitive(name.clone(), attrs.clone()),
            BodyOp::CustomGradient(rule) => {
                graph.pending.rules.insert(Value(graph.nodes.len() as u32), rule.clone());
                Op::Primitive("custom_gradient".into(), Vec::new())
            }
        };
        let own = || Site { scope: Some(node.scope.clone()), span: Some(node.span), device: node.device.clone() };
        let site = site.cloned().unwrap_or_else(own);
        let value = graph.push(site.node(op, args, Type::from(&node.ty)));
        done.insert(ValueId(i as u32), value);
    }
    roots.iter().map(|id| done[id]).collect()
}
