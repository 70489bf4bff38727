//! `classes_as_numbers`: the distance of class numbers is taken for an error.

use crate::diagnostic::Diagnostic;
use crate::lint::losses::{Wants, scored};
use crate::lint::pass::Pass;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::ValueId;
use crate::source::Span;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0110",
    name: "classes_as_numbers",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "the distance of class numbers is taken for an error",
    why: "\
Class 9 is not three times class 3. A squared or absolute error against numbers of classes asks the model for \
an order that there is not, and against one-hot rows or yes and no its gradient vanishes where the model is \
most wrong. Classes have `cross_entropy`, yes and no has `binary_cross_entropy`.",
    bad: &[
        "\
let guess = x |> Dense(32, relu) |> Dense(1)
minimize mse(guess[:, 0], f32(label))
",
        "\
let p = x |> Dense(32, relu) |> Dense(10, softmax)
minimize mse(p, one_hot(label, 10))
",
        "\
let guess = x |> Dense(32, relu) |> Dense(1)
minimize mean((f32(label) - guess[:, 0]) ^ 2)
",
    ],
    good: &["\
let logits = x |> Dense(32, relu) |> Dense(10)
minimize cross_entropy(logits, label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        let classes = |v: ValueId| {
            let fact = pass.fact(v);
            (fact.class || fact.one_hot) && !fact.weights && !fact.fields.is_empty()
        };
        for s in scored(pass).iter().filter(|s| s.wants == Wants::Number) {
            if let Some(t) = s.target.filter(|t| classes(*t)) {
                out.push(told(pass, s.of.span, t, &format!("`{}`", s.of.name)));
            }
        }
        let needed = pass.needed(&pass.losses);
        for v in pass.written("subtract").filter(|v| needed[v.0 as usize]) {
            let (a, b) = (pass.node(v).args[0], pass.node(v).args[1]);
            let target = if classes(a) { a } else { b };
            let other = if classes(a) { b } else { a };
            if classes(target) && pass.fact(other).weights {
                out.push(told(pass, pass.node(v).span, target, "this difference"));
            }
        }
    }
    out
}

fn told(pass: &Pass, place: Span, target: ValueId, what: &str) -> Diagnostic {
    let fact = pass.fact(target);
    let (is, instead) = match (fact.one_hot, fact.high) {
        (true, _) => ("one-hot rows of classes", "`cross_entropy` of logits and class numbers"),
        (_, high) if high <= 1.0 => ("yes and no", "`binary_cross_entropy` of a logit"),
        _ => ("the numbers of classes", "`cross_entropy` of one logit for each class"),
    };
    finding(place, format!("{what} takes {is} for numbers"))
        .label(pass.node(target).span, is.to_string())
        .help(format!("minimize {instead}"))
}
