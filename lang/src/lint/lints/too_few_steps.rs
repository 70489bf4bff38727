//! `too_few_steps`: a run of a few steps.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::Unit;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0410",
    name: "too_few_steps",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a run of a few steps",
    why: "\
Each step moves the weights a little: nets need hundreds of steps at least. A run of a dozen ends where it \
began, whatever the model.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
steps: 10
every 5 steps { evaluate digits.test }
",
        "\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
batch: 4000
epochs: 5
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
batch: 50
epochs: 5
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (train, _) in cx.trains() {
        let Some(steps) = cx.total_steps(train) else { continue };
        // A run that nothing looks at is there to be measured, not to learn.
        if steps < 30.0 && !train.periodic.is_empty() {
            let unit = if train.length.unit == Unit::Epochs { "epochs" } else { "steps" };
            let d = finding(cx.setting_place(train, unit), format!("this run has {steps} steps"))
                .help("train for longer, or take a smaller batch");
            out.push(d);
        }
    }
    out
}
