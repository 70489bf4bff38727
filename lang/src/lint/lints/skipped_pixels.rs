//! `skipped_pixels`: a window that steps further than it is wide.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{Attr, Op};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0312",
    name: "skipped_pixels",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "a window that steps further than it is wide",
    why: "\
With a stride larger than the kernel there are rows and columns that no window sees. (A kernel of 1 is left \
alone: it picks pixels on purpose.)",
    bad: &[
        "\
let h = f32(image) / 255 |> Conv2d(8, kernel: 2, stride: 3) |> relu
minimize cross_entropy(flatten(h) |> Dense(10), label)
",
        "\
let h = f32(image) / 255 |> Conv2d(8, kernel: 3) |> relu |> MaxPool2d(2, stride: 4)
minimize cross_entropy(flatten(h) |> Dense(10), label)
",
    ],
    good: &["\
let h = f32(image) / 255 |> Conv2d(8, kernel: 3, stride: 3) |> relu
minimize cross_entropy(flatten(h) |> Dense(10), label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        for v in pass.values() {
            let Op::Primitive(name, attrs) = &pass.node(v).op else { continue };
            let numbers = |name: &str| match attrs.iter().find(|(n, _)| &**n == name) {
                Some((_, Attr::Ints(all))) => all.iter().filter_map(|d| d.as_constant()).collect(),
                Some((_, Attr::Int(d))) => d.as_constant().into_iter().collect(),
                _ => Vec::new(),
            };
            let kernel: Vec<i64> = match &**name {
                "conv" => {
                    let shape = &pass.node(pass.node(v).args[1]).ty.shape;
                    let reach = |(i, k): (usize, i64)| (k - 1) * at(&numbers("dilation"), i) + 1;
                    shape[2..].iter().filter_map(|a| a.dim.as_constant()).enumerate().map(reach).collect()
                }
                "max_pool" | "avg_pool" => numbers("size"),
                _ => continue,
            };
            let stride = numbers("stride");
            let axes = kernel.len().max(stride.len());
            let skipped = (0..axes).find(|i| at(&kernel, *i) > 1 && at(&stride, *i) > at(&kernel, *i));
            if let Some(i) = skipped {
                let d = finding(
                    pass.node(v).span,
                    format!(
                        "windows of {} stand {} apart: what is between is not seen",
                        at(&kernel, i),
                        at(&stride, i)
                    ),
                )
                .help("take a stride that is not larger than the window");
                out.push(d);
            }
        }
    }
    out
}

/// The number for an axis; one number is for all of them.
fn at(all: &[i64], axis: usize) -> i64 {
    all.get(axis).or(all.last()).copied().unwrap_or(1)
}
