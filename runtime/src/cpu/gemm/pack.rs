//! Packing: columns of a matrix side by side in panels, so that a tile reads them one after the other.

use super::simd::{Narrow, Simd, transpose};
use std::arch::x86_64::*;

/// Writes `n` columns of `k` elements as `k` rows of `width` elements, 0 behind the last column; `from` has the
/// strides from an element of a column to the next, and from a column to the next.
///
/// # Safety
/// The processor has AVX2; the columns are inside their memory; `to` has room; `width` is a multiple of 8, and `n` not
/// above it.
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn pack(from: (*const f32, isize, isize), k: usize, n: usize, width: usize, to: *mut f32) {
    let (x, down, across) = from;
    // SAFETY: the caller's promise.
    unsafe {
        if across == 1 {
            let whole = n / 8 * 8;
            let rest = Narrow::mask(n - whole);
            for i in 0..k {
                let (x, to) = (x.offset(i as isize * down), to.add(i * width));
                for j in (0..n).step_by(16) {
                    _mm_prefetch::<_MM_HINT_T0>(x.wrapping_offset(16 * down).wrapping_add(j).cast());
                }
                let mut j = 0;
                while j < whole {
                    Narrow::store(to.add(j), Narrow::load(x.add(j)));
                    j += 8;
                }
                while j < width {
                    let v = if j == whole { Narrow::load_some(x.add(j), rest) } else { Narrow::zero() };
                    Narrow::store(to.add(j), v);
                    j += 8;
                }
            }
        } else if down == 1 {
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

/// Elements of a block along the sum that are written at once: whole lines, whatever the distance of the blocks.
const AT_ONCE: usize = 4;

/// Packs a part of a left matrix of `m` rows and `k` elements along the sum, the elements from `part.0` to `part.1` of it,
/// in blocks of `rows` rows: those of a block lie side by side, the block's elements along the sum one after the other.
/// The last block has room for rows that are not there.
///
/// # Safety
/// The processor has AVX2; the matrix is inside its memory; `to` has room for whole blocks; `rows` is not above 8.
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn left(
    (x, down, along): (*const f32, isize, isize),
    (m, k): (usize, usize),
    rows: usize,
    part: (usize, usize),
    to: *mut f32,
) {
    let blocks = m.div_ceil(rows);
    // Blocks of which a whole vector can be read.
    let whole = if down == 1 { (m.saturating_sub(Narrow::LANES) / rows + 1).min(m / rows) } else { 0 };
    for first in (part.0..part.1).step_by(AT_ONCE) {
        let count = AT_ONCE.min(part.1 - first);
        for block in 0..blocks {
            // SAFETY: the caller's promise.
            unsafe {
                let x = x.offset(first as isize * along + (block * rows) as isize * down);
                let to = to.add((block * k + first) * rows);
                if block < whole && count == AT_ONCE {
                    for i in 0..AT_ONCE {
                        Narrow::store_first(to.add(i * rows), rows, Narrow::load(x.offset(i as isize * along)));
                    }
                } else {
                    for i in 0..count {
                        for row in 0..rows.min(m - block * rows) {
                            *to.add(i * rows + row) = *x.offset(i as isize * along + row as isize * down);
                        }
                    }
                }
            }
        }
    }
}
