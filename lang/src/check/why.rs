//! `tfm why`: the values of a file by name, each with its type and the history of its dimensions, back to the
//! declarations.

use super::elab::Elab;
use super::words::near;
use crate::model::VariableKind;
use crate::source::Span;
use crate::types::{OriginId, TensorType};

/// How far back a history is told.
const DEEPEST: usize = 24;

/// A named value: a parameter or state by its path, a `let` of a model or a training, a field of the data.
#[derive(Clone, Debug)]
pub struct Known {
    /// `ConvNet.dense_1.w`, `convnet.logits`, `convnet.image`.
    pub path: String,
    /// `a parameter`
    pub kind: &'static str,
    /// `f32[9216, 10]`
    pub ty: String,
    /// Where it is declared.
    pub span: Span,
    /// For each axis its size and its life, the latest first.
    pub axes: Vec<(String, Vec<Step>)>,
}

/// One step in the life of a dimension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// How many steps lie between it and the axis.
    pub depth: usize,
    /// `12 = (26 - 2) / 2 + 1, from `MaxPool2d(2)``
    pub text: String,
    /// Where in the text.
    pub span: Span,
}

impl Elab {
    /// Keeps a named value for [`known`](Elab::known).
    pub fn keep(&mut self, kind: &'static str, name: &str, ty: &TensorType, span: Span) {
        if !self.keep_names || self.in_library(span) {
            return;
        }
        let scope = self.scopes.last().map_or("", |s| &*s.path);
        let scope = if scope.is_empty() { self.block.as_str() } else { scope };
        let path = if scope.is_empty() { name.to_string() } else { format!("{scope}.{name}") };
        if !self.named.iter().any(|(p, ..)| *p == path) {
            self.named.push((path, kind, ty.clone(), span));
        }
    }

    /// Every named value, in the order of the text's evaluation; variables last.
    pub fn known(&self) -> Vec<Known> {
        let named = self.named.iter().map(|(path, kind, ty, span)| self.known_value(path, kind, ty, *span));
        let variables = self.variables.iter().map(|v| {
            let kind = match v.kind {
                VariableKind::Parameter => "a parameter",
                _ => "a state",
            };
            self.known_value(&v.path, kind, &v.ty, v.span)
        });
        named.chain(variables).collect()
    }

    fn known_value(&self, path: &str, kind: &'static str, ty: &TensorType, span: Span) -> Known {
        let axes = ty.shape.iter().map(|a| (a.dim.to_string(), self.life(a.origin))).collect();
        Known { path: path.into(), kind, ty: ty.to_string(), span, axes }
    }

    fn life(&self, of: OriginId) -> Vec<Step> {
        let mut out: Vec<Step> = Vec::new();
        let mut next = vec![(0, of)];
        while let Some((depth, id)) = next.pop() {
            let Some(origin) = self.history.get(id).filter(|_| out.len() < DEEPEST) else { continue };
            let step = Step { depth, text: self.told(&origin.text), span: self.user_span(origin.span) };
            if out.iter().any(|s| s.text == step.text && s.span == step.span) {
                continue;
            }
            out.push(step);
            next.extend(origin.parents.iter().rev().map(|p| (depth + 1, *p)));
        }
        out
    }
}

/// A path without what people leave out or write otherwise: case and underscores.
fn plain(path: &str) -> String {
    path.to_lowercase().replace('_', "")
}

/// The value that a path names. Case and underscores do not count; the name of the training or model may be left out
/// or stand for each other, as long as one value is meant. Else what was likely meant.
pub fn find<'a>(known: &'a [Known], blocks: &[&str], path: &str) -> Result<&'a Known, String> {
    let wanted = plain(path);
    if let Some(found) =
        known.iter().find(|k| k.path == path).or_else(|| known.iter().find(|k| plain(&k.path) == wanted))
    {
        return Ok(found);
    }
    // `convnet.dense_1.w` for a training `convnet` of a model with another name, and `dense_1.w` alone.
    let inner = wanted.split_once('.').filter(|(first, _)| blocks.iter().any(|b| plain(b) == *first)).map(|(_, r)| r);
    for tail in [Some(wanted.as_str()), inner].into_iter().flatten() {
        let ends: Vec<&Known> = known
            .iter()
            .filter(|k| plain(&k.path).strip_suffix(tail).is_some_and(|head| head.ends_with('.')))
            .collect();
        match ends.as_slice() {
            [one] => return Ok(one),
            [] => {}
            many => {
                let names: Vec<&str> = many.iter().map(|k| k.path.as_str()).collect();
                return Err(format!("`{path}` may be {}", super::list_words(&names)));
            }
        }
    }
    let names: Vec<&str> = known.iter().map(|k| k.path.as_str()).collect();
    let last = path.rsplit('.').next().unwrap_or(path);
    let same_end: Vec<&str> = names.iter().copied().filter(|n| n.rsplit('.').next() == Some(last)).take(6).collect();
    Err(match (near(path, names.iter().copied()), same_end.as_slice()) {
        (Some(near), _) => format!("there is no `{path}`; did you mean `{near}`?"),
        (None, []) => format!("there is no `{path}`; there are {}", super::list_words(&names[..names.len().min(12)])),
        (None, ends) => format!("there is no `{path}`; there is {}", super::list_words(ends)),
    })
}
