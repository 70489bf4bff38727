//! `batch_exceeds_data`: a batch larger than the data.

use crate::diagnostic::Diagnostic;
use crate::lint::data::count;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0409",
    name: "batch_exceeds_data",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a batch larger than the data",
    why: "\
One batch is all there is: an epoch is one step, and a few epochs are a few steps.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
batch: 10000
epochs: 50
",
        "\
data digits = drawn_digits(train: 100, test: 100)

train net on digits.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(10), label)
  optimizer: Adam()
  batch: 128
  epochs: 50
  every 1 epoch { evaluate digits.test }
}
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
batch: 100
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (train, _) in cx.trains() {
        let Some(n) = cx.data(&train.data).and_then(|spec| count(spec, &train.data)) else { continue };
        if train.batch as f64 > n {
            let d = finding(
                cx.setting_place(train, "batch"),
                format!("a batch of {} is larger than the data, {n} examples", train.batch),
            )
            .help("take a smaller batch: an epoch is one step now");
            out.push(d);
        }
    }
    out
}
