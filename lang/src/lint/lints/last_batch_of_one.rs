//! `last_batch_of_one`: a last batch of one example, and a batch normalisation.

use crate::diagnostic::Diagnostic;
use crate::lint::data::count;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0310",
    name: "last_batch_of_one",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a last batch of one example, and a batch normalisation",
    why: "\
The last batch of an epoch may be smaller. When it is one example, its batch statistics are the example \
itself, the layer gives nothing but its shift, and the running variance is pulled towards 0.",
    bad: &[
        "\
data digits = drawn_digits(train: 4001, test: 1000)

train net on digits.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(32) |> BatchNorm() |> relu |> Dense(10), label)
  optimizer: Adam()
  batch: 50
  epochs: 5
  every 1 epoch { evaluate digits.test }
}
",
        "\
data digits = drawn_digits() |> take(1025)

train net on digits.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(32) |> BatchNorm() |> relu |> Dense(10), label)
  optimizer: Adam()
  batch: 64
  epochs: 5
  every 1 epoch { evaluate digits.test }
}
",
    ],
    good: &["\
data digits = drawn_digits(train: 4000, test: 1000)

train net on digits.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(32) |> BatchNorm() |> relu |> Dense(10), label)
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
    for pass in cx.training() {
        let Some((train, _)) = pass.train else { continue };
        let Some(n) = cx.data(&train.data).and_then(|spec| count(spec, &train.data)) else { continue };
        if train.batch < 2 || n as i64 % train.batch != 1 {
            continue;
        }
        if let Some(norm) = pass.outermost().find(|a| &*a.name == "BatchNorm") {
            let d = finding(cx.setting_place(train, "batch"), format!("the last batch of {n} examples is one example"))
                .label(norm.span, "which has no variance to normalise by")
                .help("take another batch, or one example less: `|> take(…)`");
            out.push(d);
        }
    }
    out
}
