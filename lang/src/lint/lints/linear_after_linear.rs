//! `linear_after_linear`: two linear layers with nothing between them.

use crate::diagnostic::Diagnostic;
use crate::lint::pass::Pass;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{ValueId, VarId, Variable};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0301",
    name: "linear_after_linear",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "two linear layers with nothing between them",
    why: "\
A matrix times a matrix is a matrix: two layers without an activation between them can do nothing that one \
cannot, and most often the activation was forgotten. (A narrow layer between two wide ones is another thing, \
and left alone.)",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(128) |> Dense(10), label)
",
        "\
let h = f32(image) / 255 |> Conv2d(16, kernel: 3) |> Conv2d(16, kernel: 3) |> relu
minimize cross_entropy(flatten(h) |> Dense(10), label)
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(128, relu) |> Dense(10), label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        for v in pass.values() {
            let Some((x, id, w)) = pass.linear(v) else { continue };
            if frozen(pass, id) || pass.roots.contains(&v) {
                continue;
            }
            // Through the bias and through views.
            let ends = pass.follow(v, &|p, u| {
                p.without_bias(u) != u && p.is(u, "add") || matches!(p.primitive(u), Some("reshape" | "transpose"))
            });
            let [end] = ends[..] else { continue };
            let Some((input, next, w2)) = pass.linear(end) else { continue };
            let together =
                pass.applications.iter().any(|a| a.library && a.nodes.contains(&v.0) && a.nodes.contains(&end.0));
            if pass.without_bias(input) != v || id == next || frozen(pass, next) || together {
                continue;
            }
            let Some((into, inner)) = sizes(pass, v, x, w) else { continue };
            let Some((_, out_of)) = sizes(pass, end, input, w2) else { continue };
            if inner >= into.min(out_of) {
                let d = finding(pass.node(end).span, "nothing stands between this linear layer and the one before it")
                    .says("together they are one linear layer")
                    .label(pass.node(v).span, "the layer before it")
                    .help("put an activation between them, `|> relu |>`, or leave one of them out");
                out.push(d);
            }
        }
    }
    out
}

fn frozen(pass: &Pass, id: VarId) -> bool {
    pass.train.is_some_and(|(train, _)| train.frozen.contains(&id))
}

/// How many numbers go into a place of the result and come out of it; `None` for a convolution in groups.
fn sizes(pass: &Pass, v: ValueId, x: ValueId, w: &Variable) -> Option<(i64, i64)> {
    let axis = if pass.is(v, "matmul") { pass.node(v).ty.rank() - 1 } else { 1 };
    let size = |v: ValueId, axis: usize| pass.node(v).ty.shape.get(axis)?.dim.as_constant();
    let (into, out) = (size(x, axis.min(pass.node(x).ty.rank().checked_sub(1)?))?, size(v, axis)?);
    let grouped = !pass.is(v, "matmul") && w.ty.size().as_constant()? < into * out;
    let kernel = if pass.is(v, "matmul") {
        1
    } else {
        w.ty.shape.get(2..)?.iter().filter_map(|a| a.dim.as_constant()).product()
    };
    (!grouped).then_some((into * kernel, out))
}
