//! Colour images of one shape each, with the pixels of the shape: a distance to its edge, softened over a pixel.
//!
//! An image is a function of (seed, part, number) alone.

use super::error::DataError;
use super::open::{Opened, Opening};
use super::random::{Permutation, Random, key};
use crate::tensor::Tensor;
use std::f32::consts::{PI, TAU};
use tfm_lang::check::sources::int;
use tfm_lang::types::DType;

/// Circle, square, triangle, cross, ring, star.
const CLASSES: usize = 6;

/// Numbers of all images together, at most.
const MOST: u128 = 1 << 34;

/// The images of the declaration.
pub(super) fn open(o: &Opening) -> Result<Opened, DataError> {
    let (seed, size) = (int(&o.args, "seed") as u64, int(&o.args, "size") as usize);
    let count = |name: &str| int(&o.args, name) as usize;
    if (count("train") + count("test")) as u128 * (7 * size * size) as u128 > MOST {
        return Err(DataError::new("these images take more than 16 GB").help("draw fewer or smaller ones"));
    }
    let part = |name: &str, part: u64| {
        let n = count(name);
        let mut images = Tensor::zeros(DType::U8, &[n, 3, size, size]);
        let mut masks = Tensor::zeros(DType::I32, &[n, size, size]);
        let mut labels = Vec::with_capacity(n);
        let pixels = size * size;
        let each =
            images.bytes_mut().chunks_exact_mut(3 * pixels).zip(masks.elements_mut::<i32>().chunks_exact_mut(pixels));
        for (i, (image, mask)) in each.enumerate() {
            // Each run of six images has every class once.
            let class = Permutation::new(CLASSES, key(&[seed, part, (i / CLASSES) as u64, 6])).at(i % CLASSES);
            draw(class, key(&[seed, part, i as u64]), size, image, mask);
            labels.push(class as i32);
        }
        let label = Tensor::of(&[n], &labels);
        (name.to_string(), vec![("image".into(), images), ("label".into(), label), ("mask".into(), masks)])
    };
    o.arranged(vec![part("train", 0), part("test", 1)])
}

type Colour = [f32; 3];

fn colour(r: &mut Random) -> Colour {
    std::array::from_fn(|_| r.between(0.0, 255.0))
}

/// Draws one image, channel by channel, and where its shape is.
fn draw(class: usize, key: u64, size: usize, image: &mut [u8], mask: &mut [i32]) {
    let r = &mut Random::new(key);
    let (ground, other) = (colour(r), colour(r));
    let ink = loop {
        let ink = colour(r);
        // What has the colour of the ground could not be seen.
        let apart = |a: &Colour| ink.iter().zip(a).map(|(x, y)| (x - y).abs()).sum::<f32>() > 160.0;
        if apart(&ground) && apart(&other) {
            break ink;
        }
    };
    let lean = r.between(0.0, TAU);
    let lines: Vec<(f32, f32, Colour)> =
        (0..r.below(4)).map(|_| (r.between(0.0, PI), r.between(-0.8, 0.8), colour(r))).collect();
    let radius = r.between(0.4, 0.75);
    let room = 0.9 - radius;
    let (x0, y0, turn) = (r.between(-room, room), r.between(-room, room), r.between(0.0, TAU));
    let (sin, cos) = turn.sin_cos();
    let pixel = 2.0 / size as f32;
    for (i, to) in mask.iter_mut().enumerate() {
        let (x, y) = (((i % size) as f32 + 0.5) * pixel - 1.0, ((i / size) as f32 + 0.5) * pixel - 1.0);
        let (u, v) = (x - x0, y - y0);
        let outside = distance(class, (u * cos + v * sin) / radius, (v * cos - u * sin) / radius) * radius;
        let covered = (0.5 - outside / pixel).clamp(0.0, 1.0);
        *to = if covered > 0.5 { class as i32 + 1 } else { 0 };
        let mix = (0.5 + 0.5 * (x * lean.cos() + y * lean.sin())).clamp(0.0, 1.0);
        let mut seen: Colour = std::array::from_fn(|c| ground[c] + (other[c] - ground[c]) * mix);
        for (angle, offset, ink) in &lines {
            let away = (x * angle.cos() + y * angle.sin() - offset).abs();
            blend(&mut seen, ink, (1.2 - away / pixel).clamp(0.0, 1.0));
        }
        blend(&mut seen, &ink, covered);
        for (c, value) in seen.iter().enumerate() {
            image[c * size * size + i] = (value + 8.0 * r.normal()).clamp(0.0, 255.0) as u8;
        }
    }
}

fn blend(under: &mut Colour, over: &Colour, covered: f32) {
    under.iter_mut().zip(over).for_each(|(u, o)| *u += (o - *u) * covered);
}

/// How far a point lies outside of a shape that fits in the unit circle; below 0 inside.
fn distance(class: usize, x: f32, y: f32) -> f32 {
    let far = (x * x + y * y).sqrt();
    let rect = |x: f32, y: f32, w: f32, h: f32| (x.abs() - w).max(y.abs() - h);
    match class {
        0 => far - 0.85,
        1 => rect(x, y, 0.68, 0.68),
        2 => polygon(x, y, 3) - 0.5,
        3 => rect(x, y, 0.95, 0.28).min(rect(x, y, 0.28, 0.95)),
        4 => (far - 0.7).abs() - 0.2,
        _ => star(x, y),
    }
}

/// The distance from the middle along the nearest of `n` even directions, which is 0.5 on the edge of a triangle
/// in the unit circle.
fn polygon(x: f32, y: f32, n: usize) -> f32 {
    let part = TAU / n as f32;
    let angle = y.atan2(x);
    let off = angle - (angle / part).round() * part;
    (x * x + y * y).sqrt() * off.cos()
}

/// A star with five points: within the unit circle, its inner corners at 0.4.
fn star(x: f32, y: f32) -> f32 {
    const INNER: f32 = 0.4;
    let part = TAU / 5.0;
    let angle = y.atan2(x);
    let off = (angle - (angle / part).round() * part).abs();
    let far = (x * x + y * y).sqrt();
    // The edge runs from the point (1, 0) to the inner corner at a tenth of a turn.
    let (px, py) = (far * off.cos(), far * off.sin());
    let (ax, ay) = (INNER * (part / 2.0).cos() - 1.0, INNER * (part / 2.0).sin());
    ((px - 1.0) * ay - py * ax) / (ax * ax + ay * ay).sqrt()
}
