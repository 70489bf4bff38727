//! `bias_before_norm`: a bias that the normalisation after it takes away.

use crate::diagnostic::Diagnostic;
use crate::lint::edits::with_argument;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0303",
    name: "bias_before_norm",
    group: Group::Performance,
    level: Level::Allow,
    title: "a bias that the normalisation after it takes away",
    why: "\
`BatchNorm` and `InstanceNorm` subtract the mean of each channel, and a bias with it: it is computed, trained \
and kept for nothing.",
    bad: &[
        "\
let h = f32(image) / 255 |> Conv2d(16, kernel: 3) |> BatchNorm() |> relu
minimize cross_entropy(flatten(h) |> Dense(10), label)
",
        "\
minimize cross_entropy(x |> Dense(32) |> BatchNorm() |> relu |> Dense(10), label)
",
    ],
    good: &["\
let h = f32(image) / 255 |> Conv2d(16, kernel: 3, bias: false) |> BatchNorm() |> relu
minimize cross_entropy(flatten(h) |> Dense(10), label)
"],
    fix: Fixes::Unsafe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        for norm in pass.outermost().filter(|a| matches!(&*a.name, "BatchNorm" | "InstanceNorm")) {
            let Some(x) = norm.input("x") else { continue };
            let product = pass.without_bias(x);
            if product == strip(pass.body, x) || pass.linear(product).is_none() {
                continue;
            }
            let place = pass.node(product).span;
            let d = finding(place, format!("`{}` takes the bias of this layer away", norm.name))
                .label(norm.span, "it subtracts the mean of each channel")
                .help("leave the bias out: `bias: false`");
            out.push(match with_argument(cx, place, "bias: false") {
                Some((span, text)) => d.fix("leave the bias out", span, text),
                None => d,
            });
        }
    }
    out
}
