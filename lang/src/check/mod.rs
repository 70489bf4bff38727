//! From syntax trees to the [`Model`]: names, types, shapes.
//!
//! The checker is an evaluator: static values are computed, tensors are symbolic, and every
//! application is evaluated with its actual arguments. **Invariant:** a body that was written out
//! without a diagnostic has no shape error for any batch size.
//!
//! `program` knows names; `expr`, `apply`, `operators`, `index`, `einops`, `builtins` evaluate;
//! `signature` and `rules` bind shapes; `state` and `update` keep variables; `data` and `train` read
//! the declarations of an experiment.

mod apply;
mod builtins;
mod compare;
mod data;
mod devices;
mod einops;
mod elab;
mod examples;
mod expr;
mod foreign;
mod generic;
mod glance;
mod gradients;
mod history;
mod hold;
mod index;
mod instances;
mod operators;
mod order;
mod periodic;
mod plain;
mod primitives;
mod program;
pub mod record;
mod rest_errors;
mod rule;
mod rules;
mod scan;
mod schedules;
mod second;
mod settings;
mod shape_errors;
mod shape_help;
mod shapes;
mod signature;
pub mod sources;
mod state;
mod statements;
mod targets;
pub mod testing;
pub mod trace;
mod train;
mod unknown;
mod update;
mod value;
pub mod why;
mod windows;
mod words;
mod written;

pub(crate) use builtins::docs as builtin_docs;
pub use examples::library_tests;
pub(crate) use program::{PRELUDE, module_of};
pub(crate) use settings::{SETTINGS, setting_doc};
pub use words::near;

use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{DataSpec, Instance, Model};
use crate::source::{FileId, Sources};
use crate::syntax::ast::{Block, Callable, CallableKind, Column, Expr, File, Item, ItemKind, Name, StringLit};
use elab::Elab;
use program::Program;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use testing::{Test, TestItem};
use train::TrainItem;
use words::{list_words, snake_case, stable_hash};

/// The symbol for the number of steps in an epoch, known when the data is opened.
pub const STEPS_PER_EPOCH: &str = "steps_per_epoch";

/// What the caller decides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--set name=value`: a `const` of the file or a setting of `train`, with the text of its value.
    pub overrides: Vec<(String, String)>,
    /// Also evaluates `test` declarations and the examples in doc comments.
    pub tests: bool,
    /// Keep every named value with the history of its dimensions, for [`why`].
    pub why: bool,
    /// Keep what was applied to what, for [`crate::lint`].
    pub trace: bool,
    /// Keep what every expression of the user's files is worth, for an editor.
    pub record: bool,
}

/// The result of a check: a model when there is no error.
pub struct Checked {
    /// The checked file.
    pub model: Option<Model>,
    /// What was found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Every file that was read, the main one first; what watch mode watches.
    pub files: Vec<FileId>,
    /// The tests and examples of the main file, where they were asked for. What is wrong with a `test` is among the
    /// diagnostics too, but not what is wrong with an example.
    pub tests: Vec<Test>,
    /// The named values of the file, where [`Options::why`] asks for them.
    pub known: Vec<why::Known>,
    /// What was applied to what, where [`Options::trace`] asks for it.
    pub trace: trace::Trace,
    /// What expressions are worth, where [`Options::record`] asks for it.
    pub record: Option<Box<record::Record>>,
}

/// A `data` declaration as parsed.
struct DataItem {
    file: FileId,
    name: Name,
    source: Expr,
    columns: Vec<Column>,
    operators: Vec<Expr>,
}

/// The parts of a file that are not names.
#[derive(Default)]
struct Parts {
    data: Vec<DataItem>,
    trains: Vec<(FileId, Name, Expr, Block)>,
    requires: Vec<(FileId, Expr, Option<StringLit>)>,
    tests: Vec<TestItem>,
}

/// Checks the file `main` with the library and what it imports. `load` reads a file beside it by
/// its relative path.
pub fn check(
    sources: &mut Sources,
    library: &[(&str, &str)],
    main: FileId,
    load: &mut dyn FnMut(&str) -> Option<String>,
    options: &Options,
) -> Checked {
    let mut diagnostics = Vec::new();
    let mut program = parse_library(sources, library, &mut diagnostics);
    let mut loader = Loader { load, loaded: BTreeMap::new(), files: vec![main], parts: Parts::default() };
    let name = &sources.get(main).name;
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name).trim_end_matches(".tfm").to_string();
    loader.file(sources, &mut program, (main, ""), &mut vec![name], &mut diagnostics);
    let Loader { files, parts, .. } = loader;
    let overrides = apply_overrides(sources, &mut program, main, options, &mut diagnostics);
    let examples = match options.tests {
        true => examples::parse_examples(sources, program.declared_in(main).into_iter().map(|id| program.callable(id))),
        false => Vec::new(),
    };
    program.sources = sources.clone();
    let mut optimizers = Vec::new();
    for (i, item) in parts.data.iter().enumerate() {
        program.declare_data(item.file, &item.name, i, &mut diagnostics);
    }
    evaluate_dims(&mut program, &mut diagnostics);
    evaluate_data(&mut program, &parts, &mut diagnostics);
    let program = Arc::new(program);
    let mut e = Elab::new(program.clone());
    e.keep_names = options.why;
    e.keep_trace = options.trace;
    e.record = options.record.then(Box::default);
    e.diagnostics = diagnostics;
    for (file, condition, text) in &parts.requires {
        let _ = e.require_at(*file, condition, text.as_ref().map(|t| t.text.as_str()));
    }
    for c in program.constants.iter().filter(|c| !program.sources.get(c.file).library) {
        let _ = e.eval_static(c.file, &c.value);
    }
    let (mut trains, mut right) = (Vec::new(), HashSet::new());
    for (file, name, data, body) in &parts.trains {
        let item = TrainItem { file: *file, name, data, body };
        e.block = name.text.to_string();
        if let Ok(train) = e.train(&item, &overrides, &mut optimizers) {
            e.check_updates(&train, &optimizers, &mut right);
            trains.push(train);
        }
    }
    // What is checked by itself is in no `train` block.
    let instances = instances::once(std::mem::take(&mut e.instances));
    e.check_by_itself(&files);
    let known = if options.why { all_known(&mut e, &files) } else { Vec::new() };
    let trace = match options.trace {
        true => trace::Trace { alone: alone(&mut e, &files), trains: std::mem::take(&mut e.traced) },
        false => trace::Trace::default(),
    };
    let mut tests: Vec<Test> = examples.iter().map(|x| x.elaborate(&program, x.file)).collect();
    if options.tests {
        let own = parts.tests.iter().filter(|t| t.file == main);
        tests.extend(own.map(|item| testing::elaborate(&program, item, main)));
    }
    let mut diagnostics = std::mem::take(&mut e.diagnostics);
    for d in tests.iter().filter(|t| t.example.is_none()).flat_map(|t| &t.diagnostics) {
        if !diagnostics.iter().any(|o| o.span() == d.span() && o.code == d.code) {
            diagnostics.push(d.clone());
        }
    }
    diagnostics.extend(e.program.late_errors());
    let mut record = e.record.take();
    if let Some(record) = &mut record {
        record.end(&e.history);
        record.data = e.program.data.clone();
    }
    diagnostics.sort_by_key(|d| (d.span().file, d.span().start));
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    let model = (!failed).then(|| finish(e, trains, optimizers, instances));
    Checked { model, diagnostics, files, tests, known, trace, record }
}

/// The models that no training applies, each by itself.
fn alone(e: &mut Elab, files: &[FileId]) -> Vec<trace::Alone> {
    let program = e.program.clone();
    let is_model = |id: &value::CallableId| program.callable(*id).callable.kind == CallableKind::Model;
    let models: Vec<_> = files.iter().flat_map(|f| program.declared_in(*f)).filter(is_model).collect();
    let applied = |e: &Elab, id: &value::CallableId| {
        let name = &program.callable(*id).callable.name.text;
        let mut all = e.traced.iter().flat_map(|t| &t.training);
        all.any(|a| a.kind == CallableKind::Model && *a.name == **name)
    };
    let mut out = Vec::new();
    for id in models {
        if applied(e, &id) || e.exhausted() {
            continue;
        }
        let mut alone = e.attempt(id, 2);
        let Some(outputs) = alone.applications.last().map(|a| a.results.clone()) else { continue };
        let mut body = std::mem::take(&mut alone.body);
        e.finish_body(&mut body);
        let mut variables = std::mem::take(&mut alone.variables);
        variables.iter_mut().for_each(|v| e.finish_variable(v));
        let applications = std::mem::take(&mut alone.applications);
        out.push(trace::Alone { body, variables, applications, outputs });
    }
    out
}

/// The named values of the trainings, and of the models that none of them applies.
fn all_known(e: &mut Elab, files: &[FileId]) -> Vec<why::Known> {
    let mut known = e.known();
    let program = e.program.clone();
    let is_model = |id: &value::CallableId| program.callable(*id).callable.kind == CallableKind::Model;
    for id in files.iter().flat_map(|f| program.declared_in(*f)).filter(is_model) {
        for value in e.attempt(id, 2).known() {
            if !known.iter().any(|k| k.path == value.path) {
                known.push(value);
            }
        }
    }
    known
}

fn finish(
    mut e: Elab,
    mut trains: Vec<crate::model::Train>,
    optimizers: Vec<value::Value>,
    instances: Vec<Instance>,
) -> Model {
    for train in &mut trains {
        for body in [&mut train.training.body, &mut train.evaluation.body] {
            e.finish_body(body);
        }
    }
    let mut variables = std::mem::take(&mut e.variables);
    for v in &mut variables {
        e.finish_variable(v);
    }
    let rules = update::Library { program: e.program.clone(), optimizers };
    Model { variables, instances, data: e.program.data.clone(), trains, rules: Arc::new(rules) }
}

fn parse_library(sources: &mut Sources, library: &[(&str, &str)], diagnostics: &mut Vec<Diagnostic>) -> Program {
    let mut files = Vec::new();
    for (path, text) in library {
        let id = sources.add(format!("std/{path}"), *text, true);
        match crate::syntax::late(sources, id) {
            Some(declarations) => files.push((*path, id, declarations)),
            None => diagnostics.extend(crate::syntax::parse(sources, id).1),
        }
    }
    let mut program = Program::default();
    program.add_library(files, diagnostics);
    program
}

fn test_of(file: FileId, item: &Item) -> Option<TestItem> {
    match &item.kind {
        ItemKind::Test(title, block) => Some(TestItem { file, title: title.clone(), block: block.clone() }),
        _ => None,
    }
}

/// Says of each `primitive` of a user's file that it has no kernel; its name stays silent.
fn refuse_primitives(file: &mut File, diagnostics: &mut Vec<Diagnostic>) {
    for item in &mut file.items {
        let ItemKind::Callable(Callable { kind: CallableKind::Primitive, name, head, .. }) = &item.kind else {
            continue;
        };
        let d = Diagnostic::error("E0210", *head, format!("`{}` would need a kernel in the runtime", name.text))
            .says("primitives are declared in the library only")
            .help("write `fn` and a body of operations that there are; `grad { … }` after it gives it a gradient of its own");
        diagnostics.push(d);
        item.kind = ItemKind::Error(vec![name.clone()]);
    }
}

/// Reads files as they are imported, each once, refusing cycles.
struct Loader<'a> {
    load: &'a mut dyn FnMut(&str) -> Option<String>,
    /// Modules that were read, by name.
    loaded: BTreeMap<String, FileId>,
    files: Vec<FileId>,
    parts: Parts,
}

impl Loader<'_> {
    fn file(
        &mut self,
        sources: &mut Sources,
        program: &mut Program,
        (id, module): (FileId, &str),
        above: &mut Vec<String>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let (mut file, found) = crate::syntax::parse(sources, id);
        diagnostics.extend(found);
        refuse_primitives(&mut file, diagnostics);
        for item in &file.items {
            if let ItemKind::Import { path, .. } = &item.kind {
                self.import(sources, program, path, above, diagnostics);
            }
        }
        self.keep_parts(&file);
        program.add_file(file, module, diagnostics);
    }

    fn import(
        &mut self,
        sources: &mut Sources,
        program: &mut Program,
        path: &[Name],
        above: &mut Vec<String>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let Some(first) = path.first() else { return };
        if first.text == "std" {
            return;
        }
        let module = path.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".");
        let span = first.span.to(path[path.len() - 1].span);
        if let Some(first) = above.iter().position(|m| *m == module) {
            let d = Diagnostic::error("E0205", span, format!("`{module}` imports itself"))
                .note(format!("{} -> {module}", above[first..].join(" -> ")));
            diagnostics.push(d.help("move what both need into a third file"));
            program.cyclic.extend(above[first..].iter().cloned());
            return;
        }
        if self.loaded.contains_key(&module) {
            return;
        }
        let name = format!("{}.tfm", module.replace('.', "/"));
        let Some(text) = (self.load)(&name) else { return };
        let id = sources.add(name, text, false);
        self.loaded.insert(module.clone(), id);
        self.files.push(id);
        program.modules.entry(module.clone()).or_default();
        above.push(module.clone());
        self.file(sources, program, (id, &module), above, diagnostics);
        above.pop();
    }

    fn keep_parts(&mut self, file: &File) {
        self.parts.tests.extend(file.items.iter().filter_map(|item| test_of(file.id, item)));
        for item in &file.items {
            match &item.kind {
                ItemKind::Data { name, source, columns, operators } => self.parts.data.push(DataItem {
                    file: file.id,
                    name: name.clone(),
                    source: source.clone(),
                    columns: columns.clone(),
                    operators: operators.clone(),
                }),
                ItemKind::Train { name, data, body } => {
                    self.parts.trains.push((file.id, name.clone(), data.clone(), body.clone()))
                }
                ItemKind::Require(e, text) => self.parts.requires.push((file.id, e.clone(), text.clone())),
                _ => {}
            }
        }
    }
}

/// `--set name=value`: constants change here, settings are handed on to `train`.
fn apply_overrides(
    sources: &mut Sources,
    program: &mut Program,
    main: FileId,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> settings::Given {
    let mut given = settings::Given::new();
    for (name, text) in &options.overrides {
        let id = sources.add(format!("--set {name}"), text.clone(), false);
        let e = match crate::syntax::parse_expression(sources, id) {
            Ok(e) => e,
            Err(d) => {
                diagnostics.push(d);
                continue;
            }
        };
        let constant = program.constants.iter_mut().find(|c| c.file == main && c.name.text == *name);
        let dim = program.dims.iter_mut().map(|(c, _)| c).find(|c| c.file == main && c.name.text == *name);
        if let Some(c) = constant.or(dim) {
            c.value = e;
            c.file = main;
        } else if settings::is_setting(name) {
            let span = e.span;
            given.insert(name.clone(), (e, main, span));
        } else {
            let known: Vec<&str> =
                program.constants.iter().filter(|c| c.file == main).map(|c| c.name.text.as_str()).collect();
            let mut d = Diagnostic::error(
                "E0602",
                e.span,
                format!("`--set {name}`: the file has no `const` and `train` no setting of this name"),
            );
            d = match near(name, known.iter().copied().chain(settings::SETTINGS)) {
                Some(near) => d.help(format!("did you mean `{near}`?")),
                None => d.help(format!("the constants are {}", list_words(&known))),
            };
            diagnostics.push(d);
        }
    }
    given
}

/// Runs `f` with an elaborator over the program as it is so far.
fn with_elab<T>(program: &mut Program, diagnostics: &mut Vec<Diagnostic>, f: impl FnOnce(&mut Elab) -> T) -> T {
    let shared = Arc::new(std::mem::take(program));
    let mut e = Elab::new(shared.clone());
    e.diagnostics = std::mem::take(diagnostics);
    let result = f(&mut e);
    *diagnostics = std::mem::take(&mut e.diagnostics);
    drop(e);
    *program = Arc::try_unwrap(shared).unwrap_or_else(|shared| (*shared).clone());
    result
}

fn evaluate_dims(program: &mut Program, diagnostics: &mut Vec<Diagnostic>) {
    for i in 0..program.dims.len() {
        let dim = program.dims[i].0.clone();
        let size = with_elab(program, diagnostics, |e| {
            let value = e.eval_static(dim.file, &dim.value).ok()?;
            let n = e.whole(&value, dim.value.span).ok()?;
            if n < 1 {
                let _ =
                    e.error::<()>("E0310", dim.value.span, format!("a size is at least 1, `{}` is {n}", dim.name.text));
                return None;
            }
            if n > 1 << 50 {
                let _ = e.error::<()>("E0111", dim.value.span, format!("no axis has {n} elements"));
                return None;
            }
            Some(n)
        });
        program.dims[i].1 = size;
    }
}

/// Reads the data declarations; those that fail have a schema of nothing, and their names stay silent.
fn evaluate_data(program: &mut Program, parts: &Parts, diagnostics: &mut Vec<Diagnostic>) {
    for item in &parts.data {
        let spec = with_elab(program, diagnostics, |e| {
            e.data_spec(item.file, &item.name, &item.source, &item.columns, &item.operators)
        });
        if spec.is_err() {
            program.break_name(item.file, item.name.text);
        }
        program.data.push(spec.unwrap_or_else(|_| DataSpec {
            name: item.name.text.to_string(),
            source: String::new(),
            args: Vec::new(),
            columns: Vec::new(),
            operators: Vec::new(),
            fields: Vec::new(),
            splits: Vec::new(),
            zipped: Vec::new(),
            span: item.name.span,
        }));
    }
}
