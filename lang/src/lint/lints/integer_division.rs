//! `integer_division`: a division of whole numbers that loses what is behind the point.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0208",
    name: "integer_division",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a division of whole numbers that loses what is behind the point",
    why: "\
`/` of whole numbers rounds down: `image / 255` of bytes is 0 everywhere but at 255, and what the model sees \
is empty. Convert first.",
    bad: &[
        "\
minimize cross_entropy(f32(image / 4) / 64 |> flatten |> Dense(10), label)
",
        "\
let half = f32(i32(image) / 2) / 128
minimize cross_entropy(half |> Conv2d(8, kernel: 3) |> relu |> flatten |> Dense(10), label)
",
    ],
    good: &["\
minimize cross_entropy(f32(image) / 255 |> flatten |> Dense(10), label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        for v in pass.written("divide").filter(|v| pass.node(*v).ty.dtype.is_int()) {
            let becomes_float =
                pass.follow(v, &|p, u| matches!(p.primitive(u), Some("reshape" | "transpose" | "broadcast")));
            let cast = becomes_float.iter().find(|u| pass.is(**u, "cast") && pass.node(**u).ty.dtype.is_float());
            let Some(cast) = cast else { continue };
            let dtype = pass.node(v).ty.dtype;
            let d = finding(pass.node(v).span, format!("this division of {dtype} rounds down"))
                .label(pass.node(*cast).span, "and what is behind the point is wanted here")
                .help("convert before the division: `f32(x) / 255`");
            out.push(d);
        }
    }
    out
}
