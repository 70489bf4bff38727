//! What a syntax error says: the token that cannot stand there, what could, and what was likely meant.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use pest::Parser as _;
use pest::error::{Error, ErrorVariant, InputLocation};
use tfm_grammar::{Rule, TfmParser};

use super::chunk::Map;
use super::{scan, words};
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};

/// pest's switch for detailed errors is one for the process; only the parse that explains turns it on.
static DETAIL: Mutex<()> = Mutex::new(());

/// Beyond this many bytes in one statement the second, detailed parse is left out.
const DETAILED: usize = 200_000;

/// Signs of other languages with what to write instead.
const FOREIGN: [(&str, &str); 13] = [
    ("&", "write `and`"),
    ("|", "write `or`; `|>` is the pipe"),
    ("!", "write `not`"),
    ("'", "a text stands in double quotes: \"text\""),
    ("‘", "a text stands in double quotes: \"text\""),
    ("’", "a text stands in double quotes: \"text\""),
    ("“", "a text stands in double quotes: \"text\""),
    ("”", "a text stands in double quotes: \"text\""),
    ("#", "a comment begins with `//`"),
    ("×", "write `*`"),
    ("·", "write `*`"),
    ("−", "write `-`"),
    ("→", "write `->`"),
];

/// What could have stood where a parse failed.
struct Expected {
    /// In words, the most telling first.
    words: Vec<String>,
    /// True when a name was among them.
    name: bool,
    /// True when a value or a statement was among them.
    value: bool,
    /// True when an expression could have gone on there.
    operator: bool,
}

/// The error of a chunk that is nested too deeply for the stack, or for those who walk the tree.
pub(super) fn too_deep(place: Span) -> Diagnostic {
    Diagnostic::error("E0110", place, "this expression is nested too deeply")
        .says("too many operators, calls or brackets in each other")
        .help("give parts of it names, with `let`")
}

/// Says why a chunk's text is not what the rule asks for, given pest's error about it.
pub(super) fn explain(rule: Rule, error: Error<Rule>, text: &str, map: &Map, file: FileId) -> Diagnostic {
    let span =
        |start: usize, end: usize| Span { file, start: map.start(start), end: map.end(end).max(map.start(start)) };
    if let ErrorVariant::CustomError { .. } = error.variant {
        return too_deep(span(0, scan::token_end(text, 0)));
    }
    let (at, expected) = match detailed(rule, text) {
        Some((at, tokens)) => (at, expected(&tokens, at > 0 && in_word(text, at - 1))),
        None => {
            let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
            (at, expected(&[], false))
        }
    };
    let at = token_start(text, at.min(text.len()), &expected);
    if at >= text.len() {
        let (start, end) = last_token(text);
        let message = "this ends too early";
        return Diagnostic::error("E0101", span(start, end), message).says(listed("after this I expected", &expected));
    }
    let end = scan::token_end(text, at);
    let (place, found) = (span(at, end), &text[at..end]);
    special(place, at, found, text, &expected).unwrap_or_else(|| {
        let error = Diagnostic::error("E0101", place, format!("`{}` cannot stand here", printable(found)));
        let error = error.says(listed("expected", &expected));
        match hint(text, at, found, &expected) {
            Some(help) => error.help(help),
            None => error,
        }
    })
}

/// The farthest place that was reached, and what would have been taken there: strings, and ranges of
/// characters as `a..z`.
fn detailed(rule: Rule, text: &str) -> Option<(usize, Vec<String>)> {
    if text.len() > DETAILED {
        return None;
    }
    let _guard = DETAIL.lock().unwrap_or_else(PoisonError::into_inner);
    pest::set_error_detail(true);
    let result = TfmParser::parse(rule, text);
    pest::set_error_detail(false);
    let attempts = result.err()?.parse_attempts()?;
    Some((attempts.max_position, attempts.expected_tokens().iter().map(ToString::to_string).collect()))
}

/// The token at or after `at`. Back to its beginning from the middle of a word, and to the word before
/// when only more letters of that would have helped.
fn token_start(text: &str, at: usize, expected: &Expected) -> usize {
    let bytes = text.as_bytes();
    if at > 0 && in_word(text, at - 1) && (in_word(text, at) || expected.words.is_empty() && expected.name) {
        return (0..at).rev().take_while(|i| in_word(text, *i)).last().unwrap_or(at);
    }
    let mut at = at;
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t' | b'\r' | b'\n') => at += 1,
            Some(b'/') if bytes.get(at + 1) == Some(&b'/') => at = scan::line_end(bytes, at),
            _ => break,
        }
    }
    // Never in the middle of a character.
    (0..=at).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

fn in_word(text: &str, at: usize) -> bool {
    text.as_bytes().get(at).is_some_and(|b| scan::is_word(*b))
}

fn last_token(text: &str) -> (usize, usize) {
    let end = text.trim_end().len();
    let bytes = text.as_bytes();
    let start = (0..end).rev().take_while(|i| scan::is_word(bytes[*i])).last();
    let sign = ["|>", "->", "<-", "==", "!=", "<=", ">="].iter().find(|sign| text[..end].ends_with(*sign));
    let length = sign.map_or(text[..end].chars().next_back().map_or(0, char::len_utf8), |sign| sign.len());
    (start.unwrap_or(end - length), end)
}

/// Sorts the strings that pest would have taken into words. `within` a word its letters are no names.
fn expected(tokens: &[String], within: bool) -> Expected {
    // Ranges of characters, as `b..d`, and what has no text.
    let unsaid = |sign: &&str| sign.get(1..3) == Some("..") || *sign == "BUILTIN_RULE";
    let signs: BTreeSet<&str> = tokens.iter().map(String::as_str).filter(|sign| !unsaid(sign)).collect();
    let letters = tokens.iter().any(|token| token == "A..Z");
    let small = !within && tokens.iter().any(|token| token == "a..z");
    let has = |sign: &str| signs.contains(sign);
    let value = has("true") || has("|>") && has("`");
    let operator = has("==") && has("@");
    let mut said: Vec<String> = Vec::new();
    match (has("let"), has("import"), value, small && has("[") && !operator) {
        (true, ..) => said.push("a statement".into()),
        (_, true, ..) => said.push("a declaration".into()),
        (_, _, true, _) => said.push("a value".into()),
        (_, _, _, true) => said.push("a type".into()),
        _ if small && !operator => said.push("a name".into()),
        _ => {}
    }
    let dull = |sign: &&&str| {
        let sign: &&str = sign;
        let blank = matches!(*sign, "\t" | "\n" | "\r" | " " | "//" | "_" | "E");
        let of_value =
            value && (matches!(*sign, "\"" | "(" | "-" | "[" | "`") || sign.as_bytes()[0].is_ascii_lowercase());
        let of_type = small && has("[") && !operator && *sign == "[";
        let of_operator = operator && OPERATORS.contains(sign);
        blank || of_value || of_type || of_operator || UNITS.contains(sign)
    };
    said.extend(signs.iter().filter(|sign| !dull(sign)).map(|sign| match *sign {
        "\"" => "a text in quotes".to_string(),
        sign => format!("`{sign}`"),
    }));
    if operator {
        said.push(if said.is_empty() { "an operator or the end of the line".into() } else { "an operator".into() });
    }
    Expected { words: said, name: letters, value, operator }
}

const OPERATORS: [&str; 21] =
    ["!=", "%", "*", "+", "-", "/", "<", "<=", "==", ">", ">=", "@", "^", "and", "or", "|>", "(", "[", ".", "<-", ".."];

const UNITS: [&str; 10] =
    ["steps", "step", "epochs", "epoch", "examples", "example", "minutes", "minute", "hours", "hour"];

fn listed(before: &str, expected: &Expected) -> String {
    match expected.words.as_slice() {
        [] => String::new(),
        [one] => format!("{before} {one}"),
        [most @ .., last] => format!("{before} {} or {last}", most.join(", ")),
    }
}

/// Mistakes with a code of their own.
fn special(place: Span, at: usize, found: &str, text: &str, expected: &Expected) -> Option<Diagnostic> {
    let first = found.chars().next()?;
    if first.is_ascii_digit() && found.bytes().any(|b| b.is_ascii_alphabetic()) {
        let digits = found.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
        let (number, rest) = found.split_at(digits);
        let error = Diagnostic::error("E0108", place, format!("`{found}` is not a number"));
        return Some(if UNITS.contains(&rest) {
            let better = format!("{number} {rest}");
            error.help(format!("write `{better}`")).fix("part number and unit", place, better)
        } else {
            error.help("a number is digits, `_` between them, one `.` and an exponent; a name begins with a letter")
        });
    }
    let value_word = matches!(found, "true" | "false" | "if" | "fn" | "fold" | "scan" | "on" | "not");
    let wanted = expected.name && !expected.operator && (!expected.value || !value_word);
    if scan::RESERVED.contains(&found) && wanted {
        let error = Diagnostic::error("E0106", place, format!("`{found}` is a word of the language"))
            .says("cannot be a name")
            .help(format!("choose another name, `{found}_`"));
        return Some(error);
    }
    let known = scan::is_word(first as u8 * u8::from(first.is_ascii()))
        || first.is_ascii() && !matches!(scan::operator(found.as_bytes(), 0), scan::Edge::Other)
        || matches!(first, '"' | '`');
    if !known {
        let what = if first.is_ascii_graphic() {
            format!("`{first}` is not a sign of the language")
        } else {
            format!("the character `{}` (U+{:04X}) cannot stand here", printable(found), u32::from(first))
        };
        let error = Diagnostic::error("E0109", place, what).says(listed("expected", expected));
        let help = FOREIGN.iter().find(|(sign, _)| *sign == found).map(|(_, help)| *help);
        return Some(match help {
            Some(help) => error.help(help),
            None if first.is_alphabetic() => error.help("names are made of the letters a to z, digits and `_`"),
            None => error,
        });
    }
    if found == "{" && text[..at].trim_end_matches([' ', '\t', '\r']).ends_with('\n') {
        return Some(
            Diagnostic::error("E0101", place, "this `{` stands on a line of its own")
                .says("begins a body")
                .help("put it at the end of the line above"),
        );
    }
    None
}

/// What was likely meant.
fn hint(text: &str, at: usize, found: &str, expected: &Expected) -> Option<String> {
    let first = words::first(text);
    let starts = at == first.len() || text.get(first.len()..at).is_some_and(|between| between.trim().is_empty());
    let follows = expected.words.iter().any(|word| word == "`(`");
    Some(match found {
        "=" if expected.operator && starts => format!(
            "write `let {first} = …` to name a value, `{first}: …` for a setting of `train`, `{first} <- …` to change a `state`"
        ),
        "=" if expected.words.iter().any(|word| word == "`:`") => {
            let name = text[..at].trim_end().rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
            format!("an argument by name is written with a colon, `{name}: …`; `==` compares")
        }
        "=" if expected.operator => "write `==` to compare".to_string(),
        "{" | "->" if follows && matches!(first, "layer" | "optimizer" | "schedule") => format!(
            "`{first}` takes two lists: the first makes it, the second applies it; write `()` for an empty first one"
        ),
        "elif" => "write `else if`".to_string(),
        "." if expected.value => "a number begins with a digit: `0.5`".to_string(),
        "*" if text[..at].ends_with('*') => "a power is written with `^`".to_string(),
        "{" if text.starts_with('{') => "a block stands behind a head: `if c { }`, `every 1 epoch { }`".to_string(),
        _ if first == "return" && starts => "the last value of a body is its result: leave `return` away".to_string(),
        _ => return None,
    })
}

/// A token as it can stand in a message.
fn printable(token: &str) -> String {
    token.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
