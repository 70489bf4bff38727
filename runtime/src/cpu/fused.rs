//! The interpreter of fused elementwise programs.
//!
//! The iteration space is flattened, cut into chunks for the threads and tiles that stay in the cache; each
//! instruction is one vector loop over a tile. Contiguous inputs are read where they lie and results written where
//! they belong; other registers have a buffer in the thread's own memory. What is the same for every tile (constants,
//! scalars, repeated rows, and what is computed from scalars alone) is computed once per chunk.

use super::check::lies_on;
use super::elementwise::{self, Tile};
use super::kernels::{Call, Run, Task, require};
use super::view::{MAX_RANK, Walk, collapse, contiguous};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tfm_lang::types::DType;
use tfm_lowering::plan::{Fused, Instruction, Value};

/// Elements of a tile.
const TILE: usize = 512;
/// Bytes of a register's buffer.
const SLOT: usize = TILE * 8;
/// Elements computed, counted once per instruction, that make a chunk worth giving away.
const CHUNK_WORK: usize = 1 << 17;

/// How an input reaches its register.
#[derive(Clone, Copy, PartialEq)]
enum Load {
    /// Contiguous: the register points into it.
    Direct,
    /// One element, repeated.
    Scalar,
    /// One row, repeated, and a tile is a number of whole rows: every tile is the same.
    Row,
    /// Copied run by run.
    Strided,
}

struct Input {
    load: Load,
    bytes: usize,
    strides: Vec<isize>,
}

struct Op {
    tile: Tile,
    args: [u16; 3],
    out: u16,
    name: String,
}

struct Output {
    register: u16,
    bytes: usize,
    /// True: the instruction writes it. False: it is copied from the register after the tile.
    direct: bool,
}

struct Program {
    shape: Vec<usize>,
    total: usize,
    tile: usize,
    chunk: usize,
    inputs: Vec<Input>,
    constants: Vec<(u16, [u8; 8], usize)>,
    /// From scalars alone: once per chunk.
    fixed: Vec<Op>,
    ops: Vec<Op>,
    outputs: Vec<Output>,
    /// Registers with a buffer, and which.
    slots: Vec<(u16, usize)>,
    /// Bytes of the table of registers, in front of the buffers.
    table: usize,
}

/// Compiles a program, and says how much memory of its own each thread needs.
pub(crate) fn prepare(fused: &Fused, call: &Call<'_>) -> Result<(Task, usize), String> {
    let program = compile(fused, call)?;
    let bytes = program.table + (program.slots.iter().map(|s| s.1 + 1).max().unwrap_or(0)) * SLOT;
    Ok((Box::new(move |run| program.run(run)), bytes))
}

fn compile(fused: &Fused, call: &Call<'_>) -> Result<Program, String> {
    let total: usize = fused.shape.iter().product();
    let registers = fused.inputs + fused.instructions.len();
    let dtypes = register_types(fused, call, total)?;
    let strides: Vec<&[isize]> = call.inputs.iter().map(|v| v.strides.as_slice()).collect();
    let (shape, strides) = collapse(&fused.shape, &strides);
    let inner = shape[shape.len() - 1];
    let tile = if inner <= TILE { TILE / inner * inner } else { TILE };
    let inputs: Vec<Input> = std::iter::zip(strides, call.inputs)
        .map(|(s, v)| Input { load: load(&s, &shape, total), bytes: v.dtype.bytes(), strides: s })
        .collect();

    let mut fixed_register: Vec<bool> = inputs.iter().map(|i| matches!(i.load, Load::Scalar)).collect();
    let (mut constants, mut fixed, mut ops) = (Vec::new(), Vec::new(), Vec::new());
    for (i, instruction) in fused.instructions.iter().enumerate() {
        let out = (fused.inputs + i) as u16;
        if &*instruction.op == "constant" {
            let (bytes, size) = constant(instruction)?;
            constants.push((out, bytes, size));
            fixed_register.push(true);
            continue;
        }
        let op = operation(fused, i, out, &dtypes, call)?;
        let same = instruction.args.iter().all(|&a| fixed_register[a as usize]);
        fixed_register.push(same);
        if same { fixed.push(op) } else { ops.push(op) }
    }

    let outputs = outputs(fused, call, &dtypes, &inputs, &fixed_register);
    let slots = slots(registers, &inputs, &fixed_register, &ops, &outputs);
    let work = (ops.len() + fused.inputs).max(1);
    let chunk = (CHUNK_WORK / work / tile).clamp(4, 64) * tile;
    let table = (registers * 8).next_multiple_of(64);
    Ok(Program { shape, total, tile, chunk, inputs, constants, fixed, ops, outputs, slots, table })
}

/// The dtype of each register, after checks of everything the interpreter relies on.
fn register_types(fused: &Fused, call: &Call<'_>, total: usize) -> Result<Vec<DType>, String> {
    let registers = fused.inputs + fused.instructions.len();
    require(registers <= usize::from(u16::MAX), || format!("{registers} registers are too many"))?;
    require(fused.shape.len() <= MAX_RANK, || format!("{} axes are too many", fused.shape.len()))?;
    require(fused.inputs == call.inputs.len() && fused.outputs.len() == call.outputs.len(), || {
        "the program and the step differ in the number of their operands".into()
    })?;
    for (i, view) in call.inputs.iter().enumerate() {
        require(view.shape == fused.shape, || format!("input {i} is {:?}, not {:?}", view.shape, fused.shape))?;
    }
    let mut dtypes: Vec<DType> = call.inputs.iter().map(|v| v.dtype).collect();
    for (i, instruction) in fused.instructions.iter().enumerate() {
        let known = fused.inputs + i;
        require(instruction.args.iter().all(|&a| usize::from(a) < known), || {
            format!("instruction {i}, `{}`, uses a register that comes later", instruction.op)
        })?;
        dtypes.push(instruction.to);
    }
    for (&register, view) in fused.outputs.iter().zip(call.outputs) {
        require(dtypes.get(usize::from(register)) == Some(&view.dtype) && view.size() == total, || {
            format!("register {register} does not fit the output of {}{:?}", view.dtype, view.shape)
        })?;
    }
    Ok(dtypes)
}

fn load(strides: &[isize], shape: &[usize], total: usize) -> Load {
    let inner = shape.len() - 1;
    if contiguous(shape) == strides {
        Load::Direct
    } else if strides.iter().all(|&s| s == 0) && total > 1 {
        Load::Scalar
    } else if shape[inner] <= TILE && strides[..inner].iter().all(|&s| s == 0) {
        Load::Row
    } else {
        Load::Strided
    }
}

/// A literal's bytes.
fn constant(instruction: &Instruction) -> Result<([u8; 8], usize), String> {
    let value = instruction.attrs.iter().find(|(name, _)| &**name == "value").map(|(_, v)| v);
    let (real, whole) = match value {
        Some(Value::Float(x)) => (*x, *x as i64),
        Some(Value::Int(i)) => (*i as f64, *i),
        Some(Value::Bool(b)) => (f64::from(*b), i64::from(*b)),
        other => return Err(format!("a constant has the value {other:?}")),
    };
    let mut bytes = [0; 8];
    let mut put = |b: &[u8]| bytes[..b.len()].copy_from_slice(b);
    match instruction.to {
        DType::F64 => put(&real.to_ne_bytes()),
        DType::F32 => put(&(real as f32).to_ne_bytes()),
        DType::I64 => put(&whole.to_ne_bytes()),
        DType::I32 => put(&(whole as i32).to_ne_bytes()),
        DType::I8 => put(&(whole as i8).to_ne_bytes()),
        DType::U8 => put(&(whole as u8).to_ne_bytes()),
        DType::Bool => put(&[(real != 0.0).into()]),
        other => return Err(super::kernels::unsupported(other)),
    }
    Ok((bytes, instruction.to.bytes()))
}

fn operation(fused: &Fused, i: usize, out: u16, dtypes: &[DType], call: &Call<'_>) -> Result<Op, String> {
    let instruction = &fused.instructions[i];
    let arity = elementwise::arity(&instruction.op).ok_or_else(|| format!("there is no `{}`", instruction.op))?;
    let args = &instruction.args;
    require(args.len() == arity, || format!("`{}` has {} arguments, not {arity}", instruction.op, args.len()))?;
    let types: Vec<DType> = args.iter().map(|&a| dtypes[usize::from(a)]).collect();
    let from = types[arity - 1];
    let mask = usize::from(&*instruction.op == "where");
    require(types[mask..].iter().all(|&t| t == from) && types[..mask].iter().all(|&t| t == DType::Bool), || {
        format!("`{}` is applied to {types:?}", instruction.op)
    })?;
    require(mask == 0 || from == instruction.to, || format!("`where` makes {} of {from}", instruction.to))?;
    let tile = match whole_exponent(fused, instruction, from) {
        Some(n) => elementwise::whole_power(n, from, call.path),
        None => None,
    };
    let tile = match tile {
        Some(tile) => tile,
        None => elementwise::tile(&instruction.op, from, instruction.to, call.path)?,
    };
    let mut registers = [0; 3];
    registers[..arity].copy_from_slice(args);
    Ok(Op { tile, args: registers, out, name: instruction.op.to_string() })
}

/// The exponent of a `power` when it is a whole constant.
fn whole_exponent(fused: &Fused, instruction: &Instruction, dtype: DType) -> Option<i32> {
    let of = usize::from(*instruction.args.get(1)?).checked_sub(fused.inputs)?;
    let exponent = &fused.instructions[of];
    if &*instruction.op != "power" || &*exponent.op != "constant" || !dtype.is_float() {
        return None;
    }
    match exponent.attrs.iter().find(|(name, _)| &**name == "value").map(|(_, v)| v)? {
        Value::Float(x) if x.fract() == 0.0 && x.abs() <= 8.0 => Some(*x as i32),
        Value::Int(i) => i32::try_from(*i).ok(),
        _ => None,
    }
}

/// Results are written in place when an instruction makes them for each tile anew and nothing that is still read
/// lies there.
fn outputs(fused: &Fused, call: &Call<'_>, dtypes: &[DType], inputs: &[Input], fixed: &[bool]) -> Vec<Output> {
    let mut list: Vec<Output> = Vec::new();
    for (&register, view) in fused.outputs.iter().zip(call.outputs) {
        let made = usize::from(register) >= inputs.len() && !fixed[usize::from(register)];
        let apart = !call.inputs.iter().any(|input| lies_on(view, input));
        let first = list.iter().all(|o| o.register != register);
        let bytes = dtypes[usize::from(register)].bytes();
        list.push(Output { register, bytes, direct: made && apart && first });
    }
    list
}

/// Gives buffers to registers; one is used again when its register is not read any more.
fn slots(registers: usize, inputs: &[Input], fixed: &[bool], ops: &[Op], outputs: &[Output]) -> Vec<(u16, usize)> {
    let mut last_use = vec![0; registers];
    for (i, op) in ops.iter().enumerate() {
        last_use[usize::from(op.out)] = i;
        op.args.iter().for_each(|&a| last_use[usize::from(a)] = i);
    }
    // An output is read once more, after the last operation.
    outputs.iter().for_each(|o| last_use[usize::from(o.register)] = ops.len());
    let buffered = |r: usize| inputs.get(r).map_or(fixed[r], |input| input.load != Load::Direct);
    let mut list: Vec<(u16, usize)> = (0..registers).filter(|&r| buffered(r)).map(|r| r as u16).zip(0..).collect();
    let mut count = list.len();
    let (mut free, mut held): (Vec<usize>, Vec<(u16, usize)>) = (Vec::new(), Vec::new());
    for (i, op) in ops.iter().enumerate() {
        if !outputs.iter().any(|o| o.direct && o.register == op.out) {
            // Taken before those of the arguments are given back: a loop never writes what it reads.
            let slot = free.pop().unwrap_or_else(|| {
                count += 1;
                count - 1
            });
            held.push((op.out, slot));
            list.push((op.out, slot));
        }
        let dead = |r: u16| last_use[usize::from(r)] <= i;
        free.extend(held.iter().filter(|h| dead(h.0)).map(|h| h.1));
        held.retain(|h| !dead(h.0));
    }
    list
}

impl Program {
    fn run(&self, run: &Run<'_>) -> Result<(), String> {
        let failed = AtomicUsize::new(usize::MAX);
        run.parallel(self.total.div_ceil(self.chunk), |chunk, thread| {
            // SAFETY: the step was checked, and the thread's memory is as large as `prepare` asked.
            if let Err(op) = unsafe { self.chunk(run, chunk, thread) } {
                failed.fetch_min(op, Relaxed);
            }
        });
        match self.fixed.iter().chain(&self.ops).nth(failed.into_inner()) {
            None => Ok(()),
            Some(op) => Err(format!("`{}` of a whole number by zero", op.name)),
        }
    }

    /// Computes a chunk; on failure the number of the operation.
    ///
    /// # Safety
    /// Registers have an entry in the thread's table, buffers hold a tile of any dtype, views are inside their spaces.
    unsafe fn chunk(&self, run: &Run<'_>, chunk: usize, thread: usize) -> Result<(), usize> {
        let first = chunk * self.chunk;
        let last = self.total.min(first + self.chunk);
        let length = self.tile.min(last - first);
        let local = run.local(thread);
        let table = local.cast::<*mut u8>();
        // SAFETY: the caller's promise.
        unsafe {
            for &(register, slot) in &self.slots {
                *table.add(register.into()) = local.add(self.table + slot * SLOT);
            }
            for (register, bytes, size) in &self.constants {
                fill(bytes.as_ptr(), *size, length, *table.add((*register).into()));
            }
            for (i, input) in self.inputs.iter().enumerate() {
                match input.load {
                    Load::Scalar => fill(run.input(i), input.bytes, length, *table.add(i)),
                    Load::Row => input.copy(run.input(i), &self.shape, first, length, *table.add(i)),
                    Load::Direct | Load::Strided => {}
                }
            }
            for (k, op) in self.fixed.iter().enumerate() {
                op.call(table, length).then_some(()).ok_or(k)?;
            }
            let mut start = first;
            while start < last {
                let n = self.tile.min(last - start);
                self.tile(run, table, start, n).map_err(|k| self.fixed.len() + k)?;
                start += n;
            }
        }
        Ok(())
    }

    /// Computes a tile; on failure the number of the operation.
    ///
    /// # Safety
    /// As for `chunk`, whose registers are set.
    #[inline]
    unsafe fn tile(&self, run: &Run<'_>, table: *mut *mut u8, start: usize, n: usize) -> Result<(), usize> {
        // SAFETY: the caller's promise.
        unsafe {
            for (i, input) in self.inputs.iter().enumerate() {
                match input.load {
                    Load::Direct => *table.add(i) = run.input::<u8>(i).add(start * input.bytes).cast_mut(),
                    Load::Strided => input.copy(run.input(i), &self.shape, start, n, *table.add(i)),
                    Load::Scalar | Load::Row => {}
                }
            }
            for (o, output) in self.outputs.iter().enumerate().filter(|(_, output)| output.direct) {
                *table.add(output.register.into()) = run.output::<u8>(o).add(start * output.bytes);
            }
            for (k, op) in self.ops.iter().enumerate() {
                op.call(table, n).then_some(()).ok_or(k)?;
            }
            for (o, output) in self.outputs.iter().enumerate().filter(|(_, output)| !output.direct) {
                let to = run.output::<u8>(o).add(start * output.bytes);
                std::ptr::copy(*table.add(output.register.into()), to, n * output.bytes);
            }
        }
        Ok(())
    }
}

impl Op {
    /// # Safety
    /// The table points at `n` elements for each argument and the result.
    #[inline]
    unsafe fn call(&self, table: *mut *mut u8, n: usize) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            let args = self.args.map(|a| (*table.add(a.into())).cast_const());
            (self.tile)(n, args, *table.add(self.out.into()))
        }
    }
}

impl Input {
    /// Copies `n` elements from number `start` on.
    ///
    /// # Safety
    /// The view is inside its space, and there is room.
    unsafe fn copy(&self, from: *const u8, shape: &[usize], start: usize, n: usize, to: *mut u8) {
        let strides = &self.strides;
        // SAFETY: the caller's promise.
        unsafe {
            match self.bytes {
                1 => copy(from, shape, strides, start, n, to),
                2 => copy(from.cast::<u16>(), shape, strides, start, n, to.cast()),
                4 => copy(from.cast::<u32>(), shape, strides, start, n, to.cast()),
                _ => copy(from.cast::<u64>(), shape, strides, start, n, to.cast()),
            }
        }
    }
}

/// Repeats one element.
///
/// # Safety
/// There is an element of so many bytes, and room for `n`.
unsafe fn fill(from: *const u8, bytes: usize, n: usize, to: *mut u8) {
    unsafe fn of<T: Copy>(from: *const u8, n: usize, to: *mut u8) {
        // SAFETY: the caller's promise; a literal may lie anywhere.
        unsafe { std::slice::from_raw_parts_mut(to.cast::<T>(), n).fill(from.cast::<T>().read_unaligned()) }
    }
    // SAFETY: the caller's promise.
    unsafe {
        match bytes {
            1 => of::<u8>(from, n, to),
            2 => of::<u16>(from, n, to),
            4 => of::<u32>(from, n, to),
            _ => of::<u64>(from, n, to),
        }
    }
}

/// Copies `n` elements of a strided view, from number `start` on.
///
/// # Safety
/// The view is inside its space, and there is room.
unsafe fn copy<T: Copy>(from: *const T, shape: &[usize], strides: &[isize], start: usize, n: usize, to: *mut T) {
    let last = shape.len() - 1;
    let (inner, step) = (shape[last], strides[last]);
    let mut row = Walk::from(&shape[..last], &strides[..last], start / inner);
    let (mut column, mut done) = (start % inner, 0);
    while done < n {
        let run = (inner - column).min(n - done);
        // SAFETY: the caller's promise.
        unsafe {
            let (from, to) = (from.offset(row.offset + column as isize * step), to.add(done));
            match step {
                0 => std::slice::from_raw_parts_mut(to, run).fill(*from),
                1 => (0..run).for_each(|i| *to.add(i) = *from.add(i)),
                _ => (0..run).for_each(|i| *to.add(i) = *from.offset(i as isize * step)),
            }
        }
        done += run;
        column = 0;
        row.advance();
    }
}
