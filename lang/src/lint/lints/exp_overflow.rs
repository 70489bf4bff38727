//! `exp_overflow`: an exponential that its dtype cannot hold.

use crate::diagnostic::Diagnostic;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::types::DType;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0204",
    name: "exp_overflow",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "an exponential that its dtype cannot hold",
    why: "\
`exp(89)` is infinite in f32, `exp(12)` in f16. Where the argument is known to go that far, or is itself a \
square or an exponential, the result is infinite sooner or later, and NaN a step after.",
    bad: &[
        "\
let energy = exp(f32(image))
minimize cross_entropy(flatten(energy) |> Dense(10), label)
",
        "\
let h = x |> Dense(16)
minimize mean(exp(h ^ 2))
",
        "\
let h = f16(x |> Dense(16))
minimize mean(f32(exp(h)))
",
    ],
    good: &["\
let h = x |> Dense(16)
minimize mean(exp(-(h ^ 2)))
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        let learned = pass.needed(&pass.losses);
        for v in pass.written("exp") {
            let node = pass.node(v);
            let x = node.args[0];
            let fact = pass.fact(x);
            let most = match node.ty.dtype {
                DType::F16 => 11.0,
                DType::F64 => 709.0,
                _ => 88.7,
            };
            let inner = strip(pass.body, x);
            let grows =
                pass.is(inner, "exp") || fact.low >= 0.0 && matches!(pass.primitive(inner), Some("multiply" | "power"));
            let steep =
                grows && fact.high.is_infinite() && fact.weights && (learned[v.0 as usize] || pass.train.is_none());
            let told = match fact.high {
                high if high.is_finite() && high > most && fact.sure => format!("its argument goes up to {high}"),
                high if high.is_finite() => continue,
                _ if steep => "its argument grows faster than what is learned, and has no bound".to_string(),
                _ if node.ty.dtype == DType::F16 && fact.weights => "nothing bounds its argument".to_string(),
                _ => continue,
            };
            let d = finding(node.span, format!("this exponential may be too large for {}: {told}", node.ty.dtype))
                .says(format!("infinite from exp({most}) on"))
                .help("bound the argument, `exp(minimum(x, 10))`, or subtract its maximum first");
            out.push(d);
        }
    }
    out
}
