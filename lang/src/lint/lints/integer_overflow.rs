//! `integer_overflow`: whole numbers that their dtype cannot hold.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::types::DType;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0209",
    name: "integer_overflow",
    group: Group::Correctness,
    level: Level::Deny,
    title: "whole numbers that their dtype cannot hold",
    why: "\
Arithmetic in u8 and i8 begins again at the other end: 200 + 100 is 44 in u8, and 0 - 1 is 255. Convert before \
computing.",
    bad: &[
        "\
minimize cross_entropy(f32(image * 2) / 510 |> flatten |> Dense(10), label)
",
        "\
minimize cross_entropy(f32(image - 128) / 255 |> flatten |> Dense(10), label)
",
    ],
    good: &["\
minimize cross_entropy((f32(image) - 128) / 255 |> flatten |> Dense(10), label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        for name in ["add", "subtract", "multiply", "negate"] {
            for v in pass.written(name) {
                let (node, fact) = (pass.node(v), pass.fact(v));
                let (low, high) = match node.ty.dtype {
                    DType::U8 => (0.0, 255.0),
                    DType::I8 => (-128.0, 127.0),
                    _ => continue,
                };
                if fact.sure && (fact.low < low || fact.high > high) {
                    let d = finding(node.span, format!("{} cannot hold this", node.ty.dtype))
                        .says(format!("from {} to {}; the dtype goes from {low} to {high}", fact.low, fact.high))
                        .help("convert first: `f32(x)`, or `i32(x)`");
                    out.push(d);
                }
            }
        }
    }
    out
}
