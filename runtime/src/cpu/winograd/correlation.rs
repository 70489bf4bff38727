//! The gradient in the kernel: sums of products of transformed images with transformed gradients, brought back at the end.

use super::cut::Cut;
use super::transform::{POINTS, window_gradient};
use super::{TAPS, pays};
use crate::cpu::conv::Geometry;
use crate::cpu::direct::Made;
use crate::cpu::gemm::Tiles;
use crate::cpu::gemm::simd::{Narrow, Simd, Wide};
use crate::cpu::gemm::sliding::{Correlate, VECTORS, correlate, correlated};
use crate::cpu::kernels::{Run, Task};

/// Bytes of the transformed images and gradients of a bundle.
const SUMMED_BYTES: usize = 1280 << 10;
/// Tiles that are summed at least before the lanes are added up, where there are so many.
const SUMMED: usize = 16;

/// The gradient of the kernel.
struct Correlation {
    cut: Cut,
    /// Channels of a group of the image; filters of it, and as many as are correlated at once.
    own: usize,
    kinds: usize,
    rows: usize,
    offsets: Vec<Vec<u32>>,
    /// Bundles of images that are summed before the lanes are added up.
    at_once: usize,
}

/// The gradient in the kernel, where this is the way to compute it.
pub(crate) fn by_kernel(g: &Geometry, tiles: Tiles, threads: usize) -> Option<Made> {
    let (w, lanes) = (&g.windows, tiles.lanes);
    let [size, out, pad] = [w.size, w.out, w.pad].map(|n| [n[1], n[2]]);
    let rows = correlated(lanes == Wide::LANES);
    let (own, kinds) = (g.own(), g.kinds().next_multiple_of(rows));
    pays(g, lanes, out, own, kinds).then(|| {
        let most = (SUMMED_BYTES / (POINTS * (own + kinds) * lanes * 4)).clamp(VECTORS, SUMMED);
        let cut = Cut::new(g, lanes, (size, out, pad), most);
        let at_once = SUMMED.div_ceil(cut.most).min(cut.bundles().div_ceil(4));
        let offsets = cut.offsets(own);
        Correlation { cut, own, kinds, rows, offsets, at_once }.made(g, threads)
    })
}

impl Correlation {
    /// Elements of the sums of a group at a point.
    fn at_point(&self) -> usize {
        self.kinds * self.own
    }

    /// Elements of a thread's scratch: the rectangle, and of each bundle the transformed images and gradients.
    fn room(&self) -> (usize, usize) {
        let bundle = self.cut.room(self.own) + self.cut.room(self.kinds);
        (bundle, self.cut.rectangle * self.cut.lanes + self.at_once * bundle)
    }

    fn made(self, g: &Geometry, threads: usize) -> Made {
        let sums = g.groups * POINTS * self.at_point();
        let turns = self.cut.bundles().div_ceil(self.at_once);
        let parts = g.parts(sums * 4).min(turns);
        let room = self.room().1;
        let filters = g.kinds();
        let task: Task = Box::new(move |run| {
            run.parallel(parts, |part, thread| {
                let turns = (part * turns / parts, (part + 1) * turns / parts);
                let sum = run.scratch::<f32>().wrapping_add(part * sums);
                let own = run.scratch::<f32>().wrapping_add(parts * sums + thread * room);
                // SAFETY: the operands have the sizes of the geometry; each part has its sums, each thread its scratch.
                unsafe {
                    sum.write_bytes(0, sums);
                    match self.cut.lanes == Wide::LANES {
                        true => self.wide(run, filters, turns, sum, own),
                        false => self.narrow(run, filters, turns, sum, own),
                    }
                }
            });
            let blocks = filters.div_ceil(self.rows);
            run.parallel(self.cut.groups * blocks, |i, _| {
                // SAFETY: every part wrote its sums; blocks of filters are apart.
                unsafe { self.back(run, filters, (i / blocks, i % blocks), (parts, sums)) };
            });
            Ok(())
        });
        Made { scratch: parts * sums + room * threads, kept: 0, task }
    }

    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn wide(&self, run: &Run<'_>, filters: usize, turns: (usize, usize), sum: *mut f32, own: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { self.part::<Wide>(run, filters, turns, sum, own) }
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn narrow(&self, run: &Run<'_>, filters: usize, turns: (usize, usize), sum: *mut f32, own: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { self.part::<Narrow>(run, filters, turns, sum, own) }
    }

    /// Adds what some images give to the sums of a part.
    ///
    /// # Safety
    /// As for [`Convolution::item`].
    #[inline(always)]
    unsafe fn part<S: Simd>(&self, run: &Run<'_>, filters: usize, turns: (usize, usize), sum: *mut f32, own: *mut f32) {
        let cut = &self.cut;
        let bundle_room = self.room().0;
        let (x_image, dy_image) = (cut.groups * self.own * cut.area, cut.groups * filters * cut.places);
        for (turn, group) in (turns.0..turns.1).flat_map(|t| (0..cut.groups).map(move |g| (t, g))) {
            let bundles = turn * self.at_once..cut.bundles().min((turn + 1) * self.at_once);
            for (block, offsets) in cut.blocks.iter().zip(&self.offsets) {
                let (point_x, point_dy) = (cut.apart(self.own, block), cut.apart(self.kinds, block));
                // SAFETY: the caller's promise.
                unsafe {
                    let x = own.add(cut.rectangle * S::LANES);
                    let dy = x.add(cut.room(self.own));
                    for (i, bundle) in bundles.clone().enumerate() {
                        let (first, count) = cut.bundle(bundle);
                        let from = run.input::<f32>(0).add(first * x_image + group * self.own * cut.area);
                        let to = (x.add(i * bundle_room), point_x, S::LANES);
                        cut.images::<S>(block, (from, x_image, count, self.own), own, to);
                        let from = run.input::<f32>(1).add(first * dy_image + group * filters * cut.places);
                        let to = (dy.add(i * bundle_room), point_dy, S::LANES);
                        cut.gradients::<S>(block, (from, dy_image, count, filters), own, to);
                    }
                    for i in 0..POINTS {
                        let t = Correlate {
                            dy: (dy.add(i * point_dy), block.count() * S::LANES, bundle_room),
                            x: (x.add(i * point_x), bundle_room),
                            images: bundles.len(),
                            offsets,
                            places: &block.places,
                            c: sum.add((group * POINTS + i) * self.at_point()),
                        };
                        correlate(cut.lanes == Wide::LANES, self.kinds, &t);
                    }
                }
            }
        }
    }

    /// Adds the parts' sums in order for a block of filters, and brings them back.
    ///
    /// # Safety
    /// As for [`Convolution::item`].
    unsafe fn back(&self, run: &Run<'_>, filters: usize, at: (usize, usize), (parts, apart): (usize, usize)) {
        /// Sums that are brought back side by side.
        const SIDE: usize = 8;
        let (group, block) = at;
        let count = self.rows * self.own;
        for first in (0..count).step_by(SIDE) {
            let some = SIDE.min(count - first);
            let mut sums = [[0f64; SIDE]; POINTS];
            for (point, part) in (0..POINTS).flat_map(|p| (0..parts).map(move |part| (p, part))) {
                let at = part * apart + (group * POINTS + point) * self.at_point() + block * count + first;
                for i in 0..some {
                    // SAFETY: the caller's promise.
                    sums[point][i] += f64::from(unsafe { *run.scratch::<f32>().add(at + i) });
                }
            }
            let taps = window_gradient(&sums);
            for i in 0..some {
                let (channel, filter) = ((first + i) / self.rows, block * self.rows + (first + i) % self.rows);
                if filter < filters {
                    let to = ((group * filters + filter) * self.own + channel) * TAPS;
                    // SAFETY: the caller's promise.
                    (0..TAPS).for_each(|t| unsafe { *run.output::<f32>(0).add(to + t) = taps[t][i] });
                }
            }
        }
    }
}
