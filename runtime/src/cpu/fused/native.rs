//! Operations of a fused program as machine code: what one gives to the next stays in a register.
//!
//! The interpreter goes through a tile once for each operation, and reads and writes the first cache each time. Here runs
//! of simple operations on f32 become one loop over vectors of 8, made when the program is; AVX2 has all it takes. The
//! operations and their order are the same, and so are the bits.
//!
//! A vector is written after everything of it has been read, so a result may lie on an operand.

mod assemble;

use super::compile::{Compiler, makes, reads};
use super::{Micro, Op};
use crate::cpu::check::lies_on;
use crate::cpu::isa::Path;
use crate::cpu::kernels::Call;
use assemble::{Arithmetic, Assembler, BASES, Place, Test, Vector};
use memmap2::{Mmap, MmapMut};
use std::collections::HashMap;
use tfm_lowering::plan::View;

/// Elements of a vector.
const LANES: usize = 8;
/// Operations from which code is made of them.
const WORTH: usize = 2;
/// The registers that values are in; those behind are for what is needed within an operation, and for masks of elements.
const VALUES: u8 = 13;
const SPARE: Vector = 13;
const HELPER: Vector = 14;
const MASK: Vector = 15;

/// What has code.
#[derive(Clone, Copy)]
enum Kind {
    Arithmetic(Arithmetic),
    /// The larger or smaller; the first where it is NaN.
    Extreme(Arithmetic),
    Negate,
    SquareRoot,
    /// `where(a > 0, b, 0)`.
    Gate,
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "add" => Kind::Arithmetic(Arithmetic::Add),
        "subtract" => Kind::Arithmetic(Arithmetic::Subtract),
        "multiply" => Kind::Arithmetic(Arithmetic::Multiply),
        "divide" => Kind::Arithmetic(Arithmetic::Divide),
        "maximum" => Kind::Extreme(Arithmetic::Maximum),
        "minimum" => Kind::Extreme(Arithmetic::Minimum),
        "negate" => Kind::Negate,
        "sqrt" => Kind::SquareRoot,
        "gate" => Kind::Gate,
        _ => return None,
    })
}

/// A loop: for all vectors of the table's arrays, up to so many bytes.
type Loop = unsafe extern "sysv64" fn(table: *const *mut u8, end: usize);
/// What is behind the last whole vector: from a byte on, elements whose mask is set.
type Rest = unsafe extern "sysv64" fn(table: *const *mut u8, from: usize, mask: *const i32);

/// Operations that are one loop of machine code.
pub(super) struct Native {
    /// Registers that are read, and written.
    pub args: Vec<u16>,
    pub outs: Vec<u16>,
    whole: Loop,
    rest: Rest,
}

/// The memory that code runs from: as long as what uses it.
pub(super) struct Code(Mmap);

/// Where a window of as many elements as a vector has begins with those that are set.
static WINDOW: [i32; 2 * LANES] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

impl Native {
    /// # Safety
    /// The program's code is still there, and the table points at `n` elements for each of `args` and `outs`. What is
    /// written lies apart from what is read, or exactly on it.
    #[inline]
    pub unsafe fn call(&self, table: *const *mut u8, n: usize) {
        let (whole, rest) = (n / LANES * LANES * 4, n % LANES);
        // SAFETY: the caller's promise.
        unsafe {
            if whole > 0 {
                (self.whole)(table, whole);
            }
            if rest > 0 {
                (self.rest)(table, whole, WINDOW.as_ptr().add(LANES - rest));
            }
        }
    }
}

impl Compiler<'_> {
    /// Makes code of the operations that have some. Where the system gives no memory for it, they stay as they are.
    pub(super) fn native(&mut self, readers: &[u32]) {
        if self.call.path < Path::Avx2 {
            return;
        }
        let mut assembler = Assembler::default();
        let mut all = Vec::new();
        for phase in &self.program.phases {
            let mut micros = Vec::new();
            for run in self.runs(&phase.micros) {
                let mut rest = &run[..];
                while !rest.is_empty() {
                    let least = if self.is_in_place(&phase.micros[rest[0]]) { 1 } else { WORTH };
                    let made = (least..=rest.len()).rev().find_map(|n| {
                        let (now, later) = rest.split_at(n);
                        let needed = |r: u16| {
                            let own = now.iter().filter(|i| reads(&phase.micros[**i]).contains(&r)).count();
                            readers[usize::from(r)] as usize > own
                        };
                        let ops: Vec<(&Op, Kind)> = now.iter().map_while(|&i| self.simple(&phase.micros[i])).collect();
                        let is_fixed = |r: u16| self.fixed.get(usize::from(r)).is_some_and(|fixed| *fixed);
                        let made =
                            (ops.len() == n).then(|| make(&ops, &needed, &is_fixed, &mut assembler)).flatten()?;
                        Some((made, later))
                    });
                    match made {
                        Some((made, later)) => {
                            micros.push(made);
                            rest = later;
                        }
                        None => {
                            micros.push(Made::Same(rest[0]));
                            rest = &rest[1..];
                        }
                    }
                }
            }
            all.push(micros);
        }
        if assembler.code.is_empty() {
            return;
        }
        let Some(code) = executable(&assembler.code) else { return };
        let at = |offset: usize| code.0[offset..].as_ptr();
        for (phase, made) in self.program.phases.iter_mut().zip(all) {
            let mut micros: Vec<Option<Micro>> = phase.micros.drain(..).map(Some).collect();
            phase.micros.extend(made.into_iter().filter_map(|m| match m {
                // SAFETY: functions of these types begin there.
                Made::Code { args, outs, begin } => Some(Micro::Native(unsafe {
                    let (whole, rest) = (
                        std::mem::transmute::<*const u8, Loop>(at(begin.0)),
                        std::mem::transmute::<*const u8, Rest>(at(begin.1)),
                    );
                    Native { args, outs, whole, rest }
                })),
                Made::Same(i) => micros[i].take(),
            }));
        }
        self.program.code = Some(code);
    }

    /// True for an operation whose result is written where an input lies: as code it needs no copy.
    fn is_in_place(&self, micro: &Micro) -> bool {
        let Call { inputs, outputs, .. } = self.call;
        let over = |view: &View| inputs.iter().any(|input| lies_on(view, input));
        let written = |r: u16| self.fused.outputs.iter().zip(*outputs).any(|(o, view)| *o == r && over(view));
        makes(micro).iter().any(|r| written(*r))
    }

    /// The operation and its kind, where it has code.
    fn simple<'m>(&self, micro: &'m Micro) -> Option<(&'m Op, Kind)> {
        let Micro::Op(op) = micro else { return None };
        let fits = self.single(op.out) && op.args.iter().all(|&r| self.single(r));
        kind(&self.program.names[op.name]).filter(|_| fits).map(|kind| (op, kind))
    }

    /// The operations of a phase in an order in which those with code stand together as long as they can: numbers of
    /// micro-operations.
    fn runs(&self, micros: &[Micro]) -> Vec<Vec<usize>> {
        let pairs = micros.iter().enumerate().flat_map(|(i, m)| makes(m).iter().map(move |r| (*r, i)));
        let made: HashMap<u16, usize> = pairs.collect();
        let mut done = vec![false; micros.len()];
        let mut runs = Vec::new();
        let (mut native, mut left) = (true, micros.len());
        while left > 0 {
            let mut run = Vec::new();
            for (i, micro) in micros.iter().enumerate() {
                let ready = reads(micro).iter().all(|r| made.get(r).is_none_or(|&i| done[i]));
                if !done[i] && ready && self.simple(micro).is_some() == native {
                    done[i] = true;
                    run.push(i);
                }
            }
            left -= run.len();
            native = !native;
            runs.push(run);
        }
        runs
    }
}

/// What becomes of micro-operations.
enum Made {
    /// Code for several: the registers that are read, those that are written, and where the functions begin.
    Code { args: Vec<u16>, outs: Vec<u16>, begin: (usize, usize) },
    /// The one with this number, as it was.
    Same(usize),
}

/// Memory with the code, which can be run and not written.
fn executable(code: &[u8]) -> Option<Code> {
    let mut memory = MmapMut::map_anon(code.len()).ok()?;
    memory.copy_from_slice(code);
    memory.make_exec().ok().map(Code)
}

/// Code for operations one after the other; those of their results that are `needed` are written. What is the same for all
/// elements is read once, as far as there are registers: it would fill the first cache otherwise. `None` where there are not
/// enough.
fn make(
    ops: &[(&Op, Kind)],
    needed: &dyn Fn(u16) -> bool,
    is_fixed: &dyn Fn(u16) -> bool,
    assembler: &mut Assembler,
) -> Option<Made> {
    let made: Vec<u16> = ops.iter().map(|(op, _)| op.out).collect();
    let outs: Vec<u16> = made.iter().copied().filter(|&r| needed(r)).collect();
    let mut args: Vec<u16> = ops.iter().flat_map(|(op, _)| op.args).filter(|r| !made.contains(r)).collect();
    args.sort_unstable();
    args.dedup();
    let mut body = Body { ops, outs: &outs, arrays: &[], constants: &[], some: false };
    let used = body.places()?.into_iter().max().map_or(0, |last| last + 1);
    let constants: Vec<(u16, Vector)> = args.iter().copied().filter(|r| is_fixed(*r)).zip(used..VALUES).collect();
    let is_constant = |r: &u16| constants.iter().any(|(c, _)| c == r);
    let arrays: Vec<u16> = args.iter().filter(|r| !is_constant(r)).chain(&outs).copied().collect();
    if arrays.len() > BASES.len() {
        return None;
    }
    (body.arrays, body.constants) = (&arrays, &constants);
    let first = assembler.code.len();
    assembler.for_each(&arrays, &constants, |a| body.write(a));
    body.some = true;
    let second = assembler.code.len();
    assembler.once(&arrays, &constants, MASK, |a| body.write(a));
    Some(Made::Code { args, outs, begin: (first, second) })
}

/// The code for a vector.
struct Body<'a> {
    ops: &'a [(&'a Op, Kind)],
    outs: &'a [u16],
    /// Registers of the program that are arrays, in the order of [`BASES`].
    arrays: &'a [u16],
    /// Registers of the program that hold the same everywhere, and where they are.
    constants: &'a [(u16, Vector)],
    /// True: only elements whose mask is set are read and written.
    some: bool,
}

impl Body<'_> {
    /// The vector of each operation's result; `None` where there are not enough.
    fn places(&self) -> Option<Vec<Vector>> {
        let mut free: Vec<Vector> = (0..VALUES).rev().collect();
        let mut places: Vec<Vector> = Vec::new();
        for (i, (op, kind)) in self.ops.iter().enumerate() {
            // What is read for the last time gives its place to the result, where that is written in one instruction.
            let at_once = matches!(kind, Kind::Arithmetic(_) | Kind::SquareRoot);
            let dying = |j: &usize| {
                let r = self.ops[*j].0.out;
                let read = |op: &Op| op.args.contains(&r);
                read(op) && !self.outs.contains(&r) && !self.ops[i + 1..].iter().any(|(op, _)| read(op))
            };
            let gone: Vec<Vector> = (0..i).filter(dying).map(|j| places[j]).collect();
            if at_once {
                free.extend(&gone);
            }
            places.push(free.pop()?);
            if !at_once {
                free.extend(gone);
            }
        }
        Some(places)
    }

    fn write(&self, a: &mut Assembler) {
        let places = self.places().unwrap_or_default();
        let constant = |r: u16| self.constants.iter().find(|(c, _)| *c == r).map(|(_, at)| *at);
        let value =
            |r: u16, before: usize| self.ops[..before].iter().position(|(op, _)| op.out == r).map(|i| places[i]);
        let at = |r: u16, before: usize| value(r, before).or_else(|| constant(r));
        let base = |r: u16| BASES[self.arrays.iter().position(|x| *x == r).unwrap_or(0)];
        for (i, (op, kind)) in self.ops.iter().enumerate() {
            let to = places[i];
            // An operand in a register: a value, or what is read into this one.
            let register = |a: &mut Assembler, r: u16, into: Vector| match at(r, i) {
                Some(value) => value,
                None if self.some => {
                    a.load_some(into, MASK, base(r));
                    into
                }
                None => {
                    a.load(into, base(r));
                    into
                }
            };
            // An operand where it is.
            let place = |a: &mut Assembler, r: u16| match at(r, i) {
                Some(value) => Place::Register(value),
                None if self.some => {
                    a.load_some(HELPER, MASK, base(r));
                    Place::Register(HELPER)
                }
                None => Place::Array(base(r)),
            };
            let [x, y, _] = op.args;
            match kind {
                Kind::Arithmetic(what) => {
                    // The result's place may be that of the second operand.
                    let into = if at(y, i) == Some(to) { HELPER } else { to };
                    let first = register(a, x, into);
                    let second = place(a, y);
                    a.arithmetic(*what, to, first, second);
                }
                Kind::Extreme(what) => {
                    let first = register(a, x, SPARE);
                    let second = place(a, y);
                    a.arithmetic(*what, HELPER, first, second);
                    a.compare(Test::Unordered, to, first, Place::Register(first));
                    a.choose(to, HELPER, first, to);
                }
                Kind::Negate => {
                    let from = register(a, x, to);
                    a.signs(HELPER);
                    a.arithmetic(Arithmetic::Xor, to, from, Place::Register(HELPER));
                }
                Kind::SquareRoot => {
                    let from = place(a, x);
                    a.square_root(to, from);
                }
                Kind::Gate => {
                    let first = register(a, x, to);
                    a.zero(HELPER);
                    a.compare(Test::Greater, to, first, Place::Register(HELPER));
                    let second = place(a, y);
                    a.arithmetic(Arithmetic::And, to, to, second);
                }
            }
        }
        for (&r, base) in self.outs.iter().map(|r| (r, base(*r))) {
            let value = at(r, self.ops.len()).unwrap_or(0);
            if self.some { a.store_some(base, MASK, value) } else { a.store(base, value) }
        }
    }
}
