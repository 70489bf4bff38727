//! `unscaled_column`: a column of numbers goes into a layer as it is in the file.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0505",
    name: "unscaled_column",
    group: Group::Data,
    level: Level::Warn,
    title: "a column of numbers goes into a layer as it is in the file",
    why: "\
A salary in the tens of thousands beside an age makes the age invisible, and the first steps far too large. \
`|> standardize` takes mean and deviation from the training part; `log1p` before it tames long tails.",
    bad: &[
        "\
data people = csv(\"people.csv\") {
  age:    f32
  salary: f32
  left:   label([\"no\", \"yes\"])
} |> shuffle() |> split(0.8)

train leaves on people.train {
  let logit = stack([age, salary], axis: -1) |> Dense(16, relu) |> Dense(1) |> squeeze(axis: -1)
  minimize binary_cross_entropy(logit, f32(left))
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate people.test }
}
",
        "\
data sales = jsonl(\"sales.jsonl\") { past: f32[12]
  next: f32 |> standardize } |> shuffle() |> split(0.8)

train guess on sales.train {
  minimize mse((past |> Dense(16, relu) |> Dense(1))[:, 0], next)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate sales.test }
}
",
    ],
    good: &["\
data people = csv(\"people.csv\") {
  age:    f32 |> standardize
  salary: f32 |> log1p |> standardize
  left:   label([\"no\", \"yes\"])
} |> shuffle() |> split(0.8)

train leaves on people.train {
  let logit = stack([age, salary], axis: -1) |> Dense(16, relu) |> Dense(1) |> squeeze(axis: -1)
  minimize binary_cross_entropy(logit, f32(left))
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate people.test }
}
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        let Some(spec) = pass.train.and_then(|(t, _)| cx.data(&t.data)) else { continue };
        for v in pass.values() {
            let Some((x, ..)) = pass.linear(v) else { continue };
            for name in &pass.fact(x).plain {
                let last = name.rsplit('.').next().unwrap_or(name);
                let Some(column) = spec.columns.iter().find(|c| c.name == last) else { continue };
                let d = finding(column.span, format!("`{last}` goes into a layer as it is in the file"))
                    .label(pass.node(v).span, "this layer's weights are made for numbers near 1")
                    .help("write `|> standardize` behind its kind");
                out.push(d);
            }
        }
    }
    out
}
