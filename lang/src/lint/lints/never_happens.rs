//! `never_happens`: something that is to happen after the run has ended.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::Train;
use crate::syntax::ast::{Expr, ExprKind, StmtKind, StopRule, Unit};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0408",
    name: "never_happens",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "something that is to happen after the run has ended",
    why: "\
A periodic part whose period is longer than the run never runs: no evaluation, no checkpoint. So it is with a \
patience that the run does not last.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
epochs: 5
every 10 epochs { evaluate digits.test }
",
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
steps: 500
every 100 steps { evaluate digits.test }
every 1000 steps { checkpoint keep 3 }
",
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
epochs: 5
every 1 epoch { evaluate digits.test }
stop when test.loss stalls for 10 epochs
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
epochs: 5
every 1 epoch { evaluate digits.test }
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (train, _) in cx.trains() {
        let Some(block) = cx.block(train) else { continue };
        let long = |e: &Expr| {
            let ExprKind::Duration(count, unit) = *e.kind else { return false };
            longer(cx, train, count, unit)
        };
        for s in &block.statements {
            let (place, told) = match &s.kind {
                StmtKind::Every(period, _) if long(period) => (period.span, "this never happens: the run is shorter"),
                StmtKind::Stop { rule: StopRule::Stalls { patience, .. }, .. } if long(patience) => {
                    (patience.span, "the run never stops early: it is not longer than this patience")
                }
                _ => continue,
            };
            let unit = if train.length.unit == Unit::Epochs { "epochs" } else { "steps" };
            let d = finding(place, told)
                .label(cx.setting_place(train, unit), format!("{} {unit}", train.length.count))
                .help("take a shorter period, or `at end { … }`");
            out.push(d);
        }
    }
    out
}

fn longer(cx: &Context, train: &Train, count: f64, unit: Unit) -> bool {
    if unit == train.length.unit {
        return count > train.length.count;
    }
    let per_epoch = cx.steps_per_epoch(train);
    let steps = match unit {
        Unit::Steps => Some(count),
        Unit::Epochs => per_epoch.map(|n| n * count),
        _ => None,
    };
    matches!((steps, cx.total_steps(train)), (Some(s), Some(total)) if s > total)
}
