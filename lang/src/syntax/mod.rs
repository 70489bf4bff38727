//! From text to the syntax tree: cut into chunks, each parsed by pest, each made into a node.
//!
//! Parsing never fails. What does not parse is one diagnostic at the token that cannot stand there and an
//! `Error` node with the names it would have bound; everything around it is in the tree as if nothing
//! had happened. What the tree promises:
//!
//! - every span lies in its file, on the bounds of characters;
//! - no expression is deeper than a fixed limit, so that the tree can be walked and dropped by recursion;
//! - comparisons do not chain, after `|>` stands a name, a path, a call or a `fn`, and commands
//!   stand where they may: `minimize` and settings only in `train`.

pub mod ast;
mod build;
mod chunk;
mod errors;
mod expressions;
mod items;
mod late;
mod literals;
pub(crate) mod outline;
pub(crate) mod scan;
mod statements;
mod types;
pub(crate) mod walk;
mod words;

#[cfg(test)]
mod tests;

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources, Span};
use build::Builder;
use outline::Outline;
use statements::Place;

pub use late::{Late, late};

/// Parses one file. Never fails: what does not parse is an `Error` node and a diagnostic.
///
/// Diagnostics are in the order of the text.
pub fn parse(sources: &Sources, file: FileId) -> (ast::File, Vec<Diagnostic>) {
    let mut items = Vec::new();
    let diagnostics = build(file, chunk::cut(file, &sources.get(file).text), &mut |item| items.push(item));
    (ast::File { id: file, items }, diagnostics)
}

/// Where statements and blocks begin in a file that parses.
///
/// # Errors
///
/// What [`parse`] says of the file.
pub(crate) fn parsed_outline(sources: &Sources, file: FileId) -> Result<Outline, Vec<Diagnostic>> {
    let cut = chunk::cut(file, &sources.get(file).text);
    let outline = outline::of(&cut.chunks);
    // Nobody needs the tree: each declaration goes once it is built, and its memory is taken again.
    let diagnostics = build(file, cut, &mut drop);
    if diagnostics.is_empty() { Ok(outline) } else { Err(diagnostics) }
}

/// Builds the declarations; gives what is wrong with them, in the order of the text.
fn build(file: FileId, mut cut: chunk::Cut, take: &mut dyn FnMut(ast::Item)) -> Vec<Diagnostic> {
    let mut builder = Builder::new(file);
    builder.diagnostics.append(&mut cut.diagnostics);
    builder.items(cut, take);
    let mut diagnostics = builder.diagnostics;
    diagnostics.sort_by_key(|d| d.span().start);
    diagnostics
}

/// Parses the whole text of a file as one expression: a value on the command line, an example in a
/// doc comment.
///
/// # Errors
///
/// What is wrong with it first; an empty text is an error too.
pub fn parse_expression(sources: &Sources, file: FileId) -> Result<ast::Expr, Diagnostic> {
    let text = &sources.get(file).text;
    let mut cut = chunk::cut(file, text);
    let mut builder = Builder::new(file);
    builder.diagnostics.append(&mut cut.diagnostics);
    let mut chunks = cut.chunks.into_iter();
    let mut value = None;
    if let Some(mut chunk) = chunks.next() {
        value = builder
            .chunk(&mut chunk, tfm_grammar::Rule::expr_only, Place::Body, 0, |b, node, depth| b.expr(node, depth));
    }
    if let Some(more) = chunks.next() {
        let place = Span { file, start: more.start, end: more.end };
        builder.diagnostics.push(Diagnostic::error("E0101", place, "a second value, where one was expected"));
    }
    if let Some(&at) = cut.stray.first() {
        let place = Span { file, start: at, end: at + 1 };
        builder.diagnostics.push(Diagnostic::error("E0103", place, "this `}` closes nothing"));
    }
    let first = builder.diagnostics.into_iter().min_by_key(|d| d.span().start);
    match (first, value) {
        (Some(diagnostic), _) => Err(diagnostic),
        (None, Some(value)) => Ok(value),
        (None, None) => {
            let end = Span { file, start: text.len() as u32, end: text.len() as u32 };
            Err(Diagnostic::error("E0101", end, "a value was expected, and there is none"))
        }
    }
}
