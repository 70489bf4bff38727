//! `evaluates_training_data`: an evaluation on nothing but the examples that are trained on.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{Action, DataRef, Static};
use crate::source::Span;
use crate::syntax::ast::{Block, StmtKind};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0406",
    name: "evaluates_training_data",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "an evaluation on nothing but the examples that are trained on",
    why: "\
What a model has seen it may know by heart: its accuracy there says nothing of what it does with others. To \
choose a checkpoint or to stop by it keeps what fits best by heart.",
    bad: &[
        "\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label)
report accuracy(logits, label)
every 1 epoch { evaluate digits.train }
",
        "\
data houses = csv(\"houses.csv\") {
  rooms: f32 |> standardize
  price: f32 |> standardize
}

train price on houses.all {
  minimize mse((stack([rooms], axis: -1) |> Dense(1))[:, 0], price)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch {
    evaluate houses.all
    checkpoint lowest all.loss
  }
}
",
    ],
    good: &["\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label)
report accuracy(logits, label)
every 1 epoch {
  evaluate digits.train
  evaluate digits.test
}
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (train, _) in cx.trains() {
        let actions = train.periodic.iter().flat_map(|p| &p.actions);
        let parts: Vec<&DataRef> =
            actions.filter_map(|a| if let Action::Evaluate(part) = a { Some(part) } else { None }).collect();
        let same = |p: &&DataRef| p.data == train.data.data && p.split == train.data.split;
        let skips = |p: &DataRef| {
            p.operators.iter().any(|o| matches!(o, Static::Call(name, _) if name == "skip" || name == "filter"))
        };
        if parts.is_empty() || !parts.iter().all(same) || parts.iter().any(|p| skips(p)) || skips(&train.data) {
            continue;
        }
        let place = cx.block(train).and_then(evaluate).unwrap_or(train.span);
        let name = cx.part_name(&train.data);
        let others: Vec<String> = match cx.data(&train.data) {
            Some(spec) => spec.splits.iter().filter(|s| !name.ends_with(&format!(".{s}"))).cloned().collect(),
            None => Vec::new(),
        };
        let help = match others.first() {
            Some(other) => format!("evaluate `{}.{other}`", name.split('.').next().unwrap_or_default()),
            None => "split the data, `|> shuffle() |> split(0.9)`, and evaluate the part `test`".to_string(),
        };
        let d = finding(place, format!("`{name}` is what is trained on, and nothing else is evaluated"))
            .label(train.span, "here")
            .help(help);
        out.push(d);
    }
    out
}

/// The first `evaluate` of a block.
fn evaluate(b: &Block) -> Option<Span> {
    b.statements.iter().find_map(|s| match &s.kind {
        StmtKind::Evaluate(e) => Some(e.span),
        StmtKind::Every(_, inner) | StmtKind::AtEnd(inner) => evaluate(inner),
        _ => None,
    })
}
