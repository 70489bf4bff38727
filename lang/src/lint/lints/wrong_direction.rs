//! `wrong_direction`: the worst checkpoint is kept for the best.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::source::Span;
use crate::syntax::ast::{CallableKind, StmtKind};
use crate::syntax::walk;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0407",
    name: "wrong_direction",
    group: Group::Correctness,
    level: Level::Deny,
    title: "the worst checkpoint is kept for the best",
    why: "\
A loss is best where it is lowest, an accuracy where it is highest. The other way round the file that is kept \
is that of the worst evaluation.",
    bad: &[
        "\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label)
report accuracy(logits, label)
every 1 epoch {
  evaluate digits.test
  checkpoint highest test.loss
}
",
        "\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label)
report accuracy(logits, label)
every 1 epoch {
  evaluate digits.test
  checkpoint lowest test.accuracy
}
",
    ],
    good: &["\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label)
report accuracy(logits, label)
every 1 epoch {
  evaluate digits.test
  checkpoint highest test.accuracy
}
"],
    fix: Fixes::Unsafe,
    check,
};

/// The metrics of the library that are best where they are lowest; all others where they are highest.
const LOWEST: [&str; 6] = ["mae", "mse", "rmse", "perplexity", "bits_per_character", "mean_surprise"];

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for file in &cx.files {
        walk::blocks(file, &mut |b| {
            for s in &b.statements {
                let StmtKind::CheckpointBest(highest, metric) = &s.kind else { continue };
                let Some(name) = metric.last() else { continue };
                let Some(lowest) = lower_is_better(cx, &name.text) else { continue };
                if lowest == *highest {
                    let (is, should) = if *highest { ("highest", "lowest") } else { ("lowest", "highest") };
                    let d = finding(s.span, format!("`{}` is best where it is {should}", name.text))
                        .help(format!("write `checkpoint {should} …`"));
                    let text = cx.text(s.span);
                    let d = match text.find(is) {
                        Some(at) => {
                            let start = s.span.start + at as u32;
                            d.fix(
                                format!("keep the {should}"),
                                Span { start, end: start + is.len() as u32, ..s.span },
                                should,
                            )
                        }
                        None => d,
                    };
                    out.push(d);
                }
            }
        });
    }
    out
}

/// `None` for what the user named.
fn lower_is_better(cx: &Context, name: &str) -> Option<bool> {
    let metric = cx.passes.iter().flat_map(|p| p.applications).find(|a| &*a.name == name && a.library);
    match metric.map(|a| a.kind) {
        _ if name == "loss" || name.ends_with("_loss") => Some(true),
        Some(CallableKind::Loss) => Some(true),
        Some(CallableKind::Metric) => Some(LOWEST.contains(&name)),
        _ => None,
    }
}
