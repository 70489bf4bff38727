//! `no_evaluation`: a training that is never evaluated.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::Action;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0405",
    name: "no_evaluation",
    group: Group::Pedantic,
    level: Level::Allow,
    title: "a training that is never evaluated",
    why: "\
Metrics of the batches that are learned from do not tell whether anything else will be right. There is another \
part of the data, and nothing looks at it.",
    bad: &[
        "\
data digits = drawn_digits()

train net on digits.train {
  let logits = flatten(f32(image) / 255) |> Dense(10)
  minimize cross_entropy(logits, label)
  report accuracy(logits, label)
  optimizer: Adam()
  batch: 50
  epochs: 5
}
",
        "\
data houses = csv(\"houses.csv\") {
  rooms: f32 |> standardize
  price: f32 |> standardize
} |> shuffle() |> split(0.8)

train price on houses.train {
  minimize mse((stack([rooms], axis: -1) |> Dense(1))[:, 0], price)
  optimizer: Adam()
  batch: 32
  epochs: 20
  at end { checkpoint keep 1 }
}
",
    ],
    good: &["\
data digits = drawn_digits()

train net on digits.train {
  let logits = flatten(f32(image) / 255) |> Dense(10)
  minimize cross_entropy(logits, label)
  report accuracy(logits, label)
  optimizer: Adam()
  batch: 50
  epochs: 5
  every 1 epoch { evaluate digits.test }
}
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (train, _) in cx.trains() {
        let Some(spec) = cx.data(&train.data) else { continue };
        let evaluates = train.periodic.iter().flat_map(|p| &p.actions).any(|a| matches!(a, Action::Evaluate(_)));
        let other = spec.splits.iter().enumerate().find(|(i, _)| *i != train.data.split);
        if let Some((_, other)) = other.filter(|_| !evaluates) {
            let part = format!("{}.{other}", spec.name);
            let d = finding(train.span, format!("`{}` is never evaluated, and there is `{part}`", train.name))
                .help(format!("write `every 1 epoch {{ evaluate {part} }}`"));
            out.push(d);
        }
    }
    out
}
