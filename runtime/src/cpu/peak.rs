//! What this machine can do at most, measured: multiplications and additions of f32 a second, and bytes copied a second.
//!
//! The share of these that a kernel reaches is what `tfm profile` shows.

use super::isa::Path;
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;

/// Rounds, of which the best counts: other programs take time from some.
const ROUNDS: usize = 12;
/// Bytes that a thread copies from and to: more than the caches have for it.
const COPIED: usize = 64 << 20;

/// Floating-point operations per second of so many threads with the instructions that kernels are given; a product and
/// its sum are two.
pub fn flops(threads: usize) -> f64 {
    let path = Path::chosen();
    best(threads, || (), move |()| multiply(path, 20_000))
}

/// Bytes per second that so many threads copy between places too large for the caches, read and written ones counted.
pub fn copied_bytes(threads: usize) -> f64 {
    let memory = || (vec![1u8; COPIED], vec![0u8; COPIED]);
    best(threads, memory, |(from, to)| {
        to.copy_from_slice(black_box(from));
        black_box(&to);
        2.0 * COPIED as f64
    })
}

/// The most that all threads together did in a second, over the rounds; each is given memory of its own.
fn best<M>(threads: usize, memory: impl Fn() -> M + Sync, work: impl Fn(&mut M) -> f64 + Sync) -> f64 {
    let threads = threads.max(1);
    let barrier = Barrier::new(threads);
    let one = || {
        let mut own = memory();
        let round = |own: &mut M| {
            barrier.wait();
            let start = Instant::now();
            let done = work(own);
            // All others have begun at the same time: what is waited for them belongs to the round.
            barrier.wait();
            done / start.elapsed().as_secs_f64()
        };
        (0..ROUNDS).map(|_| round(&mut own)).collect::<Vec<f64>>()
    };
    let rates: Vec<Vec<f64>> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        started.into_iter().map(|t| t.join().unwrap_or_default()).collect()
    });
    let total = |round: usize| rates.iter().filter_map(|r| r.get(round)).sum::<f64>();
    (0..ROUNDS).map(total).fold(0.0, f64::max)
}

/// Vectors that are computed side by side: enough to hide how long one takes.
const CHAINS: usize = 12;

/// Does so many turns, and gives the number of operations.
fn multiply(path: Path, turns: usize) -> f64 {
    #[cfg(target_arch = "x86_64")]
    {
        use super::gemm::simd::{Narrow, Simd, Wide};
        #[inline(always)]
        unsafe fn chains<S: Simd>(turns: usize) -> f32 {
            let (a, b) = (black_box(0.999f32), black_box(1e-9f32));
            // SAFETY: the caller has the instructions.
            unsafe {
                let (a, b) = (S::splat(&a), S::splat(&b));
                let mut sums = [a; CHAINS];
                for _ in 0..turns {
                    for sum in &mut sums {
                        *sum = S::fma(*sum, a, b);
                    }
                }
                sums.into_iter().map(|v| S::total(v)).sum()
            }
        }
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn wide(turns: usize) -> f32 {
            // SAFETY: the caller's promise.
            unsafe { chains::<Wide>(turns) }
        }
        #[target_feature(enable = "avx2,fma")]
        unsafe fn narrow(turns: usize) -> f32 {
            // SAFETY: the caller's promise.
            unsafe { chains::<Narrow>(turns) }
        }
        // SAFETY: a path is only chosen where the processor has it.
        let lanes = unsafe {
            match path {
                Path::Avx512 => (black_box(wide(turns)), 16).1,
                Path::Avx2 => (black_box(narrow(turns)), 8).1,
                Path::Portable => 0,
            }
        };
        if lanes > 0 {
            return (turns * CHAINS * lanes * 2) as f64;
        }
    }
    let _ = path;
    let (a, b) = (black_box(0.999f32), black_box(1e-9f32));
    let mut sums = [[a; 4]; CHAINS];
    for _ in 0..turns {
        for sum in sums.as_flattened_mut() {
            *sum = *sum * a + b;
        }
    }
    black_box(sums);
    (turns * CHAINS * 4 * 2) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_does_something() {
        // Slower than any machine that runs this, and faster than any.
        assert!((1e8..1e14).contains(&flops(1)), "{}", flops(1));
        assert!((1e8..1e13).contains(&copied_bytes(1)), "{}", copied_bytes(1));
    }
}
