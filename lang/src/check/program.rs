//! The declarations of a file, of what it imports, and of the library, by name.

use super::plain::Plain;
use super::value::CallableId;
use crate::diagnostic::Diagnostic;
use crate::model::DataSpec;
use crate::source::{FileId, Sources, Span};
use crate::syntax::Late;
use crate::syntax::ast::{Callable, CallableKind, Expr, File, Item, ItemKind, Name};
use crate::word::{Quick, Word, WordMap};
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What a global name stands for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Global {
    Callable(CallableId),
    Const(u32),
    Dim(u32),
    Data(u32),
    /// Declared in text that does not parse.
    Broken,
}

/// A `const` or `dim`.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub name: Name,
    pub value: Expr,
    pub file: FileId,
}

/// A callable with its file and its doc comment.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub callable: Callable,
    pub file: FileId,
    pub doc: Vec<String>,
}

/// A callable that is there, or that is parsed when it is first asked for.
#[derive(Clone, Debug)]
struct Entry {
    file: FileId,
    late: Option<Late>,
    declared: OnceLock<Declared>,
    /// For a primitive: whether it is elementwise.
    plain: OnceLock<Option<Plain>>,
}

/// Everything that names can mean.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub sources: Sources,
    callables: Vec<Entry>,
    /// What is wrong with the library's declarations that were parsed so far.
    late_errors: Arc<Mutex<Vec<Diagnostic>>>,
    pub constants: Vec<Constant>,
    /// `dim` declarations with their sizes, once evaluated.
    pub dims: Vec<(Constant, Option<i64>)>,
    pub data: Vec<DataSpec>,
    /// The names each file sees: its own, its module's, its imports.
    pub scopes: HashMap<FileId, WordMap<(Global, Span)>, BuildHasherDefault<Quick>>,
    /// The names that every file sees.
    pub prelude: WordMap<Global>,
    /// The declarations of `std.primitives`.
    primitives: WordMap<CallableId>,
    /// The names of each module, `std.layers`.
    pub modules: BTreeMap<String, BTreeMap<Word, Global>>,
    /// Modules that import themselves: what they lack was reported with the cycle.
    pub cyclic: Vec<String>,
}

/// The module of a library file: `layers/dense.tfm` and `losses/pairs.tfm` are in `std.layers`, `std.losses`.
pub(crate) fn module_of(path: &str) -> String {
    format!("std.{}", path.split('/').next().unwrap_or(path).trim_end_matches(".tfm"))
}

/// The folders whose names are always in scope.
pub(crate) const PRELUDE: [&str; 3] = ["std.primitives", "std.functions", "std.init"];

impl Program {
    pub fn callable(&self, id: CallableId) -> &Declared {
        let entry = &self.callables[id.0 as usize];
        entry.declared.get_or_init(|| {
            let (item, found) = entry.late.as_ref().expect("what was not parsed at once is late").parse();
            self.late_errors.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
            let callable = match item.kind {
                ItemKind::Callable(callable) => callable,
                _ => nothing(item.span),
            };
            Declared { callable, file: entry.file, doc: item.doc }
        })
    }

    /// An elementwise primitive's inputs and result.
    pub fn plain(&self, id: CallableId) -> Option<&Plain> {
        self.callables[id.0 as usize].plain.get_or_init(|| Plain::of(&self.callable(id).callable)).as_ref()
    }

    /// Every callable, of the library too.
    pub fn all_callables(&self) -> impl Iterator<Item = &Declared> {
        (0..self.callables.len() as u32).map(|i| self.callable(CallableId(i)))
    }

    /// What was found wrong in the library since this was last asked.
    pub fn late_errors(&self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.late_errors.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The size of a `dim`, by name.
    pub fn dim_size(&self, name: &str) -> Option<i64> {
        self.dims.iter().find(|(d, _)| d.name.text == name).and_then(|(_, n)| *n)
    }

    /// What a name means in a file, after its local names.
    pub fn lookup(&self, file: FileId, name: impl Into<Word>) -> Option<Global> {
        let name = name.into();
        let own = self.scopes.get(&file).and_then(|s| s.get(&name)).map(|(g, _)| *g);
        own.or_else(|| self.prelude.get(&name).copied())
    }

    /// Names that a file sees, for suggestions.
    pub fn visible(&self, file: FileId) -> impl Iterator<Item = &str> + '_ {
        let own = self.scopes.get(&file).into_iter().flat_map(|s| s.keys());
        own.chain(self.prelude.keys()).map(|name| &**name)
    }

    /// Takes in the library's files. A callable of theirs is parsed when it is first asked for.
    pub fn add_library(&mut self, files: Vec<(&str, FileId, Vec<Late>)>, diagnostics: &mut Vec<Diagnostic>) {
        let mut imports = Vec::new();
        let mut by_module: BTreeMap<String, Vec<FileId>> = BTreeMap::new();
        for (path, file, declarations) in files {
            let module = module_of(path);
            by_module.entry(module.clone()).or_default().push(file);
            let names = self.modules.entry(module).or_default();
            for late in declarations {
                match late.word() {
                    "test" => continue,
                    "import" | "const" | "dim" => {}
                    _ => {
                        let name = late.name().unwrap_or_default();
                        names.insert(name.into(), Global::Callable(CallableId(self.callables.len() as u32)));
                        self.callables.push(Entry {
                            file,
                            late: Some(late),
                            declared: OnceLock::new(),
                            plain: OnceLock::new(),
                        });
                        continue;
                    }
                }
                let (item, found) = late.parse();
                diagnostics.extend(found);
                match item.kind {
                    ItemKind::Import { path, names } => imports.push((file, path, names)),
                    kind => {
                        let declared = declare(&mut self.constants, &mut self.dims, file, kind);
                        names.extend(declared.map(|(name, global)| (name.text, global)));
                    }
                }
            }
        }
        for (module, files) in by_module {
            let names = self.modules.get(&module).cloned().unwrap_or_default();
            if module == PRELUDE[0] {
                let callable = |(name, global): (&Word, &Global)| match global {
                    Global::Callable(id) => Some((*name, *id)),
                    _ => None,
                };
                self.primitives.extend(names.iter().filter_map(callable));
            }
            if PRELUDE.contains(&module.as_str()) {
                self.prelude.extend(names.clone());
            }
            for file in files {
                let scope = self.scopes.entry(file).or_default();
                scope.extend(names.iter().map(|(n, g)| (*n, (*g, Span::default()))));
            }
        }
        for (file, path, names) in imports {
            self.import(file, &path, &names, diagnostics);
        }
    }

    /// Takes in a file of the user's under a module name (empty for the main file).
    pub fn add_file(&mut self, file: File, module: &str, diagnostics: &mut Vec<Diagnostic>) {
        let id = file.id;
        let mut imports = Vec::new();
        self.scopes.entry(id).or_default();
        for item in file.items {
            if let ItemKind::Import { path, names } = item.kind {
                imports.push((path, names));
                continue;
            }
            if let ItemKind::Error(names) = &item.kind {
                let scope = self.scopes.entry(id).or_default();
                scope.extend(names.iter().map(|n| (n.text, (Global::Broken, n.span))));
                continue;
            }
            let Some((name, global)) = self.declare(id, item) else { continue };
            self.bind(id, &name, global, diagnostics);
            if !module.is_empty() {
                self.modules.entry(module.into()).or_default().insert(name.text, global);
            }
        }
        for (path, names) in imports {
            self.import(id, &path, &names, diagnostics);
        }
    }

    fn bind(&mut self, file: FileId, name: &Name, global: Global, diagnostics: &mut Vec<Diagnostic>) {
        let scope = self.scopes.entry(file).or_default();
        if let Some((_, first)) = scope.get(&name.text) {
            diagnostics.push(
                Diagnostic::error("E0203", name.span, format!("`{}` is declared twice", name.text))
                    .says("again here")
                    .label(*first, "first here")
                    .help("give one of them another name"),
            );
            return;
        }
        scope.insert(name.text, (global, name.span));
    }

    fn declare(&mut self, file: FileId, item: Item) -> Option<(Name, Global)> {
        let ItemKind::Callable(callable) = item.kind else {
            return declare(&mut self.constants, &mut self.dims, file, item.kind);
        };
        let name = callable.name.clone();
        let declared = OnceLock::from(Declared { callable, file, doc: item.doc });
        self.callables.push(Entry { file, late: None, declared, plain: OnceLock::new() });
        Some((name, Global::Callable(CallableId(self.callables.len() as u32 - 1))))
    }

    /// Registers a data declaration's name; its specification comes later.
    pub fn declare_data(&mut self, file: FileId, name: &Name, index: usize, diagnostics: &mut Vec<Diagnostic>) {
        self.bind(file, name, Global::Data(index as u32), diagnostics);
    }

    /// Makes a name silent: its declaration has an error that was reported.
    pub fn break_name(&mut self, file: FileId, name: Word) {
        if let Some(entry) = self.scopes.get_mut(&file).and_then(|s| s.get_mut(&name)) {
            entry.0 = Global::Broken;
        }
    }

    fn import(&mut self, file: FileId, path: &[Name], names: &[Name], diagnostics: &mut Vec<Diagnostic>) {
        let module: String = path.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".");
        let silent = |scope: &mut WordMap<(Global, Span)>| {
            for name in names {
                scope.entry(name.text).or_insert((Global::Broken, name.span));
            }
        };
        // What a cycle keeps from being known was reported with it.
        if self.cyclic.contains(&module) {
            return silent(self.scopes.entry(file).or_default());
        }
        let Some(exported) = self.modules.get(&module).cloned().filter(|_| !names.is_empty()) else {
            let d = self.no_module(path, names, &module);
            diagnostics.push(d);
            return silent(self.scopes.entry(file).or_default());
        };
        for name in names {
            match exported.get(&name.text) {
                Some(global) => self.bind(file, name, *global, diagnostics),
                None => {
                    let mut d = Diagnostic::error("E0204", name.span, format!("`{module}` has no `{}`", name.text));
                    let elsewhere = self.modules.iter().find(|(_, names)| names.contains_key(&name.text));
                    let theirs = super::foreign::name(self, file, &name.text)
                        .filter(|(h, _)| exported.contains_key(&Word::new(h)));
                    if let Some((here, _)) = theirs {
                        d = d.help(format!("it is called `{here}` here")).fix("write its name here", name.span, here);
                    } else if let Some(near) = super::near(&name.text, exported.keys().map(Word::as_str)) {
                        d = d.help(format!("did you mean `{near}`?")).fix("correct the name", name.span, near);
                    } else if let Some((other, _)) = elsewhere {
                        d = d.help(if PRELUDE.contains(&other.as_str()) {
                            format!("`{}` is always in scope: leave out the import", name.text)
                        } else {
                            format!("`{}` is in `{other}`", name.text)
                        });
                    } else {
                        let all: Vec<&str> = exported.keys().map(Word::as_str).collect();
                        d = d.note(format!("it has {}", all.join(", ")));
                    }
                    diagnostics.push(d);
                    self.scopes.entry(file).or_default().insert(name.text, (Global::Broken, name.span));
                }
            }
        }
    }

    /// An import of a module that is not there, or of a whole module.
    fn no_module(&self, path: &[Name], names: &[Name], module: &str) -> Diagnostic {
        let last = names.last().or(path.last()).map_or(Span::default(), |n| n.span);
        let span = path.first().map_or(last, |n| n.span.to(path[path.len() - 1].span));
        let whole = match names {
            [] => module.to_string(),
            [one] => format!("{module}.{}", one.text),
            _ => String::new(),
        };
        if let Some(inner) = self.modules.get(&whole) {
            let some: Vec<&str> = inner.keys().map(Word::as_str).take(2).collect();
            return Diagnostic::error("E0204", span.to(last), "this import does not say which names it brings")
                .says(format!("`{whole}` is a module"))
                .help(format!("write `import {whole}.{{{}, …}}`", some.join(", ")));
        }
        let near = super::near(module, self.modules.keys().map(String::as_str));
        let modules: Vec<&str> = self.modules.keys().map(String::as_str).filter(|m| !PRELUDE.contains(m)).collect();
        let d = Diagnostic::error("E0204", span, format!("there is no module `{module}`"))
            .note(format!("the modules are {}", modules.join(", ")));
        match near {
            Some(near) => d.help(format!("did you mean `{near}`?")).fix("correct the name", span, near),
            None if path.first().is_some_and(|n| n.text == "std") => d,
            None => d.help(format!("a file beside this one would be `{}.tfm`", module.replace('.', "/"))),
        }
    }

    /// The callables that a file of the user's declares, in the order of the text.
    pub fn declared_in(&self, file: FileId) -> Vec<CallableId> {
        (0..self.callables.len() as u32)
            .map(CallableId)
            .filter(|id| self.callables[id.0 as usize].file == file)
            .collect()
    }

    /// The primitive with this name.
    pub fn primitive(&self, name: impl Into<Word>) -> Option<CallableId> {
        let id = *self.primitives.get(&name.into())?;
        (self.callable(id).callable.kind == CallableKind::Primitive).then_some(id)
    }
}

/// A `const` or a `dim`.
fn declare(
    constants: &mut Vec<Constant>,
    dims: &mut Vec<(Constant, Option<i64>)>,
    file: FileId,
    kind: ItemKind,
) -> Option<(Name, Global)> {
    match kind {
        ItemKind::Const(name, value) => {
            constants.push(Constant { name: name.clone(), value, file });
            Some((name, Global::Const(constants.len() as u32 - 1)))
        }
        ItemKind::Dim(name, value) => {
            dims.push((Constant { name: name.clone(), value, file }, None));
            Some((name, Global::Dim(dims.len() as u32 - 1)))
        }
        _ => None,
    }
}

/// In the place of a declaration of the library that does not parse: a function without a body.
fn nothing(span: Span) -> Callable {
    Callable {
        kind: CallableKind::Function,
        name: Name { text: Word::default(), span },
        statics: None,
        inputs: Vec::new(),
        result: None,
        body: None,
        grad: None,
        condition: None,
        head: span,
    }
}
