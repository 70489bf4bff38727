//! Products of f32 matrices with tiles of our own: what is packed, which side is the left one, how the work is cut;
//! all of it from sizes and strides alone.
//!
//! | shape | way | because |
//! |---|---|---|
//! | a row or a column | [`vector::row`] | it is bound by reading the matrix, once |
//! | right matrix by rows, few rows or a small matrix | read where it lies | packing costs as much as several uses |
//! | right matrix by rows, large or in conflict in the cache | packed in panels | tiles stream through it |
//! | right matrix by columns, result wider than high | turned: `cᵀ = bᵀ aᵀ` | the smaller side is packed |
//! | right matrix by columns otherwise | packed in panels | vectors need columns side by side |
//! | left matrix by columns | packed 8 rows at a time | while it is in the first cache |
//! | many products | whole ones are given out | each packs for itself, in the second cache |

use super::gemm::{DEPTH, Matrix, PANEL_BYTES, Right, Tiles, To, pack::pack, vector};
use super::kernels::{Run, Task};
use super::matmul::{CHUNK, Product, Size};
use std::ptr;

/// Multiplications that a chunk of one product has, where there are enough.
const PIECE: usize = 2 << 20;
/// Chunks that one product is cut in at least, where they are not too small.
const PIECES: usize = 16;
/// Multiplications of products that are cut when there are several.
const LARGE: usize = 64 << 20;
/// Rows of a block, two of which a chunk has at least, and rows of a chunk where the sums are cut in depth.
const ROWS: usize = 8;
const DEEP_ROWS: usize = 96;
/// Rows up to which a right matrix is read where it lies, whatever its size.
const FEW_ROWS: usize = 48;
/// Rows from which packing it always pays.
const MANY_ROWS: usize = 192;

/// A product that has been decided on.
struct Way {
    tiles: Tiles,
    product: Product,
    /// The product is computed as its transpose; sizes and strides below are those of that.
    turned: bool,
    size: Size,
    left: (isize, isize),
    right: (isize, isize),
    /// The right matrix is packed in panels of so many columns.
    packed: bool,
    width: usize,
    /// Rows and columns of a chunk.
    chunk: (usize, usize),
    /// Each product of the batch is cut by itself.
    one_by_one: bool,
}

impl Way {
    fn new(tiles: Tiles, product: Product) -> Way {
        let size = product.size;
        let by_columns = |(row, column): (isize, isize)| row == 1 && column != 1;
        let turned = by_columns(product.rhs) && size.k <= DEPTH && (2 * size.m <= size.n || by_columns(product.lhs));
        let (size, left, right) = match turned {
            true => (Size { m: size.n, k: size.k, n: size.m }, swap(product.rhs), swap(product.lhs)),
            false => (size, product.lhs, product.rhs),
        };
        let width = tiles.width(size.n);
        let large = size.k * size.n * 4 > PANEL_BYTES;
        let packed = right.1 != 1 || size.m >= MANY_ROWS || (size.m > FEW_ROWS && large);
        let one_by_one = product.batches == 1 || size.m * size.k * size.n > LARGE;
        let chunk = chunk(size, width, left.1 != 1);
        Way { tiles, product, turned, size, left, right, packed, width, chunk, one_by_one }
    }

    /// Elements of the packed right matrix, in whole lines.
    fn panels(&self) -> usize {
        if self.packed { self.size.n.next_multiple_of(self.width) * self.size.k } else { 0 }
    }

    /// Elements for the packed rows of a thread.
    fn room(&self) -> usize {
        if self.left.1 == 1 { 0 } else { self.tiles.room(self.size.k).next_multiple_of(16) }
    }

    /// Elements of scratch: of all threads, and of each.
    fn scratch(&self) -> (usize, usize) {
        let panels = self.panels().next_multiple_of(16);
        if self.one_by_one { (panels, self.room()) } else { (0, panels + self.room()) }
    }

    /// Packs some panels.
    ///
    /// # Safety
    /// `right` is the matrix, `to` has room for [`Way::panels`].
    unsafe fn pack(&self, right: *const f32, to: *mut f32, panel: usize) {
        let (k, first) = (self.size.k, panel * self.width);
        let columns = self.width.min(self.size.n - first);
        // SAFETY: the caller's promise.
        unsafe {
            let from = (right.offset(first as isize * self.right.1), self.right.0, self.right.1);
            pack(from, k, columns, self.width, to.add(first * k));
        }
    }

    /// Computes some rows and columns of a product.
    ///
    /// # Safety
    /// The operands are those of a product, columns begin with a panel, and nothing else writes them.
    unsafe fn part(
        &self,
        (left, right, out): (*const f32, *const f32, *mut f32),
        panels: *const f32,
        rows: (usize, usize),
        columns: (usize, usize),
        room: *mut f32,
    ) {
        let k = self.size.k;
        let size = Size { m: rows.1 - rows.0, k, n: columns.1 - columns.0 };
        let stride = self.product.size.n;
        // SAFETY: the caller's promise.
        unsafe {
            let a: Matrix = (left.offset(rows.0 as isize * self.left.0), self.left.0, self.left.1);
            let b = match self.packed {
                true => Right::Panels(panels.add(columns.0 * k)),
                false => Right::Plain(right.add(columns.0), self.right.0),
            };
            let (down, across) = if self.turned { (columns.0, rows.0) } else { (rows.0, columns.0) };
            let c = out.add(down * stride + across);
            let to = To { c, stride: stride as isize, transposed: self.turned, start: (ptr::null(), 0) };
            self.tiles.multiply(size, self.size.n, a, b, to, room);
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
        let grain = (CHUNK / (m * self.size.k * n).max(1)).max(1);
        let count = self.product.batches;
        run.parallel(count.div_ceil(grain), |chunk, thread| {
            let panels = run.scratch::<f32>().wrapping_add(thread * own);
            let room = panels.wrapping_add(own - self.room());
            for b in chunk * grain..count.min((chunk + 1) * grain) {
                let operands = self.at(run, b);
                // SAFETY: the views are inside their spaces; products write apart, each thread has its own scratch.
                unsafe {
                    if self.packed {
                        (0..n.div_ceil(self.width)).for_each(|panel| self.pack(operands.1, panels, panel));
                    }
                    self.part(operands, panels, (0, m), (0, n), room);
                }
            }
        });
    }

    /// One product, cut in chunks.
    fn one(&self, run: &Run<'_>, b: usize) {
        let (shared, own) = self.scratch();
        let operands = Shared(self.at(run, b));
        if self.packed {
            // SAFETY: the views are inside their spaces; panels are apart.
            run.parallel(self.size.n.div_ceil(self.width), |panel, _| unsafe {
                self.pack(operands.get().1, run.scratch(), panel);
            });
        }
        let (down, across) = (self.size.m.div_ceil(self.chunk.0), self.size.n.div_ceil(self.chunk.1));
        run.parallel(down * across, |chunk, thread| {
            let (row, column) = (chunk % down * self.chunk.0, chunk / down * self.chunk.1);
            let rows = (row, self.size.m.min(row + self.chunk.0));
            let columns = (column, self.size.n.min(column + self.chunk.1));
            let room = run.scratch::<f32>().wrapping_add(shared + thread * own);
            // SAFETY: as above; chunks write apart.
            unsafe { self.part(operands.get(), run.scratch(), rows, columns, room) };
        });
    }
}

/// Pointers that several threads take parts of.
#[derive(Clone, Copy)]
struct Shared((*const f32, *const f32, *mut f32));

// SAFETY: chunks write apart.
unsafe impl Sync for Shared {}

impl Shared {
    fn get(&self) -> (*const f32, *const f32, *mut f32) {
        self.0
    }
}

fn swap((a, b): (isize, isize)) -> (isize, isize) {
    (b, a)
}

/// Rows and columns of a chunk: columns as wide as fit into the second cache, then rows for enough work, then narrower
/// while there are too few chunks. Where the sums are cut in depth, each piece of the right matrix should meet many rows
/// before the next comes.
fn chunk(Size { m, k, n }: Size, width: usize, by_columns: bool) -> (usize, usize) {
    let all = n.div_ceil(width);
    let fit = (PANEL_BYTES / 4 / k.min(DEPTH) / width).clamp(1, all);
    let least_rows = if k > DEPTH { DEEP_ROWS } else { 2 * ROWS };
    let rows = |panels: usize| {
        let wanted = (PIECE / (k * panels * width)).max(least_rows);
        m.div_ceil(m.div_ceil(wanted)).next_multiple_of(ROWS).min(m)
    };
    let count = |panels: usize| m.div_ceil(rows(panels)) * all.div_ceil(panels);
    // Packed rows should be used more than once.
    let least = if by_columns { 2 } else { 1 };
    // Equal groups.
    let mut panels = all.div_ceil(all.div_ceil(fit));
    while panels > least && count(panels) < PIECES && k * panels * width * rows(panels) > PIECE / 2 {
        panels = panels.div_ceil(2);
    }
    (rows(panels), panels * width)
}

/// Elements of scratch for so many threads.
pub(crate) fn scratch(tiles: Tiles, product: Product, threads: usize) -> usize {
    if product.is_vector() {
        return 0;
    }
    let (shared, own) = Way::new(tiles, product).scratch();
    shared + own * threads
}

/// The task of a product.
pub(crate) fn task(tiles: Tiles, product: Product) -> Task {
    if product.is_vector() {
        return Box::new(move |run| {
            product.vectors::<f32>(run, |x, a, k, n, y| {
                // SAFETY: `vectors` gives pieces of the operands.
                unsafe { vector::row(tiles.lanes == 16, x, a, k, n, y) }
            });
            Ok(())
        });
    }
    let way = Way::new(tiles, product);
    Box::new(move |run| {
        if way.one_by_one {
            (0..way.product.batches).for_each(|b| way.one(run, b));
        } else {
            way.batch(run);
        }
        Ok(())
    })
}
