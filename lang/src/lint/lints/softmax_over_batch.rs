//! `softmax_over_batch`: a softmax over the examples of a batch.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0105",
    name: "softmax_over_batch",
    group: Group::Correctness,
    level: Level::Deny,
    title: "a softmax over the examples of a batch",
    why: "\
Over axis 0 the numbers of one class in different examples sum to 1, and not those of the classes of one \
example: what an example gets depends on who else is in its batch.",
    bad: &[
        "\
let p = softmax(x |> Dense(10), axis: 0)
minimize -mean(log(pick(p, label) + 1e-6))
",
        "\
let h = x |> Dense(10)
let e = exp(h - max(h, axis: 0, keep: true))
let p = e / sum(e, axis: 0, keep: true)
minimize mean((p - one_hot(label, 10)) ^ 2)  // tfm: allow(classes_as_numbers) shown elsewhere
",
    ],
    good: &["\
let logits = x |> Dense(10)
minimize cross_entropy(logits, label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        for v in pass.values().filter(|v| matches!(pass.primitive(*v), Some("divide" | "subtract"))) {
            let rank = pass.node(v).ty.rank();
            let over_batch = pass.fact(v).sums.as_ref().is_some_and(|s| s.axis == 0) && pass.batch_axis(v, 0);
            if over_batch && rank >= 2 && !pass.batch_axis(v, rank - 1) {
                let d = finding(pass.node(v).span, "this sums to 1 over the batch, and not over the classes")
                    .says(format!("{}: axis 0 is the batch", pass.node(v).ty))
                    .help("name the axis of the classes, which is the last one unless it is said: `softmax(x)`");
                out.push(d);
            }
        }
    }
    out
}
