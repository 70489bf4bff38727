//! Edits that an editor offers: those that diagnostics bring along, and imports of what the library has.

use super::{Analysis, Document, Edit, Library};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{ItemKind, Name};

/// An edit with its title.
#[derive(Clone, PartialEq, Debug)]
pub struct Action {
    /// What it does, in words.
    pub title: String,
    /// The edits, all together.
    pub edits: Vec<Edit>,
    /// Which diagnostic of the analysis it mends.
    pub mends: Option<usize>,
}

/// What can be done about a place.
pub fn actions(document: &Document, analysis: &Analysis, library: &Library, within: Span) -> Vec<Action> {
    let mut found = Vec::new();
    for (i, diagnostic) in analysis.diagnostics.iter().enumerate() {
        let touches = diagnostic
            .labels
            .iter()
            .map(|l| l.span)
            .any(|span| span.file == analysis.main && span.start <= within.end && within.start <= span.end);
        if !touches {
            continue;
        }
        for fix in diagnostic.fixes.iter().filter(|fix| fix.span.file == analysis.main) {
            let edits = vec![Edit { span: fix.span, text: fix.replacement.clone() }];
            found.push(Action { title: fix.title.clone(), edits, mends: Some(i) });
        }
        found.extend(import(document, library, diagnostic).map(|action| Action { mends: Some(i), ..action }));
    }
    found
}

/// `there is no Dense here`: it may be in the library.
fn import(document: &Document, library: &Library, diagnostic: &Diagnostic) -> Option<Action> {
    let name = document.sources.text(diagnostic.span());
    let entry = library.entries().iter().find(|e| e.name == name && !e.everywhere)?;
    if diagnostic.code != "E0201" {
        return None;
    }
    let title = format!("import `{}.{name}`", entry.module);
    Some(Action { title, edits: vec![import_edit(document, &entry.module, name)], mends: None })
}

/// The edit that imports a name: into an import of its module, or as a line of its own after the imports.
pub(super) fn import_edit(document: &Document, module: &str, name: &str) -> Edit {
    let text = document.text();
    let mut last = None;
    for item in &document.file.items {
        let ItemKind::Import { path, names } = &item.kind else { continue };
        last = Some(item.span);
        if joined(path) == module && !names.is_empty() {
            let mut all: Vec<&str> = names.iter().map(|n| n.text.as_str()).chain([name]).collect();
            all.sort_by_key(|n| n.to_lowercase());
            all.dedup();
            return Edit { span: item.span, text: format!("import {module}.{{{}}}", all.join(", ")) };
        }
    }
    let line = format!("import {module}.{name}");
    let main = document.main;
    match last {
        Some(span) => Edit { span: Span { start: span.end, ..span }, text: format!("\n{line}") },
        // After the comment that a file begins with.
        None => {
            let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
            for line in text[at..].split_inclusive('\n') {
                if !line.starts_with("//") || line.starts_with("///") {
                    break;
                }
                at += line.len();
            }
            let before = if at > 0 && text[..at].ends_with('\n') { "\n" } else { "" };
            let place = Span { file: main, start: at as u32, end: at as u32 };
            Edit { span: place, text: format!("{before}{line}\n") }
        }
    }
}

fn joined(path: &[Name]) -> String {
    path.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".")
}
