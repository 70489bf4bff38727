//! Where statements begin and which braces are blocks: what a formatter needs beside the tokens.

use super::chunk::{self, Chunk};
use crate::source::FileId;

/// The shape of a file, as offsets in the order of the text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Outline {
    /// The first byte of every statement, declaration and column.
    pub(crate) starts: Vec<u32>,
    /// Every `{` that opens a block.
    pub(crate) opens: Vec<u32>,
}

/// Reads the outline of a text.
pub(crate) fn outline(text: &str) -> Outline {
    of(&chunk::cut(FileId::default(), text).chunks)
}

/// The outline of a text that has been cut.
pub(super) fn of(chunks: &[Chunk]) -> Outline {
    let mut found = Outline::default();
    walk(chunks, &mut found);
    found.starts.sort_unstable();
    found.opens.sort_unstable();
    found
}

fn walk(chunks: &[Chunk], found: &mut Outline) {
    for chunk in chunks {
        found.starts.push(chunk.start);
        for block in &chunk.blocks {
            found.opens.push(block.open);
            walk(&block.chunks, found);
        }
    }
}
