//! A device that runs plans on bytes, as carelessly as a plan allows: memory starts as garbage,
//! scratch is scribbled on, and fused programs write each result as soon as it is there.

use super::kernels::{Array, is_elementwise, keep, kernel, scalar, unravel};
use super::oracle::World;
use std::collections::BTreeMap;
use tfm_lang::model::Word;
use tfm_lang::types::DType;
use tfm_lowering::graph::Graph;
use tfm_lowering::plan::program::Width;
use tfm_lowering::plan::{
    Device, Each, Fused, Kernel, KernelFacts, Loop, Plan, Request, Space, Step, Value, View, schedule,
};

/// Some kernels take strides, some do not; `write_rows` works in place; `cumsum` wants scratch.
pub struct Machine;

impl Device for Machine {
    fn kernel(&self, primitive: &str) -> Option<KernelFacts> {
        let elementwise = is_elementwise(primitive);
        let in_place = (primitive == "write_rows").then_some(0);
        let strided = elementwise || matches!(primitive, "matmul" | "sum" | "max" | "concat");
        let reduction = matches!(primitive, "sum" | "max");
        let matrices = primitive == "matmul";
        (primitive != "no_such_kernel").then_some(KernelFacts { elementwise, reduction, strided, matrices, in_place })
    }

    fn scratch(&self, primitive: &str, _: &[(Word, Value)], inputs: &[View], _: &[View]) -> usize {
        if primitive == "cumsum" { 8 * inputs[0].size() } else { 0 }
    }
}

/// How fused programs run.
#[derive(Clone, Copy, PartialEq)]
pub enum Mode {
    /// One instruction after the other over all elements; results are written at once.
    ByInstruction,
    /// One element after the other.
    ByElement,
}

struct Memory {
    arena: Vec<u8>,
    constants: Vec<u8>,
    feeds: Vec<Vec<u8>>,
    variables: Vec<Vec<u8>>,
}

/// Plans and runs an entry with all its outputs and assigns.
pub fn run(graph: &Graph, entry: &str, world: &World, mode: Mode) -> (BTreeMap<String, Array>, Vec<Array>) {
    let outputs = &graph.entry(entry).expect("an entry").outputs;
    let fetches: Vec<String> = outputs.iter().map(|(n, _)| n.clone()).collect();
    let request = Request { entry: entry.into(), fetches, assigns: true, sizes: world.sizes.clone() };
    let plan = schedule(graph, &request, &Machine).unwrap_or_else(|e| panic!("{e}"));
    plan.check().unwrap_or_else(|e| panic!("{e}\n{plan}"));
    let (fetched, variables) = execute(&plan, graph, world, mode);
    (request.fetches.into_iter().zip(fetched).collect(), variables)
}

pub fn execute(plan: &Plan, graph: &Graph, world: &World, mode: Mode) -> (Vec<Array>, Vec<Array>) {
    let bytes = |a: &Array, d: DType| a.data.iter().flat_map(|x| encode(*x, d)).collect::<Vec<u8>>();
    let dtypes: Vec<DType> = graph.variables.iter().map(|v| v.ty.dtype).collect();
    let mut memory = Memory {
        arena: (0..plan.arena).map(|i| (i * 37 + 11) as u8).collect(),
        constants: plan.constants.clone(),
        feeds: plan.feeds.iter().map(|(n, d, _)| bytes(&world.feeds[&**n], *d)).collect(),
        variables: world.variables.iter().zip(&dtypes).map(|(a, d)| bytes(a, *d)).collect(),
    };
    for step in &plan.steps {
        memory.step(step, mode);
    }
    let variables = world.variables.iter().enumerate().map(|(i, old)| {
        let strides = tfm_lowering::plan::views::row_major(&old.shape);
        let space = Space::Variable(i as u32);
        memory.read(&View { space, offset: 0, dtype: dtypes[i], shape: old.shape.clone(), strides })
    });
    (plan.fetches.iter().map(|v| memory.read(v)).collect(), variables.collect())
}

impl Memory {
    fn space(&mut self, space: Space) -> &mut Vec<u8> {
        match space {
            Space::Arena => &mut self.arena,
            Space::Constant => &mut self.constants,
            Space::Feed(i) => &mut self.feeds[i as usize],
            Space::Variable(i) => &mut self.variables[i as usize],
        }
    }

    fn bytes(&self, space: Space) -> &[u8] {
        match space {
            Space::Arena => &self.arena,
            Space::Constant => &self.constants,
            Space::Feed(i) => &self.feeds[i as usize],
            Space::Variable(i) => &self.variables[i as usize],
        }
    }

    fn element(&self, view: &View, index: &[usize]) -> f64 {
        let moved: isize = index.iter().zip(&view.strides).map(|(i, s)| *i as isize * s).sum();
        let at = view.offset.checked_add_signed(moved * view.dtype.bytes() as isize).expect("inside");
        decode(&self.bytes(view.space)[at..at + view.dtype.bytes()], view.dtype)
    }

    fn read(&self, view: &View) -> Array {
        Array::from_fn(&view.shape, |i| self.element(view, i))
    }

    fn write(&mut self, view: &View, i: usize, x: f64) {
        let at = view.offset + i * view.dtype.bytes();
        let bytes = encode(x, view.dtype);
        self.space(view.space)[at..at + bytes.len()].copy_from_slice(&bytes);
    }

    fn step(&mut self, step: &Step, mode: Mode) {
        let (at, len) = step.scratch;
        self.arena[at..at + len].fill(0xa5);
        match &step.kernel {
            Kernel::Copy => {
                let x = self.read(&step.inputs[0]);
                x.data.iter().enumerate().for_each(|(i, x)| self.write(&step.outputs[0], i, *x));
            }
            Kernel::Primitive(name, attrs) => {
                for view in step.inputs.iter().filter(|_| !Machine.kernel(name).is_some_and(|f| f.strided)) {
                    assert!(view.is_contiguous(), "`{name}` takes no strides");
                }
                let inputs: Vec<Array> = step.inputs.iter().map(|v| self.read(v)).collect();
                let out = &step.outputs[0];
                let y = kernel(name, attrs, &inputs.iter().collect::<Vec<_>>(), &out.shape);
                y.data.iter().enumerate().for_each(|(i, x)| self.write(out, i, *x));
            }
            Kernel::Fused(fused) if mode == Mode::ByElement && !has_reductions(fused) => {
                for i in 0..fused.shape.iter().product() {
                    let registers = self.registers(fused, step, i);
                    for (r, out) in fused.outputs.iter().zip(&step.outputs) {
                        self.write(out, i, registers[usize::from(*r)]);
                    }
                }
            }
            Kernel::Fused(fused) => self.by_instruction(fused, step),
            Kernel::Loop(turns) => self.turns(turns, step, mode),
            Kernel::Each(each) => self.each(each, step, mode),
        }
    }

    fn turns(&mut self, turns: &Loop, step: &Step, mode: Mode) {
        let fed = turns.walked.len();
        let bytes = |v: &View| v.size() * v.dtype.bytes();
        for (out, start) in step.outputs[..turns.carried].iter().zip(&step.inputs[fed..]) {
            let start = self.bytes(start.space)[start.offset..start.offset + bytes(start)].to_vec();
            self.space(out.space)[out.offset..out.offset + start.len()].copy_from_slice(&start);
        }
        for turn in 0..turns.turns {
            let element = if turns.reverse { turns.turns - 1 - turn } else { turn };
            let slot = |v: &View, whole: bool| match whole {
                true => v.offset..v.offset + bytes(v),
                false => {
                    let one = bytes(v) / turns.turns;
                    v.offset + element * one..v.offset + (element + 1) * one
                }
            };
            let of = |(k, v): (usize, &View)| self.bytes(v.space)[slot(v, k < turns.carried)].to_vec();
            let feeds = step.inputs.iter().zip(&turns.walked);
            let mut inner = Memory {
                arena: (0..turns.plan.arena).map(|i| (i * 53 + 7) as u8).collect(),
                constants: turns.plan.constants.clone(),
                feeds: feeds.map(|(v, walked)| self.bytes(v.space)[slot(v, !walked)].to_vec()).collect(),
                variables: step.outputs.iter().enumerate().map(of).collect(),
            };
            turns.plan.steps.iter().for_each(|step| inner.step(step, mode));
            for ((k, v), bytes) in step.outputs.iter().enumerate().zip(inner.variables) {
                self.space(v.space)[slot(v, k < turns.carried)].copy_from_slice(&bytes);
            }
        }
    }

    fn each(&mut self, each: &Each, step: &Step, mode: Mode) {
        let axes = each.outer.len();
        for element in 0..each.outer.iter().product() {
            let index = unravel(element, &each.outer);
            let start = |v: &View| {
                let moved: isize = index.iter().zip(&v.strides).map(|(i, s)| *i as isize * s).sum();
                v.offset.checked_add_signed(moved * v.dtype.bytes() as isize).expect("inside")
            };
            let fed = step.inputs.iter().zip(&each.plan.feeds).map(|(v, (_, dtype, shape))| {
                let bytes = shape.iter().product::<usize>() * dtype.bytes();
                self.bytes(v.space)[start(v)..start(v) + bytes].to_vec()
            });
            let one = |v: &View| start(v)..start(v) + v.shape[axes..].iter().product::<usize>() * v.dtype.bytes();
            let mut inner = Memory {
                arena: (0..each.plan.arena).map(|i| (i * 31 + 5) as u8).collect(),
                constants: each.plan.constants.clone(),
                feeds: fed.collect(),
                variables: step.outputs.iter().map(|v| self.bytes(v.space)[one(v)].to_vec()).collect(),
            };
            each.plan.steps.iter().for_each(|step| inner.step(step, mode));
            for (v, bytes) in step.outputs.iter().zip(inner.variables) {
                self.space(v.space)[one(v)].copy_from_slice(&bytes);
            }
        }
    }

    fn registers(&self, fused: &Fused, step: &Step, i: usize) -> Vec<f64> {
        let index = unravel(i, &fused.shape);
        let mut registers: Vec<f64> = step.inputs.iter().map(|v| self.element(v, &index)).collect();
        for instruction in &fused.instructions {
            let args: Vec<f64> = instruction.args.iter().map(|a| registers[usize::from(*a)]).collect();
            registers.push(compute(instruction, &args));
        }
        registers
    }

    fn by_instruction(&mut self, fused: &Fused, step: &Step) {
        let n: usize = fused.shape.iter().product();
        let (outer, row) = fused.shape.split_at(fused.shape.len() - fused.row);
        let length: usize = row.iter().product();
        let axes: Vec<usize> = step.inputs.iter().map(|v| v.shape.len()).collect();
        let widths = fused.widths(&axes).expect("every register can be used where it is");
        assert!(step.inputs.iter().all(|v| v.shape == fused.shape || v.shape == outer));
        let mut results: Vec<Vec<f64>> = Vec::new();
        for (k, instruction) in fused.instructions.iter().enumerate() {
            let value = |a: u16, i: usize| {
                let (at, shape) =
                    if widths[usize::from(a)] == Width::Row { (i / length, outer) } else { (i, &*fused.shape) };
                match usize::from(a).checked_sub(fused.inputs) {
                    Some(r) => results[r][at],
                    None => self.element(&step.inputs[usize::from(a)], &unravel(at, shape)),
                }
            };
            let all = |i| compute(instruction, &instruction.args.iter().map(|a| value(*a, i)).collect::<Vec<_>>());
            let result: Vec<f64> = match (instruction.reduced(), widths[fused.inputs + k]) {
                (Some(axes), _) => {
                    let x = Array::new(&fused.shape, (0..n).map(|i| value(instruction.args[0], i)).collect());
                    let axes = Value::Ints(axes.to_vec());
                    let size = fused.results(instruction.reduced().expect("axes"));
                    kernel(&instruction.op, &[("axis".into(), axes)], &[&x], &[size]).data
                }
                (None, Width::Row) => (0..n / length).map(|row| all(row * length)).collect(),
                (None, _) => (0..n).map(all).collect(),
            };
            for (r, out) in fused.outputs.iter().zip(&step.outputs) {
                if usize::from(*r) == fused.inputs + k {
                    result.iter().enumerate().for_each(|(i, x)| self.write(out, i, *x));
                }
            }
            results.push(result);
        }
    }
}

fn has_reductions(fused: &Fused) -> bool {
    fused.instructions.iter().any(|i| i.reduced().is_some())
}

fn compute(instruction: &tfm_lowering::plan::Instruction, args: &[f64]) -> f64 {
    let x = match (&*instruction.op, instruction.attrs.first()) {
        ("constant", Some((_, Value::Float(x)))) => *x,
        ("constant", Some((_, Value::Bool(b)))) => f64::from(u8::from(*b)),
        (op, _) => scalar(op, args).unwrap_or_else(|| panic!("`{op}` is not elementwise")),
    };
    keep(x, instruction.to)
}

fn encode(x: f64, dtype: DType) -> Vec<u8> {
    match dtype {
        DType::F64 => x.to_ne_bytes().to_vec(),
        DType::F32 => (x as f32).to_ne_bytes().to_vec(),
        DType::I64 => (x as i64).to_ne_bytes().to_vec(),
        DType::I32 => (x as i32).to_ne_bytes().to_vec(),
        DType::Bool => vec![u8::from(x != 0.0)],
        other => panic!("the tests have no {other}"),
    }
}

fn decode(bytes: &[u8], dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::from_ne_bytes(bytes.try_into().expect("8 bytes")),
        DType::F32 => f32::from_ne_bytes(bytes.try_into().expect("4 bytes")).into(),
        DType::I64 => i64::from_ne_bytes(bytes.try_into().expect("8 bytes")) as f64,
        DType::I32 => i32::from_ne_bytes(bytes.try_into().expect("4 bytes")).into(),
        DType::Bool => f64::from(bytes[0]),
        other => panic!("the tests have no {other}"),
    }
}
