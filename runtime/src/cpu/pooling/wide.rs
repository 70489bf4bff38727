//! Max pooling of windows of 2 by 2 side by side, 16 windows at a time: AVX-512. Lines are often shorter than the vectors
//! that a compiler makes of a loop, and masks cost nothing here.

use std::arch::x86_64::*;

/// The elements of up to 16 pairs: the left ones, and the right ones.
#[derive(Clone, Copy)]
struct Pairs {
    left: __m512,
    right: __m512,
}

/// Which elements of two vectors `n` pairs have.
#[inline(always)]
fn masks(n: usize) -> (__mmask16, __mmask16) {
    let all = (1u64 << (2 * n.min(16))) - 1;
    (all as u16, (all >> 16) as u16)
}

/// # Safety
/// There are `n` pairs, and the processor has AVX-512 F.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(from: *const f32, n: usize) -> Pairs {
    let left = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let right = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    let (low, high) = masks(n);
    // SAFETY: the caller's promise; what is masked is not read.
    unsafe {
        let (a, b) = (_mm512_maskz_loadu_ps(low, from), _mm512_maskz_loadu_ps(high, from.wrapping_add(16)));
        Pairs { left: _mm512_permutex2var_ps(a, left, b), right: _mm512_permutex2var_ps(a, right, b) }
    }
}

/// # Safety
/// There is room for `n` pairs, and the processor has AVX-512 F.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store(to: *mut f32, n: usize, Pairs { left, right }: Pairs) {
    let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    let second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    let (low, high) = masks(n);
    // SAFETY: the caller's promise; what is masked is not written.
    unsafe {
        _mm512_mask_storeu_ps(to, low, _mm512_permutex2var_ps(left, first, right));
        _mm512_mask_storeu_ps(to.wrapping_add(16), high, _mm512_permutex2var_ps(left, second, right));
    }
}

/// Where `x` is larger than `best`, or the first NaN: as `beats` and `larger` beside the loops for other processors.
#[inline]
#[target_feature(enable = "avx512f")]
fn beats(x: __m512, best: __m512) -> __mmask16 {
    let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x) & _mm512_cmp_ps_mask::<_CMP_ORD_Q>(best, best);
    _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, best) | nan
}

/// Where the right one of each pair is its first largest, and the largest.
#[inline]
#[target_feature(enable = "avx512f")]
fn largest(pairs: Pairs) -> (__mmask16, __m512) {
    let right = beats(pairs.right, pairs.left);
    (right, _mm512_mask_blend_ps(right, pairs.left, pairs.right))
}

/// The largest of each of `n` windows.
///
/// # Safety
/// Two rows of `n` pairs, room for `n` results, and the processor has AVX-512 F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn max(upper: *const f32, lower: *const f32, y: *mut f32, n: usize) {
    for at in (0..n).step_by(16) {
        let some = (n - at).min(16);
        // SAFETY: the caller's promise.
        unsafe {
            let (_, u) = largest(load(upper.add(2 * at), some));
            let (_, l) = largest(load(lower.add(2 * at), some));
            let best = _mm512_mask_blend_ps(beats(l, u), u, l);
            _mm512_mask_storeu_ps(y.add(at), ((1u32 << some) - 1) as u16, best);
        }
    }
}

/// What `n` results send back: each to the first largest of its window, 0 to the others.
///
/// # Safety
/// Two rows of `n` pairs, as many results, room for two rows, and the processor has AVX-512 F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn gradient(
    (upper, lower): (*const f32, *const f32),
    dy: *const f32,
    (to_upper, to_lower): (*mut f32, *mut f32),
    n: usize,
) {
    for at in (0..n).step_by(16) {
        let some = (n - at).min(16);
        // SAFETY: the caller's promise.
        unsafe {
            let (right_u, u) = largest(load(upper.add(2 * at), some));
            let (right_l, l) = largest(load(lower.add(2 * at), some));
            let down = beats(l, u);
            let dy = _mm512_maskz_loadu_ps(((1u32 << some) - 1) as u16, dy.add(at));
            let part = |here: __mmask16| _mm512_maskz_mov_ps(here, dy);
            let (up, left_u, left_l) = (!down, !right_u, !right_l);
            store(to_upper.add(2 * at), some, Pairs { left: part(up & left_u), right: part(up & right_u) });
            store(to_lower.add(2 * at), some, Pairs { left: part(down & left_l), right: part(down & right_l) });
        }
    }
}
