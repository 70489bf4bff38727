//! The examples in doc comments, `/// example: tanh([0, 1]) is [0, 0.76]`, as tests; and all tests of the library.

use super::elab::Elab;
use super::program::{Declared, Global, Program};
use super::testing::{Claim, ClaimKind, Test, elaborate};
use super::value::Env;
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::Expr;
use crate::types::DType;
use crate::word::Word;
use std::collections::HashMap;
use std::sync::Arc;

/// Every example and every `test` of the library.
pub fn library_tests(sources: &mut Sources, library: &[(&str, &str)]) -> Vec<Test> {
    let mut diagnostics = Vec::new();
    let mut program = super::parse_library(sources, library, &mut diagnostics);
    let files: Vec<FileId> = sources.iter().filter(|(_, f)| f.library).map(|(id, _)| id).collect();
    let examples = parse_examples(sources, program.all_callables());
    let mut items = Vec::new();
    for late in files.iter().flat_map(|f| crate::syntax::late(sources, *f)).flatten().filter(|l| l.word() == "test") {
        let (item, found) = late.parse();
        diagnostics.extend(found);
        items.extend(super::test_of(item.span.file, &item));
    }
    diagnostics.extend(program.late_errors());
    let files = examples.iter().map(|e| e.file).chain(items.iter().map(|t| t.file)).collect::<Vec<_>>();
    let views = views(sources, &mut program, files.into_iter());
    program.sources = sources.clone();
    let program = Arc::new(program);
    let mut out: Vec<Test> = examples.into_iter().map(|e| e.elaborate(&program, views[&e.file])).collect();
    out.extend(items.iter().map(|item| elaborate(&program, item, views[&item.file])));
    if !diagnostics.is_empty() {
        let mut broken = Elab::new(program).into_test("the library".into(), Span::default(), None, Vec::new());
        broken.diagnostics = diagnostics;
        out.push(broken);
    }
    out
}

/// An example as parsed.
pub(super) struct ExampleItem {
    /// What it is an example of.
    name: String,
    text: String,
    /// Its place in the doc comment.
    span: Span,
    pub file: FileId,
    /// The file that the parser saw: the text of the first with all but the example blank, so that places are
    /// the same.
    seen: FileId,
    sides: Result<[Expr; 2], Diagnostic>,
}

/// The examples of these declarations. Adds a text for each.
pub(super) fn parse_examples<'a>(
    sources: &mut Sources,
    declared: impl Iterator<Item = &'a Declared>,
) -> Vec<ExampleItem> {
    let mut out = Vec::new();
    for d in declared {
        // Lines of a doc comment have no places of their own: the nearest such lines above the declaration.
        let mut below = d.callable.head.start as usize;
        let mut examples = Vec::new();
        for line in d.doc.iter().rev() {
            let Some(text) = line.trim().strip_prefix("example:").map(str::trim) else { continue };
            let before = sources.get(d.file).text.get(..below).unwrap_or("");
            let Some(start) = before.rfind(text) else { continue };
            below = start;
            examples.push((text.to_string(), start));
        }
        for (text, start) in examples.into_iter().rev() {
            let span = Span { file: d.file, start: start as u32, end: (start + text.len()) as u32 };
            let (seen, sides) = parse_sides(sources, &text, span);
            out.push(ExampleItem { name: d.callable.name.text.to_string(), text, span, file: d.file, seen, sides });
        }
    }
    out
}

fn parse_sides(sources: &mut Sources, text: &str, span: Span) -> (FileId, Result<[Expr; 2], Diagnostic>) {
    let Some((left, _)) = text.split_once(" is ") else {
        let d = Diagnostic::error("E0101", span, "an example is `EXPRESSION is VALUE`")
            .help("write `example: relu([-1, 2]) is [0, 2]`");
        return (span.file, Err(d));
    };
    let whole = sources.get(span.file).clone();
    let parts = [(0, left.len()), (left.len() + 4, text.len())];
    let sides = parts.map(|(from, to)| {
        let at = (span.start as usize + from)..(span.start as usize + to);
        let blank = |b: u8| if b == b'\n' { '\n' } else { ' ' };
        let mut seen: String = whole.text[..at.start].bytes().map(blank).collect();
        seen.push_str(&whole.text[at]);
        let id = sources.add(whole.name.clone(), seen, whole.library);
        (id, crate::syntax::parse_expression(sources, id))
    });
    let [(_, left), (seen, right)] = sides;
    (seen, left.and_then(|left| Ok([left, right?])))
}

impl ExampleItem {
    /// The example as a test, in f64; `view` is the file whose names it sees.
    pub(super) fn elaborate(&self, program: &Arc<Program>, view: FileId) -> Test {
        let mut e = Elab::for_test(program, self.span, Some(DType::F64));
        let mut claims = Vec::new();
        match &self.sides {
            Err(d) => e.diagnostics.push(d.clone()),
            Ok([left, right]) => {
                let mut env = Env::new(view);
                let got = e.eval(&mut env, left).and_then(|v| e.tensor(&v, None, left.span));
                let want = got.and_then(|got| {
                    let dtype = e.ty(got).dtype;
                    let v = e.eval(&mut env, right)?;
                    e.tensor(&v, Some(dtype), right.span)
                });
                if let (Ok(got), Ok(want)) = (got, want) {
                    claims.push(Claim { span: self.span, kind: ClaimKind::Close { got, want, tolerance: None } });
                }
            }
        }
        let mut test = e.into_test(self.name.clone(), self.span, Some(self.text.clone()), claims);
        for label in test.diagnostics.iter_mut().flat_map(|d| &mut d.labels) {
            if program.sources.get(label.span.file).name == program.sources.get(self.seen).name {
                label.span.file = self.file;
            }
        }
        test
    }
}

/// For each of these library files one that sees every name of the library, and its own before others'.
fn views(sources: &mut Sources, program: &mut Program, files: impl Iterator<Item = FileId>) -> HashMap<FileId, FileId> {
    let all: Vec<(Word, Global)> = program.modules.values().flatten().map(|(n, g)| (*n, *g)).collect();
    let mut views = HashMap::new();
    for file in files {
        views.entry(file).or_insert_with(|| {
            let view = sources.add("example", "", true);
            let own = program.scopes.get(&file).cloned().unwrap_or_default();
            let scope = program.scopes.entry(view).or_default();
            scope.extend(all.iter().map(|(n, g)| (*n, (*g, Span::default()))));
            scope.extend(own);
            view
        });
    }
    views
}
