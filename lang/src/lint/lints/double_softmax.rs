//! `double_softmax`: `softmax` or `sigmoid` of what is a probability already.

use crate::diagnostic::Diagnostic;
use crate::lint::edits::without;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0103",
    name: "double_softmax",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "`softmax` or `sigmoid` of what is a probability already",
    why: "\
The second one squeezes numbers from 0 to 1 into a narrower range: with ten classes no probability is above \
0.23. The gradient all but vanishes.",
    bad: &[
        "\
let p = x |> Dense(32, relu) |> Dense(10, softmax)
minimize -mean(pick(log_softmax(p), label))
",
        "\
let p = sigmoid(x |> Dense(32, relu) |> Dense(1, sigmoid))
minimize mean((p[:, 0] - mean(x, axis: -1)) ^ 2)
",
    ],
    good: &["\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize -mean(pick(log_softmax(logits), label))
"],
    fix: Fixes::Unsafe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        let probability = |v| pass.fact(v).is_distribution() || pass.is(strip(pass.body, v), "sigmoid");
        let soft = pass.outermost().filter(|a| matches!(&*a.name, "softmax" | "log_softmax"));
        let soft = soft.filter_map(|a| Some((&*a.name, a.span, a.input("x")?)));
        let sigmoid = pass.written("sigmoid").map(|v| ("sigmoid", pass.node(v).span, pass.node(v).args[0]));
        for (name, place, x) in soft.chain(sigmoid).filter(|(_, _, x)| probability(*x)) {
            let mut d = finding(place, format!("`{name}` is applied to probabilities"))
                .label(pass.node(strip(pass.body, x)).span, "which were made here")
                .help(format!("leave one of the two out: `{name}` takes any numbers, logits"));
            if let Some((span, text)) = without(cx, place, name) {
                d = d.fix(format!("leave `{name}` out"), span, text);
            }
            out.push(d);
        }
    }
    out
}
