//! Curves in the terminal, in the eight dots of braille signs.

use super::scale::{Axis, axes, number};
use super::{Chart, Over, smoothed};
use crate::values;

/// Colours of curves in turn, as ANSI codes.
const COLOURS: [&str; 8] = ["34", "33", "32", "31", "35", "36", "94", "93"];

/// The dots of a sign by row and column.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Draws a chart, so many signs wide and high, labels included.
pub fn braille(chart: &Chart, over: Over, size: (usize, usize), log: bool, smooth: f64, color: bool) -> String {
    let (x, y) = axes(chart, log);
    let ticks = y.ticks(4);
    let label = ticks.iter().map(|(_, t)| t.chars().count()).max().unwrap_or(1);
    let (width, height) = (size.0.saturating_sub(label + 3).max(16), size.1.max(4));
    let mut canvas = Canvas { width, signs: vec![0; width * height], colours: vec![None; width * height], height };
    for (c, curve) in chart.curves.iter().enumerate() {
        canvas.curve(&smoothed(&curve.points, smooth), (&x, &y), c);
    }
    let mut out = format!("{}\n", chart.name);
    for row in 0..height {
        let tick = ticks.iter().find(|(v, _)| y.at(*v).is_some_and(|at| canvas.row(at) / 4 == row));
        let (text, border) = tick.map_or(("", '│'), |(_, t)| (t.as_str(), '┤'));
        out += &format!("{text:>label$} {border}{}\n", canvas.line(row, color));
    }
    out += &format!("{:label$} └{}\n", "", "─".repeat(width));
    out += &below(&x, over, label, width);
    for (c, curve) in chart.curves.iter().enumerate() {
        let last =
            curve.points.iter().rev().find(|p| p.1.is_finite()).map_or("-".into(), |p| values::value(p.1 as f32));
        let line = format!("{} {}", curve.run, curve.metric);
        let mark = match color {
            true => format!("\x1b[{}m──\x1b[0m", COLOURS[c % COLOURS.len()]),
            false => "──".into(),
        };
        out += &format!("\n{:label$}  {mark} {line}  {last}", "");
    }
    out
}

/// The numbers below the axis, and its name at its end.
fn below(x: &Axis, over: Over, label: usize, width: usize) -> String {
    let mut line: Vec<char> = vec![' '; width + label + 2];
    let word = over.word();
    let room = line.len() - word.len() - 1;
    for (value, text) in x.ticks(5) {
        let Some(at) = x.at(value) else { continue };
        let middle = label + 2 + (at * (width - 1) as f64).round() as usize;
        let start = middle.saturating_sub(text.chars().count() / 2);
        let end = start + text.chars().count();
        let is_free = end < room && line[start.saturating_sub(1)..(end + 1).min(line.len())].iter().all(|c| *c == ' ');
        if is_free {
            line.splice(start..end, text.chars());
        }
    }
    let start = line.len() - word.len();
    line.splice(start.., word.chars());
    if x.ticks(5).is_empty() {
        return number(x.bounds.0, x.bounds.1 - x.bounds.0);
    }
    line.into_iter().collect()
}

struct Canvas {
    width: usize,
    height: usize,
    signs: Vec<u32>,
    colours: Vec<Option<usize>>,
}

impl Canvas {
    /// The row of dots of a height from 0 to 1.
    fn row(&self, at: f64) -> usize {
        ((1.0 - at) * (self.height * 4 - 1) as f64).round().clamp(0.0, (self.height * 4 - 1) as f64) as usize
    }

    fn dot(&mut self, column: usize, row: usize, colour: usize) {
        let sign = row / 4 * self.width + column / 2;
        self.signs[sign] |= DOTS[row % 4][column % 2];
        self.colours[sign] = Some(colour);
    }

    /// Joins the points; where more than one fall into a column, the line goes through all.
    fn curve(&mut self, points: &[(f64, f64)], (x, y): (&Axis, &Axis), colour: usize) {
        let most = (self.width * 2 - 1) as f64;
        let mut before: Option<(f64, f64)> = None;
        for (px, py) in points {
            let (Some(ax), Some(ay)) = (x.at(*px), y.at(*py)) else {
                before = None;
                continue;
            };
            let here = ((ax * most).clamp(0.0, most), self.row(ay) as f64);
            let from = before.unwrap_or(here);
            let steps = (here.0 - from.0).abs().max((here.1 - from.1).abs()).ceil().max(1.0) as usize;
            for i in 0..=steps {
                let t = i as f64 / steps as f64;
                let at = (from.0 + (here.0 - from.0) * t, from.1 + (here.1 - from.1) * t);
                self.dot(at.0.round() as usize, at.1.round() as usize, colour);
            }
            before = Some(here);
        }
    }

    fn line(&self, row: usize, color: bool) -> String {
        let mut out = String::new();
        for column in 0..self.width {
            let at = row * self.width + column;
            let sign = if self.signs[at] == 0 { ' ' } else { char::from_u32(0x2800 + self.signs[at]).unwrap_or(' ') };
            match self.colours[at] {
                Some(c) if color => out += &format!("\x1b[{}m{sign}\x1b[0m", COLOURS[c % COLOURS.len()]),
                _ => out.push(sign),
            }
        }
        out.trim_end().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Curve;
    use super::*;

    #[test]
    fn a_falling_line_falls() {
        let points = (0..50).map(|i| (f64::from(i), 50.0 - f64::from(i))).collect();
        let chart =
            Chart { name: "loss".into(), curves: vec![Curve { run: "a/001".into(), metric: "loss".into(), points }] };
        let text = braille(&chart, Over::Step, (40, 6), false, 0.0, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "loss");
        let column = |line: &str| line.chars().position(|c| ('\u{2801}'..='\u{28ff}').contains(&c)).unwrap();
        let columns: Vec<usize> = lines[1..7].iter().map(|l| column(l)).collect();
        assert!(columns.windows(2).all(|w| w[0] < w[1]), "{text}");
        assert!(text.contains("step") && text.ends_with("── a/001 loss  1.0000"), "{text}");
    }
}
