//! `unused_column`: a column that is declared and used by nothing.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{Op, Static};
use crate::source::Span;
use crate::syntax::ast::ItemKind;
use std::collections::BTreeSet;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0502",
    name: "unused_column",
    group: Group::Data,
    level: Level::Warn,
    title: "a column that is declared and used by nothing",
    why: "\
It is read, converted, normalised and batched for nothing; and perhaps it was to be among the inputs. `skip` \
says that it is not wanted.",
    bad: &[
        "\
data houses = csv(\"houses.csv\") {
  rooms: f32 |> standardize
  area:  f32 |> standardize
  price: f32 |> standardize
} |> shuffle() |> split(0.8)

train price on houses.train {
  minimize mse((stack([rooms], axis: -1) |> Dense(1))[:, 0], price)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate houses.test }
}
",
        "\
data clothes = npy(\"clothes.npz\") { image: u8[1, 28, 28]
  label: label(5)
  weight: f32 } |> shuffle() |> split(0.9)

train net on clothes.train {
  minimize cross_entropy(flatten(f32(image) / 255) |> Dense(5), label)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate clothes.test }
}
",
    ],
    good: &["\
data houses = csv(\"houses.csv\") {
  rooms: f32 |> standardize
  area:  skip
  price: f32 |> standardize
} |> shuffle() |> split(0.8)

train price on houses.train {
  minimize mse((stack([rooms], axis: -1) |> Dense(1))[:, 0], price)
  optimizer: Adam()
  batch: 32
  epochs: 20
  every 1 epoch { evaluate houses.test }
}
"],
    fix: Fixes::Safe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut used: BTreeSet<(usize, String)> = BTreeSet::new();
    let mut trained: BTreeSet<usize> = BTreeSet::new();
    for pass in cx.passes.iter().filter(|p| p.train.is_some()) {
        let Some((train, _)) = pass.train else { continue };
        trained.insert(train.data.data);
        let needed = pass.needed(&pass.roots);
        for v in pass.values().filter(|v| needed[v.0 as usize]) {
            if let Op::Input(name) = &pass.node(v).op {
                let last = name.rsplit('.').next().unwrap_or(name);
                used.insert((train.data.data, last.to_string()));
            }
        }
    }
    let zipped = |name: &str| cx.model.data.iter().flat_map(|d| &d.zipped).any(|z| z.data.name == name);
    let mut out = Vec::new();
    for (i, spec) in cx.model.data.iter().enumerate().filter(|(i, s)| trained.contains(i) && !zipped(&s.name)) {
        let filtered = format!(
            "{:?}",
            spec.operators.iter().filter(|o| matches!(o, Static::Call(n, _) if n == "filter")).collect::<Vec<_>>()
        );
        for column in &spec.columns {
            let skipped = matches!(&column.kind, Static::Call(kind, _) if kind == "skip");
            if skipped
                || spec.source == "random"
                || used.contains(&(i, column.name.clone()))
                || filtered.contains(&column.name)
            {
                continue;
            }
            let d = finding(column.span, format!("nothing uses the column `{}`", column.name))
                .help("write `skip`, or use it");
            out.push(match value_of(cx, column.span) {
                Some(value) => d.safe_fix("skip it", value, "skip"),
                None => d,
            });
        }
    }
    out
}

/// The place of a column's kind and transforms.
fn value_of(cx: &Context, place: Span) -> Option<Span> {
    let items = cx.files.iter().flat_map(|f| &f.items);
    let columns = items.filter_map(|i| if let ItemKind::Data { columns, .. } = &i.kind { Some(columns) } else { None });
    columns.flatten().find(|c| c.name.span == place || c.name.span.to(c.value.span) == place).map(|c| c.value.span)
}
