//! Rules about results of scans; the identities stand in [`super::rules`].

use super::Rewriter;
use crate::graph::{Node, Op, Scan, Value, Var};
use std::sync::Arc;

pub(super) fn result_given(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let (scan, args) = scan(rw, node)?;
    let Op::Result(k) = node.op else { return None };
    let carried = scan.turn.variables.len();
    let stacked = k as usize >= carried;
    match &scan.turn.node(scan.of_result(k as usize)?).op {
        Op::Input(name) => {
            let i = Scan::input_number(name)?;
            let arg = *args.get(i)?;
            match (stacked, scan.walked[i]) {
                (true, true) | (false, false) => Some(arg),
                (true, false) => Some(rw.broadcast_like(arg, node)),
                (false, true) => None,
            }
        }
        Op::Read(Var(v)) if !stacked && *v == k => args.get(scan.walked.len() + k as usize).copied(),
        _ => None,
    }
}

pub(super) fn result_twice(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let (scan, _) = scan(rw, node)?;
    let Op::Result(k) = node.op else { return None };
    let (carried, value) = (scan.turn.variables.len(), scan.of_result(k as usize)?);
    let first = (carried..k as usize).find(|first| scan.of_result(*first) == Some(value))?;
    Some(rw.write(Node { op: Op::Result(first as u32), ..node.clone() }))
}

fn scan(rw: &Rewriter, node: &Node) -> Option<(Arc<Scan>, Vec<Value>)> {
    let node = rw.graph.node(*node.args.first()?);
    match &node.op {
        Op::Scan(scan) => Some((scan.clone(), node.args.clone())),
        _ => None,
    }
}
