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

/// Packs two groups of up to 8 neighbouring columns, which lie by rows, as [`pack`] does with a width of 8: what is read
/// of a row is then most often a whole line of the cache.
///
/// # Safety
/// The processor has AVX2; the columns are inside their memory, and each place has room.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn pack_two(
    (x, down): (*const f32, isize),
    k: usize,
    columns: (usize, usize),
    to: (*mut f32, *mut f32),
) {
    // SAFETY: the caller's promise.
    unsafe {
        let masks = (Narrow::mask(columns.0), Narrow::mask(columns.1));
        for i in 0..k {
            let x = x.offset(i as isize * down);
            Narrow::store(to.0.add(i * 8), Narrow::load_some(x, masks.0));
            Narrow::store(to.1.add(i * 8), Narrow::load_some(x.add(columns.0), masks.1));
        }
    }
}
