//! Diagnostics as text: by ariadne for people, a line each for everything else.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::ops::Range;

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

/// A label as ariadne takes it.
struct Place<'a> {
    main: bool,
    span: (FileId, Range<usize>),
    text: &'a str,
}

/// The labels in the order they are drawn best: files as they come, lines downwards, and on a line the
/// rightmost first, so that no text stands in the way of another's line. ariadne would begin a new
/// section where a label stands above the one before it.
fn places<'a>(sources: &Sources, diagnostic: &'a Diagnostic) -> Vec<Place<'a>> {
    let mut files: Vec<FileId> = Vec::new();
    let mut places = Vec::new();
    for (i, label) in diagnostic.labels.iter().enumerate().filter(|(_, label)| known(sources, label.span.file)) {
        let span = inside(sources, label.span);
        if !files.contains(&span.file) {
            files.push(span.file);
        }
        let text = &sources.get(span.file).text;
        let line = sources.line_column(Span { start: span.end.saturating_sub(1).max(span.start), ..span }).0;
        let characters = characters(text, span.start)..characters(text, span.end);
        let place = Place { main: i == 0, span: (span.file, characters), text: &label.text };
        places.push((files.iter().position(|file| *file == span.file), line, Reverse(span.start), place));
    }
    places.sort_by_key(|(file, line, start, _)| (*file, *line, *start));
    let mut places: Vec<Place<'a>> = places.into_iter().map(|(.., place)| place).collect();
    // Without its main place the next best one leads.
    if !places.iter().any(|place| place.main)
        && let Some(first) = places.first_mut()
    {
        first.main = true;
    }
    places
}

fn one(files: &mut Files<'_>, diagnostic: &Diagnostic, color: bool, out: &mut String) {
    let shade = match diagnostic.severity {
        Severity::Error => Color::Red,
        Severity::Warning => Color::Yellow,
    };
    let shades = [Color::Cyan, Color::Magenta, Color::Green, Color::Blue];
    // ariadne 0.6 mixes up bytes and characters in the headers of a report's further files, and panics
    // where the difference falls inside a character: places are given to it in characters.
    let config = Config::new().with_color(color).with_index_type(IndexType::Char);
    let header = format!("{}[{}]:", word(diagnostic.severity), diagnostic.code);
    let header = if color { header.fg(shade).to_string() } else { header };
    // Writing to a string or to memory cannot fail.
    let _ = writeln!(out, "{header} {}", diagnostic.message);
    let places = places(files.sources, diagnostic);
    let mut body = Vec::new();
    if let Some(main) = places.iter().find(|place| place.main) {
        let mut report = Report::build(ReportKind::Custom("", shade), main.span.clone()).with_config(config);
        for (order, place) in (0..).zip(&places) {
            let shade = if place.main { shade } else { shades[order as usize % shades.len()] };
            let text = if place.text.is_empty() { "here" } else { place.text };
            report = report
                .with_label(Label::new(place.span.clone()).with_color(shade).with_order(order).with_message(text));
        }
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

/// True for a line that only goes on with the frame and with lines to labels below.
fn only_margin(line: &str) -> bool {
    let mut escaped = false;
    line.chars().all(|c| {
        let part_of_escape = escaped || c == '\u{1b}';
        escaped = part_of_escape && c != 'm';
        part_of_escape || matches!(c, ' ' | '│')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: FileId, start: u32, end: u32) -> Span {
        Span { file, start, end }
    }

    #[test]
    fn places_facts_and_help() {
        let mut sources = Sources::default();
        let text = "model M(x: f32[B]) {\n  x |> MaxPool2d(2) |> Dense(10)\n}\n";
        let file = sources.add("convnet.tfm", text, false);
        let diagnostic = Diagnostic::error("E0301", at(file, 44, 53), "`Dense` cannot be applied")
            .says("takes the last dimension, 12")
            .label(at(file, 28, 40), "f32[B, 64, 12, 12]")
            .note("12 = (26 - 2) / 2 + 1")
            .note("two\nlines")
            .help("write `|> flatten |> Dense(10)`");
        let shown = render(&sources, std::slice::from_ref(&diagnostic), false);
        assert_eq!(
            shown,
            "\
Error[E0301]: `Dense` cannot be applied
   ╭─[ convnet.tfm:2:24 ]
 2 │   x |> MaxPool2d(2) |> Dense(10)
   │        ──────┬─────    ────┬────
   │              │             ╰────── takes the last dimension, 12
   │              ╰──────────────────── f32[B, 64, 12, 12]
   │  12 = (26 - 2) / 2 + 1
   │  two
   │  lines
   │  Help: write `|> flatten |> Dense(10)`
"
        );
        assert!(render(&sources, std::slice::from_ref(&diagnostic), true).contains("\u{1b}[31mError[E0301]:"));
        assert_eq!(
            render_plain(&sources, &[diagnostic]),
            "convnet.tfm:2:24: error[E0301]: `Dense` cannot be applied\n"
        );
    }

    #[test]
    fn several_files_that_are_not_ascii() {
        let mut sources = Sources::default();
        let user = sources.add("a.tfm", "// ééé\nlet é = Dense(3)\n", false);
        // The place in characters, 4, lies inside a character when it is read as bytes.
        let library = sources.add("std/layers/dense.tfm", "// é€ü\nlayer Dense(units: int)", true);
        let warning = Diagnostic {
            severity: Severity::Warning,
            ..Diagnostic::error("E0201", at(user, 19, 27), "here")
                .label(at(library, 4, 4), "é")
                .label(at(library, 17, 22), "b")
        };
        let shown = render(&sources, &[warning.clone(), warning], false);
        for part in ["Warning[E0201]: here\n", "─[ a.tfm:2:9 ]", "─[ std/layers/dense.tfm:1:", " 2 │ layer Dense(units"]
        {
            assert_eq!(shown.matches(part).count(), 2, "{part} in\n{shown}");
        }
        assert!(shown.lines().all(|line| line == line.trim_end()));
    }

    #[test]
    fn any_place_can_be_shown() {
        let mut sources = Sources::default();
        let files = ["", "é", "a\n", "a\r\nb\u{2028}c\u{85}\n\n", "\0\t\u{1b}[31mx", "\n\n\n"]
            .map(|text| sources.add("f", text, false));
        for file in files.into_iter().chain([FileId(77)]) {
            for start in 0..14 {
                for end in [0, start, start + 1, start + 5, u32::MAX] {
                    let other = at(files[1], end, start);
                    let diagnostic = Diagnostic::error("E0101", at(file, start, end), "m").says("s").label(other, "");
                    for color in [false, true] {
                        assert!(render(&sources, std::slice::from_ref(&diagnostic), color).contains("E0101"));
                    }
                    assert!(render_plain(&sources, &[diagnostic]).ends_with("error[E0101]: m\n"));
                }
            }
        }
        let nowhere = Diagnostic { labels: Vec::new(), ..Diagnostic::error("E0101", Span::default(), "m").help("h") };
        assert_eq!(render(&sources, &[nowhere], false), "Error[E0101]: m\n   │  Help: h\n");
    }
}
