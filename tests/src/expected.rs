//! Findings as a `.tfm` text expects them, written where they belong.
//!
//! `//~ error[E0301]: part of the message` stands on the line that the finding points at, `//~^ error…`
//! one line below it for each `^`. A code may be cut short, `E03`. `//~ help: part of the help` on a line after
//! belongs to the expectation above it. Warnings are written in the same way. `//~ not found: why` says of a file that its
//! mistake is known and not found.

use crate::one_line;
use tfm_lang::diagnostic::{Diagnostic, Severity};
use tfm_lang::source::Sources;

/// One finding that a text expects.
pub struct Expected {
    /// From 1.
    pub line: usize,
    /// Error or warning.
    pub severity: Severity,
    /// The code, or how it begins.
    pub code: String,
    /// A part of the message.
    pub message: String,
    /// A part of the help, where that is said.
    pub help: Option<String>,
}

/// What a text expects. `name` is for the message of a panic: an expectation that is none.
///
/// # Panics
/// When a comment that begins with `//~` is no expectation.
pub fn expectations(name: &str, text: &str) -> Vec<Expected> {
    let mut out: Vec<Expected> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let Some((_, comment)) = line.split_once("//~") else { continue };
        let above = comment.chars().take_while(|c| *c == '^').count();
        let comment = comment[above..].trim();
        // What a lint is known to miss says so, with the reason.
        if comment.starts_with(NOT_FOUND) {
            continue;
        }
        let bad = || -> ! { panic!("{name}:{}: not an expectation: {comment}", i + 1) };
        if let Some(help) = comment.strip_prefix("help: ") {
            match out.last_mut() {
                Some(e) => e.help = Some(help.to_string()),
                None => bad(),
            }
            continue;
        }
        let (severity, rest) = match (comment.strip_prefix("error["), comment.strip_prefix("warning[")) {
            (Some(rest), _) => (Severity::Error, rest),
            (_, Some(rest)) => (Severity::Warning, rest),
            _ => bad(),
        };
        let Some((code, message)) = rest.split_once("]: ") else { bad() };
        out.push(Expected {
            line: i + 1 - above,
            severity,
            code: code.to_string(),
            message: message.to_string(),
            help: None,
        });
    }
    out
}

/// How a text begins to say that what is wrong with it is not found.
pub const NOT_FOUND: &str = "not found: ";

/// Why what is wrong with a text is not found, where it says so.
pub fn not_found(text: &str) -> Option<&str> {
    text.lines().find_map(|l| l.split_once("//~")?.1.trim().strip_prefix(NOT_FOUND))
}

/// What differs between the expectations of a text and what was found in it; empty where nothing does.
pub fn disagreements(sources: &Sources, found: &[Diagnostic], expected: &[Expected]) -> String {
    let mut found: Vec<&Diagnostic> = found.iter().collect();
    let mut out = String::new();
    for e in expected {
        match found.iter().position(|d| agrees(sources, d, e)) {
            Some(at) => {
                found.remove(at);
            }
            None => {
                let help = e.help.as_ref().map(|h| format!(" (help: … {h} …)")).unwrap_or_default();
                out += &format!("  missing  line {}: {}…: … {} …{help}\n", e.line, e.code, e.message);
            }
        }
    }
    for d in found {
        out += &format!("  found    {}\n", one_line(sources, d));
    }
    out
}

fn agrees(sources: &Sources, found: &Diagnostic, expected: &Expected) -> bool {
    !sources.get(found.span().file).library
        && sources.line_column(found.span()).0 == expected.line
        && found.severity == expected.severity
        && found.code.starts_with(&expected.code)
        && found.message.contains(&expected.message)
        && expected.help.as_ref().is_none_or(|h| found.help.as_ref().is_some_and(|help| help.contains(h)))
}
