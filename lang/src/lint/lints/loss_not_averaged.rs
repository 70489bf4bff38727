//! `loss_not_averaged`: a loss that grows with the batch.

use crate::diagnostic::Diagnostic;
use crate::lint::averages::{Leaf, places};
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0112",
    name: "loss_not_averaged",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a loss that grows with the batch",
    why: "\
A sum over the examples of a batch makes gradients as many times larger as there are examples: a learning rate \
that is right for one batch size is wrong for the next, and the last, smaller batch counts less.",
    bad: &[
        "\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label, reduce: sum)
",
        "\
let rebuilt = x |> Dense(32, relu) |> Dense(784)
minimize sum((rebuilt - x) ^ 2)
",
    ],
    good: &["\
let rebuilt = x |> Dense(32, relu) |> Dense(784)
minimize mean(sum((rebuilt - x) ^ 2, axis: -1))
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let found = places(cx, Leaf::Summed).into_iter();
    let say = |place| {
        finding(place, "this loss is a sum over the batch")
            .says("it grows with the number of examples")
            .help("take the `mean` over the examples; a sum over what is in one example may stay")
    };
    found.map(say).collect()
}
