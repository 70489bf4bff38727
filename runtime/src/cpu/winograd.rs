//! Convolutions of f32 with windows of 3 x 3 by Winograd's minimal filtering, F(4 x 4, 3 x 3): 36 multiplications for a
//! tile of 16 results where the definition has 144, between transforms that are sums ([`transform`]). Winograd,
//! "Arithmetic Complexity of Computations" (1980); Lavin and Gray, arXiv 1509.09308.
//!
//! A vector holds the same element of as many images as it has lanes ([`lanes`]), so that nothing is lost at the borders of
//! small images. A block of tiles is transformed, then multiplied at each point as [`super::direct`] multiplies, then
//! brought back. The gradient in the image is the convolution with the window turned, or all of that backwards; the
//! gradient in the kernel sums products of transformed images with transformed gradients, and brings the sums back at the
//! end.
//!
//! Of fewer images than that, with weights that last from run to run, a vector holds as many channels of one ([`few`]).
//!
//! Results differ from the definition's by rounding only: by about 1e-6 of their root mean square, five times as much as
//! those of [`super::direct`].

// Transforms go over several small arrays at once, whose lengths the compiler knows.
#![allow(clippy::needless_range_loop)]

mod correlation;
mod cut;
mod few;
mod lanes;
mod transform;

pub(crate) use correlation::by_kernel;
pub(crate) use few::few;

use super::conv::Geometry;
use super::direct::Made;
use super::gemm::Tiles;
use super::gemm::simd::{Narrow, Simd, Wide};
use super::gemm::sliding::{BLOCK, Slide, VECTORS, slide};
use super::kernels::{Run, Task};
use super::pool::Shared;
use super::windows::Windows;
use cut::{Cut, elements, results};
use transform::{POINTS, TILE, WINDOW, window};

/// Taps of a window.
const TAPS: usize = WINDOW * WINDOW;
/// Bytes that a transformed block of images has for each lane: it stays in the second cache, which processors without
/// AVX-512 have less of.
const SECOND_CACHE: usize = 40 << 10;
/// Images up to which transformed filters are kept where the weights last: of more, making them is a small part.
const KEPT: usize = 64;
/// Tiles of an image whose elements are added up by one thread.
const MOST_ADDED: usize = 16;

/// True where this takes less time than [`super::direct`] over `out` results with so many channels before and after: by
/// the cycles of a tile, of which transforms have so many for each channel.
fn pays(g: &Geometry, lanes: usize, out: [usize; 2], from: usize, to: usize) -> bool {
    let fits = fits(&g.windows) && g.images >= lanes && g.images.next_multiple_of(lanes) * 10 <= g.images * 15;
    let tiles = out.iter().map(|n| n.div_ceil(TILE)).product::<usize>();
    let own = 250 * from + 200 * to + (POINTS + 5) * from * to;
    let definition = (TAPS + 2) * from * to * out[0] * out[1];
    fits && tiles * own < definition
}

/// True for windows that this is made for.
fn fits(w: &Windows) -> bool {
    w.size[0] == 1
        && w.kernel == [1, WINDOW, WINDOW]
        && w.stride == [1; 3]
        && w.dilation == [1; 3]
        && w.pad[0] == 0
        && w.pad[1] < WINDOW
        && w.pad[2] < WINDOW
}

/// One of the two convolutions: channels in, channels out.
struct Convolution {
    cut: Cut,
    from: usize,
    to: usize,
    /// Offsets of the channels in a transformed block, for each of the blocks.
    offsets: Vec<Vec<u32>>,
    /// The weight of filter `t` for channel `f` and a tap is element `t * this.0 + f * this.1 + tap` of the group's; taps
    /// count from the last where that is said.
    weight: (usize, usize),
    turned: bool,
    /// True: what comes in are gradients of results, and what comes out elements of the images.
    adjoint: bool,
}

/// The convolution with weights that last or not, where this is the way to compute it.
pub(crate) fn forward(g: &Geometry, tiles: Tiles, threads: usize, lasts: bool) -> Option<Made> {
    let (w, from, to) = (&g.windows, g.own(), g.kinds());
    let [size, out, pad] = [w.size, w.out, w.pad].map(|n| [n[1], n[2]]);
    pays(g, tiles.lanes, out, from, to).then(|| {
        let most = most_tiles(from);
        let weight = (from * TAPS, TAPS);
        Convolution::new(g, tiles, (size, out, pad), most, (from, to), weight).made(threads, lasts && g.images <= KEPT)
    })
}

/// The gradient in the image, where this is the way to compute it: a convolution of the gradient, or the other way
/// around, from the tiles of the gradient to elements that are added up, where it has fewer tiles and these are few.
pub(crate) fn by_input(g: &Geometry, tiles: Tiles, threads: usize) -> Option<Made> {
    let (w, from, to) = (&g.windows, g.kinds(), g.own());
    let [size, out, pad] = [w.size, w.out, w.pad].map(|n| [n[1], n[2]]);
    let weight = (TAPS, to * TAPS);
    let count = |sizes: [usize; 2]| sizes.iter().map(|n| n.div_ceil(TILE)).product::<usize>();
    if count(out) * 10 <= count(size) * 8 && count(out) <= MOST_ADDED && pays(g, tiles.lanes, out, from, to) {
        let way = Convolution::new(g, tiles, (size, out, pad), MOST_ADDED, (from, to), weight);
        return Some(Convolution { adjoint: true, ..way }.made(threads, false));
    }
    pays(g, tiles.lanes, size, from, to).then(|| {
        let around = pad.map(|n| WINDOW - 1 - n);
        let way = Convolution::new(g, tiles, (out, size, around), most_tiles(from), (from, to), weight);
        Convolution { turned: true, ..way }.made(threads, false)
    })
}

/// Tiles of a block that stay in the second cache.
fn most_tiles(channels: usize) -> usize {
    (SECOND_CACHE / (POINTS * channels * 4)).max(VECTORS)
}

impl Convolution {
    fn new(
        g: &Geometry,
        tiles: Tiles,
        sizes: ([usize; 2], [usize; 2], [usize; 2]),
        most: usize,
        (from, to): (usize, usize),
        weight: (usize, usize),
    ) -> Convolution {
        let cut = Cut::new(g, tiles.lanes, sizes, most);
        let offsets = cut.offsets(from);
        Convolution { cut, from, to, offsets, weight, turned: false, adjoint: false }
    }

    /// Blocks of filters of a group.
    fn blocks(&self) -> usize {
        self.to.div_ceil(BLOCK)
    }

    /// Elements of the transformed filters of a block.
    fn filters(&self) -> usize {
        POINTS * self.from * BLOCK
    }

    fn made(self, threads: usize, keeps: bool) -> Made {
        let cut = &self.cut;
        let filters = cut.groups * self.blocks() * self.filters();
        let (kept, before) = if keeps { (filters, 0) } else { (0, filters) };
        let own = cut.rectangle * cut.lanes + cut.room(self.from) + cut.room(BLOCK);
        let items = cut.bundles() * cut.groups * cut.blocks.len();
        // Parts of the filters, where there is less to give out: the same numbers whatever they are.
        let parts = (2 * threads).div_ceil(items).clamp(1, self.blocks());
        let task: Task = Box::new(move |run| {
            let filters = Shared(if keeps { run.kept::<f32>() } else { run.scratch() });
            if !keeps || run.must_make() {
                run.parallel(self.cut.groups * self.blocks(), |i, _| {
                    // SAFETY: the weights have the sizes of the geometry; blocks are packed apart.
                    unsafe { self.pack(run, i / self.blocks(), i % self.blocks(), filters.get()) };
                });
            }
            run.parallel(items * parts, |i, thread| {
                let (item, part) = (i / parts, i % parts);
                let blocks = (part * self.blocks() / parts, (part + 1) * self.blocks() / parts);
                let own = run.scratch::<f32>().wrapping_add(before + thread * own);
                // SAFETY: items and parts write apart; each thread has its own scratch.
                unsafe {
                    match self.cut.lanes == Wide::LANES {
                        true => self.wide(run, item, blocks, (filters.get(), own)),
                        false => self.narrow(run, item, blocks, (filters.get(), own)),
                    }
                }
            });
            Ok(())
        });
        Made { scratch: before + own * threads, kept, task }
    }

    /// Transforms the filters of a block.
    ///
    /// # Safety
    /// The weights have the sizes of the convolution, and `filters` has room for all of them.
    unsafe fn pack(&self, run: &Run<'_>, group: usize, block: usize, filters: *mut f32) {
        let rows = BLOCK.min(self.to - block * BLOCK);
        // SAFETY: the caller's promise.
        unsafe {
            let first = group * self.from * self.to * TAPS + block * BLOCK * self.weight.0;
            let weights = run.input::<f32>(1).add(first);
            let to = filters.add((group * self.blocks() + block) * self.filters());
            for channel in 0..self.from {
                let mut taps = [[0f32; BLOCK]; TAPS];
                for (tap, row) in (0..TAPS).flat_map(|t| (0..rows).map(move |r| (t, r))) {
                    let from = if self.turned { TAPS - 1 - tap } else { tap };
                    taps[tap][row] = *weights.add(row * self.weight.0 + channel * self.weight.1 + from);
                }
                for (point, filters) in window(&taps).into_iter().enumerate() {
                    to.add((point * self.from + channel) * BLOCK).cast::<[f32; BLOCK]>().write_unaligned(filters);
                }
            }
        }
    }

    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,bmi2,popcnt")]
    unsafe fn wide(&self, run: &Run<'_>, item: usize, blocks: (usize, usize), own: (*const f32, *mut f32)) {
        // SAFETY: the caller's promise.
        unsafe { self.item::<Wide>(run, item, blocks, own) }
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn narrow(&self, run: &Run<'_>, item: usize, blocks: (usize, usize), own: (*const f32, *mut f32)) {
        // SAFETY: the caller's promise.
        unsafe { self.item::<Narrow>(run, item, blocks, own) }
    }

    /// Computes some blocks of filters for a block of tiles of some images.
    ///
    /// # Safety
    /// The processor has the instructions; operands have the sizes of the convolution, `packed` are the transformed filters,
    /// and `own` is a thread's scratch.
    #[inline(always)]
    unsafe fn item<S: Simd>(
        &self,
        run: &Run<'_>,
        item: usize,
        blocks: (usize, usize),
        (packed, own): (*const f32, *mut f32),
    ) {
        let cut = &self.cut;
        let (number, outer) = (item % cut.blocks.len(), item / cut.blocks.len());
        let (block, group) = (&cut.blocks[number], outer % cut.groups);
        let (first, count) = cut.bundle(outer / cut.groups);
        let (before, after) = if self.adjoint { (cut.places, cut.area) } else { (cut.area, cut.places) };
        let (from, to) = (cut.groups * self.from * before, cut.groups * self.to * after);
        let point = cut.apart(self.from, block);
        let (sums_apart, row) = (cut.apart(BLOCK, block), block.count() * S::LANES);
        // SAFETY: the caller's promise.
        unsafe {
            let x = run.input::<f32>(0).add(first * from + group * self.from * before);
            let y = run.output::<f32>(0).add(first * to + group * self.to * after);
            let transformed = own.add(cut.rectangle * S::LANES);
            let sums = transformed.add(cut.room(self.from));
            let (x, points) = ((x, from, count, self.from), (transformed, point, S::LANES));
            if self.adjoint {
                cut.gradients::<S>(block, x, own, points);
            } else {
                cut.images::<S>(block, x, own, points);
            }
            for filters in blocks.0..blocks.1 {
                let rows = BLOCK.min(self.to - filters * BLOCK);
                let a = packed.add((group * self.blocks() + filters) * self.filters());
                for i in 0..POINTS {
                    let (a, x) = (a.add(i * self.from * BLOCK), transformed.add(i * point).cast_const());
                    for places in block.places.chunks(VECTORS) {
                        let c = (sums.add(i * sums_apart), row);
                        let t = Slide { a, x, offsets: &self.offsets[number], places, c };
                        slide(cut.lanes == Wide::LANES, rows, &t);
                    }
                }
                for r in 0..rows {
                    let y = y.add((filters * BLOCK + r) * after);
                    let sums = (sums.add(r * row).cast_const(), sums_apart, S::LANES);
                    if self.adjoint {
                        elements::<S>(block, sums, own, (y, to, count));
                    } else {
                        results::<S>(block, sums, own, (y, to, count));
                    }
                }
            }
        }
    }
}
