//! Convolutions of f32 and their gradients without a matrix of windows: every tap of a window is an offset in padded
//! planes ([`super::planes`]), and tiles of filters times places keep all sums in registers ([`sliding`]).
//!
//! The images stay as they are in memory, channel by channel: neighbouring places fill the vectors whatever the number
//! of channels, and what comes before and after needs no other layout.
//!
//! Images are given out to threads, and blocks of filters too where images are few. The gradient of the kernel is
//! summed over fixed parts of the images, and these in order.

use super::conv::Geometry;
use super::gemm::Tiles;
use super::gemm::pack::pack;
use super::gemm::simd::{Narrow, Simd};
use super::gemm::sliding::{BLOCK, Correlate, Place, Slide, VECTORS, correlate, correlated, slide, spread};
use super::kernels::{Run, Task};
use super::planes::{Planes, SLACK, Slides, to_every_second};
use super::pool::Shared;
use super::windows::Windows;

/// Multiplications that a chunk has, where an image has so many.
const PIECE: usize = 1 << 20;
/// Multiplications of a part of an image.
const PART: usize = 1 << 16;
/// Images from which they are enough to give out.
pub(crate) const MANY: usize = 16;
/// Elements of a window up to which it takes longer to write a part of a vector than to compute some results again.
const SHORT: usize = 32;
/// Bytes of planes that stay in the first cache: filters then go over all places, and not places over all filters.
const FIRST_CACHE: usize = 1 << 15;

/// One of the two convolutions: channels in, channels out.
struct Convolution {
    wide: bool,
    images: usize,
    groups: usize,
    /// Of a group.
    from: usize,
    to: usize,
    /// Elements of a channel before and after.
    area: usize,
    places: usize,
    windows: Windows,
    planes: Planes,
    slides: Vec<Slides>,
    /// Offsets of all channels, for each of the slides.
    offsets: Vec<Vec<u32>>,
    /// The weight of filter `t` for channel `f` and a tap is element `t * this.0 + f * this.1 + tap` of the group's.
    weight: (usize, usize),
}

/// A task, and how many elements it wants of scratch and to keep.
pub(crate) struct Made {
    pub scratch: usize,
    pub kept: usize,
    pub task: Task,
}

/// The convolution with weights that last or not: of few images the packed filters are kept then.
pub(crate) fn forward(g: &Geometry, tiles: Tiles, threads: usize, lasts: bool) -> Made {
    let (planes, mut slides) = Planes::forward(&g.windows, tiles.lanes);
    let (from, to) = (g.own(), g.kinds());
    if tiles.lanes == Narrow::LANES && g.window() <= SHORT {
        planes.make_whole(&mut slides, tiles.lanes);
    }
    let weight = (from * g.windows.taps(), g.windows.taps());
    Convolution::new(g, tiles, (from, to), planes, vec![slides], weight).made(threads, lasts && g.images < MANY)
}

pub(crate) fn by_input(g: &Geometry, tiles: Tiles, threads: usize) -> Made {
    let (planes, slides) = Planes::backward(&g.windows, tiles.lanes);
    let (from, to) = (g.kinds(), g.own());
    let weight = (g.windows.taps(), to * g.windows.taps());
    Convolution::new(g, tiles, (from, to), planes, slides, weight).made(threads, false)
}

impl Convolution {
    fn new(
        g: &Geometry,
        tiles: Tiles,
        (from, to): (usize, usize),
        planes: Planes,
        slides: Vec<Slides>,
        weight: (usize, usize),
    ) -> Convolution {
        let offsets = slides.iter().map(|s| offsets(s, &planes, from)).collect();
        let count = |s: &Slides| s.out.iter().product::<usize>();
        let places = slides.iter().map(count).sum();
        let area = planes.area();
        let (images, groups, windows) = (g.images, g.groups, g.windows);
        Convolution {
            wide: tiles.lanes == 16,
            images,
            groups,
            from,
            to,
            area,
            places,
            windows,
            planes,
            slides,
            offsets,
            weight,
        }
    }

    /// Blocks of filters of a group.
    fn blocks(&self) -> usize {
        self.to.div_ceil(BLOCK)
    }

    /// Elements of the packed filters of a block, for one of the slides; of those before it; and of a block's for all.
    fn packed(&self, slide: usize) -> usize {
        self.offsets[slide].len() * BLOCK
    }

    fn packed_before(&self, slide: usize) -> usize {
        (0..slide).map(|s| self.packed(s)).sum()
    }

    /// Elements of all packed filters, in whole lines.
    fn filters(&self) -> usize {
        self.groups * self.blocks() * self.packed_before(self.slides.len()).next_multiple_of(16)
    }

    fn block_at(&self, group: usize, block: usize) -> usize {
        (group * self.blocks() + block) * self.packed_before(self.slides.len()).next_multiple_of(16)
    }

    /// Elements of the planes of a group's channels, in whole lines.
    fn planes_room(&self) -> usize {
        (self.from * self.planes.channel() + SLACK).next_multiple_of(16)
    }

    /// Elements for the results of a phase, where they do not lie one after the other.
    fn apart_room(&self) -> usize {
        let count = |s: &Slides| s.out.iter().product::<usize>();
        let most = self.slides.iter().map(count).max().unwrap_or(0);
        if self.slides.len() > 1 { (most * BLOCK).next_multiple_of(16) } else { 0 }
    }

    fn made(self, threads: usize, keeps: bool) -> Made {
        let own = self.planes_room() + self.apart_room();
        let (kept, before) = if keeps { (self.filters(), 0) } else { (0, self.filters()) };
        let work = self.to * self.from * self.windows.taps() * self.places.min(self.area * 4);
        // Parts of the filters, where images are few; each fills planes of its own.
        let most = if self.images * self.groups >= MANY || threads == 1 { 1 } else { self.blocks().min(2 * threads) };
        let parts = (work / PART).clamp(1, most);
        let grain = (PIECE / work.max(1)).clamp(1, self.images.div_ceil(MANY));
        let task: Task = Box::new(move |run| {
            let filters = Shared(if keeps { run.kept::<f32>() } else { run.scratch() });
            if !keeps || run.must_make() {
                run.parallel(self.groups * self.blocks(), |i, _| {
                    // SAFETY: the weights have the sizes of the geometry; blocks are packed apart.
                    unsafe { self.pack(run, i / self.blocks(), i % self.blocks(), filters.get()) };
                });
            }
            let chunks = self.images.div_ceil(grain);
            run.parallel(chunks * self.groups * parts, |i, thread| {
                let (chunk, group, part) = (i / parts / self.groups, i / parts % self.groups, i % parts);
                let planes = run.scratch::<f32>().wrapping_add(before + thread * own);
                let blocks = (part * self.blocks() / parts, (part + 1) * self.blocks() / parts);
                // SAFETY: images, groups and blocks write apart; each thread has its own planes.
                unsafe {
                    planes.write_bytes(0, self.planes_room());
                    for image in chunk * grain..self.images.min((chunk + 1) * grain) {
                        self.image(run, (image, group), blocks, (filters.get(), planes));
                    }
                }
            });
            Ok(())
        });
        Made { scratch: before + own * threads, kept, task }
    }

    /// Packs the filters of a block, for each of the slides.
    ///
    /// # Safety
    /// The weights have the sizes of the convolution, and `filters` has room for all of them.
    unsafe fn pack(&self, run: &Run<'_>, group: usize, block: usize, filters: *mut f32) {
        let taps = self.windows.taps();
        // SAFETY: the caller's promise.
        unsafe {
            let weights = run.input::<f32>(1).add(group * self.from * self.to * taps);
            let mut to = filters.add(self.block_at(group, block));
            let rows = BLOCK.min(self.to - block * BLOCK);
            let weights = weights.add(block * BLOCK * self.weight.0);
            for slides in &self.slides {
                if slides.taps.len() == taps {
                    // The taps of a channel lie one after the other; in the convolution itself those of all channels do.
                    let together = if self.weight.1 == taps { self.from } else { 1 };
                    for channel in (0..self.from).step_by(together) {
                        let from = (weights.add(channel * self.weight.1), 1, self.weight.0 as isize);
                        pack(from, together * taps, rows, BLOCK, to);
                        to = to.add(together * taps * BLOCK);
                    }
                    continue;
                }
                for (channel, (tap, _)) in (0..self.from).flat_map(|c| slides.taps.iter().map(move |t| (c, t))) {
                    let weight = weights.add(channel * self.weight.1 + tap);
                    for r in 0..BLOCK {
                        *to.add(r) = if r < rows { *weight.add(r * self.weight.0) } else { 0.0 };
                    }
                    to = to.add(BLOCK);
                }
            }
        }
    }

    /// Computes some blocks of an image.
    ///
    /// # Safety
    /// As for [`Convolution::pack`]; the planes' padding is 0.
    unsafe fn image(
        &self,
        run: &Run<'_>,
        (image, group): (usize, usize),
        blocks: (usize, usize),
        (filters, planes): (*const f32, *mut f32),
    ) {
        let n = image * self.groups + group;
        // SAFETY: the caller's promise.
        unsafe {
            self.planes.fill(run.input::<f32>(0).add(n * self.from * self.area), self.from, planes);
            let out = run.output::<f32>(0).add(n * self.to * self.places);
            let tile = |block: usize, slide_number: usize, places: &[Place], c: (*mut f32, usize)| {
                let a = filters.add(self.block_at(group, block) + self.packed_before(slide_number));
                let offsets = &self.offsets[slide_number];
                let rows = BLOCK.min(self.to - block * BLOCK);
                slide(self.wide, rows, &Slide { a, x: planes, offsets, places, c });
            };
            if self.slides.len() > 1 {
                let apart = planes.add(self.planes_room());
                let there = |s: &Slides| !s.taps.is_empty();
                for block in blocks.0..blocks.1 {
                    let rows = BLOCK.min(self.to - block * BLOCK);
                    let to = out.add(block * BLOCK * self.places);
                    if !self.slides.iter().all(there) {
                        // No window reaches the elements of some phases.
                        to.write_bytes(0, rows * self.places);
                    }
                    for (s, slides) in self.slides.iter().enumerate().filter(|(_, s)| there(s)) {
                        let count = slides.out.iter().product();
                        slides.places.chunks(VECTORS).for_each(|places| tile(block, s, places, (apart, count)));
                        self.scatter(slides, rows, apart, to);
                    }
                }
                return;
            }
            let c = |block: usize| (out.add(block * BLOCK * self.places), self.places);
            let places = &self.slides[0].places;
            if self.planes_room() * 4 <= FIRST_CACHE {
                for block in blocks.0..blocks.1 {
                    places.chunks(VECTORS).for_each(|places| tile(block, 0, places, c(block)));
                }
            } else {
                for places in places.chunks(VECTORS) {
                    (blocks.0..blocks.1).for_each(|block| tile(block, 0, places, c(block)));
                }
            }
        }
    }

    /// Writes the results of a phase to where they are in the image.
    ///
    /// # Safety
    /// `from` has the phase's results of so many channels, and `to` room for the channels.
    unsafe fn scatter(&self, slides: &Slides, rows: usize, from: *const f32, to: *mut f32) {
        let Slides { out, first, apart, .. } = slides;
        let size = self.windows.size;
        let mut from = from;
        for (r, d) in (0..rows).flat_map(|r| (0..out[0]).map(move |d| (r, d))) {
            for h in 0..out[1] {
                let row = (d * apart[0] + first[0]) * size[1] + h * apart[1] + first[1];
                // SAFETY: the caller's promise.
                unsafe {
                    let to = to.add(r * self.places + row * size[2]);
                    match apart[2] {
                        2 => to_every_second(from, out[2], (to, size[2]), first[2]),
                        _ => (0..out[2]).for_each(|c| *to.add(c * apart[2] + first[2]) = *from.add(c)),
                    }
                    from = from.add(out[2]);
                }
            }
        }
    }
}

/// The offsets of the taps of all channels.
fn offsets(slides: &Slides, planes: &Planes, channels: usize) -> Vec<u32> {
    let of = |c: usize| slides.taps.iter().map(move |(_, at)| (c * planes.channel() + at) as u32);
    (0..channels).flat_map(of).collect()
}

/// Bytes of two channels' planes that stay in the first cache beside what is read once: so many images are taken at once.
const TWO_CHANNELS: usize = 12 << 10;

/// The gradient of the kernel: products of vectors of places of the result's gradient and of the planes.
pub(crate) fn by_kernel(g: &Geometry, tiles: Tiles, threads: usize) -> Made {
    let g = *g;
    let (planes, slides) = Planes::forward(&g.windows, tiles.lanes);
    let (lanes, wide) = (tiles.lanes, tiles.lanes == 16);
    let offsets = offsets(&slides, &planes, g.own());
    let at_once = (TWO_CHANNELS / (planes.channel() * 8).max(1)).clamp(1, 8).min(g.images);
    let (x_room, dy_row) = ((g.own() * planes.channel() + SLACK).next_multiple_of(16), slides.places.len() * lanes);
    let rows = correlated(wide);
    let kinds = g.kinds().next_multiple_of(rows);
    let dy_room = kinds * dy_row;
    let own = at_once * (x_room + dy_room);
    let group_sums = kinds * g.window();
    let sums = (g.groups * group_sums).next_multiple_of(16);
    let parts = g.parts(sums * 4);
    let scratch = parts * sums + own * threads;
    let task: Task = Box::new(move |run| {
        run.parallel(parts, |part, thread| {
            let images = part * g.images / parts..(part + 1) * g.images / parts;
            // SAFETY: the operands have the sizes of the geometry; each part has its sums, each thread its planes.
            unsafe {
                let sum = run.scratch::<f32>().add(part * sums);
                sum.write_bytes(0, sums);
                let x = run.scratch::<f32>().add(parts * sums + thread * own);
                let dy = x.add(at_once * x_room);
                // Padding, and the filters that there are not.
                x.write_bytes(0, own);
                for first in images.clone().step_by(at_once) {
                    let count = at_once.min(images.end - first);
                    for group in 0..g.groups {
                        for i in 0..count {
                            let (from_x, from_dy) = g.group(first + i, group);
                            planes.fill(run.input::<f32>(0).add(from_x), g.own(), x.add(i * x_room));
                            let from = run.input::<f32>(1).add(from_dy);
                            spread(wide, from, (g.kinds(), g.windows.places()), &slides.places, dy.add(i * dy_room));
                        }
                        let c = sum.add(group * group_sums);
                        let (dy, x) = ((dy.cast_const(), dy_row, dy_room), (x.cast_const(), x_room));
                        let all = Correlate { dy, x, images: count, offsets: &offsets, places: &slides.places, c };
                        correlate(wide, kinds, &all);
                    }
                }
            }
        });
        // The parts' sums in order, each filter's where it belongs.
        run.parallel(g.filters, |filter, _| {
            let (group, kind) = (filter / g.kinds(), filter % g.kinds());
            let from = group * group_sums + kind / rows * rows * g.window() + kind % rows;
            for i in 0..g.window() {
                // SAFETY: every part wrote its sums; filters are apart.
                unsafe {
                    let of = |part: usize| *run.scratch::<f32>().add(part * sums + from + i * rows);
                    let sum = (1..parts).fold(of(0), |sum, part| sum + of(part));
                    *run.output::<f32>(0).add(filter * g.window() + i) = sum;
                }
            }
        });
        Ok(())
    });
    Made { scratch, kept: 0, task }
}
