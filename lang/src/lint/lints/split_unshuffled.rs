//! `split_unshuffled`: data is split in the order of the file.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::Static;
use crate::source::Span;
use crate::syntax::ast::ItemKind;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0503",
    name: "split_unshuffled",
    group: Group::Data,
    level: Level::Warn,
    title: "data is split in the order of the file",
    why: "\
Files are often sorted, by class, by day, by who wrote them: the last tenth is then of another kind than the \
rest, and a test on it says little. Training takes its examples in a new order anyway; what `split` cuts is \
the order of the file. (For a series in time, where the test should lie after the training, `windows` says \
so.)",
    bad: &[
        "\
data houses = csv(\"houses.csv\") {
  rooms: f32 |> standardize
  price: f32 |> standardize
} |> split(0.8)

train price on houses.train {
  minimize mse((stack([rooms], axis: -1) |> Dense(1))[:, 0], price)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate houses.test }
}
",
        "\
data flowers = images(\"flowers\", classes: [\"daisy\", \"rose\"], size: [64, 64]) |> split(0.9)

train net on flowers.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(2), label)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate flowers.test }
}
",
    ],
    good: &["\
data flowers = images(\"flowers\", classes: [\"daisy\", \"rose\"], size: [64, 64]) |> shuffle() |> split(0.9)

train net on flowers.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(2), label)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate flowers.test }
}
"],
    fix: Fixes::Unsafe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for spec in &cx.model.data {
        let files = ["csv", "jsonl", "parquet", "images", "npy", "wav", "idx"].contains(&spec.source.as_str());
        let name = |o: &Static| if let Static::Call(name, _) = o { name.clone() } else { String::new() };
        let names: Vec<String> = spec.operators.iter().map(name).collect();
        let split = names.iter().position(|n| n == "split");
        let windows = names.iter().any(|n| n == "windows");
        let shuffled = split.is_some_and(|at| names[..at].iter().any(|n| n == "shuffle"));
        if !files || split.is_none() || windows || shuffled {
            continue;
        }
        let d = finding(spec.span, format!("`{}` is split in the order of its file", spec.name))
            .help("write `|> shuffle(seed: 1)` before `|> split(…)`");
        let place = operator(cx, spec.span, split.unwrap_or(0));
        out.push(match place {
            Some(at) => d.fix("shuffle before", Span { end: at.start, ..at }, "shuffle(seed: 1) |> "),
            None => d,
        });
    }
    out
}

fn operator(cx: &Context, place: Span, index: usize) -> Option<Span> {
    let mut items = cx.files.iter().flat_map(|f| &f.items);
    let inside = |s: Span| s.file == place.file && s.start <= place.start && s.end >= place.end;
    items.find_map(|i| match &i.kind {
        ItemKind::Data { operators, .. } if inside(i.span) => operators.get(index).map(|e| e.span),
        _ => None,
    })
}
