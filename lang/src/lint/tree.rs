//! Walking the syntax tree: every expression, every block.

use crate::syntax::ast::{
    Arg, AxisExpr, Block, Callable, Each, Expr, ExprKind, File, IndexItem, ItemKind, Param, Pattern, ResultType, Stmt,
    StmtKind, StopRule, TypeExpr, TypeKind,
};

/// Calls `f` with every expression of a file, the outer ones first.
pub fn expressions<'a>(file: &'a File, f: &mut dyn FnMut(&'a Expr)) {
    for item in &file.items {
        match &item.kind {
            ItemKind::Import { .. } | ItemKind::Error(_) => {}
            ItemKind::Dim(_, e) | ItemKind::Const(_, e) | ItemKind::Require(e, _) => expr(e, f),
            ItemKind::Data { source, columns, operators, .. } => {
                expr(source, f);
                columns.iter().for_each(|c| expr(&c.value, f));
                operators.iter().for_each(|e| expr(e, f));
            }
            ItemKind::Callable(c) => callable(c, f),
            ItemKind::Train { data, body, .. } => {
                expr(data, f);
                block(body, f);
            }
            ItemKind::Test(_, body) => block(body, f),
        }
    }
}

/// Calls `f` with every block of a file, the outer ones first.
pub fn blocks<'a>(file: &'a File, f: &mut dyn FnMut(&'a Block)) {
    for item in &file.items {
        match &item.kind {
            ItemKind::Callable(c) => c.body.iter().chain(&c.grad).for_each(|b| inner_blocks(b, f)),
            ItemKind::Train { body, .. } | ItemKind::Test(_, body) => inner_blocks(body, f),
            _ => {}
        }
    }
}

fn inner_blocks<'a>(body: &'a Block, f: &mut dyn FnMut(&'a Block)) {
    f(body);
    for s in &body.statements {
        if let StmtKind::Every(_, b) | StmtKind::AtEnd(b) | StmtKind::Expect(_, Some(b)) = &s.kind {
            inner_blocks(b, f);
        }
        statement(s, &mut |e| match &*e.kind {
            ExprKind::If { then, otherwise, .. } => {
                f(then);
                otherwise.iter().for_each(&mut *f);
            }
            ExprKind::Loop { body, .. } | ExprKind::Placed(_, body) | ExprKind::Lambda(_, body) => f(body),
            _ => {}
        });
    }
}

/// Calls `f` with every expression of a declaration.
pub fn callable<'a>(c: &'a Callable, f: &mut dyn FnMut(&'a Expr)) {
    c.statics.iter().flatten().chain(&c.inputs).for_each(|p| param(p, f));
    match &c.result {
        Some(ResultType::One(ty)) => type_expr(ty, f),
        Some(ResultType::Named(all)) => all.iter().for_each(|p| param(p, f)),
        None => {}
    }
    c.body.iter().chain(&c.grad).for_each(|b| block(b, f));
    c.condition.iter().for_each(|e| expr(e, f));
}

/// Calls `f` with every expression of a block.
pub fn block<'a>(b: &'a Block, f: &mut dyn FnMut(&'a Expr)) {
    b.statements.iter().for_each(|s| statement(s, f));
}

/// Calls `f` with every expression of a statement.
pub fn statement<'a>(s: &'a Stmt, f: &mut dyn FnMut(&'a Expr)) {
    match &s.kind {
        StmtKind::Let(pattern, e) => {
            if let Pattern::Name(_, Some(ty)) = pattern {
                type_expr(ty, f);
            }
            expr(e, f);
        }
        StmtKind::Variable { ty, init, .. } => {
            ty.iter().for_each(|t| type_expr(t, f));
            init.iter().for_each(|e| expr(e, f));
        }
        StmtKind::Require(e, _)
        | StmtKind::Assign(_, e)
        | StmtKind::Yield(e)
        | StmtKind::Setting(_, e)
        | StmtKind::Evaluate(e)
        | StmtKind::CheckpointKeep(e)
        | StmtKind::Save(e)
        | StmtKind::Expr(e) => expr(e, f),
        StmtKind::Minimize { loss, over, with } => {
            expr(loss, f);
            over.iter().chain(with).for_each(|e| expr(e, f));
        }
        StmtKind::Report(all) | StmtKind::Freeze(all) => all.iter().for_each(|e| expr(e, f)),
        StmtKind::Every(e, b) => {
            expr(e, f);
            block(b, f);
        }
        StmtKind::AtEnd(b) => block(b, f),
        StmtKind::Stop { rule: StopRule::Stalls { patience, by }, .. } => {
            std::iter::once(patience).chain(by).for_each(|e| expr(e, f));
        }
        StmtKind::Stop { rule: StopRule::Passes { bound, .. }, .. } => expr(bound, f),
        StmtKind::Expect(e, b) => {
            expr(e, f);
            b.iter().for_each(|b| block(b, f));
        }
        StmtKind::Start { .. } | StmtKind::CheckpointBest(..) | StmtKind::Error(_) => {}
    }
}

fn param<'a>(p: &'a Param, f: &mut dyn FnMut(&'a Expr)) {
    p.ty.iter().for_each(|t| type_expr(t, f));
    p.default.iter().for_each(|e| expr(e, f));
}

fn type_expr<'a>(t: &'a TypeExpr, f: &mut dyn FnMut(&'a Expr)) {
    match &t.kind {
        TypeKind::Tensor { axes, below, .. } => {
            axes.iter().for_each(|a| match a {
                AxisExpr::Rest(e) | AxisExpr::Dim(e) => expr(e, f),
            });
            below.iter().for_each(|e| expr(e, f));
        }
        TypeKind::List(inner) => type_expr(inner, f),
        TypeKind::Word(_) => {}
    }
}

fn args<'a>(all: &'a [Arg], f: &mut dyn FnMut(&'a Expr)) {
    all.iter().for_each(|a| expr(&a.value, f));
}

fn each<'a>(e: &'a Each, f: &mut dyn FnMut(&'a Expr)) {
    expr(&e.over, f);
    e.until.iter().chain(&e.axis).for_each(|e| expr(e, f));
}

/// Calls `f` with an expression and every one in it.
pub fn expr<'a>(e: &'a Expr, f: &mut dyn FnMut(&'a Expr)) {
    f(e);
    match &*e.kind {
        ExprKind::Field(x, _) | ExprKind::Unary(_, x) => expr(x, f),
        ExprKind::Call(x, all) => {
            expr(x, f);
            args(all, f);
        }
        ExprKind::Index(x, items) => {
            expr(x, f);
            for item in items {
                match item {
                    IndexItem::At(e) => expr(e, f),
                    IndexItem::Slice(a, b, _) => a.iter().chain(b).for_each(|e| expr(e, f)),
                    IndexItem::Rest(_) => {}
                }
            }
        }
        ExprKind::Binary(_, _, a, b) | ExprKind::Pipe(a, b) => {
            expr(a, f);
            expr(b, f);
        }
        ExprKind::If { condition, then, otherwise } => {
            expr(condition, f);
            block(then, f);
            otherwise.iter().for_each(|b| block(b, f));
        }
        ExprKind::Loop { carries, each: e, body, .. } => {
            carries.iter().for_each(|(_, e)| expr(e, f));
            each(e, f);
            block(body, f);
        }
        ExprKind::Placed(x, b) => {
            expr(x, f);
            block(b, f);
        }
        ExprKind::Lambda(params, b) => {
            params.iter().for_each(|p| param(p, f));
            block(b, f);
        }
        ExprKind::List(all) | ExprKind::Tuple(all) => all.iter().for_each(|e| expr(e, f)),
        ExprKind::ListFor(x, e) => {
            expr(x, f);
            each(e, f);
        }
        ExprKind::Type(t) => type_expr(t, f),
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
