//! The kind of every word of a text, for colours that know more than a grammar does.

use super::{Document, Kind, Library, Target};
use crate::format::lexed_kinds;
use crate::types::DType;

/// What a word is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenKind {
    /// A word of the language.
    Keyword,
    /// A function, loss, metric or schedule.
    Function,
    /// A layer, model or optimizer.
    Class,
    /// A parameter of what is applied, an argument's name.
    Parameter,
    /// Bound by `let` or a loop.
    Variable,
    /// `param`, `state`, a field, a part, a setting.
    Property,
    /// A dtype or another word of types.
    Type,
    /// A size, `B`.
    TypeParameter,
    /// A module.
    Namespace,
    /// A number.
    Number,
    /// A text or a pattern.
    String,
    /// A comment.
    Comment,
}

/// The kinds in the order of their numbers, as the protocol calls them.
pub const TOKEN_KINDS: [(TokenKind, &str); 12] = [
    (TokenKind::Keyword, "keyword"),
    (TokenKind::Function, "function"),
    (TokenKind::Class, "class"),
    (TokenKind::Parameter, "parameter"),
    (TokenKind::Variable, "variable"),
    (TokenKind::Property, "property"),
    (TokenKind::Type, "type"),
    (TokenKind::TypeParameter, "typeParameter"),
    (TokenKind::Namespace, "namespace"),
    (TokenKind::Number, "number"),
    (TokenKind::String, "string"),
    (TokenKind::Comment, "comment"),
];

/// Every word with its kind, in the order of the text: first byte, one past the last, kind.
pub fn semantic_tokens(document: &Document, library: &Library) -> Vec<(u32, u32, TokenKind)> {
    let text = document.text();
    let mut found = Vec::new();
    for (start, end, comment, keyword) in lexed_kinds(text) {
        let word = &text[start as usize..end as usize];
        let kind = match word.as_bytes().first() {
            _ if comment => TokenKind::Comment,
            Some(b'"' | b'`') => TokenKind::String,
            Some(b'0'..=b'9') => TokenKind::Number,
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => match of_word(document, library, start, word, keyword) {
                Some(kind) => kind,
                None => continue,
            },
            _ => continue,
        };
        found.push((start, end, kind));
    }
    found
}

fn of_word(document: &Document, library: &Library, start: u32, word: &str, keyword: bool) -> Option<TokenKind> {
    let uses = &document.index.uses;
    let at = uses.partition_point(|u| u.span.start < start);
    let of = |kind: &str| match kind {
        "layer" | "model" | "optimizer" => TokenKind::Class,
        "data" | "train" | "const" => TokenKind::Variable,
        "dim" => TokenKind::TypeParameter,
        _ => TokenKind::Function,
    };
    if let Some(found) = uses.get(at).filter(|u| u.span.start == start) {
        return Some(match &found.target {
            Target::Here(def) => {
                let def = &document.index.defs[*def];
                match def.kind {
                    Kind::Item => of(def.about.kind),
                    Kind::Import => TokenKind::Function,
                    Kind::Parameter => TokenKind::Parameter,
                    Kind::Local => TokenKind::Variable,
                    Kind::Variable | Kind::Column => TokenKind::Property,
                    Kind::Size => TokenKind::TypeParameter,
                }
            }
            Target::Library(entry) => of(library.get(*entry).about.kind),
            Target::Other(..) => TokenKind::Function,
            Target::Field(_) | Target::Setting => TokenKind::Property,
            Target::Named => TokenKind::Parameter,
            Target::Unknown if DType::from_name(word).is_some() => TokenKind::Type,
            Target::Unknown => TokenKind::Variable,
        });
    }
    let is_type = DType::from_name(word).is_some()
        || matches!(word, "float" | "int" | "number" | "any" | "string" | "duration" | "dtype" | "schedule");
    match word {
        "true" | "false" => Some(TokenKind::Keyword),
        _ if keyword => Some(TokenKind::Keyword),
        _ if is_type => Some(TokenKind::Type),
        "std" => Some(TokenKind::Namespace),
        "keep" | "highest" | "lowest" | "images" | "when" | "end" => Some(TokenKind::Keyword),
        _ => None,
    }
}
