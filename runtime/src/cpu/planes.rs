//! Padded copies of the channels of an image, in which every tap of a window is one offset.
//!
//! A plane has the rows and columns of the image with the padding around them. With a stride there is a plane for each
//! phase: elements a stride apart lie side by side, so that the results of neighbouring windows read neighbours. The
//! results are then taken in vectors of neighbouring places: either row by row, or along the whole plane, where what
//! falls into the padding between two rows is not written.

use super::gemm::simd::{Narrow, Simd};
use super::gemm::sliding::Place;
use super::isa::soon;
use super::windows::Windows;
use std::arch::x86_64::*;

/// Elements behind the planes that may be read, and are 0.
pub(crate) const SLACK: usize = 64;

/// Elements of a line of the cache.
const LINE: usize = 16;
/// How many elements ahead rows are fetched of which every second is taken: a processor that sees rows left out fetches those
/// too, and too late.
const AHEAD: usize = 2048;

/// The planes of one channel.
#[derive(Clone, Debug)]
pub(crate) struct Planes {
    /// Sizes of the image.
    source: [usize; 3],
    stride: [usize; 3],
    /// Padding in front.
    lead: [usize; 3],
    phases: Vec<[usize; 3]>,
    /// Sizes of a plane.
    sizes: [usize; 3],
}

/// Windows over planes.
#[derive(Clone, Debug)]
pub(crate) struct Slides {
    /// The taps of the window that count, and where each is in the planes of a channel.
    pub taps: Vec<(usize, usize)>,
    /// Where the results are.
    pub places: Vec<Place>,
    /// How many there are along each axis.
    pub out: [usize; 3],
    /// The first of them in the image, and how far apart they are there.
    pub first: [usize; 3],
    pub apart: [usize; 3],
}

impl Planes {
    /// Elements of the planes of a channel.
    pub fn channel(&self) -> usize {
        self.phases.len() * self.plane()
    }

    /// Elements of a channel of the image.
    pub fn area(&self) -> usize {
        self.source.iter().product()
    }

    fn plane(&self) -> usize {
        self.sizes.iter().product()
    }

    /// The planes of the image, and the windows over them.
    pub fn forward(w: &Windows, lanes: usize) -> (Planes, Slides) {
        let place = |tap: usize| {
            let at: [usize; 3] = std::array::from_fn(|a| axis(w, tap, a) * w.dilation[a]);
            (std::array::from_fn(|a| at[a] % w.stride[a]), std::array::from_fn(|a| at[a] / w.stride[a]))
        };
        let all: Vec<([usize; 3], [usize; 3])> = (0..w.taps()).map(place).collect();
        let mut phases: Vec<[usize; 3]> = all.iter().map(|p| p.0).collect();
        phases.sort_unstable();
        phases.dedup();
        let sizes = std::array::from_fn(|a| w.out[a] + all.iter().map(|p| p.1[a]).max().unwrap_or(0));
        let planes = Planes { source: w.size, stride: w.stride, lead: w.pad, phases, sizes };
        let offset = |(phase, at): &([usize; 3], [usize; 3])| {
            planes.phases.iter().position(|p| p == phase).unwrap_or(0) * planes.plane() + planes.at(*at)
        };
        let taps = all.iter().map(offset).enumerate().collect();
        let places = places(w.out, sizes, lanes);
        (planes, Slides { taps, places, out: w.out, first: [0; 3], apart: [1; 3] })
    }

    /// The planes of the result's gradient, and windows over them for each phase of the image's: an element `i` of the
    /// image gets from element `(i + pad - tap * dilation) / stride` of the result, where that is whole.
    pub fn backward(w: &Windows, lanes: usize) -> (Planes, Vec<Slides>) {
        let from = |phase: usize, tap: usize, a: usize| {
            let at = (phase + w.pad[a]) as isize - (axis(w, tap, a) * w.dilation[a]) as isize;
            let stride = w.stride[a] as isize;
            (at.rem_euclid(stride) == 0).then(|| at.div_euclid(stride))
        };
        // All there are along an axis: for the padding.
        let along = |a: usize| {
            (0..w.stride[a].min(w.size[a])).flat_map(move |p| (0..w.taps()).filter_map(move |t| from(p, t, a)))
        };
        let lead: [usize; 3] = std::array::from_fn(|a| along(a).map(|e| (-e).max(0) as usize).max().unwrap_or(0));
        let most = |a: usize| along(a).map(|e| e.max(0) as usize).max().unwrap_or(0);
        let count = |a: usize, phase: usize| (w.size[a] - phase).div_ceil(w.stride[a]);
        let sizes = std::array::from_fn(|a| count(a, 0) + lead[a] + most(a));
        let planes = Planes { source: w.out, stride: [1; 3], lead, phases: vec![[0; 3]], sizes };
        let mut slides = Vec::new();
        let phases = |a: usize| 0..w.stride[a].min(w.size[a]);
        for first in phases(0).flat_map(|d| phases(1).flat_map(move |h| phases(2).map(move |c| [d, h, c]))) {
            let tap = |t: usize| {
                let mut at = [0; 3];
                for a in 0..3 {
                    at[a] = (from(first[a], t, a)? + lead[a] as isize) as usize;
                }
                Some((t, planes.at(at)))
            };
            let out = std::array::from_fn(|a| count(a, first[a]));
            let taps = (0..w.taps()).filter_map(tap).collect();
            slides.push(Slides { taps, places: places(out, sizes, lanes), out, first, apart: w.stride });
        }
        (planes, slides)
    }

    /// Makes all vectors of places whole, row by row, where the rows have so many: the last one of a row begins early enough,
    /// and computes some results again. For kernels that write each result, where that takes longer than to compute it.
    pub fn make_whole(&self, slides: &mut Slides, lanes: usize) {
        let [d, h, columns] = slides.out;
        if columns < lanes {
            return;
        }
        let rows = (0..d).flat_map(|d| (0..h).map(move |h| (d, h)));
        let all = rows.flat_map(|at| (0..columns).step_by(lanes).map(move |c| (at, c.min(columns - lanes))));
        let inside = ((1u64 << lanes) - 1) as u32;
        let place = |((d, h), c): ((usize, usize), usize)| {
            let to = (d * slides.out[1] + h) * columns + c;
            Place { from: self.at([d, h, c]) as u32, inside, to: to as u32 }
        };
        slides.places = all.map(place).collect();
    }

    fn at(&self, at: [usize; 3]) -> usize {
        (at[0] * self.sizes[1] + at[1]) * self.sizes[2] + at[2]
    }

    /// Copies channels to where they are in the planes; the padding is left as it is.
    ///
    /// # Safety
    /// The processor has AVX2; `x` has so many channels, `to` room for their planes.
    pub unsafe fn fill(&self, x: *const f32, channels: usize, to: *mut f32) {
        let (s, n, lead) = (self.stride, self.source, self.lead);
        let area: usize = n.iter().product();
        for (i, phase) in self.phases.iter().enumerate() {
            let [(front, back), (top, bottom), (left, right)] =
                std::array::from_fn(|a| span(n[a], s[a], phase[a], lead[a], self.sizes[a]));
            if left == right {
                continue;
            }
            let column = left * s[2] + phase[2] - lead[2];
            for channel in 0..channels {
                let (x, to) =
                    (x.wrapping_add(channel * area), to.wrapping_add(channel * self.channel() + i * self.plane()));
                for (d, h) in (front..back).flat_map(|d| (top..bottom).map(move |h| (d, h))) {
                    let row = (d * s[0] + phase[0] - lead[0]) * n[1] + h * s[1] + phase[1] - lead[1];
                    // SAFETY: the caller's promise; the spans keep to the image and the plane.
                    unsafe {
                        let (from, to) = (x.add(row * n[2] + column), to.add(self.at([d, h, left])));
                        match s[2] {
                            1 => copy(from, right - left, to),
                            2 => {
                                (0..2 * (right - left)).step_by(LINE).for_each(|i| soon(from.wrapping_add(AHEAD + i)));
                                every_second(from, right - left, to)
                            }
                            _ => (0..right - left).for_each(|j| *to.add(j) = *from.add(j * s[2])),
                        }
                    }
                }
            }
        }
    }
}

/// The elements `first..last` of a plane along an axis that are in the image.
fn span(size: usize, stride: usize, phase: usize, lead: usize, length: usize) -> (usize, usize) {
    let first = lead.saturating_sub(phase).div_ceil(stride);
    let last = if size + lead > phase { (size + lead - phase).div_ceil(stride) } else { 0 };
    let last = last.min(length);
    (first.min(last), last)
}

/// Copies few elements; a call of the system's would take longer.
///
/// # Safety
/// Both are good for `n` elements.
#[inline(always)]
unsafe fn copy(from: *const f32, n: usize, to: *mut f32) {
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        while i + 8 <= n {
            to.add(i).cast::<[f32; 8]>().write_unaligned(from.add(i).cast::<[f32; 8]>().read_unaligned());
            i += 8;
        }
        while i < n {
            *to.add(i) = *from.add(i);
            i += 1;
        }
    }
}

/// Copies every second of `2 n - 1` elements.
///
/// # Safety
/// The processor has AVX2; `from` and `to` are good for that.
#[target_feature(enable = "avx2")]
unsafe fn every_second(from: *const f32, n: usize, to: *mut f32) {
    let mut i = 0;
    // SAFETY: the caller's promise; the element behind the last is not read.
    unsafe {
        let seven = Narrow::mask(7);
        while i + 8 <= n {
            let (a, b) = (Narrow::load(from.add(2 * i)), Narrow::load_some(from.add(2 * i + 8), seven));
            let pairs = _mm256_castps_pd(_mm256_shuffle_ps::<0x88>(a, b));
            Narrow::store(to.add(i), _mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(pairs)));
            i += 8;
        }
        while i < n {
            *to.add(i) = *from.add(2 * i);
            i += 1;
        }
    }
}

/// Writes `n` elements to every second place of a row of so many, from the first (0) or the second (1) on; the others stay.
///
/// # Safety
/// The processor has AVX2; `from` is good for the elements, `row` for the whole row, which holds numbers.
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn to_every_second(from: *const f32, n: usize, (row, length): (*mut f32, usize), first: usize) {
    let mut i = 0;
    // SAFETY: the caller's promise.
    unsafe {
        let orders = [_mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3), _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7)];
        while i + 8 <= n && 2 * i + 16 <= length {
            let x = Narrow::load(from.add(i));
            for (half, order) in orders.into_iter().enumerate() {
                let to = row.add(2 * i + 8 * half);
                let (new, old) = (_mm256_permutevar8x32_ps(x, order), Narrow::load(to));
                let both = match first {
                    0 => _mm256_blend_ps::<0b1010_1010>(new, old),
                    _ => _mm256_blend_ps::<0b1010_1010>(old, new),
                };
                Narrow::store(to, both);
            }
            i += 8;
        }
        while i < n {
            *row.add(2 * i + first) = *from.add(i);
            i += 1;
        }
    }
}

/// Where a tap is in the window, along an axis.
fn axis(w: &Windows, tap: usize, a: usize) -> usize {
    let [_, h, c] = w.kernel;
    [tap / (h * c), tap / c % h, tap % c][a]
}

/// The vectors of places of a result: by rows, or along the plane where these are fewer.
fn places(out: [usize; 3], sizes: [usize; 3], lanes: usize) -> Vec<Place> {
    let rows = out[1] * out[2].div_ceil(lanes);
    let along = ((out[1] - 1) * sizes[2] + out[2]).div_ceil(lanes);
    let mut places = Vec::new();
    for d in 0..out[0] {
        let (from, to) = (d * sizes[1] * sizes[2], d * out[1] * out[2]);
        if rows <= along {
            for (h, c) in (0..out[1]).flat_map(|h| (0..out[2]).step_by(lanes).map(move |c| (h, c))) {
                let inside = (1u64 << lanes.min(out[2] - c)) as u32 - 1;
                let (from, to) = (from + h * sizes[2] + c, to + h * out[2] + c);
                places.push(Place { from: from as u32, inside, to: to as u32 });
            }
            continue;
        }
        for first in (0..along * lanes).step_by(lanes) {
            let place = |lane: usize| ((first + lane) / sizes[2], (first + lane) % sizes[2]);
            let is_inside = |lane: &usize| place(*lane).0 < out[1] && place(*lane).1 < out[2];
            let inside = (0..lanes).filter(is_inside).fold(0, |mask, lane| mask | 1u32 << lane);
            let Some(lane) = (0..lanes).find(is_inside) else { continue };
            let (h, c) = place(lane);
            places.push(Place { from: (from + first) as u32, inside, to: (to + h * out[2] + c) as u32 });
        }
    }
    places
}
