//! Digits drawn by a generator: a glyph's strokes, moved and bent a little, drawn with a soft pen.
//!
//! An image is a function of (seed, part, number) alone.

mod glyphs;
mod pen;

use super::error::DataError;
use super::open::{Opened, Opening};
use super::random::{Permutation, Random, key};
use crate::tensor::Tensor;
use glyphs::{GLYPHS, Stroke};
use pen::{Canvas, SIZE};
use tfm_lang::check::sources::int;
use tfm_lang::types::DType;

/// The images of the declaration.
pub(super) fn open(o: &Opening) -> Result<Opened, DataError> {
    let seed = int(&o.args, "seed") as u64;
    let parts = ["train", "test"].into_iter().zip(0u64..).map(|(name, part)| {
        let n = int(&o.args, name) as usize;
        let mut images = Tensor::zeros(DType::U8, &[n, 1, SIZE, SIZE]);
        let mut labels = Vec::with_capacity(n);
        for (i, image) in images.bytes_mut().chunks_exact_mut(SIZE * SIZE).enumerate() {
            let digit = digit(seed, part, i);
            draw(digit, key(&[seed, part, i as u64]), image);
            labels.push(digit as i32);
        }
        (name.to_string(), vec![("image".into(), images), ("label".into(), Tensor::of(&[n], &labels))])
    });
    o.arranged(parts.collect())
}

/// Each run of ten images has every digit once.
fn digit(seed: u64, part: u64, i: usize) -> usize {
    Permutation::new(10, key(&[seed, part, (i / 10) as u64, 10])).at(i % 10)
}

/// Draws one digit, 0 for paper and 255 for ink, row by row.
fn draw(digit: usize, key: u64, image: &mut [u8]) {
    let mut r = Random::new(key);
    let variants = GLYPHS[digit];
    let strokes = variants[r.below(variants.len())];
    let hand = Hand::new(&mut r);
    let mut canvas = Canvas::new();
    for stroke in strokes {
        let points: Vec<(f32, f32)> = stroke
            .points
            .iter()
            .map(|&(x, y)| hand.place(x + r.normal() * hand.wobble, y + r.normal() * hand.wobble))
            .collect();
        trace(stroke, &points, &mut canvas);
    }
    canvas.ink(&mut r, image);
}

/// Draws a stroke through its points: straight, or as a Catmull-Rom spline.
fn trace(stroke: &Stroke, points: &[(f32, f32)], canvas: &mut Canvas) {
    const STEPS: usize = 5;
    for (i, pair) in points.windows(2).enumerate() {
        let (b, c) = (pair[0], pair[1]);
        if !stroke.smooth {
            canvas.line(b, c);
            continue;
        }
        let a = if i > 0 { points[i - 1] } else { b };
        let d = points.get(i + 2).copied().unwrap_or(c);
        let mut from = b;
        for step in 1..=STEPS {
            let t = step as f32 / STEPS as f32;
            let to = (spline(a.0, b.0, c.0, d.0, t), spline(a.1, b.1, c.1, d.1, t));
            canvas.line(from, to);
            from = to;
        }
    }
}

/// Catmull-Rom between `b` and `c`.
fn spline(a: f32, b: f32, c: f32, d: f32, t: f32) -> f32 {
    let (linear, square, cube) = (c - a, 2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a);
    b + 0.5 * t * (linear + t * (square + t * cube))
}

/// How one image is held and written: from the unit square of a glyph to pixels.
struct Hand {
    across: (f32, f32),
    down: (f32, f32),
    at: (f32, f32),
    /// A slow bend: how far, how often over the height, from where.
    bend: (f32, f32, f32),
    wobble: f32,
}

impl Hand {
    fn new(r: &mut Random) -> Hand {
        let (wide, high) = (r.between(14.0, 23.0), r.between(16.0, 23.0));
        let turn = (r.normal() * 0.17).clamp(-0.4, 0.4);
        let slant = (r.normal() * 0.22).clamp(-0.5, 0.5);
        let (sin, cos) = turn.sin_cos();
        let middle = (SIZE as f32 - 1.0) / 2.0;
        Hand {
            across: (wide * cos, wide * sin),
            down: (-high * (sin + slant * cos), high * (cos - slant * sin)),
            at: (middle + r.between(-2.2, 2.2), middle + r.between(-2.2, 2.2)),
            bend: (r.normal() * 0.045, r.between(2.0, 6.0), r.between(0.0, 6.3)),
            wobble: r.between(0.012, 0.042),
        }
    }

    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        let (size, often, start) = self.bend;
        let (x, y) = (x - 0.5 + size * (y * often + start).sin(), y - 0.5);
        (self.at.0 + x * self.across.0 + y * self.down.0, self.at.1 + x * self.across.1 + y * self.down.1)
    }
}

#[cfg(test)]
mod tests;
