//! The examples in the library's doc comments, `/// example: tanh([0, 1]) is [0, 0.76]`, as bodies that
//! can be run.

use super::elab::Elab;
use super::program::{Global, Program};
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::model::{Body, ValueId, Variable};
use crate::source::{FileId, Sources, Span};
use crate::types::{DType, TensorType};
use std::collections::HashMap;
use std::sync::Arc;

/// One example, written out. Numbers are f64.
pub struct Example {
    /// What it is an example of.
    pub name: String,
    /// `tanh([0, 1]) is [0, 0.76]`
    pub text: String,
    /// What its layers and metrics made; the body reads them by their places in this list.
    pub variables: Vec<Variable>,
    /// The operations, with `training` false; no inputs.
    pub body: Body,
    /// What the left side gives.
    pub got: ValueId,
    /// What the right side says.
    pub want: ValueId,
}

/// Every example of the library, or what is wrong with it.
pub fn examples(sources: &mut Sources, library: &[(&str, &str)]) -> Vec<Result<Example, (String, Diagnostic)>> {
    let mut diagnostics = Vec::new();
    let mut program = super::parse_library(sources, library, &mut diagnostics);
    let mut texts = Vec::new();
    for declared in program.all_callables() {
        for line in &declared.doc {
            if let Some(text) = line.trim().strip_prefix("example:") {
                texts.push((declared.file, declared.callable.name.text.clone(), text.trim().to_string()));
            }
        }
    }
    diagnostics.extend(program.late_errors());
    let mut out: Vec<Result<Example, (String, Diagnostic)>> =
        diagnostics.into_iter().map(|d| Err(("the library".into(), d))).collect();
    let views = views(sources, &mut program, texts.iter().map(|t| t.0));
    let mut parsed = Vec::new();
    for (file, name, text) in texts {
        let Some((left, right)) = text.split_once(" is ") else {
            let d = Diagnostic::error("E0101", Span::default(), "an example is `EXPRESSION is VALUE`");
            out.push(Err((name, d)));
            continue;
        };
        let sides: Result<Vec<_>, Diagnostic> = [left, right]
            .into_iter()
            .map(|side| {
                let id = sources.add(format!("example of {name}"), side, true);
                crate::syntax::parse_expression(sources, id)
            })
            .collect();
        match sides {
            Ok(sides) => parsed.push((views[&file], name, text, sides)),
            Err(d) => out.push(Err((name, d))),
        }
    }
    program.sources = sources.clone();
    let program = Arc::new(program);
    for (view, name, text, sides) in parsed {
        let mut e = Elab::new(program.clone());
        e.training = false;
        e.frame(None, Span::default(), Some(DType::F64));
        let mut env = Env::new(view);
        let left = e.eval(&mut env, &sides[0]).and_then(|v| e.tensor(&v, None, sides[0].span));
        let right = left.and_then(|got| {
            let dtype = e.ty(got).dtype;
            let v = e.eval(&mut env, &sides[1])?;
            e.tensor(&v, Some(dtype), sides[1].span)
        });
        match (left, right) {
            (Ok(got), Ok(want)) => {
                let mut body = std::mem::take(&mut e.body);
                e.finish_body(&mut body);
                let variables = std::mem::take(&mut e.variables);
                out.push(Ok(Example { name, text, variables, body, got, want }));
            }
            _ => {
                let d = e.diagnostics.into_iter().next();
                out.push(Err((
                    format!("{name}: {text}"),
                    d.unwrap_or_else(|| Diagnostic::error("E0600", Span::default(), "nothing was said")),
                )));
            }
        }
    }
    out
}

/// For each of these library files one that sees every name of the library, and its own before others'.
fn views(sources: &mut Sources, program: &mut Program, files: impl Iterator<Item = FileId>) -> HashMap<FileId, FileId> {
    let all: Vec<(String, Global)> = program.modules.values().flatten().map(|(n, g)| (n.clone(), *g)).collect();
    let mut views = HashMap::new();
    for file in files {
        views.entry(file).or_insert_with(|| {
            let view = sources.add("example", "", true);
            let own = program.scopes.get(&file).cloned().unwrap_or_default();
            let scope = program.scopes.entry(view).or_default();
            scope.extend(all.iter().map(|(n, g)| (n.clone(), (*g, Span::default()))));
            scope.extend(own);
            view
        });
    }
    views
}

impl Elab {
    /// `cosine(1.0)(6, 10)`: a schedule at a step, as the library's examples write it.
    pub fn schedule_example(&mut self, value: Value, args: &[Value], span: Span) -> super::elab::Res<Value> {
        let mut clock = Vec::new();
        for arg in args {
            clock.push(self.tensor(arg, Some(DType::F32), span)?);
        }
        while clock.len() < 2 {
            let ty = TensorType::new(DType::F32, []);
            clock.push(self.push(crate::model::Op::Constant(crate::model::Literal::Number(1.0)), Vec::new(), ty, span));
        }
        self.clock = Some((clock[0], clock[1]));
        self.schedule_now(value, span)
    }
}
