//! `unreasoned_allow`: a `// tfm: allow(…)` without a reason.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0607",
    name: "unreasoned_allow",
    group: Group::Style,
    level: Level::Warn,
    title: "a `// tfm: allow(…)` without a reason",
    why: "\
Who reads it later cannot tell whether it still holds. The reason stands behind the bracket.",
    bad: &[
        "\
let p = sigmoid(x |> Dense(1))
minimize -mean(log(1 - p))  // tfm: allow(log_of_zero)
",
        "\
// tfm: allow(learning_rate)
optimizer: Adam(lr: 0.1)
",
    ],
    good: &["\
// tfm: allow(learning_rate) found by a search
optimizer: Adam(lr: 0.1)
"],
    fix: Fixes::None,
    check,
};

/// `allow.rs` finds it, once the others are known.
fn check(_: &Context) -> Vec<Diagnostic> {
    Vec::new()
}
