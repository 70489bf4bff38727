//! `random_prediction`: a classification is changed at random in evaluation too.

use crate::diagnostic::Diagnostic;
use crate::lint::data::is_label;
use crate::lint::losses::scored;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::CallableKind;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0508",
    name: "random_prediction",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a classification is changed at random in evaluation too",
    why: "\
Noise that is to make a model robust belongs under `if training`, where `std.augment` and `Dropout` have it: \
in evaluation it makes the answer a matter of chance, and worse.",
    bad: &[
        "\
let seen = x + 0.3 * random_normal_like(x)
minimize cross_entropy(seen |> Dense(32, relu) |> Dense(10), label)
",
        "\
let h = x |> Dense(32, relu)
let kept = where(random_uniform_like(h) > 0.5, 2 * h, 0)
minimize cross_entropy(kept |> Dense(10), label)
",
    ],
    good: &["\
let seen = if training { x + 0.3 * random_normal_like(x) } else { x }
minimize cross_entropy(seen |> Dense(32, relu) |> Dense(10), label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.evaluation() {
        let Some(spec) = pass.train.and_then(|(t, _)| cx.data(&t.data)) else { continue };
        for s in scored(pass).iter().filter(|s| s.of.kind == CallableKind::Loss) {
            let label =
                s.target.is_some_and(|t| !pass.fact(t).random && pass.fact(t).fields.iter().any(|f| is_label(spec, f)));
            if !label || !pass.fact(s.predicted).random {
                continue;
            }
            let needed = pass.needed(&[s.predicted]);
            let draws = pass.values().filter(|v| {
                needed[v.0 as usize] && matches!(pass.primitive(*v), Some("random_normal" | "random_uniform"))
            });
            for v in draws.take(1) {
                let d = finding(pass.node(v).span, "this is drawn in evaluation too, and changes the answer")
                    .label(s.of.span, "the answer is compared with a label here")
                    .help("write `if training { … } else { … }`, or use `noise` of `std.augment` or `Dropout`");
                out.push(d);
            }
        }
    }
    out
}
