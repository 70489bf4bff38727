//! Images side by side: a vector holds the same element of as many images as it has lanes. In this layout windows,
//! tiles and padding need no shuffles, however narrow the images are. For [`super::few`] what is called an image here is a
//! channel of one.

use crate::cpu::gemm::simd::Simd;
use crate::cpu::isa::soon;
use std::mem::MaybeUninit;

/// Lanes of a vector, at most.
const MOST: usize = 16;

/// Some neighbouring elements of a channel, and the vectors they are in.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// The first element.
    from: u32,
    /// A number for each element, as many as there are; at most 16.
    vectors: Vec<u32>,
}

impl Piece {
    /// The first element.
    pub fn first(&self) -> usize {
        self.from as usize
    }
}

/// A channel of several images: the first element of the first, elements from image to image, and how many there are.
pub(super) type Channel<P> = (P, usize, usize);

/// The pieces of the part of a channel that lies in a rectangle with its first corner at `corner`: the vectors are
/// numbered row by row through the rectangle.
pub(super) fn pieces(size: [usize; 2], corner: [isize; 2], extent: [usize; 2], lanes: usize) -> Vec<Piece> {
    let span = |a: usize| {
        let first = corner[a].max(0);
        (first, (corner[a] + extent[a] as isize).min(size[a] as isize).max(first))
    };
    let ((top, bottom), (left, right)) = (span(0), span(1));
    let mut pieces: Vec<Piece> = Vec::new();
    for (row, column) in (top..bottom).flat_map(|r| (left..right).map(move |c| (r, c))) {
        let from = row as usize * size[1] + column as usize;
        let vector = ((row - corner[0]) as usize * extent[1] + (column - corner[1]) as usize) as u32;
        match pieces.last_mut().filter(|p| p.vectors.len() < lanes && p.from as usize + p.vectors.len() == from) {
            Some(piece) => piece.vectors.push(vector),
            None => pieces.push(Piece { from: from as u32, vectors: vec![vector] }),
        }
    }
    pieces
}

/// Brings a channel into lanes; those without an image are 0. Vectors outside the pieces are left as they are. What is
/// read next is already asked for: the lines of 16 images are too far apart for the processor to expect them.
///
/// # Safety
/// The processor has the instructions; the channel has the elements of the pieces, and `to` room for their vectors.
#[inline(always)]
pub(super) unsafe fn side_by_side<S: Simd>(pieces: &[Piece], x: Channel<*const f32>, next: *const f32, to: *mut f32) {
    let (x, apart, images) = x;
    for (i, piece) in pieces.iter().enumerate() {
        let (from, count) = (x.wrapping_add(piece.from as usize), piece.vectors.len());
        let then = pieces.get(i + 1).map_or(next, |p| x.wrapping_add(p.from as usize));
        let mut v = [MaybeUninit::<S::V>::uninit(); MOST];
        // SAFETY: the caller's promise; all vectors up to the number of lanes are written. Asking for a line is harmless.
        unsafe {
            if (count, images) == (S::LANES, S::LANES) {
                for lane in 0..S::LANES {
                    v[lane].write(S::load(from.add(lane * apart)));
                    soon(then.wrapping_add(lane * apart));
                }
            } else {
                let some = S::mask(count);
                for lane in 0..S::LANES {
                    let there = lane < images;
                    v[lane].write(if there { S::load_some(from.add(lane * apart), some) } else { S::zero() });
                }
            }
            S::turn(v.as_mut_ptr().cast());
            if count == S::LANES {
                let vectors = piece.vectors.as_ptr();
                for lane in 0..S::LANES {
                    S::store(to.add(*vectors.add(lane) as usize * S::LANES), v[lane].assume_init());
                }
            } else {
                for (lane, vector) in piece.vectors.iter().enumerate() {
                    S::store(to.add(*vector as usize * S::LANES), v[lane].assume_init());
                }
            }
        }
    }
}

/// Brings lanes back into a channel, those of them that have an image.
///
/// # Safety
/// As for [`side_by_side`], the other way around.
#[inline(always)]
pub(super) unsafe fn one_by_one<S: Simd>(pieces: &[Piece], from: *const f32, y: Channel<*mut f32>) {
    let (y, apart, images) = y;
    for piece in pieces {
        let (to, count) = (y.wrapping_add(piece.from as usize), piece.vectors.len());
        let mut v = [MaybeUninit::<S::V>::uninit(); MOST];
        // SAFETY: the caller's promise; all vectors up to the number of lanes are written.
        unsafe {
            if count == S::LANES {
                let vectors = piece.vectors.as_ptr();
                for lane in 0..S::LANES {
                    v[lane].write(S::load(from.add(*vectors.add(lane) as usize * S::LANES)));
                }
            } else {
                for lane in 0..S::LANES {
                    let vector = piece.vectors.get(lane).map_or(0, |v| *v as usize);
                    v[lane].write(S::load(from.add(vector * S::LANES)));
                }
            }
            S::turn(v.as_mut_ptr().cast());
            if (count, images) == (S::LANES, S::LANES) {
                for lane in 0..S::LANES {
                    S::store(to.add(lane * apart), v[lane].assume_init());
                }
            } else {
                let some = S::mask(count);
                for lane in 0..S::LANES.min(images) {
                    S::store_some(to.add(lane * apart), some, v[lane].assume_init());
                }
            }
        }
    }
}
