//! The outline of a file: symbols and what can be folded.

use super::index::item_name;
use super::library::about;
use super::{Document, Kind};
use crate::source::Span;
use crate::syntax::ast::{Item, ItemKind};
use crate::syntax::walk;

/// A declaration, with what is declared inside.
#[derive(Clone, PartialEq, Debug)]
pub struct Symbol {
    /// Its name; the title of a `test`.
    pub name: String,
    /// The word that declares it.
    pub kind: &'static str,
    /// `float[D, 3 * D]`, for a parameter.
    pub detail: String,
    /// All of it.
    pub span: Span,
    /// Its name's place.
    pub place: Span,
    /// What is inside.
    pub children: Vec<Symbol>,
}

/// The declarations of a file, in the order of the text.
pub fn symbols(document: &Document) -> Vec<Symbol> {
    document.file.items.iter().filter_map(|item| symbol(document, item)).collect()
}

fn symbol(document: &Document, item: &Item) -> Option<Symbol> {
    if let ItemKind::Test(title, _) = &item.kind {
        let (name, place) = (title.text.clone(), title.span);
        return Some(Symbol {
            name,
            kind: "test",
            detail: String::new(),
            span: item.span,
            place,
            children: Vec::new(),
        });
    }
    let name = item_name(item)?;
    let (_, _, about) = about(&document.sources, item)?;
    let inside = |span: Span| item.span.start <= span.start && span.end <= item.span.end;
    let children = document.index.defs.iter().filter(|d| inside(d.span) && d.span != name.span);
    let children = children.filter_map(|def| {
        let kind = match def.kind {
            Kind::Variable => "param",
            Kind::Column => "column",
            _ => return None,
        };
        let detail = def.ty.map_or(String::new(), |ty| document.sources.text(ty).to_string());
        Some(Symbol { name: def.name.clone(), kind, detail, span: def.span, place: def.span, children: Vec::new() })
    });
    let detail = about.head.split_once(name.text.as_str()).map_or("", |(_, rest)| rest).trim().to_string();
    let children = children.collect();
    Some(Symbol { name: name.text.to_string(), kind: about.kind, detail, span: item.span, place: name.span, children })
}

/// Places of more than a line that can be folded away: declarations, blocks, comments at the top of a file.
pub fn folds(document: &Document) -> Vec<Span> {
    let mut found: Vec<Span> = document.file.items.iter().map(|item| item.span).collect();
    walk::blocks(&document.file, &mut |block| found.push(block.span));
    found.retain(|span| document.sources.text(*span).contains('\n'));
    found.sort_by_key(|span| (span.start, u32::MAX - span.end));
    found.dedup();
    found
}
