//! Which names are used: every word that stands in an expression, whatever it means there.

use super::tree;
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, File, ItemKind, Name, Pattern, Stmt, StmtKind};
use std::collections::BTreeMap;

/// How often each word stands in a file, outside the place that declares it.
pub fn used(file: &File) -> BTreeMap<String, usize> {
    let mut out: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |w: &str| *out.entry(w.to_string()).or_default() += 1;
    tree::expressions(file, &mut |e| word(e).into_iter().for_each(&mut count));
    tree::blocks(file, &mut |b| b.statements.iter().for_each(|s| outside(s, &mut count)));
    // A doc comment may speak of a name, its examples use it.
    let docs = file.items.iter().flat_map(|i| &i.doc).filter(|line| line.starts_with("example:"));
    docs.for_each(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').for_each(&mut count));
    out
}

/// Whether a word stands in one of these statements.
pub fn mentions(statements: &[Stmt], name: &str) -> bool {
    let mut found = false;
    for s in statements {
        tree::statement(s, &mut |e| found |= word(e) == Some(name));
        each_statement(s, &mut |s| outside(s, &mut |w| found |= w == name));
    }
    found
}

/// A statement and those in the blocks below it.
fn each_statement(s: &Stmt, f: &mut dyn FnMut(&Stmt)) {
    f(s);
    if let StmtKind::Every(_, b) | StmtKind::AtEnd(b) = &s.kind {
        b.statements.iter().for_each(|s| each_statement(s, f));
    }
}

/// The word that an expression is.
pub fn word(e: &Expr) -> Option<&str> {
    match &*e.kind {
        ExprKind::Name(w) => Some(w),
        _ => None,
    }
}

/// The words of a statement that stand outside expressions: `m <- e`, `start Encoder`, `stop when test.loss`.
fn outside(s: &Stmt, f: &mut dyn FnMut(&str)) {
    match &s.kind {
        StmtKind::Start { target, .. } => target.iter().for_each(|n| f(&n.text)),
        StmtKind::Stop { metric, .. } | StmtKind::CheckpointBest(_, metric) => metric.iter().for_each(|n| f(&n.text)),
        StmtKind::Assign(name, _) => f(&name.text),
        _ => {}
    }
}

/// Whether a file has a `train` block: a name that it does not use then is of no use, where a module may be imported.
pub fn is_experiment(file: &File) -> bool {
    file.items.iter().any(|i| matches!(i.kind, ItemKind::Train { .. }))
}

/// The names that `let` gives and nothing mentions afterwards, each with what it stands for. `_` and what begins with it is
/// meant not to be used.
pub fn unused_lets(file: &File) -> Vec<(Name, Span)> {
    let mut out = Vec::new();
    tree::blocks(file, &mut |b| {
        for (i, s) in b.statements.iter().enumerate() {
            let StmtKind::Let(pattern, e) = &s.kind else { continue };
            let names: &[Name] = match pattern {
                Pattern::Name(name, _) => std::slice::from_ref(name),
                Pattern::Tuple(names, _) => names,
            };
            let unused =
                names.iter().filter(|n| !n.text.starts_with('_') && !mentions(&b.statements[i + 1..], &n.text));
            out.extend(unused.map(|n| (n.clone(), e.span)));
        }
    });
    out
}
