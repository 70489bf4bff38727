//! `head_wider_than_classes`: more outputs than there are classes.

use crate::diagnostic::Diagnostic;
use crate::lint::losses::{Wants, scored};
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::CallableKind;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0107",
    name: "head_wider_than_classes",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "more outputs than there are classes",
    why: "\
The labels are known to be below a number, and the head has outputs for more. They are trained to be never \
right; most often the number was copied from another task.",
    bad: &[
        "\
let logits = x |> Dense(32, relu) |> Dense(100)
minimize cross_entropy(logits, label)
",
        "\
data cifar = cifar10(\"cifar10\")

train net on cifar.train {
  let logits = f32(image) / 255 |> flatten |> Dense(64, relu) |> Dense(1000)
  minimize focal(logits, label)
  report accuracy(logits, label)
  optimizer: Adam()
  batch: 100
  epochs: 5
  every 1 epoch { evaluate cifar.test }
}
",
    ],
    good: &["\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        for s in scored(pass).iter().filter(|s| s.of.kind == CallableKind::Loss) {
            if !matches!(s.wants, Wants::Logits | Wants::LogProbabilities) {
                continue;
            }
            let classes = s.target.and_then(|t| pass.node(t).ty.below.as_ref()?.as_constant());
            let outputs = pass.node(s.predicted).ty.shape.last().and_then(|a| a.dim.as_constant());
            let (Some(classes), Some(outputs)) = (classes, outputs) else { continue };
            // Large vocabularies are rounded up on purpose.
            let rounded = classes >= 1000 && outputs % 8 == 0 && outputs - classes < 128;
            if outputs > classes && !rounded {
                let made = pass.without_bias(s.predicted);
                let d = finding(s.of.span, format!("{outputs} outputs for {classes} classes"))
                    .says(format!("the labels are below {classes}"))
                    .label(pass.node(made).span, format!("{outputs} outputs"))
                    .help(format!("make {classes} outputs"));
                out.push(d);
            }
        }
    }
    out
}
