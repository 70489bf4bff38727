//! Images cut into blocks of tiles, and what a block goes through before and after it is multiplied.

use super::lanes::{Piece, one_by_one, pieces, side_by_side};
use super::transform::{Elements, Gradients, Image, POINTS, REACH, Results, TILE, WINDOW, both};
use crate::cpu::conv::Geometry;
use crate::cpu::gemm::simd::Simd;
use crate::cpu::gemm::sliding::Place;

/// Some tiles next to each other.
pub(super) struct Block {
    /// Rows and columns of tiles.
    pub tiles: [usize; 2],
    /// What they read of an image, and what they are of a result.
    pub reads: Vec<Piece>,
    pub writes: Vec<Piece>,
    /// The tiles in a channel.
    pub places: Vec<Place>,
}

impl Block {
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// The first vector of each tile in rows of so many vectors, and its number.
    pub fn each(&self, row: usize) -> impl Iterator<Item = (usize, usize)> {
        let columns = self.tiles[1];
        (0..self.count()).map(move |t| (t / columns * TILE * row + t % columns * TILE, t))
    }
}

/// Images of one size, cut into blocks of tiles of the results.
pub(super) struct Cut {
    pub lanes: usize,
    pub images: usize,
    pub groups: usize,
    /// Elements of a channel of the image, and of the result.
    pub area: usize,
    pub places: usize,
    pub blocks: Vec<Block>,
    /// Tiles of a block, and vectors of the rectangle that they read, at most.
    pub most: usize,
    pub rectangle: usize,
}

impl Cut {
    pub fn new(g: &Geometry, lanes: usize, (size, out, pad): ([usize; 2], [usize; 2], [usize; 2]), most: usize) -> Cut {
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
    pub fn bundles(&self) -> usize {
        self.images.div_ceil(self.lanes)
    }

    /// The first image of a bundle, and how many it has.
    pub fn bundle(&self, i: usize) -> (usize, usize) {
        (i * self.lanes, self.lanes.min(self.images - i * self.lanes))
    }

    /// Elements from a point to the next of so many transformed channels. An odd number of vectors: points would share
    /// the same few lines of the first cache.
    pub fn apart(&self, channels: usize, block: &Block) -> usize {
        ((channels * block.count()) | 1) * self.lanes
    }

    /// Elements of so many transformed channels.
    pub fn room(&self, channels: usize) -> usize {
        POINTS * ((channels * self.most) | 1) * self.lanes
    }

    /// Transforms the images of a block: all points of each channel and tile.
    ///
    /// # Safety
    /// The processor has the instructions; `x` is the first channel's of the first image, with the elements from an image to
    /// the next and the number of images; there is room for the rectangle and the result.
    #[inline(always)]
    pub unsafe fn images<S: Simd>(
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
    pub unsafe fn gradients<S: Simd>(
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
    pub unsafe fn results<S: Simd>(
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
    pub unsafe fn elements<S: Simd>(
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
