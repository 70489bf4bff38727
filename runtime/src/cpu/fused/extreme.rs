//! Maxima and minima of rows of f32, a vector at a time: a compiler makes no vectors of a comparison that keeps NaN.
//!
//! Elements go into the same lanes as in [`super::super::reduce`], and lanes are put together in the same order.

use crate::cpu::gemm::simd::{Narrow, Simd, Wide};
use crate::cpu::isa::Path;
use crate::cpu::reduce::{Fold, LANES, Lanes, Max, Min};

/// The larger or the smaller of two.
pub(super) trait Extreme: Fold<f32, Acc = f32> {
    /// As [`Fold::step`], of vectors.
    ///
    /// # Safety
    /// As for [`Simd`].
    unsafe fn of<S: Simd>(best: S::V, x: S::V) -> S::V;
}

impl Extreme for Max {
    #[inline(always)]
    unsafe fn of<S: Simd>(best: S::V, x: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::larger(best, x) }
    }
}

impl Extreme for Min {
    #[inline(always)]
    unsafe fn of<S: Simd>(best: S::V, x: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::smaller(best, x) }
    }
}

/// Vectors that the lanes of a row are, at most.
const VECTORS: usize = 2;

/// Rows whose lanes are put together one row after the other: of more, turning them takes less.
const FEW: usize = 3;

/// Puts the elements of a row into vectors, as far as they are whole groups; gives how many those were.
///
/// # Safety
/// The processor has the instructions, and there are `n` elements.
#[inline(always)]
unsafe fn groups<S: Simd, E: Extreme>(best: &mut [S::V; VECTORS], from: *const f32, n: usize) -> usize {
    let whole = n / LANES * LANES;
    let mut lanes = *best;
    for i in (0..whole).step_by(LANES) {
        for (v, lanes) in lanes.iter_mut().enumerate().take(LANES / S::LANES) {
            // SAFETY: the caller's promise.
            *lanes = unsafe { E::of::<S>(*lanes, S::load(from.add(i + v * S::LANES))) };
        }
    }
    *best = lanes;
    whole
}

/// Goes on with a row.
///
/// # Safety
/// As for [`groups`].
#[inline(always)]
unsafe fn take<S: Simd, E: Extreme>(state: *mut Lanes<f32>, from: *const f32, n: usize) {
    // SAFETY: the caller's promise; there are as many lanes as the vectors have elements.
    unsafe {
        let (lanes, tail) = (*state).parts();
        let mut best = [S::zero(); VECTORS];
        for (best, lanes) in best.iter_mut().zip(lanes.chunks_exact(S::LANES)) {
            *best = S::load(lanes.as_ptr());
        }
        let whole = groups::<S, E>(&mut best, from, n);
        for (best, lanes) in best.iter().zip(lanes.chunks_exact_mut(S::LANES)) {
            S::store(lanes.as_mut_ptr(), *best);
        }
        *tail = (whole..n).fold(*tail, |best, i| E::step(best, *from.add(i)));
    }
}

/// The elements of a row, in one vector, and those behind the whole groups.
///
/// # Safety
/// As for [`groups`].
#[inline(always)]
unsafe fn row<S: Simd, E: Extreme>(from: *const f32, n: usize) -> (S::V, f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut best = [S::splat(&E::START); VECTORS];
        let whole = groups::<S, E>(&mut best, from, n);
        let lanes = if LANES == S::LANES { best[0] } else { E::of::<S>(best[0], best[1]) };
        (lanes, (whole..n).fold(E::START, |best, i| E::step(best, *from.add(i))))
    }
}

/// Whole rows: a few by themselves, else as many at once as a vector has elements, whose lanes are turned so that each vector
/// has one lane of all.
///
/// # Safety
/// As for [`groups`], for each row; there is room for a result of each.
#[inline(always)]
unsafe fn rows<S: Simd, E: Extreme>(from: *const f32, count: usize, n: usize, to: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        if count <= FEW {
            for at in 0..count {
                let (mut best, tail) = row::<S, E>(from.add(at * n), n);
                let mut width = S::LANES / 2;
                while width > 0 {
                    best = E::of::<S>(best, S::further(best, width));
                    width /= 2;
                }
                S::store_some(to.add(at), S::mask(1), E::of::<S>(best, S::splat(&tail)));
            }
            return;
        }
        for first in (0..count).step_by(S::LANES) {
            let some = S::LANES.min(count - first);
            let (mut lanes, mut tails) = ([S::splat(&E::START); LANES], [E::START; LANES]);
            for at in 0..some {
                (lanes[at], tails[at]) = row::<S, E>(from.add((first + at) * n), n);
            }
            S::turn(lanes.as_mut_ptr());
            let mut width = S::LANES / 2;
            while width > 0 {
                for lane in 0..width {
                    lanes[lane] = E::of::<S>(lanes[lane], lanes[lane + width]);
                }
                width /= 2;
            }
            let best = E::of::<S>(lanes[0], S::load(tails.as_ptr()));
            S::store_some(to.add(first), S::mask(some), best);
        }
    }
}

/// Compiles both functions for a set of instructions.
macro_rules! for_instructions {
    ($features:literal, $simd:ident, $take:ident, $rows:ident) => {
        #[target_feature(enable = $features)]
        unsafe fn $take<E: Extreme>(state: *mut Lanes<f32>, from: *const f32, n: usize) {
            // SAFETY: the caller's promise.
            unsafe { take::<$simd, E>(state, from, n) }
        }

        #[target_feature(enable = $features)]
        unsafe fn $rows<E: Extreme>(from: *const f32, count: usize, n: usize, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { rows::<$simd, E>(from, count, n, to) }
        }
    };
}
for_instructions!("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl", Wide, take_wide, rows_wide);
for_instructions!("avx2,fma", Narrow, take_narrow, rows_narrow);

/// As [`super::fold::Folder::take`]; false where the path has no vectors for it.
///
/// # Safety
/// As there.
#[inline]
pub(super) unsafe fn took<E: Extreme>(path: Path, state: *mut Lanes<f32>, from: *const f32, n: usize) -> bool {
    // SAFETY: the caller's promise; a path is only chosen where the processor has it.
    unsafe {
        match path {
            Path::Avx512 => take_wide::<E>(state, from, n),
            Path::Avx2 => take_narrow::<E>(state, from, n),
            Path::Portable => return false,
        }
    }
    true
}

/// As [`super::fold::Folder::rows`]; false where the path has no vectors for it.
///
/// # Safety
/// As there.
#[inline]
pub(super) unsafe fn folded<E: Extreme>(path: Path, from: *const f32, rows: usize, n: usize, to: *mut f32) -> bool {
    // SAFETY: the caller's promise; a path is only chosen where the processor has it.
    unsafe {
        match path {
            Path::Avx512 => rows_wide::<E>(from, rows, n, to),
            Path::Avx2 => rows_narrow::<E>(from, rows, n, to),
            Path::Portable => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::fold::{Folder, STATE, folder};
    use super::*;
    use tfm_lang::types::DType;

    /// The maxima of rows: at once, and of each row in two pieces.
    fn found(f: &Folder, path: Path, x: &[f32], n: usize) -> [Vec<u32>; 2] {
        let rows = x.len() / n;
        let (mut whole, mut pieces) = (vec![0f32; rows], vec![0f32; rows]);
        let cut = n / 2 / LANES * LANES;
        // SAFETY: there are so many rows, and room for their results and the state of one.
        unsafe {
            (f.rows)(path, x.as_ptr().cast(), rows, n, whole.as_mut_ptr().cast());
            for (row, to) in x.chunks_exact(n).zip(&mut pieces) {
                let mut state = [0u64; STATE / 8];
                let state = state.as_mut_ptr().cast();
                (f.start)(state);
                (f.take)(path, state, row.as_ptr().cast(), cut);
                (f.take)(path, state, row[cut..].as_ptr().cast(), n - cut);
                (f.finish)(state, (to as *mut f32).cast());
            }
        }
        [whole, pieces].map(|all| all.into_iter().map(f32::to_bits).collect())
    }

    /// Vectors and the loops of every processor give the same bits: with NaN, zeros of both signs, and nothing else.
    #[test]
    fn rows_have_the_bits_of_the_loops() {
        let special = [f32::NAN, -0.0, 0.0, f32::NEG_INFINITY, f32::INFINITY];
        for (name, n) in ["max", "min"].into_iter().flat_map(|op| [1, 7, 16, 17, 31, 64, 75, 128].map(|n| (op, n))) {
            for (rows, every) in [(1, 3), (2, 9), (3, 1), (5, 1000), (16, 40), (21, 2), (8, 1), (37, 171)] {
                let number = |i: usize| match (i * 7919) % every {
                    0 => special[i * 31 % 97 % special.len()],
                    _ => ((i * 7919) % 513) as f32 - 256.0,
                };
                let x: Vec<f32> = (0..rows * n).map(number).collect();
                let f = folder(name, DType::F32).unwrap();
                let want = found(&f, Path::Portable, &x, n);
                for path in [Path::Avx2, Path::Avx512].into_iter().filter(|path| *path <= Path::best()) {
                    assert_eq!(found(&f, path, &x, n), want, "{name} of {rows} rows of {n}, {path:?}");
                }
            }
        }
    }
}
