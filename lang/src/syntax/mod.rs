//! From text to the syntax tree.

pub mod ast;

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources};

/// Parses one file. Never fails: what does not parse is an `Error` node and a diagnostic.
pub fn parse(sources: &Sources, file: FileId) -> (ast::File, Vec<Diagnostic>) {
    let _ = sources;
    (ast::File { id: file, items: Vec::new() }, Vec::new())
}
