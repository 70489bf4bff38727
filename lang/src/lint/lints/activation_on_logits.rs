//! `activation_on_logits`: logits that an activation has cut.

use crate::diagnostic::Diagnostic;
use crate::lint::edits::without;
use crate::lint::losses::{Wants, scored};
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::CallableKind;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0108",
    name: "activation_on_logits",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "logits that an activation has cut",
    why: "\
Logits go from far below 0 to far above. After `relu` none is below 0, and a unit that is 0 for every example \
learns nothing more; after `tanh` none is far from 0, so that no class can be sure and the loss cannot fall.",
    bad: &[
        "\
let logits = x |> Dense(32, relu) |> Dense(10, relu)
minimize cross_entropy(logits, label)
",
        "\
let odd   = f32(label % 2)
let logit = x |> Dense(32, relu) |> Dense(1) |> tanh |> squeeze(axis: -1)
minimize binary_cross_entropy(logit, odd)
",
    ],
    good: &["\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label)
"],
    fix: Fixes::Unsafe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        let wants = [Wants::Logits, Wants::Logit];
        for s in scored(pass).iter().filter(|s| wants.contains(&s.wants) && s.of.kind == CallableKind::Loss) {
            let (fact, made) = (pass.fact(s.predicted), strip(pass.body, s.predicted));
            let probability = fact.is_distribution() || fact.is_log_distribution() || pass.is(made, "sigmoid");
            if probability || !fact.sure || !fact.weights {
                continue;
            }
            let told = match (fact.low, fact.high) {
                (low, _) if low >= 0.0 => "none is below 0",
                (low, high) if low >= -1.5 && high <= 1.5 => "none is far from 0",
                _ => continue,
            };
            let mut d =
                finding(pass.node(made).span, format!("an activation has cut the logits of `{}`: {told}", s.of.name))
                    .says("the last operation of the head")
                    .label(s.of.span, "which wants numbers of any size and sign")
                    .help("leave the activation of the last layer out");
            for function in ["relu", "tanh", "softplus", "relu6", "hardtanh", "softsign"] {
                if let Some((span, text)) = without(cx, pass.node(made).span, function) {
                    d = d.fix(format!("leave `{function}` out"), span, text);
                    break;
                }
            }
            out.push(d);
        }
    }
    out
}
