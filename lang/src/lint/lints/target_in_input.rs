//! `target_in_input`: the label is among what it is predicted from.

use crate::diagnostic::Diagnostic;
use crate::lint::data::is_label;
use crate::lint::losses::scored;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::CallableKind;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0507",
    name: "target_in_input",
    group: Group::Correctness,
    level: Level::Deny,
    title: "the label is among what it is predicted from",
    why: "\
The prediction depends on the very field that it is compared with: training looks perfect, and where the label \
is not known there is nothing to give the model. Most often all columns were stacked into the input.",
    bad: &[
        "\
data people = csv(\"people.csv\") {
  age:  f32 |> standardize
  left: label([\"no\", \"yes\"])
} |> shuffle() |> split(0.8)

train leaves on people.train {
  let logit = stack([age, f32(left)], axis: -1) |> Dense(16, relu) |> Dense(1) |> squeeze(axis: -1)
  minimize binary_cross_entropy(logit, f32(left))
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate people.test }
}
",
        "\
let told = x + reshape(f32(label) / 10, [B, 1])
minimize cross_entropy(told |> Dense(10), label)
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(10), label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.evaluation() {
        let Some(spec) = pass.train.and_then(|(t, _)| cx.data(&t.data)) else { continue };
        for s in scored(pass).iter().filter(|s| s.of.kind == CallableKind::Loss) {
            let Some(target) = s.target.filter(|t| !pass.fact(*t).weights) else { continue };
            let both = pass.fact(target).fields.intersection(&pass.fact(s.predicted).fields);
            for name in both.filter(|n| is_label(spec, n)) {
                let d = finding(
                    s.of.span,
                    format!("what is predicted depends on `{name}`, and so does what it is compared with"),
                )
                .label(pass.node(strip(pass.body, s.predicted)).span, format!("computed from `{name}` among others"))
                .help(format!("leave `{name}` out of the input"));
                out.push(d);
            }
        }
    }
    out
}
