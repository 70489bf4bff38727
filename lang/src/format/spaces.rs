//! Where a blank stands between two tokens of a line, and which words and signs are operators.

use super::tokens::{Level, PIPE, Token};
use crate::syntax::scan::{ITEM_WORDS, RESERVED, STATEMENT_WORDS, is_word};

/// Words that belong to the command before them.
const SECOND_WORDS: [(&str, &[&str]); 4] =
    [("checkpoint", &["keep", "highest", "lowest"]), ("save", &["images"]), ("stop", &["when"]), ("at", &["end"])];

/// A bracket that is open.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Round,
    /// `[` of a list or of a type.
    List,
    /// `[` right behind a value.
    Index,
    Block,
    /// `{` of an import.
    Names,
}

/// Sets `space`, `level` and `keyword` of every token.
pub(super) fn mark(text: &str, tokens: &mut [Token]) {
    let bytes = text.as_bytes();
    let mut open: Vec<Open> = Vec::new();
    for i in 0..tokens.len() - 1 {
        let token = &tokens[i];
        let word = token.text(text);
        let next = tokens[i + 1].text(text);
        let begins = token.begins;
        let before = i.checked_sub(1).map(|p| &tokens[p]);
        let last = before.map_or("", |t| t.text(text));
        let value_before = !begins && before.is_some_and(|t| is_value(t, last));
        let is_block = token.opens;
        let wordy = is_word(word.as_bytes()[0]) && !word.as_bytes()[0].is_ascii_digit();
        let names = wordy && (last == "." && !begins || next == ":" && open.last() != Some(&Open::Index));
        let keyword = wordy && !names && {
            let command = begins && (STATEMENT_WORDS.contains(&word) || ITEM_WORDS.contains(&word));
            let blank = matches!(bytes.get(token.end as usize), Some(b' ' | b'\t'));
            let second = SECOND_WORDS.iter().any(|(first, all)| *first == last && all.contains(&word));
            let number = last.as_bytes().first().is_some_and(u8::is_ascii_digit);
            let commanded = before.is_some_and(|t| t.keyword) && second;
            reserved(word)
                || command && blank && begins_value(next, bytes, tokens[i + 1].start as usize)
                || commanded
                || value_before && !number
        };
        let level = if names || !value_before { None } else { level(word) };
        let space = begins
            || match (last, word) {
                (_, "," | ")" | "]" | ".") | ("(" | "[" | "." | "..", _) => false,
                (_, ":" | "..") => last == ",",
                (_, "}") => last != "{" && open.last() == Some(&Open::Block),
                (_, "{") => is_block,
                ("{", _) => open.last() == Some(&Open::Block),
                (":", _) => open.last() != Some(&Open::Index),
                ("-", _) => before.is_some_and(|t| t.level.is_some()),
                (_, "(" | "[") => last != "fn" && !value_before,
                _ => true,
            };
        match word {
            "(" => open.push(Open::Round),
            "[" if value_before && !space => open.push(Open::Index),
            "[" => open.push(Open::List),
            "{" => open.push(if is_block { Open::Block } else { Open::Names }),
            ")" | "]" | "}" => {
                open.pop();
            }
            _ => {}
        }
        let token = &mut tokens[i];
        (token.space, token.level, token.keyword) = (space, level, keyword);
    }
}

fn reserved(word: &str) -> bool {
    RESERVED.contains(&word) && !matches!(word, "true" | "false")
}

/// True for what a value can end with.
fn is_value(token: &Token, text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b'"' | b'`' | b')' | b']' | b'}') => true,
        Some(byte) => is_word(*byte) && !token.keyword,
        None => false,
    }
}

/// True where a value begins after a command's word and a blank: `report - x` is a difference, `report -x` a command.
fn begins_value(next: &str, bytes: &[u8], at: usize) -> bool {
    match next.as_bytes().first() {
        Some(b'"' | b'`' | b'(' | b'[') => true,
        Some(b'-') => !matches!(bytes.get(at + 1), None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'>')),
        Some(byte) => is_word(*byte) && !matches!(next, "and" | "or"),
        None => false,
    }
}

fn level(word: &str) -> Option<Level> {
    Some(match word {
        "|>" => PIPE,
        "or" => 2,
        "and" => 3,
        "==" | "!=" | "<=" | ">=" | "<" | ">" => 4,
        "+" | "-" => 5,
        "*" | "/" | "%" | "@" => 6,
        "^" => 7,
        _ => return None,
    })
}
