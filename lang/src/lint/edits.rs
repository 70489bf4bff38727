//! Edits that several lints offer, found in the tree by the place of an application.

use super::context::Context;
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind};
use crate::syntax::walk;

/// Takes an application of `name` away: `softmax(x)` becomes `x`, `x |> softmax` too, `Dense(10, softmax)` becomes
/// `Dense(10)`.
pub fn without(cx: &Context, place: Span, name: &str) -> Option<(Span, String)> {
    let file = cx.files.iter().find(|f| f.id == place.file)?;
    let mut edit = None;
    walk::expressions(file, &mut |e| {
        if edit.is_some() {
            return;
        }
        edit = match &*e.kind {
            ExprKind::Pipe(left, right) if right.span == place && is_of(right, name) => {
                Some((e.span, cx.text(left.span).to_string()))
            }
            ExprKind::Call(callee, args) if e.span == place && called(callee) == Some(name) => match args.as_slice() {
                [Arg { value, .. }] | [Arg { value, name: None }, Arg { name: Some(_), .. }] => {
                    Some((e.span, cx.text(value.span).to_string()))
                }
                _ => None,
            },
            ExprKind::Call(callee, args) if e.span == place => without_argument(callee, args, name),
            _ => None,
        };
    });
    edit
}

fn without_argument(callee: &Expr, args: &[Arg], name: &str) -> Option<(Span, String)> {
    let at = args.iter().position(|a| called(&a.value) == Some(name))?;
    let end = args[at].value.span.end;
    let start = match at {
        0 => args[0].name.as_ref().map_or(args[0].value.span.start, |n| n.span.start),
        _ => args[at - 1].value.span.end,
    };
    // What follows a first argument would lose its comma too.
    (at > 0 || args.len() == 1).then(|| (Span { start, end, ..callee.span }, String::new()))
}

/// The name that an expression is or calls.
fn called(e: &Expr) -> Option<&str> {
    match &*e.kind {
        ExprKind::Name(w) => Some(w),
        ExprKind::Field(_, n) => Some(&n.text),
        _ => None,
    }
}

fn is_of(e: &Expr, name: &str) -> bool {
    match &*e.kind {
        ExprKind::Call(callee, _) => called(callee) == Some(name),
        _ => called(e) == Some(name),
    }
}

/// Gives an application one more argument: `Conv2d(8, kernel: 3)` becomes `Conv2d(8, kernel: 3, bias: false)`.
pub fn with_argument(cx: &Context, place: Span, argument: &str) -> Option<(Span, String)> {
    let e = cx.expression(place)?;
    match &*e.kind {
        ExprKind::Name(_) => Some((place, format!("{}({argument})", cx.text(place)))),
        ExprKind::Call(callee, args) => {
            // `Dense(8)(x)`: the first list makes the layer.
            if let ExprKind::Call(..) = &*callee.kind {
                return with_argument(cx, callee.span, argument);
            }
            let end = place.end - 1;
            let comma = if args.is_empty() { "" } else { ", " };
            Some((Span { start: end, end, ..place }, format!("{comma}{argument}")))
        }
        _ => None,
    }
}

/// The single argument of a call of `name` at this place.
pub fn argument_of<'a>(cx: &'a Context, place: Span, name: &str) -> Option<&'a Expr> {
    match &*cx.expression(place)?.kind {
        ExprKind::Call(callee, args) if called(callee) == Some(name) && args.len() == 1 => {
            // The tree lives as long as the context.
            cx.expression(args[0].value.span)
        }
        _ => None,
    }
}
