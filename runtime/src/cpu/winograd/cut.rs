//! Images cut into blocks of tiles, and what a block goes through before and after it is multiplied.

use super::lanes::{Piece, one_by_one, pieces, side_by_side};
use super::transform::{Elements, Gradients, Image, POINTS, REACH, Results, TILE, Transform, WINDOW, both};
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

    /// Offsets of so many channels in a transformed block, for each of the blocks.
    pub fn offsets(&self, channels: usize) -> Vec<Vec<u32>> {
        let offset = |b: &Block| (0..channels).map(|c| (c * b.count() * self.lanes) as u32).collect();
        self.blocks.iter().map(offset).collect()
    }

    /// Transforms the images of a block: all points of each channel and tile.
    ///
    /// # Safety
    /// As for [`to_points`].
    #[inline(always)]
    pub unsafe fn images<S: Simd>(&self, block: &Block, x: Channels, rectangle: *mut f32, to: Points<*mut f32>) {
        let sizes = block.tiles.map(|n| n * TILE + WINDOW - 1);
        // SAFETY: the caller's promise.
        unsafe { to_points::<S, Image, REACH>(block, (&block.reads, self.area, sizes), x, rectangle, to) }
    }

    /// The same for gradients of results.
    ///
    /// # Safety
    /// As for [`to_points`].
    #[inline(always)]
    pub unsafe fn gradients<S: Simd>(&self, block: &Block, dy: Channels, rectangle: *mut f32, to: Points<*mut f32>) {
        let sizes = block.tiles.map(|n| n * TILE);
        // SAFETY: the caller's promise.
        unsafe { to_points::<S, Gradients, TILE>(block, (&block.writes, self.places, sizes), dy, rectangle, to) }
    }
}

/// The first element of the first channel of the first image, elements from image to image, images, and channels.
pub(super) type Channels = (*const f32, usize, usize, usize);

/// The first vector of transformed tiles, elements from point to point, and from tile to tile. The tiles of a channel are
/// followed by those of the next.
pub(super) type Points<P> = (P, usize, usize);

/// Brings each channel into a rectangle of so many rows and columns of vectors, and its tiles to the points.
///
/// # Safety
/// The processor has the instructions; the channels have the elements of the pieces, and there is room for the rectangle and
/// the points.
#[inline(always)]
unsafe fn to_points<S: Simd, T: Transform<N, REACH>, const N: usize>(
    block: &Block,
    (pieces, area, [rows, row]): (&[Piece], usize, [usize; 2]),
    (x, apart, count, channels): Channels,
    rectangle: *mut f32,
    (to, point, tile): Points<*mut f32>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        rectangle.write_bytes(0, rows * row * S::LANES);
        for channel in 0..channels {
            let x = x.add(channel * area);
            let next = x.wrapping_add(area + pieces.first().map_or(0, Piece::first));
            side_by_side::<S>(pieces, (x, apart, count), next, rectangle);
            let to = to.add(channel * block.count() * tile);
            for (first, t) in block.each(row) {
                let from = (rectangle.add(first * S::LANES).cast_const(), row * S::LANES, S::LANES);
                both::<S, T, N, REACH, false>(from, (to.add(t * tile), REACH * point, point));
            }
        }
    }
}

/// Brings the sums of a channel at the points back, and writes its results.
///
/// # Safety
/// As for [`to_points`], the other way around.
#[inline(always)]
pub(super) unsafe fn results<S: Simd>(
    block: &Block,
    sums: Points<*const f32>,
    rectangle: *mut f32,
    y: (*mut f32, usize, usize),
) {
    // SAFETY: the caller's promise.
    unsafe {
        from_points::<S, Results, TILE, false>(block, sums, (rectangle, block.tiles[1] * TILE));
        one_by_one::<S>(&block.writes, rectangle, y);
    }
}

/// The same for elements of images, which tiles share and are added up.
///
/// # Safety
/// As for [`results`].
#[inline(always)]
pub(super) unsafe fn elements<S: Simd>(
    block: &Block,
    sums: Points<*const f32>,
    rectangle: *mut f32,
    x: (*mut f32, usize, usize),
) {
    let [rows, row] = block.tiles.map(|n| n * TILE + WINDOW - 1);
    // SAFETY: the caller's promise.
    unsafe {
        rectangle.write_bytes(0, rows * row * S::LANES);
        from_points::<S, Elements, REACH, true>(block, sums, (rectangle, row));
        one_by_one::<S>(&block.reads, rectangle, x);
    }
}

/// Brings the tiles of a channel from the points into a rectangle with so many vectors in a row.
///
/// # Safety
/// As for [`results`].
#[inline(always)]
unsafe fn from_points<S: Simd, T: Transform<REACH, M>, const M: usize, const ADD: bool>(
    block: &Block,
    (sums, point, tile): Points<*const f32>,
    (rectangle, row): (*mut f32, usize),
) {
    for (first, t) in block.each(row) {
        // SAFETY: the caller's promise.
        unsafe {
            let to = (rectangle.add(first * S::LANES), row * S::LANES, S::LANES);
            both::<S, T, REACH, M, ADD>((sums.add(t * tile), REACH * point, point), to);
        }
    }
}
