//! `dropout_on_logits`: dropout on what a loss is given.

use crate::check::trace::Application;
use crate::diagnostic::Diagnostic;
use crate::lint::losses::scored;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::CallableKind;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0308",
    name: "dropout_on_logits",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "dropout on what a loss is given",
    why: "\
Dropout of the prediction itself says at random that the answer is 0: the loss is wrong for those, and no \
weight can do better. It belongs between layers.",
    bad: &[
        "\
let logits = x |> Dense(64, relu) |> Dense(10) |> Dropout(0.5)
minimize cross_entropy(logits, label)
",
        "\
let guess = x |> Dense(64, relu) |> Dense(1) |> Dropout(0.2) |> squeeze(axis: -1)
minimize mse(guess, mean(x, axis: -1))
",
    ],
    good: &["\
let logits = x |> Dense(64, relu) |> Dropout(0.5) |> Dense(10)
minimize cross_entropy(logits, label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        for s in scored(pass).iter().filter(|s| s.of.kind == CallableKind::Loss) {
            let ends = [s.predicted, strip(pass.body, s.predicted)];
            let dropped =
                |a: &&Application| a.name.ends_with("Dropout") && a.results.len() == 1 && ends.contains(&a.results[0]);
            let Some(drop) = pass.applications.iter().find(dropped) else { continue };
            if drop.input("x").is_some_and(|x| x != drop.results[0]) {
                let d = finding(drop.span, format!("`{}` is the last thing before the loss", drop.name))
                    .label(s.of.span, format!("`{}` takes what it left over", s.of.name))
                    .help("put it before the last layer");
                out.push(d);
            }
        }
    }
    out
}
