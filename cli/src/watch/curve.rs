//! A curve: its points while a run goes on, and as characters.

use serde::Serialize;

/// How many points are kept; twice as many are halved.
const POINTS: usize = 1024;

/// The values of a metric over the steps. Where there are many, each stands for the mean of several.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// Step and value, in rising order of steps.
    pub points: Vec<(u64, f32)>,
    /// How many values a point stands for.
    stride: u32,
    #[serde(skip)]
    sum: f64,
    #[serde(skip)]
    count: u32,
}

impl Default for Curve {
    fn default() -> Curve {
        Curve { points: Vec::new(), stride: 1, sum: 0.0, count: 0 }
    }
}

impl Curve {
    /// Adds the value of a step. One that is not finite has no place on a curve.
    pub fn push(&mut self, step: u64, value: f32) {
        if !value.is_finite() {
            return;
        }
        (self.sum, self.count) = (self.sum + f64::from(value), self.count + 1);
        if self.count < self.stride {
            return;
        }
        self.points.push((step, (self.sum / f64::from(self.count)) as f32));
        (self.sum, self.count) = (0.0, 0);
        if self.points.len() >= 2 * POINTS {
            let pairs = self.points.chunks_exact(2);
            self.points = pairs.map(|p| (p[1].0, ((f64::from(p[0].1) + f64::from(p[1].1)) / 2.0) as f32)).collect();
            self.stride *= 2;
        }
    }

    /// Forgets what came after a step.
    pub fn cut(&mut self, step: u64) {
        self.points.retain(|(at, _)| *at <= step);
        (self.sum, self.count) = (0.0, 0);
    }
}

/// The dots of a braille character, by column and by row from above.
const DOTS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// A picture of so many characters, with numbers at its left and steps below; nothing where it is too small for that,
/// or where there are no points.
pub fn draw(points: &[(u64, f32)], width: usize, height: usize, logarithmic: bool) -> Vec<String> {
    let margin = 9;
    if width < margin + 8 || height < 4 || points.is_empty() {
        return Vec::new();
    }
    let logarithmic = logarithmic && points.iter().all(|(_, v)| *v > 0.0);
    let scale = |v: f32| if logarithmic { f64::from(v).ln() } else { f64::from(v) };
    let (columns, rows) = (width - margin - 1, height - 1);
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let (low, high) = ends(&mut points.iter().map(|(_, v)| scale(*v)));
    let (low, high) = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
    let (first, last) = (points[0].0, points[points.len() - 1].0);
    let mut cells = vec![vec![0u32; columns]; rows];
    let mut dot = |x: usize, y: usize| cells[y / 4][x / 2] |= DOTS[x % 2][y % 4];
    let across = |step: u64| (step - first) as f64 / (last - first).max(1) as f64 * (columns * 2 - 1) as f64;
    let down = |v: f32| (high - scale(v)) / (high - low) * (rows * 4 - 1) as f64;
    let mut before: Option<(f64, f64)> = None;
    for &(step, value) in points {
        let (x, y) = (across(step), down(value));
        let (from_x, from_y) = before.unwrap_or((x, y));
        // A line from the point before, a dot for each place on the way.
        let length = (x - from_x).abs().max((y - from_y).abs()).ceil().max(1.0);
        for i in 0..=length as usize {
            let part = i as f64 / length;
            let place = |a: f64, b: f64| (a + (b - a) * part).round().max(0.0) as usize;
            dot(place(from_x, x).min(columns * 2 - 1), place(from_y, y).min(rows * 4 - 1));
        }
        before = Some((x, y));
    }
    let number = |at: f64| crate::values::value((if logarithmic { at.exp() } else { at }) as f32);
    let label = |row: usize| match row {
        0 => number(high),
        _ if row + 1 == rows => number(low),
        _ if row == rows / 2 => number(high - (high - low) * (row as f64 + 0.5) / rows as f64),
        _ => String::new(),
    };
    let mut lines: Vec<String> = cells
        .iter()
        .enumerate()
        .map(|(row, cells)| {
            let dots: String = cells.iter().map(|c| char::from_u32(0x2800 + c).unwrap_or(' ')).collect();
            format!("{:>margin$} {dots}", label(row)).trim_end_matches('\u{2800}').to_string()
        })
        .collect();
    let (left, right) = (crate::values::count(first), crate::values::count(last));
    let gap = columns.saturating_sub(left.len() + right.len());
    lines.push(format!("{:margin$} {left}{:gap$}{right}", "", ""));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_its_shape_in_few_points() {
        let mut curve = Curve::default();
        (1..=100_000).for_each(|step| curve.push(step, step as f32));
        assert!(curve.points.len() < 2 * POINTS && curve.points.len() >= POINTS / 2, "{}", curve.points.len());
        assert!(curve.points.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(curve.points.iter().all(|(step, v)| *v <= *step as f32 && *v > *step as f32 - 200.0));
        curve.push(100_001, f32::NAN);
        curve.cut(50_000);
        assert!(curve.points.last().unwrap().0 <= 50_000);
    }

    #[test]
    fn a_falling_line_is_drawn_from_corner_to_corner() {
        let points: Vec<(u64, f32)> = (0..=9).map(|i| (i, 9.0 - i as f32)).collect();
        let lines = draw(&points, 20, 4, false);
        assert_eq!(
            lines,
            ["   9.0000 ⠙⠢⢄⡀", "   4.5000 ⠀⠀⠀⠉⠓⢤⣀", "   0.0000 ⠀⠀⠀⠀⠀⠀⠈⠑⠢⣄", "          0        9"],
            "\n{}",
            lines.join("\n")
        );
        assert!(draw(&points, 12, 4, false).is_empty() && draw(&[], 40, 9, true).is_empty());
        assert_eq!(draw(&[(3, 1.0)], 30, 5, true).len(), 5);
    }
}
