//! What is said about the word under the pointer, as Markdown.

use std::fmt::Write as _;

use super::{About, Analysis, Document, Kind, Library, Target};
use crate::check::record::Seen;
use crate::check::setting_doc;
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::walk;

/// How many lines of a dimension's history are told.
const HISTORY: usize = 4;

/// Type, shape, where each dimension comes from, and documentation; with the place that it is about.
pub fn hover(
    document: &Document,
    analysis: Option<&Analysis>,
    library: &Library,
    offset: u32,
) -> Option<(Span, String)> {
    let found = document.index.at(offset)?;
    let word = document.sources.text(found.span);
    let mut said = String::new();
    match &found.target {
        Target::Here(def) => {
            let def = &document.index.defs[*def];
            let declared = def.ty.map_or(String::new(), |ty| format!(": {}", document.sources.text(ty)));
            let kind = match def.kind {
                Kind::Item => "",
                Kind::Import => "import ",
                Kind::Parameter => "parameter ",
                Kind::Local => "let ",
                Kind::Variable => "param ",
                Kind::Size => "size ",
                Kind::Column => "column ",
            };
            let seen = analysis.and_then(|a| a.record.at(found.span).or_else(|| a.record.at(def.span)));
            match (def.kind, seen) {
                (Kind::Item, _) => about(&mut said, &def.about, ""),
                (_, Some(seen)) => code(&mut said, &format!("{kind}{word}: {}", seen.text)),
                (Kind::Variable, None) => code(&mut said, &format!("{word}{declared}")),
                (_, None) => code(&mut said, &format!("{kind}{word}{declared}")),
            }
            if let (Some(analysis), Some(seen), false) = (analysis, seen, def.kind == Kind::Item) {
                lives(&mut said, analysis, seen);
            }
        }
        Target::Library(entry) => {
            let entry = library.get(*entry);
            about(&mut said, &entry.about, &entry.module);
        }
        Target::Other(_, span) => {
            let file = &document.sources.get(span.file).name;
            code(&mut said, word);
            let _ = writeln!(said, "from `{file}`");
        }
        Target::Field(data) => {
            let seen = analysis.and_then(|a| a.record.at(found.span));
            let field = analysis.and_then(|a| a.record.data.iter().find(|d| d.name == *data)).and_then(|spec| {
                let field = spec.fields.iter().find(|f| f.name == word)?;
                Some(field.ty.to_string())
            });
            match (seen, field) {
                (Some(seen), _) => code(&mut said, &format!("{word}: {}", seen.text)),
                (None, Some(ty)) => code(&mut said, &format!("{word}: {ty}, of one record")),
                (None, None) => return None,
            }
            let _ = writeln!(said, "a field of `{data}`");
        }
        Target::Setting => {
            code(&mut said, &format!("{word}: …"));
            let _ = writeln!(said, "{}", setting_doc(word)?);
        }
        Target::Named | Target::Unknown => {
            let seen = analysis.and_then(|a| a.record.at(found.span))?;
            code(&mut said, &format!("{word}: {}", seen.text));
        }
    }
    // What a stage of a pipeline gives stands with what the stage is.
    if let Some(analysis) = analysis
        && let Some(whole) = applied(document, found.span)
        && let Some(seen) = analysis.record.at(whole).filter(|seen| seen.tensor)
        && !matches!(found.target, Target::Here(def) if document.index.defs[def].kind != Kind::Item)
    {
        let mut result = String::new();
        code(&mut result, &format!("-> {}", seen.text));
        lives(&mut result, analysis, seen);
        said = format!("{result}\n---\n{said}");
    }
    Some((found.span, said))
}

fn code(said: &mut String, text: &str) {
    let _ = writeln!(said, "```tfm\n{text}\n```");
}

fn about(said: &mut String, about: &About, module: &str) {
    code(said, &about.head);
    if !module.is_empty() {
        let _ = writeln!(said, "`{module}`\n");
    }
    let mut examples = Vec::new();
    for line in about.doc.lines() {
        match line.trim().strip_prefix("example:") {
            Some(example) => examples.push(example.trim()),
            None if line.trim().starts_with("gradient:") => {}
            None => {
                let _ = writeln!(said, "{line}");
            }
        }
    }
    if !examples.is_empty() {
        said.push('\n');
        code(said, &examples.join("\n"));
    }
}

fn lives(said: &mut String, analysis: &Analysis, seen: &Seen) {
    for (dim, lines) in analysis.record.lives(seen, HISTORY, &analysis.sources) {
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(said, "\n`{dim}`");
        for (text, span) in lines {
            let file = &analysis.sources.get(span.file).name;
            let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
            let (line, _) = analysis.sources.line_column(span);
            let _ = writeln!(said, "- {text} ({file}:{line})");
        }
    }
}

/// The whole application whose callee's name stands at a place: for a stage the pipeline up to it.
fn applied(document: &Document, name: Span) -> Option<Span> {
    let mut found = None;
    walk::expressions(&document.file, &mut |e| {
        let callee = match &*e.kind {
            ExprKind::Pipe(_, stage) => Some(callee(stage)),
            ExprKind::Call(..) => Some(callee(e)),
            _ => None,
        };
        // Outer expressions come first, and the outermost that is still this callee's is the one.
        if callee == Some(name) && found.is_none() {
            found = Some(e.span);
        }
    });
    found
}

fn callee(e: &Expr) -> Span {
    match &*e.kind {
        ExprKind::Call(inner, _) => callee(inner),
        _ => e.span,
    }
}
