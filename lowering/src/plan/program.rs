//! Writing a group of elementwise operations as a register program.

use super::items::{Item, Items, Ref, Work};
use super::{Fused, Instruction, Value};
use crate::fuse::Group;
use std::collections::HashMap;
use tfm_lang::types::DType;

/// The program of a group, and what its first registers hold.
pub(crate) fn program(items: &Items, group: &Group) -> (Fused, Vec<Ref>) {
    let list = &items.list;
    let mut inputs: Vec<Ref> = Vec::new();
    for r in group.items.iter().flat_map(|i| &list[*i].inputs) {
        let known = group.items.contains(&r.item) || matches!(list[r.item].work, Work::Number(_)) || inputs.contains(r);
        if !known {
            inputs.push(r.clone());
        }
    }
    let mut writer = Writer { inputs: &inputs, instructions: Vec::new(), numbers: HashMap::new(), of: HashMap::new() };
    for i in &group.items {
        writer.item(list, *i);
    }
    let outputs = group.outputs.iter().map(|i| writer.of[i]).collect();
    let shape = list[group.items[0]].shape.clone();
    let instructions = writer.instructions;
    (Fused { shape, inputs: inputs.len(), instructions, outputs }, inputs)
}

struct Writer<'a> {
    inputs: &'a [Ref],
    instructions: Vec<Instruction>,
    /// Registers of literals.
    numbers: HashMap<(DType, u64), u16>,
    /// Registers of items.
    of: HashMap<usize, u16>,
}

impl Writer<'_> {
    fn item(&mut self, list: &[Item], i: usize) {
        let item = &list[i];
        let Work::Elementwise(op, attrs) = &item.work else { return };
        let args: Vec<u16> = item.inputs.iter().map(|r| self.register(list, r)).collect();
        let from = item.inputs.first().map_or(item.dtype, |r| list[r.item].dtype);
        let register = self.push(Instruction { op: *op, attrs: attrs.clone(), args, from, to: item.dtype });
        self.of.insert(i, register);
    }

    fn register(&mut self, list: &[Item], r: &Ref) -> u16 {
        if let Some(register) = self.of.get(&r.item) {
            return *register;
        }
        let item = &list[r.item];
        if let Work::Number(x) = item.work {
            let key = (item.dtype, x.to_bits());
            if let Some(register) = self.numbers.get(&key) {
                return *register;
            }
            let value = if item.dtype == DType::Bool { Value::Bool(x != 0.0) } else { Value::Float(x) };
            let attrs = vec![("value".into(), value)];
            let (from, to) = (item.dtype, item.dtype);
            let register = self.push(Instruction { op: "constant".into(), attrs, args: Vec::new(), from, to });
            self.numbers.insert(key, register);
            return register;
        }
        self.inputs.iter().position(|other| other == r).expect("every outside value is an input") as u16
    }

    fn push(&mut self, instruction: Instruction) -> u16 {
        self.instructions.push(instruction);
        (self.inputs.len() + self.instructions.len() - 1) as u16
    }
}

impl Fused {
    /// True when output `output` may lie on input `input`, element on element: the input is not read
    /// after the instruction that makes the output. A kernel may then write results as they come.
    pub fn may_overwrite(&self, input: usize, output: usize) -> bool {
        let reads = |i: &Instruction| i.args.iter().any(|a| usize::from(*a) == input);
        let last = self.instructions.iter().rposition(reads);
        let register = usize::from(self.outputs[output]);
        register.checked_sub(self.inputs).is_some_and(|made| last.is_none_or(|last| last <= made))
    }
}
