//! `half_sum`: a long sum in half precision.

use crate::diagnostic::Diagnostic;
use crate::lint::pass::axes_of;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::types::DType;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0206",
    name: "half_sum",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a long sum in half precision",
    why: "\
f16 has eleven digits in base two and ends at 65504, bf16 has eight: a sum of thousands of numbers loses the \
small ones against the large total, or is infinite. Sums, means and losses belong in f32.",
    bad: &[
        "\
let h = f16(x |> Dense(4096, relu))
minimize f32(mean(mean(h, axis: -1), axis: 0))
",
        "\
let h = bf16(x |> Dense(512, relu))
minimize mean(f32(sum(h * h, axis: -1)))
",
    ],
    good: &["\
let h = bf16(x |> Dense(512, relu))
minimize mean(sum(f32(h) ^ 2, axis: -1))
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        for v in pass.values().filter(|v| pass.is(*v, "sum")) {
            let node = pass.node(v);
            let many = match node.ty.dtype {
                DType::F16 => 2048,
                DType::Bf16 => 256,
                _ => continue,
            };
            let shape = &pass.node(node.args[0]).ty.shape;
            let count = axes_of(pass.body, v).iter().filter_map(|a| shape[*a].dim.as_constant()).product::<i64>();
            let fact = pass.fact(node.args[0]);
            let overflows =
                fact.sure && fact.high.is_finite() && fact.high * count as f64 > 65504.0 && node.ty.dtype == DType::F16;
            if count >= many || overflows {
                let dtype = node.ty.dtype;
                let told = if overflows { "it may be above 65504" } else { "small ones are lost against the total" };
                let d = finding(node.span, format!("{count} numbers are added in {dtype}: {told}"))
                    .help("convert before the sum: `sum(f32(x))`");
                out.push(d);
            }
        }
    }
    out
}
