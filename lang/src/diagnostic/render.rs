//! Diagnostics as text: by ariadne for people, a line each for everything else.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use ariadne::{Cache, Color, Config, Fmt as _, IndexType, Label, Report, ReportKind, Source};

use super::{Diagnostic, Severity};
use crate::source::{FileId, Sources, Span};

/// The diagnostics as a person reads them: header, the places in the text, facts, help.
///
/// Places outside their file are moved into it; a file that is not in `sources` is left out.
pub fn render(sources: &Sources, diagnostics: &[Diagnostic], color: bool) -> String {
    let mut files = Files { sources, read: HashMap::new() };
    let mut out = String::new();
    for diagnostic in diagnostics {
        if !out.is_empty() {
            out.push('\n');
        }
        one(&mut files, diagnostic, color, &mut out);
    }
    out
}

/// The diagnostics a line each, for logs and tools: `file:line:column: error[E0301]: message`.
pub fn render_plain(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let place = match diagnostic.labels.first() {
            Some(label) if known(sources, label.span.file) => {
                let (line, column) = sources.line_column(inside(sources, label.span));
                format!("{}:{line}:{column}: ", sources.get(label.span.file).name)
            }
            _ => String::new(),
        };
        let kind = word(diagnostic.severity).to_lowercase();
        let message = diagnostic.message.replace('\n', " ");
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{place}{kind}[{}]: {message}", diagnostic.code);
    }
    out
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
    }
}

fn known(sources: &Sources, file: FileId) -> bool {
    sources.iter().any(|(id, _)| id == file)
}

/// The span moved into its file and onto the bounds of characters.
fn inside(sources: &Sources, span: Span) -> Span {
    let text = &sources.get(span.file).text;
    let bound = |at: usize| (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    let start = bound(span.start as usize);
    let end = bound(span.end as usize).max(start);
    Span { file: span.file, start: start as u32, end: end as u32 }
}

/// The texts as ariadne holds them, each read once.
struct Files<'a> {
    sources: &'a Sources,
    read: HashMap<FileId, Source<&'a str>>,
}

impl<'a> Files<'a> {
    fn source(&mut self, id: FileId) -> &Source<&'a str> {
        let sources = self.sources;
        self.read.entry(id).or_insert_with(|| Source::from(sources.get(id).text.as_str()))
    }
}

impl<'a> Cache<FileId> for &mut Files<'a> {
    type Storage = &'a str;

    fn fetch(&mut self, id: &FileId) -> Result<&Source<&'a str>, impl fmt::Debug> {
        Ok::<_, fmt::Error>(self.source(*id))
    }

    fn display<'b>(&self, id: &'b FileId) -> Option<impl fmt::Display + 'b> {
        Some(self.sources.get(*id).name.clone())
    }
}

/// Characters before a byte of a file.
fn characters(text: &str, at: u32) -> usize {
    text.get(..at as usize).map_or(0, |before| before.chars().count())
}

fn one(files: &mut Files<'_>, diagnostic: &Diagnostic, color: bool, out: &mut String) {
    let shade = match diagnostic.severity {
        Severity::Error => Color::Red,
        Severity::Warning => Color::Yellow,
    };
    let shades = [shade, Color::Cyan, Color::Magenta, Color::Green, Color::Blue];
    // ariadne 0.6 mixes up bytes and characters in the headers of a report's further files, and panics
    // where the difference falls inside a character: places are given to it in characters.
    let config = Config::new().with_color(color).with_index_type(IndexType::Char);
    let sources = files.sources;
    let mut labels = diagnostic.labels.iter().filter(|label| known(sources, label.span.file)).map(|label| {
        let span = inside(sources, label.span);
        let text = &sources.get(span.file).text;
        ((span.file, characters(text, span.start)..characters(text, span.end)), &label.text)
    });
    let header = format!("{}[{}]:", word(diagnostic.severity), diagnostic.code);
    let header = if color { header.fg(shade).to_string() } else { header };
    let _ = writeln!(out, "{header} {}", diagnostic.message);
    let mut body = Vec::new();
    if let Some(main) = labels.next() {
        let mut report = Report::build(ReportKind::Custom("", shade), main.0.clone()).with_config(config);
        for (i, (span, text)) in std::iter::once(main).chain(labels).enumerate() {
            let mut label = Label::new(span).with_color(shades[i.min(shades.len() - 1)]);
            if !text.is_empty() {
                label = label.with_message(text);
            }
            report = report.with_label(label);
        }
        // Writing to memory cannot fail.
        let _ = report.finish().write(&mut *files, &mut body);
    }
    let body = String::from_utf8_lossy(&body);
    let mut lines: Vec<&str> = body.lines().skip(1).map(str::trim_end).collect();
    // The last line closes the frame, `───╯`: its width is that of the margin.
    let width = lines.pop().map_or(3, |line| line.matches('─').count());
    for line in lines.into_iter().filter(|line| !only_margin(line)) {
        out.push_str(line);
        out.push('\n');
    }
    let bar = if color { "│".fg(Color::Fixed(246)).to_string() } else { "│".to_string() };
    let help = diagnostic.help.iter().map(|help| format!("Help: {help}"));
    for fact in diagnostic.notes.iter().cloned().chain(help) {
        for line in fact.lines() {
            let _ = writeln!(out, "{:width$}{bar}  {}", "", line.trim_end());
        }
    }
}

/// True for a line that only goes on with the frame.
fn only_margin(line: &str) -> bool {
    let mut escaped = false;
    let mut bars = 0;
    let only = line.chars().all(|c| {
        let part_of_escape = escaped || c == '\u{1b}';
        escaped = part_of_escape && c != 'm';
        bars += usize::from(c == '│');
        part_of_escape || matches!(c, ' ' | '│')
    });
    only && bars == 1
}
