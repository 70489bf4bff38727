//! `unused_import`: an import that nothing uses.

use crate::diagnostic::Diagnostic;
use crate::lint::names::used;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::source::Span;
use crate::syntax::ast::{ItemKind, Name};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0601",
    name: "unused_import",
    group: Group::Style,
    level: Level::Warn,
    title: "an import that nothing uses",
    why: "\
It says that the file needs something that it does not. `--fix` takes it out.",
    bad: &[
        "\
import std.layers.{Conv2d, Dense}

model Net(x: f32[B, 784]) -> f32[B, 10] { Dense(10)(x) }
",
        "\
import std.layers.Dense
import std.losses.mse

model Net(x: f32[B, 784]) -> f32[B, 10] { Dense(10)(x) }
",
    ],
    good: &["\
import std.layers.Dense

model Net(x: f32[B, 784]) -> f32[B, 10] { Dense(10)(x) }
"],
    fix: Fixes::Safe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for file in &cx.files {
        let used = used(file);
        for item in &file.items {
            let ItemKind::Import { names, .. } = &item.kind else { continue };
            let idle: Vec<usize> = (0..names.len()).filter(|i| !used.contains_key(names[*i].text.as_str())).collect();
            for i in &idle {
                let d = finding(names[*i].span, format!("nothing uses `{}`", names[*i].text)).help("take it out");
                let edit = if idle.len() == names.len() {
                    // All of them: the whole line goes with the first.
                    (*i == 0).then(|| whole_line(cx, item.span))
                } else {
                    Some(one_of(names, *i))
                };
                out.push(match edit {
                    Some(span) => d.safe_fix("take it out", span, ""),
                    None => d,
                });
            }
        }
    }
    out
}

fn whole_line(cx: &Context, span: Span) -> Span {
    let text = &cx.sources.get(span.file).text;
    let rest = &text[span.end as usize..];
    let blank = rest.find('\n').filter(|n| rest[..*n].trim().is_empty()).map_or(0, |n| n + 1);
    Span { end: span.end + blank as u32, ..span }
}

/// A name of a list, with the comma that goes with it.
fn one_of(names: &[Name], i: usize) -> Span {
    match names.get(i + 1) {
        Some(next) => Span { end: next.span.start, ..names[i].span },
        None => Span { start: names[i - 1].span.end, ..names[i].span },
    }
}
