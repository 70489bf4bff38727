//! Which parameters a loss reaches, and whether every operation on the way has a gradient.

use super::elab::{Elab, Res};
use crate::diagnostic::Diagnostic;
use crate::model::{Body, Op, Scan, ValueId, VarId, VariableKind};

/// What a loss reaches.
pub(super) struct Reach {
    /// In order of first use.
    pub parameters: Vec<VarId>,
}

/// What depends on the seeds through floating values.
pub(super) fn moved(body: &Body, seed: &dyn Fn(ValueId) -> bool) -> Vec<bool> {
    let mut moved = vec![false; body.nodes.len()];
    for (i, node) in body.nodes.iter().enumerate() {
        let any = |args: &[ValueId]| args.iter().any(|a| moved[a.0 as usize]);
        moved[i] = seed(ValueId(i as u32))
            || match &node.op {
                Op::Primitive(name, _) if &**name == "stop_gradient" => false,
                Op::CustomGradient(_) => any(&node.args[1..]),
                Op::Result(_) => node.ty.dtype.is_float() && any(&reached(body, ValueId(i as u32))),
                _ => node.ty.dtype.is_float() && any(&node.args),
            };
    }
    moved
}

/// The arguments of its scan that a result depends on.
fn reached(body: &Body, result: ValueId) -> Vec<ValueId> {
    let node = body.node(result);
    let scan = body.node(node.args[0]);
    let (Op::Result(k), Op::Scan(turn)) = (&node.op, &scan.op) else { return node.args.clone() };
    let reached = turn.reached(*k as usize);
    scan.args.iter().zip(reached).filter(|(_, reached)| *reached).map(|(a, _)| *a).collect()
}

impl Elab {
    pub fn reach(&mut self, body: &Body, loss: ValueId) -> Res<Reach> {
        let is_parameter = |v: ValueId| match body.node(v).op {
            Op::Read(id) => self.variables[id.0 as usize].kind == VariableKind::Parameter,
            _ => false,
        };
        let moved = moved(body, &is_parameter);
        let path = self.path(body, &moved, &[loss])?;
        let read = |v: &ValueId| match body.node(*v).op {
            Op::Read(id) => Some(id),
            _ => None,
        };
        let mut parameters: Vec<VarId> = path.iter().filter_map(read).collect();
        parameters.sort();
        parameters.dedup();
        Ok(Reach { parameters })
    }

    /// What lies between the roots and what moves them; an operation without a gradient there is an error.
    pub fn path(&mut self, body: &Body, moved: &[bool], roots: &[ValueId]) -> Res<Vec<ValueId>> {
        let mut seen = vec![false; body.nodes.len()];
        let mut next = roots.to_vec();
        let mut path = Vec::new();
        while let Some(v) = next.pop() {
            let i = v.0 as usize;
            if !moved[i] || std::mem::replace(&mut seen[i], true) {
                continue;
            }
            path.push(v);
            let node = body.node(v);
            match &node.op {
                Op::CustomGradient(_) => next.extend(&node.args[1..]),
                Op::Result(k) => {
                    if let Op::Scan(scan) = &body.node(node.args[0]).op {
                        let of = |i: usize| moved[body.node(node.args[0]).args[i].0 as usize];
                        self.path_in_turn(scan, &of, *k as usize)?;
                    }
                    next.extend(reached(body, v));
                }
                Op::Primitive(name, _) => {
                    let declared =
                        self.program.primitive(name).map(|id| self.program.callable(id).callable.grad.is_some());
                    if declared == Some(false) {
                        let d = Diagnostic::error(
                            "E0607",
                            node.span,
                            format!("`{name}` has no gradient, and the loss depends on it"),
                        )
                        .help("`stop_gradient(…)` says that none is wanted");
                        return Err(self.fail(d));
                    }
                    next.extend(&node.args);
                }
                _ => next.extend(&node.args),
            }
        }
        Ok(path)
    }

    /// The same within a scan; `of` says which arguments of its node move.
    fn path_in_turn(&mut self, scan: &Scan, of: &dyn Fn(usize) -> bool, result: usize) -> Res<()> {
        let inputs: Vec<ValueId> = [&scan.captured[..], &scan.walked, &scan.carried].concat();
        let mut seeds: Vec<ValueId> = inputs.into_iter().enumerate().filter(|(i, _)| of(*i)).map(|(_, v)| v).collect();
        let mut inner = moved(&scan.body, &|v| seeds.contains(&v));
        // What moves in one turn is carried into the next.
        while let Some((carried, _)) = scan
            .carried
            .iter()
            .zip(&scan.next)
            .find(|(carried, next)| inner[next.0 as usize] && !inner[carried.0 as usize])
        {
            seeds.push(*carried);
            inner = moved(&scan.body, &|v| seeds.contains(&v));
        }
        let roots = match result.checked_sub(scan.carried.len()) {
            Some(yielded) => [&scan.next[..], &scan.yields[yielded..=yielded]].concat(),
            None => scan.next.clone(),
        };
        self.path(&scan.body, &inner, &roots).map(|_| ())
    }

    /// The operation that no gradient passes between a loss and the parameters behind it, and its place.
    pub fn gradient_ends(&self, body: &Body, loss: ValueId) -> Option<(String, crate::source::Span)> {
        let mut behind = vec![false; body.nodes.len()];
        for (i, node) in body.nodes.iter().enumerate() {
            behind[i] = match &node.op {
                Op::Read(id) => self.variables[id.0 as usize].kind == VariableKind::Parameter,
                _ => node.args.iter().any(|a| behind[a.0 as usize]),
            };
        }
        let mut next = vec![loss];
        let mut seen = vec![false; body.nodes.len()];
        while let Some(v) = next.pop() {
            let node = body.node(v);
            if !behind[v.0 as usize] || std::mem::replace(&mut seen[v.0 as usize], true) {
                continue;
            }
            if let Op::Primitive(name, _) = &node.op {
                let stops = &**name == "stop_gradient" || !node.ty.dtype.is_float();
                let from = node.args.iter().any(|a| behind[a.0 as usize] && body.ty(*a).dtype.is_float());
                if stops && from {
                    return Some((super::operators::sign_of_primitive(name).to_string(), node.span));
                }
            }
            next.extend(&node.args);
        }
        None
    }
}
