//! `repeated_activation`: an activation of what an activation gave.

use crate::diagnostic::Diagnostic;
use crate::lint::edits::without;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::source::Span;
use crate::syntax::ast::CallableKind;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0302",
    name: "repeated_activation",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "an activation of what an activation gave",
    why: "\
A second `relu` changes nothing; a second `sigmoid` or `tanh` squeezes its input into a part of its range and \
the gradient with it. Most often a layer was given its activation twice: in its first list and behind it.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(32, relu) |> relu |> Dense(10), label)
",
        "\
minimize cross_entropy(x |> Dense(32) |> tanh |> tanh |> Dense(10), label)
",
        "\
minimize cross_entropy(x |> Dense(32, sigmoid) |> relu |> Dense(10), label)
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
"],
    fix: Fixes::Safe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        for a in pass.outermost().filter(|a| a.kind == CallableKind::Function && a.inputs.len() == 1) {
            let x = a.inputs[0].1;
            let activation =
                pass.node(a.results.first().copied().unwrap_or(x)).ty == pass.node(x).ty && a.results != [x];
            let before = pass.applications.iter().find(|b| b.name == a.name && b.library && b.results == [x]);
            let idle = &*a.name == "relu" && pass.fact(x).sure && pass.fact(x).low >= 0.0 && pass.fact(x).weights;
            if activation && pass.fact(x).weights && is_curve(&a.name) && (before.is_some() || idle) {
                out.push(told(cx, a.span, &a.name, pass.node(x).span, before.is_some()));
            }
        }
        for name in ["sigmoid", "tanh"] {
            for v in pass.written(name) {
                let x = pass.node(v).args[0];
                if pass.is(x, name) && pass.fact(x).weights && name == "tanh" {
                    out.push(told(cx, pass.node(v).span, name, pass.node(x).span, true));
                }
            }
        }
    }
    out
}

/// The functions that stand between layers; a softmax has a lint of its own.
fn is_curve(name: &str) -> bool {
    [
        "relu",
        "leaky_relu",
        "gelu",
        "gelu_exact",
        "silu",
        "elu",
        "selu",
        "celu",
        "relu6",
        "mish",
        "hardswish",
        "softplus",
    ]
    .contains(&name)
}

fn told(cx: &Context, place: Span, name: &str, before: Span, twice: bool) -> Diagnostic {
    let message = if twice {
        format!("`{name}` is applied twice")
    } else {
        format!("`{name}` of what is never below 0 changes nothing")
    };
    let d = finding(place, message).label(before, "this is an activation's result already").help("leave it out");
    match without(cx, place, name) {
        Some((span, text)) if name == "relu" => d.safe_fix("leave it out", span, text),
        Some((span, text)) => d.fix("leave it out", span, text),
        None => d,
    }
}
