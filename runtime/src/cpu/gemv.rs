//! The product of a vector and a matrix.

use super::isa::versions;
use super::matmul::Matrix;

/// A number type with the two operations of a product.
pub(crate) trait Vector: Copy + Send + Sync + 'static {
    const ZERO: Self;
    const ONE: Self;
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
}

macro_rules! vectors {
    ($($t:ty),*) => { $(
        impl Vector for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            #[inline(always)]
            fn plus(self, other: $t) -> $t { self + other }
            #[inline(always)]
            fn times(self, other: $t) -> $t { self * other }
        }
    )* };
}
vectors!(f32, f64);

/// Columns combined at once, sums made side by side.
const LANES: usize = 64;

versions! {
    /// `y[j]` is the sum over `i` of `x[i] * a[i, j]`, for `k` values of `i` and `n` of `j`.
    ///
    /// # Safety
    /// Vector and matrix are inside their memory, `y` has room and is apart.
    pub(crate) unsafe fn combine[T: Vector](x: (*const T, isize), a: Matrix<T>, k: usize, n: usize, y: *mut T) {
        // SAFETY: the caller's promise.
        unsafe {
            if a.2 == 1 && n > 1 {
                for first in (0..n).step_by(LANES) {
                    let a = (a.0.add(first), a.1);
                    rows(x, a, k, LANES.min(n - first), y.add(first));
                }
            } else {
                for j in 0..n {
                    *y.add(j) = dot(x, (a.0.offset(j as isize * a.2), a.1), k);
                }
            }
        }
    }
}

/// Adds up multiples of contiguous rows.
///
/// # Safety
/// As for `combine`; `n` is at most [`LANES`].
#[inline(always)]
unsafe fn rows<T: Vector>(x: (*const T, isize), a: (*const T, isize), k: usize, n: usize, y: *mut T) {
    let mut sums = [T::ZERO; LANES];
    // SAFETY: the caller's promise.
    unsafe {
        if n == LANES {
            for i in 0..k as isize {
                let (factor, row) = (*x.0.offset(i * x.1), a.0.offset(i * a.1));
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.plus(factor.times(*row.add(j)));
                }
            }
        } else {
            for i in 0..k as isize {
                let (factor, row) = (*x.0.offset(i * x.1), a.0.offset(i * a.1));
                for (j, sum) in sums[..n].iter_mut().enumerate() {
                    *sum = sum.plus(factor.times(*row.add(j)));
                }
            }
        }
        std::ptr::copy_nonoverlapping(sums.as_ptr(), y, n);
    }
}

/// The sum of the products of two vectors.
///
/// # Safety
/// Both have `n` elements.
#[inline(always)]
unsafe fn dot<T: Vector>(x: (*const T, isize), y: (*const T, isize), n: usize) -> T {
    let mut sums = [T::ZERO; LANES];
    let whole = if (x.1, y.1) == (1, 1) { n / LANES * LANES } else { 0 };
    // SAFETY: the caller's promise.
    unsafe {
        for i in (0..whole).step_by(LANES) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum = sum.plus((*x.0.add(i + lane)).times(*y.0.add(i + lane)));
            }
        }
        for i in whole..n {
            let sum = &mut sums[i % LANES];
            *sum = sum.plus((*x.0.offset(i as isize * x.1)).times(*y.0.offset(i as isize * y.1)));
        }
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            sums[i] = sums[i].plus(sums[i + width]);
        }
    }
    sums[0]
}
