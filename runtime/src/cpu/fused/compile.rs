//! From a plan's program to what runs.

use super::fold::{STATE, folder};
use super::load::{Input, Load};
use super::{
    CHUNK_WORK, FEW_CHUNKS, FEW_OPERANDS, LINE, LONG, Micro, Op, Output, Phase, Program, SMALL_CHUNK_WORK, TILE, Total,
};
use crate::cpu::check::lies_on;
use crate::cpu::elementwise;
use crate::cpu::kernels::{Call, require, unsupported};
use crate::cpu::view::{MAX_RANK, collapse};
use tfm_lang::types::DType;
use tfm_lowering::plan::program::Width;
use tfm_lowering::plan::{Fused, Instruction, Value};

/// Operations on a tile from which it is worth to ask for the next, where tiles are written: fewer are done as fast as it
/// comes anyway, and asking for four tensors costs Adam a twelfth.
const WORTH_ASKING: usize = 3;

/// Compiles a program, and says how much memory of its own each thread needs.
pub(super) fn compile(fused: &Fused, call: &Call<'_>) -> Result<(Program, usize), String> {
    let dtypes = register_types(fused, call)?;
    let axes: Vec<usize> = call.inputs.iter().map(|v| v.shape.len()).collect();
    let widths = fused.widths(&axes).ok_or("an instruction uses a register that it cannot")?;
    check_outputs(fused, call, &widths)?;
    let mut compiler = Compiler::new(fused, call, dtypes, widths);
    compiler.instructions()?;
    Ok(compiler.finish())
}

/// The dtype of each register, after checks of everything the interpreter relies on.
fn register_types(fused: &Fused, call: &Call<'_>) -> Result<Vec<DType>, String> {
    let registers = fused.inputs + fused.instructions.len();
    require(registers <= usize::from(u16::MAX), || format!("{registers} registers are too many"))?;
    require(fused.shape.len() <= MAX_RANK, || format!("{} axes are too many", fused.shape.len()))?;
    require(fused.inputs == call.inputs.len() && fused.outputs.len() == call.outputs.len(), || {
        "the program and the step differ in the number of their operands".into()
    })?;
    for (i, view) in call.inputs.iter().enumerate() {
        let outer = fused.shape.len().checked_sub(fused.row).map(|n| &fused.shape[..n]);
        let fits = view.shape == fused.shape || Some(&*view.shape) == outer;
        require(fits, || format!("input {i} is {:?}, not {:?}", view.shape, fused.shape))?;
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
        require(dtypes.get(usize::from(register)) == Some(&view.dtype), || {
            format!("register {register} does not fit the output of {}{:?}", view.dtype, view.shape)
        })?;
    }
    Ok(dtypes)
}

/// That each output has the size of its register.
fn check_outputs(fused: &Fused, call: &Call<'_>, widths: &[Width]) -> Result<(), String> {
    let total: usize = fused.shape.iter().product();
    let rows: usize = fused.shape[..fused.shape.len() - fused.row].iter().product();
    for (&register, view) in fused.outputs.iter().zip(call.outputs) {
        let size = match (widths[usize::from(register)], usize::from(register).checked_sub(fused.inputs)) {
            (Width::Row, _) => rows,
            (Width::Total, Some(made)) => fused.instructions[made].reduced().map_or(0, |axes| fused.results(axes)),
            _ => total,
        };
        require(view.size() == size, || {
            format!("register {register} does not fit the output of {}{:?}", view.dtype, view.shape)
        })?;
    }
    Ok(())
}

pub(super) struct Compiler<'a> {
    pub(super) fused: &'a Fused,
    pub(super) call: &'a Call<'a>,
    pub(super) dtypes: Vec<DType>,
    widths: Vec<Width>,
    /// The phase of each register, 0 for inputs.
    phase: Vec<usize>,
    /// Registers that are the same for every tile.
    pub(super) fixed: Vec<bool>,
    /// Registers of numbers of rows that are repeated, and where.
    pub(super) repeated: Vec<(u16, u16)>,
    pub(super) program: Program,
    /// Registers so far, and bytes of the thread's memory behind its table.
    pub(super) registers: usize,
    states: usize,
}

impl<'a> Compiler<'a> {
    fn new(fused: &'a Fused, call: &'a Call<'a>, dtypes: Vec<DType>, widths: Vec<Width>) -> Compiler<'a> {
        let total: usize = fused.shape.iter().product();
        let outer = fused.shape.len() - fused.row;
        let wide = |v: &&tfm_lowering::plan::View| v.shape.len() == fused.shape.len();
        let sums: Vec<(usize, Vec<isize>)> = fused.totals().map(|(o, axes)| (o, kept(&fused.shape, axes))).collect();
        let mut strides: Vec<&[isize]> = call.inputs.iter().filter(wide).map(|v| v.strides.as_slice()).collect();
        strides.extend(sums.iter().map(|(_, s)| s.as_slice()));
        let (shape, mut strides) = collapse(&fused.shape, &strides);
        let sum_strides = strides.split_off(strides.len() - sums.len());

        let row: usize = if fused.row > 0 { fused.shape[outer..].iter().product() } else { 0 };
        let inner = shape[shape.len() - 1];
        let skips = fused.skips.filter(|_| row >= LONG && fused.row == 1 && fused.shape.len() >= 2);
        let skips = skips.map(|half| (half, fused.shape[outer - 1]));
        // A tile of each operand, and of inputs the next one too, are in the first cache together. What repeats is laid out
        // for a tile in each run: of few elements that should not be most of the work.
        let many = call.inputs.len() + call.outputs.len() > FEW_OPERANDS;
        let most = if many || total < 8 * TILE { TILE / 2 } else { TILE };
        let (block, tile) = match row {
            n if skips.is_some() => (n, n.min(most)),
            0 if inner <= most => (most / inner * inner, most / inner * inner),
            0 => (most, most),
            n if n <= most => ((most / n).min(total / n) * n, (most / n).min(total / n) * n),
            n => (n, most),
        };
        let mut strides = strides.into_iter();
        let inputs = call.inputs.iter().map(|v| match v.shape.len() == fused.shape.len() {
            true => {
                let mut input = Input::new(&shape, strides.next().unwrap_or_default(), v.dtype.bytes(), tile);
                if block == tile {
                    input.lay_out(tile);
                }
                input
            }
            false => {
                let (shape, mut strides) = collapse(&v.shape, &[&v.strides]);
                Input::new(&shape, strides.pop().unwrap_or_default(), v.dtype.bytes(), 1)
            }
        });
        let inputs: Vec<Input> = inputs.collect();
        let fixed = inputs.iter().map(|i| i.load == Load::Scalar).collect();
        let mut phase = vec![0; fused.inputs];
        phase.extend(fused.phases(&widths));
        let phases = (0..=phase.iter().copied().max().unwrap_or(0)).map(|_| Phase::default()).collect();
        let mut program = Program {
            shape,
            total,
            block,
            tile,
            length: if row > 0 { row } else { tile },
            skips,
            chunk: 1,
            pieces: fused.pieces(),
            inputs,
            registers: 0,
            strided: false,
            constants: Vec::new(),
            fixed: Vec::new(),
            phases,
            outputs: Vec::new(),
            narrow_outputs: Vec::new(),
            totals: Vec::new(),
            #[cfg(target_arch = "x86_64")]
            code: None,
            buffers: Vec::new(),
            whole_rows: Vec::new(),
            names: Vec::new(),
        };
        let mut scratch = 0;
        for ((output, _), strides) in sums.into_iter().zip(sum_strides) {
            let view = &call.outputs[output];
            let total = Total {
                output,
                folder: folder("sum", DType::F32).expect("there is a sum of f32"),
                bytes: view.dtype.bytes(),
                results: view.size(),
                scratch,
                strides,
            };
            scratch += 8 * total.results * program.pieces;
            program.totals.push(total);
        }
        let (registers, repeated) = (fused.inputs + fused.instructions.len(), Vec::new());
        Compiler { fused, call, dtypes, widths, phase, fixed, repeated, program, registers, states: 0 }
    }

    fn instructions(&mut self) -> Result<(), String> {
        for (i, instruction) in self.fused.instructions.iter().enumerate() {
            let out = (self.fused.inputs + i) as u16;
            if &*instruction.op == "constant" {
                let (bytes, size) = constant(instruction)?;
                self.program.constants.push((out, bytes, size));
                self.fixed.push(true);
                continue;
            }
            let phase = self.phase[usize::from(out)];
            if let Some(axes) = instruction.reduced() {
                self.reduction(instruction, axes, out, phase)?;
                self.fixed.push(false);
                continue;
            }
            let mut op = operation(self.fused, i, out, &self.dtypes, self.call)?;
            op.name = self.program.names.len();
            self.program.names.push(instruction.op.to_string());
            let fixed = instruction.args.iter().all(|&a| self.fixed[usize::from(a)]);
            self.fixed.push(fixed);
            if fixed {
                self.program.fixed.push(op);
            } else if self.widths[usize::from(out)] == Width::Row {
                self.program.phases[phase].by_row.push(op);
            } else {
                let used = instruction.args.len();
                for arg in &mut op.args[..used] {
                    *arg = self.by_element(*arg, phase);
                }
                self.program.phases[phase].micros.push(Micro::Op(op));
            }
        }
        Ok(())
    }

    fn reduction(&mut self, instruction: &Instruction, axes: &[i64], out: u16, phase: usize) -> Result<(), String> {
        let [from] = instruction.args[..] else { return Err(format!("`{}` has one argument", instruction.op)) };
        let folder = folder(&instruction.op, instruction.from)?;
        let from = self.by_element(from, phase);
        if self.widths[usize::from(out)] == Width::Row {
            self.program.phases[phase].micros.push(Micro::Row { folder, from, to: out, state: self.states });
            self.states += 1;
            return Ok(());
        }
        require(axes.iter().all(|a| (0..self.fused.shape.len() as i64).contains(a)), || {
            format!("there are no axes {axes:?} in {:?}", self.fused.shape)
        })?;
        let is_it = |t: &Total| self.fused.outputs[t.output] == out;
        let total = self.program.totals.iter().position(is_it).ok_or("a total is no output")?;
        self.program.totals[total].folder = folder;
        self.program.phases[phase].micros.push(Micro::Total { from, total });
        Ok(())
    }

    /// The register that has a value for each element, where this one has a number for each row.
    fn by_element(&mut self, register: u16, phase: usize) -> u16 {
        if self.widths[usize::from(register)] != Width::Row || self.fixed[usize::from(register)] {
            return register;
        }
        if let Some((_, to)) = self.repeated.iter().find(|(from, _)| *from == register) {
            return *to;
        }
        let to = self.registers as u16;
        self.registers += 1;
        self.repeated.push((register, to));
        let bytes = self.dtypes[usize::from(register)].bytes();
        self.program.phases[phase].repeats.push((register, to, bytes));
        to
    }

    fn finish(mut self) -> (Program, usize) {
        self.join();
        self.outputs();
        self.loads();
        let table = ((self.registers + self.fused.inputs) * 8).next_multiple_of(64);
        let bytes = self.buffers(table);
        let program = &mut self.program;
        program.registers = self.registers;
        program.strided = !program.totals.is_empty() || program.inputs.iter().any(|i| i.load == Load::Strided);
        let ops: usize = program.phases.iter().map(|p| p.micros.len()).sum();
        let least = if program.block > program.tile { 1 } else { 4 };
        let worth = |work: usize| (work / (ops + self.fused.inputs).max(1) / program.block).clamp(least, 64);
        let few = program.total.div_ceil(program.block).div_ceil(FEW_CHUNKS);
        let worth = worth(CHUNK_WORK).min(few.max(worth(SMALL_CHUNK_WORK)));
        // What repeats is laid out for each chunk.
        let periods = program.inputs.iter().filter_map(Input::period).max().unwrap_or(0);
        program.chunk = match self.call.threads {
            // Nobody to give anything to.
            1 => program.total.div_ceil(program.block),
            _ => worth.max(4 * periods / program.block),
        };
        (self.program, bytes)
    }

    /// Results are written in place when an instruction makes them for each tile anew and nothing that is still read
    /// lies there.
    fn outputs(&mut self) {
        for (output, (&register, view)) in self.fused.outputs.iter().zip(self.call.outputs).enumerate() {
            let r = usize::from(register);
            let bytes = self.dtypes[r].bytes();
            let program = &mut self.program;
            match self.widths[r] {
                Width::Total => {}
                Width::Row => program.narrow_outputs.push(Output { output, register, bytes, direct: false }),
                _ => {
                    let made = r >= self.fused.inputs && !self.fixed[r];
                    let mut inputs = self.call.inputs.iter().enumerate();
                    let apart =
                        inputs.all(|(i, input)| !lies_on(view, input) || over(program, self.fused, register, i));
                    let first = program.outputs.iter().all(|o| o.register != register);
                    let direct = made && apart && first;
                    if !direct {
                        let phase = if self.fixed[r] { 0 } else { self.phase[r] };
                        program.phases[phase].copies.push(program.outputs.len());
                    }
                    program.outputs.push(Output { output, register, bytes, direct });
                }
            }
        }
    }

    /// Which inputs are brought to their registers in which phase: in each where a row is longer than a tile.
    fn loads(&mut self) {
        let program = &mut self.program;
        for i in 0..self.fused.inputs {
            let register = i as u16;
            if self.widths[i] == Width::Row {
                if program.inputs[i].load != Load::Scalar {
                    program.phases[0].row_loads.push(i);
                }
                continue;
            }
            if matches!(program.inputs[i].load, Load::Scalar | Load::Row) {
                continue;
            }
            for phase in &mut program.phases {
                let read = |m: &Micro| reads(m).contains(&register);
                let copied = phase.copies.iter().any(|o| program.outputs[*o].register == register);
                if phase.micros.iter().any(read) || copied {
                    phase.loads.push(i);
                    let worth = phase.micros.len() >= WORTH_ASKING || program.outputs.is_empty();
                    if program.inputs[i].load == Load::Direct && worth {
                        let lines = (program.tile * program.inputs[i].bytes).div_ceil(LINE);
                        phase.streams.push((i, lines.div_ceil(phase.micros.len())));
                    }
                    if program.tile == program.block {
                        break;
                    }
                }
            }
        }
    }

    /// Gives buffers to registers; one is used again when its register is not read any more. Gives the bytes of the
    /// thread's memory.
    fn buffers(&mut self, table: usize) -> usize {
        let Compiler { program, dtypes, .. } = self;
        // Two lines more than a tile: what lies 4096 bytes apart shares a set of the first cache, and a processor takes a read
        // for one of what has just been written there.
        let slot = TILE * dtypes.iter().map(|d| d.bytes()).max().unwrap_or(1) + 2 * LINE;
        let mut end = table;
        let mut take = |bytes: usize| {
            end += bytes.next_multiple_of(64);
            end - bytes.next_multiple_of(64)
        };
        for (i, input) in program.inputs.iter_mut().enumerate().filter(|(_, input)| input.load != Load::Direct) {
            input.buffer = take(input.period().map_or(slot, |n| n * input.bytes));
            program.buffers.push((i as u16, input.buffer));
        }
        let fixed = program.fixed.iter().map(|op| op.out).chain(program.constants.iter().map(|c| c.0));
        let repeats = program.phases.iter().flat_map(|p| &p.repeats).map(|r| r.1);
        let by_row = program.phases.iter().flat_map(|p| p.by_row.iter().map(|op| op.out));
        let folded = program.phases.iter().flat_map(|p| p.row_folds().map(|f| f.2));
        let kept: Vec<u16> = fixed.chain(repeats).chain(by_row).chain(folded).collect();
        program.buffers.extend(kept.into_iter().map(|r| (r, take(slot))));
        for phase in &mut program.phases {
            for micro in &mut phase.micros {
                if let Micro::Row { state, .. } = micro {
                    *state = take(STATE);
                }
            }
        }

        // When each register is read for the last time, as the number of a micro-operation.
        let phases = program.phases.iter().enumerate();
        let micros: Vec<(usize, &Micro)> =
            phases.flat_map(|(p, phase)| phase.micros.iter().map(move |m| (p, m))).collect();
        let mut last = vec![0; self.registers];
        let mut last_phase = vec![0; self.registers];
        for (at, (phase, micro)) in micros.iter().enumerate() {
            makes(micro).iter().for_each(|r| last[usize::from(*r)] = at);
            for r in reads(micro) {
                (last[usize::from(*r)], last_phase[usize::from(*r)]) = (at, *phase);
            }
        }
        for (p, o) in program.phases.iter().enumerate().flat_map(|(p, phase)| phase.copies.iter().map(move |o| (p, *o)))
        {
            let r = usize::from(program.outputs[o].register);
            let end = micros.iter().rposition(|(phase, _)| *phase <= p).map_or(0, |at| at + 1);
            last[r] = end.max(last[r]);
        }
        let (mut free, mut held): (Vec<usize>, Vec<(u16, usize)>) = (Vec::new(), Vec::new());
        for (at, (phase, micro)) in micros.iter().enumerate() {
            for &out in makes(micro) {
                let r = usize::from(out);
                let whole = program.tile < program.block && last_phase[r] > *phase;
                if program.outputs.iter().any(|o| o.direct && o.register == out) {
                    // It is written where it belongs.
                } else if whole {
                    let bytes = dtypes[r].bytes();
                    program.whole_rows.push((out, take(program.length * bytes), bytes));
                } else {
                    // Taken before those of the arguments are given back: a loop never writes what it reads.
                    let buffer = free.pop().unwrap_or_else(|| take(slot));
                    held.push((out, buffer));
                    program.buffers.push((out, buffer));
                }
            }
            let dead = |r: u16| last[usize::from(r)] <= at;
            free.extend(held.iter().filter(|h| dead(h.0)).map(|h| h.1));
            held.retain(|h| !dead(h.0));
        }
        end
    }
}

/// True where a register can be written over an input while the elements are gone through: by code that has read a vector
/// before it writes it, and after which nothing reads the input.
fn over(program: &Program, fused: &Fused, register: u16, input: usize) -> bool {
    let mut micros = program.phases.iter().flat_map(|p| &p.micros).skip_while(|m| !makes(m).contains(&register));
    let at_once = micros.next().is_some_and(|m| m.reads_before_writing());
    let read = |r: &u16| usize::from(*r) == input;
    at_once
        && program.inputs[input].load == Load::Direct
        && !micros.any(|m| reads(m).iter().any(read))
        && !fused.outputs.iter().any(read)
}

/// The registers that a micro-operation reads; unused places repeat one of them.
pub(super) fn reads(micro: &Micro) -> &[u16] {
    match micro {
        Micro::Op(op) => &op.args,
        #[cfg(target_arch = "x86_64")]
        Micro::Native(native) => &native.args,
        Micro::Row { from, .. } | Micro::Total { from, .. } => std::slice::from_ref(from),
    }
}

/// The registers that a micro-operation makes for each element.
pub(super) fn makes(micro: &Micro) -> &[u16] {
    match micro {
        Micro::Op(op) => std::slice::from_ref(&op.out),
        #[cfg(target_arch = "x86_64")]
        Micro::Native(native) => &native.outs,
        Micro::Row { .. } | Micro::Total { .. } => &[],
    }
}

/// The strides of the results of a reduction, 0 along the axes that go.
fn kept(shape: &[usize], axes: &[i64]) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    let mut next = 1;
    for axis in (0..shape.len()).rev().filter(|a| !axes.contains(&(*a as i64))) {
        strides[axis] = next;
        next *= shape[axis] as isize;
    }
    strides
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
        other => return Err(unsupported(other)),
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
    // Places that are not used repeat the last argument.
    let registers = std::array::from_fn(|i| args[i.min(arity - 1)]);
    Ok(Op { tile, args: registers, out, name: 0 })
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
