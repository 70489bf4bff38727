//! What could be written at a place.

use super::hints::open_call;
use super::library::Parameter;
use super::{About, Analysis, Document, Edit, Kind, Library, Target, word_before};
use crate::check::sources::{COLUMNS, Form, OPERATORS, Param, SOURCES, TOKENS, TRANSFORMS, signature};
use crate::check::{SETTINGS, setting_doc};
use crate::format::lexed;
use crate::syntax::ast::{Item as AstItem, ItemKind as AstKind};
use crate::syntax::scan::{ITEM_WORDS, STATEMENT_WORDS};
use crate::types::DType;

/// What a completion is, for its picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum ItemKind {
    Keyword,
    Function,
    Class,
    Variable,
    Field,
    Parameter,
    Module,
    Setting,
    Type,
}

/// One thing that could be written.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// What is shown, and written where `text` is none.
    pub label: String,
    /// Its picture.
    pub kind: ItemKind,
    /// A type, a module.
    pub detail: String,
    /// Markdown.
    pub doc: String,
    /// What is written.
    pub text: Option<String>,
    /// What changes elsewhere: an import.
    pub also: Option<Edit>,
    /// Nearer things first.
    pub rank: u8,
}

impl Item {
    fn new(label: impl Into<String>, kind: ItemKind, rank: u8) -> Item {
        let label = label.into();
        Item { label, kind, detail: String::new(), doc: String::new(), text: None, also: None, rank }
    }

    fn detail(mut self, detail: impl Into<String>) -> Item {
        self.detail = detail.into();
        self
    }

    fn doc(mut self, doc: impl Into<String>) -> Item {
        self.doc = doc.into();
        self
    }

    fn text(mut self, text: impl Into<String>) -> Item {
        self.text = Some(text.into());
        self
    }
}

/// Words that go on inside a value.
const INNER: [&str; 9] = ["if", "else", "fold", "scan", "for", "in", "not", "true", "false"];

/// Everything that could be written at a place; an editor leaves out what the letters before it rule out. The
/// analysis may be of an older text.
pub fn complete(document: &Document, analysis: Option<&Analysis>, library: &Library, offset: u32) -> Vec<Item> {
    let text = document.text();
    let word = word_before(text, offset);
    let start = offset - word.len() as u32;
    let tokens = lexed(text);
    if word.starts_with(|c: char| c.is_ascii_digit()) || in_words(text, &tokens, offset) {
        return Vec::new();
    }
    let before: Vec<&str> =
        tokens.iter().filter(|(_, end)| *end <= start).map(|(s, e)| &text[*s as usize..*e as usize]).collect();
    let line_start = text[..start as usize].rfind('\n').map_or(0, |i| i + 1);
    let line = text[line_start..start as usize].trim_start();
    let last = before.last().copied().unwrap_or("");
    if let Some(written) = line.strip_prefix("import ") {
        return imported(document, library, written);
    }
    if last == "." {
        return members(document, analysis, &before[..before.len() - 1]);
    }
    let item = document.file.items.iter().rev().find(|item| item.span.start <= start);
    let inside =
        item.filter(|item| start <= item.span.end || !text[item.span.end as usize..start as usize].contains("\n\n"));
    if line.is_empty() && (line_start as u32 == start && innermost(&before).is_none()) {
        return ITEM_WORDS.iter().map(|word| Item::new(*word, ItemKind::Keyword, 0)).collect();
    }
    let of_data = matches!(inside, Some(AstItem { kind: AstKind::Data { .. } | AstKind::Error(_), .. }))
        && statement_word(&before) == Some("data");
    if of_data {
        return of_declaration(&before, last, line);
    }
    let mut found = Vec::new();
    if let Some(call) = open_call(document, library, offset).filter(|_| matches!(last, "(" | ",")) {
        let list = call.about.lists.get(call.list).map(Vec::as_slice).unwrap_or_default();
        for parameter in list.iter().filter(|p| !call.given.contains(&p.name)) {
            let item = Item::new(format!("{}:", parameter.name), ItemKind::Parameter, 0);
            found.push(item.detail(&parameter.text).text(format!("{}: ", parameter.name)));
        }
    }
    if last == ":" && wants_type(&before) {
        return types();
    }
    if last == ":"
        && let Some(call) = open_call(document, library, offset)
        && let Some(ty) = argument_type(&call.about, call.list, call.named.as_deref())
    {
        found.extend(of_type(&ty));
    }
    let begins = line.is_empty() || last == "{" || line.ends_with(';');
    let train = matches!(inside, Some(AstItem { kind: AstKind::Train { .. }, .. }));
    if begins && train {
        found.extend(SETTINGS.iter().map(|name| {
            let doc = setting_doc(name).unwrap_or_default();
            Item::new(format!("{name}:"), ItemKind::Setting, 1).doc(doc).text(format!("{name}: "))
        }));
    }
    if begins {
        let of_train =
            ["minimize", "report", "every", "at", "stop", "start", "freeze", "evaluate", "checkpoint", "save"];
        let wanted =
            |word: &&&str| if train { **word != "param" && **word != "state" } else { !of_train.contains(*word) };
        found.extend(STATEMENT_WORDS.iter().filter(wanted).map(|word| Item::new(*word, ItemKind::Keyword, 3)));
    }
    found.extend(names(document, analysis, library, offset, last == "|>"));
    if last != "|>" {
        found.extend(DType::ALL.iter().map(|(_, name)| Item::new(*name, ItemKind::Type, 6)));
        found.extend(INNER.iter().map(|word| Item::new(*word, ItemKind::Keyword, 7)));
    }
    found
}

/// True inside of a text, a pattern or a comment, where nothing is offered.
fn in_words(text: &str, tokens: &[(u32, u32)], offset: u32) -> bool {
    let quoted = |s: &u32| matches!(text.as_bytes().get(*s as usize), Some(b'"' | b'`'));
    let inside = tokens.iter().any(|(start, end)| quoted(start) && *start < offset && offset < *end);
    let line = text[..offset as usize].rfind('\n').map_or(0, |i| i + 1) as u32;
    let comment = text[line as usize..offset as usize].match_indices("//").any(|(at, _)| {
        let at = line + at as u32;
        !tokens.iter().any(|(start, end)| *start <= at && at < *end)
    });
    inside || comment
}

/// The bracket that is open at the end of these tokens.
fn innermost(before: &[&str]) -> Option<usize> {
    let mut depth = 0usize;
    before.iter().enumerate().rev().find_map(|(at, word)| {
        match *word {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" if depth > 0 => depth -= 1,
            "(" | "[" | "{" => return Some(at),
            _ => {}
        }
        None
    })
}

/// The declaration's word that stands nearest before.
fn statement_word<'a>(before: &[&'a str]) -> Option<&'a str> {
    before.iter().rev().copied().find(|word| ITEM_WORDS.contains(word) && *word != "require")
}

/// `import std.lay|`, `import std.layers.{Den|`
fn imported(document: &Document, library: &Library, written: &str) -> Vec<Item> {
    let path = written.split(['{', ' ']).next().unwrap_or("").trim_end_matches('.');
    if written.contains('.') && (written.contains('{') || library.modules().contains(&path)) {
        let given: Vec<&str> = written.split(['{', ',', '}']).skip(1).map(str::trim).collect();
        let of = library.entries().iter().filter(|e| e.module == path && !given.contains(&e.name.as_str()));
        return of
            .map(|e| Item::new(&e.name, picture(e.about.kind), 0).detail(&e.about.head).doc(&e.about.doc))
            .collect();
    }
    let inner = written.starts_with("std.");
    let mut found: Vec<Item> = library
        .modules()
        .into_iter()
        .map(|module| {
            let label = if inner { module.trim_start_matches("std.") } else { module };
            Item::new(label, ItemKind::Module, 0)
        })
        .collect();
    if !inner {
        let others = document.sources.iter().filter(|(id, _)| *id != document.main);
        found.extend(others.map(|(_, f)| Item::new(f.name.trim_end_matches(".tfm"), ItemKind::Module, 0)));
    }
    found
}

/// `digits.|`, `encoded.|`
fn members(document: &Document, analysis: Option<&Analysis>, before: &[&str]) -> Vec<Item> {
    let Some(analysis) = analysis else { return Vec::new() };
    let base = before.last().copied().unwrap_or("");
    if let Some(data) = analysis.record.data.iter().find(|d| d.name == base) {
        let field = |text: &str| Item::new(text, ItemKind::Field, 0).detail(format!("a part of `{base}`"));
        return data.splits.iter().map(|split| field(split)).collect();
    }
    // A name whose value has named parts; the record may be of the text before the dot was written.
    let named = document.index.defs.iter().rev().filter(|d| d.name == base);
    let fields = named.filter_map(|def| analysis.record.at(def.span)).map(|seen| &seen.fields).find(|f| !f.is_empty());
    let other = || {
        let all = analysis
            .record
            .all()
            .filter(|(span, seen)| !seen.fields.is_empty() && analysis.sources.text(**span) == base);
        all.map(|(_, seen)| &seen.fields).next()
    };
    let fields = fields.or_else(other);
    fields.into_iter().flatten().map(|(name, ty)| Item::new(name, ItemKind::Field, 0).detail(ty)).collect()
}

/// In a data declaration: sources, kinds of columns, what is done to them.
fn of_declaration(before: &[&str], last: &str, line: &str) -> Vec<Item> {
    let forms = |all: &mut dyn Iterator<Item = &'static Form>| -> Vec<Item> { all.map(form).collect() };
    let open = innermost(before).map(|at| before[at]);
    match (open, last) {
        (None, "=") => SOURCES.iter().copied().flatten().map(|s| item_of(s.name, s.params, s.doc)).collect(),
        (None, "|>") => forms(&mut OPERATORS.iter()),
        (Some("{"), "|>") => forms(&mut TRANSFORMS.iter()),
        (Some("{"), ":") => forms(&mut COLUMNS.iter()),
        (Some("("), ":") if line.contains("tokens:") => forms(&mut TOKENS.iter()),
        (Some("("), "(" | ",") => {
            let at = innermost(before).unwrap_or(0);
            let name = at.checked_sub(1).map_or("", |i| before[i]);
            let params = source_about(name).map(|about| about.lists.concat()).unwrap_or_default();
            let item = |p: Parameter| {
                Item::new(format!("{}:", p.name), ItemKind::Parameter, 0).detail(p.text).text(format!("{}: ", p.name))
            };
            params.into_iter().map(item).collect()
        }
        _ => Vec::new(),
    }
}

fn form(form: &'static Form) -> Item {
    item_of(form.name, form.params, form.doc)
}

fn item_of(name: &str, params: &[Param], doc: &str) -> Item {
    Item::new(name, ItemKind::Function, 0).detail(signature(name, params)).doc(doc)
}

/// What a source, operator or kind of column says about itself.
pub(super) fn source_about(name: &str) -> Option<About> {
    let forms = OPERATORS.iter().chain(COLUMNS.iter()).chain(TRANSFORMS.iter()).chain(TOKENS.iter());
    let found = SOURCES
        .iter()
        .copied()
        .flatten()
        .map(|s| (s.name, s.params, s.doc))
        .chain(forms.map(|f| (f.name, f.params, f.doc)));
    let (name, params, doc) = found.into_iter().find(|(n, ..)| *n == name)?;
    let head = signature(name, params);
    let list = params.iter().map(|p| Parameter { name: p.name.into(), text: p.name.into() }).collect();
    Some(About { kind: "fn", head, lists: vec![list], doc: doc.into() })
}

/// True behind the `:` of a parameter, a `let` or a `param`.
fn wants_type(before: &[&str]) -> bool {
    let named = before.len().checked_sub(3).map_or("", |i| before[i]);
    if matches!(named, "let" | "param" | "state") {
        return true;
    }
    // The list of a declaration: `layer Name(` or `)(` behind one, with nothing but its own words in between.
    let Some(mut open) = innermost(before) else { return false };
    while open > 0 && before[open] == "(" && before[open - 1] == ")" {
        let mut depth = 0usize;
        let mut at = open - 1;
        loop {
            match before[at] {
                ")" => depth += 1,
                "(" => depth -= 1,
                _ => {}
            }
            if depth == 0 || at == 0 {
                break;
            }
            at -= 1;
        }
        open = at;
    }
    before[open] == "("
        && (open >= 2 && ITEM_WORDS.contains(&before[open - 2]) || open >= 1 && before[open - 1] == "fn")
}

fn types() -> Vec<Item> {
    let tensors = DType::ALL.iter().map(|(_, name)| *name).chain(["float", "int", "number", "any"]);
    let statics = ["string", "duration", "dtype", "fn", "layer", "optimizer", "schedule", "bool"];
    let tensor = |name: &str| Item::new(format!("{name}[]"), ItemKind::Type, 0).text(format!("{name}["));
    let tensors = tensors.map(tensor);
    tensors.chain(statics.into_iter().map(|name| Item::new(name, ItemKind::Type, 1))).collect()
}

/// The type that an argument is declared with, `dtype`, `bool`.
fn argument_type(about: &About, list: usize, named: Option<&str>) -> Option<String> {
    let parameter = about.lists.get(list)?.iter().find(|p| Some(p.name.as_str()) == named)?;
    let ty = parameter.text.split_once(": ")?.1;
    Some(ty.split(" = ").next().unwrap_or(ty).to_string())
}

/// What a value of a static type may be.
fn of_type(ty: &str) -> Vec<Item> {
    let words: Vec<&str> = match ty {
        "bool" => vec!["true", "false"],
        "dtype" => DType::ALL.iter().map(|(_, name)| *name).collect(),
        _ => Vec::new(),
    };
    words.into_iter().map(|word| Item::new(word, ItemKind::Keyword, 0)).collect()
}

fn picture(kind: &str) -> ItemKind {
    match kind {
        "layer" | "model" | "optimizer" => ItemKind::Class,
        "const" | "dim" | "data" | "train" => ItemKind::Variable,
        _ => ItemKind::Function,
    }
}

/// Names that can be seen, fields of the data, and what the library has, with its import.
fn names(document: &Document, analysis: Option<&Analysis>, library: &Library, offset: u32, applied: bool) -> Vec<Item> {
    let mut found: Vec<Item> = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    for def in document.index.seen_at(offset) {
        if known.contains(&def.name.as_str()) || def.name == "_" || def.kind == Kind::Column {
            continue;
        }
        known.push(&def.name);
        if def.kind == Kind::Import {
            let target = document.index.uses.iter().find(|u| u.span == def.span).map(|u| &u.target);
            let item = match target {
                Some(Target::Library(entry)) => {
                    let entry = library.get(*entry);
                    Item::new(&def.name, picture(entry.about.kind), 2).detail(&entry.about.head).doc(&entry.about.doc)
                }
                _ => Item::new(&def.name, ItemKind::Function, 2),
            };
            found.push(item);
            continue;
        }
        let kind = match def.kind {
            Kind::Item => picture(def.about.kind),
            Kind::Variable => ItemKind::Field,
            _ => ItemKind::Variable,
        };
        if applied && def.kind == Kind::Item && def.about.lists.is_empty() {
            continue;
        }
        let seen = analysis.and_then(|a| a.record.at(def.span)).map(|seen| seen.text.clone());
        let written = def.ty.map(|ty| document.sources.text(ty).to_string());
        let detail = seen.or(written).unwrap_or_else(|| def.about.head.clone());
        found.push(Item::new(&def.name, kind, 1).detail(detail).doc(&def.about.doc));
    }
    let train = document.file.items.iter().find(|item| item.span.start <= offset && offset <= item.span.end);
    if let (Some(AstItem { kind: AstKind::Train { data, .. }, .. }), Some(analysis)) = (train, analysis) {
        let words = document.sources.text(data.span);
        let of = words.split(['.', ' ', '|']).next().unwrap_or("");
        if let Some(spec) = analysis.record.data.iter().find(|d| d.name == of) {
            for field in spec.fields.iter().filter(|f| !known.contains(&f.name.as_str())) {
                found.push(Item::new(&field.name, ItemKind::Field, 1).detail(format!("{}, of `{of}`", field.ty)));
            }
        }
    }
    for entry in library
        .entries()
        .iter()
        .filter(|e| !known.contains(&e.name.as_str()) && e.about.kind != "primitive" || e.everywhere)
    {
        let item = Item::new(&entry.name, picture(entry.about.kind), if entry.everywhere { 4 } else { 5 });
        let mut item = item.detail(&entry.about.head).doc(&entry.about.doc);
        if !entry.everywhere {
            item.detail = format!("import {}: {}", entry.module, entry.about.head);
            item.also = Some(super::actions::import_edit(document, &entry.module, &entry.name));
        }
        found.push(item);
    }
    found
}
