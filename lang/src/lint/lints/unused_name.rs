//! `unused_name`: a name that is given to a value and not used.

use crate::diagnostic::Diagnostic;
use crate::lint::names::unused_lets;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0602",
    name: "unused_name",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a name that is given to a value and not used",
    why: "\
What is computed and named was to be used, most often: a later line has another name in its place. A name that \
begins with `_` is meant not to be used.",
    bad: &[
        "\
let h = x |> Dense(32, relu)
let d = Dropout(0.5)(h)
minimize cross_entropy(h |> Dense(10), label)
",
        "\
layer Block(width: int)(x: float[B, D]) -> float[B, D] {
  let wide = 2 * width
  x |> Dense(width, relu) |> Dense(D)
}

model Net(x: f32[B, 784]) -> f32[B, 10] { x |> Block(64) |> relu |> Dense(10) }
",
    ],
    good: &["\
let h = x |> Dense(32, relu) |> Dropout(0.5)
minimize cross_entropy(h |> Dense(10), label)
"],
    fix: Fixes::Unsafe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for file in &cx.files {
        for (name, _) in unused_lets(file) {
            let d = finding(name.span, format!("`{}` is not used", name.text))
                .help(format!("use it, leave it out, or write `_{}`", name.text));
            out.push(d.fix("say that it is not used", name.span, format!("_{}", name.text)));
        }
    }
    out
}
