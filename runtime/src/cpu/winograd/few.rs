//! Few images: a vector holds the same element of as many channels of one image as it has lanes. The filters at the points
//! are matrices that are kept from run to run, and a point of some tiles is the left side of a product with the point's.
//!
//! Transformed filters are four times as large as the filters, and making them takes longer than to use them for one image:
//! this pays for weights that last only.

use super::cut::{Block, Cut, results};
use super::transform::{POINTS, TILE, window};
use super::{TAPS, fits};
use crate::cpu::conv::Geometry;
use crate::cpu::direct::{MANY, Made};
use crate::cpu::gemm::Tiles;
use crate::cpu::gemm::simd::{Narrow, Simd, Wide};
use crate::cpu::gemm::sliding::BLOCK;
use crate::cpu::kernels::{Run, Task};
use crate::cpu::matmul::Size;
use crate::cpu::pool::Shared;

/// Tiles of a block at most: as many rows as a product needs to use what it reads often enough.
const MOST_TILES: usize = 16;
/// Bytes of transformed blocks that wait for their products at once.
const WAITING: usize = 2 << 20;
/// Tiles of vectors that a chunk transforms at least.
const TRANSFORMED: usize = 8;
/// Bytes of transformed filters at most: reading more takes as long as multiplying less saves.
const MOST_BYTES: usize = 16 << 20;

/// The convolution.
struct Few {
    tiles: Tiles,
    cut: Cut,
    from: usize,
    to: usize,
}

/// The convolution of few images whose weights last, where this is the way to compute it.
pub(crate) fn few(g: &Geometry, tiles: Tiles, threads: usize) -> Option<Made> {
    let w = &g.windows;
    let [size, out, pad] = [w.size, w.out, w.pad].map(|n| [n[1], n[2]]);
    let (from, to) = (g.channels, g.filters);
    (g.groups == 1 && g.images < MANY && fits(w) && pays(tiles, out, from, to)).then(|| {
        let cut = Cut::new(g, tiles.lanes, (size, out, pad), MOST_TILES);
        Few { tiles, cut, from, to }.made(threads)
    })
}

/// True where this takes less time than [`crate::cpu::direct`] over `out` results: cycles of a tile as for many images, where
/// the transforms are of whole vectors of channels.
fn pays(tiles: Tiles, out: [usize; 2], from: usize, to: usize) -> bool {
    let count = out.iter().map(|n| n.div_ceil(TILE)).product::<usize>();
    let [from_whole, to_whole] = [from, to].map(|n| n.next_multiple_of(tiles.lanes));
    let own = 250 * from_whole + 200 * to_whole + (POINTS + 10) * from * to;
    let definition = (TAPS + 2) * from * to * out[0] * out[1];
    count * own < definition && POINTS * from * to * 4 <= MOST_BYTES
}

impl Few {
    /// Columns of a panel of filters.
    fn width(&self) -> usize {
        self.tiles.width(self.to)
    }

    fn panels(&self) -> usize {
        self.to.div_ceil(self.width())
    }

    /// Elements of the transformed filters of a panel.
    fn panel(&self) -> usize {
        POINTS * self.from * self.width()
    }

    /// Channels in whole vectors.
    fn channels(&self) -> usize {
        self.from.next_multiple_of(self.cut.lanes)
    }

    /// Elements from a point to the next of so many tiles with so many elements each: an odd number of vectors, as in
    /// [`Cut::apart`].
    fn apart(&self, tiles: usize, each: usize) -> usize {
        ((tiles * each / self.cut.lanes) | 1) * self.cut.lanes
    }

    /// Elements of a transformed block, in whole lines.
    fn waiting(&self) -> usize {
        (POINTS * self.apart(self.cut.most, self.channels())).next_multiple_of(16)
    }

    fn made(self, threads: usize) -> Made {
        let cut = &self.cut;
        let items = cut.images * cut.blocks.len();
        let at_once = (WAITING / (self.waiting() * 4)).clamp(1, items);
        let sums = POINTS * self.apart(cut.most, self.width());
        let own = (cut.rectangle * cut.lanes + sums).next_multiple_of(16);
        let scratch = at_once * self.waiting() + own * threads;
        let vectors = self.channels() / cut.lanes;
        let grain = TRANSFORMED.div_ceil(cut.most).min(vectors);
        let (parts, panels, wide) = (vectors.div_ceil(grain), self.panels(), cut.lanes == Wide::LANES);
        let kept = panels * self.panel();
        let task: Task = Box::new(move |run| {
            let filters = Shared(run.kept::<f32>());
            if run.must_make() {
                // SAFETY: the weights have the sizes of the geometry; panels are made apart.
                run.parallel(panels, |panel, _| unsafe { self.pack(run, panel, filters.get()) });
            }
            for first in (0..items).step_by(at_once) {
                let count = at_once.min(items - first);
                // What is a thread's own comes first, in the order of threads, as their parts of other tensors do, in whose
                // place this may lie: what one has in its cache it keeps.
                let place = |i: usize, thread: usize| {
                    let waiting = run.scratch::<f32>().wrapping_add(threads * own + i * self.waiting());
                    (waiting, run.scratch::<f32>().wrapping_add(thread * own))
                };
                run.parallel(count * parts, |i, thread| {
                    let (i, part) = (i / parts, i % parts);
                    let some = (part * grain, vectors.min((part + 1) * grain));
                    // SAFETY: blocks and vectors of channels are transformed apart; each thread has its own scratch.
                    unsafe {
                        match wide {
                            true => self.transform_wide(run, first + i, some, place(i, thread)),
                            false => self.transform_narrow(run, first + i, some, place(i, thread)),
                        }
                    }
                });
                run.parallel(count * panels, |i, thread| {
                    let (i, panel) = (i / panels, i % panels);
                    let filters = filters.get().wrapping_add(panel * self.panel());
                    // SAFETY: blocks and panels write apart; each thread has its own scratch.
                    unsafe {
                        match wide {
                            true => self.multiply_wide(run, first + i, panel, filters, place(i, thread)),
                            false => self.multiply_narrow(run, first + i, panel, filters, place(i, thread)),
                        }
                    }
                });
            }
            Ok(())
        });
        Made { scratch, kept, task }
    }

    /// Transforms the filters of a panel: of each point a matrix of channels and filters, 0 behind the last filter.
    ///
    /// # Safety
    /// The weights have the sizes of the convolution, and `filters` has room for all of them.
    unsafe fn pack(&self, run: &Run<'_>, panel: usize, filters: *mut f32) {
        let width = self.width();
        // SAFETY: the caller's promise.
        unsafe {
            let to = filters.add(panel * self.panel());
            for (channel, block) in (0..self.from).flat_map(|c| (0..width).step_by(BLOCK).map(move |b| (c, b))) {
                let first = panel * width + block;
                let mut taps = [[0f32; BLOCK]; TAPS];
                for row in 0..BLOCK.min(self.to.saturating_sub(first)) {
                    let weights = run.input::<f32>(1).add(((first + row) * self.from + channel) * TAPS);
                    (0..TAPS).for_each(|tap| taps[tap][row] = *weights.add(tap));
                }
                for (point, filters) in window(&taps).into_iter().enumerate() {
                    let to = to.add((point * self.from + channel) * width + block);
                    to.cast::<[f32; BLOCK]>().write_unaligned(filters);
                }
            }
        }
    }

    /// The image and the block of an item.
    fn item(&self, item: usize) -> (usize, &Block) {
        (item / self.cut.blocks.len(), &self.cut.blocks[item % self.cut.blocks.len()])
    }

    /// Transforms some vectors of channels of a block of tiles.
    ///
    /// # Safety
    /// The processor has the instructions; operands have the sizes of the convolution, and there is scratch for a
    /// transformed block and the thread.
    #[inline(always)]
    unsafe fn transform<S: Simd>(
        &self,
        run: &Run<'_>,
        item: usize,
        vectors: (usize, usize),
        (to, own): (*mut f32, *mut f32),
    ) {
        let (image, block) = self.item(item);
        let (area, channels) = (self.cut.area, self.channels());
        let point = self.apart(block.count(), channels);
        for first in (vectors.0..vectors.1).map(|v| v * S::LANES) {
            let count = S::LANES.min(self.from - first);
            // SAFETY: the caller's promise.
            unsafe {
                let x = run.input::<f32>(0).add((image * self.from + first) * area);
                self.cut.images::<S>(block, (x, area, count, 1), own, (to.add(first), point, channels));
            }
        }
    }

    /// Computes the results of a panel of filters for a block of tiles.
    ///
    /// # Safety
    /// As for [`Few::transform`]; the block is transformed, and so are the filters of the panel.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(
        &self,
        run: &Run<'_>,
        item: usize,
        panel: usize,
        filters: *const f32,
        (transformed, own): (*mut f32, *mut f32),
    ) {
        let (image, block) = self.item(item);
        let (tiles, channels, width) = (block.count(), self.channels(), self.width());
        let columns = width.min(self.to - panel * width);
        let (point, sums_point) = (self.apart(tiles, channels), self.apart(tiles, width));
        // Whole vectors: filters that are not there are 0.
        let size = Size { m: tiles, k: self.from, n: columns.next_multiple_of(S::LANES) };
        // SAFETY: the caller's promise.
        unsafe {
            let sums = own.add(self.cut.rectangle * S::LANES);
            let left = (transformed.cast_const(), channels as isize, point);
            let right = (filters, width as isize, self.from * width);
            self.tiles.multiply_each(POINTS, size, left, right, (sums, width as isize, sums_point));
            for first in (0..columns).step_by(S::LANES) {
                let count = S::LANES.min(columns - first);
                let y = run.output::<f32>(0).add((image * self.to + panel * width + first) * self.cut.places);
                let sums = (sums.add(first).cast_const(), sums_point, width);
                results::<S>(block, sums, own, (y, self.cut.places, count));
            }
        }
    }
}

macro_rules! for_instructions {
    ($features:literal, $simd:ident, $transform:ident, $multiply:ident) => {
        impl Few {
            #[target_feature(enable = $features)]
            unsafe fn $transform(
                &self,
                run: &Run<'_>,
                item: usize,
                vectors: (usize, usize),
                places: (*mut f32, *mut f32),
            ) {
                // SAFETY: the caller's promise.
                unsafe { self.transform::<$simd>(run, item, vectors, places) }
            }

            #[target_feature(enable = $features)]
            unsafe fn $multiply(
                &self,
                run: &Run<'_>,
                item: usize,
                panel: usize,
                filters: *const f32,
                places: (*mut f32, *mut f32),
            ) {
                // SAFETY: the caller's promise.
                unsafe { self.multiply::<$simd>(run, item, panel, filters, places) }
            }
        }
    };
}
for_instructions!("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,bmi2,popcnt", Wide, transform_wide, multiply_wide);
for_instructions!("avx2,fma", Narrow, transform_narrow, multiply_narrow);
