//! The grammar of the language, `tfm.pest`, and the parser that pest derives from it.
//!
//! Nothing else is here: how a file is cut into statements, what a parse tree means and what a syntax
//! error says is in `tfm-lang`.

// The parser is derived without `std`: with it pest asks at each step how much stack is left, and texts that it is
// handed are never nested deeper than the cutter allows.
extern crate alloc;

#[allow(missing_docs)]
mod derived {
    /// The parser: `TfmParser::parse(Rule::file, text)`.
    #[derive(pest_derive::Parser)]
    #[grammar = "../tfm.pest"]
    pub struct TfmParser;
}

pub use derived::{Rule, TfmParser};
