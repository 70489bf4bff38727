//! `bounded_prediction`: a number is to be predicted that the last activation cannot reach.

use crate::diagnostic::Diagnostic;
use crate::lint::losses::{Wants, scored};
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::CallableKind;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0109",
    name: "bounded_prediction",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a number is to be predicted that the last activation cannot reach",
    why: "\
After `sigmoid`, `tanh` or `softmax` a prediction lies in a fixed range, after `relu` it is not below 0. Where \
the target goes further, the loss has a floor that no training gets under. The last layer of a regression has \
no activation.",
    bad: &[
        "\
data houses = csv(\"houses.csv\") {
  rooms: f32 |> standardize
  price: f32 |> standardize
} |> shuffle() |> split(0.8)

train price on houses.train {
  let guess = stack([rooms], axis: -1) |> Dense(16, relu) |> Dense(1, sigmoid)
  minimize mse(guess[:, 0], price)
  optimizer: Adam()
  batch: 32
  epochs: 5
  every 1 epoch { evaluate houses.test }
}
",
        "\
data houses = csv(\"houses.csv\") {
  rooms: f32 |> standardize
  price: f32
} |> shuffle() |> split(0.8)

train price on houses.train {
  let guess = stack([rooms], axis: -1) |> Dense(16, relu) |> Dense(1) |> tanh
  minimize mae(guess[:, 0], price)
  optimizer: Adam()
  batch: 32
  epochs: 5
  every 1 epoch { evaluate houses.test }
}
",
    ],
    good: &["\
data houses = csv(\"houses.csv\") {
  rooms: f32 |> standardize
  price: f32 |> standardize
} |> shuffle() |> split(0.8)

train price on houses.train {
  let guess = stack([rooms], axis: -1) |> Dense(16, relu) |> Dense(1)
  minimize mse(guess[:, 0], price)
  optimizer: Adam()
  batch: 32
  epochs: 5
  every 1 epoch { evaluate houses.test }
}
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        for s in scored(pass).iter().filter(|s| s.wants == Wants::Number && s.of.kind == CallableKind::Loss) {
            let (p, Some(t)) = (pass.fact(s.predicted), s.target.map(|t| pass.fact(t))) else { continue };
            let bounded = p.low >= 0.0 || p.low >= -1.0 && p.high <= 1.0;
            if !p.sure || !p.weights || !bounded || t.weights || t.fields.is_empty() || t.class || t.one_hot {
                continue;
            }
            let made = strip(pass.body, s.predicted);
            if matches!(pass.primitive(made), Some("sign" | "round" | "floor")) {
                continue;
            }
            let narrow = p.low >= -1.0 && p.high <= 1.0;
            // A column as it is in the file may lie anywhere; that it is above 0 is likely enough.
            let beyond = if t.sure { t.low < p.low || t.high > p.high } else { narrow && !t.plain.is_empty() };
            if beyond {
                let range = if p.high.is_finite() {
                    format!("from {} to {}", p.low, p.high)
                } else {
                    format!("{} or more", p.low)
                };
                let d = finding(pass.node(made).span, format!("what is predicted is {range}, and its target is not"))
                    .label(s.of.span, format!("`{}` of a target without such bounds", s.of.name))
                    .help("leave the activation of the last layer out");
                out.push(d);
            }
        }
    }
    out
}
