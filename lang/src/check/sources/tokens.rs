//! What a token of a text is.

use super::{Default, Form, Kind, MOST, get, int, param};
use crate::model::Static;

/// What a token of `text` can be.
pub static TOKENS: &[Form] = &[
    Form {
        name: "chars",
        params: &[param(
            "count",
            Kind::Count(0x11_0000),
            Default::Required,
            "how many different characters there are at most",
        )],
        doc: "Each character is a token, numbered in the order of Unicode. Those that only the test part has come \
              after those of the training part. More characters than declared are an error.",
    },
    Form {
        name: "words",
        params: &[param("count", Kind::Count(MOST), Default::Required, "the size of the vocabulary, unknown included")],
        doc: "A word is a run of letters, digits and apostrophes; any other character that is not a space is a word \
              of its own, and so is the end of a line. Token 0 is an unknown word; the most frequent words of the \
              training part are 1, 2, 3 and so on.",
    },
    Form {
        name: "bytes",
        params: &[],
        doc: "Each byte of the file is a token, below 256. The file may hold anything.",
    },
];

/// What a token is, with the size of the vocabulary.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Tokens {
    Chars(i64),
    Words(i64),
    Bytes,
}

impl Tokens {
    /// How many tokens there are at most.
    pub fn vocabulary(self) -> i64 {
        match self {
            Tokens::Chars(n) | Tokens::Words(n) => n,
            Tokens::Bytes => 256,
        }
    }
}

/// The `tokens` of bound arguments of `text`.
pub fn tokens(args: &[(String, Static)]) -> Tokens {
    match get(args, "tokens") {
        Some(Static::Call(name, inner)) if name == "words" => Tokens::Words(int(inner, "count")),
        Some(Static::Call(name, inner)) if name == "chars" => Tokens::Chars(int(inner, "count")),
        _ => Tokens::Bytes,
    }
}
