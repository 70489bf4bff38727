//! `unused_dimension`: a `dim` that no type names.

use crate::diagnostic::Diagnostic;
use crate::lint::names::unused;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::{ItemKind, Name};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0603",
    name: "unused_dimension",
    group: Group::Style,
    level: Level::Warn,
    title: "a `dim` that no type names",
    why: "\
A `dim` gives a size a name that never matches another. Where nothing uses it, nothing is told apart.",
    bad: &[
        "\
dim T = 64
data digits = drawn_digits()

train net on digits.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(10), label)
  optimizer: Adam()
  batch: 50
  epochs: 5
  every 1 epoch { evaluate digits.test }
}
",
        "\
dim W = 32
dim H = 16
data digits = drawn_digits()

train net on digits.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(W, relu) |> Dense(10), label)
  optimizer: Adam()
  batch: 50
  epochs: 5
  every 1 epoch { evaluate digits.test }
}
",
    ],
    good: &["\
dim W = 32
data digits = drawn_digits()

train net on digits.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(W, relu) |> Dense(10), label)
  optimizer: Adam()
  batch: 50
  epochs: 5
  every 1 epoch { evaluate digits.test }
}
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let say = |name: &Name| {
        finding(name.span, format!("nothing uses the dimension `{}`", name.text)).help("use it in a type, or take it out")
    };
    unused(cx, declared).into_iter().map(say).collect()
}

fn declared(kind: &ItemKind) -> Option<&Name> {
    if let ItemKind::Dim(name, _) = kind { Some(name) } else { None }
}
