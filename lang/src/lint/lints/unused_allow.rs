//! `unused_allow`: a `// tfm: allow(…)` that allows nothing.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0606",
    name: "unused_allow",
    group: Group::Style,
    level: Level::Warn,
    title: "a `// tfm: allow(…)` that allows nothing",
    why: "\
What it was for has gone, or stands on another line, or there is no lint of this name. Left there, it would \
hide the next finding. `--fix` takes it out.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(10), label)  // tfm: allow(log_of_zero) the labels are there
",
        "\
// tfm: allow(log_of_nothing) there is no such lint
minimize cross_entropy(x |> Dense(10), label)
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(10), label)
"],
    fix: Fixes::Safe,
    check,
};

/// `allow.rs` finds it, once the others are known.
fn check(_: &Context) -> Vec<Diagnostic> {
    Vec::new()
}
