//! `learning_rate`: a learning rate far from where its optimizer works.

use crate::check::trace::Given;
use crate::diagnostic::Diagnostic;
use crate::lint::context::unwrapped;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0401",
    name: "learning_rate",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a learning rate far from where its optimizer works",
    why: "\
Each optimizer has a range in which nets train: `Adam` moves every weight by about the rate in each step, \
whatever the gradient, and 0.1 destroys in ten steps what was learned; `Sgd` at 1e-6 does not move. With \
momentum m a rate counts `1 / (1 - m)` times, and a small batch wants a smaller one. A rate taken over from \
another optimizer is the usual cause.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: Adam(lr: 0.1)
",
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: Sgd(lr: 2.0, momentum: 0.9)
",
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: Adadelta(lr: 0.001)
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
optimizer: Adam(lr: 1e-3)
"],
    fix: Fixes::None,
    check,
};

/// Where the optimizers of the library train nets: the least and the largest rate, without momentum.
const RANGES: [(&str, f64, f64); 11] = [
    ("Adadelta", 0.01, 20.0),
    ("Adagrad", 1e-5, 1.0),
    ("Adam", 1e-7, 0.03),
    ("AdamW", 1e-7, 0.03),
    ("Adamax", 1e-7, 0.05),
    ("Lion", 1e-8, 3e-3),
    ("NAdam", 1e-7, 0.03),
    ("RAdam", 1e-7, 0.05),
    ("RMSprop", 1e-7, 0.03),
    ("Sgd", 1e-6, 1.5),
    ("Adafactor", 1e-6, 1.0),
];

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (train, traced) in cx.trains() {
        for made in traced.optimizers.iter().filter_map(|o| o.made()) {
            let (inner, around) = unwrapped(made);
            let Some(rate) = inner.given("lr").and_then(peak) else { continue };
            let range = RANGES.iter().find(|(name, ..)| *name == &*inner.name && inner.library);
            let Some((_, least, most)) = range else { continue };
            let momentum = inner.given("momentum").and_then(|m| m.number()).unwrap_or(0.0);
            let clipped = around.iter().any(|w| w.name.starts_with("clip_"));
            // A small batch is noisy; clipped gradients bear a larger rate.
            let most = most * if train.batch < 8 { 0.5 } else { 1.0 } * if clipped { 4.0 } else { 1.0 };
            // The range is for no momentum, and for the usual one of 0.9.
            let counts = if momentum > 0.0 { rate * 0.1 / (1.0 - momentum) } else { rate };
            let (told, help) = match () {
                () if rate <= 0.0 => {
                    ("is 0: nothing is learned".to_string(), format!("{} works from {least} on", inner.name))
                }
                () if counts > most => (
                    format!("is large for `{}`", inner.name),
                    format!("nets train below {most} or so with it; try {}", usual(&inner.name)),
                ),
                () if rate < *least => (
                    format!("is small for `{}`", inner.name),
                    format!("nets train above {least} or so with it; try {}", usual(&inner.name)),
                ),
                () => continue,
            };
            let d = finding(inner.span, format!("the learning rate {rate} {told}")).help(help);
            out.push(if momentum > 0.0 {
                d.note(format!("the momentum {momentum} makes each gradient count {:.0} times", 1.0 / (1.0 - momentum)))
            } else {
                d
            });
        }
    }
    out
}

/// A rate to begin with.
fn usual(name: &str) -> &'static str {
    match name {
        "Sgd" => "0.1, or 0.01 with momentum",
        "Adadelta" => "1",
        "Adagrad" => "0.01",
        "Lion" => "1e-4",
        _ => "1e-3",
    }
}

/// The largest value of a schedule: what it falls from or rises to.
fn peak(rate: &Given) -> Option<f64> {
    match rate {
        Given::Made(schedule) => {
            let inner = schedule.given("then").and_then(peak);
            inner.or_else(|| ["from", "top", "high"].iter().find_map(|n| schedule.given(n)?.number()))
        }
        other => other.number(),
    }
}
