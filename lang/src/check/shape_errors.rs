//! What is said when shapes do not fit: the two places, the history of the dimension, the edit.

use super::elab::{Elab, Failed};
use super::operators::sign_of_primitive;
use super::signature::Signature;
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::ValueId;
use crate::source::Span;
use crate::syntax::ast::{AxisExpr, Callable, Expr, Param, TypeExpr, TypeKind};
use crate::types::{Axis, TensorType};

fn product(axes: &[Axis]) -> Dim {
    axes.iter().fold(Dim::constant(1), |n, a| n.mul(&a.dim))
}

impl Elab {
    pub fn with_story(&self, mut d: Diagnostic, axes: &[&Axis]) -> Diagnostic {
        for axis in axes {
            for line in self.story(axis.origin) {
                if !d.notes.contains(&line) {
                    d = d.note(line);
                }
            }
        }
        d
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
        let declared = self.quote(ty.span);
        let told = if param.name.text == "x" { "its input".to_string() } else { format!("`{}`", param.name.text) };
        let mut d = Diagnostic::error(
            "E0301",
            place,
            format!("`{what}` cannot be applied: {told} has rank {}, {want} wanted", have.rank()),
        )
        .says(format!("{have}"))
        .label(if place == span { ty.span } else { span }, format!("takes {declared}"));
        if place != span {
            d = d.note(format!("`{what}` is declared with {}: {declared}", param.name.text));
        }
        d = self.with_story(d, &have.shape.iter().collect::<Vec<_>>());
        if !more && fixed == 2 && have.rank() > 2 {
            let flat = product(&have.shape[1..]);
            d = d.help(format!("write `|> flatten` before it: {}[{}, {flat}]", have.dtype, have.shape[0].dim));
        } else if !more && have.rank() == fixed + 1 {
            d = d.help("reduce or index one axis away, `squeeze(axis: …)`, `x[:, 0]` or `mean(x, axis: …)`");
        } else if have.rank() + 1 == fixed {
            d = d.help("an axis is missing: `reshape(x, […])` adds one of size 1");
        }
        self.fail(d)
    }

    #[allow(clippy::too_many_arguments)]
    pub fn wrong_size(
        &mut self,
        callable: &Callable,
        ty: &TypeExpr,
        want: &Dim,
        e: &Expr,
        have: &TensorType,
        at: usize,
        place: Span,
        sig: &Signature,
    ) -> Failed {
        let what = &callable.name.text;
        let axis = &have.shape[at];
        let written = self.quote(e.span);
        let source =
            if written == want.to_string() { written.clone() } else { format!("{want}, which is `{written}`") };
        let declared = self.quote(ty.span);
        let mut d = Diagnostic::error(
            "E0302",
            place,
            format!("`{what}` cannot be applied: axis {at} has size {}, {want} wanted", axis.dim),
        )
        .says(format!("{have}"))
        .label(callable.head, format!("wants {declared}: {source}"));
        for (name, (bound, at)) in sig.dims.iter() {
            if written.contains(name) {
                d = d.label(*at, format!("`{name}` is {}", bound.dim));
            }
        }
        d = self.with_story(d, &[axis]);
        if let Some(dim) = self.two_names(want, &axis.dim) {
            d = d.note(dim);
        }
        self.fail(d)
    }

    fn two_names(&self, a: &Dim, b: &Dim) -> Option<String> {
        (self.concrete(a) == self.concrete(b))
            .then(|| format!("{a} and {b} are dimensions of their own: they do not match, even at the same size"))
    }

    pub fn wrong_result(
        &mut self,
        callable: &Callable,
        ty: &TypeExpr,
        want: &[Option<Dim>],
        have: &TensorType,
        place: Span,
    ) -> Failed {
        let declared = self.quote(ty.span);
        let name = &callable.name.text;
        let mut d = Diagnostic::error("E0309", place, format!("`{name}` declares {declared}, its body gives {have}"))
            .says(format!("{have}"))
            .label(ty.span, "declared here");
        if want.len() < have.rank() && want.len() == 2 {
            let flat = product(&have.shape[1..]);
            d = d.help(format!(
                "`flatten` may be missing before the last layer: it makes {}[{}, {flat}] of this",
                have.dtype, have.shape[0].dim
            ));
        } else if want.len() + 1 == have.rank() && have.shape.last().is_some_and(|a| a.dim == Dim::constant(1)) {
            d = d.help("drop the last axis: `|> squeeze(axis: -1)`");
        }
        let off: Vec<&Axis> = if want.len() == have.rank() {
            have.shape
                .iter()
                .zip(want)
                .filter(|(a, w)| w.as_ref().is_some_and(|w| !self.agree(w, &a.dim)))
                .map(|(a, _)| a)
                .collect()
        } else {
            have.shape.iter().collect()
        };
        d = self.with_story(d, &off);
        if want.len() == have.rank()
            && d.help.is_none()
            && let Some((axis, Some(w))) =
                have.shape.iter().zip(want).find(|(a, w)| w.as_ref().is_some_and(|w| !self.agree(w, &a.dim)))
        {
            d = d.help(format!("make the body give {w} here, or declare {}", axis.dim));
        }
        self.fail(d)
    }

    pub fn wrong_product(&mut self, x: &TensorType, left: Span, y: &TensorType, right: Span, at: Span) -> Failed {
        let (inner, rows) = (&x.shape[x.rank() - 1], &y.shape[y.rank() - 2]);
        let mut d = Diagnostic::error(
            "E0305",
            at,
            format!("this product does not fit: {} columns on the left, {} rows on the right", inner.dim, rows.dim),
        )
        .label(left, format!("{x}"))
        .label(right, format!("{y}"));
        d = self.with_story(d, &[inner, rows]);
        let turned = &y.shape[y.rank() - 1];
        if self.agree(&inner.dim, &turned.dim) {
            let text = self.quote(right);
            d = d.help(format!("the right side is transposed: write `@ transpose({text})`"));
        } else if self.agree(&x.shape[x.rank() - 2].dim, &rows.dim) {
            let text = self.quote(left);
            d = d.help(format!("the left side is transposed: write `transpose({text}) @`"));
        } else if let Some(note) = self.two_names(&inner.dim, &rows.dim) {
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
        _span: Span,
    ) -> Failed {
        let (x, y) = (&types[a.0], &types[b.0]);
        let mut d = Diagnostic::error(
            "E0303",
            operands[b.0].1,
            format!("`{}` of {x} and {y}: {} meets {}", sign_of_primitive(what), a.1.dim, b.1.dim),
        )
        .says(format!("{y}"))
        .label(operands[a.0].1, format!("{x}"));
        d = self.with_story(d, &[b.1, a.1]);
        if let Some(note) = self.two_names(&a.1.dim, &b.1.dim) {
            d = d.note(note);
        }
        if x.rank() != y.rank() {
            d = d.note("axes line up from the last one");
            let (short, long) = if x.rank() < y.rank() { (x, y) } else { (y, x) };
            if short.rank() == 1 && self.agree(&short.shape[0].dim, &long.shape[0].dim) {
                let ones = ", 1".repeat(long.rank() - 1);
                d = d.help(format!(
                    "to line up with the first axis, reshape the smaller one to [{}{ones}]",
                    short.shape[0].dim
                ));
            }
        }
        self.fail(d)
    }
}
