//! `constant_weights`: weights that all begin alike.

use crate::diagnostic::Diagnostic;
use crate::lint::facts;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0305",
    name: "constant_weights",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "weights that all begin alike",
    why: "\
Units whose weights are the same compute the same, get the same gradient and stay the same: a layer of a \
thousand is one unit. Where they are 0 and `relu` follows, nothing moves at all. Weights begin at random \
numbers; biases may begin at 0.",
    bad: &[
        "\
layer Plain(units: int)(x: float[..B, I]) -> float[..B, units] {
  param w: float[I, units] = zeros()
  param b: float[units] = zeros()
  x @ w + b
}

data digits = drawn_digits()

train net on digits.train {
  let h = flatten(f32(image) / 255) |> Plain(64) |> tanh
  minimize cross_entropy(h |> Dense(10), label)
  optimizer: Adam()
  batch: 50
  epochs: 5
  every 1 epoch { evaluate digits.test }
}
",
        "\
layer Same(units: int)(x: float[..B, I]) -> float[..B, units] {
  param w: float[I, units] = constant(0.5)
  relu(x @ w)
}

model Net(x: f32[B, 784]) -> f32[B, 10] { x |> Same(64) |> Same(64) |> Dense(10) }
",
    ],
    good: &["\
layer Plain(units: int)(x: float[..B, I]) -> float[..B, units] {
  param w: float[I, units] = glorot_uniform()
  param b: float[units] = zeros()
  x @ w + b
}

model Net(x: f32[B, 784]) -> f32[B, 10] { x |> Plain(64) |> tanh |> Dense(10) }
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        for (v, w) in pass.first_weights() {
            let (body, start) = &w.init;
            let first = facts::of(body, &[], &[]);
            let constant = first.get(start.0 as usize).is_some_and(|f| f.low == f.high && !f.random);
            if !constant || w.ty.rank() < 2 || w.ty.size().as_constant().is_some_and(|n| n < 2) {
                continue;
            }
            // The head may begin at 0: what it multiplies differs. So may what is added to something else.
            let reached = pass.reached(&[v]);
            let hidden = pass.values().any(|u| {
                u != v && reached[u.0 as usize] && pass.linear(u).is_some_and(|(x, ..)| reached[x.0 as usize])
            });
            let users = pass.follow(v, &|p, u| p.is(u, "add") && p.without_bias(u) != u);
            let added = users.iter().any(|u| pass.is(*u, "add") && pass.without_bias(*u) == strip(pass.body, *u));
            if hidden && !added {
                let d = finding(w.span, "these weights all begin alike, and so they stay alike")
                    .says(format!("{}, {}", w.path, w.ty))
                    .label(pass.node(v).span, "they are multiplied here, and layers follow")
                    .help("begin with random numbers: `glorot_uniform()`, `he_normal()` before `relu`, `normal(0.02)`");
                out.push(d);
            }
        }
    }
    out
}
