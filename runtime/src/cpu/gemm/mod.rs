//! Our own product of matrices of f32: tiles in registers, operands read where they lie or packed.

// Tiles go over several small arrays at once, whose lengths the compiler knows.
#![allow(clippy::needless_range_loop)]

mod cache;
pub(crate) mod pack;
pub(crate) mod simd;
pub(crate) mod sliding;
pub(crate) mod tile;
pub(crate) mod vector;

use super::isa::Path;
use super::matmul::Size;
use cache::{Cache, second_cache};
use std::ptr;
use tile::{Compiled, NARROW, Tile, WIDE};

/// Most elements along the sum that are added up before the next columns: a block of rows stays in the first cache.
pub(crate) const DEPTH: usize = 1024;
/// Blocks of rows that are few.
const FEW: usize = 4;
/// Columns of a right matrix for which no left one is packed.
const THIN: usize = 64;
/// Elements of a left matrix by columns that is read where it lies.
const FIRST: usize = 1 << 13;
/// Elements between rows that share places in the caches.
const CONFLICT: isize = 1024;

/// The tiles of an instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Tiles {
    /// Rows of a tile at most.
    pub rows: usize,
    /// Elements of a vector.
    pub lanes: usize,
    /// Bytes of the right operand that all rows go over before the next: they stay in the second cache, which processors
    /// without AVX-512 have less of.
    pub panel_bytes: usize,
    /// Vectors of a tile at most.
    vectors: usize,
    /// By rows, then by vectors, both from 1.
    table: &'static [Compiled],
}

/// First element, stride of rows, stride of columns.
pub(crate) type Matrix = (*const f32, isize, isize);

/// The left operand.
#[derive(Clone, Copy)]
pub(crate) enum Left {
    /// Where it lies.
    Plain(Matrix),
    /// As [`pack::left`] makes it, from the first row of a block on.
    Blocks(*const f32),
}

/// The right operand.
#[derive(Clone, Copy)]
pub(crate) enum Right {
    /// Columns lie one after the other; first element and stride of rows.
    Plain(*const f32, isize),
    /// Panels as [`pack::pack`] makes them, of all rows and [`Tiles::width`] columns.
    Panels {
        first: *const f32,
        /// Columns from the first one on that are worth asking for ahead: those of this part, and what is packed behind.
        columns: usize,
        /// True where they are not in a near cache, most likely.
        far: bool,
        /// Where the columns are, one after the other, with the stride of rows, if the panels of this part are not made
        /// yet: the first block of rows makes them.
        source: Option<(*const f32, isize)>,
    },
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
    /// What the sums start from: null for 0, else the first element and the stride as those of `c`.
    pub start: (*const f32, isize),
}

impl Tiles {
    /// The tiles of a path; `None` for the portable one.
    pub fn of(path: Path) -> Option<Tiles> {
        match path {
            Path::Portable => None,
            Path::Avx2 => Some(Tiles { rows: 6, lanes: 8, panel_bytes: 1 << 18, vectors: 2, table: &NARROW }),
            Path::Avx512 => Some(Tiles { rows: 8, lanes: 16, panel_bytes: 1 << 20, vectors: 3, table: &WIDE }),
        }
    }

    /// Columns of a panel where there are `n` in all: two equal panels of two vectors rather than three and one.
    pub fn width(&self, n: usize) -> usize {
        let vectors = if self.vectors_of(n) == 4 { 2 } else { self.vectors };
        self.lanes * vectors
    }

    /// Vectors of so many columns. Divisions take longer than all else around a small tile.
    fn vectors_of(&self, columns: usize) -> usize {
        (columns + self.lanes - 1) >> self.lanes.trailing_zeros()
    }

    /// True where a left matrix with these strides, of rows and along the sum, is packed. Of a matrix by columns a tile
    /// reads a part of a line for each element of the sum, which is as quick while the lines stay in the first cache or
    /// are read for few columns.
    pub fn packs_left(&self, (down, along): (isize, isize), Size { m, k, n }: Size) -> bool {
        along != 1 && n > THIN && (down != 1 || m * k > FIRST || along % CONFLICT == 0)
    }

    /// True where `k` rows of a right matrix, so many elements apart, stay in the second cache when they are read where
    /// they lie, as many columns at a time as there are in `panel_bytes`.
    pub fn stays(&self, k: usize, apart: isize) -> bool {
        let Cache { bytes, ways } = second_cache();
        let way = bytes / ways;
        // Rows that lie at other places of a way each.
        let places = way / gcd(way, (apart.unsigned_abs() * 4).max(1)).max(64);
        // An eighth of the ways is for the left matrix and the result.
        2 * self.panel_bytes <= bytes && 8 * k.min(DEPTH) <= 7 * ways * places
    }

    /// Elements of a packed left matrix.
    pub fn left_room(&self, m: usize, k: usize) -> usize {
        m.next_multiple_of(self.rows) * k
    }

    /// c = a b for several products of the same sizes, not more columns than a panel has, and those in whole vectors: the
    /// first element of each side with its stride of rows, and the elements from product to product. Sums are not cut, and
    /// what is the same for all is found once.
    ///
    /// # Safety
    /// As for [`Tiles::multiply`].
    pub unsafe fn multiply_each(
        &self,
        count: usize,
        Size { m, k, n }: Size,
        (a, a_row, a_apart): (*const f32, isize, usize),
        (b, b_row, b_apart): (*const f32, isize, usize),
        (c, c_row, c_apart): (*mut f32, isize, usize),
    ) {
        let (blocks, vectors) = (m.div_ceil(self.rows), n / self.lanes);
        // Blocks have this many rows, and some of them one more.
        let (least, more) = (m / blocks, m % blocks);
        let tile = |rows: usize| self.table[(rows.max(1) - 1) * self.vectors + vectors - 1].whole;
        let tiles = [tile(least), tile((least + 1).min(self.rows))];
        for i in 0..count {
            let mut row = 0;
            for block in 0..blocks {
                let is_more = block < more;
                // SAFETY: the caller's promise; tiles lie inside the operands.
                unsafe {
                    let a = (a.add(i * a_apart).offset(row * a_row), a_row, 1);
                    let (b, c) = (b.add(i * b_apart), c.add(i * c_apart).offset(row * c_row));
                    let (start, next, packed) = ((ptr::null(), 0), (a.0, 0), (ptr::null_mut(), 0));
                    let (b, c) = ((b, b_row), (c, c_row));
                    tiles[usize::from(is_more)](&Tile {
                        k,
                        a,
                        b,
                        columns: n,
                        c,
                        transposed: false,
                        start,
                        packed,
                        next,
                    });
                }
                row += (least + usize::from(is_more)) as isize;
            }
        }
    }

    /// c = start + a b for m rows, n columns, which are part of a product with `of` columns; of the k elements along the sum
    /// those from `along.0` to `along.1`, of which there is one at least.
    ///
    /// # Safety
    /// The processor has the instructions; operands are inside their memory, `to` apart from them but for `start`.
    pub unsafe fn multiply(
        &self,
        Size { m, k, n }: Size,
        of: usize,
        along: (usize, usize),
        a: Left,
        whole: Right,
        to: To,
    ) {
        let width = self.width(of);
        let blocks = m.div_ceil(self.rows);
        // From a panel to the next: in the right matrix, in the result, in what the sums start from.
        let (across_b, behind, source) = match whole {
            Right::Plain(..) => (width, 0, None),
            Right::Panels { columns, source, .. } => (width * k, columns, source),
        };
        // The next panel is asked for, and the next rows of the left matrix are not, while the first rows are multiplied.
        let panels_first = blocks <= FEW || source.is_some() || matches!(whole, Right::Panels { far: true, .. });
        let panel = |stride: isize| if to.transposed { width as isize * stride } else { width as isize };
        let (across_c, across_start) = (panel(to.stride), panel(to.start.1));
        // Rows of a block that are read where they lie; some blocks have one more.
        let (least, more) = (m / blocks, m % blocks);
        for first in (along.0..along.1).step_by(DEPTH) {
            let depth = DEPTH.min(along.1 - first);
            let fit = self.panel_bytes / 4;
            let group = if depth * n <= fit { n.next_multiple_of(width) } else { (fit / depth / width).max(1) * width };
            let anew = first == along.0 && to.start.0.is_null();
            let mut right = 0;
            while right < n {
                let left = right;
                right = n.min(left + group);
                let (panels, rest) = ((right - left) / width, (right - left) % width);
                for block in 0..blocks {
                    let (top, bottom) = match a {
                        Left::Plain(_) => {
                            (block * least + block.min(more), (block + 1) * least + (block + 1).min(more))
                        }
                        Left::Blocks(_) => (block * self.rows, m.min((block + 1) * self.rows)),
                    };
                    // SAFETY: the caller's promise; tiles lie inside the operands.
                    unsafe {
                        // What is read after this block is fetched while it is multiplied: from where on, the steps along
                        // the sum and from a tile's part to that of the next, and how many tiles have a part.
                        let (a, ahead) = match a {
                            Left::Plain(a) => {
                                let from = |row: usize| a.0.wrapping_offset(row as isize * a.1 + first as isize * a.2);
                                let ahead = match a.2 == 1 {
                                    // The rows behind these, one with each tile.
                                    true => (from(bottom), (1, a.1), self.rows),
                                    // Of a matrix by columns the next two blocks: their lines are apart from each other, and
                                    // each would be waited for.
                                    false => {
                                        let soon = a.1 == 1 && block % 2 == 1 && block + 1 < blocks;
                                        (from(bottom), (a.2, 0), usize::from(soon))
                                    }
                                };
                                ((from(top), a.1, a.2), ahead)
                            }
                            Left::Blocks(a) => {
                                // All blocks may not fit into a near cache.
                                let from = |block: usize| a.wrapping_add((block * k + first) * self.rows);
                                let step = self.rows as isize;
                                ((from(block), 1, step), (from(block + 1), (step, 0), usize::from(block + 1 < blocks)))
                            }
                        };
                        let b = match whole {
                            Right::Plain(b, row) => (b.offset(first as isize * row).add(left), row),
                            Right::Panels { first: b, .. } => (b.add(left * k + first * width), width as isize),
                        };
                        let (packed, across_packed) = ((b.0.cast_mut(), width), across_b);
                        let makes = source.filter(|_| block == 0);
                        let (b, across_b) = match makes {
                            Some((b, row)) => ((b.offset(first as isize * row).add(left), row), width),
                            None => (b, across_b),
                        };
                        let place = |stride: isize| match to.transposed {
                            true => left as isize * stride + top as isize,
                            false => top as isize * stride + left as isize,
                        };
                        let c = (to.c.offset(place(to.stride)), to.stride);
                        let (start, across_start) = match first == along.0 {
                            true if anew => ((ptr::null(), 0), 0),
                            true => ((to.start.0.offset(place(to.start.1)), to.start.1), across_start),
                            false => ((c.0.cast_const(), to.stride), across_c),
                        };
                        let (mut rows_ahead, (along_ahead, across_ahead), mut tiles_ahead) = ahead;
                        let some = |columns: usize| {
                            let tile = self.table[(bottom - top - 1) * self.vectors + self.vectors_of(columns) - 1];
                            match anew && !to.transposed && columns & (self.lanes - 1) == 0 {
                                _ if makes.is_some() => tile.packing,
                                true => tile.whole,
                                false => tile.any,
                            }
                        };
                        let (transposed, next) = (to.transposed, (b.0, 0));
                        let mut tile = Tile { k: depth, a, b, columns: width, c, transposed, start, packed, next };
                        let mut next = |tile: &mut Tile, number: usize| {
                            // Panels come from memory or a far cache when they are met first.
                            let is_panel = block == 0 && left + (number + 1) * width < behind;
                            tile.next = match tiles_ahead {
                                _ if is_panel && (panels_first || tiles_ahead == 0) => {
                                    (tile.b.0.wrapping_add(across_b), tile.b.1)
                                }
                                0 => (rows_ahead, 0),
                                _ => (rows_ahead, along_ahead),
                            };
                            if tiles_ahead > 0 {
                                (rows_ahead, tiles_ahead) = (rows_ahead.wrapping_offset(across_ahead), tiles_ahead - 1);
                            }
                        };
                        if panels > 0 {
                            let compiled = some(width);
                            for number in 0..panels {
                                next(&mut tile, number);
                                compiled(&tile);
                                tile.b.0 = tile.b.0.wrapping_add(across_b);
                                tile.c.0 = tile.c.0.wrapping_offset(across_c);
                                tile.start.0 = tile.start.0.wrapping_offset(across_start);
                                tile.packed.0 = tile.packed.0.wrapping_add(across_packed);
                            }
                        }
                        if rest > 0 {
                            tile.columns = rest;
                            next(&mut tile, panels);
                            some(rest)(&tile);
                        }
                    }
                }
            }
        }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
