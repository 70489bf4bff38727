//! `stop when`: what ends a run before its length.

use super::metrics;
use super::period::{self, Epoch, Progressed};
use crate::checkpoint::Stall;
use tfm_lang::model::{Stop, StopRule};

/// Brings the `stop when`s up to date with what was evaluated just now; `Some` when one of them ends the run, in words.
///
/// A metric that is watched and is no number ends it too: nothing can be told from it any more.
pub fn reached(
    stops: &[Stop],
    stalls: &mut [Stall],
    values: &[(String, f32)],
    epoch: Epoch,
    now: Progressed,
    is_lower_better: &dyn Fn(&str) -> bool,
) -> Option<String> {
    for (stop, stall) in stops.iter().zip(stalls) {
        let metric = &stop.metric;
        let Some((_, value)) = values.iter().find(|(name, _)| name == metric) else { continue };
        if value.is_nan() {
            return Some(format!("{metric} is not a number"));
        }
        match stop.rule {
            StopRule::Stalls { patience, by } => {
                let then = Progressed { steps: stall.step, examples: stall.examples, seconds: stall.seconds };
                let lower = is_lower_better(metric);
                let wanted = stall.best.map(|best| if lower { best - by } else { best + by });
                if metrics::is_better(lower, *value, wanted) {
                    *stall =
                        Stall { best: Some(*value), step: now.steps, examples: now.examples, seconds: now.seconds };
                } else if period::has_passed(patience, epoch, then, now) {
                    let best = stall.best.unwrap_or(f32::NAN);
                    let by = if by > 0.0 { format!(" by {by}") } else { String::new() };
                    return Some(format!("{metric} has not improved on {best}{by} for {}", period::text(patience)));
                }
            }
            StopRule::Passes { above, bound } => {
                if if above { *value > bound } else { *value < bound } {
                    let word = if above { "above" } else { "below" };
                    return Some(format!("{metric} is {value}, {word} {bound}"));
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfm_lang::model::Period;
    use tfm_lang::syntax::ast::Unit;

    const EPOCH: Epoch = Epoch { steps: 5, examples: 20 };

    /// What ends a run whose `m` has these values after each epoch, and after which.
    fn end(rule: StopRule, lower: bool, values: &[f32]) -> Option<(usize, String)> {
        let stops = [Stop { metric: "m".into(), highest: None, rule }];
        let mut stalls = [Stall::default()];
        values.iter().enumerate().find_map(|(i, value)| {
            let steps = (i as u64 + 1) * 5;
            let now = Progressed { steps, examples: 4 * steps, seconds: 0.0 };
            let said = reached(&stops, &mut stalls, &[("m".into(), *value)], EPOCH, now, &|_| lower);
            said.map(|said| (i + 1, said))
        })
    }

    #[test]
    fn a_run_ends_where_it_says() {
        let stalls = |by| StopRule::Stalls { patience: Period { count: 2.0, unit: Unit::Epochs }, by };
        let at = |found: Option<(usize, String)>| found.map(|(epoch, _)| epoch);
        assert_eq!(at(end(stalls(0.0), true, &[3.0, 2.0, 2.5, 1.9, 1.95, 1.92])), Some(6));
        assert_eq!(at(end(stalls(0.0), true, &[3.0, 2.0, 1.9, 1.8, 1.7])), None);
        assert_eq!(at(end(stalls(0.2), true, &[3.0, 2.0, 1.9, 1.85, 1.0])), Some(4), "less than 0.2 is no change");
        assert_eq!(at(end(stalls(0.0), false, &[0.3, 0.2, 0.4, 0.3, 0.35])), Some(5));
        let (_, text) = end(stalls(0.2), true, &[3.0, 2.0, 1.9, 1.85]).unwrap();
        assert_eq!(text, "m has not improved on 2 by 0.2 for 2 epochs");
        let above = StopRule::Passes { above: true, bound: 0.9 };
        assert_eq!(end(above, false, &[0.5, 0.9, 0.95]), Some((3, "m is 0.95, above 0.9".into())));
        let below = StopRule::Passes { above: false, bound: 0.1 };
        assert_eq!(end(below, true, &[0.5, 0.1, 0.05]), Some((3, "m is 0.05, below 0.1".into())));
        assert_eq!(end(stalls(0.0), true, &[0.5, f32::NAN]), Some((2, "m is not a number".into())));
        assert_eq!(at(end(above, true, &[f32::INFINITY])), Some(1));
    }
}
