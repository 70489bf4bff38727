//! Tiles: some rows times some columns of a product, all sums in registers.

use super::simd::{Narrow, Simd, Wide, opaque, transpose};
use crate::cpu::isa::soon;
use std::arch::x86_64::*;

/// Rows of a tile, at most.
pub(crate) const ROWS: usize = 8;
/// Vectors of columns of a tile, at most.
pub(crate) const VECTORS: usize = 3;
/// Elements of a line of the cache.
pub(crate) const LINE: usize = 16;

/// What a tile computes: `c = start + a b`.
#[derive(Clone, Copy)]
pub(crate) struct Tile {
    /// Length of the sums.
    pub k: usize,
    /// First element, stride from row to row and along the sum.
    pub a: (*const f32, isize, isize),
    /// First element and stride along the sum; columns lie one after the other.
    pub b: (*const f32, isize),
    /// Columns, up to [`VECTORS`] vectors.
    pub columns: usize,
    /// First element and stride from row to row; with `transposed` from column to column.
    pub c: (*mut f32, isize),
    /// True: rows of the tile are columns in memory.
    pub transposed: bool,
    /// What the sums start from: null for 0, else the first element and the stride as those of `c`.
    pub start: (*const f32, isize),
    /// Where a packing tile writes the columns of the right operand, element after element of the sum, and the stride.
    pub packed: (*mut f32, usize),
    /// What is read after the tile: a line of the cache for each element along the sum, by its address and a stride.
    pub next: (*const f32, isize),
}

/// A compiled tile.
pub(crate) type TileFn = unsafe fn(&Tile);

/// Where the rows of the right operand are.
pub(super) trait Rows: Copy {
    /// Vector `v` of row `k`.
    unsafe fn at(&self, k: usize, v: usize) -> *const f32;
}

#[derive(Clone, Copy)]
struct Strided<const LANES: usize>(*const f32, isize);

impl<const LANES: usize> Rows for Strided<LANES> {
    #[inline(always)]
    unsafe fn at(&self, k: usize, v: usize) -> *const f32 {
        self.0.wrapping_offset(k as isize * self.1).wrapping_add(v * LANES)
    }
}

/// Adds the products of R rows with V vectors of columns to the sums; the last vector is masked
/// where that is said. Meanwhile the lines that the tile will be written to are fetched (the first of them, a stride, how
/// many), and what is read next: both often come from memory, and the tile takes longer than that.
///
/// # Safety
/// The processor has the instructions, and the operands are inside their memory.
#[inline(always)]
unsafe fn multiply<S: Simd, B: Rows, const R: usize, const V: usize, const MASKED: bool, const PACKS: bool>(
    t: &Tile,
    b: B,
    to: (*const f32, isize, usize),
    last: S::M,
    sums: &mut [[S::V; V]; R],
) {
    let Tile { k, a, next, packed, .. } = *t;
    // SAFETY: the caller's promise.
    unsafe {
        // Pointers that the compiler knows nothing of: it would make one from the other, a chain of sums as long as the
        // tile takes.
        let mut rows = [a.0; R];
        for r in (0..R).step_by(S::FROM_ONE) {
            rows[r] = opaque(a.0.wrapping_offset(r as isize * a.1));
        }
        let fetch = |row: usize| {
            for v in (0..V).step_by(LINE / S::LANES) {
                soon(to.0.wrapping_offset(row as isize * to.1).wrapping_add(v * S::LANES));
            }
        };
        // In the loop there are registers for it or not.
        if S::FROM_ONE > 1 {
            (0..to.2).for_each(fetch);
        }
        let mut along = 0;
        for i in 0..k {
            let mut y = [S::zero(); V];
            for v in 0..V {
                y[v] = if MASKED && v + 1 == V { S::load_some(b.at(i, v), last) } else { S::load(b.at(i, v)) };
                if PACKS {
                    S::store(packed.0.add(i * packed.1 + v * S::LANES), y[v]);
                }
            }
            _mm_prefetch::<_MM_HINT_T1>(next.0.wrapping_offset(i as isize * next.1).cast());
            if S::FROM_ONE == 1 && i < to.2 {
                fetch(i);
            }
            if V > 1 {
                for v in (0..V).step_by(LINE / S::LANES) {
                    soon(b.at(i + 10, v));
                }
            }
            for r in 0..R {
                let from = rows[r / S::FROM_ONE * S::FROM_ONE].wrapping_offset((r % S::FROM_ONE) as isize * a.1);
                let factor = S::splat(from.wrapping_offset(along));
                for v in 0..V {
                    sums[r][v] = S::fma(factor, y[v], sums[r][v]);
                }
            }
            if S::FROM_ONE == 1 {
                along += a.2;
            } else {
                for r in (0..R).step_by(S::FROM_ONE) {
                    rows[r] = opaque(rows[r].wrapping_offset(a.2));
                }
            }
        }
    }
}

/// Computes a tile.
///
/// # Safety
/// As for [`multiply`]; `c` has room.
#[inline(always)]
unsafe fn tile<S: Simd, B: Rows, const R: usize, const V: usize, const PACKS: bool>(t: &Tile, b: B) {
    // SAFETY: the caller's promise.
    unsafe {
        let last = S::mask(t.columns - (V - 1) * S::LANES);
        let mut sums = [[S::zero(); V]; R];
        if !t.start.0.is_null() && t.transposed {
            sums = from_turned::<S, R, V>(t);
        } else if !t.start.0.is_null() {
            for r in 0..R {
                let from = t.start.0.offset(r as isize * t.start.1);
                for v in 0..V {
                    let x = from.wrapping_add(v * S::LANES);
                    sums[r][v] = if v + 1 == V { S::load_some(x, last) } else { S::load(x) };
                }
            }
        }
        let to = (t.c.0.cast_const(), t.c.1, if t.transposed { t.columns } else { R });
        if S::MASKS_COST && t.columns == V * S::LANES {
            multiply::<S, B, R, V, false, PACKS>(t, b, to, last, &mut sums);
        } else {
            multiply::<S, B, R, V, true, PACKS>(t, b, to, last, &mut sums);
        }
        if t.transposed {
            return turned::<S, R, V>(t, &sums);
        }
        let whole = t.columns == V * S::LANES;
        for r in 0..R {
            let to = t.c.0.offset(r as isize * t.c.1);
            for v in 0..V {
                if v + 1 == V && !whole {
                    S::store_some(to.add(v * S::LANES), last, sums[r][v]);
                } else {
                    S::store(to.add(v * S::LANES), sums[r][v]);
                }
            }
        }
    }
}

/// As [`tile`], of whole vectors whose sums start from 0 and go where rows are rows: there is little around the loop then,
/// which matters where sums are short.
///
/// # Safety
/// As for [`multiply`]; `c` has room.
#[inline(always)]
unsafe fn whole<S: Simd, B: Rows, const R: usize, const V: usize>(t: &Tile, b: B) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[S::zero(); V]; R];
        let to = (t.c.0.cast_const(), t.c.1, R);
        multiply::<S, B, R, V, false, false>(t, b, to, S::mask(S::LANES), &mut sums);
        for r in 0..R {
            for v in 0..V {
                S::store(t.c.0.offset(r as isize * t.c.1).add(v * S::LANES), sums[r][v]);
            }
        }
    }
}

/// Writes a tile's rows as columns.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn turned<S: Simd, const R: usize, const V: usize>(t: &Tile, sums: &[[S::V; V]; R]) {
    let mut rows = [[0f32; 16 * VECTORS]; ROWS];
    // SAFETY: the caller's promise.
    unsafe {
        for r in 0..R {
            for v in 0..V {
                S::store(rows[r].as_mut_ptr().add(v * S::LANES), sums[r][v]);
            }
        }
        for j in (0..t.columns).step_by(8) {
            let mut block = [Narrow::zero(); 8];
            for r in 0..R {
                block[r] = Narrow::load(rows[r].as_ptr().add(j));
            }
            for (c, column) in transpose(block).into_iter().enumerate().take(t.columns - j) {
                let to = t.c.0.offset((j + c) as isize * t.c.1);
                Narrow::store_first(to, R, column);
            }
        }
    }
}

/// Reads what sums start from, where a tile's rows are columns.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
unsafe fn from_turned<S: Simd, const R: usize, const V: usize>(t: &Tile) -> [[S::V; V]; R] {
    let mut rows = [[0f32; 16 * VECTORS]; ROWS];
    // SAFETY: the caller's promise.
    unsafe {
        let some = Narrow::mask(R);
        for j in (0..t.columns).step_by(8) {
            let mut block = [Narrow::zero(); 8];
            for (c, column) in block.iter_mut().enumerate().take(t.columns - j) {
                *column = Narrow::load_some(t.start.0.offset((j + c) as isize * t.start.1), some);
            }
            for (r, row) in transpose(block).into_iter().enumerate().take(R) {
                Narrow::store(rows[r].as_mut_ptr().add(j), row);
            }
        }
        let mut sums = [[S::zero(); V]; R];
        for r in 0..R {
            for v in 0..V {
                sums[r][v] = S::load(rows[r].as_ptr().add(v * S::LANES));
            }
        }
        sums
    }
}

/// The functions of an instruction set, as [`Compiled`] has them.
macro_rules! tiles {
    ($any:ident, $whole:ident, $packing:ident, $simd:ty, $lanes:literal, $features:literal) => {
        #[target_feature(enable = $features)]
        unsafe fn $any<const R: usize, const V: usize>(t: &Tile) {
            // SAFETY: the caller's promise.
            unsafe { tile::<$simd, Strided<$lanes>, R, V, false>(t, Strided(t.b.0, t.b.1)) }
        }

        #[target_feature(enable = $features)]
        unsafe fn $whole<const R: usize, const V: usize>(t: &Tile) {
            // SAFETY: the caller's promise.
            unsafe { whole::<$simd, Strided<$lanes>, R, V>(t, Strided(t.b.0, t.b.1)) }
        }

        #[target_feature(enable = $features)]
        unsafe fn $packing<const R: usize, const V: usize>(t: &Tile) {
            // SAFETY: the caller's promise.
            unsafe { tile::<$simd, Strided<$lanes>, R, V, true>(t, Strided(t.b.0, t.b.1)) }
        }
    };
}

tiles!(wide, wide_whole, wide_packing, Wide, 16, "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl");
tiles!(narrow, narrow_whole, narrow_packing, Narrow, 8, "avx2,fma");

/// A tile of so many rows and vectors in its forms.
#[derive(Clone, Copy)]
pub(crate) struct Compiled {
    /// Any.
    pub any: TileFn,
    /// Whole vectors, whose sums start from 0 and go where rows are rows.
    pub whole: TileFn,
    /// Any, that packs the columns of the right operand on the way.
    pub packing: TileFn,
}

/// Tiles by rows and vectors, both from 1.
pub(crate) static WIDE: [Compiled; ROWS * VECTORS] = {
    macro_rules! rows {
        ($($r:literal),*) => { [$(
            Compiled { any: wide::<$r, 1>, whole: wide_whole::<$r, 1>, packing: wide_packing::<$r, 1> },
            Compiled { any: wide::<$r, 2>, whole: wide_whole::<$r, 2>, packing: wide_packing::<$r, 2> },
            Compiled { any: wide::<$r, 3>, whole: wide_whole::<$r, 3>, packing: wide_packing::<$r, 3> },
        )*] };
    }
    rows!(1, 2, 3, 4, 5, 6, 7, 8)
};
/// The same for AVX2, which has half as many registers: sums of 4 rows and 3 vectors would leave none to spare, and one of
/// them would be kept in memory.
pub(crate) static NARROW: [Compiled; 12] = {
    macro_rules! rows {
        ($($r:literal),*) => { [$(
            Compiled { any: narrow::<$r, 1>, whole: narrow_whole::<$r, 1>, packing: narrow_packing::<$r, 1> },
            Compiled { any: narrow::<$r, 2>, whole: narrow_whole::<$r, 2>, packing: narrow_packing::<$r, 2> },
        )*] };
    }
    rows!(1, 2, 3, 4, 5, 6)
};
