//! `unstable_form`: a formula that overflows, and has a form that does not.

use crate::diagnostic::Diagnostic;
use crate::lint::edits::argument_of;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::ValueId;
use crate::source::Span;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0205",
    name: "unstable_form",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a formula that overflows, and has a form that does not",
    why: "\
`log(softmax(x))`, `log(sigmoid(x))`, `log(1 + exp(x))`, `exp(x) / sum(exp(x))` and `1 / (1 + exp(-x))` are \
right on paper and infinite or NaN for logits of a hundred. `log_softmax`, `log_sigmoid`, `softplus`, \
`softmax` and `sigmoid` are the same functions for every argument.",
    bad: &[
        "\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize -mean(pick(log(softmax(logits)), label))
",
        "\
let h = x |> Dense(10)
let p = exp(h) / sum(exp(h), axis: -1, keep: true)
minimize -mean(pick(log(p + 1e-9), label))
",
        "\
let h = x |> Dense(1)
minimize mean(log(1 + exp(h)))
",
    ],
    good: &["\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize -mean(pick(log_softmax(logits), label))
"],
    fix: Fixes::Safe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        let reaches = |e: ValueId| pass.is(e, "exp") && pass.fact(pass.node(e).args[0]).high > 80.0;
        for v in pass.written("log") {
            let x = strip(pass.body, pass.node(v).args[0]);
            let one_and_exp = pass.is(x, "add")
                && pass.node(x).args.iter().any(|a| pass.fact(*a).is(1.0))
                && pass.node(x).args.iter().any(|a| reaches(strip(pass.body, *a)));
            let (form, better, inner) = if pass.fact(pass.node(v).args[0]).is_distribution() && pass.is(x, "divide") {
                ("log(softmax(x))", "log_softmax", "softmax")
            } else if pass.is(x, "sigmoid") {
                ("log(sigmoid(x))", "log_sigmoid", "sigmoid")
            } else if pass.is(x, "sum") && reaches(strip(pass.body, pass.node(x).args[0])) {
                ("log(sum(exp(x)))", "", "")
            } else if one_and_exp {
                ("log(1 + exp(x))", "softplus", "")
            } else {
                continue;
            };
            let place = pass.node(v).span;
            let d = told(place, form, better);
            let inside = argument_of(cx, place, "log").and_then(|e| argument_of(cx, e.span, inner));
            out.push(match inside {
                Some(x) => d.safe_fix(format!("write `{better}`"), place, format!("{better}({})", cx.text(x.span))),
                None => d,
            });
        }
        for v in pass.written("divide") {
            let (a, b) = (strip(pass.body, pass.node(v).args[0]), strip(pass.body, pass.node(v).args[1]));
            if pass.is(b, "sum") && pass.fact(v).is_distribution() && reaches(a) {
                out.push(told(pass.node(v).span, "exp(x) / sum(exp(x))", "softmax"));
            } else if pass.fact(a).is(1.0) && pass.is(b, "add") {
                let args = &pass.node(b).args;
                let one = args.iter().any(|a| pass.fact(*a).is(1.0));
                if one && args.iter().any(|a| reaches(strip(pass.body, *a))) {
                    out.push(told(pass.node(v).span, "1 / (1 + exp(-x))", "sigmoid"));
                }
            }
        }
    }
    out
}

fn told(place: Span, form: &str, better: &str) -> Diagnostic {
    let help = match better {
        "" => {
            "take the largest off first: `top + log(sum(exp(x - top)))` with `let top = max(x, keep: true)`".to_string()
        }
        better => format!("`{better}` is the same function, and finite for every x"),
    };
    finding(place, format!("`{form}` overflows for large x")).help(help)
}
