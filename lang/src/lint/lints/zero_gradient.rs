//! `zero_gradient`: a loss reaches its weights only through steps.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{Op, VarId};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0115",
    name: "zero_gradient",
    group: Group::Correctness,
    level: Level::Deny,
    title: "a loss reaches its weights only through steps",
    why: "\
`sign`, `floor` and `round` are flat between their steps: their gradient is 0 everywhere, and the weights \
before them never move. What is counted, as an accuracy is, cannot be descended.",
    bad: &[
        "\
let guess = x |> Dense(1)
minimize mean(abs(round(guess[:, 0]) - mean(x, axis: -1)))
",
        "\
let side = sign(x |> Dense(16, tanh) |> Dense(1))
minimize mean(relu(1 - 4 * side[:, 0] * (mean(x, axis: -1) - 0.5)))
",
    ],
    good: &["\
let guess = x |> Dense(1)
minimize mean(abs(guess[:, 0] - mean(x, axis: -1)))
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        let Some((train, _)) = pass.train else { continue };
        for m in &train.minimize {
            let mut seen = vec![false; pass.body.nodes.len()];
            let (mut next, mut steps) = (vec![pass.losses[m.loss]], Vec::new());
            while let Some(v) = next.pop() {
                if std::mem::replace(&mut seen[v.0 as usize], true) || !pass.fact(v).weights {
                    continue;
                }
                let node = pass.node(v);
                match pass.primitive(v) {
                    Some("sign" | "floor" | "round") => steps.push(v),
                    Some("stop_gradient") => {}
                    _ if matches!(node.op, Op::CustomGradient(_)) => next.extend(&node.args[1..]),
                    _ => next.extend(&node.args),
                }
            }
            let moved = |id: &VarId| {
                pass.values().any(|v| seen[v.0 as usize] && matches!(pass.node(v).op, Op::Read(r) if r == *id))
            };
            if m.parameters.iter().any(|id| !moved(id)) {
                for v in steps {
                    let name = pass.primitive(v).unwrap_or_default();
                    let d =
                        finding(pass.node(v).span, format!("`{name}` has the gradient 0, and weights stand before it"))
                            .help("leave it out of the loss, or give it a gradient: a `fn` with `grad { dy }`");
                    out.push(d);
                }
            }
        }
    }
    out
}
