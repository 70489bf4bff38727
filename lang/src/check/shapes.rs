//! Declared shapes against actual ones: dimension variables, rest shapes, bounds.

use super::compare::Verdict;
use super::elab::{Elab, Failed, Res};
use super::program::Global;
use super::signature::Signature;
use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::ValueId;
use crate::source::Span;
use crate::syntax::ast::{AxisExpr, Callable, Expr, ExprKind, Param, TypeExpr, TypeKind};
use crate::types::{Shape, TensorType};
use crate::word::Word;

impl Elab {
    #[allow(clippy::too_many_arguments)]
    pub fn bind_shape(
        &mut self,
        callable: &Callable,
        param: &Param,
        ty: &TypeExpr,
        v: ValueId,
        place: Span,
        span: Span,
        sig: &mut Signature,
    ) -> Res<()> {
        let TypeKind::Tensor { axes, below, .. } = &ty.kind else { return Err(Failed) };
        let have = self.ty(v).clone();
        // How many axes each declared one stands for: a rest that is bound has its length, one that is
        // not takes what is left.
        let known = |a: &AxisExpr| match a {
            AxisExpr::Dim(_) => Some(1),
            AxisExpr::Rest(e) => match &*e.kind {
                ExprKind::Name(n) => sig.rests.get(n).map(|(part, _)| part.len()),
                _ => None,
            },
        };
        let mut lengths: Vec<Option<usize>> = axes.iter().map(known).collect();
        if lengths.iter().all(Option::is_some) && lengths.iter().flatten().sum::<usize>() != have.rank() {
            // A rest of another length than before is told as such, and not as a wrong rank.
            if let Some(i) = axes.iter().position(|a| matches!(a, AxisExpr::Rest(_))) {
                lengths[i] = None;
            }
        }
        let fixed: usize = lengths.iter().flatten().sum();
        let open = lengths.iter().filter(|l| l.is_none()).count();
        if have.rank() < fixed || (open == 0 && have.rank() != fixed) {
            return Err(self.wrong_rank(callable, param, ty, &have, place, span));
        }
        let left = have.rank() - fixed;
        let mut at = 0;
        for (axis, length) in axes.iter().zip(lengths) {
            let n = length.unwrap_or(left);
            match axis {
                AxisExpr::Dim(e) => self.bind_axis(callable, param, ty, e, &have, at, place, sig)?,
                AxisExpr::Rest(e) => {
                    let ExprKind::Name(name) = &*e.kind else {
                        return self.error("E0402", e.span, "an argument's shape is a name after `..`");
                    };
                    let part = if n == have.rank() { have.shape.clone() } else { have.shape[at..at + n].into() };
                    self.bind_rest(callable, param, *name, part, &have, place, sig)?;
                }
            }
            at += n;
        }
        if let Some(bound) = below {
            self.check_bound(callable, bound, v, place, span, sig)?;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    pub fn bind_rest(
        &mut self,
        callable: &Callable,
        param: &Param,
        name: Word,
        part: Shape,
        have: &TensorType,
        place: Span,
        sig: &mut Signature,
    ) -> Res<()> {
        let Some((first, at)) = sig.rests.get(name).cloned() else {
            sig.env.bind(name, Value::dims(part.iter().map(|a| a.dim.clone())), place);
            sig.rests.insert(name, (part, place));
            return Ok(());
        };
        let agree = first == part
            || first.len() == part.len() && first.iter().zip(&part).all(|(a, b)| self.agree(&a.dim, &b.dim));
        if agree {
            return Ok(());
        }
        Err(self.wrong_rest(callable, param, &name, (&first, at), &part, have, place, sig))
    }

    #[allow(clippy::too_many_arguments)]
    pub fn bind_axis(
        &mut self,
        callable: &Callable,
        param: &Param,
        ty: &TypeExpr,
        e: &Expr,
        have: &TensorType,
        at: usize,
        place: Span,
        sig: &mut Signature,
    ) -> Res<()> {
        let axis = have.shape[at].clone();
        if let ExprKind::Name(name) = &*e.kind {
            if let Some((first, first_place)) = sig.dims.get(name).cloned() {
                if self.agree(&first.dim, &axis.dim) {
                    return Ok(());
                }
                let mut d = Diagnostic::error(
                    "E0302",
                    place,
                    format!(
                        "`{}` cannot be applied: `{name}` would be {} and {}",
                        callable.name.text, first.dim, axis.dim
                    ),
                )
                .says(format!("{have}: `{name}` is {}", axis.dim))
                .label(first_place, format!("`{name}` is {}", first.dim));
                d = self.with_declared(d, ty.span, "declared here");
                d = self.with_story(d, &[&axis, &first]);
                let batch = [&first.dim, &axis.dim].into_iter().find(|d| d.as_var().is_some());
                let number = [&first.dim, &axis.dim].into_iter().find(|d| d.as_constant().is_some());
                if let (Some(batch), Some(number)) = (batch, number) {
                    d = d.help(format!("{batch} may be any size: write `{batch}` instead of {number}"));
                }
                return Err(self.fail(d));
            }
            // A `dim` of the user's file is no name in the library's.
            let bound = sig.env.get(*name).is_some() || self.is_constant(sig, *name);
            if !bound {
                sig.env.bind(*name, Value::Int(axis.dim.clone()), place);
                sig.dims.insert(*name, (axis, place));
                return Ok(());
            }
        }
        let want = self.eval(&mut sig.env, e)?;
        let want = self.dim_of(&want, e.span)?;
        if self.agree(&want, &axis.dim) {
            return Ok(());
        }
        Err(self.wrong_size(callable, param, ty, &want, e, have, at, place, sig))
    }

    pub fn is_constant(&self, sig: &Signature, name: Word) -> bool {
        matches!(self.program.lookup(sig.env.file, name), Some(Global::Const(_) | Global::Dim(_)))
    }

    /// An int as a size.
    pub fn dim_of(&mut self, value: &Value, span: Span) -> Res<Dim> {
        match value {
            Value::Int(d) => Ok(d.clone()),
            Value::Opaque | Value::Unknown => Err(Failed),
            other => {
                let kind = other.kind();
                self.error("E0503", span, format!("a size must be an int, this is {kind}"))
            }
        }
    }

    /// Checks `below N` against the bound that the argument is known to have.
    #[allow(clippy::too_many_arguments)]
    pub fn check_bound(
        &mut self,
        callable: &Callable,
        bound: &Expr,
        v: ValueId,
        place: Span,
        span: Span,
        sig: &Signature,
    ) -> Res<()> {
        let mut env = sig.env.clone();
        let limit = self.eval(&mut env, bound)?;
        let limit = self.dim_of(&limit, bound.span)?;
        let Some(have) = self.ty(v).below.clone() else { return Ok(()) };
        if self.at_most(&have, &limit) != Verdict::Refuted {
            return Ok(());
        }
        Err(self.too_large(callable, bound, (&have, &limit), v, place, (span, sig)))
    }
}
