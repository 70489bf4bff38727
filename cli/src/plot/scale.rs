//! Axes: bounds and round numbers.

use super::Chart;

/// A range of numbers, maybe of logarithms.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Axis {
    /// The least and the greatest, as they are drawn.
    pub bounds: (f64, f64),
    /// True when decimal logarithms are drawn.
    pub log: bool,
}

impl Axis {
    /// Around these numbers; those that are not finite (or, in logarithms, not above 0) do not count.
    pub fn around(values: impl Iterator<Item = f64>, log: bool) -> Axis {
        let drawn = values.filter(|v| v.is_finite() && (!log || *v > 0.0)).map(|v| if log { v.log10() } else { v });
        let (low, high) = drawn.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let bounds = if high > low {
            (low, high)
        } else if low.is_finite() {
            (low - (low.abs() * 0.1).max(1e-3), high + (high.abs() * 0.1).max(1e-3))
        } else {
            (0.0, 1.0)
        };
        Axis { bounds, log }
    }

    /// The same with a little room above and below.
    pub fn widened(self) -> Axis {
        let room = (self.bounds.1 - self.bounds.0) * 0.04;
        Axis { bounds: (self.bounds.0 - room, self.bounds.1 + room), ..self }
    }

    /// Where a number stands, from 0 to 1; `None` where it cannot be drawn.
    pub fn at(&self, value: f64) -> Option<f64> {
        let value = if self.log { value.log10() } else { value };
        let at = (value - self.bounds.0) / (self.bounds.1 - self.bounds.0);
        at.is_finite().then_some(at)
    }

    /// About so many round numbers in the range, with their texts.
    pub fn ticks(&self, wanted: usize) -> Vec<(f64, String)> {
        let (low, high) = self.bounds;
        let rough = (high - low) / wanted.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough * 0.999).unwrap_or(power * 10.0);
        let first = (low / step).ceil() as i64;
        let last = (high / step).floor() as i64;
        let tick = |i: i64| {
            let drawn = i as f64 * step;
            let value = if self.log { 10f64.powf(drawn) } else { drawn };
            (value, number(value, if self.log { value } else { step }))
        };
        (first..=last).take(50).map(tick).collect()
    }
}

/// The axes of a chart: below, and at the left.
pub fn axes(chart: &Chart, log: bool) -> (Axis, Axis) {
    let points = || chart.curves.iter().flat_map(|c| &c.points);
    (Axis::around(points().map(|p| p.0), false), Axis::around(points().map(|p| p.1), log).widened())
}

/// A number with as many digits as tell it from its neighbour at this distance.
pub fn number(value: f64, step: f64) -> String {
    if value != 0.0 && (value.abs() >= 1e6 || value.abs() < 1e-4) {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    let digits = (-step.abs().log10().floor()).clamp(0.0, 8.0) as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let texts = |low, high, log| {
            let axis = Axis { bounds: (low, high), log };
            axis.ticks(4).into_iter().map(|(_, t)| t).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(texts(0.0, 2.3, false), "0 1 2");
        assert_eq!(texts(0.02, 0.31, false), "0.1 0.2 0.3");
        assert_eq!(texts(0.0, 469.0, false), "0 200 400");
        assert_eq!(texts(-3.0, 1.0, true), "0.001 0.01 0.1 1 10");
    }

    #[test]
    fn one_value_has_an_axis() {
        let axis = Axis::around([2.0, f64::NAN].into_iter(), false);
        assert!(axis.at(2.0).is_some_and(|at| (at - 0.5).abs() < 1e-9));
        assert_eq!(Axis::around([].into_iter(), false).bounds, (0.0, 1.0));
        assert_eq!(Axis::around([0.0, -1.0, 1.0, 100.0].into_iter(), true).bounds, (0.0, 2.0));
    }
}
