//! What each expression of the user's files is worth, by its place: what an editor shows when it is asked about a
//! word. Kept only where [`super::Options::record`] asks for it.
//!
//! A place that is evaluated several times, in a `fold` or by several applications, has the value of the first.

use super::elab::Elab;
use super::history::History;
use super::value::Value;
use crate::model::DataSpec;
use crate::source::{Sources, Span};
use crate::types::OriginId;
use std::collections::HashMap;

/// How many parts of a tuple or list are written out.
const PARTS: usize = 6;

/// The value at one place.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `f32[B, 10]`, `3`, `an instance of `Dense``.
    pub text: String,
    /// True for tensors and what holds them: worth showing between the lines.
    pub tensor: bool,
    /// Named parts, `mu` and `log_var`, each with its text.
    pub fields: Vec<(String, String)>,
    axes: Vec<(String, OriginId)>,
    history: usize,
}

/// All values of a check by their places.
#[derive(Clone, Debug)]
pub struct Record {
    seen: HashMap<Span, Seen>,
    histories: Vec<History>,
    at: usize,
    /// The data declarations, in the order of the text.
    pub data: Vec<DataSpec>,
}

impl Default for Record {
    fn default() -> Record {
        Record { seen: HashMap::new(), histories: vec![History::default()], at: 0, data: Vec::new() }
    }
}

impl Record {
    /// What was seen at this place.
    pub fn at(&self, span: Span) -> Option<&Seen> {
        self.seen.get(&span)
    }

    /// Every place with what was seen there, in no order.
    pub fn all(&self) -> impl Iterator<Item = (&Span, &Seen)> {
        self.seen.iter()
    }

    /// For each axis of a tensor its size and where that came from, the latest first; at most `limit` lines each.
    pub fn lives(&self, seen: &Seen, limit: usize, sources: &Sources) -> Vec<(String, Vec<(String, Span)>)> {
        let Some(history) = self.histories.get(seen.history) else { return Vec::new() };
        let lines =
            |of: OriginId| history.lines(of, limit).into_iter().map(|o| (o.text.told(sources), o.span)).collect();
        seen.axes.iter().map(|(dim, origin)| (dim.clone(), lines(*origin))).collect()
    }

    /// A body that is evaluated by itself has a history of its own.
    pub(super) fn begin(&mut self) {
        self.histories.push(History::default());
        self.at = self.histories.len() - 1;
    }

    /// Takes in the history of the body that is done, and goes on with the file's.
    pub(super) fn end(&mut self, history: &History) {
        self.histories[self.at] = history.clone();
        self.at = 0;
    }
}

impl Elab {
    /// Keeps what a place of the user's text is worth.
    pub fn note(&mut self, span: Span, value: &Value) {
        let known = self.record.as_ref().is_none_or(|record| record.seen.contains_key(&span));
        if known || self.in_library(span) {
            return;
        }
        let axes = match value {
            Value::Tensor(v) => self.ty(*v).shape.iter().map(|a| (a.dim.to_string(), a.origin)).collect(),
            _ => Vec::new(),
        };
        let fields = match value {
            Value::Named(items) => items.iter().map(|(name, v)| (name.to_string(), self.in_words(v))).collect(),
            _ => Vec::new(),
        };
        let tensor = match value {
            Value::Tensor(_) | Value::Named(_) => true,
            Value::Tuple(items) => items.iter().any(|v| matches!(v, Value::Tensor(_))),
            _ => false,
        };
        let text = self.in_words(value);
        if let Some(record) = self.record.as_mut().filter(|_| !text.is_empty()) {
            let history = record.at;
            record.seen.insert(span, Seen { text, tensor, fields, axes, history });
        }
    }

    /// A value in words; empty where there is nothing to say.
    fn in_words(&self, value: &Value) -> String {
        let list = |items: &mut dyn Iterator<Item = String>, n: usize| {
            let mut parts: Vec<String> = items.take(PARTS).collect();
            if n > PARTS {
                parts.push("…".into());
            }
            parts.join(", ")
        };
        match value {
            Value::Unknown | Value::Opaque => String::new(),
            Value::Int(d) => d.to_string(),
            Value::Float(x) => x.to_string(),
            Value::Bool(b) => b.to_string(),
            Value::Str(text) => format!("{text:?}"),
            Value::Duration(n, unit) => format!("{n} {}", format!("{unit:?}").to_lowercase()),
            Value::DType(dtype) => dtype.to_string(),
            Value::Tensor(v) => self.ty(*v).to_string(),
            Value::Tuple(items) if items.is_empty() => String::new(),
            Value::Tuple(items) => format!("({})", list(&mut items.iter().map(|v| self.in_words(v)), items.len())),
            Value::Named(items) => {
                let mut parts = items.iter().map(|(name, v)| format!("{name}: {}", self.in_words(v)));
                format!("({})", list(&mut parts, items.len()))
            }
            Value::List(items) => format!("[{}]", list(&mut items.iter().map(|v| self.in_words(v)), items.len())),
            Value::Callable(_) | Value::Lambda(_) | Value::Builtin(_) => "a function".into(),
            Value::Bound(bound) => {
                format!("an instance of `{}`", self.program.callable(bound.callable).callable.name.text)
            }
            Value::Data(_) | Value::DataSet(_) => "data".into(),
        }
    }
}
