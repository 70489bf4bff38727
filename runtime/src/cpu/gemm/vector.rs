//! Products of a row with a matrix: bound by how fast the matrix is read.

use super::Matrix;
use super::simd::{Narrow, Simd, Wide};

/// Rows of a transposed matrix that are taken at once.
const DOTS: usize = 4;
/// Rows of a matrix that are added at once.
const DOWN: usize = 4;
/// Columns of a matrix of which rows are added to several sums, in turns: one would wait for itself.
const THIN: usize = 16;
const SUMS: usize = 4;

/// y = x a, for `k` elements of `x` and `n` of `y`; `x` is given by its first element and stride. As `part` of a product
/// with more columns the sums have the order that they have there.
///
/// # Safety
/// The processor has the instructions of the path; the operands are inside their memory and `y` is apart.
pub(crate) unsafe fn row(wide: bool, part: bool, x: (*const f32, isize), a: Matrix, k: usize, n: usize, y: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { if wide { row_wide(part, x, a, k, n, y) } else { row_narrow(part, x, a, k, n, y) } }
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn row_wide(part: bool, x: (*const f32, isize), a: Matrix, k: usize, n: usize, y: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { any::<Wide>(part, x, a, k, n, y) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn row_narrow(part: bool, x: (*const f32, isize), a: Matrix, k: usize, n: usize, y: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { any::<Narrow>(part, x, a, k, n, y) }
}

#[inline(always)]
unsafe fn any<S: Simd>(part: bool, x: (*const f32, isize), a: Matrix, k: usize, n: usize, y: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        if a.2 == 1 {
            let a = (a.0, a.1);
            match n.div_ceil(S::LANES) {
                1 if n <= THIN && !part => columns::<S, 1, SUMS>(x, a, k, n, y),
                2 if n <= THIN && !part => columns::<S, 2, SUMS>(x, a, k, n, y),
                ..=2 => columns::<S, 2, 1>(x, a, k, n, y),
                3..=4 => columns::<S, 4, 1>(x, a, k, n, y),
                5..=8 => columns::<S, 8, 1>(x, a, k, n, y),
                _ => {
                    let mut i = 0;
                    while i < k {
                        let from = (x.0.offset(i as isize * x.1), x.1);
                        let rows = (a.0.offset(i as isize * a.1), a.1);
                        if k - i >= DOWN {
                            add_rows::<S, DOWN>(from, rows, n, y, i == 0);
                            i += DOWN;
                        } else {
                            add_rows::<S, 1>(from, rows, n, y, i == 0);
                            i += 1;
                        }
                    }
                }
            }
        } else if a.1 == 1 && x.1 == 1 {
            let mut j = 0;
            while j < n {
                let b = a.0.offset(j as isize * a.2);
                if n - j >= DOTS {
                    dots::<S, DOTS>(x.0, (b, a.2), k, y.add(j));
                    j += DOTS;
                } else {
                    dots::<S, 1>(x.0, (b, a.2), k, y.add(j));
                    j += 1;
                }
            }
        } else {
            for j in 0..n as isize {
                let mut sum = 0.0f32;
                for i in 0..k as isize {
                    sum = (*x.0.offset(i * x.1)).mul_add(*a.0.offset(i * a.1 + j * a.2), sum);
                }
                *y.offset(j) = sum;
            }
        }
    }
}

/// Adds the products of R elements of `x` with rows of `a`, which are read from their beginning to their end: only so does
/// the processor fetch them before they are asked for.
#[inline(always)]
unsafe fn add_rows<S: Simd, const R: usize>(
    x: (*const f32, isize),
    a: (*const f32, isize),
    n: usize,
    y: *mut f32,
    fresh: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut factors = [S::zero(); R];
        for r in 0..R {
            factors[r] = S::splat(x.0.offset(r as isize * x.1));
        }
        let mut j = 0;
        while j + S::LANES <= n {
            let mut sum = if fresh { S::zero() } else { S::load(y.add(j)) };
            for r in 0..R {
                sum = S::fma(factors[r], S::load(a.0.offset(r as isize * a.1).add(j)), sum);
            }
            S::store(y.add(j), sum);
            j += S::LANES;
        }
        if j < n {
            let m = S::mask(n - j);
            let mut sum = if fresh { S::zero() } else { S::load_some(y.add(j), m) };
            for r in 0..R {
                sum = S::fma(factors[r], S::load_some(a.0.offset(r as isize * a.1).add(j), m), sum);
            }
            S::store_some(y.add(j), m, sum);
        }
    }
}

/// `n` columns, not more than V vectors; each has C sums, to which rows are added in turns.
#[inline(always)]
unsafe fn columns<S: Simd, const V: usize, const C: usize>(
    x: (*const f32, isize),
    a: (*const f32, isize),
    k: usize,
    n: usize,
    y: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match n == V * S::LANES {
            true => some_columns::<S, V, C, false>(x, a, k, n, y),
            false => some_columns::<S, V, C, true>(x, a, k, n, y),
        }
    }
}

/// As [`columns`], with masks where not all vectors are whole.
#[inline(always)]
unsafe fn some_columns<S: Simd, const V: usize, const C: usize, const MASKED: bool>(
    x: (*const f32, isize),
    a: (*const f32, isize),
    k: usize,
    n: usize,
    y: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut masks = [S::mask(0); V];
        for v in 0..V {
            masks[v] = S::mask(n.saturating_sub(v * S::LANES));
        }
        let mut sums = [[S::zero(); V]; C];
        let whole = k / C * C;
        for first in (0..whole).step_by(C) {
            for c in 0..C {
                add_row::<S, V, MASKED>(x, a, (first + c) as isize, &masks, &mut sums[c]);
            }
        }
        for i in whole..k {
            add_row::<S, V, MASKED>(x, a, i as isize, &masks, &mut sums[0]);
        }
        let mut count = C;
        while count > 1 {
            count /= 2;
            for c in 0..count {
                for v in 0..V {
                    sums[c][v] = S::add(sums[2 * c][v], sums[2 * c + 1][v]);
                }
            }
        }
        for v in 0..V {
            S::store_some(y.wrapping_add(v * S::LANES), masks[v], sums[0][v]);
        }
    }
}

/// Adds an element of `x` times its row of `a`.
#[inline(always)]
unsafe fn add_row<S: Simd, const V: usize, const MASKED: bool>(
    x: (*const f32, isize),
    a: (*const f32, isize),
    i: isize,
    masks: &[S::M; V],
    sums: &mut [S::V; V],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let factor = S::splat(x.0.offset(i * x.1));
        let row = a.0.offset(i * a.1);
        for v in 0..V {
            let at = row.wrapping_add(v * S::LANES);
            let elements = if MASKED { S::load_some(at, masks[v]) } else { S::load(at) };
            sums[v] = S::fma(factor, elements, sums[v]);
        }
    }
}

/// The products of `x` with N rows of `a`.
#[inline(always)]
unsafe fn dots<S: Simd, const N: usize>(x: *const f32, a: (*const f32, isize), k: usize, y: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[S::zero(); 2]; N];
        let mut i = 0;
        while i + 2 * S::LANES <= k {
            for half in 0..2 {
                let at = i + half * S::LANES;
                let x = S::load(x.add(at));
                for r in 0..N {
                    sums[r][half] = S::fma(x, S::load(a.0.offset(r as isize * a.1).add(at)), sums[r][half]);
                }
            }
            i += 2 * S::LANES;
        }
        while i < k {
            let m = S::mask(k - i);
            let x = S::load_some(x.add(i), m);
            for r in 0..N {
                sums[r][0] = S::fma(x, S::load_some(a.0.offset(r as isize * a.1).add(i), m), sums[r][0]);
            }
            i += S::LANES;
        }
        for r in 0..N {
            *y.add(r) = S::total(S::add(sums[r][0], sums[r][1]));
        }
    }
}
