//! Tiles of convolutions: filters times places of the result, read from planes through a list of offsets; and the
//! gradient of the kernel, products of rows of two planes.

use super::simd::{Narrow, Simd, Wide, opaque};
use std::arch::x86_64::*;

/// Rows of a block of packed filters.
pub(crate) const BLOCK: usize = 8;
/// Vectors of places of a tile, at most.
pub(crate) const VECTORS: usize = 3;

/// A vector of neighbouring places in a plane, those of them that are in the result, and where the first of these goes:
/// the others follow it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Place {
    /// From the plane's first element.
    pub from: u32,
    /// A bit for each element.
    pub inside: u32,
    /// From the first element of the result's channel.
    pub to: u32,
}

/// `c[r, place] = sum over i of a[i, r] * x[offsets[i] + place]`
#[derive(Clone, Copy)]
pub(crate) struct Slide<'a> {
    /// Packed filters: [`BLOCK`] for each offset.
    pub a: *const f32,
    /// First element of the planes.
    pub x: *const f32,
    pub offsets: &'a [u32],
    /// Up to [`VECTORS`].
    pub places: &'a [Place],
    /// The result, and the elements from a filter's channel to the next.
    pub c: (*mut f32, usize),
}

/// Computes a tile for so many filters, of an instruction set's rows and all vectors.
///
/// # Safety
/// The processor has the instructions, and the operands are inside their memory; `rows` is 1 to [`BLOCK`].
pub(crate) unsafe fn slide(wide: bool, rows: usize, t: &Slide<'_>) {
    debug_assert!((1..=BLOCK).contains(&rows) && (1..=VECTORS).contains(&t.places.len()));
    // SAFETY: the caller's promise.
    unsafe {
        if wide {
            SLIDE_WIDE[rows - 1][t.places.len() - 1](t);
        } else {
            for first in (0..rows).step_by(SLIDE_NARROW.len()) {
                let part = Slide { a: t.a.add(first), c: (t.c.0.add(first * t.c.1), t.c.1), ..*t };
                SLIDE_NARROW[(rows - first).min(SLIDE_NARROW.len()) - 1][t.places.len() - 1](&part);
            }
        }
    }
}

type SlideFn = unsafe fn(&Slide<'_>);

#[inline(always)]
unsafe fn slide_tile<S: Lanes, const R: usize, const V: usize>(t: &Slide<'_>) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = [t.x; V];
        for v in 0..V {
            x[v] = t.x.add(t.places.get_unchecked(v).from as usize);
        }
        // The lines of the result are on their way while the sums are made.
        for v in 0..V {
            for r in 0..R {
                let to = t.c.0.add(r * t.c.1 + t.places.get_unchecked(v).to as usize);
                _mm_prefetch::<_MM_HINT_ET0>(to.cast_const().cast());
            }
        }
        let mut sums = [[S::zero(); V]; R];
        let mut a = t.a;
        for &offset in t.offsets {
            let mut y = [S::zero(); V];
            for v in 0..V.min(S::KEPT) {
                y[v] = S::load(x[v].add(offset as usize));
            }
            for r in 0..R {
                let factor = S::splat(a.add(r));
                for v in 0..V {
                    // Read for each row: there is no register to keep it in, and the compiler would keep a sum in memory.
                    let y = if v < S::KEPT { y[v] } else { S::load(opaque(x[v].add(offset as usize))) };
                    sums[r][v] = S::fma(factor, y, sums[r][v]);
                }
            }
            a = a.add(BLOCK);
        }
        for v in 0..V {
            let place = t.places.get_unchecked(v);
            for r in 0..R {
                S::store_inside(t.c.0.add(r * t.c.1 + place.to as usize), place.inside, sums[r][v]);
            }
        }
    }
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,bmi2,popcnt")]
unsafe fn slide_wide<const R: usize, const V: usize>(t: &Slide<'_>) {
    // SAFETY: the caller's promise.
    unsafe { slide_tile::<Wide, R, V>(t) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn slide_narrow<const R: usize, const V: usize>(t: &Slide<'_>) {
    // SAFETY: the caller's promise.
    unsafe { slide_tile::<Narrow, R, V>(t) }
}

macro_rules! table {
    ($f:ident: $($r:literal),*) => { [$([$f::<$r, 1> as SlideFn, $f::<$r, 2>, $f::<$r, 3>]),*] };
}
static SLIDE_WIDE: [[SlideFn; VECTORS]; BLOCK] = table!(slide_wide: 1, 2, 3, 4, 5, 6, 7, 8);
static SLIDE_NARROW: [[SlideFn; VECTORS]; 4] = table!(slide_narrow: 1, 2, 3, 4);

/// Vectors that can be written in part.
trait Lanes: Simd {
    /// Writes the elements whose bit is set one after the other.
    unsafe fn store_inside(to: *mut f32, inside: u32, v: Self::V);
    /// Reads the elements whose bit is set one after the other; the others are 0.
    unsafe fn load_inside(from: *const f32, inside: u32) -> Self::V;
}

/// A vector for each place: the results that are in it, and 0 elsewhere. There are so many channels of so many results.
///
/// # Safety
/// The processor has the instructions; `from` has the results, and `to` room for the vectors.
pub(crate) unsafe fn spread(wide: bool, from: *const f32, channels: (usize, usize), places: &[Place], to: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { if wide { spread_wide(from, channels, places, to) } else { spread_narrow(from, channels, places, to) } }
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn spread_wide(from: *const f32, channels: (usize, usize), places: &[Place], to: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { spread_any::<Wide>(from, channels, places, to) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn spread_narrow(from: *const f32, channels: (usize, usize), places: &[Place], to: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe { spread_any::<Narrow>(from, channels, places, to) }
}

#[inline(always)]
unsafe fn spread_any<S: Lanes>(from: *const f32, (channels, count): (usize, usize), places: &[Place], to: *mut f32) {
    let mut to = to;
    for channel in 0..channels {
        for place in places {
            // SAFETY: the caller's promise.
            unsafe {
                S::store(to, S::load_inside(from.add(channel * count + place.to as usize), place.inside));
                to = to.add(S::LANES);
            }
        }
    }
}

// SAFETY (of both blocks): the trait's promise.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Lanes for Wide {
    #[inline(always)]
    unsafe fn store_inside(to: *mut f32, inside: u32, v: __m512) {
        unsafe {
            if inside == 0xffff {
                Self::store(to, v);
            } else {
                let left = _mm512_maskz_compress_ps(inside as u16, v);
                Self::store_some(to, Self::mask(inside.count_ones() as usize), left);
            }
        }
    }
    #[inline(always)]
    unsafe fn load_inside(from: *const f32, inside: u32) -> __m512 {
        unsafe { _mm512_maskz_expandloadu_ps(inside as u16, from) }
    }
}

#[allow(clippy::undocumented_unsafe_blocks)]
impl Lanes for Narrow {
    #[inline(always)]
    unsafe fn store_inside(to: *mut f32, inside: u32, v: __m256) {
        unsafe {
            if inside == 0xff {
                return Self::store(to, v);
            }
            let left = _mm256_permutevar8x32_ps(v, numbers(&SET[inside as usize]));
            Self::store_first(to, inside.count_ones() as usize, left);
        }
    }
    #[inline(always)]
    unsafe fn load_inside(from: *const f32, inside: u32) -> __m256 {
        unsafe {
            if inside == 0xff {
                return Self::load(from);
            }
            let all = Self::load_some(from, Self::mask(inside.count_ones() as usize));
            let bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let here = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(inside as i32), bits), bits);
            let apart = _mm256_permutevar8x32_ps(all, numbers(&BEFORE[inside as usize]));
            _mm256_and_ps(apart, _mm256_castsi256_ps(here))
        }
    }
}

/// For 8 bits, the places of those that are set, from the first on.
static SET: [[u8; 8]; 256] = table_of_bits(true);
/// For 8 bits and each place, how many are set before it.
static BEFORE: [[u8; 8]; 256] = table_of_bits(false);

const fn table_of_bits(set: bool) -> [[u8; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut bits = 0;
    while bits < 256 {
        let (mut place, mut before) = (0, 0);
        while place < 8 {
            let here = bits >> place & 1 == 1;
            if !set {
                table[bits][place] = before as u8;
            } else if here {
                table[bits][before] = place as u8;
            }
            before += here as usize;
            place += 1;
        }
        bits += 1;
    }
    table
}

/// The numbers as indices.
#[inline(always)]
unsafe fn numbers(row: &[u8; 8]) -> __m256i {
    // SAFETY: 8 bytes are read, and the caller has AVX2.
    unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(row.as_ptr().cast())) }
}

/// `c[i, r] += sum over images and places of dy[r, place] * x[offsets[i] + place]`
#[derive(Clone, Copy)]
pub(crate) struct Correlate<'a> {
    /// First element for the first filter, elements from filter to filter and from image to image; one vector for each
    /// place.
    pub dy: (*const f32, usize, usize),
    /// First element of the planes, and elements from image to image.
    pub x: (*const f32, usize),
    pub images: usize,
    pub offsets: &'a [u32],
    pub places: &'a [Place],
    /// The sums: for each block of [`correlated`] filters, for each offset, those of the block.
    pub c: *mut f32,
}

/// How many filters are correlated at once; there must be a multiple of it.
pub(crate) fn correlated(wide: bool) -> usize {
    if wide { <Wide as Sums>::ROWS } else { <Narrow as Sums>::ROWS }
}

/// Adds to the sums of so many filters and all offsets.
///
/// # Safety
/// The processor has the instructions, and the operands are inside their memory.
pub(crate) unsafe fn correlate(wide: bool, filters: usize, t: &Correlate<'_>) {
    // SAFETY: the caller's promise.
    unsafe { if wide { correlate_wide(filters, t) } else { correlate_narrow(filters, t) } }
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn correlate_wide(filters: usize, t: &Correlate<'_>) {
    // SAFETY: the caller's promise.
    unsafe { tiles::<Wide, 4>(filters, t) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn correlate_narrow(filters: usize, t: &Correlate<'_>) {
    // SAFETY: the caller's promise.
    unsafe { tiles::<Narrow, 2>(filters, t) }
}

/// The channel's planes stay in the first cache while all filters go over them.
#[inline(always)]
unsafe fn tiles<S: Sums, const R: usize>(filters: usize, t: &Correlate<'_>) {
    // SAFETY: the caller's promise.
    unsafe {
        let all = t.offsets.len();
        let mut first = 0;
        while first < all {
            let taken = match all - first {
                6.. => 6,
                3.. => 3,
                _ => 1,
            };
            let offsets = &t.offsets[first..first + taken];
            for r in (0..filters).step_by(R) {
                let dy = (t.dy.0.add(r * t.dy.1), t.dy.1, t.dy.2);
                let part = Correlate { dy, c: t.c.add(r * all + first * R), offsets, ..*t };
                match taken {
                    6 => correlate_tile::<S, R, 6>(&part),
                    3 => correlate_tile::<S, R, 3>(&part),
                    _ => correlate_tile::<S, R, 1>(&part),
                }
            }
            first += taken;
        }
    }
}

#[inline(always)]
unsafe fn correlate_tile<S: Sums, const R: usize, const T: usize>(t: &Correlate<'_>) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[S::zero(); R]; T];
        for image in 0..t.images {
            let mut x = [t.x.0; T];
            for i in 0..T {
                x[i] = t.x.0.add(image * t.x.1 + *t.offsets.get_unchecked(i) as usize);
            }
            let mut dy = t.dy.0.add(image * t.dy.2);
            for place in t.places {
                let from = place.from as usize;
                let mut y = [S::zero(); R];
                for r in 0..R {
                    y[r] = S::load(dy.add(r * t.dy.1));
                }
                for i in 0..T {
                    let x = S::load(x[i].add(from));
                    for r in 0..R {
                        sums[i][r] = S::fma(x, y[r], sums[i][r]);
                    }
                }
                dy = dy.add(S::LANES);
            }
        }
        for i in 0..T {
            S::add_totals(sums[i].as_ptr(), t.c.add(i * R));
        }
    }
}

/// Vectors whose elements are summed, several at once.
trait Sums: Simd {
    /// How many.
    const ROWS: usize;
    /// Adds the total of each of the vectors to an element.
    unsafe fn add_totals(v: *const Self::V, to: *mut f32);
}

#[allow(clippy::undocumented_unsafe_blocks)]
impl Sums for Wide {
    const ROWS: usize = 4;
    #[inline(always)]
    unsafe fn add_totals(v: *const __m512, to: *mut f32) {
        unsafe {
            let (a, b, c, d) = (*v, *v.add(1), *v.add(2), *v.add(3));
            let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            let all = _mm512_add_ps(_mm512_shuffle_ps::<0x44>(ab, cd), _mm512_shuffle_ps::<0xee>(ab, cd));
            let half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps::<1>(all));
            let sums = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps::<1>(half));
            _mm_storeu_ps(to, _mm_add_ps(_mm_loadu_ps(to), sums));
        }
    }
}

#[allow(clippy::undocumented_unsafe_blocks)]
impl Sums for Narrow {
    const ROWS: usize = 2;
    #[inline(always)]
    unsafe fn add_totals(v: *const __m256, to: *mut f32) {
        unsafe {
            *to += Self::total(*v);
            *to.add(1) += Self::total(*v.add(1));
        }
    }
}
