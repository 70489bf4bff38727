//! The grammar of the language, `tfm.pest`, and the parser that pest derives from it.
//!
//! Nothing else is here: how a file is cut into statements, what a parse tree means and what a syntax
//! error says is in `tfm-lang`.

#[allow(missing_docs)]
mod derived {
    /// The parser: `TfmParser::parse(Rule::file, text)`.
    #[derive(pest_derive::Parser)]
    #[grammar = "../tfm.pest"]
    pub struct TfmParser;
}

pub use derived::{Rule, TfmParser};
