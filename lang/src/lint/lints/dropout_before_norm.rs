//! `dropout_before_norm`: dropout before a batch normalisation.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::CallableKind;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0304",
    name: "dropout_before_norm",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "dropout before a batch normalisation",
    why: "\
While training, dropout makes the variance larger; the averages that `BatchNorm` keeps are of that, and in \
evaluation, without dropout, they do not fit. Li, Chen, Hu and Yang, arXiv 1801.05134. Put dropout behind the \
last normalisation.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(32) |> Dropout(0.5) |> BatchNorm() |> relu |> Dense(10), label)
",
        "\
let h = f32(image) / 255 |> Conv2d(8, kernel: 3) |> ChannelDropout(0.2) |> relu |> BatchNorm()
minimize cross_entropy(flatten(h) |> Dense(10), label)
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(32) |> BatchNorm() |> relu |> Dropout(0.5) |> Dense(10), label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        for norm in pass.outermost().filter(|a| &*a.name == "BatchNorm") {
            let mut at = norm.input("x");
            while let Some(x) = at {
                let Some(before) = pass
                    .outermost()
                    .find(|a| a.results == [x] && a.results != a.inputs.iter().map(|i| i.1).collect::<Vec<_>>())
                else {
                    break;
                };
                if before.name.ends_with("Dropout") || &*before.name == "DropPath" {
                    let d = finding(before.span, format!("`{}` stands before a batch normalisation", before.name))
                        .label(norm.span, "whose averages will not fit in evaluation")
                        .help("put it behind the normalisation");
                    out.push(d);
                    break;
                }
                // Activations and pools hand it on.
                let idle = before.kind == CallableKind::Function || before.name.contains("Pool");
                at = if idle { before.inputs.first().map(|(_, v)| *v) } else { None };
            }
        }
    }
    out
}
