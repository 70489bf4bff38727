//! `decay_through_averages`: weight decay that passes through the averages of Adam.

use crate::diagnostic::Diagnostic;
use crate::lint::context::unwrapped;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0404",
    name: "decay_through_averages",
    group: Group::Pedantic,
    level: Level::Allow,
    title: "weight decay that passes through the averages of Adam",
    why: "\
`decay` adds to the gradient, and `Adam` divides by the root of its square: weights with large gradients \
hardly decay at all. `AdamW` takes the decay apart from them. Loshchilov and Hutter, arXiv 1711.05101.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: Adam(1e-3) |> decay(1e-2)
",
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: RAdam(1e-3) |> decay(1e-4) |> clip_norm(1.0)
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: AdamW(1e-3, decay: 1e-2, only: matrices)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (_, traced) in cx.trains() {
        for made in traced.optimizers.iter().filter_map(|o| o.made()) {
            let (inner, around) = unwrapped(made);
            let averages = inner.library && inner.given("beta2").is_some() && inner.given("decay").is_none();
            if let Some(decay) = around.iter().find(|w| averages && w.library && &*w.name == "decay") {
                let d = finding(decay.span, format!("this decay passes through the averages of `{}`", inner.name))
                    .help("write `AdamW(lr, decay: …, only: matrices)`");
                out.push(d);
            }
        }
    }
    out
}
