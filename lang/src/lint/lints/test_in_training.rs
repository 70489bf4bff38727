//! `test_in_training`: examples of the evaluation are trained on.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{Action, DataSpec};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0504",
    name: "test_in_training",
    group: Group::Correctness,
    level: Level::Deny,
    title: "examples of the evaluation are trained on",
    why: "\
The same file is read by two declarations that arrange it differently, or is training and test at once: some \
of what is evaluated has been learned by heart, and the result is better than the model is. Declare the data \
once, and take its parts.",
    bad: &[
        "\
data all  = csv(\"houses.csv\") { rooms: f32 |> standardize
  price: f32 |> standardize }
data held = csv(\"houses.csv\") { rooms: f32 |> standardize
  price: f32 |> standardize } |> shuffle(seed: 2) |> split(0.8)

train price on all.all {
  minimize mse((stack([rooms], axis: -1) |> Dense(1))[:, 0], price)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate held.test }
}
",
        "\
data houses = csv(\"houses.csv\", test: \"houses.csv\") { rooms: f32 |> standardize
  price: f32 |> standardize }

train price on houses.train {
  minimize mse((stack([rooms], axis: -1) |> Dense(1))[:, 0], price)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate houses.test }
}
",
    ],
    good: &["\
data houses = csv(\"houses.csv\") { rooms: f32 |> standardize
  price: f32 |> standardize } |> shuffle(seed: 2) |> split(0.8)

train price on houses.train {
  minimize mse((stack([rooms], axis: -1) |> Dense(1))[:, 0], price)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate houses.test }
}
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    let path = |spec: &DataSpec, name: &str| spec.args.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    for spec in &cx.model.data {
        if path(spec, "test").is_some_and(|t| Some(t) == path(spec, "path")) {
            let d = finding(spec.span, format!("the part `test` of `{}` is the file that is trained on", spec.name))
                .help("name another file, or split this one: `|> shuffle() |> split(0.9)`");
            out.push(d);
        }
    }
    for (train, _) in cx.trains() {
        let Some(own) = cx.data(&train.data) else { continue };
        for action in train.periodic.iter().flat_map(|p| &p.actions) {
            let Action::Evaluate(part) = action else { continue };
            let Some(other) = cx.data(part).filter(|_| part.data != train.data.data) else { continue };
            let same_file =
                path(own, "path").is_some() && own.source == other.source && path(own, "path") == path(other, "path");
            let apart =
                own.operators == other.operators && own.splits.get(train.data.split) != other.splits.get(part.split);
            if same_file && !apart {
                let d = finding(
                    other.span,
                    format!("`{}` and `{}` are parts of one file", cx.part_name(&train.data), cx.part_name(part)),
                )
                .says("evaluated")
                .label(own.span, "trained on; some examples are in both")
                .help("declare the data once, and evaluate another of its parts");
                out.push(d);
            }
        }
    }
    out
}
