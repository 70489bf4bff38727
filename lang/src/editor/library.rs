//! What the library declares, with places and documentation: read once, asked often.

use std::collections::BTreeMap;

use crate::check::{PRELUDE, builtin_docs, module_of};
use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::{Callable, Item, ItemKind, Param};

/// A parameter as it is written in a declaration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// `kernel`
    pub name: String,
    /// `kernel: [int]`
    pub text: String,
}

/// What a declaration says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct About {
    /// The word that declares it, `layer`.
    pub kind: &'static str,
    /// From its word to its result.
    pub head: String,
    /// The lists of parameters; a layer has two.
    pub lists: Vec<Vec<Parameter>>,
    /// The doc comment.
    pub doc: String,
}

/// A name of the library.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `std.layers`; empty for what the checker does itself.
    pub module: String,
    /// `Dense`
    pub name: String,
    /// Its declaration.
    pub about: About,
    /// The place of its name; `None` where no file declares it.
    pub place: Option<Span>,
    /// True when it is in scope without an import.
    pub everywhere: bool,
}

/// The library of an editor.
pub struct Library {
    files: Vec<(&'static str, &'static str)>,
    sources: Sources,
    entries: Vec<Entry>,
    by_name: BTreeMap<String, usize>,
}

impl Library {
    /// Reads the library's files, paths and texts.
    pub fn new(files: &[(&'static str, &'static str)]) -> Library {
        let mut library = Library {
            files: files.to_vec(),
            sources: Sources::default(),
            entries: Vec::new(),
            by_name: BTreeMap::new(),
        };
        for (path, text) in files {
            let file = library.sources.add(format!("std/{path}"), *text, true);
            let module = module_of(path);
            for item in crate::syntax::parse(&library.sources, file).0.items {
                if let Some((name, place, about)) = about(&library.sources, &item) {
                    let everywhere = PRELUDE.contains(&module.as_str());
                    library.add(Entry { module: module.clone(), name, about, place: Some(place), everywhere });
                }
            }
        }
        for (name, params, doc) in builtin_docs() {
            let list = params.iter().map(|p| Parameter { name: (*p).into(), text: (*p).into() }).collect();
            let head = format!("{name}({})", params.join(", "));
            let about = About { kind: "fn", head, lists: vec![list], doc: doc.into() };
            library.add(Entry { module: String::new(), name: name.into(), about, place: None, everywhere: true });
        }
        library
    }

    fn add(&mut self, entry: Entry) {
        self.by_name.entry(entry.name.clone()).or_insert(self.entries.len());
        self.entries.push(entry);
    }

    /// The files, paths and texts.
    pub fn files(&self) -> &[(&'static str, &'static str)] {
        &self.files
    }

    /// The name and the text of a file of the library.
    pub fn file(&self, file: FileId) -> (&str, &str) {
        let file = self.sources.get(file);
        (&file.name, &file.text)
    }

    /// The declaration with this name; where two modules have it, the first.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The declaration of a module with this name.
    pub fn find_in(&self, module: &str, name: &str) -> Option<usize> {
        self.entries.iter().position(|e| e.module == module && e.name == name)
    }

    /// A declaration.
    pub fn get(&self, entry: usize) -> &Entry {
        &self.entries[entry]
    }

    /// All declarations, in the order of the files.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The modules that one can import from.
    pub fn modules(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.entries.iter().filter(|e| !e.everywhere).map(|e| e.module.as_str()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The name of a declaration, the place of the name, and what it says about itself.
pub(super) fn about(sources: &Sources, item: &Item) -> Option<(String, Span, About)> {
    let doc = item.doc.join("\n");
    let line = || sources.text(item.span).lines().next().unwrap_or("").trim_end_matches([' ', '{']).to_string();
    let plain = |kind| About { kind, head: line(), lists: Vec::new(), doc: doc.clone() };
    let (name, about) = match &item.kind {
        ItemKind::Callable(callable) => (&callable.name, of_callable(sources, callable, doc)),
        ItemKind::Const(name, _) => (name, plain("const")),
        ItemKind::Dim(name, _) => (name, plain("dim")),
        ItemKind::Data { name, .. } => (name, plain("data")),
        ItemKind::Train { name, .. } => (name, plain("train")),
        _ => return None,
    };
    Some((name.text.to_string(), name.span, about))
}

fn of_callable(sources: &Sources, callable: &Callable, doc: String) -> About {
    let list = |params: &[Param]| -> Vec<Parameter> { params.iter().map(|p| parameter(sources, p)).collect() };
    let lists = callable.statics.iter().chain([&callable.inputs]).map(|params| list(params)).collect();
    let head = sources.text(callable.head).split_whitespace().collect::<Vec<_>>().join(" ").replace(") (", ")(");
    let kind = head.split(' ').next().unwrap_or_default();
    let kind = crate::syntax::scan::ITEM_WORDS.iter().find(|word| **word == kind).copied().unwrap_or("fn");
    About { kind, head, lists, doc }
}

fn parameter(sources: &Sources, param: &Param) -> Parameter {
    let mut text = param.name.text.to_string();
    if let Some(ty) = &param.ty {
        text += &format!(": {}", sources.text(ty.span));
    }
    if let Some(default) = &param.default {
        text += &format!(" = {}", sources.text(default.span));
    }
    Parameter { name: param.name.text.to_string(), text }
}
