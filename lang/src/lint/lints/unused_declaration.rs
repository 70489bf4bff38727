//! `unused_declaration`: a declaration that nothing in the experiment uses.

use crate::diagnostic::Diagnostic;
use crate::lint::names::unused;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::{ItemKind, Name};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0604",
    name: "unused_declaration",
    group: Group::Style,
    level: Level::Warn,
    title: "a declaration that nothing in the experiment uses",
    why: "\
A file with a `train` block has a layer, model, function, constant or data that neither the block nor anything \
else there uses. (A file without one is taken for a module that others import.)",
    bad: &[
        "\
const width = 64
data digits = drawn_digits()

train net on digits.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(32, relu) |> Dense(10), label)
  optimizer: Adam()
  batch: 50
  epochs: 5
  every 1 epoch { evaluate digits.test }
}
",
        "\
data digits = drawn_digits()
model Old(x: f32[B, 784]) -> f32[B, 10] { Dense(10)(x) }

train net on digits.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(32, relu) |> Dense(10), label)
  optimizer: Adam()
  batch: 50
  epochs: 5
  every 1 epoch { evaluate digits.test }
}
",
    ],
    good: &["\
const width = 64
data digits = drawn_digits()

train net on digits.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(width, relu) |> Dense(10), label)
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
    let say = |name: &Name| finding(name.span, format!("nothing uses `{}`", name.text)).help("use it, or take it out");
    unused(cx, declared).into_iter().map(say).collect()
}

fn declared(kind: &ItemKind) -> Option<&Name> {
    match kind {
        ItemKind::Const(name, _) | ItemKind::Data { name, .. } => Some(name),
        ItemKind::Callable(c) => Some(&c.name),
        _ => None,
    }
}
