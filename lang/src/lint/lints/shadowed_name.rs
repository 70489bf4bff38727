//! `shadowed_name`: a name that hides a field of the data or an import.

use crate::diagnostic::Diagnostic;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::syntax::ast::{Block, ItemKind, Name, Pattern, StmtKind};
use crate::syntax::walk;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0605",
    name: "shadowed_name",
    group: Group::Style,
    level: Level::Warn,
    title: "a name that hides a field of the data or an import",
    why: "\
From here on the name means another thing than in the declaration of the data, or at the head of the file. A \
reader who looks there is misled; so is who edits the line above.",
    bad: &[
        "\
let image = flatten(f32(image) / 255)
minimize cross_entropy(image |> Dense(10), label)
",
        "\
let label = label % 2
minimize binary_cross_entropy((x |> Dense(1))[:, 0], f32(label))
",
    ],
    good: &["\
let pixels = flatten(f32(image) / 255)
minimize cross_entropy(pixels |> Dense(10), label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for file in &cx.files {
        let imports: Vec<&Name> = file
            .items
            .iter()
            .flat_map(|i| match &i.kind {
                ItemKind::Import { names, .. } => names.iter().collect(),
                _ => Vec::new(),
            })
            .collect();
        let mut lets = Vec::new();
        walk::blocks(file, &mut |b| lets.extend(bound(b)));
        for name in lets {
            if let Some(import) = imports.iter().find(|i| i.text == name.text) {
                let d = finding(name.span, format!("`{}` hides what is imported under this name", name.text))
                    .label(import.span, "imported here")
                    .help("give it another name");
                out.push(d);
            }
        }
    }
    for (train, _) in cx.trains() {
        let (Some(block), Some(spec)) = (cx.block(train), cx.data(&train.data)) else { continue };
        for name in bound(block) {
            if spec.fields.iter().any(|f| f.name == name.text) {
                let d = finding(name.span, format!("`{}` hides a field of `{}`", name.text, spec.name))
                    .label(spec.span, "the data")
                    .help("give it another name");
                out.push(d);
            }
        }
    }
    out
}

/// The names that the statements of a block bind.
fn bound(b: &Block) -> Vec<Name> {
    let names = b.statements.iter().flat_map(|s| match &s.kind {
        StmtKind::Let(Pattern::Name(name, _), _) => vec![name.clone()],
        StmtKind::Let(Pattern::Tuple(names, _), _) => names.clone(),
        _ => Vec::new(),
    });
    names.collect()
}
