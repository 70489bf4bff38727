//! The Plan: what one device does for given sizes.
//!
//! An ordered list of kernel calls on strided views with fixed offsets into one arena; nothing is
//! allocated and nothing is decided while it runs. Movement operations (reshape of contiguous data,
//! transpose, broadcast, slice) are views and cost nothing.

pub mod check;
mod each;
pub(crate) mod form;
pub mod halves;
pub mod items;
pub mod memory;
mod order;
pub mod program;
pub(crate) mod reach;
pub mod recompute;
pub mod schedule;
pub mod text;
pub mod views;

pub use recompute::{Recomputed, schedule_within};
pub use schedule::{PlanError, Request, schedule};

use std::sync::Arc;
use tfm_lang::model::{Attr, Word};
use tfm_lang::types::DType;

/// Where a view's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// The plan's arena.
    Arena,
    /// A variable, by its index in the graph.
    Variable(u32),
    /// What was fed, by its index in [`Plan::feeds`].
    Feed(u32),
    /// The plan's constants: [`Plan::constants`].
    Constant,
}

/// A strided window on memory.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    /// Where.
    pub space: Space,
    /// First element, in bytes from the start of the space; a multiple of 64 in a fresh buffer.
    pub offset: usize,
    /// What an element is.
    pub dtype: DType,
    /// Sizes.
    pub shape: Vec<usize>,
    /// Elements between neighbours, 0 where broadcast; may be negative.
    pub strides: Vec<isize>,
}

impl View {
    /// True when its elements lie one after the other in order.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&n, &s)| {
            let ok = n == 1 || s == expected;
            expected *= n as isize;
            ok
        })
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }
}

/// An attribute with its sizes filled in.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Value {
    Int(i64),
    Ints(Vec<i64>),
    Float(f64),
    Bool(bool),
    DType(DType),
    Str(String),
}

impl Value {
    /// The attribute for given sizes; `None` where one is not known.
    pub fn of(attr: &Attr, size: &dyn Fn(&str) -> Option<i64>) -> Option<Value> {
        Some(match attr {
            Attr::Int(d) => Value::Int(d.evaluate(size)?),
            Attr::Ints(ds) => Value::Ints(ds.iter().map(|d| d.evaluate(size)).collect::<Option<_>>()?),
            Attr::Float(x) => Value::Float(*x),
            Attr::Bool(b) => Value::Bool(*b),
            Attr::DType(d) => Value::DType(*d),
            Attr::Str(s) => Value::Str(s.clone()),
        })
    }
}

/// One kernel call.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// Which kernel.
    pub kernel: Kernel,
    /// What it reads.
    pub inputs: Vec<View>,
    /// What it writes, contiguous.
    pub outputs: Vec<View>,
    /// Bytes in the arena that it may use while it runs: offset and length.
    pub scratch: (usize, usize),
    /// The graph nodes it computes; the last is its main result.
    pub nodes: Vec<crate::graph::Value>,
}

/// What a step runs.
#[derive(Clone, PartialEq, Debug)]
pub enum Kernel {
    /// A chain of elementwise operations over one iteration space.
    Fused(Fused),
    /// The kernel of a primitive, with its attributes.
    Primitive(Word, Vec<(Word, Value)>),
    /// Copies a strided input to the contiguous output.
    Copy,
    /// Runs another plan turn after turn.
    Loop(Arc<Loop>),
    /// Runs another plan for each element of outer axes.
    Each(Arc<Each>),
}

impl Kernel {
    /// Its name, as people are told: that of the primitive, `fused`, `copy`, `scan` or `each`.
    pub fn name(&self) -> &str {
        match self {
            Kernel::Fused(_) => "fused",
            Kernel::Copy => "copy",
            Kernel::Loop(_) => "scan",
            Kernel::Each(_) => "each",
            Kernel::Primitive(name, _) => name,
        }
    }
}

/// A plan that is run turn after turn.
///
/// The step's first inputs are the feeds of a turn, all contiguous; where they are walked, a turn is fed
/// element `i` of axis 0. The inputs behind them are what is carried into the first turn. The step's outputs
/// are the variables of a turn: what is carried, kept from turn to turn, then element `i` of axis 0 of each
/// of the others. The arena of a turn is the step's scratch.
///
/// A random draw in a turn depends on the number of the element: see [`turn_seed`].
#[derive(Clone, PartialEq, Debug)]
pub struct Loop {
    /// How many turns.
    pub turns: usize,
    /// The last element comes first.
    pub reverse: bool,
    /// For each feed of a turn whether it is walked.
    pub walked: Vec<bool>,
    /// How many of the variables are carried; they come first.
    pub carried: usize,
    /// One turn; it fetches nothing.
    pub plan: Plan,
}

/// A plan that is run for each element of outer axes, in any order and at once: elements have nothing to do with each
/// other.
///
/// The first axes of the step's inputs and outputs are the outer ones. An element's inputs are the plan's feeds: as far as
/// the last that a view reaches, with the strides of the input. Its outputs, which lie one after the other, are the
/// plan's variables. Each thread has an arena of its own.
#[derive(Clone, PartialEq, Debug)]
pub struct Each {
    /// The sizes of the outer axes.
    pub outer: Vec<usize>,
    /// One element; it fetches nothing.
    pub plan: Plan,
}

/// The seed that random draws in a turn of a loop have in place of the seed around it: splitmix64 of both.
pub fn turn_seed(seed: u64, element: u64) -> u64 {
    let mut z = seed.wrapping_add((element + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A small register program, run for each element of `shape`, a tile at a time.
///
/// Register `i` is input `i` of the step for `i < inputs`, then the result of each instruction in
/// turn. Inputs are views that have been broadcast to `shape`, or, where there are rows, to the axes before them.
///
/// A reduction is an instruction with the attribute `axes`: those of `shape` that it runs over. One over the row
/// (the last `row` axes) gives a number for each row, which instructions on such numbers and on elements may use;
/// the result of any other is an output and nothing else. Instructions stand in the order of their phases
/// ([`Fused::phases`]): a row is gone through once for each.
///
/// With `skips`, outputs are 0 in that half of the last two axes, or nobody looks at them there, and reductions over the row
/// stay the same without it: it need not be computed.
///
/// An output may lie on an input, element on element; then no instruction after the one that makes
/// the output reads the input ([`Fused::may_overwrite`]), so that results may be written as they come.
#[derive(Clone, PartialEq, Debug)]
pub struct Fused {
    /// The iteration space.
    pub shape: Vec<usize>,
    /// How many of the last axes make a row; 0 where nothing is done by rows.
    pub row: usize,
    /// The half of the last two axes that can be left out, with 0 for every output; there are two axes then, and the last one
    /// is the row.
    pub skips: Option<halves::Half>,
    /// How many registers are inputs.
    pub inputs: usize,
    /// What is done.
    pub instructions: Vec<Instruction>,
    /// The registers that are written to the step's outputs, in their order.
    pub outputs: Vec<u16>,
}

/// One elementwise operation on registers.
#[derive(Clone, PartialEq, Debug)]
pub struct Instruction {
    /// The primitive's name, or `constant`.
    pub op: Word,
    /// Its attributes (`value` of a constant, `dtype` of a cast, `key` of a random draw).
    pub attrs: Vec<(Word, Value)>,
    /// Its arguments.
    pub args: Vec<u16>,
    /// The dtype of its arguments (the first one's).
    pub from: DType,
    /// The dtype of its result.
    pub to: DType,
}

/// A plan for given sizes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plan {
    /// In the order of execution.
    pub steps: Vec<Step>,
    /// Bytes of the arena.
    pub arena: usize,
    /// Bytes of the literals that are not inside fused programs.
    pub constants: Vec<u8>,
    /// What must be fed: names with dtype and sizes, contiguous.
    pub feeds: Vec<(Word, DType, Vec<usize>)>,
    /// Where each fetched value lies afterwards, in the order asked.
    pub fetches: Vec<View>,
}

/// What the planner asks a device about its kernels.
pub trait Device {
    /// What the kernel of a primitive can do; `None` where there is none.
    fn kernel(&self, primitive: &str) -> Option<KernelFacts>;

    /// Bytes of scratch that the kernel wants for these operands.
    fn scratch(&self, primitive: &str, attrs: &[(Word, Value)], inputs: &[View], outputs: &[View]) -> usize;
}

/// What a kernel can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KernelFacts {
    /// One result element per element of equal-shaped arguments: may be fused.
    pub elementwise: bool,
    /// Folds a tensor over the axes of its attribute `axis` (all when there is none): may be part of a fused program
    /// where the elements are floating.
    pub reduction: bool,
    /// Takes strided inputs; otherwise the planner copies them first.
    pub strided: bool,
    /// Works on the last two axes of its operands and does the same for each element of the others: may be done for one
    /// after the other, with what comes before and after it.
    pub matrices: bool,
    /// The input whose memory the result may take over: a kernel that changes few rows of a table.
    pub in_place: Option<usize>,
}
