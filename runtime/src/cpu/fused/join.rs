//! Several operations in one loop.

use super::compile::{Compiler, reads};
use super::{Micro, Op};
use crate::cpu::elementwise;
use tfm_lang::types::DType;

impl Compiler<'_> {
    /// Joins what can be: choices that are gates, then what has code of its own, then pairs of what is left.
    pub(super) fn join(&mut self) {
        let readers = self.readers();
        self.gates(&readers);
        #[cfg(target_arch = "x86_64")]
        self.native(&readers);
        self.pairs(&readers);
    }

    /// True where a register holds f32; one that repeats a number of a row holds what that is.
    pub(super) fn single(&self, register: u16) -> bool {
        let before = self.repeated.iter().find(|(_, to)| *to == register).map_or(register, |(from, _)| *from);
        self.dtypes[usize::from(before)] == DType::F32
    }

    /// How many operations read each register; two at least where it is read otherwise too.
    fn readers(&self) -> Vec<u32> {
        let mut readers = vec![0; self.registers];
        let phases = &self.program.phases;
        let rows =
            phases.iter().flat_map(|p| p.by_row.iter().flat_map(|op| op.args).chain(p.repeats.iter().map(|r| r.0)));
        rows.chain(self.fused.outputs.iter().copied()).for_each(|r| readers[usize::from(r)] += 2);
        for micro in phases.iter().flat_map(|p| &p.micros) {
            let mut read = reads(micro).to_vec();
            read.sort_unstable();
            read.dedup();
            read.into_iter().for_each(|r| readers[usize::from(r)] += 1);
        }
        readers
    }

    /// Makes one operation of `where(a > 0, b, 0)`, the gradient of a `relu`: no mask is written and read.
    fn gates(&mut self, readers: &[u32]) {
        let zero = |r: u16| self.program.constants.iter().any(|(c, bytes, _)| *c == r && *bytes == [0; 8]);
        let singles: Vec<bool> = (0..self.registers as u16).map(|r| self.single(r)).collect();
        let whole = |r: u16| singles[usize::from(r)];
        let names = &mut self.program.names;
        for phase in &mut self.program.phases {
            let mut gone = Vec::new();
            for at in 0..phase.micros.len() {
                let Micro::Op(choice) = &phase.micros[at] else { continue };
                let [mask, b, other] = choice.args;
                if names[choice.name] != "where" || !zero(other) || !whole(b) || readers[usize::from(mask)] != 1 {
                    continue;
                }
                let is_mask = |m: &Micro| match m {
                    Micro::Op(op) => op.out == mask && names[op.name] == "greater" && whole(op.args[0]),
                    _ => false,
                };
                let Some(made) = phase.micros[..at].iter().position(is_mask) else { continue };
                let Micro::Op(Op { args: [a, than, _], .. }) = phase.micros[made] else { continue };
                if zero(than) {
                    gone.push(made);
                    let gate = Op {
                        tile: elementwise::gated(self.call.path),
                        args: [a, b, b],
                        out: choice.out,
                        name: names.len(),
                    };
                    names.push("gate".into());
                    phase.micros[at] = Micro::Op(gate);
                }
            }
            let mut at = 0..;
            phase.micros.retain(|_| !at.next().is_some_and(|i| gone.contains(&i)));
        }
    }

    /// Puts an operation whose result only one other reads into the loop of that one: a register less is written and read.
    fn pairs(&mut self, readers: &[u32]) {
        let names = &self.program.names;
        for phase in &mut self.program.phases {
            // The operations so far that are no pair, by the register that they make.
            let mut single: Vec<Option<usize>> = vec![None; self.registers];
            let mut gone = vec![false; phase.micros.len()];
            for at in 0..phase.micros.len() {
                let Micro::Op(op) = &phase.micros[at] else { continue };
                let [a, b, _] = op.args;
                let join = |from: u16, other: u16, behind: bool| {
                    let made = single[usize::from(from)].filter(|_| readers[usize::from(from)] == 1 && a != b)?;
                    let Micro::Op(first) = &phase.micros[made] else { return None };
                    let whole = [from, op.out].iter().all(|r| self.dtypes[usize::from(*r)] == DType::F32);
                    let tile = elementwise::pair(&names[first.name], &names[op.name], behind, self.call.path);
                    let args = [first.args[0], first.args[1], other];
                    tile.filter(|_| whole).map(|tile| (made, Op { tile, args, out: op.out, name: op.name }))
                };
                match join(a, b, false).or_else(|| join(b, a, true)) {
                    Some((made, both)) => {
                        gone[made] = true;
                        phase.micros[at] = Micro::Op(both);
                    }
                    None => single[usize::from(op.out)] = Some(at),
                }
            }
            let mut gone = gone.into_iter();
            phase.micros.retain(|_| !gone.next().unwrap_or(false));
        }
    }
}
