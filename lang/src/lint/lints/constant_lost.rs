//! `constant_lost`: a number that its dtype rounds to 0, to 1 or to infinity.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{Literal, Op};
use crate::types::DType;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0207",
    name: "constant_lost",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a number that its dtype rounds to 0, to 1 or to infinity",
    why: "\
`1e-8` is 0 in f16, and `1 - 1e-9` is 1 in f32: what was to keep a logarithm or a quotient finite does \
nothing. f16 begins at 6e-8 and steps by 1e-3 near 1; f32 steps by 6e-8 near 1.",
    bad: &[
        "\
let h = f16(x |> Dense(16, relu))
minimize f32(mean(h / (h + 1e-8)))
",
        "\
let p = minimum(maximum(sigmoid(x |> Dense(1)), 1e-9), 1 - 1e-9)
minimize -mean(log(1 - p + 1e-6))
",
    ],
    good: &["\
let p = minimum(maximum(sigmoid(x |> Dense(1)), 1e-6), 1 - 1e-6)
minimize -mean(log(1 - p))
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        // A number by itself stands where its user does.
        for v in pass.values() {
            let Op::Constant(Literal::Number(x)) = pass.node(v).op else { continue };
            let dtype = pass.node(v).ty.dtype;
            let here = pass.users(v).iter().any(|u| pass.is_own(*u)) && pass.is_own(v);
            let kept = match dtype {
                DType::F32 => f64::from(x as f32),
                DType::F16 => half(x),
                _ => continue,
            };
            let lost =
                x != 0.0 && kept == 0.0 || kept.abs() == 1.0 && x.abs() != 1.0 || kept.is_infinite() && x.is_finite();
            if here && lost {
                let d = finding(pass.node(v).span, format!("{x} is {kept} in {dtype}"))
                    .help("take a number that the dtype can tell apart: 1e-6 in f32, 1e-3 in f16");
                out.push(d);
            }
        }
    }
    out
}

/// Rounded to f16.
fn half(x: f64) -> f64 {
    if x.abs() >= 65520.0 {
        return f64::INFINITY.copysign(x);
    }
    let step =
        if x.abs() < 6.103515625e-5 { 5.960464477539063e-8 } else { 2f64.powi(x.abs().log2().floor() as i32 - 10) };
    (x / step).round() * step
}
