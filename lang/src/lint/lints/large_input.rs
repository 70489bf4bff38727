//! `large_input`: inputs in the hundreds go into a layer as they are.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{Op, ValueId};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0501",
    name: "large_input",
    group: Group::Data,
    level: Level::Warn,
    title: "inputs in the hundreds go into a layer as they are",
    why: "\
Pixels from 0 to 255 make activations a hundred times larger than the weights are made for: the first steps \
are huge, units die, and training is slow or does not begin. Divide by 255, or normalise.",
    bad: &[
        "\
minimize cross_entropy(flatten(f32(image)) |> Dense(32, relu) |> Dense(10), label)
",
        "\
data cifar = cifar10(\"cifar10\")

train net on cifar.train {
  let h = f32(image) |> Conv2d(16, kernel: 3) |> relu
  minimize cross_entropy(flatten(h) |> Dense(10), label)
  optimizer: Adam()
  batch: 100
  epochs: 5
  every 1 epoch { evaluate cifar.test }
}
",
    ],
    good: &["\
minimize cross_entropy(flatten(f32(image) / 255) |> Dense(32, relu) |> Dense(10), label)
"],
    fix: Fixes::Unsafe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        for v in pass.values() {
            let Some((x, ..)) = pass.linear(v) else { continue };
            let fact = pass.fact(x);
            let most = fact.high.max(-fact.low);
            let large = fact.sure && (100.0..=65_536.0).contains(&most);
            if !large || fact.weights || fact.fields.is_empty() || !fact.numbered.is_empty() || fact.class {
                continue;
            }
            let needed = pass.needed(&[x]);
            let from_data = |v: &ValueId| {
                let node = pass.node(*v);
                needed[v.0 as usize] && pass.is(*v, "cast") && matches!(pass.node(node.args[0]).op, Op::Input(_))
            };
            let cast = pass.values().find(from_data);
            let place = pass.node(cast.unwrap_or(v)).span;
            let d = finding(place, format!("{} to {} go into a layer as they are", fact.low, fact.high))
                .label(pass.node(v).span, "this layer's weights are made for numbers near 1")
                .help(if fact.high == 255.0 { "divide by 255: `f32(image) / 255`" } else { "bring them near to 1" });
            let behind = cx.sources.get(place.file).text.get(place.end as usize..).unwrap_or("").trim_start();
            let open = [")", ",", "|>", "\n", "}"].iter().any(|c| behind.starts_with(c)) || behind.is_empty();
            let text = cx.text(place);
            let text = if open { format!("{text} / 255") } else { format!("({text} / 255)") };
            out.push(if fact.high == 255.0 && cast.is_some() { d.fix("divide by 255", place, text) } else { d });
        }
    }
    out
}
