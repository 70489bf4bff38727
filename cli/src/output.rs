//! Writing to the terminal, or to whatever stands in its place.

use crate::failure::Failure;
use clap::ValueEnum;
use std::io::{self, IsTerminal, Write};
use tfm_lang::diagnostic::render::render;
use tfm_lang::diagnostic::{Diagnostic, Severity};
use tfm_lang::source::Sources;

/// When to use colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to colour what goes to this stream.
    pub fn wanted(self, stream: &impl IsTerminal) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && stream.is_terminal(),
        }
    }
}

/// The form of what is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Lines for people.
    #[default]
    Plain,
    /// One JSON object per line.
    Json,
}

/// Writes a text and a line end to standard output.
pub fn say(text: &str) -> Result<(), Failure> {
    write_all(&mut io::stdout().lock(), text)
}

/// Writes to standard error. If nobody listens there, there is nobody to tell.
pub fn complain(text: &str) {
    let _ = write_all(&mut io::stderr().lock(), text);
}

fn write_all(to: &mut impl Write, text: &str) -> Result<(), Failure> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let written = write!(to, "{text}{end}").and_then(|()| to.flush());
    written.map_err(|e| match e.kind() {
        io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
        _ => Failure::Message(format!("the output cannot be written: {e}")),
    })
}

/// Shows diagnostics on standard error, with colour and the lines of the source.
pub fn show_diagnostics(sources: &Sources, diagnostics: &[Diagnostic], color: Color) {
    if diagnostics.is_empty() {
        return;
    }
    let stderr = io::stderr();
    // Somewhere else than on a terminal the same drawing stands without colour.
    complain(&render(sources, diagnostics, color.wanted(&stderr)));
}

/// Diagnostics as JSON, an object per line.
pub fn diagnostics_json(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let place = |span| {
        let (line, column) = sources.line_column(span);
        serde_json::json!({
            "file": sources.get(span.file).name, "line": line, "column": column,
            "start": span.start, "end": span.end,
        })
    };
    let one = |d: &Diagnostic| {
        let labels: Vec<_> =
            d.labels.iter().map(|l| serde_json::json!({ "place": place(l.span), "text": l.text })).collect();
        let fixes: Vec<_> = d
            .fixes
            .iter()
            .map(|f| serde_json::json!({ "title": f.title, "place": place(f.span), "replacement": f.replacement }))
            .collect();
        serde_json::json!({
            "code": d.code,
            "severity": if d.severity == Severity::Error { "error" } else { "warning" },
            "message": d.message, "labels": labels, "notes": d.notes, "help": d.help, "fixes": fixes,
        })
        .to_string()
    };
    diagnostics.iter().map(|d| one(d) + "\n").collect()
}

/// Columns with two spaces between them; all but the first are set to the right.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cell = |(c, text): (usize, &String)| {
            let w = widths[c];
            if c == 0 { format!("{text:<w$}") } else { format!("{text:>w$}") }
        };
        row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let row = |cells: &[&str]| cells.iter().map(|c| c.to_string()).collect::<Vec<_>>();
        let text = table(&[row(&["metric", "last"]), row(&["test.accuracy", "0.9"]), row(&["é", "10"])]);
        assert_eq!(text, "metric         last\ntest.accuracy   0.9\né                10");
    }
}
