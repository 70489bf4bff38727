//! Which names are used: every word that stands in an expression, whatever it means there.

use super::Context;
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, File, ItemKind, Name, Pattern, Stmt, StmtKind};
use crate::syntax::walk;
use std::collections::{BTreeMap, BTreeSet};

/// How often each word stands in a file, outside the place that declares it.
pub fn used(file: &File) -> BTreeMap<String, usize> {
    let mut out: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |w: &str| *out.entry(w.to_string()).or_default() += 1;
    walk::expressions(file, &mut |e| word(e).into_iter().for_each(&mut count));
    walk::blocks(file, &mut |b| b.statements.iter().for_each(|s| outside(s, &mut count)));
    // A doc comment may speak of a name, its examples use it.
    let docs = file.items.iter().flat_map(|i| &i.doc).filter(|line| line.starts_with("example:"));
    docs.for_each(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').for_each(&mut count));
    out
}

/// Whether a word stands in one of these statements.
pub fn mentions(statements: &[Stmt], name: &str) -> bool {
    let mut found = false;
    for s in statements {
        walk::statement(s, &mut |e| found |= word(e) == Some(name));
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

/// The names of declarations, those that `pick` gives, which nothing uses: in the experiment that they stand in, and by
/// `import` elsewhere. What begins with `_` is meant not to be used.
pub fn unused<'a>(cx: &'a Context, pick: fn(&ItemKind) -> Option<&Name>) -> Vec<&'a Name> {
    let items = cx.files.iter().flat_map(|file| &file.items);
    let imported: BTreeSet<&str> = items
        .filter_map(|item| if let ItemKind::Import { names, .. } = &item.kind { Some(names) } else { None })
        .flat_map(|names| names.iter().map(|name| name.text.as_str()))
        .collect();
    let mut out = Vec::new();
    for file in cx.files.iter().filter(|f| is_experiment(f)) {
        let used = used(file);
        let unused = |name: &&Name| {
            let word = name.text.as_str();
            !used.contains_key(word) && !imported.contains(word) && !word.starts_with('_')
        };
        out.extend(file.items.iter().filter_map(|item| pick(&item.kind)).filter(unused));
    }
    out
}

/// Whether a file has a `train` block: a name that it does not use then is of no use, where a module may be imported.
fn is_experiment(file: &File) -> bool {
    file.items.iter().any(|i| matches!(i.kind, ItemKind::Train { .. }))
}

/// The names that `let` gives and nothing mentions afterwards, each with what it stands for. `_` and what begins with it is
/// meant not to be used.
pub fn unused_lets(file: &File) -> Vec<(Name, Span)> {
    let mut out = Vec::new();
    walk::blocks(file, &mut |b| {
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
