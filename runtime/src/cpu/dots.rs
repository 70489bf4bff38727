//! Products of a few long rows with many others, `c += a b'`: each element is the product of two rows that are read from
//! end to end. A matrix product would first pack `b`, which costs more than it saves where `a` has few rows.
//!
//! Each sum is split in the same lanes whatever the instructions, so all give the same bits.

use super::depthwise::Real;
use super::isa::versions;
use super::matmul::Size;

/// Sums that a product of two rows is split in.
const LANES: usize = 16;
/// Elements of rows taken at once: those of a tile stay in the cache.
const DEPTH: usize = 1024;

versions! {
    /// Adds `a b'` to `c`: `a` is m rows and `b` is n rows of k elements, each with the elements from a row to the next;
    /// `c` is m rows of n elements, one after the other.
    ///
    /// The pointers must be good for that many elements, and `c` apart from the others.
    pub(crate) unsafe fn add_products[T: Real](size: Size, a: (*const T, usize), b: (*const T, usize), c: *mut T) {
        let Size { m, k, n } = size;
        for first in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - first);
            let mut j = 0;
            while j < n {
                let columns = if n - j >= 2 { 2 } else { 1 };
                let mut i = 0;
                while i < m {
                    let rows = if m - i >= 4 { 4 } else { 1 };
                    // SAFETY: the caller's promise; the tile lies inside the matrices.
                    unsafe {
                        let (x, y) = ((a.0.add(i * a.1 + first), a.1), (b.0.add(j * b.1 + first), b.1));
                        let to = (c.add(i * n + j), n);
                        match (rows, columns) {
                            (4, 2) => tile::<T, 4, 2>(depth, x, y, to),
                            (4, _) => tile::<T, 4, 1>(depth, x, y, to),
                            (_, 2) => tile::<T, 1, 2>(depth, x, y, to),
                            _ => tile::<T, 1, 1>(depth, x, y, to),
                        }
                    }
                    i += rows;
                }
                j += columns;
            }
        }
    }
}

/// Adds the products of R rows with C others to a tile.
///
/// # Safety
/// The pointers are good for R, C and R rows, of `depth`, `depth` and C elements.
#[inline(always)]
unsafe fn tile<T: Real, const R: usize, const C: usize>(
    depth: usize,
    a: (*const T, usize),
    b: (*const T, usize),
    c: (*mut T, usize),
) {
    let mut sums = [[[T::ZERO; LANES]; C]; R];
    // SAFETY: the caller's promise.
    unsafe {
        for at in (0..depth / LANES).map(|block| block * LANES) {
            let y: [[T; LANES]; C] = std::array::from_fn(|j| *b.0.add(j * b.1 + at).cast());
            for (i, sums) in sums.iter_mut().enumerate() {
                let x: [T; LANES] = *a.0.add(i * a.1 + at).cast();
                for (sums, y) in sums.iter_mut().zip(&y) {
                    (0..LANES).for_each(|l| sums[l] += x[l] * y[l]);
                }
            }
        }
        let rest = depth / LANES * LANES;
        for (i, sums) in sums.iter_mut().enumerate() {
            for (j, sums) in sums.iter_mut().enumerate() {
                (rest..depth).for_each(|p| sums[p - rest] += *a.0.add(i * a.1 + p) * *b.0.add(j * b.1 + p));
                *c.0.add(i * c.1 + j) += total(sums);
            }
        }
    }
}

/// The sum of the lanes, halves upon halves.
#[inline(always)]
fn total<T: Real>(lanes: &[T; LANES]) -> T {
    let mut sums = *lanes;
    for half in [8, 4, 2, 1] {
        (0..half).for_each(|l| sums[l] += sums[l + half]);
    }
    sums[0]
}
