//! `log_of_zero`: the logarithm of what may be 0 or less.

use crate::diagnostic::Diagnostic;
use crate::lint::facts::Zero;
use crate::lint::facts::range;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0201",
    name: "log_of_zero",
    group: Group::Correctness,
    level: Level::Deny,
    title: "the logarithm of what may be 0 or less",
    why: "\
`log(0)` is minus infinity, and the logarithm of less is no number. One such element makes the loss infinite \
or NaN, and the next step makes all weights NaN. A probability is 0 in f32 once its logit lies some 100 below \
the others: it happens.",
    bad: &[
        "\
let p = sigmoid(x |> Dense(32, relu) |> Dense(1))[:, 0]
let y = f32(label % 2)
minimize -mean(y * log(p + 1e-7) + (1 - y) * log(1 - p))
",
        "\
let h = x |> Dense(32, relu)
minimize mean(log(sum(h, axis: -1)))
",
        "\
let rate = x |> Dense(1) |> squeeze(axis: -1)
minimize mean(rate - f32(label) / 10 * log(rate))
",
    ],
    good: &["\
let rate = x |> Dense(1) |> softplus
minimize mean(rate - mean(x, axis: -1, keep: true) * log(rate + 1e-6))
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        for v in pass.written("log") {
            let x = pass.node(v).args[0];
            let fact = pass.fact(x);
            // These have a stable form of their own, which `unstable_form` tells.
            if !fact.sure
                || fact.zero != Zero::Sometimes
                || fact.is_distribution()
                || pass.is(strip(pass.body, x), "sigmoid")
            {
                continue;
            }
            let told = if fact.low < 0.0 { "may be 0 or less" } else { "may be 0" };
            let d = finding(pass.node(v).span, format!("this takes the logarithm of what {told}"))
                .label(pass.node(x).span, range(fact))
                .help("keep it above 0: `log(maximum(x, 1e-6))`, `log(x + 1e-6)`; for probabilities, `log_softmax` and `log_sigmoid`");
            out.push(d);
        }
    }
    out
}
