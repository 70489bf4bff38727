//! From text to a checked [`model::Model`]: parser, types, shapes, diagnostics.
//!
//! No I/O and no threads: the command line, an editor and a web page hold the same code.

pub mod check;
pub mod device;
pub mod diagnostic;
pub mod dim;
pub mod doc;
pub mod editor;
pub mod format;
pub mod lint;
pub mod model;
pub mod source;
pub mod syntax;
pub mod types;
pub mod word;
