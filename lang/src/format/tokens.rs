//! Tokens with the comments around them.

use crate::syntax::outline::Outline;
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
    /// True when a statement, declaration or column begins with it.
    pub(super) begins: bool,
    /// True for the `{` of a block.
    pub(super) opens: bool,
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
pub(super) fn read(text: &str, outline: &Outline) -> Vec<Token> {
    let (mut starts, mut opens) = (&outline.starts[..], &outline.opens[..]);
    let bytes = text.as_bytes();
    // Few texts have more; to grow a long list costs more than to read it.
    let mut tokens: Vec<Token> = Vec::with_capacity(text.len() / 3 + 1);
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
                    begins: reaches(&mut starts, at as u32),
                    opens: reaches(&mut opens, at as u32),
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

/// Leaves those of the places, which are sorted, that come before this one; true where this one is among them.
fn reaches(places: &mut &[u32], at: u32) -> bool {
    let before = places.iter().take_while(|place| **place < at).count();
    *places = &places[before..];
    places.first() == Some(&at)
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

/// What formatting leaves as it is: each token and comment, and whether a statement and whether a block begins with it.
pub(super) fn words<'t, 'a>(
    text: &'t str,
    tokens: &'a [Token],
) -> impl Iterator<Item = (&'t str, bool, bool)> + use<'t, 'a> {
    let comments = tokens.iter().flat_map(|t| t.before.iter().chain(&t.after));
    let comments = comments.map(|c| (&text[c.start as usize..c.end as usize], false, false));
    tokens.iter().map(|t| (t.text(text), t.begins, t.opens)).chain(comments)
}
