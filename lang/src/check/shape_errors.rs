//! What is said when shapes do not fit: the two places, the history of the dimension, the edit.

use super::elab::{Elab, Failed};
use super::operators::sign_of_primitive;
use super::order::head_of;
use super::shape_help::{listed, product};
use super::signature::Signature;
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::ValueId;
use crate::source::Span;
use crate::syntax::ast::{AxisExpr, Callable, Expr, ExprKind, Param, TypeExpr, TypeKind};
use crate::types::{Axis, TensorType};

/// Two operands of a product: type and place of each.
pub(super) struct Factors<'a> {
    pub left: (&'a TensorType, Span),
    pub right: (&'a TensorType, Span),
}

impl Elab {
    /// A label at the declared type, or a note where the library declares it.
    fn declared(&self, d: Diagnostic, callable: &Callable, param: &Param, ty: &TypeExpr) -> Diagnostic {
        let (what, declared) = (&callable.name.text, self.quote(ty.span));
        if self.in_library(ty.span) {
            return d.note(format!("`{what}` is declared with {}: {declared}", param.name.text));
        }
        d.label(ty.span, format!("`{what}` takes {declared}"))
    }

    pub fn wrong_rank(
        &mut self,
        callable: &Callable,
        param: &Param,
        ty: &TypeExpr,
        have: &TensorType,
        place: Span,
        span: Span,
    ) -> Failed {
        let TypeKind::Tensor { axes, .. } = &ty.kind else { return Failed };
        let what = &callable.name.text;
        let more = axes.iter().any(|a| matches!(a, AxisExpr::Rest(_)));
        let fixed = axes.len() - usize::from(more);
        let want = if more { format!("{fixed} or more") } else { fixed.to_string() };
        let told = if param.name.text == "x" { "its input".to_string() } else { format!("`{}`", param.name.text) };
        let message = format!("`{what}` cannot be applied: {told} has rank {}, {want} wanted", have.rank());
        let mut d = Diagnostic::error("E0301", place, message).says(format!("{have}"));
        if self.in_library(ty.span) && !self.in_library(span) {
            let head = head_of(self.program.sources.text(span), span);
            if place.start > head.end || place.end <= head.start {
                d = d.label(head, format!("takes {}", self.quote(ty.span)));
            }
        }
        d = self.declared(d, callable, param, ty);
        d = self.with_story(d, &have.shape.iter().collect::<Vec<_>>());
        if let Some(help) = self.rank_help(what, axes, fixed, more, have, place) {
            d = d.help(help);
        }
        self.fail(d)
    }

    fn rank_help(
        &mut self,
        what: &str,
        axes: &[AxisExpr],
        fixed: usize,
        more: bool,
        have: &TensorType,
        at: Span,
    ) -> Option<String> {
        let quoted = self.quote(at);
        let x = if quoted.len() < 30 { quoted } else { "x".to_string() };
        let known: Vec<Dim> = axes
            .iter()
            .filter_map(|a| match a {
                AxisExpr::Dim(e) => match &*e.kind {
                    ExprKind::Int(n) => Some(Dim::constant(*n)),
                    _ => None,
                },
                AxisExpr::Rest(_) => None,
            })
            .collect();
        if more {
            return None;
        }
        // The same elements: all sizes but the first are written as numbers.
        let all = known.iter().fold(Dim::constant(1), |n, d| n.mul(d));
        if known.len() + 1 == fixed && have.rank() > 0 && all == product(&have.shape[1..]) {
            let shape = std::iter::once(have.shape[0].dim.clone()).chain(known).collect::<Vec<_>>();
            let drop = if x.contains("flatten") { "leave out the `flatten`, or " } else { "" };
            return Some(match fixed {
                2 => format!("write `{x} |> flatten`: {}{}", have.dtype, listed(&shape)),
                _ => format!("the elements are the same: {drop}write `reshape({x}, {})`", listed(&shape)),
            });
        }
        // `Conv1d` of an image: there is one for each number of axes.
        if let Some(kind) = what.strip_suffix('d').and_then(|w| w.strip_suffix(|c: char| c.is_ascii_digit()))
            && (3..=5).contains(&have.rank())
            && (have.rank(), fixed) != (3, 4)
        {
            return Some(format!("`{kind}{}d` is the one for {} axes", have.rank() - 2, have.rank()));
        }
        let sequence =
            axes.iter().any(|a| matches!(a, AxisExpr::Dim(e) if matches!(&*e.kind, ExprKind::Name(n) if n == "T")));
        Some(match (have.rank(), fixed) {
            (4, 3) if sequence => {
                format!("a sequence of an image's places is ``rearrange({x}, `b c h w -> b (h w) c`)``")
            }
            (n, 2) if n > 2 => {
                format!("write `{x} |> flatten`: {}[{}, {}]", have.dtype, have.shape[0].dim, product(&have.shape[1..]))
            }
            (n, m) if n == m + 1 => {
                "reduce or index one axis away, `squeeze(axis: …)`, `x[:, 0]` or `mean(x, axis: …)`".to_string()
            }
            (3, 4) => {
                let mut shape = have.dims();
                shape.insert(1, Dim::constant(1));
                format!("an image has an axis of channels: `reshape({x}, {})`", listed(&shape))
            }
            (n, m) if n + 1 == m => "an axis is missing: `reshape(x, […])` adds one of size 1".to_string(),
            _ => return None,
        })
    }

    #[allow(clippy::too_many_arguments)]
    pub fn wrong_size(
        &mut self,
        callable: &Callable,
        param: &Param,
        ty: &TypeExpr,
        want: &Dim,
        e: &Expr,
        have: &TensorType,
        at: usize,
        place: Span,
        sig: &mut Signature,
    ) -> Failed {
        let what = &callable.name.text;
        let axis = &have.shape[at];
        let written = self.quote(e.span);
        let source = if written == want.to_string() { String::new() } else { format!(", where `{written}` is {want}") };
        let message = format!("`{what}` cannot be applied: axis {at} has size {}, {want} wanted", axis.dim);
        let mut d = Diagnostic::error("E0302", place, message).says(format!("{have}"));
        if self.in_library(ty.span) {
            d = self.declared(d, callable, param, ty);
        } else {
            d = d.label(ty.span, format!("`{what}` takes {}{source}", self.quote(ty.span)));
        }
        for (name, (bound, at)) in sig.dims.iter() {
            if words(&written).any(|w| w == name) {
                d = d.label(*at, format!("`{name}` is {}", bound.dim));
            }
        }
        d = self.with_story(d, &[axis]);
        if let Some(dim) = self.two_names(want, &axis.dim) {
            d = d.note(dim);
        }
        if let TypeKind::Tensor { axes, .. } = &ty.kind
            && let Ok(Some(wanted)) = self.expand_axes(axes, sig)
            && let Some(order) = self.reordered(&have.shape, &with_unknown(&wanted, &have.shape))
        {
            let told = self.quote(place);
            d = d.help(format!("the axes are in another order: write `transpose({told}, {order:?})`"));
        }
        self.fail(d)
    }

    pub fn two_names(&self, a: &Dim, b: &Dim) -> Option<String> {
        (self.concrete(a) == self.concrete(b))
            .then(|| format!("{a} and {b} are dimensions of their own: they do not match, even at the same size"))
    }

    pub fn wrong_result(
        &mut self,
        callable: &Callable,
        ty: &TypeExpr,
        want: &[Option<Dim>],
        v: ValueId,
        place: Span,
    ) -> Failed {
        let have = self.ty(v).clone();
        let declared = self.quote(ty.span);
        let name = &callable.name.text;
        if want.len() == 2
            && have.rank() > 2
            && let Some(missing) = self.last_axis_only(v)
        {
            return self.missing_flatten(&missing, (ty.span, format!("`{name}` declares {declared}")));
        }
        // A `flatten` that comes too late.
        if want.len() == 2
            && let crate::model::Op::Primitive(last, _) = &self.body.node(v).op
            && &**last == "reshape"
            && let Some(missing) = self.last_axis_only(self.body.node(v).args[0])
        {
            return self.missing_flatten(&missing, (ty.span, format!("`{name}` declares {declared}")));
        }
        let mut d = Diagnostic::error("E0309", place, format!("`{name}` declares {declared}, its body gives {have}"))
            .says(format!("{have}"))
            .label(ty.span, "declared here");
        let differ = |a: &Axis, w: &Option<Dim>| w.as_ref().is_some_and(|w| !self.agree(w, &a.dim));
        let off: Vec<&Axis> = if want.len() == have.rank() {
            have.shape.iter().zip(want).filter(|(a, w)| differ(a, w)).map(|(a, _)| a).collect()
        } else {
            have.shape.iter().collect()
        };
        let known: Option<Vec<Dim>> = want.iter().cloned().collect();
        let same_elements =
            known.as_ref().is_some_and(|k| k.iter().fold(Dim::constant(1), |n, d| n.mul(d)) == product(&have.shape));
        let help = if let Some(order) = self.reordered(&have.shape, want) {
            Some(format!("the axes are in another order: `|> transpose({order:?})` gives {declared}"))
        } else if want.len() + 1 == have.rank() && have.shape.last().is_some_and(|a| a.dim == Dim::constant(1)) {
            Some("drop the last axis: `|> squeeze(axis: -1)`".to_string())
        } else if let (true, Some(k)) = (same_elements, &known) {
            Some(format!("the elements are the same: `|> reshape({})`", listed(k)))
        } else {
            let pair = have.shape.iter().zip(want).find(|(a, w)| want.len() == have.rank() && differ(a, w));
            pair.and_then(|(a, w)| w.as_ref().map(|w| format!("make the body give {w} here, or declare {}", a.dim)))
        };
        if let Some(note) = off.first().zip(want.iter().find(|w| w.is_some())).and_then(|_| {
            let pair = have.shape.iter().zip(want).find(|(a, w)| differ(a, w));
            pair.and_then(|(a, w)| w.as_ref().and_then(|w| self.two_names(w, &a.dim)))
        }) {
            d = d.note(note);
        }
        d = self.with_story(d, &off);
        d.help = help;
        self.fail(d)
    }

    pub fn wrong_product(&mut self, factors: &Factors, at: Span) -> Failed {
        let ((x, left), (y, right)) = (factors.left, factors.right);
        let (inner, rows) = (&x.shape[x.rank() - 1], &y.shape[y.rank() - 2]);
        let mut d = Diagnostic::error(
            "E0305",
            at,
            format!("this product does not fit: {} columns on the left, {} rows on the right", inner.dim, rows.dim),
        )
        .says("columns of the left side meet rows of the right one")
        .label(left, format!("{x}"))
        .label(right, format!("{y}"));
        d = self.with_story(d, &[inner, rows]);
        let (a, b) = (self.quote(left), self.quote(right));
        let wrap = |t: &str| if t.contains(' ') && !t.ends_with(')') { format!("({t})") } else { t.to_string() };
        let (wa, wb) = (wrap(&a), wrap(&b));
        let (x_rows, y_columns) = (&x.shape[x.rank() - 2], &y.shape[y.rank() - 1]);
        // Where the batch stands on the right, it belongs to the left.
        let variable = |a: &Axis| a.dim.as_var().is_some_and(|s| !self.open.contains(s));
        let batch_right = variable(&y.shape[0]) && !variable(&x.shape[0]) || y.shape[0].dim == Dim::var("B");
        if batch_right && self.surely(&y_columns.dim, &x_rows.dim) && x.rank() == 2 {
            d = d.help(format!("rows stand on the left: write `{wb} @ {wa}`"));
        } else if batch_right && self.surely(&y_columns.dim, &inner.dim) && x.rank() == 2 {
            d = d.help(format!("rows stand on the left: write `{wb} @ transpose({a})`"));
        } else if self.surely(&inner.dim, &y_columns.dim) {
            d = d.help(format!("the right side is transposed: write `{wa} @ transpose({b})`"));
        } else if self.surely(&x_rows.dim, &rows.dim) {
            d = d.help(format!("the left side is transposed: write `transpose({a}) @ {wb}`"));
        } else if self.surely(&y_columns.dim, &x_rows.dim) {
            d = d.help(format!("the factors are in the other order: write `{wb} @ {wa}`"));
        }
        if let Some(note) = self.two_names(&inner.dim, &rows.dim) {
            d = d.note(note);
        }
        self.fail(d)
    }

    pub fn wrong_broadcast(
        &mut self,
        what: &str,
        types: &[TensorType],
        operands: &[(ValueId, Span)],
        a: (usize, &Axis),
        b: (usize, &Axis),
    ) -> Failed {
        let (x, y) = (&types[a.0], &types[b.0]);
        let sign = sign_of_primitive(what);
        let mut d = Diagnostic::error(
            "E0303",
            operands[b.0].1,
            format!("`{sign}` of {x} and {y}: {} meets {}", a.1.dim, b.1.dim),
        )
        .says(format!("{y}"))
        .label(operands[a.0].1, format!("{x}"));
        d = self.with_story(d, &[b.1, a.1]);
        if let Some(note) = self.two_names(&a.1.dim, &b.1.dim) {
            d = d.note(note);
        }
        let places = (operands[a.0].1, operands[b.0].1);
        if x.rank() != y.rank() {
            d = d.note("axes line up from the last one");
            let (short, long, at) = if x.rank() < y.rank() { (x, y, places.0) } else { (y, x, places.1) };
            let told = self.quote(at);
            let reduced = told.contains("axis") && !told.contains("keep") && told.ends_with(')');
            if reduced && short.rank() + 1 == long.rank() {
                let kept = format!("{}, keep: true)", &told[..told.len() - 1]);
                d = d.help(format!("keep the axis that it is taken over: write `{kept}`"));
            } else if let Some(shape) = self.lined_up(short, long) {
                let told = if told.len() < 30 { told } else { "…".into() };
                d = d.help(format!("write `reshape({told}, {})`, which lines up with {long}", listed(&shape)));
            }
        } else if let Some(order) =
            self.reordered(&y.shape, &x.shape.iter().map(|a| Some(a.dim.clone())).collect::<Vec<_>>())
        {
            let told = self.quote(places.1);
            if !told.starts_with("transpose") {
                d = d.help(format!("the axes are in another order: write `transpose({told}, {order:?})`"));
            }
        }
        if d.help.is_none() && what == "multiply" && x.rank() >= 2 && y.rank() == 2 {
            let (l, r) = (&x.shape[x.rank() - 1].dim, &y.shape[0].dim);
            if self.surely(l, r) {
                let (p, q) = (self.quote(places.0), self.quote(places.1));
                d = d.help(format!("the product of matrices is written `{p} @ {q}`"));
            }
        }
        self.fail(d)
    }
}

/// The words of an expression.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty())
}

/// Wanted sizes, with what is not bound yet taken from where it stands.
fn with_unknown(want: &[Option<Dim>], have: &[Axis]) -> Vec<Option<Dim>> {
    want.iter().zip(have).map(|(w, h)| Some(w.clone().unwrap_or_else(|| h.dim.clone()))).collect()
}
