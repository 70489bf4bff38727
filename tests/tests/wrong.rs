//! Wrong files, each with the findings expected of it written where they belong, and no others.
//!
//! `//~ error[E0301]: part of the message` stands on the line that the finding points at, `//~^ error…`
//! one line below it for each `^`. A code may be cut short, `E03`. `//~ help: part of the help` on a line after
//! belongs to the expectation above it. Warnings are written in the same way.

use std::path::Path;
use tfm_lang::check::Options;
use tfm_lang::diagnostic::{Diagnostic, Severity};
use tfm_lang::source::Sources;
use tfm_tests::{check_file, files, one_line, read, root};

struct Expected {
    line: usize,
    severity: Severity,
    code: String,
    message: String,
    help: Option<String>,
}

#[test]
fn wrong_files_show_what_is_wrong_and_nothing_else() {
    let folder = root().join("tests/wrong");
    let all = files(&folder, "tfm");
    assert!(all.len() >= 150, "{} wrong files in {}", all.len(), folder.display());
    let failures: Vec<String> = all.iter().filter_map(|path| disagreement(path)).collect();
    assert!(failures.is_empty(), "{} of {} files:\n\n{}", failures.len(), all.len(), failures.join("\n"));
}

/// What differs between a file's expectations and its findings, when something does.
fn disagreement(path: &Path) -> Option<String> {
    let expected = expectations(path);
    let (sources, checked) = check_file(path, &Options { tests: true, ..Options::default() });
    let mut found: Vec<&Diagnostic> = checked.diagnostics.iter().collect();
    let mut out = String::new();
    for e in &expected {
        match found.iter().position(|d| agrees(&sources, d, e)) {
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
        out += &format!("  found    {}\n", one_line(&sources, d));
    }
    if expected.is_empty() {
        out += "  the file says nothing of what is expected\n";
    }
    if checked.model.is_some() && expected.iter().any(|e| e.severity == Severity::Error) {
        out += "  a model came out of a wrong file\n";
    }
    (!out.is_empty()).then(|| format!("{}\n{out}", path.display()))
}

fn agrees(sources: &Sources, found: &Diagnostic, expected: &Expected) -> bool {
    !sources.get(found.span().file).library
        && sources.line_column(found.span()).0 == expected.line
        && found.severity == expected.severity
        && found.code.starts_with(&expected.code)
        && found.message.contains(&expected.message)
        && expected.help.as_ref().is_none_or(|h| found.help.as_ref().is_some_and(|help| help.contains(h)))
}

fn expectations(path: &Path) -> Vec<Expected> {
    let mut out: Vec<Expected> = Vec::new();
    for (i, line) in read(path).lines().enumerate() {
        let Some((_, comment)) = line.split_once("//~") else { continue };
        let above = comment.chars().take_while(|c| *c == '^').count();
        let comment = comment[above..].trim();
        let bad = || -> ! { panic!("{}:{}: not an expectation: {comment}", path.display(), i + 1) };
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
