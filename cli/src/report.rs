//! Findings in the forms that people, editors and CI read. [`Finding`] is a diagnostic with its places told as files,
//! lines and columns; each form is a file of its own and a row of [`Format`].

mod concise;
mod full;
mod github;
mod gitlab;
mod json;
mod junit;
mod rdjson;
mod sarif;

use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tfm_lang::diagnostic::{Diagnostic, Severity};
use tfm_lang::source::{Sources, Span};

/// The form of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Format {
    /// With the lines of the source, for people.
    #[default]
    Full,
    /// A line each.
    Concise,
    /// One JSON object per line.
    Json,
    /// Annotations of GitHub's workflows.
    Github,
    /// GitLab's code quality report.
    Gitlab,
    /// JUnit's XML.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Reviewdog's JSON.
    Rdjson,
}

/// A place in a file. Lines and columns count from 1, columns in characters; the end is one past the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The path as it is told, with `/`.
    pub path: String,
    /// First line.
    pub line: usize,
    /// First column.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// One past the last column.
    pub end_column: usize,
    /// The bytes.
    pub span: Span,
}

/// A diagnostic with its places.
#[derive(Clone, Debug)]
pub struct Finding {
    /// All texts.
    pub sources: Rc<Sources>,
    /// What is found.
    pub diagnostic: Diagnostic,
    /// Where.
    pub place: Place,
    /// The other places that matter, with words.
    pub related: Vec<(Place, String)>,
    /// The edits, with their places, in the order of the diagnostic's.
    pub edits: Vec<Place>,
    /// The same for the same finding in the same line, wherever the line stands.
    pub fingerprint: String,
}

/// Where the files of one check lie.
pub struct Located<'a> {
    /// All texts.
    pub sources: Rc<Sources>,
    /// The folder of the main file; imports lie beside it.
    pub folder: &'a Path,
    /// The path of the main file, whose name in `sources` it is.
    pub main: &'a str,
}

impl Located<'_> {
    /// Tells a diagnostic as files, lines and columns.
    pub fn finding(&self, diagnostic: Diagnostic) -> Finding {
        let place = self.place(diagnostic.span());
        let related = diagnostic.labels[1..].iter().map(|l| (self.place(l.span), l.text.clone())).collect();
        let edits = diagnostic.fixes.iter().map(|f| self.place(f.span)).collect();
        let sources = self.sources.clone();
        Finding { sources, diagnostic, place, related, edits, fingerprint: String::new() }
    }

    fn place(&self, span: Span) -> Place {
        let (line, column) = self.sources.line_column(span);
        let (end_line, end_column) = self.sources.line_column(Span { start: span.end.max(span.start), ..span });
        let file = self.sources.get(span.file);
        let path = if file.library || file.name == self.main {
            PathBuf::from(&file.name)
        } else {
            self.folder.join(&file.name)
        };
        Place { path: told(&path), line, column, end_line, end_column, span }
    }
}

/// A path with `/`, from the working directory where it lies below.
pub fn told(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    let text = path.display().to_string().replace('\\', "/");
    text.strip_prefix("./").map_or(text.clone(), str::to_string)
}

/// Sorts findings, takes out those that are there twice, and gives each its fingerprint.
pub fn finish(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.place.path.clone(), f.place.span.start, f.diagnostic.code);
        key(a).cmp(&key(b))
    });
    findings.dedup_by(|a, b| {
        a.place.path == b.place.path
            && a.place.span.start == b.place.span.start
            && a.diagnostic.code == b.diagnostic.code
    });
    let mut seen: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for f in findings {
        let text = &f.sources.get(f.place.span.file).text;
        let line = text.lines().nth(f.place.line - 1).unwrap_or("").trim();
        let key = format!("{}\n{}\n{line}", f.place.path, f.diagnostic.code);
        let n = seen.entry(key.clone()).or_insert(0);
        *n += 1;
        f.fingerprint = format!("{:016x}", hash(&format!("{key}\n{n}")));
    }
}

/// FNV-1a: the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

impl Finding {
    /// `error` or `warning`.
    pub fn severity(&self) -> &'static str {
        match self.diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }

    /// The lint's name; for an error of the checker its code.
    pub fn name(&self) -> &'static str {
        tfm_lang::lint::find(self.diagnostic.code).map_or(self.diagnostic.code, |l| l.name)
    }

    /// `L0201 log_of_zero`, and `E0301` for an error of the checker.
    pub fn title(&self) -> String {
        match (self.diagnostic.code, self.name()) {
            (code, name) if code == name => code.to_string(),
            (code, name) => format!("{code} {name}"),
        }
    }

    /// The message with what to do about it.
    pub fn text(&self) -> String {
        match &self.diagnostic.help {
            Some(help) => format!("{}\n{help}", self.diagnostic.message),
            None => self.diagnostic.message.clone(),
        }
    }
}

/// Findings in a form. Colour is for people only.
pub fn render(format: Format, findings: &[Finding], color: bool) -> String {
    match format {
        Format::Full => full::render(findings, color),
        Format::Concise => concise::render(findings),
        Format::Json => json::render(findings),
        Format::Github => github::render(findings),
        Format::Gitlab => gitlab::render(findings),
        Format::Junit => junit::render(findings),
        Format::Sarif => sarif::render(findings),
        Format::Rdjson => rdjson::render(findings),
    }
}
