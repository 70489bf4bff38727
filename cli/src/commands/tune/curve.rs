//! The curve of losses over rates: in the terminal, as numbers, as a picture.

use super::lr::{Point, short};
use crate::failure::Failure;
use crate::values::value;
use std::fmt::Write;
use std::path::Path;

/// Columns and rows in the terminal.
const SIZE: (usize, usize) = (64, 12);

/// How a file is written, by its ending.
pub fn form(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?.to_lowercase();
    ["csv", "svg"].into_iter().find(|f| *f == ending)
}

/// Writes the curve to a file.
pub fn write(path: &Path, points: &[Point], found: Option<f64>) -> Result<(), Failure> {
    let text = if form(path) == Some("svg") { svg(points, found) } else { csv(points) };
    std::fs::write(path, text).map_err(Failure::file(path))
}

fn csv(points: &[Point]) -> String {
    let row = |p: &Point| format!("{},{},{}\n", p.rate, p.loss as f32, p.smooth as f32);
    "lr,loss,smooth\n".to_string() + &points.iter().map(row).collect::<String>()
}

/// The losses that are shown: the smoothed ones, cut off where the search was lost.
fn range(points: &[Point]) -> (f64, f64) {
    let least = points.iter().map(|p| p.smooth).fold(f64::INFINITY, f64::min);
    let first = points.first().map_or(1.0, |p| p.smooth);
    let most = points.iter().map(|p| p.smooth).fold(f64::NEG_INFINITY, f64::max);
    let most = most.min(first + (first - least).abs().max(0.1 * first.abs()));
    (least, if most > least { most } else { least + 1.0 })
}

/// The curve in signs, with the rate that was found marked below.
pub fn drawn(points: &[Point], found: Option<f64>) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let (width, height) = SIZE;
    let (low, high) = range(points);
    let span = (last.rate / first.rate).ln().max(1e-9);
    let column = |rate: f64| ((rate / first.rate).ln() / span * (width - 1) as f64).round() as usize;
    let row = |loss: f64| ((high - loss.min(high)) / (high - low) * (height - 1) as f64).round() as usize;
    let mut signs = vec![vec![' '; width]; height];
    let mut before: Option<(usize, usize)> = None;
    for p in points {
        let (x, y) = (column(p.rate).min(width - 1), row(p.smooth).min(height - 1));
        // What is steep is joined, so that the eye can follow.
        if let Some((_, last)) = before {
            (y.min(last) + 1..y.max(last)).for_each(|between| signs[between][x] = '│');
        }
        signs[y][x] = '●';
        before = Some((x, y));
    }
    let labels = [value(high as f32), value(low as f32)];
    let margin = labels.iter().map(|l| l.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (i, line) in signs.iter().enumerate() {
        let label = if i == 0 {
            &labels[0]
        } else if i + 1 == height {
            &labels[1]
        } else {
            ""
        };
        let line: String = line.iter().collect();
        let _ = writeln!(out, "{label:>margin$} ┤{}", line.trim_end());
    }
    let at = found.map(|f| column(f).min(width - 1));
    let axis: String = (0..width).map(|i| if Some(i) == at { '┴' } else { '─' }).collect();
    let (start, end) = (short(first.rate), short(last.rate));
    let _ = writeln!(out, "{:>margin$} └{axis}", "");
    let _ = write!(out, "{:>margin$}  {start}{end:>rest$}", "", rest = width - start.len());
    out
}

/// The curve as a picture: the losses in grey, smoothed in blue, the rate that was found in red.
fn svg(points: &[Point], found: Option<f64>) -> String {
    let (width, height, left, top) = (640.0, 360.0, 60.0, 20.0);
    let (low, high) = range(points);
    let (first, last) = (points.first().map_or(1e-8, |p| p.rate), points.last().map_or(1.0, |p| p.rate));
    let span = (last / first).ln().max(1e-9);
    let x = |rate: f64| left + (rate / first).ln() / span * (width - left - 20.0);
    let y = |loss: f64| top + (high - loss.clamp(low, high)) / (high - low) * (height - top - 50.0);
    let line = |of: fn(&Point) -> f64, style: &str| {
        let places: Vec<String> = points.iter().map(|p| format!("{:.1},{:.1}", x(p.rate), y(of(p)))).collect();
        format!("  <polyline fill=\"none\" {style} points=\"{}\"/>\n", places.join(" "))
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n  <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    let (bottom, mut power) = (height - 50.0 + 8.0, first.log10().ceil() as i32);
    while power as f64 <= last.log10() + 1e-9 {
        let at = x(10f64.powi(power));
        let _ = writeln!(
            out,
            "  <line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top}\" y2=\"{bottom}\" stroke=\"#ddd\"/>\n  \
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">1e{power}</text>",
            bottom + 16.0
        );
        power += 1;
    }
    for loss in [low, high] {
        let _ = writeln!(
            out,
            "  <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            y(loss) + 4.0,
            value(loss as f32)
        );
    }
    out += &line(|p| p.loss, "stroke=\"#bbb\"");
    out += &line(|p| p.smooth, "stroke=\"#2563eb\" stroke-width=\"2\"");
    if let Some(rate) = found {
        let at = x(rate);
        let _ = writeln!(
            out,
            "  <line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top}\" y2=\"{bottom}\" stroke=\"#dc2626\" \
             stroke-dasharray=\"4\"/>\n  <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#dc2626\">{}</text>",
            at + 4.0,
            top + 12.0,
            short(rate)
        );
    }
    let _ = writeln!(
        out,
        "  <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">learning rate</text>\n</svg>",
        (width + left) / 2.0,
        height - 6.0
    );
    out
}
