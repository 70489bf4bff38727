//! Words and signs, seen from the bytes: where they end, and what they say about the statement.

/// What begins a declaration when it stands at the first column and a name follows.
pub(crate) const ITEM_WORDS: [&str; 15] = [
    "import",
    "dim",
    "const",
    "require",
    "data",
    "model",
    "layer",
    "fn",
    "loss",
    "metric",
    "optimizer",
    "schedule",
    "primitive",
    "train",
    "test",
];

/// Words that are never names.
pub(crate) const RESERVED: [&str; 15] =
    ["let", "if", "else", "for", "in", "fold", "scan", "fn", "on", "and", "or", "not", "true", "false", "yield"];

/// Words that begin a statement, when a name, number or text follows after a blank.
pub(crate) const STATEMENT_WORDS: [&str; 15] = [
    "let",
    "param",
    "state",
    "require",
    "minimize",
    "report",
    "every",
    "at",
    "stop",
    "start",
    "freeze",
    "evaluate",
    "checkpoint",
    "save",
    "expect",
];

/// Words that go on with an expression after a name, so that the name before them begins no statement.
pub(crate) const INNER_WORDS: [&str; 4] = ["axis", "below", "over", "with"];

/// What a sign asks of the text after it, with its length in bytes.
pub(super) enum Edge {
    /// The statement cannot end here.
    WantsMore(usize),
    /// It can.
    Plain(usize),
    /// Not a sign of the language.
    Other,
}

/// True for the bytes of names and numbers.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// One past the last byte of the word that begins at `at`.
pub(crate) fn word_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| !is_word(*b)).map_or(bytes.len(), |n| at + n)
}

/// The word at `at`; empty where there is none.
pub(super) fn word(bytes: &[u8], at: usize) -> &str {
    std::str::from_utf8(&bytes[at..word_end(bytes, at)]).unwrap_or("")
}

/// Where the line ends, its newline not included.
pub(crate) fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n)
}

/// The next byte on this line that is not blank.
pub(super) fn after_blanks(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| !matches!(b, b' ' | b'\t' | b'\r')).map_or(bytes.len(), |n| at + n)
}

/// Bytes of blanks at the start of a line.
pub(super) fn indentation(bytes: &[u8], line_start: usize) -> u32 {
    (after_blanks(bytes, line_start) - line_start) as u32
}

/// One past the token at `at`: a word, a sign or one character.
pub(crate) fn token_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    match bytes.get(at) {
        None => at,
        Some(b) if is_word(*b) => word_end(bytes, at),
        Some(_) => match operator(bytes, at) {
            Edge::WantsMore(length) | Edge::Plain(length) => at + length,
            Edge::Other => at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8),
        },
    }
}

/// Where the text or pattern that opens at `at` ends; `Err` with the end of the line when it does not.
pub(crate) fn quoted_end(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let quote = bytes[at];
    let mut i = at + 1;
    while let Some(&byte) = bytes.get(i) {
        match byte {
            b'\n' => break,
            b'\\' if quote == b'"' && bytes.get(i + 1).is_some_and(|b| *b != b'\n') => i += 2,
            _ if byte == quote => return Ok(i + 1),
            _ => i += 1,
        }
    }
    let mut end = i.min(bytes.len());
    while end > at + 1 && matches!(bytes[end - 1], b' ' | b'\t' | b'\r') {
        end -= 1;
    }
    Err(end)
}

/// The sign at `at`.
pub(super) fn operator(bytes: &[u8], at: usize) -> Edge {
    let next = bytes.get(at + 1).copied().unwrap_or(b' ');
    match (bytes[at], next) {
        (b'|', b'>') | (b'-', b'>') | (b'<', b'-') | (b'=' | b'!' | b'<' | b'>', b'=') => Edge::WantsMore(2),
        (b'.', b'.') => Edge::Plain(2),
        (b'+' | b'-' | b'*' | b'/' | b'%' | b'@' | b'^' | b'<' | b'>' | b'=' | b',' | b':', _) => Edge::WantsMore(1),
        (b'.' | b'{' | b'}' | b'(' | b')' | b'[' | b']' | b';', _) => Edge::Plain(1),
        _ => Edge::Other,
    }
}

/// True when the line that begins with this token goes on with the statement above: a binary operator
/// with a blank after it, `else`, the `for` of a loop, a `{` that belongs to the line above; at the top
/// of a file also `->`, `(`, `where` and `grad` of a head.
pub(super) fn continues(bytes: &[u8], at: usize, top: bool) -> bool {
    let blank = |i: usize| matches!(bytes.get(i), None | Some(b' ' | b'\t' | b'\r' | b'\n'));
    let next = bytes.get(at + 1).copied().unwrap_or(b' ');
    match (bytes[at], next) {
        (b'|', b'>') | (b'{', _) => true,
        (b'=' | b'!' | b'<' | b'>', b'=') => blank(at + 2),
        (b'+' | b'-' | b'*' | b'/' | b'%' | b'@' | b'^' | b'<' | b'>', _) if blank(at + 1) => true,
        (b'-', b'>') | (b'(', _) => top,
        (b'a'..=b'z', _) => match word(bytes, at) {
            "else" | "for" => true,
            "and" | "or" => blank(word_end(bytes, at)),
            "grad" => top,
            "where" => top && blank(word_end(bytes, at)),
            _ => false,
        },
        _ => false,
    }
}

/// True where a declaration's word stands with a name after it.
pub(super) fn begins_item(bytes: &[u8], at: usize) -> bool {
    let first = word(bytes, at);
    let Some((next, _)) = juxtaposed(bytes, at, first) else { return false };
    match first {
        // A statement too.
        "require" => false,
        "test" => bytes[next] == b'"',
        _ => ITEM_WORDS.contains(&first) && (bytes[next].is_ascii_alphabetic() || bytes[next] == b'_'),
    }
}

/// True where a word that only begins statements stands with something after it.
pub(super) fn begins_statement(bytes: &[u8], at: usize) -> bool {
    let first = word(bytes, at);
    if !STATEMENT_WORDS.contains(&first) {
        return first == "yield";
    }
    match juxtaposed(bytes, at, first) {
        Some((next, word)) => match first {
            "at" => word == "end",
            "stop" => word == "when",
            "let" => is_word(bytes[next]) || bytes[next] == b'(',
            _ => is_word(bytes[next]) || bytes[next] == b'"',
        },
        None => false,
    }
}

/// What follows a word after a blank on its line, unless that goes on with an expression.
fn juxtaposed<'a>(bytes: &'a [u8], at: usize, first: &str) -> Option<(usize, &'a str)> {
    if first.is_empty() {
        return None;
    }
    let next = after_blanks(bytes, at + first.len());
    if next == at + first.len() || next >= bytes.len() {
        return None;
    }
    let second = word(bytes, next);
    let inner = RESERVED.contains(&second) || INNER_WORDS.contains(&second);
    (!inner).then_some((next, second))
}
