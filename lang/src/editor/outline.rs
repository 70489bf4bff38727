//! The outline of a file: symbols and what can be folded; and the walk over all expressions.

use super::index::item_name;
use super::library::about;
use super::{Document, Kind};
use crate::source::Span;
use crate::syntax::ast::{Arg, Block, Each, Expr, ExprKind, File, IndexItem, Item, ItemKind, Stmt, StmtKind, StopRule};

/// A declaration, with what is declared inside.
#[derive(Clone, PartialEq, Debug)]
pub struct Symbol {
    /// Its name; the title of a `test`.
    pub name: String,
    /// The word that declares it.
    pub kind: &'static str,
    /// `float[D, 3 * D]`, for a parameter.
    pub detail: String,
    /// All of it.
    pub span: Span,
    /// Its name's place.
    pub place: Span,
    /// What is inside.
    pub children: Vec<Symbol>,
}

/// The declarations of a file, in the order of the text.
pub fn symbols(document: &Document) -> Vec<Symbol> {
    document.file.items.iter().filter_map(|item| symbol(document, item)).collect()
}

fn symbol(document: &Document, item: &Item) -> Option<Symbol> {
    if let ItemKind::Test(title, _) = &item.kind {
        let (name, place) = (title.text.clone(), title.span);
        return Some(Symbol {
            name,
            kind: "test",
            detail: String::new(),
            span: item.span,
            place,
            children: Vec::new(),
        });
    }
    let name = item_name(item)?;
    let (_, _, about) = about(&document.sources, item)?;
    let inside = |span: Span| item.span.start <= span.start && span.end <= item.span.end;
    let children = document.index.defs.iter().filter(|d| inside(d.span) && d.span != name.span);
    let children = children.filter_map(|def| {
        let kind = match def.kind {
            Kind::Variable => "param",
            Kind::Column => "column",
            _ => return None,
        };
        let detail = def.ty.map_or(String::new(), |ty| document.sources.text(ty).to_string());
        Some(Symbol { name: def.name.clone(), kind, detail, span: def.span, place: def.span, children: Vec::new() })
    });
    let detail = about.head.split_once(name.text.as_str()).map_or("", |(_, rest)| rest).trim().to_string();
    let children = children.collect();
    Some(Symbol { name: name.text.to_string(), kind: about.kind, detail, span: item.span, place: name.span, children })
}

/// Places of more than a line that can be folded away: declarations, blocks, comments at the top of a file.
pub fn folds(document: &Document) -> Vec<Span> {
    let mut found: Vec<Span> = document.file.items.iter().map(|item| item.span).collect();
    let mut blocks = |block: &Block| found.push(block.span);
    each_block(&document.file, &mut blocks);
    found.retain(|span| document.sources.text(*span).contains('\n'));
    found.sort_by_key(|span| (span.start, u32::MAX - span.end));
    found.dedup();
    found
}

/// Calls `f` for every expression, outer ones first.
pub(super) fn each_expr<'a>(file: &'a File, f: &mut dyn FnMut(&'a Expr)) {
    let mut walk = Walk { expr: f, block: &mut |_| {}, statement: &mut |_| {} };
    file.items.iter().for_each(|item| walk.item(item));
}

/// Calls `f` for every statement.
pub(super) fn each_statement<'a>(file: &'a File, f: &mut dyn FnMut(&'a Stmt)) {
    let mut walk = Walk { expr: &mut |_| {}, block: &mut |_| {}, statement: f };
    file.items.iter().for_each(|item| walk.item(item));
}

fn each_block<'a>(file: &'a File, f: &mut dyn FnMut(&'a Block)) {
    let mut walk = Walk { expr: &mut |_| {}, block: f, statement: &mut |_| {} };
    file.items.iter().for_each(|item| walk.item(item));
}

struct Walk<'w, 'a> {
    expr: &'w mut dyn FnMut(&'a Expr),
    block: &'w mut dyn FnMut(&'a Block),
    statement: &'w mut dyn FnMut(&'a Stmt),
}

impl<'a> Walk<'_, 'a> {
    fn item(&mut self, item: &'a Item) {
        match &item.kind {
            ItemKind::Const(_, e) | ItemKind::Dim(_, e) | ItemKind::Require(e, _) => self.expr(e),
            ItemKind::Data { source, columns, operators, .. } => {
                self.expr(source);
                columns.iter().for_each(|c| self.expr(&c.value));
                operators.iter().for_each(|e| self.expr(e));
            }
            ItemKind::Callable(c) => c.body.iter().chain(&c.grad).for_each(|b| self.block(b)),
            ItemKind::Train { data, body, .. } => {
                self.expr(data);
                self.block(body);
            }
            ItemKind::Test(_, block) => self.block(block),
            ItemKind::Import { .. } | ItemKind::Error(_) => {}
        }
    }

    fn block(&mut self, block: &'a Block) {
        (self.block)(block);
        for s in &block.statements {
            (self.statement)(s);
            self.statement(s);
        }
    }

    fn statement(&mut self, s: &'a Stmt) {
        match &s.kind {
            StmtKind::Variable { init, .. } => init.iter().for_each(|e| self.expr(e)),
            StmtKind::Minimize { loss, over, with } => {
                self.expr(loss);
                over.iter().chain(with).for_each(|e| self.expr(e));
            }
            StmtKind::Report(all) | StmtKind::Freeze(all) => all.iter().for_each(|e| self.expr(e)),
            StmtKind::Every(e, block) => {
                self.expr(e);
                self.block(block);
            }
            StmtKind::AtEnd(block) => self.block(block),
            StmtKind::Stop { rule, .. } => match rule {
                StopRule::Stalls { patience, by } => std::iter::once(patience).chain(by).for_each(|e| self.expr(e)),
                StopRule::Passes { bound, .. } => self.expr(bound),
            },
            StmtKind::Expect(e, block) => {
                self.expr(e);
                block.iter().for_each(|b| self.block(b));
            }
            StmtKind::Let(_, e)
            | StmtKind::Require(e, _)
            | StmtKind::Assign(_, e)
            | StmtKind::Setting(_, e)
            | StmtKind::Yield(e)
            | StmtKind::Evaluate(e)
            | StmtKind::Save(e)
            | StmtKind::CheckpointKeep(e)
            | StmtKind::Expr(e) => self.expr(e),
            StmtKind::Start { .. } | StmtKind::CheckpointBest(..) | StmtKind::Error(_) => {}
        }
    }

    fn args(&mut self, args: &'a [Arg]) {
        args.iter().for_each(|arg| self.expr(&arg.value));
    }

    fn each(&mut self, each: &'a Each) {
        self.expr(&each.over);
        each.until.iter().chain(&each.axis).for_each(|e| self.expr(e));
    }

    fn expr(&mut self, e: &'a Expr) {
        (self.expr)(e);
        match &*e.kind {
            ExprKind::Field(x, _) | ExprKind::Unary(_, x) => self.expr(x),
            ExprKind::Call(callee, args) => {
                self.expr(callee);
                self.args(args);
            }
            ExprKind::Index(base, items) => {
                self.expr(base);
                for item in items {
                    match item {
                        IndexItem::At(e) => self.expr(e),
                        IndexItem::Slice(from, until, _) => from.iter().chain(until).for_each(|e| self.expr(e)),
                        IndexItem::Rest(_) => {}
                    }
                }
            }
            ExprKind::Binary(_, _, l, r) | ExprKind::Pipe(l, r) => {
                self.expr(l);
                self.expr(r);
            }
            ExprKind::If { condition, then, otherwise } => {
                self.expr(condition);
                self.block(then);
                otherwise.iter().for_each(|b| self.block(b));
            }
            ExprKind::Loop { carries, each, body, .. } => {
                carries.iter().for_each(|(_, e)| self.expr(e));
                self.each(each);
                self.block(body);
            }
            ExprKind::ListFor(item, each) => {
                self.expr(item);
                self.each(each);
            }
            ExprKind::Placed(device, block) => {
                self.expr(device);
                self.block(block);
            }
            ExprKind::Lambda(_, body) => self.block(body),
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().for_each(|e| self.expr(e)),
            _ => {}
        }
    }
}
