//! What was applied to what while a file was written out: kept for lints, which want to know that a value is what
//! `Dense` gave or what `cross_entropy` was given, where a body of primitives only has their parts.

use super::elab::Elab;
use super::signature::Signature;
use super::value::{Bound, CallableId, Value};
use crate::dim::Dim;
use crate::model::{Body, ValueId, Variable, Word};
use crate::source::Span;
use crate::syntax::ast::{Callable, CallableKind, Unit};
use std::ops::Range;

/// A static value that something was given.
#[derive(Clone, Debug)]
pub enum Given {
    /// A number that may have a fraction.
    Number(f64),
    /// A size or another whole number.
    Size(Dim),
    /// A truth.
    Bool(bool),
    /// A length of the run.
    Duration(f64, Unit),
    /// A list.
    List(Vec<Given>),
    /// A declaration by its name: `relu`, `mean`.
    Named(Word),
    /// A layer, optimizer or schedule with its first list.
    Made(Made),
    /// Something that no lint looks at.
    Other,
}

/// A layer, optimizer or schedule with its first list.
#[derive(Clone, Debug)]
pub struct Made {
    /// The declaration's name.
    pub name: Word,
    /// True for one of the library.
    pub library: bool,
    /// Its first list, defaults filled in.
    pub statics: Vec<(Word, Given)>,
    /// Where it was made.
    pub span: Span,
}

/// One application of a declaration.
#[derive(Clone, Debug)]
pub struct Application {
    /// The declaration's name.
    pub name: Word,
    /// What it is.
    pub kind: CallableKind,
    /// True for one of the library.
    pub library: bool,
    /// The innermost place in the user's text that led to it.
    pub span: Span,
    /// The path of the instance, for a layer or a model.
    pub path: Word,
    /// Static arguments, defaults filled in.
    pub statics: Vec<(Word, Given)>,
    /// Tensor arguments, by the names of the declaration.
    pub inputs: Vec<(Word, ValueId)>,
    /// The tensors that it gave.
    pub results: Vec<ValueId>,
    /// The nodes that were written out for it.
    pub nodes: Range<u32>,
}

/// What was applied in one `train` block.
#[derive(Clone, Debug, Default)]
pub struct TracedTrain {
    /// With `training` true, the inner applications before those around them.
    pub training: Vec<Application>,
    /// With `training` false.
    pub evaluation: Vec<Application>,
    /// The optimizer of each `minimize`.
    pub optimizers: Vec<Given>,
}

/// A model that no `train` block applies, by itself.
#[derive(Clone, Debug)]
pub struct Alone {
    /// Its operations.
    pub body: Body,
    /// The variables that they read.
    pub variables: Vec<Variable>,
    /// What was applied.
    pub applications: Vec<Application>,
    /// What it gave.
    pub outputs: Vec<ValueId>,
}

/// What was applied in a file; empty unless [`super::Options::trace`] asks for it.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// One for each `train` block of the model.
    pub trains: Vec<TracedTrain>,
    /// The models that no block applies.
    pub alone: Vec<Alone>,
}

impl Application {
    /// A static argument.
    pub fn given(&self, name: &str) -> Option<&Given> {
        self.statics.iter().find(|(n, _)| &**n == name).map(|(_, v)| v)
    }

    /// A tensor argument.
    pub fn input(&self, name: &str) -> Option<ValueId> {
        self.inputs.iter().find(|(n, _)| &**n == name).map(|(_, v)| *v)
    }
}

impl Made {
    /// What a parameter of the first list was given.
    pub fn given(&self, name: &str) -> Option<&Given> {
        self.statics.iter().find(|(n, _)| &**n == name).map(|(_, v)| v)
    }
}

impl Given {
    /// Its number, where it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Given::Number(x) => Some(*x),
            Given::Size(d) => d.as_constant().map(|n| n as f64),
            _ => None,
        }
    }

    /// The layer, optimizer or schedule that it is.
    pub fn made(&self) -> Option<&Made> {
        match self {
            Given::Made(made) => Some(made),
            _ => None,
        }
    }
}

/// What an application is recorded with, taken before its body is evaluated.
pub(super) struct Begun {
    statics: Vec<(Word, Given)>,
    inputs: Vec<(Word, ValueId)>,
    first: u32,
}

impl Elab {
    /// The arguments of an application that is about to be evaluated; `None` where nobody wants to know.
    pub fn begin_trace(&self, callable: &Callable, sig: &Signature, bound: Option<&Bound>) -> Option<Begun> {
        if !self.keep_trace {
            return None;
        }
        let mut statics: Vec<(Word, Given)> = Vec::new();
        let mut inputs = Vec::new();
        for (param, tensor) in callable.inputs.iter().zip(&sig.tensors) {
            let name: Word = param.name.text.as_str().into();
            match (tensor, sig.env.get(name)) {
                (Some(v), _) => inputs.push((name, *v)),
                (None, Some(value)) => statics.push((name, self.given(value))),
                (None, None) => {}
            }
        }
        statics.extend(bound.into_iter().flat_map(|b| &b.statics).map(|(n, v)| (*n, self.given(v))));
        Some(Begun { statics, inputs, first: self.body.nodes.len() as u32 })
    }

    /// Records an application that was evaluated.
    pub fn end_trace(&mut self, begun: Option<Begun>, id: CallableId, path: &str, span: Span, value: &Value) {
        let Some(begun) = begun else { return };
        let callable = &self.program.callable(id).callable;
        let mut results = Vec::new();
        super::scan::leaves(value, &mut results);
        let application = Application {
            name: callable.name.text.as_str().into(),
            kind: callable.kind,
            library: self.in_library(callable.head),
            span: self.user_span(span),
            path: path.into(),
            statics: begun.statics,
            inputs: begun.inputs,
            results,
            nodes: begun.first..self.body.nodes.len() as u32,
        };
        self.applications.push(application);
    }

    /// A static value as data.
    pub fn given(&self, value: &Value) -> Given {
        match value {
            Value::Int(d) => Given::Size(d.clone()),
            Value::Float(x) => Given::Number(*x),
            Value::Bool(b) => Given::Bool(*b),
            Value::Duration(count, unit) => Given::Duration(*count, *unit),
            Value::List(items) => Given::List(items.iter().map(|v| self.given(v)).collect()),
            Value::Callable(id) => Given::Named(self.program.callable(*id).callable.name.text.as_str().into()),
            Value::Bound(bound) => {
                let callable = &self.program.callable(bound.callable).callable;
                Given::Made(Made {
                    name: callable.name.text.as_str().into(),
                    library: self.in_library(callable.head),
                    statics: bound.statics.iter().map(|(n, v)| (*n, self.given(v))).collect(),
                    span: bound.span,
                })
            }
            _ => Given::Other,
        }
    }
}
