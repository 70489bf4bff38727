//! Tokens with the comments around them.

use crate::syntax::outline::{Outline, outline};
use crate::syntax::scan;

/// A comment, without the blanks after it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Comment {
    /// First byte.
    pub(super) start: u32,
    /// One past the last.
    pub(super) end: u32,
    /// True when a blank line stands before it.
    pub(super) blank: bool,
}

/// How tightly a binary operator binds, from the loosest. The place of `|>` is that of the author.
pub(super) type Level = u8;

/// The level of `|>`.
pub(super) const PIPE: Level = 1;

/// A word, number, text or sign; the last one is the end of the file.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Token {
    /// First byte.
    pub(super) start: u32,
    /// One past the last.
    pub(super) end: u32,
    /// Characters.
    pub(super) width: u32,
    /// Comments on lines of their own above it.
    pub(super) before: Vec<Comment>,
    /// The comment that ends its line.
    pub(super) after: Option<Comment>,
    /// True when a blank line stands right before it.
    pub(super) blank: bool,
    /// True when it begins a line.
    pub(super) fresh: bool,
    /// True when a blank parts it from the token before, where both stand on one line.
    pub(super) space: bool,
    /// More blanks, so that it stands under others.
    pub(super) pad: u32,
    /// Set for binary operators.
    pub(super) level: Option<Level>,
    /// True for words and signs that a value follows.
    pub(super) keyword: bool,
}

impl Token {
    /// Its text.
    pub(super) fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start as usize..self.end as usize]
    }
}

/// Cuts a text that parses into tokens. `;` is none: it only parts statements. Comments around it go to its neighbours.
pub(super) fn read(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let (mut lines, mut before): (u32, Vec<Comment>) = (1, Vec::new());
    // Lines ended since the last token or comment; the start of a file counts as one.
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\n' => {
                lines += 1;
                at += 1;
            }
            b' ' | b'\t' | b'\r' | b';' => at += 1,
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                let line = scan::line_end(bytes, at);
                let end = at + text[at..line].trim_end().len();
                let comment = Comment { start: at as u32, end: end as u32, blank: lines > 1 && !tokens.is_empty() };
                match tokens.last_mut() {
                    Some(token) if lines == 0 => token.after = Some(comment),
                    _ => before
                        .push(Comment { blank: lines > 1 && (!tokens.is_empty() || !before.is_empty()), ..comment }),
                }
                (lines, at) = (0, line);
            }
            _ => {
                let end = token_end(text, at);
                let comments = std::mem::take(&mut before);
                tokens.push(Token {
                    start: at as u32,
                    end: end as u32,
                    width: text[at..end].chars().count() as u32,
                    blank: lines > 1 && (!tokens.is_empty() || !comments.is_empty()),
                    fresh: lines > 0,
                    before: comments,
                    ..Token::default()
                });
                (lines, at) = (0, end);
            }
        }
    }
    let end = text.len() as u32;
    tokens.push(Token { start: end, end, before, fresh: true, ..Token::default() });
    tokens
}

fn token_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    match bytes[at] {
        b'"' | b'`' => match scan::quoted_end(bytes, at) {
            Ok(end) | Err(end) => end,
        },
        b'0'..=b'9' => number_end(bytes, at),
        _ => scan::token_end(text, at),
    }
}

/// `1_000`, `0.5`, `1e-3`; the `..` of a range and the `.` of a field are no part of it.
fn number_end(bytes: &[u8], at: usize) -> usize {
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let digits = |mut i: usize| {
        while bytes.get(i).is_some_and(|b| b.is_ascii_digit() || *b == b'_') {
            i += 1;
        }
        i
    };
    let mut end = digits(at);
    if bytes.get(end) == Some(&b'.') && digit(end + 1) {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if digit(end + 1 + sign) {
            end = digits(end + 1 + sign);
        }
    }
    scan::word_end(bytes, end)
}

/// True when both texts have the same tokens and comments, and their statements and blocks begin at the same ones.
/// `first` is the outline of the one.
pub(super) fn same(one: &str, first: &Outline, other: &str) -> bool {
    let (a, b, second) = (read(one), read(other), outline(other));
    if a.len() != b.len() || first.starts.len() != second.starts.len() || first.opens.len() != second.opens.len() {
        return false;
    }
    let words = |c: &Comment| c.start as usize..c.end as usize;
    let comments = |tokens: &[Token]| -> Vec<Comment> {
        tokens.iter().flat_map(|t| t.before.iter().chain(&t.after)).copied().collect()
    };
    let (left, right) = (comments(&a), comments(&b));
    let told = left.len() == right.len() && left.iter().zip(&right).all(|(x, y)| one[words(x)] == other[words(y)]);
    let begins = |offsets: &[u32], token: &Token| offsets.binary_search(&token.start).is_ok();
    told && a.iter().zip(&b).all(|(x, y)| {
        x.text(one) == y.text(other)
            && begins(&first.starts, x) == begins(&second.starts, y)
            && begins(&first.opens, x) == begins(&second.opens, y)
    })
}
