//! What an editor asks of a file: text in, data out, places as offsets of bytes. No protocol, no file, no clock.
//!
//! A [`Document`] is what the text alone says: tokens, tree, names. It is made in a few milliseconds and answers most
//! questions, for files with mistakes too. An [`Analysis`] is what the checker says: diagnostics, and what each
//! expression is worth. It takes longer, and an editor may answer with that of a slightly older text, where the places
//! that are asked about are still the same.

mod actions;
mod complete;
mod hints;
mod hover;
mod index;
mod library;
mod outline;
mod rename;
mod tokens;

#[cfg(test)]
mod tests;

pub use actions::{Action, actions};
pub use complete::{Item, ItemKind, complete};
pub use hints::{Hint, Signature, hints, signature};
pub use hover::hover;
pub use index::{Def, Index, Kind, Target, Use};
pub use library::{About, Entry, Library, Parameter};
pub use outline::{Symbol, folds, symbols};
pub use rename::rename;
pub use tokens::{TOKEN_KINDS, TokenKind, semantic_tokens};

use crate::check::record::Record;
use crate::check::{Options, check};
use crate::diagnostic::Diagnostic;
use crate::lint;
use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::{self, ItemKind as AstKind};

/// Replace a place by a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// What is replaced; empty to put in.
    pub span: Span,
    /// By what.
    pub text: String,
}

/// Where something is declared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Location {
    /// In this file, or in one that it imports.
    File(Span),
    /// In a file of the library.
    Library(Span),
}

/// A text with what can be said without checking it.
pub struct Document {
    /// This text, and those of the user's files that it imports.
    pub sources: Sources,
    /// This file.
    pub main: FileId,
    /// Its tree.
    pub file: ast::File,
    /// Its names.
    pub index: Index,
}

impl Document {
    /// Reads a text. `load` gives the files that it imports, by their paths beside it.
    pub fn new(name: &str, text: &str, library: &Library, load: &mut dyn FnMut(&str) -> Option<String>) -> Document {
        let mut sources = Sources::default();
        let main = sources.add(name, text, false);
        let (file, _) = crate::syntax::parse(&sources, main);
        let mut modules: Vec<(String, ast::File)> = Vec::new();
        for item in &file.items {
            let AstKind::Import { path, .. } = &item.kind else { continue };
            let module: String = path.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".");
            if path.first().is_none_or(|n| n.text == "std") || modules.iter().any(|(m, _)| *m == module) {
                continue;
            }
            let name = format!("{}.tfm", module.replace('.', "/"));
            if let Some(text) = load(&name) {
                let id = sources.add(name, text, false);
                modules.push((module, crate::syntax::parse(&sources, id).0));
            }
        }
        let index = Index::new(&sources, &file, library, &modules);
        Document { sources, main, file, index }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.sources.get(self.main).text
    }

    /// Where the word at a place is declared.
    pub fn definition(&self, library: &Library, offset: u32) -> Option<Location> {
        match &self.index.at(offset)?.target {
            Target::Here(def) => Some(Location::File(self.index.defs[*def].span)),
            Target::Library(entry) => library.get(*entry).place.map(Location::Library),
            Target::Other(_, span) => Some(Location::File(*span)),
            Target::Field(data) => {
                let data = self.index.defs.iter().find(|d| d.name == *data && d.about.kind == "data")?;
                Some(Location::File(data.span))
            }
            _ => None,
        }
    }

    /// Every place in this file that means what the word at this place means; its declaration too, when asked.
    pub fn references(&self, offset: u32, declaration: bool) -> Vec<Span> {
        let Some(found) = self.index.at(offset) else { return Vec::new() };
        let named = self.sources.text(found.span);
        let same = |u: &&Use| match (&u.target, &found.target) {
            (Target::Unknown | Target::Named | Target::Setting, _) => false,
            // Fields of one data set are told apart by their names alone.
            (Target::Field(a), Target::Field(b)) => a == b && self.sources.text(u.span) == named,
            (a, b) => a == b,
        };
        let declared = |span: Span| match found.target {
            Target::Here(def) => self.index.defs[def].span == span,
            _ => self.index.defs.iter().any(|d| d.kind == Kind::Import && d.span == span),
        };
        let all = self.index.uses.iter().filter(same).map(|u| u.span);
        all.filter(|span| declaration || !declared(*span)).collect()
    }
}

/// What the checker says about a text.
pub struct Analysis {
    /// This text and all that it was checked with.
    pub sources: Sources,
    /// This file.
    pub main: FileId,
    /// Mistakes and warnings, of imported files too.
    pub diagnostics: Vec<Diagnostic>,
    /// What expressions are worth.
    pub record: Box<Record>,
    /// The user's files that were read, this one first.
    pub files: Vec<FileId>,
}

impl Analysis {
    /// Checks a text, and looks for the hazards that `lints` asks for.
    pub fn new(
        name: &str,
        text: &str,
        library: &Library,
        lints: &lint::Settings,
        load: &mut dyn FnMut(&str) -> Option<String>,
    ) -> Analysis {
        let mut sources = Sources::default();
        let main = sources.add(name, text, false);
        let options = Options { tests: true, record: true, trace: true, ..Options::default() };
        let mut checked = check(&mut sources, library.files(), main, load, &options);
        let hazards = lint::lint(&sources, &checked, lints);
        checked.diagnostics.extend(hazards);
        let record = checked.record.unwrap_or_default();
        Analysis { sources, main, diagnostics: checked.diagnostics, record, files: checked.files }
    }
}

/// The word that ends at a place, as far as it is written.
pub(crate) fn word_before(text: &str, offset: u32) -> &str {
    let end = offset as usize;
    let before = text.get(..end).unwrap_or("");
    let start = before
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8));
    &before[start..]
}
