//! The examples in the library's doc comments, `/// example: tanh([0, 1]) is [0, 0.76]`, as bodies that
//! can be run.

use super::elab::Elab;
use super::program::Global;
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::model::{Body, ValueId, Variable};
use crate::source::{Sources, Span};
use crate::types::{DType, TensorType};
use std::sync::Arc;

/// One example, written out. Numbers are f64.
pub struct Example {
    /// What it is an example of.
    pub name: String,
    /// `tanh([0, 1]) is [0, 0.76]`
    pub text: String,
    /// The operations; no inputs.
    pub body: Body,
    /// What the body reads: the parameters of layers, the states of metrics.
    pub variables: Vec<Variable>,
    /// What the left side gives.
    pub got: ValueId,
    /// What the right side says.
    pub want: ValueId,
}

/// Every example of the library, or what is wrong with it.
pub fn examples(sources: &mut Sources, library: &[(&str, &str)]) -> Vec<Result<Example, (String, Diagnostic)>> {
    let mut diagnostics = Vec::new();
    let mut program = super::parse_library(sources, library, &mut diagnostics);
    let mut out: Vec<Result<Example, (String, Diagnostic)>> =
        diagnostics.into_iter().map(|d| Err(("the library".into(), d))).collect();
    let mut texts = Vec::new();
    for declared in &program.callables {
        for line in &declared.doc {
            if let Some(text) = line.trim().strip_prefix("example:") {
                texts.push((declared.callable.name.text.clone(), text.trim().to_string()));
            }
        }
    }
    // An example sees every name of the library.
    let everything = sources.add("example", "", true);
    let all: Vec<(String, Global)> = program.modules.values().flatten().map(|(n, g)| (n.clone(), *g)).collect();
    let scope = program.scopes.entry(everything).or_default();
    scope.extend(all.into_iter().map(|(n, g)| (n, (g, Span::default()))));
    let mut parsed = Vec::new();
    for (name, text) in texts {
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
            Ok(sides) => parsed.push((name, text, sides)),
            Err(d) => out.push(Err((name, d))),
        }
    }
    program.sources = sources.clone();
    let program = Arc::new(program);
    for (name, text, sides) in parsed {
        let mut e = Elab::new(program.clone());
        e.training = false;
        e.frame(None, Span::default(), Some(DType::F64));
        let mut env = Env::new(everything);
        let left = e.eval(&mut env, &sides[0]).and_then(|v| e.shown(v, sides[0].span));
        let right = left.and_then(|got| {
            let dtype = e.ty(got).dtype;
            let v = e.eval(&mut env, &sides[1])?;
            e.tensor(&v, Some(dtype), sides[1].span)
        });
        match (left, right) {
            (Ok(got), Ok(want)) => {
                let mut body = std::mem::take(&mut e.body);
                e.finish_body(&mut body);
                let mut variables = std::mem::take(&mut e.variables);
                for v in &mut variables {
                    e.finish_variable(v);
                }
                out.push(Ok(Example { name, text, body, variables, got, want }));
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

impl Elab {
    /// A value to be compared: a tensor, or a schedule or static value as one.
    fn shown(&mut self, value: Value, span: Span) -> super::elab::Res<ValueId> {
        self.tensor(&value, None, span)
    }

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
