//! `batch_norm_of_one`: a batch normalisation over a batch of one.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0309",
    name: "batch_norm_of_one",
    group: Group::Correctness,
    level: Level::Deny,
    title: "a batch normalisation over a batch of one",
    why: "\
The mean of one example is the example: less its mean it is 0, and the layer gives its shift whatever it is \
given. With `micro: 1` it is the same. `LayerNorm` and `GroupNorm` do not look at other examples.",
    bad: &[
        "\
minimize cross_entropy(x |> Dense(32) |> BatchNorm() |> relu |> Dense(10), label)
batch: 1
",
        "\
minimize cross_entropy(x |> Dense(32) |> BatchNorm() |> relu |> Dense(10), label)
batch: 32
micro: 1
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(32) |> LayerNorm() |> relu |> Dense(10), label)
batch: 1
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        let Some((train, _)) = pass.train else { continue };
        let replicas = train.settings.parallel.map_or(1, |r| r.count.max(1));
        let (name, size) = match train.settings.micro {
            Some(n) => ("micro", n),
            None => ("batch", train.batch / replicas),
        };
        if size > 1 {
            continue;
        }
        if let Some(norm) = pass.outermost().find(|a| &*a.name == "BatchNorm") {
            let d = finding(cx.setting_place(train, name), "`BatchNorm` takes the mean over a batch of one")
                .label(norm.span, "the normalisation")
                .help("take a larger batch, or `LayerNorm` or `GroupNorm`");
            out.push(d);
        }
    }
    out
}
