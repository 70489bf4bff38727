//! Convolutions of f32 with windows of 3 x 3 by Winograd's minimal filtering, F(4 x 4, 3 x 3): 36 multiplications for a
//! tile of 16 results where the definition has 144, between transforms that are sums ([`transform`]). Winograd,
//! "Arithmetic Complexity of Computations" (1980); Lavin and Gray, arXiv 1509.09308.
//!
//! A vector holds the same element of 16 images ([`lanes`]), so that nothing is lost at the borders of small images. A
//! block of tiles is transformed, then multiplied at each point as [`super::direct`] multiplies, then brought back. The
//! gradient in the image is the convolution with the window turned; the gradient in the kernel sums products of
//! transformed images with transformed gradients, and brings the sums back at the end.
//!
//! Results differ from the definition's by rounding only, by about as much as sums of a few hundred elements do.

// Transforms go over several small arrays at once, whose lengths the compiler knows.
#![allow(clippy::needless_range_loop)]

mod lanes;
mod transform;

use super::conv::Geometry;
use super::direct::Made;
use super::gemm::Tiles;
use super::gemm::simd::{Narrow, Simd, Wide};
use super::gemm::sliding::{BLOCK, Correlate, Place, Slide, VECTORS, correlate, correlated, slide};
use super::kernels::{Run, Task};
use lanes::{Piece, one_by_one, pieces, side_by_side};
use transform::{Elements, Gradients, Image, POINTS, REACH, Results, TILE, WINDOW, both, window, window_gradient};

/// Taps of a window.
const TAPS: usize = WINDOW * WINDOW;
/// Bytes that a transformed block of images has: it stays in the second cache.
const SECOND_CACHE: usize = 640 << 10;
/// Tiles of an image whose elements are added up by one thread.
const MOST_ADDED: usize = 16;
/// Tiles that are summed at least before the lanes are added up, where there are so many.
const SUMMED: usize = 16;
/// Parts of the images, each with sums of its own.
const PARTS: usize = 16;
/// Bytes that the parts' sums may take.
const PART_BYTES: usize = 1 << 26;

/// Some tiles next to each other.
struct Block {
    /// Rows and columns of tiles.
    tiles: [usize; 2],
    /// What they read of an image, and what they are of a result.
    reads: Vec<Piece>,
    writes: Vec<Piece>,
    /// The tiles in a channel.
    places: Vec<Place>,
}

impl Block {
    fn count(&self) -> usize {
        self.places.len()
    }

    /// The first vector of each tile in rows of so many vectors, and its number.
    fn each(&self, row: usize) -> impl Iterator<Item = (usize, usize)> {
        let columns = self.tiles[1];
        (0..self.count()).map(move |t| (t / columns * TILE * row + t % columns * TILE, t))
    }
}

/// Images of one size, cut into blocks of tiles of the results.
struct Cut {
    lanes: usize,
    images: usize,
    groups: usize,
    /// Elements of a channel of the image, and of the result.
    area: usize,
    places: usize,
    blocks: Vec<Block>,
    /// Tiles of a block, and vectors of the rectangle that they read, at most.
    most: usize,
    rectangle: usize,
}

impl Cut {
    fn new(g: &Geometry, lanes: usize, (size, out, pad): ([usize; 2], [usize; 2], [usize; 2]), most: usize) -> Cut {
        let tiles = out.map(|n| n.div_ceil(TILE));
        let columns = tiles[1].min(most);
        let counts = [tiles[0].div_ceil((most / columns).max(1)), tiles[1].div_ceil(columns)];
        let mut blocks = Vec::new();
        for (row, column) in (0..counts[0]).flat_map(|r| (0..counts[1]).map(move |c| (r, c))) {
            let at = [row, column];
            let first: [usize; 2] = std::array::from_fn(|a| at[a] * tiles[a] / counts[a]);
            let own: [usize; 2] = std::array::from_fn(|a| (at[a] + 1) * tiles[a] / counts[a] - first[a]);
            let corner = first.map(|t| (t * TILE) as isize);
            let before = std::array::from_fn(|a| corner[a] - pad[a] as isize);
            let reads = pieces(size, before, own.map(|n| n * TILE + WINDOW - 1), lanes);
            let writes = pieces(out, corner, own.map(|n| n * TILE), lanes);
            let place = |t: usize| (t * lanes) as u32;
            let inside = ((1u64 << lanes) - 1) as u32;
            let places = (0..own[0] * own[1]).map(|t| Place { from: place(t), inside, to: place(t) }).collect();
            blocks.push(Block { tiles: own, reads, writes, places });
        }
        let most = blocks.iter().map(Block::count).max().unwrap_or(0);
        let rectangle = |b: &Block| b.tiles.iter().map(|n| n * TILE + WINDOW - 1).product();
        let rectangle = blocks.iter().map(rectangle).max().unwrap_or(0);
        let (area, places) = (size[0] * size[1], out[0] * out[1]);
        Cut { lanes, images: g.images, groups: g.groups, area, places, blocks, most, rectangle }
    }

    /// Images that lie side by side.
    fn bundles(&self) -> usize {
        self.images.div_ceil(self.lanes)
    }

    /// The first image of a bundle, and how many it has.
    fn bundle(&self, i: usize) -> (usize, usize) {
        (i * self.lanes, self.lanes.min(self.images - i * self.lanes))
    }

    /// Elements from a point to the next of so many transformed channels. An odd number of vectors: points would share
    /// the same few lines of the first cache.
    fn apart(&self, channels: usize, block: &Block) -> usize {
        ((channels * block.count()) | 1) * self.lanes
    }

    /// Elements of so many transformed channels.
    fn room(&self, channels: usize) -> usize {
        POINTS * ((channels * self.most) | 1) * self.lanes
    }

    /// Transforms the images of a block: all points of each channel and tile.
    ///
    /// # Safety
    /// The processor has the instructions; `x` is the first channel's of the first image, with the elements from an image to
    /// the next and the number of images; there is room for the rectangle and the result.
    #[inline(always)]
    unsafe fn images<S: Simd>(
        &self,
        block: &Block,
        channels: usize,
        (x, apart, count): (*const f32, usize, usize),
        rectangle: *mut f32,
        to: *mut f32,
    ) {
        let [rows, row] = block.tiles.map(|n| n * TILE + WINDOW - 1);
        let point = self.apart(channels, block);
        // SAFETY: the caller's promise.
        unsafe {
            rectangle.write_bytes(0, rows * row * S::LANES);
            for channel in 0..channels {
                let x = x.add(channel * self.area);
                let next = x.wrapping_add(self.area + block.reads.first().map_or(0, Piece::first));
                side_by_side::<S>(&block.reads, (x, apart, count), next, rectangle);
                let to = to.add(channel * block.count() * S::LANES);
                for (first, t) in block.each(row) {
                    let from = (rectangle.add(first * S::LANES).cast_const(), row * S::LANES, S::LANES);
                    both::<S, Image, REACH, REACH, false>(from, (to.add(t * S::LANES), REACH * point, point));
                }
            }
        }
    }

    /// The same for gradients of results.
    ///
    /// # Safety
    /// As for [`Cut::images`].
    #[inline(always)]
    unsafe fn gradients<S: Simd>(
        &self,
        block: &Block,
        channels: usize,
        (dy, apart, count): (*const f32, usize, usize),
        rectangle: *mut f32,
        (to, point): (*mut f32, usize),
    ) {
        let row = block.tiles[1] * TILE;
        // SAFETY: the caller's promise.
        unsafe {
            rectangle.write_bytes(0, block.tiles[0] * TILE * row * S::LANES);
            for channel in 0..channels {
                let dy = dy.add(channel * self.places);
                let next = dy.wrapping_add(self.places + block.writes.first().map_or(0, Piece::first));
                side_by_side::<S>(&block.writes, (dy, apart, count), next, rectangle);
                let to = to.add(channel * block.count() * S::LANES);
                for (first, t) in block.each(row) {
                    let from = (rectangle.add(first * S::LANES).cast_const(), row * S::LANES, S::LANES);
                    both::<S, Gradients, TILE, REACH, false>(from, (to.add(t * S::LANES), REACH * point, point));
                }
            }
        }
    }

    /// Brings the sums of a channel at the points back, and writes its results.
    ///
    /// # Safety
    /// As for [`Cut::images`].
    #[inline(always)]
    unsafe fn results<S: Simd>(
        &self,
        block: &Block,
        (sums, point): (*const f32, usize),
        rectangle: *mut f32,
        y: (*mut f32, usize, usize),
    ) {
        let row = block.tiles[1] * TILE;
        // SAFETY: the caller's promise.
        unsafe {
            for (first, t) in block.each(row) {
                let to = (rectangle.add(first * S::LANES), row * S::LANES, S::LANES);
                both::<S, Results, REACH, TILE, false>((sums.add(t * S::LANES), REACH * point, point), to);
            }
            one_by_one::<S>(&block.writes, rectangle, y);
        }
    }

    /// Brings the sums of a channel at the points of the images back, and writes the elements.
    ///
    /// # Safety
    /// As for [`Cut::images`].
    #[inline(always)]
    unsafe fn elements<S: Simd>(
        &self,
        block: &Block,
        (sums, point): (*const f32, usize),
        rectangle: *mut f32,
        x: (*mut f32, usize, usize),
    ) {
        let [rows, row] = block.tiles.map(|n| n * TILE + WINDOW - 1);
        // SAFETY: the caller's promise.
        unsafe {
            rectangle.write_bytes(0, rows * row * S::LANES);
            for (first, t) in block.each(row) {
                let to = (rectangle.add(first * S::LANES), row * S::LANES, S::LANES);
                let from = (sums.add(t * S::LANES), REACH * point, point);
                both::<S, Elements, REACH, REACH, true>(from, to);
            }
            one_by_one::<S>(&block.reads, rectangle, x);
        }
    }
}

/// True where this takes less time than [`super::direct`] over `out` results with so many channels before and after: by
/// the cycles of a tile, of which transforms have so many for each channel.
fn pays(g: &Geometry, lanes: usize, out: [usize; 2], from: usize, to: usize) -> bool {
    let w = &g.windows;
    let fits = w.size[0] == 1
        && w.kernel == [1, WINDOW, WINDOW]
        && w.stride == [1; 3]
        && w.dilation == [1; 3]
        && w.pad[0] == 0
        && w.pad[1] < WINDOW
        && w.pad[2] < WINDOW
        && g.images >= lanes;
    let tiles = out.iter().map(|n| n.div_ceil(TILE)).product::<usize>();
    let own = 250 * from + 200 * to + (POINTS + 5) * from * to;
    let definition = (TAPS + 2) * from * to * out[0] * out[1];
    let wasted = g.images.next_multiple_of(lanes) * 10 <= g.images * 15;
    fits && wasted && tiles * own < definition
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

/// The convolution, where this is the way to compute it.
pub(crate) fn forward(g: &Geometry, tiles: Tiles, threads: usize) -> Option<Made> {
    let (w, from, to) = (&g.windows, g.own(), g.kinds());
    let [size, out, pad] = [w.size, w.out, w.pad].map(|n| [n[1], n[2]]);
    pays(g, tiles.lanes, out, from, to).then(|| {
        let most = most_tiles(from, tiles.lanes);
        let weight = (from * TAPS, TAPS);
        Convolution::new(g, tiles, (size, out, pad), most, (from, to), weight).made(threads)
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
        return Some(Convolution { adjoint: true, ..way }.made(threads));
    }
    pays(g, tiles.lanes, size, from, to).then(|| {
        let around = pad.map(|n| WINDOW - 1 - n);
        let way = Convolution::new(g, tiles, (out, size, around), most_tiles(from, tiles.lanes), (from, to), weight);
        Convolution { turned: true, ..way }.made(threads)
    })
}

/// Tiles of a block that stay in the second cache.
fn most_tiles(channels: usize, lanes: usize) -> usize {
    (SECOND_CACHE / (POINTS * channels * lanes * 4)).max(VECTORS)
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
        let offset = |b: &Block| (0..from).map(|c| (c * b.count() * tiles.lanes) as u32).collect();
        let offsets = cut.blocks.iter().map(offset).collect();
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

    fn made(self, threads: usize) -> Made {
        let cut = &self.cut;
        let filters = cut.groups * self.blocks() * self.filters();
        let own = cut.rectangle * cut.lanes + cut.room(self.from) + cut.room(BLOCK);
        let items = cut.bundles() * cut.groups * cut.blocks.len();
        // Parts of the filters, where there is less to give out: the same numbers whatever they are.
        let parts = (2 * threads).div_ceil(items).clamp(1, self.blocks());
        let task: Task = Box::new(move |run| {
            run.parallel(self.cut.groups * self.blocks(), |i, _| {
                // SAFETY: the weights have the sizes of the geometry; blocks are packed apart.
                unsafe { self.pack(run, i / self.blocks(), i % self.blocks()) };
            });
            run.parallel(items * parts, |i, thread| {
                let (item, part) = (i / parts, i % parts);
                let blocks = (part * self.blocks() / parts, (part + 1) * self.blocks() / parts);
                let own = run.scratch::<f32>().wrapping_add(filters + thread * own);
                // SAFETY: items and parts write apart; each thread has its own scratch.
                unsafe {
                    match self.cut.lanes == Wide::LANES {
                        true => self.wide(run, item, blocks, own),
                        false => self.narrow(run, item, blocks, own),
                    }
                }
            });
            Ok(())
        });
        (filters + own * threads, task)
    }

    /// Transforms the filters of a block.
    ///
    /// # Safety
    /// The weights and the scratch have the sizes of the convolution.
    unsafe fn pack(&self, run: &Run<'_>, group: usize, block: usize) {
        let rows = BLOCK.min(self.to - block * BLOCK);
        // SAFETY: the caller's promise.
        unsafe {
            let first = group * self.from * self.to * TAPS + block * BLOCK * self.weight.0;
            let weights = run.input::<f32>(1).add(first);
            let to = run.scratch::<f32>().add((group * self.blocks() + block) * self.filters());
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
    unsafe fn wide(&self, run: &Run<'_>, item: usize, blocks: (usize, usize), own: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { self.item::<Wide>(run, item, blocks, own) }
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn narrow(&self, run: &Run<'_>, item: usize, blocks: (usize, usize), own: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { self.item::<Narrow>(run, item, blocks, own) }
    }

    /// Computes some blocks of filters for a block of tiles of some images.
    ///
    /// # Safety
    /// The processor has the instructions; operands have the sizes of the convolution, and `own` is a thread's scratch.
    #[inline(always)]
    unsafe fn item<S: Simd>(&self, run: &Run<'_>, item: usize, blocks: (usize, usize), own: *mut f32) {
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
            if self.adjoint {
                cut.gradients::<S>(block, self.from, (x, from, count), own, (transformed, point));
            } else {
                cut.images::<S>(block, self.from, (x, from, count), own, transformed);
            }
            for filters in blocks.0..blocks.1 {
                let rows = BLOCK.min(self.to - filters * BLOCK);
                let a = run.scratch::<f32>().add((group * self.blocks() + filters) * self.filters());
                for i in 0..POINTS {
                    let (a, x) = (a.add(i * self.from * BLOCK).cast_const(), transformed.add(i * point).cast_const());
                    for places in block.places.chunks(VECTORS) {
                        let c = (sums.add(i * sums_apart), row);
                        slide(
                            cut.lanes == Wide::LANES,
                            rows,
                            &Slide { a, x, offsets: &self.offsets[number], places, c },
                        );
                    }
                }
                for r in 0..rows {
                    let (y, sums) = (y.add((filters * BLOCK + r) * after), sums.add(r * row).cast_const());
                    if self.adjoint {
                        cut.elements::<S>(block, (sums, sums_apart), own, (y, to, count));
                    } else {
                        cut.results::<S>(block, (sums, sums_apart), own, (y, to, count));
                    }
                }
            }
        }
    }
}

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
        let most = (2 * SECOND_CACHE / (POINTS * (own + kinds) * lanes * 4)).clamp(VECTORS, SUMMED);
        let cut = Cut::new(g, lanes, (size, out, pad), most);
        let at_once = SUMMED.div_ceil(cut.most).min(cut.bundles().div_ceil(4));
        let offset = |b: &Block| (0..own).map(|c| (c * b.count() * lanes) as u32).collect();
        let offsets = cut.blocks.iter().map(offset).collect();
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
        let parts = PARTS.min((PART_BYTES / (sums * 4)).max(1)).min(turns);
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
        (parts * sums + room * threads, task)
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
                        cut.images::<S>(block, self.own, (from, x_image, count), own, x.add(i * bundle_room));
                        let from = run.input::<f32>(1).add(first * dy_image + group * filters * cut.places);
                        let to = (dy.add(i * bundle_room), point_dy);
                        cut.gradients::<S>(block, filters, (from, dy_image, count), own, to);
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
