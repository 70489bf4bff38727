//! Which parameters a loss reaches, and whether every operation on the way has a gradient.

use super::elab::{Elab, Res};
use crate::diagnostic::Diagnostic;
use crate::model::{Body, Op, ValueId, VarId, VariableKind};

/// What a loss reaches.
pub(super) struct Reach {
    /// In order of first use.
    pub parameters: Vec<VarId>,
}

impl Elab {
    pub fn reach(&mut self, body: &Body, loss: ValueId) -> Res<Reach> {
        // What depends on a parameter through floating values.
        let mut moved = vec![false; body.nodes.len()];
        for (i, node) in body.nodes.iter().enumerate() {
            moved[i] = match &node.op {
                Op::Read(id) => self.variables[id.0 as usize].kind == VariableKind::Parameter,
                Op::Primitive(name, _) if &**name == "stop_gradient" => false,
                Op::CustomGradient(_) => node.args[1..].iter().any(|a| moved[a.0 as usize]),
                _ => node.ty.dtype.is_float() && node.args.iter().any(|a| moved[a.0 as usize]),
            };
        }
        let mut seen = vec![false; body.nodes.len()];
        let mut next = vec![loss];
        let mut parameters = Vec::new();
        while let Some(v) = next.pop() {
            let i = v.0 as usize;
            if !moved[i] || std::mem::replace(&mut seen[i], true) {
                continue;
            }
            let node = body.node(v);
            match &node.op {
                Op::Read(id) => parameters.push(*id),
                Op::CustomGradient(_) => next.extend(&node.args[1..]),
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
        parameters.sort();
        parameters.dedup();
        Ok(Reach { parameters })
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
