//! When something is due: periods in steps, epochs, examples and time.

use tfm_lang::model::Period;
use tfm_lang::syntax::ast::Unit;

/// How far a run is, in every unit that a period can have.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Progressed {
    /// Steps done.
    pub steps: u64,
    /// Examples seen.
    pub examples: u64,
    /// Seconds of training.
    pub seconds: f64,
}

/// The sizes that turn one unit into another.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Epoch {
    /// Steps in an epoch; at least 1.
    pub steps: u64,
    /// Examples in an epoch; at least 1.
    pub examples: u64,
}

/// True for the units that the clock decides, and not the step.
pub fn is_time(unit: Unit) -> bool {
    matches!(unit, Unit::Minutes | Unit::Hours)
}

fn seconds(period: Period) -> f64 {
    period.count * if period.unit == Unit::Hours { 3600.0 } else { 60.0 }
}

/// The number of steps a run of this length has; `None` where the clock ends it.
///
/// A fraction is rounded up: half an epoch of 5 steps is 3 steps.
pub fn total_steps(length: Period, epoch: Epoch) -> Option<u64> {
    let steps = match length.unit {
        Unit::Steps => length.count,
        Unit::Epochs => length.count * epoch.steps as f64,
        // Whole epochs have `epoch.steps` steps each, for their last batch may be smaller.
        Unit::Examples => {
            let whole = (length.count / epoch.examples as f64).floor();
            let rest = length.count - whole * epoch.examples as f64;
            let batch = (epoch.examples as f64 / epoch.steps as f64).ceil();
            whole * epoch.steps as f64 + (rest / batch).ceil()
        }
        Unit::Minutes | Unit::Hours => return None,
    };
    Some(steps.ceil().max(0.0) as u64)
}

/// True when a run whose length is a time is over.
pub fn is_over(length: Period, now: Progressed) -> bool {
    is_time(length.unit) && now.seconds >= seconds(length)
}

/// How many times the period had come round: the whole part of `now / period`.
pub fn rounds(period: Period, epoch: Epoch, now: Progressed) -> u64 {
    let done = match period.unit {
        Unit::Steps => now.steps as f64 / period.count,
        Unit::Epochs => now.steps as f64 / (period.count * epoch.steps as f64),
        Unit::Examples => now.examples as f64 / period.count,
        Unit::Minutes | Unit::Hours => now.seconds / seconds(period),
    };
    // A period of 0 comes round at every step.
    if done.is_finite() { done as u64 } else { now.steps }
}

/// True when at least a period has gone by since `then`.
pub fn has_passed(period: Period, epoch: Epoch, then: Progressed, now: Progressed) -> bool {
    let (steps, examples) = (now.steps - then.steps.min(now.steps), now.examples - then.examples.min(now.examples));
    match period.unit {
        Unit::Steps => steps as f64 >= period.count,
        Unit::Epochs => steps as f64 >= period.count * epoch.steps as f64,
        Unit::Examples => examples as f64 >= period.count,
        Unit::Minutes | Unit::Hours => now.seconds - then.seconds >= seconds(period),
    }
}

/// True for the steps whose loss and reports are shown and written to `metrics.csv`: all of the first
/// hundred, then every tenth, after ten thousand every hundredth, and the last.
///
/// It looks at nothing but the step, so that two runs write the same rows.
pub fn is_shown(step: u64, total: Option<u64>) -> bool {
    let stride = match step {
        0..=100 => 1,
        101..=10_000 => 10,
        _ => 100,
    };
    step.is_multiple_of(stride) || total == Some(step)
}

/// A period in words, `3 epochs`.
pub fn text(period: Period) -> String {
    let unit = match period.unit {
        Unit::Steps => "step",
        Unit::Epochs => "epoch",
        Unit::Examples => "example",
        Unit::Minutes => "minute",
        Unit::Hours => "hour",
    };
    format!("{} {unit}{}", period.count, if period.count == 1.0 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Epoch = Epoch { steps: 5, examples: 18 };

    fn period(count: f64, unit: Unit) -> Period {
        Period { count, unit }
    }

    fn at(steps: u64, seconds: f64) -> Progressed {
        let examples = steps / 5 * 18 + (steps % 5 * 4).min(18);
        Progressed { steps, examples, seconds }
    }

    fn due_steps(p: Period) -> Vec<u64> {
        (1..=20).filter(|&s| rounds(p, EPOCH, at(s, s as f64)) > rounds(p, EPOCH, at(s - 1, s as f64 - 1.0))).collect()
    }

    #[test]
    fn periods_come_round_at_their_steps() {
        assert_eq!(due_steps(period(7.0, Unit::Steps)), [7, 14]);
        assert_eq!(due_steps(period(2.0, Unit::Epochs)), [10, 20]);
        assert_eq!(due_steps(period(0.5, Unit::Epochs)), [3, 5, 8, 10, 13, 15, 18, 20]);
        assert_eq!(due_steps(period(18.0, Unit::Examples)), [5, 10, 15, 20]);
        assert_eq!(due_steps(period(0.1, Unit::Minutes)), [6, 12, 18], "a step is a second");
        assert_eq!(due_steps(period(0.0, Unit::Steps)).len(), 20);
    }

    #[test]
    fn lengths_in_steps() {
        assert_eq!(total_steps(period(3.0, Unit::Epochs), EPOCH), Some(15));
        assert_eq!(total_steps(period(0.5, Unit::Epochs), EPOCH), Some(3));
        assert_eq!(total_steps(period(12.0, Unit::Steps), EPOCH), Some(12));
        assert_eq!(total_steps(period(36.0, Unit::Examples), EPOCH), Some(10));
        assert_eq!(total_steps(period(19.0, Unit::Examples), EPOCH), Some(6));
        assert_eq!(total_steps(period(1.0, Unit::Hours), EPOCH), None);
        assert!(is_over(period(1.0, Unit::Minutes), at(3, 60.0)));
        assert!(!is_over(period(1.0, Unit::Minutes), at(3, 59.0)));
        assert!(!is_over(period(1.0, Unit::Steps), at(3, 59.0)));
    }

    #[test]
    fn rows_do_not_depend_on_the_length() {
        let shown: Vec<u64> = (1..=130).filter(|&s| is_shown(s, None)).collect();
        assert_eq!(shown.len(), 103);
        assert!(is_shown(137, Some(137)) && !is_shown(137, Some(200)));
        assert!(is_shown(20_100, None) && !is_shown(20_110, None));
    }

    #[test]
    fn stalling_is_measured_since_the_best() {
        let three = period(3.0, Unit::Epochs);
        assert!(!has_passed(three, EPOCH, at(5, 0.0), at(19, 0.0)));
        assert!(has_passed(three, EPOCH, at(5, 0.0), at(20, 0.0)));
    }
}
