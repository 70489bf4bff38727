//! Curves as SVG, for light and dark pages.

use super::scale::axes;
use super::{Chart, Over, smoothed};
use crate::picture::escape;
use crate::values;
use std::fmt::Write as _;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 34.0;

/// The most points of a drawn line; of more, the means of neighbours are drawn.
const MOST: usize = 1200;

const STYLE: &str = "svg{--paper:#fff;--ink:#1c2330;--faint:#66708a;--grid:#e8ebf2;font-family:ui-monospace,SFMono-Regular,\
Menlo,Consolas,'DejaVu Sans Mono',monospace}@media (prefers-color-scheme:dark){svg{--paper:#12151c;--ink:#e7ebf3;--faint:#98a2b8;\
--grid:#252b38}}.paper{fill:var(--paper)}text{fill:var(--ink);font-size:11px}.title{font-size:13px;font-weight:600}\
.faint{fill:var(--faint);font-size:10px}.grid{stroke:var(--grid)}.axis{stroke:var(--faint);stroke-width:.8}.line{fill:none;\
stroke-width:1.8;stroke-linejoin:round}.raw{fill:none;stroke-width:1;opacity:.28}.c0{stroke:#3b82f6}.c1{stroke:#f08c00}\
.c2{stroke:#2ea36b}.c3{stroke:#e64980}.c4{stroke:#8b5cf6}.c5{stroke:#12a5b8}.c6{stroke:#c2850c}.c7{stroke:#868e96}";

/// Draws charts, two in a row.
pub fn svg(charts: &[Chart], over: Over, log: bool, smooth: f64) -> String {
    let columns = charts.len().clamp(1, 2);
    let height =
        |row: &[Chart]| HEIGHT + TOP + 30.0 + 16.0 * row.iter().map(|c| c.curves.len()).max().unwrap_or(0) as f64;
    let total: f64 = charts.chunks(columns).map(height).sum();
    let width = columns as f64 * (WIDTH + LEFT + 24.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{total:.0}\" viewBox=\"0 0 {width:.0} {total:.0}\" \
         role=\"img\">\n<style>{STYLE}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n"
    );
    let mut top = 0.0;
    for row in charts.chunks(columns) {
        for (c, chart) in row.iter().enumerate() {
            draw(chart, (c as f64 * (WIDTH + LEFT + 24.0), top), (over, log, smooth), &mut out);
        }
        top += height(row);
    }
    out + "</svg>\n"
}

fn draw(chart: &Chart, (left, top): (f64, f64), (over, log, smooth): (Over, bool, f64), out: &mut String) {
    let (x, y) = axes(chart, log);
    let (left, top) = (left + LEFT, top + TOP);
    let _ =
        writeln!(out, "<text class=\"title\" x=\"{left:.1}\" y=\"{:.1}\">{}</text>", top - 12.0, escape(&chart.name));
    for (value, text) in y.ticks(5) {
        let Some(at) = y.at(value) else { continue };
        let py = top + HEIGHT * (1.0 - at);
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{left:.1}\" x2=\"{:.1}\" y1=\"{py:.1}\" y2=\"{py:.1}\"/><text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            left + WIDTH,
            left - 6.0,
            py + 3.5
        );
    }
    for (value, text) in x.ticks(6) {
        let Some(at) = x.at(value) else { continue };
        let px = left + WIDTH * at;
        let _ = writeln!(
            out,
            "<text class=\"faint\" x=\"{px:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            top + HEIGHT + 14.0
        );
    }
    let bottom = top + HEIGHT;
    let _ = writeln!(
        out,
        "<line class=\"axis\" x1=\"{left:.1}\" x2=\"{:.1}\" y1=\"{bottom:.1}\" y2=\"{bottom:.1}\"/>",
        left + WIDTH
    );
    let _ = writeln!(
        out,
        "<text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
        left + WIDTH,
        top + HEIGHT - 5.0,
        over.word()
    );
    for (c, curve) in chart.curves.iter().enumerate() {
        let place = |points: &[(f64, f64)]| {
            path(points, &|(px, py)| Some((left + WIDTH * x.at(px)?, top + HEIGHT * (1.0 - y.at(py)?))))
        };
        let colour = c % 8;
        if smooth > 0.0 {
            let _ = writeln!(out, "<path class=\"raw c{colour}\" d=\"{}\"/>", place(&thinned(&curve.points)));
        }
        let points = thinned(&smoothed(&curve.points, smooth));
        let _ = writeln!(out, "<path class=\"line c{colour}\" d=\"{}\"/>", place(&points));
        if let [(px, py)] = points.as_slice()
            && let (Some(px), Some(py)) = (x.at(*px), y.at(*py))
        {
            let _ = writeln!(
                out,
                "<circle class=\"c{colour}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"/>",
                left + WIDTH * px,
                top + HEIGHT * (1.0 - py)
            );
        }
        let last =
            curve.points.iter().rev().find(|p| p.1.is_finite()).map_or("-".into(), |p| values::value(p.1 as f32));
        let at = top + HEIGHT + 34.0 + 16.0 * c as f64;
        let _ = writeln!(
            out,
            "<line class=\"line c{colour}\" x1=\"{left:.1}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/><text x=\"{:.1}\" y=\"{at:.1}\">{} {}</text>\
             <text class=\"faint\" x=\"{:.1}\" y=\"{at:.1}\" text-anchor=\"end\">{last}</text>",
            left + 18.0,
            at - 4.0,
            at - 4.0,
            left + 26.0,
            escape(&curve.run),
            escape(&curve.metric),
            left + WIDTH,
        );
    }
}

/// A line through the points; it breaks where one cannot be drawn.
fn path(points: &[(f64, f64)], place: &dyn Fn((f64, f64)) -> Option<(f64, f64)>) -> String {
    let mut d = String::new();
    let mut pen = 'M';
    for point in points {
        match place(*point) {
            Some((x, y)) => {
                let _ = write!(d, "{pen}{x:.1} {y:.1}");
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    d
}

fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let each = points.len().div_ceil(MOST).max(1);
    let mean = |part: &[(f64, f64)]| {
        let n = part.len() as f64;
        (part.iter().map(|p| p.0).sum::<f64>() / n, part.iter().map(|p| p.1).sum::<f64>() / n)
    };
    if each == 1 { points.to_vec() } else { points.chunks(each).map(mean).collect() }
}
