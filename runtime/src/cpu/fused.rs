//! The interpreter of fused programs.
//!
//! The iteration space is flattened and cut into blocks: whole rows where a program has reductions over them, else tiles.
//! A block is gone through once for each phase, in tiles that stay in the cache; each instruction is one vector loop
//! over a tile. Contiguous inputs are read where they lie and results written where they belong; other registers
//! have a buffer in the thread's own memory. What is the same for every tile (constants, scalars, repeated rows, and what
//! is computed from scalars alone) is computed once per chunk. Totals have sums for each piece, and pieces are
//! cut by sizes alone.

mod compile;
#[cfg(target_arch = "x86_64")]
mod extreme;
mod fold;
mod join;
mod load;
#[cfg(target_arch = "x86_64")]
mod native;
mod run;

use super::elementwise::Tile;
use super::kernels::{Call, Task};
use fold::Folder;
use load::Input;
use tfm_lowering::plan::Fused;
use tfm_lowering::plan::halves::Half;

/// Elements of a tile of a program with few operands, and how many those are; of others half as many.
const TILE: usize = 1024;
const FEW_OPERANDS: usize = 3;
/// Elements of a row from which it pays to leave a part of it out.
const LONG: usize = 160;
/// Elements that a part of a row begins and ends at: whole vectors, and whole lines of the cache.
const STEP: usize = 16;
/// Bytes of a line of the cache.
const LINE: usize = 64;
/// Elements computed, counted once per instruction, that make a chunk worth giving away, and where there are few.
const CHUNK_WORK: usize = 1 << 17;
const SMALL_CHUNK_WORK: usize = 1 << 15;
/// Chunks that a small program is cut in.
const FEW_CHUNKS: usize = 4;

/// An elementwise operation on registers.
struct Op {
    tile: Tile,
    args: [u16; 3],
    out: u16,
    /// Index into [`Program::names`].
    name: usize,
}

/// What is done to a tile.
enum Micro {
    Op(Op),
    /// Several operations on f32 at once.
    #[cfg(target_arch = "x86_64")]
    Native(native::Native),
    /// Puts the elements of rows together.
    Row {
        folder: Folder,
        from: u16,
        to: u16,
        state: usize,
    },
    /// Puts elements into a total, an index into [`Program::totals`].
    Total {
        from: u16,
        total: usize,
    },
}

impl Micro {
    /// True where every element is read before it is written.
    fn reads_before_writing(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self, Micro::Native(_));
        #[cfg(not(target_arch = "x86_64"))]
        false
    }
}

/// What is done between two reductions over the row.
#[derive(Default)]
struct Phase {
    /// Inputs that are a number for each row.
    row_loads: Vec<usize>,
    /// Operations on such numbers.
    by_row: Vec<Op>,
    /// Numbers of rows, repeated for each element: from register, to register, bytes.
    repeats: Vec<(u16, u16, usize)>,
    /// Inputs that are brought to a register for each tile.
    loads: Vec<usize>,
    /// Those of them that are read where they lie, in order: the next tile of them is asked for ahead, so many lines of the
    /// cache with each of `micros`.
    streams: Vec<(usize, usize)>,
    micros: Vec<Micro>,
    /// Outputs that are copied from their registers.
    copies: Vec<usize>,
}

impl Phase {
    fn row_folds(&self) -> impl Iterator<Item = (&Folder, usize, u16)> {
        self.micros.iter().filter_map(|m| match m {
            Micro::Row { folder, to, state, .. } => Some((folder, *state, *to)),
            _ => None,
        })
    }
}

/// A register that is written to memory.
struct Output {
    /// Index into the step's outputs.
    output: usize,
    register: u16,
    bytes: usize,
    /// True: the instruction writes it. False: it is copied from the register after the tile.
    direct: bool,
}

/// A reduction whose result is complete at the end.
struct Total {
    /// Index into the step's outputs.
    output: usize,
    folder: Folder,
    bytes: usize,
    results: usize,
    /// Where the sums of the first piece begin in the scratch.
    scratch: usize,
    /// The place of an element's sum, by axis of the iteration space.
    strides: Vec<isize>,
}

struct Program {
    /// Axes merged.
    shape: Vec<usize>,
    total: usize,
    /// Elements of a block, and of a tile; a block is one tile but where a row is longer.
    block: usize,
    tile: usize,
    /// Elements of a row; a tile where there are no rows.
    length: usize,
    /// The half of each matrix that is left out, whose outputs are 0, and the rows of a matrix. A block is a row then.
    skips: Option<(Half, usize)>,
    /// Blocks of a chunk.
    chunk: usize,
    /// Chunks where there are totals.
    pieces: usize,
    inputs: Vec<Input>,
    /// How many registers there are.
    registers: usize,
    /// True where the coordinates of a tile's first element are asked for.
    strided: bool,
    constants: Vec<(u16, [u8; 8], usize)>,
    /// From scalars alone: once per chunk.
    fixed: Vec<Op>,
    phases: Vec<Phase>,
    outputs: Vec<Output>,
    /// Outputs that are a number for each row.
    narrow_outputs: Vec<Output>,
    totals: Vec<Total>,
    /// What [`Micro::Native`] runs.
    #[cfg(target_arch = "x86_64")]
    code: Option<native::Code>,
    /// Registers with a buffer, and where it is in the thread's memory.
    buffers: Vec<(u16, usize)>,
    /// Registers that hold a whole row where it is longer than a tile; and their bytes per element.
    whole_rows: Vec<(u16, usize, usize)>,
    names: Vec<String>,
}

/// Compiles a program, and says how much memory of its own each thread needs.
pub(crate) fn prepare(fused: &Fused, call: &Call<'_>) -> Result<(Task, usize), String> {
    let (program, bytes) = compile::compile(fused, call)?;
    Ok((Box::new(move |run| program.run(run)), bytes))
}
