//! `one_class`: a choice among one class.

use crate::diagnostic::Diagnostic;
use crate::lint::pass::axes_of;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::ValueId;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0106",
    name: "one_class",
    group: Group::Correctness,
    level: Level::Deny,
    title: "a choice among one class",
    why: "\
`softmax` over an axis of size 1 is 1 whatever its argument, its cross entropy is 0 from the first step, and \
`argmax` is always class 0. For yes and no, one number takes `sigmoid`: `binary_cross_entropy` and \
`accuracy_binary`.",
    bad: &[
        "\
let p = x |> Dense(32, relu) |> Dense(1, softmax)
minimize mean(abs(p[:, 0] - f32(label % 2)))
",
        "\
let logits = x |> Dense(32, relu) |> Dense(1)
minimize cross_entropy(logits, label * 0)
report   accuracy(logits, label * 0)
",
    ],
    good: &["\
let odd   = label % 2
let logit = x |> Dense(32, relu) |> Dense(1) |> squeeze(axis: -1)
minimize binary_cross_entropy(logit, f32(odd))
report   accuracy_binary(logit, odd)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in &cx.passes {
        let one =
            |v: ValueId, axis: usize| pass.node(v).ty.shape.get(axis).is_some_and(|a| a.dim.as_constant() == Some(1));
        for v in pass.values() {
            let node = pass.node(v);
            let told = match pass.primitive(v) {
                Some("divide") if pass.fact(v).sums.as_ref().is_some_and(|s| one(v, s.axis)) => {
                    "`softmax` of one number is 1"
                }
                Some("subtract") if pass.fact(v).sums.as_ref().is_some_and(|s| s.log && one(v, s.axis)) => {
                    "`log_softmax` of one number is 0"
                }
                Some("argmax") if axes_of(pass.body, v).iter().any(|a| one(node.args[0], *a)) => {
                    "`argmax` of one number is 0"
                }
                _ => continue,
            };
            let d = finding(node.span, format!("this chooses among one class: {told}"))
                .says(format!("{}", pass.node(node.args[0]).ty))
                .help("for yes and no, give the number to `binary_cross_entropy`; for n classes, make n of them");
            out.push(d);
        }
    }
    out
}
