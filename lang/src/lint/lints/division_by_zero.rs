//! `division_by_zero`: a division by what may be 0.

use crate::diagnostic::Diagnostic;
use crate::lint::facts::Zero;
use crate::lint::facts::range;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::ValueId;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0203",
    name: "division_by_zero",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a division by what may be 0",
    why: "\
A sum of activations is 0 when all units are off, a deviation when a batch is constant, a range when an image \
has one colour. The quotient is then infinite or NaN, and so is everything after it.",
    bad: &[
        "\
let h = x |> Dense(16, relu)
let y = h / sum(h, axis: -1, keep: true) |> Dense(10)
minimize cross_entropy(y, label)
",
        "\
let low  = min(x, axis: -1, keep: true)
let high = max(x, axis: -1, keep: true)
minimize cross_entropy((x - low) / (high - low) |> Dense(10), label)
",
        "\
let h = x |> Dense(16)
let y = (h - mean(h, axis: 0)) / sqrt(variance(stop_gradient(h), axis: 0)) |> Dense(10)
minimize cross_entropy(y, label)
",
    ],
    good: &["\
let h = x |> Dense(16, relu)
let y = h / (sum(h, axis: -1, keep: true) + 1e-6) |> Dense(10)
minimize cross_entropy(y, label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        let inverse = |v: &ValueId| pass.fact(pass.node(*v).args[1]).high < 0.0;
        let divided = pass.written("divide").map(|v| (v, pass.node(v).args[1]));
        let powers = pass.written("power").filter(inverse).map(|v| (v, pass.node(v).args[0]));
        for (v, by) in divided.chain(powers) {
            let fact = pass.fact(by);
            if !pass.node(v).ty.dtype.is_float() || !fact.sure || fact.zero != Zero::Sometimes {
                continue;
            }
            let d = finding(pass.node(v).span, "this divides by what may be 0")
                .label(pass.node(by).span, range(fact))
                .help("add something small to it, `x / (y + 1e-6)`, or keep it away from 0: `x / maximum(y, 1e-6)`");
            out.push(d);
        }
    }
    out
}
