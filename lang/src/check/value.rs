//! What an expression is worth while a file is elaborated: static values, tensors, and things to apply.

use crate::dim::Dim;
use crate::model::{DataRef, ValueId, Word};
use crate::source::{FileId, Span};
use crate::syntax::ast::{Block, Param, Unit};
use crate::types::DType;
use std::sync::Arc;

/// A callable declaration, by its place in [`super::program::Program::callables`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct CallableId(pub u32);

/// The value of an expression.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Something went wrong and was reported; whatever touches it stays silent.
    Unknown,
    /// A static value that the check of a body by itself does not know.
    Opaque,
    Int(Dim),
    Float(f64),
    Bool(bool),
    Str(Arc<str>),
    Duration(f64, Unit),
    DType(DType),
    /// A tensor of the body that is being written.
    Tensor(ValueId),
    Tuple(Arc<Vec<Value>>),
    /// Named results, `Encoder(x).mu`.
    Named(Arc<Vec<(Word, Value)>>),
    List(Arc<Vec<Value>>),
    /// A declaration: a function, or a layer, optimizer or schedule that still wants its first list.
    Callable(CallableId),
    /// A layer, optimizer or schedule with its first list.
    Bound(Arc<Bound>),
    Lambda(Arc<Lambda>),
    /// Something that the checker does itself: `shape`, `split`, `einsum`.
    Builtin(&'static super::builtins::Builtin),
    /// A part of a data set.
    Data(DataRef),
    /// A data set with several parts.
    DataSet(usize),
}

/// A declaration with its first list filled in. For a layer this is an instance: one set of weights.
#[derive(Debug)]
pub(super) struct Bound {
    /// Tells instances apart.
    pub id: u64,
    pub callable: CallableId,
    /// The first list, by name.
    pub statics: Vec<(Word, Value)>,
    /// Where it was made.
    pub span: Span,
}

/// A function written on the spot, with the names it sees.
#[derive(Debug)]
pub(super) struct Lambda {
    pub params: Vec<Param>,
    pub body: Block,
    pub env: Env,
    pub span: Span,
}

/// Local names, innermost last, and the file whose global names come after them.
#[derive(Clone, Debug, Default)]
pub(super) struct Env {
    pub names: Vec<(Word, Value, Span)>,
    pub file: FileId,
}

impl Env {
    pub fn new(file: FileId) -> Env {
        Env { names: Vec::new(), file }
    }

    pub fn get(&self, name: impl Into<Word>) -> Option<&Value> {
        let name = name.into();
        self.names.iter().rev().find(|(n, _, _)| *n == name).map(|(_, v, _)| v)
    }

    pub fn bind(&mut self, name: impl Into<Word>, value: Value, span: Span) {
        self.names.push((name.into(), value, span));
    }

    /// Gives a name that is bound another value: `<-`.
    pub fn rebind(&mut self, name: Word, value: Value) {
        if let Some(entry) = self.names.iter_mut().rev().find(|(n, _, _)| *n == name) {
            entry.1 = value;
        }
    }
}

impl Value {
    pub fn int(n: i64) -> Value {
        Value::Int(Dim::constant(n))
    }

    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Arc::new(items))
    }

    pub fn dims(dims: impl IntoIterator<Item = Dim>) -> Value {
        Value::list(dims.into_iter().map(Value::Int).collect())
    }

    /// What it is, as a noun with an article, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Unknown | Value::Opaque => "a value",
            Value::Int(_) => "an int",
            Value::Float(_) => "a float",
            Value::Bool(_) => "a bool",
            Value::Str(_) => "a text",
            Value::Duration(..) => "a duration",
            Value::DType(_) => "a dtype",
            Value::Tensor(_) => "a tensor",
            Value::Tuple(_) | Value::Named(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Callable(_) | Value::Lambda(_) | Value::Builtin(_) => "a function",
            Value::Bound(_) => "an instance",
            Value::Data(_) | Value::DataSet(_) => "data",
        }
    }

    /// True for numbers that are known before the program runs.
    pub fn is_number(&self) -> bool {
        matches!(self, Value::Int(_) | Value::Float(_))
    }

    /// Its number, when it is known.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(d) => d.as_constant().map(|n| n as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }
}
