//! The declarations of a file, of what it imports, and of the library, by name.

use super::value::CallableId;
use crate::diagnostic::Diagnostic;
use crate::model::DataSpec;
use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::{Callable, CallableKind, Expr, File, Item, ItemKind, Name};
use std::collections::{BTreeMap, HashMap};

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

/// Everything that names can mean.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    pub sources: Sources,
    pub callables: Vec<Declared>,
    pub constants: Vec<Constant>,
    /// `dim` declarations with their sizes, once evaluated.
    pub dims: Vec<(Constant, Option<i64>)>,
    pub data: Vec<DataSpec>,
    /// The names each file sees: its own, its module's, its imports.
    pub scopes: HashMap<FileId, BTreeMap<String, (Global, Span)>>,
    /// The names that every file sees.
    pub prelude: BTreeMap<String, Global>,
    /// The names of each module, `std.layers`.
    pub modules: BTreeMap<String, BTreeMap<String, Global>>,
    /// Modules that import themselves: what they lack was reported with the cycle.
    pub cyclic: Vec<String>,
}

/// The module of a library file: `layers/dense.tfm` and `losses.tfm` are `std.layers`, `std.losses`.
fn module_of(path: &str) -> String {
    format!("std.{}", path.split('/').next().unwrap_or(path).trim_end_matches(".tfm"))
}

/// The folders whose names are always in scope.
const PRELUDE: [&str; 3] = ["std.primitives", "std.functions", "std.init"];

impl Program {
    pub fn callable(&self, id: CallableId) -> &Declared {
        &self.callables[id.0 as usize]
    }

    /// The size of a `dim`, by name.
    pub fn dim_size(&self, name: &str) -> Option<i64> {
        self.dims.iter().find(|(d, _)| d.name.text == name).and_then(|(_, n)| *n)
    }

    /// What a name means in a file, after its local names.
    pub fn lookup(&self, file: FileId, name: &str) -> Option<Global> {
        let own = self.scopes.get(&file).and_then(|s| s.get(name)).map(|(g, _)| *g);
        own.or_else(|| self.prelude.get(name).copied())
    }

    /// Names that a file sees, for suggestions.
    pub fn visible(&self, file: FileId) -> impl Iterator<Item = &str> {
        let own = self.scopes.get(&file).into_iter().flat_map(|s| s.keys());
        own.chain(self.prelude.keys()).map(String::as_str)
    }

    /// Takes in the library's files, already parsed.
    pub fn add_library(&mut self, files: Vec<(String, File)>, diagnostics: &mut Vec<Diagnostic>) {
        let mut imports = Vec::new();
        let mut by_module: BTreeMap<String, Vec<FileId>> = BTreeMap::new();
        for (path, file) in files {
            let module = module_of(&path);
            by_module.entry(module.clone()).or_default().push(file.id);
            for item in file.items {
                if let ItemKind::Import { path, names } = item.kind {
                    imports.push((file.id, path, names));
                } else if let Some((name, global)) = self.declare(file.id, item) {
                    self.modules.entry(module.clone()).or_default().insert(name.text, global);
                }
            }
        }
        for (module, files) in by_module {
            let names = self.modules.get(&module).cloned().unwrap_or_default();
            if PRELUDE.contains(&module.as_str()) {
                self.prelude.extend(names.clone());
            }
            for file in files {
                let scope = self.scopes.entry(file).or_default();
                scope.extend(names.iter().map(|(n, g)| (n.clone(), (*g, Span::default()))));
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
                scope.extend(names.iter().map(|n| (n.text.clone(), (Global::Broken, n.span))));
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
        scope.insert(name.text.clone(), (global, name.span));
    }

    fn declare(&mut self, file: FileId, item: Item) -> Option<(Name, Global)> {
        match item.kind {
            ItemKind::Callable(callable) => {
                let name = callable.name.clone();
                self.callables.push(Declared { callable, file, doc: item.doc });
                Some((name, Global::Callable(CallableId(self.callables.len() as u32 - 1))))
            }
            ItemKind::Const(name, value) => {
                self.constants.push(Constant { name: name.clone(), value, file });
                Some((name, Global::Const(self.constants.len() as u32 - 1)))
            }
            ItemKind::Dim(name, value) => {
                self.dims.push((Constant { name: name.clone(), value, file }, None));
                Some((name, Global::Dim(self.dims.len() as u32 - 1)))
            }
            _ => None,
        }
    }

    /// Registers a data declaration's name; its specification comes later.
    pub fn declare_data(&mut self, file: FileId, name: &Name, index: usize, diagnostics: &mut Vec<Diagnostic>) {
        self.bind(file, name, Global::Data(index as u32), diagnostics);
    }

    /// Makes a name silent: its declaration has an error that was reported.
    pub fn break_name(&mut self, file: FileId, name: &str) {
        if let Some(entry) = self.scopes.get_mut(&file).and_then(|s| s.get_mut(name)) {
            entry.0 = Global::Broken;
        }
    }

    fn import(&mut self, file: FileId, path: &[Name], names: &[Name], diagnostics: &mut Vec<Diagnostic>) {
        let module: String = path.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".");
        let Some(exported) = self.modules.get(&module).cloned() else {
            let span = path.first().map_or(Span::default(), |n| n.span.to(path[path.len() - 1].span));
            let near = super::near(&module, self.modules.keys().map(String::as_str));
            let modules: Vec<&str> = self.modules.keys().map(String::as_str).filter(|m| !PRELUDE.contains(m)).collect();
            let mut d = Diagnostic::error("E0204", span, format!("there is no module `{module}`"))
                .note(format!("the modules are {}", modules.join(", ")));
            if let Some(near) = near {
                d = d.help(format!("did you mean `{near}`?")).fix("correct the name", span, near);
            }
            diagnostics.push(d);
            let scope = self.scopes.entry(file).or_default();
            scope.extend(names.iter().map(|n| (n.text.clone(), (Global::Broken, n.span))));
            return;
        };
        for name in names {
            match exported.get(&name.text) {
                Some(global) => self.bind(file, name, *global, diagnostics),
                None if self.cyclic.contains(&module) => {
                    self.scopes.entry(file).or_default().insert(name.text.clone(), (Global::Broken, name.span));
                }
                None => {
                    let mut d = Diagnostic::error("E0204", name.span, format!("`{module}` has no `{}`", name.text));
                    let elsewhere = self.modules.iter().find(|(_, names)| names.contains_key(&name.text));
                    if let Some(near) = super::near(&name.text, exported.keys().map(String::as_str)) {
                        d = d.help(format!("did you mean `{near}`?")).fix("correct the name", name.span, near);
                    } else if let Some((other, _)) = elsewhere {
                        d = d.help(if PRELUDE.contains(&other.as_str()) {
                            format!("`{}` is always in scope: leave out the import", name.text)
                        } else {
                            format!("`{}` is in `{other}`", name.text)
                        });
                    } else {
                        let all: Vec<&str> = exported.keys().map(String::as_str).collect();
                        d = d.note(format!("it has {}", all.join(", ")));
                    }
                    diagnostics.push(d);
                    self.scopes.entry(file).or_default().insert(name.text.clone(), (Global::Broken, name.span));
                }
            }
        }
    }

    /// The callables that a file of the user's declares, in the order of the text.
    pub fn declared_in(&self, file: FileId) -> Vec<CallableId> {
        (0..self.callables.len() as u32).map(CallableId).filter(|id| self.callable(*id).file == file).collect()
    }

    /// The primitive with this name.
    pub fn primitive(&self, name: &str) -> Option<CallableId> {
        match self.modules.get("std.primitives")?.get(name)? {
            Global::Callable(id) if self.callable(*id).callable.kind == CallableKind::Primitive => Some(*id),
            _ => None,
        }
    }
}
