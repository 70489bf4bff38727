//! `recurrent_unclipped`: a recurrent net whose gradients nothing bounds.

use crate::diagnostic::Diagnostic;
use crate::lint::context::unwrapped;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::Op;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0315",
    name: "recurrent_unclipped",
    group: Group::Pedantic,
    level: Level::Allow,
    title: "a recurrent net whose gradients nothing bounds",
    why: "\
Over many turns of one matrix gradients grow now and then without bound, and one such step undoes the \
training. `clip_norm(1.0)` behind the optimizer costs next to nothing. Pascanu, Mikolov and Bengio, arXiv \
1211.5063.",
    bad: &[
        "\
let rows = x |> reshape([B, 28, 28])
minimize cross_entropy(rows |> Lstm(32) |> Dense(10), label)
",
        "\
let rows = x |> reshape([B, 28, 28])
minimize cross_entropy(rows |> SimpleRnn(32) |> Dense(10), label)
optimizer: Sgd(lr: 0.1, momentum: 0.9)
",
    ],
    good: &["\
let rows = x |> reshape([B, 28, 28])
minimize cross_entropy(rows |> Lstm(32) |> Dense(10), label)
optimizer: Adam() |> clip_norm(1.0)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        let Some((train, traced)) = pass.train else { continue };
        let clipped = traced
            .optimizers
            .iter()
            .filter_map(|o| o.made())
            .all(|made| unwrapped(made).1.iter().any(|w| w.name.starts_with("clip_")));
        let needed = pass.needed(&pass.losses);
        let scan = pass.values().find(|v| {
            let node = pass.node(*v);
            matches!(node.op, Op::Scan(_))
                && needed[v.0 as usize]
                && node.args.iter().any(|a| pass.parameter(*a).is_some())
        });
        if let Some(scan) = scan.filter(|_| !clipped) {
            let d = finding(cx.setting_place(train, "optimizer"), "nothing bounds the gradients of this recurrent net")
                .label(pass.node(scan).span, "one set of weights, turn after turn")
                .help("write `|> clip_norm(1.0)` behind the optimizer");
            out.push(d);
        }
    }
    out
}
