//! Tests of the parser.

mod broken;
mod expressions;
mod programs;
mod random;

use super::{ast, parse};
use crate::diagnostic::Diagnostic;
use crate::source::Sources;

/// Parses a text as a file of its own.
fn parsed(text: &str) -> (Sources, ast::File, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let id = sources.add("test.tfm", text, false);
    let (file, diagnostics) = parse(&sources, id);
    (sources, file, diagnostics)
}
