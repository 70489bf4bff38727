//! A graph that runs turn after turn, as one operation of another graph.

use super::{Entry, Graph, Node, Op, Type, Value, Var, Variable};
use std::sync::Arc;
use tfm_lang::dim::Dim;
use tfm_lang::model::Word;

/// What a scan runs.
///
/// The arguments of its node are the inputs of the turn, in their order, and then what is carried into the
/// first turn. Turn `i` is given element `i` of axis 0 of what is walked; its outputs are element `i` of the
/// results. The turn's variables are what is carried, its one entry assigns each of them.
#[derive(Clone, PartialEq, Debug)]
pub struct Scan {
    /// The number of turns.
    pub length: Dim,
    /// The last element comes first.
    pub reverse: bool,
    /// For each input of the turn whether it is an element of axis 0 of its argument, or all of it.
    pub walked: Vec<bool>,
    /// One turn; its inputs are called [`Scan::input`].
    pub turn: Graph,
}

impl Scan {
    /// The name of the turn's only entry.
    pub const TURN: &str = "turn";

    /// The name of an input of the turn.
    pub fn input(i: usize) -> Word {
        format!("a{i}").into()
    }

    /// The number of the input with this name.
    pub fn input_number(name: &str) -> Option<usize> {
        name.strip_prefix('a')?.parse().ok()
    }

    /// The turn's entry.
    pub fn entry(&self) -> &Entry {
        &self.turn.entries[0]
    }

    /// What a carried value is in the next turn.
    pub fn next(&self, carried: usize) -> Option<Value> {
        self.entry().assigns.iter().find(|(v, _)| v.0 as usize == carried).map(|(_, v)| *v)
    }

    /// The value in the turn that a result is made of.
    pub fn of_result(&self, k: usize) -> Option<Value> {
        match k.checked_sub(self.turn.variables.len()) {
            Some(output) => self.entry().outputs.get(output).map(|(_, v)| *v),
            None => self.next(k),
        }
    }

    /// The number of results.
    pub fn results(&self) -> usize {
        self.turn.variables.len() + self.entry().outputs.len()
    }

    /// The type of a result.
    pub fn result_type(&self, k: usize) -> Option<Type> {
        let ty = self.turn.ty(self.of_result(k)?);
        Some(if k < self.turn.variables.len() { ty.clone() } else { self.stacked(ty) })
    }

    /// The type of one element per turn.
    pub fn stacked(&self, ty: &Type) -> Type {
        Type { dtype: ty.dtype, shape: std::iter::once(&self.length).chain(&ty.shape).cloned().collect() }
    }

    /// Checks the invariants above, for arguments of these types.
    pub(super) fn verify(&self, args: &[&Type]) -> Result<(), String> {
        self.turn.verify("a turn").map_err(|e| e.to_string())?;
        let [entry] = self.turn.entries.as_slice() else { return Err("a turn has one entry".into()) };
        let carried = self.turn.variables.len();
        if entry.assigns.len() != carried {
            return Err("a turn assigns what is carried".into());
        }
        if args.len() != self.walked.len() + carried {
            return Err(format!("a scan of {} arguments is given {}", self.walked.len() + carried, args.len()));
        }
        let (inputs, initial) = args.split_at(self.walked.len());
        for node in &self.turn.nodes {
            let Op::Input(name) = &node.op else { continue };
            let i = Scan::input_number(name).filter(|i| *i < inputs.len());
            let i = i.ok_or_else(|| format!("a turn has no input `{name}`"))?;
            let want = if self.walked[i] { self.stacked(&node.ty) } else { node.ty.clone() };
            if *inputs[i] != want {
                return Err(format!("a turn takes {} as `{name}`, not {}", node.ty, inputs[i]));
            }
        }
        match initial.iter().zip(&self.turn.variables).find(|(have, want)| **have != &want.ty) {
            Some((have, want)) => Err(format!("`{}` is {} and starts as {have}", want.path, want.ty)),
            None => Ok(()),
        }
    }
}

impl Graph {
    /// Every turn in the graph, to be changed; not those within turns.
    pub(crate) fn for_each_turn(&mut self, mut f: impl FnMut(&mut Graph)) {
        for node in &mut self.nodes {
            if let Op::Scan(scan) = &mut node.op {
                f(&mut Arc::make_mut(scan).turn);
            }
        }
    }

    /// Removes from scans what no result that is used needs: outputs, carried values, inputs. True when
    /// something went.
    pub(crate) fn prune_scans(&mut self) -> bool {
        let mut went = false;
        for s in 0..self.nodes.len() {
            let Op::Scan(scan) = &self.nodes[s].op else { continue };
            let is_result = |n: &Node| matches!(n.op, Op::Result(_)) && n.args[0].0 as usize == s;
            let mut used = vec![false; scan.results()];
            for node in self.nodes.iter().filter(|n| is_result(n)) {
                if let Op::Result(k) = node.op {
                    used[k as usize] = true;
                }
            }
            let scan = scan.clone();
            let Some((pruned, args, places)) = prune(&scan, &self.nodes[s].args, used) else { continue };
            self.nodes[s].op = Op::Scan(Arc::new(pruned));
            self.nodes[s].args = args;
            went = true;
            for node in self.nodes.iter_mut().filter(|n| is_result(n)) {
                if let Op::Result(k) = &mut node.op {
                    *k = places[*k as usize];
                }
            }
        }
        went
    }
}

/// The scan without what is not used, its arguments, and the new numbers of its results; `None` when nothing
/// goes.
fn prune(scan: &Scan, args: &[Value], mut used: Vec<bool>) -> Option<(Scan, Vec<Value>, Vec<u32>)> {
    let carried = scan.turn.variables.len();
    let needed = loop {
        let roots: Vec<Value> = (0..used.len()).filter(|k| used[*k]).filter_map(|k| scan.of_result(k)).collect();
        let needed = scan.turn.needed(roots);
        let read = |k: usize| {
            let is_read = |n: &Node| n.op == Op::Read(Var(k as u32));
            scan.turn.nodes.iter().zip(&needed).any(|(n, needed)| *needed && is_read(n))
        };
        match (0..carried).find(|k| !used[*k] && read(*k)) {
            Some(k) => used[k] = true,
            None => break needed,
        }
    };
    let inputs = scan.turn.nodes.iter().zip(&needed).filter(|(_, needed)| **needed);
    let inputs = inputs.filter_map(|(n, _)| if let Op::Input(name) = &n.op { Scan::input_number(name) } else { None });
    let inputs: std::collections::BTreeSet<usize> = inputs.collect();
    if used.iter().all(|u| *u) && inputs.len() == scan.walked.len() {
        return None;
    }
    // What goes has the number of what stands behind it, which nobody asks for.
    let places: Vec<u32> = (0..used.len()).map(|k| used[..k].iter().filter(|u| **u).count() as u32).collect();
    let mut turn = scan.turn.clone();
    let kept = |k: usize| used[k];
    turn.variables = numbered(&turn.variables, &kept, |k, v| Variable { path: format!("c{k}"), ..v.clone() });
    let entry = &mut turn.entries[0];
    entry.assigns.retain(|(v, _)| kept(v.0 as usize));
    entry.assigns.iter_mut().for_each(|(v, _)| v.0 = places[v.0 as usize]);
    entry.outputs = numbered(&entry.outputs, &|k| kept(carried + k), |k, (_, v)| (format!("y{k}"), *v));
    for (node, needed) in turn.nodes.iter_mut().zip(needed) {
        match &mut node.op {
            // What goes keeps a name that is no input's; the turn is pruned of it.
            Op::Input(name) if needed => {
                let i = Scan::input_number(name).and_then(|i| inputs.iter().position(|k| *k == i));
                *name = Scan::input(i.unwrap_or_default());
            }
            Op::Read(var) if needed => var.0 = places[var.0 as usize],
            _ => {}
        }
    }
    turn.prune();
    let walked = inputs.iter().map(|i| scan.walked[*i]).collect();
    let initial = (0..carried).filter(|k| kept(*k)).map(|k| args[scan.walked.len() + k]);
    let args = inputs.iter().map(|i| args[*i]).chain(initial).collect();
    Some((Scan { length: scan.length.clone(), reverse: scan.reverse, walked, turn }, args, places))
}

/// What is kept of a list, with its new numbers.
fn numbered<T, U>(list: &[T], kept: &dyn Fn(usize) -> bool, f: impl Fn(usize, &T) -> U) -> Vec<U> {
    let kept = list.iter().enumerate().filter(|(k, _)| kept(*k));
    kept.enumerate().map(|(new, (_, x))| f(new, x)).collect()
}
