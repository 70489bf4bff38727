//! `sqrt_at_zero`: the square root of what may be 0, or less, on the way to a loss.

use crate::diagnostic::Diagnostic;
use crate::lint::facts::Zero;
use crate::lint::facts::range;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::ValueId;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0202",
    name: "sqrt_at_zero",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "the square root of what may be 0, or less, on the way to a loss",
    why: "\
The root of 0 is 0, but its slope there is infinite: times a gradient of 0 that is NaN, and all weights before \
it become NaN. Two equal vectors, a constant batch or a dead unit are enough. The root of less than 0 is no \
number.",
    bad: &[
        "\
let h = x |> Dense(16, relu)
minimize mean(sqrt(sum(h * h, axis: -1)))
",
        "\
let h = x |> Dense(16)
minimize mean(sqrt(variance(h, axis: 0)))
",
        "\
let h = x |> Dense(16)
minimize mean(sqrt(h))
",
    ],
    good: &["\
let h = x |> Dense(16, relu)
minimize mean(sqrt(sum(h * h, axis: -1) + 1e-6))
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        let needed = pass.needed(&pass.losses);
        let half = |v: &ValueId| {
            let by = pass.fact(pass.node(*v).args[1]);
            by.low == by.high && by.low > 0.0 && by.low < 1.0
        };
        for v in pass.written("sqrt").chain(pass.written("power").filter(half)) {
            let x = pass.node(v).args[0];
            let fact = pass.fact(x);
            let learned = fact.flows && (needed[v.0 as usize] || pass.train.is_none());
            if !fact.sure || fact.zero != Zero::Sometimes || !(learned || fact.low < 0.0) {
                continue;
            }
            let told = if fact.low < 0.0 { "may be below 0" } else { "may be 0, where the slope is infinite" };
            let d = finding(pass.node(v).span, format!("this takes the root of what {told}"))
                .label(pass.node(x).span, range(fact))
                .help("keep it above 0: `sqrt(x + 1e-6)`, `sqrt(maximum(x, 1e-6))`");
            out.push(d);
        }
    }
    out
}
