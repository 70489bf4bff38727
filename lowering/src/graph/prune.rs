//! Removing what no entry needs.

use super::{Gradient, Graph, Value};
use std::collections::BTreeMap;

impl Graph {
    /// Calls `f` on every value that the graph points at from outside its nodes.
    pub fn for_each_root(&mut self, mut f: impl FnMut(&mut Value)) {
        for entry in &mut self.entries {
            entry.outputs.iter_mut().for_each(|(_, v)| f(v));
            entry.assigns.iter_mut().for_each(|(_, v)| f(v));
        }
        for train in &mut self.pending.trains {
            train.losses.iter_mut().for_each(&mut f);
            for (_, gradient) in train.gradients.iter_mut().flatten() {
                match gradient {
                    Gradient::Dense(v) => f(v),
                    Gradient::Sparse(parts) => parts.iter_mut().for_each(|p| {
                        f(&mut p.ids);
                        f(&mut p.rows);
                    }),
                }
            }
        }
    }

    /// Which nodes the given values need, themselves included.
    pub fn needed(&self, roots: impl IntoIterator<Item = Value>) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        for v in roots {
            needed[v.0 as usize] = true;
        }
        for i in (0..self.nodes.len()).rev() {
            if needed[i] {
                for a in &self.nodes[i].args {
                    needed[a.0 as usize] = true;
                }
            }
        }
        needed
    }

    /// Removes the nodes that no entry and no pending gradient needs. Values are renumbered, the
    /// order stays.
    pub fn prune(&mut self) {
        let mut roots = Vec::new();
        self.for_each_root(|v| roots.push(*v));
        let needed = self.needed(roots);
        let mut moved = vec![Value(u32::MAX); self.nodes.len()];
        let nodes = std::mem::take(&mut self.nodes);
        for (i, mut node) in nodes.into_iter().enumerate().filter(|(i, _)| needed[*i]) {
            node.args.iter_mut().for_each(|a| *a = moved[a.0 as usize]);
            moved[i] = self.push(node);
        }
        self.for_each_root(|v| *v = moved[v.0 as usize]);
        let rules = std::mem::take(&mut self.pending.rules);
        self.pending.rules = rules
            .into_iter()
            .filter(|(v, _)| needed[v.0 as usize])
            .map(|(v, rule)| (moved[v.0 as usize], rule))
            .collect::<BTreeMap<_, _>>();
    }
}
