//! `schedule_past_run`: a schedule longer than the run, or over long before its end.

use crate::check::trace::{Given, Made};
use crate::diagnostic::Diagnostic;
use crate::lint::context::unwrapped;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{Train, Word};
use crate::syntax::ast::Unit;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0402",
    name: "schedule_past_run",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a schedule longer than the run, or over long before its end",
    why: "\
A warm-up that is as long as the run never reaches its rate, a cosine longer than the run stops half way, and \
one that is over early trains the rest at what it ended with, 0 unless it says otherwise. Durations that are \
parts of the run, `cosine(1e-3)`, go with its length.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: Adam(lr: warmup(1e-3, over: 10 epochs))
epochs: 5
",
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: Sgd(lr: piecewise(0.1, at: [300 steps, 9000 steps], factor: 0.1))
steps: 1000
",
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: Adam(lr: cosine(1e-3, over: 1 epoch))
epochs: 20
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: Adam(lr: warmup(cosine(1e-3), over: 1 epoch))
epochs: 20
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (train, traced) in cx.trains() {
        for made in traced.optimizers.iter().filter_map(|o| o.made()) {
            schedules(cx, train, &unwrapped(made).0.statics, &mut out);
        }
    }
    out
}

fn schedules(cx: &Context, train: &Train, statics: &[(Word, Given)], out: &mut Vec<Diagnostic>) {
    for made in statics.iter().filter_map(|(_, v)| v.made()) {
        for (name, value) in &made.statics {
            let all: &[Given] = match value {
                Given::List(all) => all,
                one => std::slice::from_ref(one),
            };
            for length in all {
                let Given::Duration(count, unit) = length else { continue };
                let Some(part) = part_of_run(cx, train, *count, *unit) else { continue };
                let shown = format!("{count} {}", word(*unit));
                if part > 1.0 || part == 1.0 && &*made.name == "warmup" {
                    let d = finding(
                        made.span,
                        format!("`{name}` of `{}`, {shown}, is as long as the run or longer", made.name),
                    )
                    .label(train.span, run(train))
                    .help("shorten it, or give it as a part of the run, a number from 0 to 1");
                    out.push(d);
                } else if part < 0.8 && &**name == "over" && ends_at_zero(made) {
                    let rest = ((1.0 - part) * 100.0).round();
                    let d = finding(
                        made.span,
                        format!(
                            "`{}` is over after {shown}, and the rate is 0 for the other {rest} % of the run",
                            made.name
                        ),
                    )
                    .label(train.span, run(train))
                    .help("leave `over` out, or say where the rate ends: `to: 1e-5`");
                    out.push(d);
                }
            }
        }
        schedules(cx, train, &made.statics, out);
    }
}

fn ends_at_zero(made: &Made) -> bool {
    ["cosine", "linear", "polynomial"].contains(&&*made.name) && made.given("to").and_then(|t| t.number()) == Some(0.0)
}

/// How much of the run a duration is.
fn part_of_run(cx: &Context, train: &Train, count: f64, unit: Unit) -> Option<f64> {
    if unit == train.length.unit {
        return Some(count / train.length.count);
    }
    let steps = match unit {
        Unit::Steps => count,
        Unit::Epochs => count * cx.steps_per_epoch(train)?,
        _ => return None,
    };
    Some(steps / cx.total_steps(train)?)
}

fn word(unit: Unit) -> &'static str {
    if unit == Unit::Epochs { "epochs" } else { "steps" }
}

fn run(train: &Train) -> String {
    format!("{} {}", train.length.count, word(train.length.unit))
}
