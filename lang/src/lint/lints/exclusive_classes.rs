//! `exclusive_classes`: yes and no is asked of each class where one of them is right.

use crate::diagnostic::Diagnostic;
use crate::lint::losses::scored;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0111",
    name: "exclusive_classes",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "yes and no is asked of each class where one of them is right",
    why: "\
`binary_cross_entropy` against one-hot rows trains each class by itself: nothing says that one of them must be \
right, and of n classes n - 1 are easy. `cross_entropy` chooses among them.",
    bad: &[
        "\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize binary_cross_entropy(logits, one_hot(label, 10))
",
        "\
let p = x |> Dense(32, relu) |> Dense(10, sigmoid)
minimize binary_cross_entropy_of_probability(p, one_hot(label, 10))
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
    let mut out = Vec::new();
    for pass in cx.training() {
        for s in scored(pass).iter().filter(|s| s.of.name.starts_with("binary_cross_entropy")) {
            let Some(target) = s.target.filter(|t| pass.fact(*t).one_hot) else { continue };
            let n = pass.node(target).ty.shape.last().and_then(|a| a.dim.as_constant());
            if n.is_some_and(|n| n > 1) {
                let d = finding(s.of.span, format!("`{}` decides about each class by itself", s.of.name))
                    .label(pass.node(target).span, "of which one is right for each example")
                    .help("`cross_entropy(logits, label)` takes the class numbers as they are");
                out.push(d);
            }
        }
    }
    out
}
