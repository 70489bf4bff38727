//! `category_as_number`: numbers of categories go into a layer as quantities.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0506",
    name: "category_as_number",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "numbers of categories go into a layer as quantities",
    why: "\
Category 7 is not seven times category 1. A layer that multiplies the number of a category by a weight has to \
find an order that is not there. `Embedding(rows, width)` gives each a row of its own, `one_hot(ids, n)` a \
place of its own.",
    bad: &[
        "\
data people = csv(\"people.csv\") {
  town: category(hash: 64)
  left: label([\"no\", \"yes\"])
} |> shuffle() |> split(0.8)

train leaves on people.train {
  let logit = stack([f32(town)], axis: -1) |> Dense(16, relu) |> Dense(1) |> squeeze(axis: -1)
  minimize binary_cross_entropy(logit, f32(left))
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate people.test }
}
",
        "\
data reviews = jsonl(\"reviews.jsonl\") { text: words(8_000, length: 64)
  stars: label(5) } |> shuffle() |> split(0.9)

train stars on reviews.train {
  minimize cross_entropy(f32(text) / 8000 |> Dense(32, relu) |> Dense(5), stars)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate reviews.test }
}
",
    ],
    good: &["\
data people = csv(\"people.csv\") {
  town: category(hash: 64)
  left: label([\"no\", \"yes\"])
} |> shuffle() |> split(0.8)

train leaves on people.train {
  let logit = Embedding(64, 8)(town) |> Dense(16, relu) |> Dense(1) |> squeeze(axis: -1)
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
        for v in pass.values() {
            let Some((x, ..)) = pass.linear(v) else { continue };
            for name in &pass.fact(x).numbered {
                let d =
                    finding(pass.node(v).span, format!("the numbers of the categories of `{name}` go into this layer"))
                        .help("give each category a row, `Embedding(rows, width)`, or a place, `one_hot(ids, n)`");
                out.push(d);
            }
        }
    }
    out
}
