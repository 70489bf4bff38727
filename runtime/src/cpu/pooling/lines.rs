//! Max pooling of windows of 2 by 2 side by side, a vector of windows at a time. Lines are often shorter than the vectors
//! that a compiler makes of a loop.

use crate::cpu::gemm::simd::{Narrow, Simd, Wide};
use std::arch::x86_64::*;

/// Pairs side by side, and what is found by comparing vectors.
///
/// # Safety
/// As for [`Simd`].
trait Pairs: Simd {
    /// A mask of the elements of which something is true.
    type Found: Copy;

    /// The left and the right elements of `n` pairs, at most a vector of them.
    unsafe fn load_pairs(from: *const f32, n: usize) -> (Self::V, Self::V);
    unsafe fn store_pairs(to: *mut f32, n: usize, pairs: (Self::V, Self::V));
    /// Where `x` is larger than `best`, or the first NaN: as `beats` and `larger` beside the loops for other processors.
    unsafe fn beats(x: Self::V, best: Self::V) -> Self::Found;
    /// `yes` where it is found, else `no`.
    unsafe fn choose(found: Self::Found, no: Self::V, yes: Self::V) -> Self::V;
    /// 0 where it is not found.
    unsafe fn only(found: Self::Found, v: Self::V) -> Self::V;
    unsafe fn not(found: Self::Found) -> Self::Found;
}

/// Which elements of two vectors `n` pairs have.
#[inline(always)]
fn masks(n: usize) -> (__mmask16, __mmask16) {
    let all = (1u64 << (2 * n)) - 1;
    (all as u16, (all >> 16) as u16)
}

// SAFETY (of both implementations): the trait's promise; what is masked is not touched.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Pairs for Wide {
    type Found = __mmask16;

    #[inline(always)]
    unsafe fn load_pairs(from: *const f32, n: usize) -> (__m512, __m512) {
        unsafe {
            let left = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let right = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
            let (low, high) = masks(n);
            let (a, b) = (_mm512_maskz_loadu_ps(low, from), _mm512_maskz_loadu_ps(high, from.wrapping_add(16)));
            (_mm512_permutex2var_ps(a, left, b), _mm512_permutex2var_ps(a, right, b))
        }
    }
    #[inline(always)]
    unsafe fn store_pairs(to: *mut f32, n: usize, (left, right): (__m512, __m512)) {
        unsafe {
            let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            let (low, high) = masks(n);
            _mm512_mask_storeu_ps(to, low, _mm512_permutex2var_ps(left, first, right));
            _mm512_mask_storeu_ps(to.wrapping_add(16), high, _mm512_permutex2var_ps(left, second, right));
        }
    }
    #[inline(always)]
    unsafe fn beats(x: __m512, best: __m512) -> __mmask16 {
        unsafe {
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x) & _mm512_cmp_ps_mask::<_CMP_ORD_Q>(best, best);
            _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, best) | nan
        }
    }
    #[inline(always)]
    unsafe fn choose(mask: __mmask16, no: __m512, yes: __m512) -> __m512 {
        unsafe { _mm512_mask_blend_ps(mask, no, yes) }
    }
    #[inline(always)]
    unsafe fn only(mask: __mmask16, v: __m512) -> __m512 {
        unsafe { _mm512_maskz_mov_ps(mask, v) }
    }
    #[inline(always)]
    unsafe fn not(mask: __mmask16) -> __mmask16 {
        !mask
    }
}

#[allow(clippy::undocumented_unsafe_blocks)]
impl Pairs for Narrow {
    type Found = __m256;

    #[inline(always)]
    unsafe fn load_pairs(from: *const f32, n: usize) -> (__m256, __m256) {
        unsafe {
            let (a, b) = (some::<Self>(from, 2 * n), some::<Self>(from.wrapping_add(8), (2 * n).saturating_sub(8)));
            let (a, b) = (_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
            (_mm256_shuffle_ps::<0x88>(a, b), _mm256_shuffle_ps::<0xdd>(a, b))
        }
    }
    #[inline(always)]
    unsafe fn store_pairs(to: *mut f32, n: usize, (left, right): (__m256, __m256)) {
        unsafe {
            let (a, b) = (_mm256_unpacklo_ps(left, right), _mm256_unpackhi_ps(left, right));
            Self::store_first(to, 2 * n, _mm256_permute2f128_ps::<0x20>(a, b));
            Self::store_first(to.wrapping_add(8), (2 * n).saturating_sub(8), _mm256_permute2f128_ps::<0x31>(a, b));
        }
    }
    #[inline(always)]
    unsafe fn beats(x: __m256, best: __m256) -> __m256 {
        unsafe {
            let nan = _mm256_and_ps(_mm256_cmp_ps::<_CMP_UNORD_Q>(x, x), _mm256_cmp_ps::<_CMP_ORD_Q>(best, best));
            _mm256_or_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x, best), nan)
        }
    }
    #[inline(always)]
    unsafe fn choose(mask: __m256, no: __m256, yes: __m256) -> __m256 {
        unsafe { _mm256_blendv_ps(no, yes, mask) }
    }
    #[inline(always)]
    unsafe fn only(mask: __m256, v: __m256) -> __m256 {
        unsafe { _mm256_and_ps(mask, v) }
    }
    #[inline(always)]
    unsafe fn not(mask: __m256) -> __m256 {
        unsafe { _mm256_xor_ps(mask, _mm256_castsi256_ps(_mm256_set1_epi32(-1))) }
    }
}

/// The first `n` elements of a vector; 0 behind.
///
/// # Safety
/// As for [`Simd`].
#[inline(always)]
unsafe fn some<S: Simd>(from: *const f32, n: usize) -> S::V {
    // SAFETY: the caller's promise.
    unsafe { if n >= S::LANES { S::load(from) } else { S::load_some(from, S::mask(n)) } }
}

/// Where the right one of each pair is its first largest, and the largest.
///
/// # Safety
/// As for [`Pairs`].
#[inline(always)]
unsafe fn largest<S: Pairs>((left, right): (S::V, S::V)) -> (S::Found, S::V) {
    // SAFETY: the caller's promise.
    unsafe {
        let later = S::beats(right, left);
        (later, S::choose(later, left, right))
    }
}

/// Where vectors of `n` windows begin, and how many each has. Where masks cost, the last one begins early enough to be
/// whole, and computes some again.
#[inline(always)]
fn vectors<S: Simd>(n: usize) -> impl Iterator<Item = (usize, usize)> {
    let again = S::MASKS_COST && n > S::LANES;
    (0..n)
        .step_by(S::LANES)
        .map(move |at| if again { at.min(n - S::LANES) } else { at })
        .map(move |at| (at, (n - at).min(S::LANES)))
}

/// The largest of each window: of so many rows of windows of a plane, planes with their columns.
///
/// # Safety
/// As for [`Pairs`]; two rows of the plane for each row of windows, two columns for each of theirs, and room for the results
/// apart from them.
#[inline(always)]
unsafe fn max<S: Pairs>(rows: usize, (x, width): (*const f32, usize), (y, columns): (*mut f32, usize)) {
    for (at, count) in vectors::<S>(columns) {
        // SAFETY: the caller's promise.
        let some = unsafe { S::mask(count) };
        for row in 0..rows {
            // SAFETY: the caller's promise.
            unsafe {
                let (upper, y) = (x.add(2 * row * width + 2 * at), y.add(row * columns + at));
                let (a, b) = S::load_pairs(upper, count);
                let (c, d) = S::load_pairs(upper.add(width), count);
                let largest = S::larger(S::larger(a, b), S::larger(c, d));
                if count == S::LANES { S::store(y, largest) } else { S::store_some(y, some, largest) }
            }
        }
    }
}

/// What windows send back: each to the first largest of its own, 0 to the others.
///
/// # Safety
/// As for [`max`]; room for the plane apart from what is read.
#[inline(always)]
unsafe fn gradient<S: Pairs>(
    rows: usize,
    (x, width): (*const f32, usize),
    (dy, columns): (*const f32, usize),
    dx: *mut f32,
) {
    for (at, count) in vectors::<S>(columns) {
        for row in 0..rows {
            // SAFETY: the caller's promise.
            unsafe {
                let first = 2 * row * width + 2 * at;
                let (upper, to_upper) = (x.add(first), dx.add(first));
                let (right_u, u) = largest::<S>(S::load_pairs(upper, count));
                let (right_l, l) = largest::<S>(S::load_pairs(upper.add(width), count));
                let down = S::beats(l, u);
                let dy = some::<S>(dy.add(row * columns + at), count);
                let (up, down) = (S::only(S::not(down), dy), S::only(down, dy));
                let pairs = |right: S::Found, dy: S::V| (S::only(S::not(right), dy), S::only(right, dy));
                S::store_pairs(to_upper, count, pairs(right_u, up));
                S::store_pairs(to_upper.add(width), count, pairs(right_l, down));
            }
        }
    }
}

macro_rules! compiled {
    ($vectors:ty, $features:literal: $max:ident, $gradient:ident) => {
        /// # Safety
        /// As for `max`.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $max(rows: usize, x: (*const f32, usize), y: (*mut f32, usize)) {
            // SAFETY: the caller's promise.
            unsafe { max::<$vectors>(rows, x, y) }
        }

        /// # Safety
        /// As for `gradient`.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $gradient(rows: usize, x: (*const f32, usize), dy: (*const f32, usize), dx: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { gradient::<$vectors>(rows, x, dy, dx) }
        }
    };
}
compiled!(Wide, "avx512f": max_wide, gradient_wide);
compiled!(Narrow, "avx2": max_narrow, gradient_narrow);
