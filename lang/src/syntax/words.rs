//! What words say about a text that need not parse: how it begins, the names it would bind.

use super::ast::Name;
use super::chunk::Map;
use super::scan;
use crate::source::{FileId, Span};

/// Words of other languages for what is meant.
const FOREIGN: [(&str, &str); 9] = [
    ("def", "fn"),
    ("func", "fn"),
    ("function", "fn"),
    ("class", "layer"),
    ("module", "layer"),
    ("network", "model"),
    ("dataset", "data"),
    ("use", "import"),
    ("constant", "const"),
];

/// The word that a text begins with; empty where it begins with something else.
pub(super) fn first(text: &str) -> &str {
    scan::word(text.as_bytes(), 0)
}

/// The word that follows the first on its line.
pub(super) fn second(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let end = scan::word_end(bytes, 0);
    let at = scan::after_blanks(bytes, end);
    let word = scan::word(bytes, at.min(bytes.len()));
    (at > end && !word.is_empty() && !scan::RESERVED.contains(&word)).then_some(word)
}

/// The declaration's word that was likely meant.
pub(super) fn near_item(word: &str) -> Option<&'static str> {
    if let Some((_, meant)) = FOREIGN.iter().find(|(foreign, _)| *foreign == word) {
        return Some(meant);
    }
    let near = scan::ITEM_WORDS.iter().filter(|item| item.len() > 2 && word.len() > 2);
    near.map(|item| (distance(word, item), *item)).filter(|(d, item)| *d > 0 && *d <= item.len() / 3).min().map(|n| n.1)
}

/// Letters to put in, take out, change or swap with a neighbour to make one word of the other.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > 3 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let change = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

/// The names that a statement or declaration would bind, read from its words: every one after `let`,
/// `param` and `state`, those of an `import`, the one after another declaration's word, and a setting's.
pub(super) fn bound(text: &str, map: &Map, file: FileId) -> Vec<Name> {
    let tokens = Tokens { text, at: 0 };
    let mut names = Vec::new();
    let mut add = |at: usize, word: &str| {
        if !word.is_empty() && !scan::RESERVED.contains(&word) && !word.as_bytes()[0].is_ascii_digit() {
            let span = Span { file, start: map.start(at), end: map.end(at + word.len()) };
            names.push(Name { text: word.into(), span });
        }
    };
    let word = first(text);
    if word == "import" {
        for (at, token) in tokens.skip(1) {
            add(at, if scan::is_word(token.as_bytes()[0]) { token } else { "" });
        }
        return names;
    }
    let mut binding = false;
    let mut open = false;
    let heads = scan::ITEM_WORDS.contains(&word) && word != "require" || near_item(word).is_some();
    for (i, (at, token)) in tokens.enumerate() {
        let is_word = scan::is_word(token.as_bytes()[0]);
        match token {
            "let" | "param" | "state" => binding = true,
            "(" if binding => open = true,
            ")" => (open, binding) = (false, false),
            ":" if i == 1 => add(0, word),
            _ if is_word && (binding || heads && i == 1) => {
                add(at, token);
                binding = open;
            }
            "," => {}
            _ => binding = false,
        }
    }
    names
}

/// Words and signs of a text, without blanks, comments and what stands in quotes.
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<(usize, &'a str)> {
        let bytes = self.text.as_bytes();
        loop {
            let at = self.at;
            match bytes.get(at)? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'/' if bytes.get(at + 1) == Some(&b'/') => self.at = scan::line_end(bytes, at),
                b'"' | b'`' => match scan::quoted_end(bytes, at) {
                    Ok(end) | Err(end) => self.at = end,
                },
                _ => {
                    self.at = scan::token_end(self.text, at);
                    return Some((at, &self.text[at..self.at]));
                }
            }
        }
    }
}
