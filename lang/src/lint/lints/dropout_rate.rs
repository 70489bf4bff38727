//! `dropout_rate`: dropout that leaves next to nothing.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0307",
    name: "dropout_rate",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "dropout that leaves next to nothing",
    why: "\
The rate is the part that is dropped. From 0.9 on, nine of ten numbers are 0 in each step and the rest is ten \
times as large; most often the part to keep was meant, as another framework has it.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(64, relu) |> Dropout(0.9) |> Dense(10), label)
",
        "\
let h = f32(image) / 255 |> Conv2d(8, kernel: 3) |> relu |> ChannelDropout(0.95)
minimize cross_entropy(flatten(h) |> Dense(10), label)
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(64, relu) |> Dropout(0.1) |> Dense(10), label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        for a in pass.outermost() {
            let own = a.given("rate").filter(|_| a.name.contains("Drop"));
            let Some(rate) = own.or_else(|| a.given("dropout")).and_then(|r| r.number()) else { continue };
            if rate >= 0.9 {
                let d = finding(
                    a.span,
                    format!("`{}` drops {} % of what it is given", a.name, (rate * 1000.0).round() / 10.0),
                )
                .help(format!("if {rate} is the part to keep, write {}", ((1.0 - rate) * 1e6).round() / 1e6));
                out.push(d);
            }
        }
    }
    out
}
