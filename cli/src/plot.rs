//! Curves of runs: read from their metrics, drawn in the terminal or as SVG.

mod braille;
mod read;
mod scale;
mod svg;

pub use braille::braille;
pub use read::{Curve, Over, Run, curves};
pub use svg::svg;

use tfm_runtime::run::Table;

/// Curves that share their axes, under the name of what they show.
pub struct Chart {
    /// `loss`, for `loss` and `test.loss`.
    pub name: String,
    /// Its curves.
    pub curves: Vec<Curve>,
}

/// Curves by what they show: `loss` and `test.loss` of all runs are one chart.
pub fn charts(curves: Vec<Curve>) -> Vec<Chart> {
    let mut charts: Vec<Chart> = Vec::new();
    for curve in curves {
        let name = curve.metric.rsplit('.').next().unwrap_or_default().to_string();
        match charts.iter_mut().find(|c| c.name == name) {
            Some(chart) => chart.curves.push(curve),
            None => charts.push(Chart { name, curves: vec![curve] }),
        }
    }
    charts
}

/// Running means, each the last `smooth` part of itself and the rest of what comes new, without a bias to the start.
pub fn smoothed(points: &[(f64, f64)], smooth: f64) -> Vec<(f64, f64)> {
    let (mut sum, mut weight) = (0.0, 0.0);
    let next = |&(x, y): &(f64, f64)| {
        if y.is_finite() {
            sum = sum * smooth + y * (1.0 - smooth);
            weight = weight * smooth + (1.0 - smooth);
        }
        (x, if weight > 0.0 { sum / weight } else { y })
    };
    if smooth <= 0.0 { points.to_vec() } else { points.iter().map(next).collect() }
}

/// A table of classes for the terminal.
pub fn confusion(table: &Table) -> String {
    let mut rows = vec![std::iter::once(String::new()).chain(table.names.iter().cloned()).collect::<Vec<_>>()];
    for (i, row) in table.rows.iter().enumerate() {
        let name = if table.is_square() { table.names[i].clone() } else { String::new() };
        let dot = |x: &f64| {
            if *x == 0.0 {
                "·".to_string()
            } else if x.fract() == 0.0 {
                x.to_string()
            } else {
                format!("{x:.4}")
            }
        };
        rows.push(std::iter::once(name).chain(row.iter().map(dot)).collect());
    }
    let right = match table.is_square() {
        true => format!("  {:.2} % right; rows are what it is, columns what was said", table.right() * 100.0),
        false => String::new(),
    };
    format!("{}{right}\n{}", table.name, crate::output::table(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_has_no_bias_and_passes_over_gaps() {
        let points = [(0.0, 4.0), (1.0, 4.0), (2.0, f64::NAN), (3.0, 4.0)];
        assert!(smoothed(&points, 0.9).iter().all(|(_, y)| (y - 4.0).abs() < 1e-12));
        assert_eq!(smoothed(&points[..2], 0.0), &points[..2]);
    }
}
