//! `logits_as_probabilities`: a loss that wants probabilities, or their logarithms, is given something else.

use crate::diagnostic::Diagnostic;
use crate::lint::losses::{Wants, scored};
use crate::lint::pass::Pass;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::ValueId;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0102",
    name: "logits_as_probabilities",
    group: Group::Correctness,
    level: Level::Deny,
    title: "a loss that wants probabilities, or their logarithms, is given something else",
    why: "\
`nll` takes logarithms of probabilities, `binary_cross_entropy_of_probability` takes probabilities, and the \
target of `kl_divergence` and `cross_entropy_soft` is a distribution. Logits are none of these: the loss is a \
number that says nothing, may be negative, and can grow without end.",
    bad: &[
        "\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize nll(logits, label)
",
        "\
let p = x |> Dense(32, relu) |> Dense(10) |> softmax
minimize nll(p, label)
",
        "\
let odd = f32(label % 2)
let out = x |> Dense(32, relu) |> Dense(1) |> squeeze(axis: -1)
minimize binary_cross_entropy_of_probability(out, odd)
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
        let raw = |v: ValueId| pass.linear(pass.without_bias(v)).is_some();
        for s in scored(pass) {
            let (v, fact) = (s.predicted, pass.fact(s.predicted));
            let (name, given) = (&s.of.name, if fact.is_distribution() { "probabilities" } else { "logits" });
            let (wanted, function) = match s.wants {
                Wants::LogProbabilities if fact.is_distribution() || raw(v) => {
                    ("logarithms of probabilities", "cross_entropy")
                }
                Wants::Probability if raw(v) => ("probabilities", "binary_cross_entropy"),
                Wants::Logits if soft_target(pass, s.target, s.predicted).is_some_and(raw) => {
                    let target = s.target.unwrap_or(s.predicted);
                    let d =
                        finding(s.of.span, format!("the target of `{name}` is a distribution, and logits are given"))
                            .label(pass.node(strip(pass.body, target)).span, "numbers of any size and sign")
                            .help("make a distribution of it: `softmax(…)`");
                    out.push(d);
                    continue;
                }
                _ => continue,
            };
            let d = finding(s.of.span, format!("`{name}` wants {wanted} and is given {given}"))
                .label(pass.node(strip(pass.body, v)).span, given)
                .help(if s.wants == Wants::LogProbabilities && given == "probabilities" {
                    "write `log_softmax` in place of `softmax`, or give the logits to `cross_entropy`".to_string()
                } else {
                    format!("`{function}` takes logits")
                });
            out.push(d);
        }
    }
    out
}

/// A target that has a number for each class.
fn soft_target(pass: &Pass, target: Option<ValueId>, predicted: ValueId) -> Option<ValueId> {
    target.filter(|t| pass.node(*t).ty.dtype.is_float() && pass.node(*t).ty.rank() == pass.node(predicted).ty.rank())
}
