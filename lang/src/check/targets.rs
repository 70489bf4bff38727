//! What `over`, `freeze` and `start` name: models, instances and single variables, by their paths.

use super::elab::{Elab, Res};
use super::program::Global;
use crate::diagnostic::Diagnostic;
use crate::model::{Body, Op, VarId, VariableKind};
use crate::source::{FileId, Span};
use crate::syntax::ast::{CallableKind, Expr, ExprKind};
use std::collections::BTreeSet;

/// A path with the place where it is named.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub path: String,
    pub span: Span,
}

impl Target {
    /// True for the path itself and what lies below it.
    pub fn covers(&self, path: &str) -> bool {
        lies_in(path, &self.path)
    }
}

/// True where a path is another or lies below it; everything lies in the empty path.
pub(super) fn lies_in(path: &str, other: &str) -> bool {
    other.is_empty() || path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Elab {
    /// The path that an expression of names and dots means, before it is known what has that path.
    pub fn target(&mut self, file: FileId, e: &Expr) -> Res<Target> {
        let mut names = Vec::new();
        let mut at = e;
        loop {
            match &*at.kind {
                ExprKind::Name(n) => {
                    names.push(n.as_str());
                    break;
                }
                ExprKind::Field(base, field) => {
                    names.push(field.text.as_str());
                    at = base;
                }
                _ => {
                    let d = Diagnostic::error("E0608", at.span, "this is no path to a model or an instance")
                        .help("write the name of a model, of an instance that `let` named, or a path `Net.dense_1.w`");
                    return Err(self.fail(d));
                }
            }
        }
        names.reverse();
        self.named(file, &names, e.span)
    }

    /// A path from its words.
    pub fn named(&mut self, file: FileId, names: &[&str], span: Span) -> Res<Target> {
        let target = Target { path: names.join("."), span };
        let Some(first) = names.first() else { return Ok(target) };
        match self.program.lookup(file, *first) {
            Some(Global::Callable(id)) => {
                let kind = self.program.callable(id).callable.kind;
                if kind == CallableKind::Layer {
                    let d = Diagnostic::error(
                        "E0608",
                        span,
                        format!("`{first}` is a layer, and has no weights itself"),
                    )
                    .help(format!(
                        "name one instance, `let part = {first}(…)`, and say `part`; paths such as `Net.dense_1` do too"
                    ));
                    return Err(self.fail(d));
                }
                Ok(target)
            }
            Some(Global::Broken) => Err(super::elab::Failed),
            _ => Ok(target),
        }
    }

    /// The parameters and states of layers that some bodies use.
    pub fn used(&self, bodies: &[&Body]) -> BTreeSet<VarId> {
        let nodes = bodies.iter().flat_map(|b| &b.nodes);
        let read = nodes.filter_map(|n| if let Op::Read(id) = n.op { Some(id) } else { None });
        let kept =
            |id: &VarId| matches!(self.variables[id.0 as usize].kind, VariableKind::Parameter | VariableKind::State);
        read.filter(kept).collect()
    }

    /// Those of the variables that lie in the target; there must be one.
    pub fn lying_in(&mut self, target: &Target, used: &BTreeSet<VarId>) -> Res<Vec<VarId>> {
        let path = |id: &VarId| self.variables[id.0 as usize].path.as_str();
        let found: Vec<VarId> = used.iter().copied().filter(|id| target.covers(path(id))).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let mut known = BTreeSet::new();
        for id in used {
            let whole = path(id);
            known.extend(whole.match_indices('.').map(|(dot, _)| whole[..dot].to_string()));
            known.insert(whole.to_string());
        }
        // What lies beside it in the part of the path that is right.
        let parent = target.path.rsplit_once('.').map_or("", |(parent, _)| parent);
        let beside = |k: &&String| {
            lies_in(k, parent) && k.len() > parent.len() && !k[parent.len()..].trim_start_matches('.').contains('.')
        };
        let beside: Vec<&str> = known.iter().filter(beside).map(String::as_str).collect();
        let mut d = Diagnostic::error("E0608", target.span, format!("nothing here has the path `{}`", target.path));
        d = match super::near(&target.path, known.iter().map(String::as_str)) {
            Some(near) => d.help(format!("did you mean `{near}`?")).fix("correct the path", target.span, near),
            None if beside.is_empty() => d.help("only what this block applies has parameters here"),
            None => d.help(format!("there is {}", super::list_words(&beside))),
        };
        Err(self.fail(d))
    }
}
