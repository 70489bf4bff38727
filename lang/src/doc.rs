//! Documentation as data: the pages of the library and of a user's file, from declarations and doc comments.
//!
//! What has a page is declared somewhere else: a callable in its `.tfm` file, a source of data in its table, a
//! function of the checker beside its code. `tfm doc`, the pages it writes and `docs/library.md` are three forms
//! of what is here.

use crate::check::sources::{COLUMNS, DRAWN, OPERATORS, Param, SOURCES, TOKENS, TRANSFORMS, signature};
use crate::check::{builtin_docs, module_of, near};
use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::{CallableKind, Item, ItemKind};
use std::fmt::Write as _;

/// What a module holds.
#[derive(Clone, PartialEq, Debug)]
pub struct Module {
    /// `std.layers`; for a user's file its name.
    pub name: String,
    /// What it is for, where that is said.
    pub text: String,
    /// Its declarations, in the order of the text.
    pub pages: Vec<Page>,
}

/// One declaration.
#[derive(Clone, PartialEq, Debug)]
pub struct Page {
    /// The module's name.
    pub module: String,
    /// `Conv2d`
    pub name: String,
    /// The word that declares it, `layer`; for what no file declares, what it is.
    pub kind: &'static str,
    /// As it is declared, from its word to its result.
    pub signature: String,
    /// The doc comment without its examples; lines as they are written.
    pub text: String,
    /// `relu([-1, 2]) is [0, 2]`
    pub examples: Vec<String>,
    /// The file and the line of the declaration, `std/layers/dense.tfm:5`; empty where no file declares it.
    pub place: String,
    /// The declaration; empty where no file has it.
    pub source: String,
}

impl Page {
    /// `std.layers.Conv2d`
    pub fn path(&self) -> String {
        format!("{}.{}", self.module, self.name)
    }

    /// The first sentence of the text, on one line.
    pub fn summary(&self) -> String {
        let text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        // A full stop ends a sentence where a capital letter follows, and not inside of code.
        let mut in_code = false;
        for (i, c) in text.char_indices() {
            in_code ^= c == '`';
            let rest = &text[i + c.len_utf8()..];
            let next = rest.strip_prefix(' ').and_then(|r| r.chars().next());
            if c == '.' && !in_code && next.is_some_and(|c| c.is_uppercase() || c == '`') {
                return text[..=i].to_string();
            }
        }
        text
    }
}

/// The modules of the library, with what the checker does itself and what data can come from.
pub fn library(files: &[(&str, &str)]) -> Vec<Module> {
    let mut sources = Sources::default();
    let mut modules: Vec<Module> = Vec::new();
    for (path, text) in files {
        let id = sources.add(format!("std/{path}"), *text, true);
        let name = module_of(path);
        let found = file(&sources, id, &name);
        match modules.iter_mut().find(|m| m.name == name) {
            Some(module) => module.pages.extend(found.pages),
            None => modules.push(found),
        }
    }
    modules.push(builtins());
    modules.push(data());
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    modules
}

/// The declarations of one file.
pub fn file(sources: &Sources, id: FileId, module: &str) -> Module {
    let items = crate::syntax::parse(sources, id).0.items;
    let head = sources.get(id).text.lines().take_while(|l| l.starts_with("//") && !l.starts_with("///"));
    let text = head.map(|l| l.trim_start_matches('/').trim()).collect::<Vec<_>>().join("\n");
    let pages = items.iter().filter_map(|item| page(sources, id, module, item)).collect();
    Module { name: module.into(), text, pages }
}

fn page(sources: &Sources, id: FileId, module: &str, item: &Item) -> Option<Page> {
    let first_line = || sources.text(item.span).lines().next().unwrap_or("").trim_end_matches([' ', '{']).to_string();
    let (name, kind, signature) = match &item.kind {
        ItemKind::Callable(c) => {
            let condition = c.condition.as_ref().map(|e| format!("\nwhere {}", sources.text(e.span)));
            (&c.name, word(c.kind), sources.text(c.head).to_string() + &condition.unwrap_or_default())
        }
        ItemKind::Const(name, _) => (name, "const", first_line()),
        ItemKind::Dim(name, _) => (name, "dim", first_line()),
        ItemKind::Data { name, .. } => (name, "data", first_line()),
        ItemKind::Train { name, .. } => (name, "train", first_line()),
        _ => return None,
    };
    const NOT_TEXT: [&str; 3] = ["example:", "gradient:", "flops:"];
    let is_text = |l: &&String| !NOT_TEXT.iter().any(|word| l.trim_start().starts_with(word));
    let text = item.doc.iter().filter(is_text).map(|l| l.trim_end()).collect::<Vec<_>>().join("\n");
    let examples = item.doc.iter().filter_map(|l| Some(l.trim().strip_prefix("example:")?.trim().to_string()));
    let (line, _) = sources.line_column(Span { file: id, ..item.span });
    Some(Page {
        module: module.into(),
        name: name.text.to_string(),
        kind,
        signature,
        text: text.trim().to_string(),
        examples: examples.collect(),
        place: format!("{}:{line}", sources.get(id).name),
        source: sources.text(item.span).to_string(),
    })
}

fn word(kind: CallableKind) -> &'static str {
    match kind {
        CallableKind::Function => "fn",
        CallableKind::Layer => "layer",
        CallableKind::Model => "model",
        CallableKind::Loss => "loss",
        CallableKind::Metric => "metric",
        CallableKind::Optimizer => "optimizer",
        CallableKind::Schedule => "schedule",
        CallableKind::Primitive => "primitive",
    }
}

/// A page that no `.tfm` file declares.
fn undeclared(module: &str, kind: &'static str, name: &str, signature: String, text: String) -> Page {
    Page {
        module: module.into(),
        name: name.into(),
        kind,
        signature,
        text,
        examples: Vec::new(),
        place: String::new(),
        source: String::new(),
    }
}

fn builtins() -> Module {
    let module = "std.builtin";
    let pages = builtin_docs()
        .map(|(name, params, doc)| {
            let signature = format!("{name}({})", params.join(", "));
            undeclared(module, "built in", name, signature, doc.into())
        })
        .collect();
    Module { name: module.into(), text: "What works on shapes, lists and patterns; always in scope.".into(), pages }
}

fn data() -> Module {
    let module = "std.data";
    let mut pages = Vec::new();
    let mut add = |kind: &'static str, name: &'static str, params: &'static [Param], doc: &str| {
        let mut text = doc.to_string();
        for p in params {
            let _ = write!(text, "\n- `{}`: {}", p.name, p.doc);
        }
        pages.push(undeclared(module, kind, name, signature(name, params), text));
    };
    SOURCES.iter().copied().flatten().for_each(|s| add("source", s.name, s.params, s.doc));
    let forms = [
        ("tokens of a text", TOKENS),
        ("column", COLUMNS),
        ("transform of a column", TRANSFORMS),
        ("column of random data", DRAWN),
        ("operator on data", OPERATORS),
    ];
    for (kind, forms) in forms {
        forms.iter().for_each(|f| add(kind, f.name, f.params, f.doc));
    }
    Module {
        name: module.into(),
        text: "What `data` declarations are made of; known there without an import.".into(),
        pages,
    }
}

/// The pages that a name means: `Conv2d`, `layers.Conv2d`, `std.layers.Conv2d`, in any case where nothing is
/// written just so.
pub fn find<'a>(modules: &'a [Module], name: &str) -> Vec<&'a Page> {
    let ends = |path: &str, name: &str| path == name || path.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
    let all = || modules.iter().flat_map(|m| &m.pages);
    let exact: Vec<&Page> = all().filter(|p| ends(&p.path(), name)).collect();
    if !exact.is_empty() {
        return exact;
    }
    let lower = name.to_lowercase();
    all().filter(|p| ends(&p.path().to_lowercase(), &lower)).collect()
}

/// The name that was perhaps meant: of a declaration, with its module, or of a module.
pub fn nearest(modules: &[Module], name: &str) -> Option<String> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let pages = || modules.iter().flat_map(|m| &m.pages);
    let of_page = near(last, pages().map(|p| p.name.as_str()));
    let path = of_page.and_then(|n| pages().find(|p| p.name == n)).map(Page::path);
    path.or_else(|| near(name, modules.iter().map(|m| m.name.as_str())).map(String::from))
}

/// The index of the library as Markdown, `docs/library.md`.
pub fn index(modules: &[Module]) -> String {
    let mut out = String::from(
        "# The library\n\n\
         Every name of the library, with the first sentence of its documentation. `tfm doc Conv2d` shows the whole page,\n\
         `tfm doc Conv2d --source` the declaration, `tfm doc --html DIR` writes all of it as pages to read in a browser.\n\n\
         This page is written from the doc comments in `stdlib/`; `UPDATE=1 cargo test -p tfm-tests --test docs` writes it\n\
         anew.\n",
    );
    for module in modules {
        let _ = write!(out, "\n## {}\n\n", module.name);
        if !module.text.is_empty() {
            let _ = write!(out, "{}\n\n", module.text);
        }
        for page in &module.pages {
            let _ = writeln!(out, "- **`{}`** ({}) {}", page.name, page.kind, page.summary());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "// Two things.\n\n/// Twice `x. Y`. And more,\n/// of it.\n/// example: double(1) is 2\n\
                        fn double(x: float[..S]) -> float[..S] { x + x }\n\ndim D = 3\n";

    #[test]
    fn a_page_has_what_its_declaration_says() {
        let mut sources = Sources::default();
        let id = sources.add("net.tfm", TEXT, false);
        let module = super::file(&sources, id, "net");
        let [double, d] = module.pages.as_slice() else { panic!("{module:?}") };
        assert_eq!((module.text.as_str(), d.kind, d.signature.as_str()), ("Two things.", "dim", "dim D = 3"));
        assert_eq!(double.signature, "fn double(x: float[..S]) -> float[..S]");
        assert_eq!(
            (double.text.as_str(), double.summary().as_str()),
            ("Twice `x. Y`. And more,\nof it.", "Twice `x. Y`.")
        );
        assert_eq!(
            (double.examples.as_slice(), double.place.as_str()),
            (&["double(1) is 2".to_string()][..], "net.tfm:6")
        );
        assert!(double.source.ends_with("{ x + x }"));
    }

    #[test]
    fn names_are_found_by_their_ends_and_suggested() {
        let modules = library(&[("layers/dense.tfm", "layer Dense(units: int)(x: f32[B, I]) { x }\n")]);
        for name in ["Dense", "layers.Dense", "std.layers.Dense", "dense"] {
            assert_eq!(find(&modules, name).len(), 1, "{name}");
        }
        assert!(find(&modules, "ense").is_empty());
        assert_eq!(nearest(&modules, "Dence").as_deref(), Some("std.layers.Dense"));
        assert_eq!(nearest(&modules, "std.layer").as_deref(), Some("std.layers"));
        assert_eq!(find(&modules, "mnist")[0].kind, "source");
        assert_eq!(find(&modules, "std.builtin.split")[0].kind, "built in");
        assert!(modules.iter().flat_map(|m| &m.pages).filter(|p| p.kind != "layer").all(|p| !p.text.is_empty()));
    }
}
