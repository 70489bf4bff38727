//! `probabilities_as_logits`: a loss or metric that wants logits is given probabilities.

use crate::diagnostic::Diagnostic;
use crate::lint::edits::without;
use crate::lint::losses::{Wants, scored};
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0101",
    name: "probabilities_as_logits",
    group: Group::Correctness,
    level: Level::Deny,
    title: "a loss or metric that wants logits is given probabilities",
    why: "\
A loss that takes `logits` applies `softmax` or `sigmoid` itself, in a form that does not overflow. After a \
second one all classes look nearly alike, gradients are small, and training is slow and ends worse, without an \
error. A metric that takes a `logit` asks whether it is above 0, which a probability always is.",
    bad: &[
        "\
let p = x |> Dense(32, relu) |> Dense(10) |> softmax
minimize cross_entropy(p, label)
",
        "\
let odd = label % 2
let p   = x |> Dense(32, relu) |> Dense(1, sigmoid) |> squeeze(axis: -1)
minimize binary_cross_entropy_of_probability(p, f32(odd))
report   accuracy_binary(p, odd)
",
    ],
    good: &["\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label)
"],
    fix: Fixes::Unsafe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        for s in scored(pass).iter().filter(|s| matches!(s.wants, Wants::Logits | Wants::Logit) && !s.by_order(pass)) {
            let made = strip(pass.body, s.predicted);
            let sigmoid = pass.is(made, "sigmoid");
            if !sigmoid && !pass.fact(s.predicted).is_distribution() {
                continue;
            }
            let function = if sigmoid { "sigmoid" } else { "softmax" };
            let place = pass.node(made).span;
            let name = &s.of.name;
            let mut d = finding(place, format!("`{name}` wants logits and is given probabilities"))
                .says(format!("`{function}` makes probabilities"))
                .label(s.of.span, format!("this {} takes what stands before `{function}`", s.kind()))
                .help(format!("leave `{function}` out here; apply it where probabilities are shown"));
            if let Some((span, text)) = without(cx, place, function) {
                d = d.fix(format!("leave `{function}` out"), span, text);
            }
            out.push(d);
        }
    }
    out
}
