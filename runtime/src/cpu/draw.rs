//! `random_uniform` and `random_normal`.

use super::isa::versions;
use super::kernels::{Call, Task, unsupported};
use super::math::{Real, turn};
use crate::random::{Draw, uniform_f32, uniform_f64};
use tfm_lang::types::DType;

/// Words made at once, on the stack.
const BLOCK: usize = 256;
/// Elements of a chunk; a multiple of [`BLOCK`].
const CHUNK: usize = 1 << 15;

pub(crate) fn prepare_uniform(call: &Call<'_>) -> Result<Task, String> {
    prepare(call, false)
}

pub(crate) fn prepare_normal(call: &Call<'_>) -> Result<Task, String> {
    prepare(call, true)
}

fn prepare(call: &Call<'_>, normal: bool) -> Result<Task, String> {
    let ([], [out]) = call.operands()?;
    let (n, dtype, key) = (out.size(), out.dtype, call.int_or("key", 0)? as u64);
    if !matches!(dtype, DType::F32 | DType::F64) {
        return Err(unsupported(dtype));
    }
    Ok(Box::new(move |run| {
        let draw = Draw::new(run.context.seed, key, run.context.step);
        run.pieces(n, CHUNK, |from, to| {
            // SAFETY: the output has n elements of the dtype, and pieces are apart.
            unsafe {
                match dtype {
                    DType::F32 => {
                        let y = std::slice::from_raw_parts_mut(run.output::<f32>(0).add(from), to - from);
                        draw_f32(run.path, draw, from as u64, y, normal);
                    }
                    _ => {
                        let y = std::slice::from_raw_parts_mut(run.output::<f64>(0).add(from), to - from);
                        draw_f64(run.path, draw, from as u64, y, normal);
                    }
                }
            }
        });
        Ok(())
    }))
}

versions! {
    /// Elements of f32 from number `from` on, a multiple of 4.
    unsafe fn draw_f32[](draw: Draw, from: u64, y: &mut [f32], normal: bool) {
        let mut words = [0; BLOCK];
        let mut at = from;
        for part in y.chunks_mut(BLOCK) {
            draw.words(at, &mut words[..part.len().next_multiple_of(4)]);
            at += BLOCK as u64;
            let mut fresh = [0.0f32; BLOCK];
            if normal {
                // Box and Muller: a pair of words gives a pair of numbers.
                for i in 0..BLOCK / 2 {
                    let radius = (-2.0 * Real::log(1.0 - uniform_f32(words[2 * i]))).sqrt();
                    let (cos, sin) = turn(uniform_f32(words[2 * i + 1]));
                    fresh[2 * i] = radius * cos;
                    fresh[2 * i + 1] = radius * sin;
                }
            } else {
                for i in 0..BLOCK {
                    fresh[i] = uniform_f32(words[i]);
                }
            }
            part.copy_from_slice(&fresh[..part.len()]);
        }
    }
}

versions! {
    /// Elements of f64 from number `from` on, a multiple of 2; each takes two words.
    unsafe fn draw_f64[](draw: Draw, from: u64, y: &mut [f64], normal: bool) {
        let mut words = [0; BLOCK];
        let mut at = 2 * from;
        for part in y.chunks_mut(BLOCK / 2) {
            draw.words(at, &mut words[..(2 * part.len()).next_multiple_of(4)]);
            at += BLOCK as u64;
            for (i, pair) in part.chunks_mut(2).enumerate() {
                let u = [uniform_f64(words[4 * i], words[4 * i + 1]), uniform_f64(words[4 * i + 2], words[4 * i + 3])];
                let made = if normal {
                    let radius = (-2.0 * (1.0 - u[0]).ln()).sqrt();
                    let (sin, cos) = (u[1] * std::f64::consts::TAU).sin_cos();
                    [radius * cos, radius * sin]
                } else {
                    u
                };
                pair.copy_from_slice(&made[..pair.len()]);
            }
        }
    }
}
