//! `memory`: a step that needs more memory than there is.

use crate::diagnostic::Diagnostic;
use crate::lint::context::unwrapped;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::ValueId;
use std::collections::BTreeSet;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0411",
    name: "memory",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a step that needs more memory than there is",
    why: "\
Parameters with their gradients and the optimizer's states, and for a batch of this size what products keep \
for their gradients, are more than `memory:` of the block or `memory` in `tfm.toml` allows. It is counted from \
below: the plan needs more. `micro:` parts a batch.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(8192, relu) |> Dense(8192, relu) |> Dense(10), label)
memory: 100 MB
",
        "\
let h = f32(image) / 255 |> Conv2d(64, kernel: 3, pad: 1) |> relu |> Conv2d(64, kernel: 3, pad: 1) |> relu
minimize cross_entropy(flatten(h) |> Dense(10), label)
batch: 1000
memory: 100 MB
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(32, relu) |> Dense(10), label)
memory: 100 MB
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        let Some((train, traced)) = pass.train else { continue };
        let limits = [train.settings.memory, cx.settings.memory];
        let Some(limit) = limits.into_iter().flatten().min() else { continue };
        let replicas = train.settings.parallel.map_or(1, |r| r.count.max(1));
        let batch = train.settings.micro.unwrap_or(train.batch / replicas).max(1);
        let size = |v: ValueId| {
            let ty = &pass.node(v).ty;
            let n = ty.size().evaluate(&|s| (s == "B").then_some(batch)).unwrap_or(0);
            n.max(0) as u64 * ty.dtype.bytes() as u64
        };
        // A product keeps what goes into it for the gradient of its weight.
        let mut kept: BTreeSet<ValueId> = BTreeSet::new();
        let products = pass.values().filter(|v| matches!(pass.primitive(*v), Some("matmul" | "conv")));
        for v in products.filter(|v| pass.fact(*v).weights) {
            let weightless = |a: &&ValueId| pass.parameter(**a).is_none();
            kept.extend(pass.node(v).args.iter().filter(weightless).map(|a| strip(pass.body, *a)));
        }
        let activations: u64 = kept.into_iter().map(size).sum();
        let mut weights = 0;
        for (m, made) in train.minimize.iter().zip(&traced.optimizers) {
            let states = made.made().map_or(0, |made| states(&unwrapped(made).0.name));
            let bytes = |id: &crate::model::VarId| {
                cx.model.variables[id.0 as usize].ty.size().as_constant().unwrap_or(0).max(0) as u64 * 4
            };
            weights += m.parameters.iter().map(bytes).sum::<u64>() * (2 + states);
        }
        if weights + activations > limit {
            let place = cx.setting_place(train, "batch");
            let d = finding(
                place,
                format!("a step needs {} at least, and {} are there", told(weights + activations), told(limit)),
            )
            .note(format!(
                "{} for parameters, gradients and states, {} kept for a batch of {batch}",
                told(weights),
                told(activations)
            ))
            .help("take a smaller batch, part it with `micro:`, or make the model smaller");
            out.push(d);
        }
    }
    out
}

/// How many numbers an optimizer keeps for each parameter.
fn states(name: &str) -> u64 {
    match name {
        "Adam" | "AdamW" | "Adamax" | "NAdam" | "RAdam" | "Adadelta" => 2,
        "RMSprop" | "Adagrad" | "Lion" => 1,
        _ => 0,
    }
}

fn told(bytes: u64) -> String {
    let mb = bytes as f64 / 1e6;
    if mb >= 1000.0 { format!("{:.1} GB", mb / 1000.0) } else { format!("{mb:.0} MB") }
}
