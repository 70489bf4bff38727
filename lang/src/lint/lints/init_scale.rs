//! `init_scale`: weights that begin far too large or too small.

use crate::diagnostic::Diagnostic;
use crate::lint::pass::strip;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{Body, Literal, Op, ValueId};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0306",
    name: "init_scale",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "weights that begin far too large or too small",
    why: "\
What a layer gives is as large as its input times the deviation of its weights times the root of how many are \
added. `normal(1)` over 784 inputs makes numbers 28 times as large, layer after layer: activations saturate \
and losses begin in the thousands. Far below that, gradients vanish. `glorot_uniform()`, `he_normal()` and \
`fan_in_uniform()` know the number of inputs.",
    bad: &[
        "\
layer Wide(units: int)(x: float[..B, I]) -> float[..B, units] {
  param w: float[I, units] = normal(1)
  param b: float[units] = zeros()
  x @ w + b
}

model Net(x: f32[B, 784]) -> f32[B, 10] { x |> Wide(512) |> relu |> Wide(10) }
",
        "\
layer Faint(units: int)(x: float[..B, I]) -> float[..B, units] {
  param w: float[I, units] = normal(1e-6)
  x @ w
}

model Net(x: f32[B, 784]) -> f32[B, 10] { x |> Faint(512) |> relu |> Dense(10) }
",
    ],
    good: &["\
layer Wide(units: int)(x: float[..B, I]) -> float[..B, units] {
  param w: float[I, units] = he_normal()
  param b: float[units] = zeros()
  x @ w + b
}

model Net(x: f32[B, 784]) -> f32[B, 10] { x |> Wide(512) |> relu |> Wide(10) }
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        for (v, w) in pass.first_weights() {
            let dims: Option<Vec<i64>> = w.ty.shape.iter().map(|a| a.dim.as_constant()).collect();
            let Some(dims) = dims.filter(|d| d.len() >= 2) else { continue };
            let fan_in: i64 = if pass.is(v, "matmul") { dims[dims.len() - 2] } else { dims[1..].iter().product() };
            let Some(deviation) = deviation(&w.init.0, w.init.1).filter(|d| *d > 0.0) else { continue };
            let gain = deviation * (fan_in as f64).sqrt();
            if (0.002..=8.0).contains(&gain) {
                continue;
            }
            let (told, times) =
                if gain > 1.0 { ("large", format!("{gain:.0}")) } else { ("small", format!("{gain:.1e}")) };
            let d = finding(
                w.span,
                format!("these weights begin too {told}: each layer multiplies what it is given by about {times}"),
            )
            .says(format!("deviation {deviation} over {fan_in} inputs"))
            .help("`glorot_uniform()`, `he_normal()` before `relu`, or a deviation near `1 / sqrt(inputs)`");
            out.push(d);
        }
    }
    out
}

/// The standard deviation of a first value, where it is a draw that constants scale and shift.
fn deviation(body: &Body, v: ValueId) -> Option<f64> {
    let node = body.node(v);
    let Op::Primitive(name, _) = &node.op else { return None };
    let constant = |v: ValueId| match body.node(strip(body, v)).op {
        Op::Constant(Literal::Number(x)) => Some(x),
        _ => None,
    };
    let scaled = |i: usize, j: usize| Some(constant(node.args[i])?.abs() * deviation(body, node.args[j])?);
    match &**name {
        "random_normal" => Some(1.0),
        "random_uniform" => Some(0.288_675),
        "multiply" => scaled(0, 1).or_else(|| scaled(1, 0)),
        "add" | "subtract" => match (constant(node.args[0]), constant(node.args[1])) {
            (Some(_), None) => deviation(body, node.args[1]),
            (None, Some(_)) => deviation(body, node.args[0]),
            _ => None,
        },
        "broadcast" | "reshape" | "transpose" | "cast" => deviation(body, node.args[0]),
        _ => None,
    }
}
