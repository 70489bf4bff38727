//! `metric_mismatch`: a metric of classes beside a loss of numbers.

use crate::diagnostic::Diagnostic;
use crate::lint::losses::{Scored, Wants, scored};
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::CallableKind;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0114",
    name: "metric_mismatch",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a metric of classes beside a loss of numbers",
    why: "\
A model that is trained on a squared or absolute error has no classes: `accuracy` of its outputs says nothing \
of how near they are. Report `mae`, `rmse` or `r2`.",
    bad: &[
        "\
let near = x[:, :10]
let out  = x |> Dense(32, relu) |> Dense(10)
minimize mse(out, near)
report   accuracy(out, label)
",
        "\
let ink = mean(x, axis: -1)
let out = x |> Dense(32, relu) |> Dense(1) |> squeeze(axis: -1)
minimize huber(out, ink)
report   accuracy_binary(out, i32(ink > 0.5))
",
    ],
    good: &["\
let ink = mean(x, axis: -1)
let out = x |> Dense(32, relu) |> Dense(1) |> squeeze(axis: -1)
minimize huber(out, ink)
report   mae(out, ink)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        let all = scored(pass);
        let losses: Vec<_> = all.iter().filter(|s| s.of.kind == CallableKind::Loss).collect();
        for m in all.iter().filter(|s| s.of.kind == CallableKind::Metric && s.wants != Wants::Number) {
            let same = |l: &&&Scored| strip(pass.body, l.predicted) == strip(pass.body, m.predicted);
            let mut own = losses.iter().filter(same).peekable();
            let Some(first) = own.peek().copied() else { continue };
            // Where the target of the loss is classes, the loss is what is wrong.
            let classes = |l: &Scored| l.target.is_some_and(|t| pass.fact(t).class || pass.fact(t).one_hot);
            if own.all(|l| l.wants == Wants::Number && !classes(l)) {
                let d = finding(m.of.span, format!("`{}` counts classes, and this model predicts numbers", m.of.name))
                    .label(first.of.span, format!("it is trained on `{}`", first.of.name))
                    .help("report `mae`, `rmse` or `r2`; for classes, minimize `cross_entropy`");
                out.push(d);
            }
        }
    }
    out
}
