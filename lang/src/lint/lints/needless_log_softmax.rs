//! `needless_log_softmax`: `log_softmax` before a loss that applies it itself.

use crate::diagnostic::Diagnostic;
use crate::lint::edits::without;
use crate::lint::losses::{Wants, scored};
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0104",
    name: "needless_log_softmax",
    group: Group::Style,
    level: Level::Warn,
    title: "`log_softmax` before a loss that applies it itself",
    why: "\
`log_softmax` of its own result is that result: nothing is wrong, and nothing is gained. `cross_entropy` takes \
logits, `nll` what `log_softmax` gives.",
    bad: &[
        "\
let logits = x |> Dense(32, relu) |> Dense(10) |> log_softmax
minimize cross_entropy(logits, label)
",
        "\
let scores = log_softmax(x |> Dense(10))
minimize focal(scores, label)
",
    ],
    good: &["\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label)
"],
    fix: Fixes::Safe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        for s in scored(pass).iter().filter(|s| s.wants == Wants::Logits) {
            let made = strip(pass.body, s.predicted);
            if !pass.fact(s.predicted).is_log_distribution() {
                continue;
            }
            let place = pass.node(made).span;
            let d = finding(place, format!("`{}` applies `log_softmax` itself", s.of.name))
                .label(s.of.span, "here")
                .help("leave it out");
            out.push(match without(cx, place, "log_softmax") {
                Some((span, text)) => d.safe_fix("leave `log_softmax` out", span, text),
                None => d,
            });
        }
    }
    out
}
