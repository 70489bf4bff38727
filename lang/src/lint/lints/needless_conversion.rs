//! `needless_conversion`: a conversion to the dtype that a value has.

use crate::diagnostic::Diagnostic;
use crate::lint::edits::argument_of;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, ItemKind};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0608",
    name: "needless_conversion",
    group: Group::Style,
    level: Level::Warn,
    title: "a conversion to the dtype that a value has",
    why: "\
It does nothing, and a reader looks for the integer that it seems to be about.",
    bad: &[
        "\
minimize cross_entropy(f32(x) |> Dense(10), label)
",
        "\
let y = f32(f32(image) / 255)
minimize cross_entropy(flatten(y) |> Dense(10), label)
",
    ],
    good: &["\
minimize cross_entropy(x |> Dense(10), label)
"],
    fix: Fixes::Safe,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.models() {
        for v in pass.written("cast") {
            let node = pass.node(v);
            let (to, from) = (node.ty.dtype, pass.node(node.args[0]).ty.dtype);
            // In a layer for any dtype the conversion may do something elsewhere.
            let name = to.name();
            if to != from || !cx.text(node.span).starts_with(&format!("{name}(")) || !in_train(cx, node.span) {
                continue;
            }
            let d = finding(node.span, format!("this is {name} already")).help("leave the conversion out");
            out.push(match argument_of(cx, node.span, name) {
                Some(x) if simple(x) => d.safe_fix("leave the conversion out", node.span, cx.text(x.span)),
                Some(x) => d.safe_fix("leave the conversion out", node.span, format!("({})", cx.text(x.span))),
                None => d,
            });
        }
    }
    out
}

fn simple(e: &Expr) -> bool {
    matches!(&*e.kind, ExprKind::Name(_) | ExprKind::Call(..) | ExprKind::Field(..) | ExprKind::Index(..))
}

fn in_train(cx: &Context, place: Span) -> bool {
    let inside = |s: Span| s.file == place.file && s.start <= place.start && s.end >= place.end;
    cx.files.iter().flat_map(|f| &f.items).any(|i| matches!(i.kind, ItemKind::Train { .. }) && inside(i.span))
}
