//! `averaged_twice`: a loss that is divided by the batch twice.

use crate::diagnostic::Diagnostic;
use crate::lint::averages::{Leaf, places};
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0113",
    name: "averaged_twice",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a loss that is divided by the batch twice",
    why: "\
The mean of a batch is divided by its size once more: gradients are as many times too small, and the more so \
the larger the batch.",
    bad: &[
        "\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label) / B
",
        "\
let logits = x |> Dense(32, relu) |> Dense(10)
let each   = cross_entropy(logits, label, reduce: identity)
minimize mean(each / B)
",
    ],
    good: &["\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let found = places(cx, Leaf::Twice).into_iter();
    let say = |place| {
        finding(place, "this loss is divided by the batch twice")
            .says("its mean is taken elsewhere")
            .help("leave this division out")
    };
    found.map(say).collect()
}
