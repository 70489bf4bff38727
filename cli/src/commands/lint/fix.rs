//! Applying edits. In rounds: those of a round do not overlap, and after it the file is checked again; an edit after which the
//! file has an error that it had not is left out.

use super::files::{Input, lint_text, read};
use crate::failure::Failure;
use crate::output::say;
use crate::report::{Finding, told};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tfm_lang::diagnostic::Severity;
use tfm_lang::lint::Settings;

/// Only so many rounds.
const ROUNDS: usize = 16;

/// Texts after edits.
#[derive(Default)]
pub struct Changes {
    /// The files that have changed.
    pub texts: BTreeMap<PathBuf, String>,
    before: BTreeMap<PathBuf, String>,
    count: usize,
}

/// One edit in a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Edit {
    path: PathBuf,
    start: usize,
    end: usize,
    text: String,
}

/// Mends a file and those that it imports, as far as edits go.
pub fn mend(input: &Input, settings: &Settings, all: bool, changes: &mut Changes) -> Result<(), Failure> {
    let original = input.text()?;
    let mut refused: Vec<Edit> = Vec::new();
    for _ in 0..ROUNDS {
        let text = changes.texts.get(&input.path).cloned().unwrap_or_else(|| original.clone());
        let found = lint_text(input, &text, settings, &changes.texts);
        let errors = errors(&found);
        let mut edits = edits(input, &found, all);
        edits.retain(|e| !refused.contains(e));
        if edits.is_empty() {
            break;
        }
        let mut kept = apart(edits);
        if !tried(input, settings, changes, &original, &kept, errors)? {
            // One of them breaks the file: they are tried one by one.
            let mut good = Vec::new();
            for edit in kept {
                let one = [edit];
                if good.is_empty() && tried(input, settings, changes, &original, &one, errors)? {
                    good = one.to_vec();
                } else if good.is_empty() {
                    refused.extend(one);
                }
            }
            kept = good;
        }
        changes.count += kept.len();
    }
    Ok(())
}

fn errors(found: &[Finding]) -> usize {
    found.iter().filter(|f| f.diagnostic.code.starts_with('E') && f.diagnostic.severity == Severity::Error).count()
}

/// The first edit of each finding that has one of the wanted kind.
fn edits(input: &Input, found: &[Finding], all: bool) -> Vec<Edit> {
    let lints = found.iter().filter(|f| f.diagnostic.code.starts_with('L'));
    let of = |f: &Finding| {
        let at = f.diagnostic.fixes.iter().position(|fix| all || fix.safe)?;
        let (fix, place) = (&f.diagnostic.fixes[at], &f.edits[at]);
        let own = f.sources.get(place.span.file).name == told(&input.path);
        let path = if own { input.path.clone() } else { input.folder().join(&f.sources.get(place.span.file).name) };
        Some(Edit { path, start: fix.span.start as usize, end: fix.span.end as usize, text: fix.replacement.clone() })
    };
    let mut edits: Vec<Edit> = lints.filter_map(of).collect();
    edits.sort();
    edits.dedup();
    edits
}

/// Those that do not touch one before them.
fn apart(edits: Vec<Edit>) -> Vec<Edit> {
    let mut kept: Vec<Edit> = Vec::new();
    for e in edits {
        if kept.last().is_none_or(|k| k.path != e.path || k.end < e.start || k.end == e.start && k.start < k.end) {
            kept.push(e);
        }
    }
    kept
}

/// Applies edits, and keeps them when the file has no more errors than before.
fn tried(
    input: &Input,
    settings: &Settings,
    changes: &mut Changes,
    original: &str,
    edits: &[Edit],
    errors_before: usize,
) -> Result<bool, Failure> {
    let mut texts = changes.texts.clone();
    let mut before = changes.before.clone();
    for e in edits.iter().rev() {
        if !texts.contains_key(&e.path) {
            let text = if e.path == input.path { original.to_string() } else { read(&e.path)? };
            before.insert(e.path.clone(), text.clone());
            texts.insert(e.path.clone(), text);
        }
        if let Some(text) = texts.get_mut(&e.path) {
            text.replace_range(e.start..e.end, &e.text);
        }
    }
    let main = texts.get(&input.path).map_or(original, String::as_str);
    let good = errors(&lint_text(input, main, settings, &texts)) <= errors_before;
    if good {
        (changes.texts, changes.before) = (texts, before);
    }
    Ok(good)
}

impl Changes {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.texts.iter().all(|(path, text)| self.before.get(path) == Some(text))
    }

    /// What changes, as `diff -u` has it.
    pub fn diff(&self) -> String {
        let mut out = String::new();
        for (path, text) in &self.texts {
            let before = self.before.get(path).map_or("", String::as_str);
            let name = told(path);
            let diff = similar::TextDiff::from_lines(before, text);
            out += &diff.unified_diff().header(&name, &name).to_string();
        }
        out
    }

    /// Writes what has changed; gives how many edits there were. The standard input goes to the standard output.
    pub fn write(&self, inputs: &[Input]) -> Result<usize, Failure> {
        for (path, text) in &self.texts {
            if inputs.iter().any(|i| i.path == *path && i.piped.is_some()) {
                continue;
            }
            if self.before.get(path) != Some(text) {
                std::fs::write(path, text).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
            }
        }
        Ok(self.count)
    }

    /// The text of the standard input after the edits.
    pub fn piped(&self, input: &Input) -> Result<(), Failure> {
        match (&input.piped, self.texts.get(&input.path)) {
            (Some(_), Some(text)) => say(text.trim_end_matches('\n')),
            (Some(text), None) => say(text.trim_end_matches('\n')),
            _ => Ok(()),
        }
    }
}
