//! `decay_on_biases`: weight decay on biases and scales.

use crate::check::trace::Given;
use crate::diagnostic::Diagnostic;
use crate::lint::context::unwrapped;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0403",
    name: "decay_on_biases",
    group: Group::Pedantic,
    level: Level::Allow,
    title: "weight decay on biases and scales",
    why: "\
Decay is to keep products from growing. A bias or the scale of a normalisation has no such need, and is pulled \
away from where it works. `only: matrices` leaves them out.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: AdamW(1e-3, decay: 0.1)
",
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: Sgd(0.1) |> decay(1e-4)
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: AdamW(1e-3, decay: 0.1, only: matrices)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (train, traced) in cx.trains() {
        for (m, made) in train.minimize.iter().zip(traced.optimizers.iter().filter_map(|o| o.made())) {
            let narrow = m.parameters.iter().any(|id| cx.model.variables[id.0 as usize].ty.rank() < 2);
            let (inner, around) = unwrapped(made);
            let decays = |made: &&&crate::check::trace::Made| {
                let rate = made.given("decay").or_else(|| made.given("rate").filter(|_| &*made.name == "decay"));
                let all = matches!(made.given("only"), Some(Given::Named(f)) if &**f == "everything");
                rate.and_then(|r| r.number()).is_some_and(|r| r > 0.0) && all
            };
            if let Some(made) = around.iter().chain([&inner]).find(decays).filter(|_| narrow) {
                let d = finding(made.span, format!("`{}` makes biases and scales smaller too", made.name))
                    .help("leave them out: `only: matrices`, imported from `std.optim`");
                out.push(d);
            }
        }
    }
    out
}
