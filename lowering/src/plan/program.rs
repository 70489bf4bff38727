//! Writing a group of elementwise operations as a register program.

use super::form::{Form, Level, form};
use super::halves::Half;
use super::items::{Item, Items, Ref, Work};
use super::{Fused, Instruction, Value};
use crate::fuse::Group;
use std::collections::{BTreeSet, HashMap};
use tfm_lang::types::DType;

/// The program of a group, and what its first registers hold.
pub(crate) fn program(items: &Items, group: &Group) -> (Fused, Vec<Ref>) {
    let list = &items.list;
    let members: BTreeSet<usize> = group.items.iter().copied().collect();
    let form = form(list, &members).expect("a group is a program");
    let mut inputs: Vec<Ref> = Vec::new();
    let seen = |i: usize, r: &Ref| match form.level(&list[i]) {
        Level::Row if list[i].is_elementwise() => form.by_row(&r.layout).map(|layout| Ref { item: r.item, layout }),
        _ => Some(r.clone()),
    };
    let order = by_phase(list, &members, &form);
    for (i, r) in order.iter().flat_map(|i| list[*i].inputs.iter().map(move |r| (*i, r))) {
        if members.contains(&r.item) || matches!(list[r.item].work, Work::Number(_)) {
            continue;
        }
        inputs.extend(seen(i, r).filter(|r| !inputs.contains(r)));
    }
    let mut writer = Writer { inputs: &inputs, instructions: Vec::new(), numbers: HashMap::new(), of: HashMap::new() };
    for i in order {
        writer.item(list, i, &|r| seen(i, r));
    }
    let outputs = group.outputs.iter().map(|i| writer.of[i]).collect();
    let instructions = writer.instructions;
    let skips = skips(items, group, &members, &form);
    (Fused { shape: form.shape, row: form.row, skips, inputs: inputs.len(), instructions, outputs }, inputs)
}

/// The half that need not be computed.
fn skips(items: &Items, group: &Group, members: &BTreeSet<usize>, form: &Form) -> Option<Half> {
    let [.., rows, columns] = form.shape[..] else { return None };
    if form.row != 1 || items.halves.facts.is_empty() {
        return None;
    }
    let list = &items.list;
    // A copy has the node that it is made for.
    let own = |i: usize| Some(&list[i]).filter(|item| !matches!(item.work, Work::Copy));
    let fact = |i: usize, half: usize| Some(items.halves.facts.get(&own(i)?.node)?[half]);
    let whole = |r: &Ref| r.layout.shape == form.shape && r.layout.is_whole(list[r.item].size());
    let can = |half: usize| {
        let output = |i: &usize| {
            form.level(&list[*i]) == Level::Row
                || (list[*i].shape == form.shape && fact(*i, half).is_some_and(|f| f.is_nothing()))
        };
        let reduction = |i: &usize| match (&list[*i].work, list[*i].reduced()) {
            (Work::Kernel(name, ..), Some(_)) => {
                let r = &list[*i].inputs[0];
                let of = fact(r.item, half).filter(|_| whole(r) && form.level(&list[*i]) == Level::Row);
                of.is_some_and(|f| match &**name {
                    "sum" => f.number == Some(0.0),
                    "max" => f.is_masked(),
                    _ => false,
                })
            }
            _ => true,
        };
        // Every row has something left to reduce. What a mask writes is below the largest of that where it is known that
        // softmax makes 0 of it, see `halves`; of a maximum alone it is not known.
        let left = Half::ALL[half] == Half::After || columns >= rows;
        let of = |name: &str| members.iter().any(|i| matches!(&list[*i].work, Work::Kernel(of, ..) if &**of == name));
        let known = of("sum") || !of("max");
        left && known && group.outputs.iter().all(output) && members.iter().all(reduction)
    };
    (0..2).find(|half| can(*half)).map(|half| Half::ALL[half])
}

/// The items in an order in which each phase is complete before the next: what needs a reduction over the row comes
/// a phase after it.
fn by_phase(list: &[Item], members: &BTreeSet<usize>, form: &Form) -> Vec<usize> {
    let mut phase: HashMap<usize, usize> = HashMap::new();
    for i in members {
        let after = |r: &Ref| {
            let of = phase.get(&r.item)?;
            let reduced = list[r.item].reduced().is_some() && form.level(&list[r.item]) == Level::Row;
            Some(of + usize::from(reduced))
        };
        phase.insert(*i, list[*i].inputs.iter().filter_map(after).max().unwrap_or(0));
    }
    let mut order: Vec<usize> = members.iter().copied().collect();
    order.sort_by_key(|i| (phase[i], *i));
    order
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
    fn item(&mut self, list: &[Item], i: usize, seen: &dyn Fn(&Ref) -> Option<Ref>) {
        let item = &list[i];
        let (op, attrs) = match (&item.work, item.reduced()) {
            (Work::Elementwise(op, attrs), _) => (op, attrs.clone()),
            (Work::Kernel(op, ..), Some(reduced)) => (op, vec![(AXES.into(), axes(&reduced))]),
            _ => return,
        };
        let args: Vec<u16> = item.inputs.iter().map(|r| self.register(list, r, seen)).collect();
        let from = item.inputs.first().map_or(item.dtype, |r| list[r.item].dtype);
        let register = self.push(Instruction { op: *op, attrs, args, from, to: item.dtype });
        self.of.insert(i, register);
    }

    fn register(&mut self, list: &[Item], r: &Ref, seen: &dyn Fn(&Ref) -> Option<Ref>) -> u16 {
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
        let place = seen(r).and_then(|r| self.inputs.iter().position(|other| *other == r));
        place.expect("every outside value is an input") as u16
    }

    fn push(&mut self, instruction: Instruction) -> u16 {
        self.instructions.push(instruction);
        (self.inputs.len() + self.instructions.len() - 1) as u16
    }
}

/// The attribute of reductions in programs: the axes of the space that go.
const AXES: &str = "axes";

fn axes(reduced: &[bool]) -> Value {
    Value::Ints((0..reduced.len()).filter(|a| reduced[*a]).map(|a| a as i64).collect())
}

/// How often there is a value in a program, by register: [`Fused::widths`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// A literal, or computed from literals: the same everywhere.
    Same,
    /// One for each element of the space.
    Element,
    /// One for each row.
    Row,
    /// Complete when the program has run.
    Total,
}

impl Instruction {
    /// For a reduction the axes of the space that it runs over.
    pub fn reduced(&self) -> Option<&[i64]> {
        match self.attrs.iter().find(|(name, _)| &**name == AXES) {
            Some((_, Value::Ints(axes))) => Some(axes),
            _ => None,
        }
    }
}

/// Elements that make a piece of a program with totals worth giving away.
const PIECE: usize = 1 << 15;
/// The most pieces that it is cut into.
const MOST_PIECES: usize = 16;

impl Fused {
    /// How often there is a value in each register, given the number of axes of each input; `None` when an
    /// instruction uses what it cannot.
    pub fn widths(&self, axes_of_inputs: &[usize]) -> Option<Vec<Width>> {
        let rank = self.shape.len();
        let first = rank.checked_sub(self.row)?;
        let row: Vec<i64> = (first as i64..rank as i64).collect();
        let of_input = |axes: &usize| match *axes {
            n if n == rank => Some(Width::Element),
            n if n == first => Some(Width::Row),
            _ => None,
        };
        let mut widths = axes_of_inputs.iter().map(of_input).collect::<Option<Vec<_>>>()?;
        for instruction in &self.instructions {
            let args = || instruction.args.iter().map(|a| widths.get(usize::from(*a)).copied());
            let has = |width: Width| args().any(|w| w == Some(width));
            if args().any(|w| w.is_none_or(|w| w == Width::Total)) {
                return None;
            }
            widths.push(match instruction.reduced() {
                Some(_) if instruction.args.len() != 1 => return None,
                Some(axes) if self.row > 0 && axes == row => Width::Row,
                Some(_) => Width::Total,
                None if has(Width::Element) => Width::Element,
                None if has(Width::Row) => Width::Row,
                None => Width::Same,
            });
        }
        Some(widths)
    }

    /// The phase that each instruction belongs to: after those of the reductions over the row that it needs, and not
    /// before that of the instruction in front of it.
    pub fn phases(&self, widths: &[Width]) -> Vec<usize> {
        let mut phases = vec![0; self.inputs];
        for instruction in &self.instructions {
            let after = |a: &u16| {
                let a = usize::from(*a);
                let made = a.checked_sub(self.inputs).map(|k| self.instructions[k].reduced().is_some());
                phases[a] + usize::from(made == Some(true) && widths[a] == Width::Row)
            };
            let before = phases.last().copied().unwrap_or(0);
            phases.push(instruction.args.iter().map(after).max().unwrap_or(0).max(before));
        }
        phases.split_off(self.inputs)
    }

    /// The number of results of a reduction.
    pub fn results(&self, axes: &[i64]) -> usize {
        let kept = (0..self.shape.len()).filter(|a| !axes.contains(&(*a as i64)));
        kept.map(|a| self.shape[a]).product()
    }

    /// The totals among the outputs: their places, and the axes that each runs over.
    pub fn totals(&self) -> impl Iterator<Item = (usize, &[i64])> {
        let rank = self.shape.len() as i64;
        let row: Vec<i64> = (rank - self.row as i64..rank).collect();
        let total = move |(o, register): (usize, &u16)| {
            let made = usize::from(*register).checked_sub(self.inputs)?;
            let axes = self.instructions[made].reduced()?;
            (self.row == 0 || axes != row).then_some((o, axes))
        };
        self.outputs.iter().enumerate().filter_map(total)
    }

    /// Into how many pieces a program with totals is cut, each with sums of its own: by sizes alone.
    pub fn pieces(&self) -> usize {
        let rows = if self.row > 0 { self.shape[..self.shape.len() - self.row].iter().product() } else { usize::MAX };
        let total: usize = self.shape.iter().product();
        (total / PIECE).clamp(1, MOST_PIECES).min(rows)
    }

    /// Bytes of scratch for the sums of all pieces.
    pub fn scratch(&self) -> usize {
        let sums: usize = self.totals().map(|(_, axes)| self.results(axes)).sum();
        8 * sums * if sums > 0 { self.pieces() } else { 0 }
    }

    /// True when output `output` may lie on input `input`, element on element: the input is not read
    /// after the instruction that makes the output. A kernel may then write results as they come.
    pub fn may_overwrite(&self, input: usize, output: usize) -> bool {
        let reads = |i: &Instruction| i.args.iter().any(|a| usize::from(*a) == input);
        let last = self.instructions.iter().rposition(reads);
        let register = usize::from(self.outputs[output]);
        register.checked_sub(self.inputs).is_some_and(|made| last.is_none_or(|last| last <= made))
    }
}
