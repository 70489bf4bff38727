//! Tests of the formatter.

mod files;
mod random;
mod style;

use super::{Refused, format};
use crate::source::Sources;

/// Formats a text as a file of its own.
fn formatted(text: &str) -> Result<String, Refused> {
    let mut sources = Sources::default();
    let id = sources.add("test.tfm", text, false);
    format(&sources, id)
}
