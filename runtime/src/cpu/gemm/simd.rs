//! Vectors of f32 for the tiles of products and convolutions: AVX-512 and AVX2 with FMA, behind one trait.
//!
//! Both round a product and its sum once and add in the same order, so a tile gives the same bits with either.

use std::arch::x86_64::*;

/// A vector of f32 of one instruction set.
///
/// # Safety
/// Every method needs a processor that has the instructions; pointers are good for the elements read or written.
pub(crate) trait Simd: Copy + 'static {
    /// A vector.
    type V: Copy;
    /// Which of its elements are there.
    type M: Copy;
    /// Elements of a vector.
    const LANES: usize;
    /// True where reading with a mask takes longer.
    const MASKS_COST: bool;
    /// Rows of a tile's left matrix that are found from one pointer: more than 1 where registers are few.
    const FROM_ONE: usize;
    /// Vectors that a tile of a convolution keeps in registers beside its sums and a factor.
    const KEPT: usize;

    unsafe fn zero() -> Self::V;
    unsafe fn splat(x: *const f32) -> Self::V;
    unsafe fn load(x: *const f32) -> Self::V;
    unsafe fn store(x: *mut f32, v: Self::V);
    /// a b + c
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// The larger of two, the first where they are equal; the second where it is NaN, the first where only that is.
    unsafe fn larger(best: Self::V, x: Self::V) -> Self::V;
    /// The smaller of two, as for [`Simd::larger`].
    unsafe fn smaller(best: Self::V, x: Self::V) -> Self::V;
    /// The first `n` elements; all where there are more.
    unsafe fn mask(n: usize) -> Self::M;
    /// Elements outside the mask are 0 and not read.
    unsafe fn load_some(x: *const f32, m: Self::M) -> Self::V;
    /// Elements outside the mask are not written.
    unsafe fn store_some(x: *mut f32, m: Self::M, v: Self::V);
    /// The sum of all elements, halves upon halves.
    unsafe fn total(v: Self::V) -> f32;
    /// The elements so many places further on, in the first places; what is in the others does not matter.
    unsafe fn further(v: Self::V, places: usize) -> Self::V;
    /// Transposes as many vectors as each has elements.
    unsafe fn turn(v: *mut Self::V);
}

/// Numbers of elements, from any one on; behind the last they begin anew.
static NUMBERS: [i32; 32] =
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// 16 elements.
#[derive(Clone, Copy)]
pub(crate) struct Wide;

// SAFETY (of all blocks): the trait's promise.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Wide {
    type V = __m512;
    type M = __mmask16;
    const LANES: usize = 16;
    const MASKS_COST: bool = false;
    const FROM_ONE: usize = 1;
    const KEPT: usize = 3;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn splat(x: *const f32) -> __m512 {
        unsafe { _mm512_set1_ps(*x) }
    }
    #[inline(always)]
    unsafe fn load(x: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(x) }
    }
    #[inline(always)]
    unsafe fn store(x: *mut f32, v: __m512) {
        unsafe { _mm512_storeu_ps(x, v) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn larger(best: __m512, x: __m512) -> __m512 {
        // The instruction gives its second operand where there is a NaN.
        unsafe { _mm512_mask_mov_ps(_mm512_max_ps(x, best), _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x), x) }
    }
    #[inline(always)]
    unsafe fn smaller(best: __m512, x: __m512) -> __m512 {
        unsafe { _mm512_mask_mov_ps(_mm512_min_ps(x, best), _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x), x) }
    }
    #[inline(always)]
    unsafe fn mask(n: usize) -> __mmask16 {
        if n >= 16 { 0xffff } else { (1u32 << n).wrapping_sub(1) as u16 }
    }
    #[inline(always)]
    unsafe fn load_some(x: *const f32, m: __mmask16) -> __m512 {
        unsafe { _mm512_maskz_loadu_ps(m, x) }
    }
    #[inline(always)]
    unsafe fn store_some(x: *mut f32, m: __mmask16, v: __m512) {
        unsafe { _mm512_mask_storeu_ps(x, m, v) }
    }
    #[inline(always)]
    unsafe fn total(v: __m512) -> f32 {
        unsafe {
            let upper = _mm512_extractf32x8_ps::<1>(v);
            Narrow::total(_mm256_add_ps(_mm512_castps512_ps256(v), upper))
        }
    }
    #[inline(always)]
    unsafe fn further(v: __m512, places: usize) -> __m512 {
        unsafe { _mm512_permutexvar_ps(_mm512_loadu_si512(NUMBERS.as_ptr().add(places % 16).cast()), v) }
    }
    #[inline(always)]
    unsafe fn turn(v: *mut __m512) {
        unsafe {
            let v = v.cast::<[__m512; 16]>();
            let mut a = *v;
            let r = a;
            for i in (0..16).step_by(2) {
                a[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
                a[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
            }
            let r = a;
            for i in (0..16).step_by(4) {
                a[i] = _mm512_shuffle_ps::<0x44>(r[i], r[i + 2]);
                a[i + 1] = _mm512_shuffle_ps::<0xee>(r[i], r[i + 2]);
                a[i + 2] = _mm512_shuffle_ps::<0x44>(r[i + 1], r[i + 3]);
                a[i + 3] = _mm512_shuffle_ps::<0xee>(r[i + 1], r[i + 3]);
            }
            let r = a;
            for i in 0..4 {
                a[i] = _mm512_shuffle_f32x4::<0x88>(r[i], r[i + 4]);
                a[i + 4] = _mm512_shuffle_f32x4::<0xdd>(r[i], r[i + 4]);
                a[i + 8] = _mm512_shuffle_f32x4::<0x88>(r[i + 8], r[i + 12]);
                a[i + 12] = _mm512_shuffle_f32x4::<0xdd>(r[i + 8], r[i + 12]);
            }
            for i in 0..8 {
                (*v)[i] = _mm512_shuffle_f32x4::<0x88>(a[i], a[i + 8]);
                (*v)[i + 8] = _mm512_shuffle_f32x4::<0xdd>(a[i], a[i + 8]);
            }
        }
    }
}

/// 8 elements.
#[derive(Clone, Copy)]
pub(crate) struct Narrow;

#[allow(clippy::undocumented_unsafe_blocks)]
impl Simd for Narrow {
    type V = __m256;
    type M = __m256i;
    const LANES: usize = 8;
    const MASKS_COST: bool = true;
    const FROM_ONE: usize = 3;
    const KEPT: usize = 2;

    #[inline(always)]
    unsafe fn zero() -> __m256 {
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn splat(x: *const f32) -> __m256 {
        unsafe { _mm256_set1_ps(*x) }
    }
    #[inline(always)]
    unsafe fn load(x: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(x) }
    }
    #[inline(always)]
    unsafe fn store(x: *mut f32, v: __m256) {
        unsafe { _mm256_storeu_ps(x, v) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn larger(best: __m256, x: __m256) -> __m256 {
        unsafe { _mm256_blendv_ps(_mm256_max_ps(x, best), x, _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x)) }
    }
    #[inline(always)]
    unsafe fn smaller(best: __m256, x: __m256) -> __m256 {
        unsafe { _mm256_blendv_ps(_mm256_min_ps(x, best), x, _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x)) }
    }
    #[inline(always)]
    unsafe fn mask(n: usize) -> __m256i {
        const WINDOW: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        unsafe { _mm256_loadu_si256(WINDOW.as_ptr().add(8 - n.min(8)).cast()) }
    }
    #[inline(always)]
    unsafe fn load_some(x: *const f32, m: __m256i) -> __m256 {
        unsafe { _mm256_maskload_ps(x, m) }
    }
    #[inline(always)]
    unsafe fn store_some(x: *mut f32, m: __m256i, v: __m256) {
        // The first ones, as many as there are: a store with a mask takes long on some processors.
        unsafe {
            let bits = _mm256_movemask_ps(_mm256_castsi256_ps(m));
            Self::store_first(x, (bits + 1).trailing_zeros() as usize, v);
        }
    }
    #[inline(always)]
    unsafe fn total(v: __m256) -> f32 {
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
    #[inline(always)]
    unsafe fn further(v: __m256, places: usize) -> __m256 {
        unsafe { _mm256_permutevar8x32_ps(v, _mm256_loadu_si256(NUMBERS.as_ptr().add(places % 8).cast())) }
    }
    #[inline(always)]
    unsafe fn turn(v: *mut __m256) {
        unsafe {
            let v = v.cast::<[__m256; 8]>();
            *v = transpose(*v);
        }
    }
}

impl Narrow {
    /// Writes the first `n` elements.
    ///
    /// # Safety
    /// As for [`Simd`].
    #[inline(always)]
    pub(crate) unsafe fn store_first(to: *mut f32, n: usize, v: __m256) {
        // SAFETY: the caller's promise.
        unsafe {
            if n >= 8 {
                return Self::store(to, v);
            }
            let (mut left, mut at) = (_mm256_castps256_ps128(v), 0);
            if n & 4 != 0 {
                _mm_storeu_ps(to, left);
                (left, at) = (_mm256_extractf128_ps::<1>(v), 4);
            }
            if n & 2 != 0 {
                _mm_storel_pd(to.add(at).cast(), _mm_castps_pd(left));
                (left, at) = (_mm_movehl_ps(left, left), at + 2);
            }
            if n & 1 != 0 {
                _mm_store_ss(to.add(at), left);
            }
        }
    }
}

/// The same pointer, of which the compiler knows nothing, not even that it gave the same one before.
// It is not looked through.
#[allow(clippy::pointers_in_nomem_asm_block)]
#[inline(always)]
pub(super) fn opaque(mut x: *const f32) -> *const f32 {
    // SAFETY: no instruction.
    unsafe { std::arch::asm!("/* {0} */", inout(reg) x, options(nomem, nostack, preserves_flags)) };
    x
}

/// Transposes 8 vectors of 8 elements.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(crate) unsafe fn transpose(r: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: the caller's promise.
    unsafe {
        let pairs = [
            _mm256_unpacklo_ps(r[0], r[1]),
            _mm256_unpackhi_ps(r[0], r[1]),
            _mm256_unpacklo_ps(r[2], r[3]),
            _mm256_unpackhi_ps(r[2], r[3]),
            _mm256_unpacklo_ps(r[4], r[5]),
            _mm256_unpackhi_ps(r[4], r[5]),
            _mm256_unpacklo_ps(r[6], r[7]),
            _mm256_unpackhi_ps(r[6], r[7]),
        ];
        let fours = [
            _mm256_shuffle_ps::<0x44>(pairs[0], pairs[2]),
            _mm256_shuffle_ps::<0xee>(pairs[0], pairs[2]),
            _mm256_shuffle_ps::<0x44>(pairs[1], pairs[3]),
            _mm256_shuffle_ps::<0xee>(pairs[1], pairs[3]),
            _mm256_shuffle_ps::<0x44>(pairs[4], pairs[6]),
            _mm256_shuffle_ps::<0xee>(pairs[4], pairs[6]),
            _mm256_shuffle_ps::<0x44>(pairs[5], pairs[7]),
            _mm256_shuffle_ps::<0xee>(pairs[5], pairs[7]),
        ];
        [
            _mm256_permute2f128_ps::<0x20>(fours[0], fours[4]),
            _mm256_permute2f128_ps::<0x20>(fours[1], fours[5]),
            _mm256_permute2f128_ps::<0x20>(fours[2], fours[6]),
            _mm256_permute2f128_ps::<0x20>(fours[3], fours[7]),
            _mm256_permute2f128_ps::<0x31>(fours[0], fours[4]),
            _mm256_permute2f128_ps::<0x31>(fours[1], fours[5]),
            _mm256_permute2f128_ps::<0x31>(fours[2], fours[6]),
            _mm256_permute2f128_ps::<0x31>(fours[3], fours[7]),
        ]
    }
}
