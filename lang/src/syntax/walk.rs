//! Walking the tree: every expression, every block, the outer ones first.

use super::ast::{
    AxisExpr, Block, Callable, Each, Expr, ExprKind, File, IndexItem, Item, ItemKind, Param, Pattern, ResultType, Stmt,
    StmtKind, StopRule, TypeExpr, TypeKind,
};

/// Calls `f` with every expression of a file.
pub(crate) fn expressions<'a>(file: &'a File, f: &mut dyn FnMut(&'a Expr)) {
    let mut walk = Walk { seen: f, entered: &mut |_| {} };
    file.items.iter().for_each(|item| walk.item(item));
}

/// Calls `f` with every block of a file.
pub(crate) fn blocks<'a>(file: &'a File, f: &mut dyn FnMut(&'a Block)) {
    let mut walk = Walk { seen: &mut |_| {}, entered: f };
    file.items.iter().for_each(|item| walk.item(item));
}

/// Calls `f` with every expression of a statement.
pub(crate) fn statement<'a>(s: &'a Stmt, f: &mut dyn FnMut(&'a Expr)) {
    Walk { seen: f, entered: &mut |_| {} }.statement(s);
}

struct Walk<'w, 'a> {
    seen: &'w mut dyn FnMut(&'a Expr),
    entered: &'w mut dyn FnMut(&'a Block),
}

impl<'a> Walk<'_, 'a> {
    fn item(&mut self, item: &'a Item) {
        match &item.kind {
            ItemKind::Dim(_, e) | ItemKind::Const(_, e) | ItemKind::Require(e, _) => self.expr(e),
            ItemKind::Data { source, columns, operators, .. } => {
                self.expr(source);
                columns.iter().for_each(|c| self.expr(&c.value));
                self.exprs(operators);
            }
            ItemKind::Callable(c) => self.callable(c),
            ItemKind::Train { data, body, .. } => {
                self.expr(data);
                self.block(body);
            }
            ItemKind::Test(_, body) => self.block(body),
            ItemKind::Import { .. } | ItemKind::Error(_) => {}
        }
    }

    fn callable(&mut self, c: &'a Callable) {
        self.params(c.statics.iter().flatten().chain(&c.inputs));
        match &c.result {
            Some(ResultType::One(ty)) => self.type_expr(ty),
            Some(ResultType::Named(all)) => self.params(all),
            None => {}
        }
        c.body.iter().chain(&c.grad).for_each(|b| self.block(b));
        self.exprs(&c.condition);
    }

    fn block(&mut self, block: &'a Block) {
        (self.entered)(block);
        block.statements.iter().for_each(|s| self.statement(s));
    }

    fn statement(&mut self, s: &'a Stmt) {
        match &s.kind {
            StmtKind::Let(pattern, e) => {
                if let Pattern::Name(_, Some(ty)) = pattern {
                    self.type_expr(ty);
                }
                self.expr(e);
            }
            StmtKind::Variable { ty, init, .. } => {
                ty.iter().for_each(|t| self.type_expr(t));
                self.exprs(init);
            }
            StmtKind::Minimize { loss, over, with } => {
                self.expr(loss);
                self.exprs(over.iter().chain(with));
            }
            StmtKind::Report(all) | StmtKind::Freeze(all) => self.exprs(all),
            StmtKind::Every(e, block) => {
                self.expr(e);
                self.block(block);
            }
            StmtKind::AtEnd(block) => self.block(block),
            StmtKind::Stop { rule: StopRule::Stalls { patience, by }, .. } => {
                self.expr(patience);
                self.exprs(by);
            }
            StmtKind::Stop { rule: StopRule::Passes { bound, .. }, .. } => self.expr(bound),
            StmtKind::Expect(e, block) => {
                self.expr(e);
                block.iter().for_each(|b| self.block(b));
            }
            StmtKind::Require(e, _)
            | StmtKind::Assign(_, e)
            | StmtKind::Yield(e)
            | StmtKind::Setting(_, e)
            | StmtKind::Evaluate(e)
            | StmtKind::CheckpointKeep(e)
            | StmtKind::Save(e)
            | StmtKind::Expr(e) => self.expr(e),
            StmtKind::Start { .. } | StmtKind::CheckpointBest(..) | StmtKind::Error(_) => {}
        }
    }

    fn params(&mut self, all: impl IntoIterator<Item = &'a Param>) {
        for param in all {
            param.ty.iter().for_each(|t| self.type_expr(t));
            self.exprs(&param.default);
        }
    }

    fn type_expr(&mut self, t: &'a TypeExpr) {
        match &t.kind {
            TypeKind::Tensor { axes, below, .. } => {
                self.exprs(axes.iter().map(|(AxisExpr::Rest(e) | AxisExpr::Dim(e))| e));
                below.iter().for_each(|e| self.expr(e));
            }
            TypeKind::List(inner) => self.type_expr(inner),
            TypeKind::Word(_) => {}
        }
    }

    fn each(&mut self, each: &'a Each) {
        self.expr(&each.over);
        self.exprs(each.until.iter().chain(&each.axis));
    }

    fn exprs(&mut self, all: impl IntoIterator<Item = &'a Expr>) {
        all.into_iter().for_each(|e| self.expr(e));
    }

    fn expr(&mut self, e: &'a Expr) {
        (self.seen)(e);
        match &*e.kind {
            ExprKind::Field(x, _) | ExprKind::Unary(_, x) => self.expr(x),
            ExprKind::Call(callee, args) => {
                self.expr(callee);
                self.exprs(args.iter().map(|arg| &arg.value));
            }
            ExprKind::Index(x, items) => {
                self.expr(x);
                for item in items {
                    match item {
                        IndexItem::At(e) => self.expr(e),
                        IndexItem::Slice(from, until, _) => self.exprs(from.iter().chain(until)),
                        IndexItem::Rest(_) => {}
                    }
                }
            }
            ExprKind::Binary(_, _, lhs, rhs) | ExprKind::Pipe(lhs, rhs) => self.exprs([lhs, rhs]),
            ExprKind::If { condition, then, otherwise } => {
                self.expr(condition);
                self.block(then);
                otherwise.iter().for_each(|b| self.block(b));
            }
            ExprKind::Loop { carries, each, body, .. } => {
                self.exprs(carries.iter().map(|(_, e)| e));
                self.each(each);
                self.block(body);
            }
            ExprKind::ListFor(x, each) => {
                self.expr(x);
                self.each(each);
            }
            ExprKind::Placed(x, block) => {
                self.expr(x);
                self.block(block);
            }
            ExprKind::Lambda(params, block) => {
                self.params(params);
                self.block(block);
            }
            ExprKind::List(all) | ExprKind::Tuple(all) => self.exprs(all),
            ExprKind::Type(t) => self.type_expr(t),
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Str(_)
            | ExprKind::Bool(_)
            | ExprKind::Duration(..)
            | ExprKind::Bytes(_)
            | ExprKind::Name(_)
            | ExprKind::Einops(_) => {}
        }
    }
}
