//! What is said when two arguments that share a `..S` have different shapes: a loss and its target, above all.

use super::elab::{Elab, Failed};
use super::shape_help::listed;
use super::signature::Signature;
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::{Op, ValueId};
use crate::source::Span;
use crate::syntax::ast::{Callable, Expr, Param, TypeKind};
use crate::types::{Axis, TensorType};

fn dims(axes: &[Axis]) -> Vec<Dim> {
    axes.iter().map(|a| a.dim.clone()).collect()
}

impl Elab {
    /// `first` is what the name was bound to before, and where; `part` what it would be now.
    #[allow(clippy::too_many_arguments)]
    pub fn wrong_rest(
        &mut self,
        callable: &Callable,
        param: &Param,
        name: &str,
        (first, at): (&[Axis], Span),
        part: &[Axis],
        have: &TensorType,
        place: Span,
        sig: &mut Signature,
    ) -> Failed {
        let what = super::operators::sign_of_primitive(&callable.name.text);
        let earlier = sig.places.iter().position(|p| *p == at).filter(|i| sig.tensors[*i].is_some());
        let before = earlier.and_then(|i| sig.tensors[i]);
        let row = |a: &[Axis], b: &[Axis]| {
            a.len() > b.len() && a[..b.len()].iter().zip(b).all(|(x, y)| self.agree(&x.dim, &y.dim))
        };
        // Logits that are still images: the mistake is where their last axis was taken for all of them.
        if let Some(v) = before
            && row(first, part)
            && let Some(missing) = self.last_axis_only(v)
        {
            let told = format!("`{what}` wants one row for each of these: {have}");
            return self.missing_flatten(&missing, (place, told));
        }
        let expected = match &param.ty.as_ref().map(|t| &t.kind) {
            Some(TypeKind::Tensor { axes, .. }) => self.expand_axes(axes, sig).ok().flatten(),
            _ => None,
        };
        let wanted: Option<Vec<Dim>> = expected.and_then(|e| e.into_iter().collect());
        let message = match wanted.filter(|w| *w != have.dims()) {
            Some(wanted) => {
                let (wanted, have) = (listed(&wanted), listed(&have.dims()));
                format!("`{what}` wants {wanted} for `{}`, this is {have}", param.name.text)
            }
            None => {
                let (wanted, have) = (listed(&dims(first)), listed(&dims(part)));
                format!("`{what}` wants {wanted} for the other axes of `{}`, these are {have}", param.name.text)
            }
        };
        let mut d = Diagnostic::error("E0302", place, message).says(format!("{have}"));
        d = match (earlier.map(|i| &callable.inputs[i].name.text), before) {
            (Some(other), Some(v)) => d.label(at, format!("`{other}` is {}", self.ty(v))),
            _ => d.label(at, format!("`{name}` is {}", listed(&dims(first)))),
        };
        if first.len() == part.len() {
            let off: Vec<&Axis> =
                part.iter().zip(first).filter(|(a, b)| !self.agree(&a.dim, &b.dim)).flat_map(|(a, b)| [a, b]).collect();
            d = self.with_story(d, &off);
        }
        d.help = self.rest_help(callable, (first, at), part, place, before.map(|v| self.ty(v).clone()));
        self.fail(d)
    }

    /// Values that go up to a bound that is above what there is room for: `have` above `limit`.
    pub fn too_large(
        &mut self,
        callable: &Callable,
        bound: &Expr,
        (have, limit): (&Dim, &Dim),
        v: ValueId,
        place: Span,
        (span, sig): (Span, &Signature),
    ) -> Failed {
        let what = &callable.name.text;
        let name = self.quote(bound.span);
        let mut d = Diagnostic::error("E0404", place, format!("`{what}` has room for {limit} values, {have} can come"))
            .says(format!("{}: values from 0 to {}", self.ty(v), have.sub(&Dim::constant(1))));
        if let Some((field, at)) = self.field_of(v).filter(|(_, at)| *at != place) {
            d = d.label(at, format!("`{field}` goes up to {}", have.sub(&Dim::constant(1))));
        }
        let axis = sig.dims.get(&name).cloned();
        d = match &axis {
            Some((axis, at)) => {
                let d = d.label(*at, format!("{limit} of them: `{name}` is {limit}"));
                self.with_story(d, &[axis])
            }
            // A layer's own setting.
            None if sig.env.get(&name).is_some() && span != place && !self.in_library(span) => {
                let head = super::order::head_of(self.program.sources.text(span), span);
                d.label(head, format!("`{name}` is {limit}"))
            }
            None => d,
        };
        let swapped =
            callable.statics.iter().flatten().find(
                |p| matches!(sig.env.get(p.name.text), Some(super::value::Value::Int(n)) if self.surely(n, have)),
            );
        let by = axis.and_then(|(axis, _)| self.history.get(axis.origin)).map(|o| self.told(&o.text));
        let applied = by.and_then(|t| Some(t.rsplit_once("of `")?.1.trim_end_matches('`').to_string()));
        d = d.help(match (swapped, applied) {
            (Some(other), _) => format!("`{name}` comes before `{}`: swap the two", other.name.text),
            (None, Some(layer)) => format!("make `{layer}` give {have} instead of {limit}"),
            (None, None) => format!("make `{name}` {have} instead of {limit}"),
        });
        self.fail(d)
    }

    /// The field of the data that a value is, unchanged but for where its elements stand.
    fn field_of(&self, v: ValueId) -> Option<(String, Span)> {
        let mut at = v;
        loop {
            let node = self.body.node(at);
            match &node.op {
                Op::Input(name) => return Some((name.to_string(), node.span)),
                _ => at = *node.args.iter().find(|a| self.ty(**a).below == self.ty(v).below && a.0 < at.0)?,
            }
        }
    }

    fn rest_help(
        &mut self,
        callable: &Callable,
        (first, at): (&[Axis], Span),
        part: &[Axis],
        place: Span,
        before: Option<TensorType>,
    ) -> Option<String> {
        let (one, two) = (self.quote(at), self.quote(place));
        let ends_in_one =
            |a: &[Axis], b: &[Axis]| a.len() == b.len() + 1 && a.last().is_some_and(|x| x.dim == Dim::constant(1));
        if ends_in_one(first, part) {
            return Some(format!("drop the axis of size 1: `squeeze({one}, axis: -1)`"));
        }
        if ends_in_one(part, first) {
            return Some(format!("drop the axis of size 1: `squeeze({two}, axis: -1)`"));
        }
        let size = |a: &[Axis]| a.iter().fold(Dim::constant(1), |n, x| n.mul(&x.dim));
        if first.len() != part.len() && size(first) == size(part) {
            return Some(format!("the elements are the same: write `reshape({two}, {})`", listed(&dims(first))));
        }
        // Classes in the second axis, as other frameworks have them for images.
        if let Some(logits) =
            before.filter(|b| b.rank() > 2 && b.rank() == first.len() + 1 && first.len() == part.len())
        {
            let moved = logits.shape.without(1).with(logits.rank() - 1, logits.shape[1].clone());
            if moved[..part.len()].iter().zip(part).all(|(a, b)| self.agree(&a.dim, &b.dim)) {
                let names = &["h", "w", "d", "e"][..(logits.rank() - 2).min(4)];
                let axes = names.join(" ");
                return Some(format!(
                    "the classes are the last axis here: ``rearrange({one}, `b c {axes} -> b {axes} c`)``"
                ));
            }
        }
        if first.len() == part.len() + 1 && callable.name.text.contains("binary") {
            let n = &first[first.len() - 1].dim;
            return Some(format!(
                "for one class out of {n}, `cross_entropy` is the loss; for yes or no, the head has one output"
            ));
        }
        if first.len() == part.len() + 1 {
            let n = &first[first.len() - 1].dim;
            return Some(format!(
                "there are {n} numbers for each one here: take one of them, `x[.., 0]`, or reduce them"
            ));
        }
        if part.len() == first.len() + 1 {
            return Some("reduce or index one axis away: `x[:, -1]`, `mean(x, axis: 1)`".into());
        }
        None
    }
}
