//! The table of kernels: one row per primitive that is not elementwise, and what a kernel is given.
//!
//! A kernel is prepared once per plan: it reads attributes and sizes, checks what it relies on, and returns a
//! [`Task`] that does nothing but the work. Elementwise primitives are rows of [`super::elementwise`].

use super::isa::Path;
use super::keep::{Keeps, Lasting};
use super::pool::Pool;
use super::{Context, conv, draw, elementwise, matmul, movement, pooling, reduce, rows, scan};
use tfm_lang::model::Word;
use tfm_lang::types::DType;
use tfm_lowering::plan::halves::Half;
use tfm_lowering::plan::{KernelFacts, Space, Value, View};

/// A prepared kernel.
pub(crate) type Task = Box<dyn Fn(&Run<'_>) -> Result<(), String> + Send + Sync>;

/// A row of the table.
pub(crate) struct Kernel {
    /// The primitive.
    pub name: &'static str,
    /// What the planner may do with it.
    pub facts: KernelFacts,
    /// Bytes of scratch it wants.
    pub scratch: fn(&Call<'_>) -> usize,
    /// What it wants to keep from run to run.
    pub keeps: fn(&Call<'_>) -> Option<Keeps>,
    /// Checks the operands and fixes everything that does not change from step to step.
    pub prepare: fn(&Call<'_>) -> Result<Task, String>,
}

const DENSE: KernelFacts =
    KernelFacts { elementwise: false, reduction: false, strided: false, matrices: false, in_place: None };
const STRIDED: KernelFacts = KernelFacts { strided: true, ..DENSE };
const MATRICES: KernelFacts = KernelFacts { matrices: true, ..STRIDED };
const REDUCTION: KernelFacts = KernelFacts { reduction: true, ..STRIDED };
const CHANGES_ROWS: KernelFacts = KernelFacts { in_place: Some(0), ..DENSE };
const ELEMENTWISE: KernelFacts = KernelFacts { elementwise: true, ..STRIDED };

const fn row(name: &'static str, facts: KernelFacts, prepare: fn(&Call<'_>) -> Result<Task, String>) -> Kernel {
    Kernel { name, facts, scratch: |_| 0, keeps: |_| None, prepare }
}

impl Kernel {
    const fn scratch(self, scratch: fn(&Call<'_>) -> usize) -> Kernel {
        Kernel { scratch, ..self }
    }

    const fn keeps(self, keeps: fn(&Call<'_>) -> Option<Keeps>) -> Kernel {
        Kernel { keeps, ..self }
    }
}

/// All kernels but the elementwise ones.
const KERNELS: &[Kernel] = &[
    row("matmul", MATRICES, matmul::prepare).scratch(matmul::scratch).keeps(matmul::keeps),
    row("conv", DENSE, conv::prepare).scratch(conv::scratch).keeps(conv::keeps),
    row("conv_input", DENSE, conv::prepare_input).scratch(conv::input_scratch),
    row("conv_kernel", DENSE, conv::prepare_kernel).scratch(conv::kernel_scratch),
    row("max_pool", DENSE, pooling::prepare_max),
    row("max_pool_gradient", DENSE, pooling::prepare_max_gradient),
    row("max_pool_pick", DENSE, pooling::prepare_max_pick),
    row("avg_pool", DENSE, pooling::prepare_avg),
    row("avg_pool_gradient", DENSE, pooling::prepare_avg_gradient),
    row("sum", REDUCTION, reduce::prepare_sum).scratch(reduce::scratch),
    row("sum_to", STRIDED, reduce::prepare_sum_to).scratch(reduce::scratch),
    row("max", REDUCTION, reduce::prepare_max).scratch(reduce::scratch),
    row("min", REDUCTION, reduce::prepare_min).scratch(reduce::scratch),
    row("argmax", STRIDED, scan::prepare_argmax),
    row("arg_top_k", STRIDED, scan::prepare_arg_top_k),
    row("cumsum", STRIDED, scan::prepare_cumsum),
    row("concat", STRIDED, movement::prepare_concat),
    row("pad", STRIDED, movement::prepare_pad),
    row("gather", DENSE, rows::prepare_gather),
    row("scatter_add", DENSE, rows::prepare_scatter_add),
    row("pick", DENSE, rows::prepare_pick),
    row("unique", DENSE, rows::prepare_unique).scratch(rows::sorting_scratch),
    row("merge_rows", DENSE, rows::prepare_merge_rows).scratch(rows::sorting_scratch),
    row("read_rows", DENSE, rows::prepare_read_rows),
    row("write_rows", CHANGES_ROWS, rows::prepare_write_rows),
    row("iota", DENSE, movement::prepare_iota),
    row("random_uniform", DENSE, draw::prepare_uniform),
    row("random_normal", DENSE, draw::prepare_normal),
];

/// The primitives that this device computes, elementwise ones among them. The others of the library are views
/// (`broadcast`, `reshape`, `transpose`, `slice`, `reverse`, `stop_gradient`) and need no kernel.
pub fn names() -> impl Iterator<Item = &'static str> {
    KERNELS.iter().map(|k| k.name).chain(elementwise::names())
}

/// The kernel of a primitive that is not elementwise.
pub(crate) fn find(name: &str) -> Option<&'static Kernel> {
    KERNELS.iter().find(|k| k.name == name)
}

/// What the planner is told about a primitive.
pub(crate) fn facts(name: &str) -> Option<KernelFacts> {
    let elementwise = || elementwise::names().any(|n| n == name).then_some(ELEMENTWISE);
    find(name).map(|k| k.facts).or_else(elementwise)
}

/// What a kernel is prepared for.
pub(crate) struct Call<'a> {
    pub attrs: &'a [(Word, Value)],
    pub inputs: &'a [View],
    pub outputs: &'a [View],
    pub threads: usize,
    pub path: Path,
    /// What lasts from run to run; `None` where nothing is known to, as while a plan is made.
    pub lasting: Option<&'a Lasting>,
}

impl Call<'_> {
    /// True where an input is the same in the next run, unless a variable is changed in between.
    pub fn lasts(&self, input: usize) -> bool {
        self.lasting.is_some_and(|lasting| lasting.has(self.inputs[input].space))
    }

    /// What [`Call::lasts`] may turn out to be: either while a plan is made, and scratch is wanted for both.
    pub fn may_last(&self, input: usize) -> &'static [bool] {
        match self.lasting {
            None => &[false, true],
            Some(_) if self.lasts(input) => &[true],
            Some(_) => &[false],
        }
    }

    fn attr(&self, name: &str) -> Option<&Value> {
        self.attrs.iter().find(|(n, _)| &**n == name).map(|(_, v)| v)
    }

    /// A whole number; `default` where it was not given.
    pub fn int_or(&self, name: &str, default: i64) -> Result<i64, String> {
        match self.attr(name) {
            None => Ok(default),
            Some(Value::Int(i)) => Ok(*i),
            Some(other) => Err(format!("attribute `{name}` is {other:?} and should be a whole number")),
        }
    }

    /// A whole number that is a size.
    pub fn size_or(&self, name: &str, default: usize) -> Result<usize, String> {
        let i = self.int_or(name, default as i64)?;
        usize::try_from(i).map_err(|_| format!("attribute `{name}` is {i} and should not be below 0"))
    }

    /// A list of whole numbers, or a single one as a list of itself; empty where it was not given.
    pub fn ints(&self, name: &str) -> Result<Vec<i64>, String> {
        match self.attr(name) {
            None => Ok(Vec::new()),
            Some(Value::Ints(v)) => Ok(v.clone()),
            Some(Value::Int(i)) => Ok(vec![*i]),
            Some(other) => Err(format!("attribute `{name}` is {other:?} and should be a list of whole numbers")),
        }
    }

    /// A truth; false where it was not given.
    pub fn flag(&self, name: &str) -> Result<bool, String> {
        match self.attr(name) {
            None => Ok(false),
            Some(Value::Bool(b)) => Ok(*b),
            Some(other) => Err(format!("attribute `{name}` is {other:?} and should be true or false")),
        }
    }

    /// A half of matrices; `None` where it was not given.
    pub fn half(&self, name: &str) -> Result<Option<Half>, String> {
        match self.attr(name) {
            None => Ok(None),
            Some(Value::Str(half)) if let Some(half) = Half::parse(half) => Ok(Some(half)),
            Some(other) => Err(format!("attribute `{name}` is {other:?} and should be a half of a matrix")),
        }
    }

    /// The operands, when there are so many of each.
    pub fn operands<const I: usize, const O: usize>(&self) -> Result<([&View; I], [&View; O]), String> {
        if self.inputs.len() != I || self.outputs.len() != O {
            return Err(format!("{} inputs and {} outputs, not {I} and {O}", self.inputs.len(), self.outputs.len()));
        }
        Ok((std::array::from_fn(|i| &self.inputs[i]), std::array::from_fn(|o| &self.outputs[o])))
    }
}

/// An axis counted from the end when negative.
pub(crate) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let a = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(a).ok().filter(|&a| a < rank).ok_or_else(|| format!("there is no axis {axis} in {rank} axes"))
}

/// `Ok` when the condition holds.
pub(crate) fn require(condition: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(message()) }
}

/// That a kernel has no code for a dtype.
pub(crate) fn unsupported(dtype: DType) -> String {
    format!("there is no kernel for {dtype}")
}

/// Calls a function with a type parameter chosen by dtype.
macro_rules! by_dtype {
    ($dtype:expr, [$($d:ident $t:ty),*], $f:ident $args:tt) => {
        match $dtype {
            $(::tfm_lang::types::DType::$d => $f::<$t> $args,)*
            other => Err($crate::cpu::kernels::unsupported(other)),
        }
    };
    ($dtype:expr, float, $f:ident $args:tt) => {
        $crate::cpu::kernels::by_dtype!($dtype, [F32 f32, F64 f64], $f $args)
    };
    ($dtype:expr, number, $f:ident $args:tt) => {
        $crate::cpu::kernels::by_dtype!($dtype, [F32 f32, F64 f64, I64 i64, I32 i32, I8 i8, U8 u8], $f $args)
    };
    ($dtype:expr, int, $f:ident $args:tt) => {
        $crate::cpu::kernels::by_dtype!($dtype, [I64 i64, I32 i32, I8 i8, U8 u8], $f $args)
    };
}
pub(crate) use by_dtype;

/// Calls a function with an unsigned type of so many bytes: for moving elements without looking at them.
macro_rules! by_width {
    ($dtype:expr, $f:ident $args:tt) => {
        match $dtype.bytes() {
            1 => $f::<u8> $args,
            2 => $f::<u16> $args,
            4 => $f::<u32> $args,
            _ => $f::<u64> $args,
        }
    };
}
pub(crate) use by_width;

/// Where the spaces of a plan are in memory.
pub(crate) struct Spaces<'a> {
    pub arena: *mut u8,
    pub constants: *const u8,
    pub variables: &'a [*mut u8],
    pub feeds: &'a [*const u8],
}

/// A step that runs.
pub(crate) struct Run<'a> {
    pub spaces: &'a Spaces<'a>,
    pub inputs: &'a [(Space, usize)],
    pub outputs: &'a [(Space, usize)],
    pub scratch: usize,
    /// Memory of each thread: where it begins and how far apart two are.
    pub local: (*mut u8, usize),
    /// What the kernel keeps, and whether that has to be made.
    pub kept: (*mut u8, bool),
    pub pool: &'a Pool,
    pub path: Path,
    pub context: &'a Context,
}

// SAFETY: the pointers are used only for chunks that write apart from each other; plans are checked for that by
// construction of the kernels, and `Cpu::execute` holds the memory exclusively.
unsafe impl Sync for Run<'_> {}

impl Run<'_> {
    fn at(&self, (space, offset): (Space, usize)) -> *mut u8 {
        let base = match space {
            Space::Arena => self.spaces.arena,
            Space::Variable(v) => self.spaces.variables[v as usize],
            Space::Feed(f) => self.spaces.feeds[f as usize].cast_mut(),
            Space::Constant => self.spaces.constants.cast_mut(),
        };
        base.wrapping_add(offset)
    }

    /// The first element of an input.
    pub fn input<T>(&self, i: usize) -> *const T {
        self.at(self.inputs[i]).cast()
    }

    /// The first element of an output.
    pub fn output<T>(&self, i: usize) -> *mut T {
        self.at(self.outputs[i]).cast()
    }

    /// The step's scratch.
    pub fn scratch<T>(&self) -> *mut T {
        self.spaces.arena.wrapping_add(self.scratch).cast()
    }

    /// What the kernel asked to keep.
    pub fn kept<T>(&self) -> *mut T {
        self.kept.0.cast()
    }

    /// True where what the kernel keeps is not there yet, or the input that it is made from has changed.
    pub fn must_make(&self) -> bool {
        self.kept.1
    }

    /// The memory of a thread.
    pub fn local(&self, thread: usize) -> *mut u8 {
        self.local.0.wrapping_add(thread * self.local.1)
    }

    /// The elements of a contiguous input.
    ///
    /// # Safety
    /// The input has `n` elements of type `T`, and nothing writes them meanwhile.
    pub unsafe fn slice<T>(&self, i: usize, n: usize) -> &[T] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.input(i), n) }
    }

    /// Runs `f(chunk, thread)` for each chunk.
    pub fn parallel(&self, chunks: usize, f: impl Fn(usize, usize) + Sync) {
        self.pool.run(chunks, false, &f);
    }

    /// As [`Run::parallel`], each thread's chunks from the last on where that is said: what a kernel reads in each run, and
    /// does not fit into a near cache, is there in part for one that goes back the way the run before came.
    pub fn parallel_from(&self, from_last: bool, chunks: usize, f: impl Fn(usize, usize) + Sync) {
        self.pool.run(chunks, from_last, &f);
    }

    /// Splits `0..n` into pieces of `grain` and runs `f(from, to)` for each.
    pub fn pieces(&self, n: usize, grain: usize, f: impl Fn(usize, usize) + Sync) {
        let grain = grain.max(1);
        self.parallel(n.div_ceil(grain), |chunk, _| f(chunk * grain, n.min((chunk + 1) * grain)));
    }
}
