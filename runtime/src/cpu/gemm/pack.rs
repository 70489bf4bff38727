//! Packing: columns of a matrix side by side in panels, so that a tile reads them one after the other.

use super::simd::{Narrow, Simd, transpose};
use super::tile::LINE;
use crate::cpu::isa::soon;
use std::arch::x86_64::*;

/// Panels that are written at once where columns lie side by side: so much of a row of memory is read in one go.
const TOGETHER: usize = 8;
/// Elements that are fetched ahead of those that are copied.
const AHEAD: usize = 1024;
/// Rows that are fetched ahead at most, and at least.
const ROWS_AHEAD: (usize, usize) = (2, 16);

/// Rows to fetch ahead where so many elements of each are read.
fn rows_ahead(length: usize) -> isize {
    (AHEAD / length.max(1)).clamp(ROWS_AHEAD.0, ROWS_AHEAD.1) as isize
}

/// Asks for the lines of some elements.
fn fetch(x: *const f32, count: usize) {
    (0..count).step_by(LINE).for_each(|j| soon(x.wrapping_add(j)));
}

/// Writes `n` columns of `k` elements in panels of `width` columns, one after the other: each as `k` rows of `width`
/// elements, 0 behind the last column. `from` has the strides from an element of a column to the next, and from a column to
/// the next.
///
/// # Safety
/// The processor has AVX2; the columns are inside their memory; `to` has room for whole panels; `width` is a multiple of 8.
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn pack(from: (*const f32, isize, isize), k: usize, n: usize, width: usize, to: *mut f32) {
    let together = if from.2 == 1 { TOGETHER * width } else { width };
    for first in (0..n).step_by(together) {
        let columns = together.min(n - first);
        // SAFETY: the caller's promise.
        unsafe {
            let from = (from.0.offset(first as isize * from.2), from.1, from.2);
            let to = to.add(first * k);
            if from.2 == 1 {
                side_by_side((from.0, from.1), k, columns, width, to)
            } else {
                panel(from, k, columns, width, to)
            }
        }
    }
}

/// Some panels of columns that lie side by side.
///
/// # Safety
/// As for [`pack`].
#[target_feature(enable = "avx2")]
unsafe fn side_by_side((x, down): (*const f32, isize), k: usize, n: usize, width: usize, to: *mut f32) {
    let (whole, ahead) = (n / 8 * 8, rows_ahead(n));
    // SAFETY: the caller's promise.
    unsafe {
        let rest = Narrow::mask(n - whole);
        for i in 0..k {
            let x = x.offset(i as isize * down);
            fetch(x.wrapping_offset(ahead * down), n);
            for left in (0..n).step_by(width) {
                let to = to.add(left * k + i * width);
                for j in (left..left + width).step_by(8) {
                    let v = match j {
                        _ if j < whole => Narrow::load(x.add(j)),
                        _ if j == whole => Narrow::load_some(x.add(j), rest),
                        _ => Narrow::zero(),
                    };
                    Narrow::store(to.add(j - left), v);
                }
            }
        }
    }
}

/// A panel of other columns.
///
/// # Safety
/// As for [`pack`]; `n` is not above `width`.
#[target_feature(enable = "avx2")]
unsafe fn panel((x, down, across): (*const f32, isize, isize), k: usize, n: usize, width: usize, to: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        if down == 1 {
            for i in (0..k).step_by(8) {
                let count = (k - i).min(8);
                let mask = Narrow::mask(count);
                for j in (0..width).step_by(8) {
                    let mut rows = [_mm256_setzero_ps(); 8];
                    for (r, row) in rows.iter_mut().enumerate() {
                        if j + r < n {
                            let x = x.offset((j + r) as isize * across).add(i);
                            _mm_prefetch::<_MM_HINT_T0>(x.wrapping_add(32).cast());
                            *row = if count == 8 { Narrow::load(x) } else { Narrow::load_some(x, mask) };
                        }
                    }
                    for (r, row) in transpose(rows).into_iter().enumerate().take(count) {
                        Narrow::store(to.add((i + r) * width + j), row);
                    }
                }
            }
        } else {
            for i in 0..k {
                for j in 0..width {
                    let inside = j < n;
                    *to.add(i * width + j) =
                        if inside { *x.offset(i as isize * down + j as isize * across) } else { 0.0 };
                }
            }
        }
    }
}

/// Blocks of rows that are written at once: so much of a row of memory is read in one go.
pub(crate) const BLOCKS: usize = 8;

/// Packs a part of a left matrix of `m` rows and `k` elements along the sum, some blocks of rows and the elements from
/// `part.0` to `part.1` along the sum: the `rows` elements of a block's rows lie side by side, the block's elements along
/// the sum one after the other. The last block has room for rows that are not there.
///
/// # Safety
/// The processor has AVX2; the matrix is inside its memory; `to`, where the first block of the matrix goes, has room for
/// whole blocks; `rows` is not above 8.
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn left(
    (x, down, along): (*const f32, isize, isize),
    (m, k): (usize, usize),
    rows: usize,
    blocks: (usize, usize),
    part: (usize, usize),
    to: *mut f32,
) {
    // Blocks of which a whole vector can be read.
    let whole = if down == 1 { (m.saturating_sub(Narrow::LANES) / rows + 1).min(m / rows).min(blocks.1) } else { 0 };
    // SAFETY: the caller's promise.
    unsafe {
        if blocks.0 < whole {
            let length = (whole - blocks.0) * rows;
            let ahead = rows_ahead(length);
            for i in part.0..part.1 {
                let x = x.offset(i as isize * along);
                fetch(x.wrapping_add(blocks.0 * rows).wrapping_offset(ahead * along), length);
                // What a vector has more than a block has rows is written over by the next element along the sum.
                let last = i + 1 == part.1;
                for block in blocks.0..whole {
                    let to = to.add((block * k + i) * rows);
                    let v = Narrow::load(x.add(block * rows));
                    if last { Narrow::store_first(to, rows, v) } else { Narrow::store(to, v) }
                }
            }
        }
        for block in whole.max(blocks.0)..blocks.1 {
            for i in part.0..part.1 {
                for row in 0..rows.min(m - block * rows) {
                    let x = x.offset(i as isize * along + (block * rows + row) as isize * down);
                    *to.add((block * k + i) * rows + row) = *x;
                }
            }
        }
    }
}
