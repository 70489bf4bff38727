//! A soft pen: how far each pixel is from the strokes, and the ink that makes.

use crate::data::random::Random;

/// The side of an image in pixels.
pub const SIZE: usize = 28;

/// The farthest that ink reaches from the middle of a stroke.
const REACH: f32 = 2.6;

/// The square of each pixel's distance from the nearest stroke.
pub struct Canvas {
    squares: [f32; SIZE * SIZE],
}

impl Canvas {
    /// Without strokes.
    pub fn new() -> Canvas {
        Canvas { squares: [f32::MAX; SIZE * SIZE] }
    }

    /// Draws a line between two points, in pixels.
    pub fn line(&mut self, from: (f32, f32), to: (f32, f32)) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let per_length = 1.0 / (dx * dx + dy * dy).max(1e-9);
        let reach = |a: f32, b: f32| {
            let low = (a.min(b) - REACH).ceil().max(0.0) as usize;
            let high = (a.max(b) + REACH).floor().min(SIZE as f32 - 1.0);
            low..(high + 1.0).max(0.0) as usize
        };
        let columns = reach(from.0, to.0);
        for y in reach(from.1, to.1) {
            let py = y as f32 - from.1;
            for x in columns.clone() {
                let px = x as f32 - from.0;
                let along = ((px * dx + py * dy) * per_length).clamp(0.0, 1.0);
                let (ex, ey) = (px - along * dx, py - along * dy);
                let square = &mut self.squares[y * SIZE + x];
                *square = square.min(ex * ex + ey * ey);
            }
        }
    }

    /// The image: ink near the strokes, with a pen and a grain of its own.
    pub fn ink(&self, r: &mut Random, image: &mut [u8]) {
        let radius = r.between(0.65, 1.65);
        let soft = r.between(0.6, 1.2);
        let dark = r.between(185.0, 255.0);
        let grain = r.between(0.0, 16.0);
        let paper = r.between(0.0, 12.0);
        for (pixel, &square) in image.iter_mut().zip(&self.squares) {
            let cover = match square < REACH * REACH {
                true => ((radius + soft / 2.0 - square.sqrt()) / soft).clamp(0.0, 1.0),
                false => 0.0,
            };
            *pixel = (dark * cover + paper * (1.0 - cover) + grain * r.normal()).clamp(0.0, 255.0) as u8;
        }
    }
}
