//! Our own product of matrices of f32: tiles in registers, operands read where they lie or packed.

// Tiles go over several small arrays at once, whose lengths the compiler knows.
#![allow(clippy::needless_range_loop)]

pub(crate) mod pack;
pub(crate) mod simd;
pub(crate) mod sliding;
pub(crate) mod tile;
pub(crate) mod vector;

use super::isa::Path;
use super::matmul::Size;
use tile::{NARROW, Tile, TileFn, VECTORS, WIDE};

/// Most elements along the sum that are added up before the next columns: a block of rows stays in the first cache.
pub(crate) const DEPTH: usize = 1024;
/// Bytes of the right operand that all rows go over before the next: they stay in the second cache.
pub(crate) const PANEL_BYTES: usize = 1 << 20;

/// Elements between rows that share places in the caches.
const CONFLICT: isize = 1024;

/// The tiles of an instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Tiles {
    /// Rows of a tile at most.
    pub rows: usize,
    /// Elements of a vector.
    pub lanes: usize,
    table: &'static [[TileFn; VECTORS]],
}

/// First element, stride of rows, stride of columns.
pub(crate) type Matrix = (*const f32, isize, isize);

/// The right operand.
#[derive(Clone, Copy)]
pub(crate) enum Right {
    /// Columns lie one after the other; first element and stride of rows.
    Plain(*const f32, isize),
    /// Panels as [`pack::pack`] makes them, of all rows and [`Tiles::width`] columns.
    Panels(*const f32),
}

/// Where a product goes.
#[derive(Clone, Copy)]
pub(crate) struct To {
    /// The first element.
    pub c: *mut f32,
    /// Stride of rows; of columns when transposed.
    pub stride: isize,
    /// True: a row of the product is a column in memory.
    pub transposed: bool,
    /// What the sums start from: null for 0, else the first element and the stride of rows.
    pub start: (*const f32, isize),
}

impl Tiles {
    /// The tiles of a path; `None` for the portable one.
    pub fn of(path: Path) -> Option<Tiles> {
        match path {
            Path::Portable => None,
            Path::Avx2 => Some(Tiles { rows: 4, lanes: 8, table: &NARROW }),
            Path::Avx512 => Some(Tiles { rows: 8, lanes: 16, table: &WIDE }),
        }
    }

    /// Columns of a panel where there are `n` in all: two equal panels of two vectors rather than three and one.
    pub fn width(&self, n: usize) -> usize {
        let vectors = if n.div_ceil(self.lanes) == 4 { 2 } else { VECTORS };
        self.lanes * vectors
    }

    /// True where rows of a left matrix with these strides, of rows and along the sum, are packed. Of a matrix by columns
    /// a tile reads a part of a line for each element of the sum, which is as quick while the lines stay in the second
    /// cache.
    pub fn packs_left(&self, (down, along): (isize, isize), k: usize) -> bool {
        along != 1 && (down != 1 || k > DEPTH || along % CONFLICT == 0)
    }

    /// Elements that [`Tiles::multiply`] packs rows into.
    pub fn room(&self, k: usize) -> usize {
        2 * k.min(DEPTH) * 8
    }

    /// c = start + a b for m rows, k elements along the sum, n columns, which are part of a product with `of` columns.
    ///
    /// # Safety
    /// The processor has the instructions; operands are inside their memory, `to` apart from them but for `start`;
    /// `room` has [`Tiles::room`] elements where `a` is packed and `n` not a single panel.
    pub unsafe fn multiply(&self, Size { m, k, n }: Size, of: usize, a: Matrix, b: Right, to: To, room: *mut f32) {
        let width = self.width(of);
        let blocks = m.div_ceil(self.rows);
        let packs = self.packs_left((a.1, a.2), k) && n > width;
        for first in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - first);
            let group = (PANEL_BYTES / 4 / depth / width).max(1) * width;
            for left in (0..n).step_by(group) {
                let right = n.min(left + group);
                for block in 0..blocks {
                    let (top, bottom) = (block * m / blocks, (block + 1) * m / blocks);
                    let rows = bottom - top;
                    // SAFETY: the caller's promise; tiles lie inside the operands.
                    unsafe {
                        let from = |row: usize| a.0.offset(row as isize * a.1 + first as isize * a.2);
                        // Of a matrix by columns the next two blocks are fetched while these are multiplied: their
                        // lines are apart from each other, and each would be waited for.
                        let soon = a.1 == 1 && a.2 != 1 && block % 2 == 1 && block + 1 < blocks;
                        let next = if soon { (from(bottom), a.2) } else { (from(top), 0) };
                        let mut a = (from(top), a.1, a.2);
                        if packs {
                            // Two blocks at once; the second is used in the next turn.
                            let own = room.add(block % 2 * depth * 8);
                            if a.1 != 1 {
                                pack::pack((a.0, a.2, a.1), depth, rows, 8, own);
                            } else if block % 2 == 0 {
                                let next = if block + 1 < blocks { (block + 2) * m / blocks - bottom } else { 0 };
                                pack::pack_two((a.0, a.2), depth, (rows, next), (own, own.add(depth * 8)));
                            }
                            a = (own, 1, 8);
                        }
                        for column in (left..right).step_by(width) {
                            let columns = width.min(right - column);
                            let b = match b {
                                Right::Plain(b, row) => (b.offset(first as isize * row).add(column), row),
                                Right::Panels(b) => (b.add(column * k + first * width), width as isize),
                            };
                            let c = match to.transposed {
                                true => to.c.offset(column as isize * to.stride).add(top),
                                false => to.c.offset(top as isize * to.stride).add(column),
                            };
                            let start = match first {
                                0 if to.start.0.is_null() => to.start,
                                0 => (to.start.0.offset(top as isize * to.start.1).add(column), to.start.1),
                                _ => (c.cast_const(), to.stride),
                            };
                            let next = if column == left { next } else { (next.0, 0) };
                            let (c, transposed) = ((c, to.stride), to.transposed);
                            let tile = Tile { k: depth, a, b, columns, c, transposed, start, next };
                            self.table[rows - 1][columns.div_ceil(self.lanes) - 1](&tile);
                        }
                    }
                }
            }
        }
    }
}
