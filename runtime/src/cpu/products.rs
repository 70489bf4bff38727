//! Products of f32 matrices with tiles of our own: what is packed, which side is the left one, how the work is cut;
//! all of it from sizes and strides alone.
//!
//! | shape | way | because |
//! |---|---|---|
//! | a row or a column | [`vector::row`] | it is bound by reading the matrix, once |
//! | a row, a matrix that lasts and fits into a cache | its panels are kept | they are read in order, every second time backwards, with sums in registers |
//! | right matrix by rows, few rows or a small matrix | read where it lies | packing costs as much as several uses |
//! | right matrix by rows, large or in conflict in the cache | packed in panels | tiles stream through it |
//! | right matrix by columns, few rows beside columns and sums | turned: `cᵀ = bᵀ aᵀ` | the smaller side is packed |
//! | right matrix by columns otherwise | packed in panels | vectors need columns side by side |
//! | left matrix by columns, narrow result | turned | tiles are wide |
//! | right matrix that lasts from run to run, few rows | its panels are kept | they are packed once, and read in order |
//! | right matrix of several MB, or one thread | a chunk packs its own panels | they stay in the second cache |
//! | right matrix by rows with many panels, sums that are not long | the first rows of a chunk pack its panels | they read it anyway, and no thread waits for the others to pack |
//! | long sums | a part of both sides is packed at a time | it stays there too |
//! | left matrix by columns | packed in blocks of rows | a tile would read a part of a line for each element of the sum |
//! | left matrix by columns, small or few columns | read where it lies | its lines stay in the first cache |
//! | many products | whole ones are given out | each packs for itself, in the second cache |
//! | a half that is 0 or not looked at | strips of rows and columns | each multiplies what it must, in steps of the tiles |

use super::gemm::pack::{self, pack};
use super::gemm::tile::LINE;
use super::gemm::{DEPTH, Left, Right, Tiles, To, vector};
use super::isa::soon;
use super::kernels::{Run, Task};
use super::matmul::{CHUNK, Halves, Product, Size};
use super::pool::Shared;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tfm_lowering::plan::halves::Half;

/// Multiplications that a chunk of one product has, where there are enough, where there are few, and at least.
const PIECE: usize = 2 << 20;
const SMALL_PIECE: usize = PIECE / 4;
const LEAST_PIECE: usize = PIECE / 16;
/// Chunks that one product is cut in at least, where they are not too small.
const PIECES: usize = 16;
/// Elements of a left matrix that are packed at once.
const LEFT_PIECE: usize = 1 << 15;
/// Elements of both sides of a product up to which those of the next one are fetched meanwhile.
const FETCHED: usize = 1 << 14;
/// Multiplications of products that are cut when there are several.
const LARGE: usize = 64 << 20;
/// About the rows of a chunk where the sums are cut in depth.
const DEEP_ROWS: usize = 96;
/// Rows up to which a right matrix is read where it lies, whatever its size.
const FEW_ROWS: usize = 48;
/// Rows up to which a product is small.
const LITTLE: usize = 128;
/// Rows from which packing it always pays.
const MANY_ROWS: usize = 192;
/// Blocks of rows of a strip of a matrix of which a half is left out.
const STRIP: usize = 2;
/// Columns of a result below which a left matrix by columns makes the right one of the turned product.
const NARROW: usize = 129;
/// Bytes of a matrix that does not stay in a near cache.
const FAR: usize = 4 << 20;
/// Chunks for each of several threads at least where a chunk packs its own panels.
const OWN_CHUNKS: usize = 4;
/// Rows up to which panels are kept: of more, packing is a small part, and not worth the memory.
const KEPT_ROWS: usize = 128;

/// Columns of a panel for a row: their sums are in registers.
const ROW_PANEL: usize = 64;
/// Bytes of a matrix whose panels are kept for a row. What does not fit into the last cache is bound by memory: an estimate,
/// which was not measured, and memory for all of it once more.
const ROW_BYTES: usize = 16 << 20;

/// A product that has been decided on.
struct Way {
    tiles: Tiles,
    product: Product,
    /// The product is computed as its transpose; sizes and strides below are those of that.
    turned: bool,
    size: Size,
    left: (isize, isize),
    right: (isize, isize),
    /// Of the sides as they are taken here.
    halves: Halves,
    /// The right matrix is packed in panels of so many columns.
    packed: bool,
    width: usize,
    /// Each chunk packs its panels, which no other one needs.
    own: bool,
    /// Its panels are made while its first rows are multiplied: columns lie side by side, and the sums are not so long that
    /// packing several panels at once is quicker.
    makes: bool,
    /// The panels are kept from run to run.
    kept: bool,
    /// The left matrix is packed in blocks of rows.
    blocks: bool,
    /// Rows and columns of a chunk.
    chunk: (usize, usize),
    /// Elements along the sum that are packed at once.
    depth: usize,
    /// Each product of the batch is cut by itself.
    one_by_one: bool,
}

impl Way {
    /// The way of a product for so many threads, of which the right matrix lasts or not.
    fn new(tiles: Tiles, product: Product, halves: Halves, (threads, lasts): (usize, bool)) -> Way {
        let size = product.size;
        let by_columns = |(row, column): (isize, isize)| row == 1 && column != 1;
        let turned = match by_columns(product.rhs) {
            true => size.k <= DEPTH && (2 * size.m <= size.n && 2 * size.m < size.k || by_columns(product.lhs)),
            false => by_columns(product.lhs) && size.n < size.m.min(NARROW),
        };
        // What comes from memory comes as quickly where it lies, if it need not be packed at all.
        let worth = !turned || size.k * size.n * 4 < FAR;
        let kept = lasts && product.batches == 1 && size.m <= KEPT_ROWS && worth;
        let turned = turned && !kept;
        let (size, left, right) = match turned {
            true => (Size { m: size.n, k: size.k, n: size.m }, swap(product.rhs), swap(product.lhs)),
            false => (size, product.lhs, product.rhs),
        };
        let of_rows = |half: Option<Half>| half.filter(|_| !product.joined);
        let mut halves =
            Halves { lhs_zero: of_rows(halves.lhs_zero), out_unused: of_rows(halves.out_unused), ..halves };
        if turned {
            let turn = |half: Option<Half>| half.map(Half::turned);
            halves = Halves {
                lhs_zero: turn(halves.rhs_zero),
                rhs_zero: turn(halves.lhs_zero),
                out_unused: turn(halves.out_unused),
            };
        }
        let width = tiles.width(size.n);
        let large = size.k * size.n * 4 > tiles.panel_bytes && !(size.m <= LITTLE && tiles.stays(size.k, right.0));
        let packed = kept || right.1 != 1 || size.m >= MANY_ROWS || (size.m > FEW_ROWS && large);
        let blocks = tiles.packs_left(left, size);
        let multiplications = size.m * size.k * size.n;
        let alone = product.batches == 1 && (kept || threads > 1 || multiplications > CHUNK);
        let one_by_one = alone || multiplications > LARGE;
        let panels = size.n.div_ceil(width);
        let anew = one_by_one && packed && !kept;
        let all = halves == Halves::default();
        let depth = if anew && all { size.k.min(DEPTH) } else { size.k };
        let on_the_way = all && right.1 == 1 && depth < DEPTH;
        let many = panels >= 2 * OWN_CHUNKS * threads;
        let own = anew && (threads == 1 || many && (size.k * size.n * 4 >= FAR || on_the_way));
        let chunk = match own {
            true => {
                let fit = (tiles.panel_bytes / 4 / depth / width).max(1);
                let some = if threads > 1 { fit.min(panels / (OWN_CHUNKS * threads)).max(1) } else { fit };
                // Equal groups of panels.
                (size.m, panels.div_ceil(panels.div_ceil(some)) * width)
            }
            false => chunk(tiles, size, width),
        };
        Way {
            tiles,
            product,
            turned,
            size,
            left,
            right,
            halves,
            packed,
            width,
            own,
            makes: own && on_the_way,
            kept,
            blocks,
            chunk,
            depth,
            one_by_one,
        }
    }

    /// Elements of the packed right matrix, or of the panels of a chunk, in whole lines.
    fn panels(&self) -> usize {
        let columns = if self.own { self.chunk.1 } else { self.size.n.next_multiple_of(self.width) };
        if self.packed { (columns * self.depth).next_multiple_of(16) } else { 0 }
    }

    /// Elements of the packed left matrix, in whole lines.
    fn left_room(&self) -> usize {
        if self.blocks { self.tiles.left_room(self.size.m, self.depth).next_multiple_of(16) } else { 0 }
    }

    /// Elements of scratch: of all threads, and of each.
    fn scratch(&self) -> (usize, usize) {
        match (self.one_by_one, self.own) {
            (true, _) if self.kept => (self.left_room(), 0),
            (true, true) => (self.left_room(), self.panels()),
            (true, false) => (self.left_room() + self.panels(), 0),
            (false, _) => (0, self.left_room() + self.panels()),
        }
    }

    /// Packs the panels of some columns, the elements from `along.0` to `along.1` along the sum.
    ///
    /// # Safety
    /// `right` is the matrix, columns begin with a panel, `to` has room for the panels.
    unsafe fn pack(&self, right: *const f32, to: *mut f32, columns: (usize, usize), along: (usize, usize)) {
        let (down, across) = self.right;
        let first = right.wrapping_offset(along.0 as isize * down + columns.0 as isize * across);
        // SAFETY: the caller's promise.
        unsafe { pack((first, down, across), along.1 - along.0, columns.1 - columns.0, self.width, to) };
    }

    /// Pieces that the left matrix is packed in: groups of blocks, and elements along the sum of a piece.
    fn left_pieces(&self) -> (usize, usize) {
        let groups = self.size.m.div_ceil(self.tiles.rows).div_ceil(pack::BLOCKS);
        (groups, LEFT_PIECE / self.tiles.rows / pack::BLOCKS)
    }

    /// Packs a piece of the left matrix, of the elements from `along.0` to `along.1` along the sum.
    ///
    /// # Safety
    /// `left` is the matrix, `to` has room for all of it.
    unsafe fn pack_left(&self, left: *const f32, to: *mut f32, along: (usize, usize), piece: usize) {
        let (groups, depth) = self.left_pieces();
        let (m, k) = (self.size.m, along.1 - along.0);
        let first = piece % groups * pack::BLOCKS;
        let blocks = (first, m.div_ceil(self.tiles.rows).min(first + pack::BLOCKS));
        let part = (piece / groups * depth, k.min((piece / groups + 1) * depth));
        let left = left.wrapping_offset(along.0 as isize * self.left.1);
        // SAFETY: the caller's promise.
        unsafe { pack::left((left, self.left.0, self.left.1), (m, k), self.tiles.rows, blocks, part, to) }
    }

    /// Computes some rows and columns of a product but for what can be left out; the packed left matrix and the panels of
    /// the columns are given, where there are any.
    ///
    /// # Safety
    /// The operands are those of a product, columns begin with a panel, rows with a block where those are packed, and
    /// nothing else writes them.
    unsafe fn part(
        &self,
        operands: (*const f32, *const f32, *mut f32),
        (blocks, panels): (*const f32, *const f32),
        rows: (usize, usize),
        columns: (usize, usize),
        packed: (usize, usize),
    ) {
        let k = packed.1 - packed.0;
        let Halves { lhs_zero, rhs_zero, out_unused } = self.halves;
        let down = if self.halves == Halves::default() { rows.1 } else { STRIP * self.tiles.rows };
        let across = if rhs_zero.is_some() { self.width } else { columns.1 };
        for left in (columns.0..columns.1).step_by(across) {
            let right = columns.1.min(left + across);
            let panels = panels.wrapping_add((left - columns.0) * k);
            for top in (rows.0..rows.1).step_by(down) {
                let bottom = rows.1.min(top + down);
                let mut along = packed;
                // The columns of the left side as far as its last row, or from its first one on; rows of the right one.
                match lhs_zero {
                    Some(Half::After) => along.1 = along.1.min(bottom),
                    Some(Half::Before) => along.0 = along.0.max(top),
                    None => {}
                }
                match rhs_zero {
                    Some(Half::After) => along.0 = along.0.max(left),
                    Some(Half::Before) => along.1 = along.1.min(right),
                    None => {}
                }
                let (mut from, mut to) = (left, right);
                match out_unused {
                    Some(Half::After) => to = right.min(bottom).max(left),
                    Some(Half::Before) => from = left.max(top.min(right) / self.width * self.width),
                    None => {}
                }
                if along.0 >= along.1 {
                    to = from;
                }
                // SAFETY: the caller's promise; columns begin with a panel again.
                unsafe {
                    self.zeros(operands.2, (top, bottom), (left, from));
                    if from < to {
                        let panels = panels.wrapping_add((from - left) * k);
                        self.strip(operands, (blocks, panels), (top, bottom), (from, to), (packed, along));
                    }
                    self.zeros(operands.2, (top, bottom), (to, right));
                }
            }
        }
    }

    /// Where rows and columns of the result begin in memory.
    fn place(&self, out: *mut f32, row: usize, column: usize) -> *mut f32 {
        let (down, across) = if self.turned { (column, row) } else { (row, column) };
        out.wrapping_add(down * self.product.size.n + across)
    }

    /// Writes 0 where nothing is multiplied.
    ///
    /// # Safety
    /// The rows and columns are inside the result, and nothing else writes them.
    unsafe fn zeros(&self, out: *mut f32, rows: (usize, usize), columns: (usize, usize)) {
        if columns.0 == columns.1 {
            return;
        }
        let first = self.place(out, rows.0, columns.0);
        let (down, across) = (rows.1 - rows.0, columns.1 - columns.0);
        let (lines, length) = if self.turned { (across, down) } else { (down, across) };
        for line in 0..lines {
            // SAFETY: the caller's promise.
            unsafe { first.wrapping_add(line * self.product.size.n).write_bytes(0, length) };
        }
    }

    /// Multiplies some rows and columns, with a part of the sum.
    ///
    /// # Safety
    /// As for [`Way::part`].
    unsafe fn strip(
        &self,
        (left, right, out): (*const f32, *const f32, *mut f32),
        (blocks, panels): (*const f32, *const f32),
        rows: (usize, usize),
        columns: (usize, usize),
        (packed, along): ((usize, usize), (usize, usize)),
    ) {
        let k = packed.1 - packed.0;
        let size = Size { m: rows.1 - rows.0, k, n: columns.1 - columns.0 };
        // SAFETY: the caller's promise.
        unsafe {
            let a = match self.blocks {
                true => Left::Blocks(blocks.add(self.tiles.left_room(rows.0, k))),
                false => {
                    let first = left.offset(rows.0 as isize * self.left.0 + packed.0 as isize * self.left.1);
                    Left::Plain((first, self.left.0, self.left.1))
                }
            };
            // Where the columns are, if they lie side by side.
            let first = right.wrapping_offset(packed.0 as isize * self.right.0).wrapping_add(columns.0);
            let plain = (first, self.right.0);
            let b = match self.packed {
                true => {
                    let columns = if self.own { size.n } else { self.size.n - columns.0 };
                    let source = self.makes.then_some(plain);
                    Right::Panels { first: panels, columns, far: self.kept, source }
                }
                false => Right::Plain(plain.0, plain.1),
            };
            let c = self.place(out, rows.0, columns.0);
            let stride = self.product.size.n as isize;
            // What came before is there already.
            let start = if packed.0 > 0 { (c.cast_const(), stride) } else { (ptr::null(), 0) };
            let to = To { c, stride, transposed: self.turned, start };
            self.tiles.multiply(size, self.size.n, (along.0 - packed.0, along.1 - packed.0), a, b, to);
        }
    }

    /// The operands of a product of the batch, in the order they are taken here.
    fn at(&self, run: &Run<'_>, b: usize) -> (*const f32, *const f32, *mut f32) {
        let (lhs, rhs, out) = self.product.at::<f32>(run, b);
        if self.turned { (rhs, lhs, out) } else { (lhs, rhs, out) }
    }

    /// All products, each by one thread.
    fn batch(&self, run: &Run<'_>) {
        let Size { m, n, .. } = self.size;
        let (_, own) = self.scratch();
        let count = self.product.batches;
        let all = (0, self.size.k);
        let each = (m * self.size.k * n).max(1);
        let grain = (CHUNK / each).min(count.div_ceil(PIECES)).max(LEAST_PIECE / each).max(1);
        run.parallel(count.div_ceil(grain), |chunk, thread| {
            let blocks = run.scratch::<f32>().wrapping_add(thread * own);
            let panels = blocks.wrapping_add(self.left_room());
            for b in chunk * grain..count.min((chunk + 1) * grain) {
                let operands = self.at(run, b);
                if b + 1 < count {
                    self.fetch(self.at(run, b + 1));
                }
                // SAFETY: the views are inside their spaces; products write apart, each thread has its own scratch.
                unsafe {
                    if self.blocks {
                        let (groups, depth) = self.left_pieces();
                        let pieces = 0..groups * self.size.k.div_ceil(depth);
                        pieces.for_each(|piece| self.pack_left(operands.0, blocks, all, piece));
                    }
                    if self.packed {
                        self.pack(operands.1, panels, (0, n), all);
                    }
                    self.part(operands, (blocks, panels), (0, m), (0, n), all);
                }
            }
        });
    }

    /// Asks for the sides of a small product before it comes: their lines are often apart, and each would be waited for.
    fn fetch(&self, (left, right, _): (*const f32, *const f32, *mut f32)) {
        let Size { m, k, n } = self.size;
        if (m + n) * k > FETCHED {
            return;
        }
        for (first, (down, across), (rows, columns)) in [(left, self.left, (m, k)), (right, self.right, (k, n))] {
            let (step, lines, length) = if across == 1 { (down, rows, columns) } else { (across, columns, rows) };
            for line in 0..lines {
                let first = first.wrapping_offset(line as isize * step);
                (0..length).step_by(LINE).for_each(|i| soon(first.wrapping_add(i)));
            }
        }
    }

    /// One product, cut in chunks.
    fn one(&self, run: &Run<'_>, b: usize) {
        let Size { m, k, n } = self.size;
        let (shared, own) = self.scratch();
        let operands = Shared(self.at(run, b));
        let (down, across) = (m.div_ceil(self.chunk.0), n.div_ceil(self.chunk.1));
        for first in (0..k).step_by(self.depth) {
            let along = (first, k.min(first + self.depth));
            let made = !self.packed || self.own || (self.kept && !run.must_make());
            let panels = if made { 0 } else { n.div_ceil(self.width) };
            let (groups, depth) = self.left_pieces();
            let pieces = if self.blocks { groups * (along.1 - along.0).div_ceil(depth) } else { 0 };
            let at = if self.kept { run.kept() } else { run.scratch::<f32>().wrapping_add(self.left_room()) };
            let at = Shared(at);
            let panels_at = |column: usize| at.get().wrapping_add(column * (along.1 - along.0));
            if pieces + panels > 0 {
                // SAFETY: the views are inside their spaces; pieces and panels are apart.
                run.parallel(pieces + panels, |i, _| unsafe {
                    match i.checked_sub(pieces) {
                        None => self.pack_left(operands.get().0, run.scratch(), along, i),
                        Some(i) => {
                            let columns = (i * self.width, n.min((i + 1) * self.width));
                            self.pack(operands.get().1, panels_at(columns.0), columns, along);
                        }
                    }
                });
            }
            run.parallel(down * across, |chunk, thread| {
                // Neighbours, which a thread takes, share the part of the larger side.
                let (row, column) = if m > n { (chunk / across, chunk % across) } else { (chunk % down, chunk / down) };
                let (row, column) = (row * self.chunk.0, column * self.chunk.1);
                let rows = (row, m.min(row + self.chunk.0));
                let columns = (column, n.min(column + self.chunk.1));
                // SAFETY: as above; chunks write apart, and each thread has its own scratch.
                unsafe {
                    let panels = match self.own {
                        true => run.scratch::<f32>().wrapping_add(shared + thread * own),
                        false => panels_at(column),
                    };
                    if self.own && !self.makes {
                        self.pack(operands.get().1, panels, columns, along);
                    }
                    self.part(operands.get(), (run.scratch(), panels), rows, columns, along);
                };
            });
        }
    }
}

fn swap((a, b): (isize, isize)) -> (isize, isize) {
    (b, a)
}

/// Rows and columns of a chunk: columns as wide as fit into the second cache, then rows for enough work, then narrower
/// while there are too few chunks. Where the sums are cut in depth, each piece of the right matrix should meet many rows
/// before the next comes. Of few rows there are chunks of a block of rows, which take equally long, or all at once; of more
/// a chunk has two blocks at least.
fn chunk(tiles: Tiles, Size { m, k, n }: Size, width: usize) -> (usize, usize) {
    let (block, all) = (tiles.rows, n.div_ceil(width));
    let fit = (tiles.panel_bytes / 4 / k.min(DEPTH) / width).clamp(1, all);
    let piece = (m * k * n / PIECES).clamp(SMALL_PIECE, PIECE);
    let least_rows = match m {
        // As many chunks as threads can have equally many of.
        _ if k > DEPTH => m.div_ceil((m / DEEP_ROWS / 4 * 4).max(4)),
        ..FEW_ROWS => m,
        FEW_ROWS..=LITTLE => block,
        _ => 2 * block,
    };
    let rows = |panels: usize| {
        let mut wanted = piece / (k * panels * width);
        if m <= LITTLE && k * panels * width * block >= LEAST_PIECE {
            wanted = wanted.min(m / 8);
        }
        m.div_ceil(m.div_ceil(wanted.max(least_rows))).next_multiple_of(block).min(m)
    };
    let count = |panels: usize| m.div_ceil(rows(panels)) * all.div_ceil(panels);
    // Equal groups.
    let mut panels = all.div_ceil(all.div_ceil(fit));
    while panels > 1 && count(panels) < PIECES && k * panels * width * rows(panels) > piece / 2 {
        panels = panels.div_ceil(2);
    }
    (rows(panels), panels * width)
}

/// Elements of scratch for so many threads, and elements that are kept where the right matrix lasts.
pub(crate) fn room(tiles: Tiles, product: Product, halves: Halves, threads: usize, lasts: bool) -> (usize, usize) {
    if product.is_vector() {
        return (0, if keeps_for_row(&product, lasts) { row_panels(&product) * product.size.k * ROW_PANEL } else { 0 });
    }
    let way = Way::new(tiles, product, halves, (threads, lasts));
    let (shared, own) = way.scratch();
    (shared + own * threads, if way.kept { way.panels() } else { 0 })
}

/// True for a row times a matrix of which panels are kept. Sums have the same order as without.
fn keeps_for_row(product: &Product, lasts: bool) -> bool {
    let Size { m, k, n } = product.size;
    lasts && m == 1 && product.batches == 1 && product.rhs.1 == 1 && n > ROW_PANEL && k * n * 4 <= ROW_BYTES
}

/// Panels for a row.
fn row_panels(product: &Product) -> usize {
    product.size.n.div_ceil(ROW_PANEL)
}

/// A row times a matrix of which panels are kept, from the first panel on or the last.
fn row_of_kept(tiles: Tiles, product: &Product, from_last: bool, run: &Run<'_>) {
    let Size { k, n, .. } = product.size;
    let (x, right, y) = product.at::<f32>(run, 0);
    let (x, right, y, kept) = (Shared(x), Shared(right), Shared(y), Shared(run.kept::<f32>()));
    let panel = |i: usize| kept.get().wrapping_add(i * ROW_PANEL * k);
    let columns = |i: usize| ROW_PANEL.min(n - i * ROW_PANEL);
    if run.must_make() {
        run.parallel(row_panels(product), |i, _| {
            let from = (right.get().wrapping_add(i * ROW_PANEL), product.rhs.0, 1);
            // SAFETY: the views are inside their spaces; panels are apart.
            unsafe { pack(from, k, columns(i), ROW_PANEL, panel(i)) };
        });
    }
    run.parallel_from(from_last, row_panels(product), |i, _| {
        let matrix = (panel(i).cast_const(), ROW_PANEL as isize, 1);
        let (x, y) = ((x.get(), product.lhs.1), y.get().wrapping_add(i * ROW_PANEL));
        // SAFETY: as above; the results of panels are apart.
        unsafe { vector::row(tiles.lanes == 16, true, x, matrix, k, columns(i), y) };
    });
}

/// The task of a product for so many threads, of which the right matrix lasts or not.
pub(crate) fn task(tiles: Tiles, product: Product, halves: Halves, (threads, lasts): (usize, bool)) -> Task {
    if keeps_for_row(&product, lasts) {
        let back = AtomicBool::new(false);
        return Box::new(move |run| {
            row_of_kept(tiles, &product, back.fetch_not(Relaxed), run);
            Ok(())
        });
    }
    if product.is_vector() {
        let all = product.size.m.max(product.size.n);
        return Box::new(move |run| {
            product.vectors::<f32>(run, |x, a, k, n, y| {
                // SAFETY: `vectors` gives pieces of the operands.
                unsafe { vector::row(tiles.lanes == 16, n < all, x, a, k, n, y) }
            });
            Ok(())
        });
    }
    let way = Way::new(tiles, product, halves, (threads, lasts));
    Box::new(move |run| {
        if way.one_by_one {
            (0..way.product.batches).for_each(|b| way.one(run, b));
        } else {
            way.batch(run);
        }
        Ok(())
    })
}
