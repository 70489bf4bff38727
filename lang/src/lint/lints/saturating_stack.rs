//! `saturating_stack`: many layers of `sigmoid` or `tanh` above each other.

use crate::diagnostic::Diagnostic;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{Op, ValueId};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0311",
    name: "saturating_stack",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "many layers of `sigmoid` or `tanh` above each other",
    why: "\
The slope of `sigmoid` is 0.25 at most: behind four of them a gradient is 250 times smaller, and the first \
layers hardly move. `relu` and its kin, a normalisation or a way around each block keep it up.",
    bad: &[
        "\
let h = x |> Dense(32, sigmoid) |> Dense(32, sigmoid) |> Dense(32, sigmoid) |> Dense(32, sigmoid)
minimize cross_entropy(h |> Dense(10), label)
",
        "\
let h = fold h = x for i in 0..6 { h |> Dense(64) |> tanh }
minimize cross_entropy(h |> Dense(10), label)
",
    ],
    good: &["\
let h = x |> Dense(32, relu) |> Dense(32, relu) |> Dense(32, relu) |> Dense(32, relu)
minimize cross_entropy(h |> Dense(10), label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        let mut depth = vec![0u32; pass.body.nodes.len()];
        for v in pass.values() {
            let node = pass.node(v);
            let of = |a: ValueId| depth[a.0 as usize];
            let squashes = |name: &str| matches!(name, "sigmoid" | "tanh");
            depth[v.0 as usize] = match &node.op {
                _ if pass.linear(v).is_some() => pass.linear(v).map_or(0, |(x, ..)| of(x)),
                Op::Primitive(name, _) if squashes(name) => {
                    let linear = pass.linear(pass.without_bias(node.args[0])).is_some();
                    if linear { of(node.args[0]) + 1 } else { 0 }
                }
                Op::Primitive(name, _) => match &**name {
                    "add" if pass.without_bias(v) != strip(pass.body, v) => {
                        node.args.iter().map(|a| of(*a)).max().unwrap_or(0)
                    }
                    "reshape" | "transpose" | "broadcast" | "max_pool" | "avg_pool" => of(node.args[0]),
                    _ => 0,
                },
                Op::CustomGradient(_) => of(node.args[0]),
                _ => 0,
            };
            let least = if pass.is(v, "tanh") { 6 } else { 4 };
            if depth[v.0 as usize] == least {
                let name = pass.primitive(v).unwrap_or_default();
                let d = finding(node.span, format!("this is the {least}th layer with `{name}` above another"))
                    .says("hardly any gradient reaches the first")
                    .help("use `relu`, or put `BatchNorm()` or `LayerNorm()` between");
                out.push(d);
            }
        }
    }
    out
}
