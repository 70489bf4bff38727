//! Declarations that are parsed when they are asked for: a file uses a few of the library's many.

use super::ast::Item;
use super::build::Builder;
use super::chunk::{self, Chunk};
use super::scan::ITEM_WORDS;
use super::words;
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources};

/// A declaration as cut from its file: its first word and its name are known, the rest is text.
#[derive(Clone, Debug)]
pub struct Late {
    file: FileId,
    chunk: Chunk,
}

impl Late {
    /// The word it begins with, `layer`.
    pub fn word(&self) -> &str {
        words::first(&self.chunk.text)
    }

    /// The name after that word.
    pub fn name(&self) -> Option<&str> {
        words::second(&self.chunk.text)
    }

    /// Parses it.
    pub fn parse(&self) -> (Item, Vec<Diagnostic>) {
        let mut builder = Builder::new(self.file);
        let item = builder.declaration(self.chunk.clone());
        (item, builder.diagnostics)
    }
}

/// Cuts a file into its declarations. `None` where something stands between them or a bracket is wrong: such a
/// file is for [`super::parse`], which says so.
pub fn late(sources: &Sources, file: FileId) -> Option<Vec<Late>> {
    let cut = chunk::cut(file, &sources.get(file).text);
    let whole = cut.stray.is_empty() && cut.diagnostics.is_empty();
    let declares = |chunk: &Chunk| !chunk.broken && ITEM_WORDS.contains(&words::first(&chunk.text));
    (whole && cut.chunks.iter().all(declares))
        .then(|| cut.chunks.into_iter().map(|chunk| Late { file, chunk }).collect())
}
