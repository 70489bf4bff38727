//! Types that are written down: results of bodies held against them, and declarations inside bodies.

use super::compare::Verdict;
use super::elab::{Elab, Res};
use super::history::Text;
use super::signature::{CLASSES, Signature};
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::source::Span;
use crate::syntax::ast::{AxisExpr, Callable, Expr, ExprKind, Name, ResultType, StmtKind, TypeExpr, TypeKind};
use crate::types::{Axis, DType, TensorType};
use crate::word::Word;
use std::sync::Arc;

impl Elab {
    /// The value of a body against the declared type of the result.
    pub fn fit_result(&mut self, callable: &Callable, ty: &TypeExpr, sig: &mut Signature, value: Value) -> Res<Value> {
        let TypeKind::Tensor { dtype, axes, below } = &ty.kind else { return Ok(value) };
        let place = self.last_of(callable);
        let want = match DType::from_name(&dtype.text) {
            Some(d) => Some(d),
            None => match sig.env.get(dtype.text) {
                Some(Value::DType(d)) => Some(*d),
                _ => sig.classes.get(dtype.text).map(|(d, _)| *d),
            },
        };
        let v = self.tensor(&value, want, place)?;
        let have = self.ty(v).clone();
        if let Some(want) = want.filter(|w| *w != have.dtype) {
            let d = Diagnostic::error(
                "E0309",
                place,
                format!("`{}` declares a result of {want}, its body gives {}", callable.name.text, have.dtype),
            )
            .says(format!("{have}"))
            .label(ty.span, "declared here")
            .help(format!("convert the result, `{want}(…)`, or declare {}", have.dtype));
            return Err(self.fail(d));
        }
        if axes.iter().any(|a| matches!(a, AxisExpr::Rest(e) if !matches!(&*e.kind, ExprKind::Name(_)))) {
            return Ok(Value::Tensor(v));
        }
        let want = self.expand_axes(axes, sig)?;
        let fits = want.as_ref().is_none_or(|want| {
            want.len() == have.rank()
                && want.iter().zip(&have.shape).all(|(w, h)| w.as_ref().is_none_or(|w| self.agree(w, &h.dim)))
        });
        if !fits {
            return Err(self.wrong_result(callable, ty, &want.unwrap_or_default(), v, place));
        }
        if let Some(bound) = below {
            let mut env = sig.env.clone();
            let limit = self.eval(&mut env, bound)?;
            let limit = self.dim_of(&limit, bound.span)?;
            self.body.nodes[v.0 as usize].ty.below = Some(limit);
        }
        Ok(Value::Tensor(v))
    }

    /// Declared axes as sizes, `None` for a variable that nothing has bound. `None` as a whole where
    /// an unbound rest stands in it.
    pub fn expand_axes(&mut self, axes: &[AxisExpr], sig: &mut Signature) -> Res<Option<Vec<Option<Dim>>>> {
        let mut out = Vec::new();
        for axis in axes {
            match axis {
                AxisExpr::Rest(e) => {
                    let ExprKind::Name(name) = &*e.kind else { return Ok(None) };
                    if let Some((part, _)) = sig.rests.get(name) {
                        out.extend(part.iter().map(|a| Some(a.dim.clone())));
                    } else if let Some(Value::List(items)) = sig.env.get(name).cloned() {
                        for item in items.iter() {
                            out.push(Some(self.dim_of(item, e.span)?));
                        }
                    } else {
                        return Ok(None);
                    }
                }
                AxisExpr::Dim(e) => {
                    if let ExprKind::Name(name) = &*e.kind
                        && sig.env.get(name).is_none()
                        && !self.is_constant(sig, *name)
                    {
                        out.push(None);
                        continue;
                    }
                    let mut env = sig.env.clone();
                    let value = self.eval(&mut env, e)?;
                    out.push(Some(self.dim_of(&value, e.span)?));
                }
            }
        }
        Ok(Some(out))
    }

    /// The type that a declaration inside a body writes down: `param w: float[I, units]`, `let x: f32[B]`.
    pub fn written_type(&mut self, env: &Env, ty: &TypeExpr) -> Res<TensorType> {
        let TypeKind::Tensor { dtype, axes, below } = &ty.kind else {
            return self.error("E0402", ty.span, "a tensor's type is wanted, `f32[B, 10]`");
        };
        let element = match (DType::from_name(&dtype.text), env.get(dtype.text)) {
            (Some(d), _) => d,
            (None, Some(Value::DType(d))) => *d,
            (None, _) => match dtype.text.as_str() {
                "float" | "number" | "any" => self.float(),
                "int" => DType::I32,
                other => {
                    let names = DType::ALL.iter().map(|(_, n)| *n).chain(CLASSES);
                    let near = super::near(other, names);
                    let mut d = Diagnostic::error("E0201", dtype.span, format!("there is no dtype `{other}`"));
                    if let Some(near) = near {
                        d = d.help(format!("did you mean `{near}`?"));
                    }
                    return Err(self.fail(d));
                }
            },
        };
        let mut shape = Vec::new();
        let mut env = env.clone();
        for axis in axes {
            let (e, rest) = match axis {
                AxisExpr::Rest(e) => (e, true),
                AxisExpr::Dim(e) => (e, false),
            };
            let value = self.eval(&mut env, e)?;
            let parts = match (&value, rest) {
                (Value::List(items), true) => items.to_vec(),
                (_, true) => return self.error("E0402", e.span, "`..` wants a shape"),
                _ => vec![value],
            };
            for part in parts {
                let dim = self.dim_of(&part, e.span)?;
                if self.at_most(&Dim::constant(1), &dim) == Verdict::Refuted {
                    let told = self.quote(e.span);
                    return self.error("E0310", e.span, format!("a size is at least 1, `{told}` is {dim}"));
                }
                shape.push(self.declared_axis(dim, e));
            }
        }
        let below = match below {
            Some(e) => {
                let value = self.eval(&mut env, e)?;
                Some(self.dim_of(&value, e.span)?)
            }
            None => None,
        };
        Ok(TensorType { dtype: element, shape: shape.into(), below })
    }

    /// An axis that a declaration introduces, with that as its history.
    pub fn declared_axis(&mut self, dim: Dim, e: &Expr) -> Axis {
        let place = self.user_span(e.span);
        // In a body that is checked by itself nothing is applied.
        let head = self.frames.last().and_then(|f| f.callable).map(|id| self.program.callable(id).callable.head);
        let applied = self.frames.last().filter(|f| Some(f.call) != head);
        let call = applied.map(|f| f.call);
        let named = |name: Word| match &*e.kind {
            ExprKind::Name(n) => *n == name,
            ExprKind::Int(_) => false,
            _ => super::shape_errors::words(self.program.sources.text(e.span)).any(|w| name == *w),
        };
        let dims = self.frames.last().map_or(&[][..], |f| &f.dims);
        let mut parents: Vec<_> = dims.iter().filter(|(n, _)| named(*n)).map(|(_, a)| a.origin).collect();
        parents.sort_unstable();
        let origin = self.history.add(Text::Declared(dim.clone(), e.span, call), place, parents);
        Axis { dim, origin }
    }

    /// `let x: f32[B, 10] = …`
    pub fn ascribe(&mut self, env: &Env, name: &Name, ty: &TypeExpr, value: Value, span: Span) -> Res<Value> {
        let TypeKind::Tensor { .. } = &ty.kind else { return Ok(value) };
        let want = self.written_type(env, ty)?;
        let v = self.tensor(&value, Some(want.dtype), span)?;
        let have = self.ty(v).clone();
        let fits = have.dtype == want.dtype
            && have.rank() == want.rank()
            && have.shape.iter().zip(&want.shape).all(|(a, b)| self.agree(&a.dim, &b.dim));
        if !fits {
            let d =
                Diagnostic::error("E0309", span, format!("`{}` is declared {want}, its value is {have}", name.text))
                    .label(ty.span, "declared here");
            return Err(self.fail(d));
        }
        Ok(Value::Tensor(v))
    }

    /// Holds a value against the declared result.
    pub fn check_result(
        &mut self,
        callable: &Callable,
        result: &ResultType,
        sig: &mut Signature,
        value: Value,
    ) -> Res<Value> {
        match result {
            ResultType::One(ty) => self.fit_result(callable, ty, sig, value),
            ResultType::Named(parts) => {
                let values: Vec<Value> = match &value {
                    Value::Tuple(items) => items.to_vec(),
                    Value::Named(items) => items.iter().map(|(_, v)| v.clone()).collect(),
                    other => vec![other.clone()],
                };
                if values.len() != parts.len() {
                    let place = self.last_of(callable);
                    let d = Diagnostic::error(
                        "E0309",
                        place,
                        format!(
                            "`{}` declares {} results, its body gives {}",
                            callable.name.text,
                            parts.len(),
                            values.len()
                        ),
                    )
                    .label(callable.head, "declared here");
                    return Err(self.fail(d));
                }
                let mut out = Vec::new();
                for (part, value) in parts.iter().zip(values) {
                    let value = match &part.ty {
                        Some(ty) => self.fit_result(callable, ty, sig, value)?,
                        None => value,
                    };
                    out.push((part.name.text, value));
                }
                Ok(Value::Named(Arc::new(out)))
            }
        }
    }

    /// The place of a body's last expression.
    pub fn last_of(&self, callable: &Callable) -> Span {
        let last = callable.body.as_ref().and_then(|b| b.statements.last());
        last.map_or(callable.head, |s| match &s.kind {
            // Of a pipeline, its last step.
            StmtKind::Expr(Expr { kind, .. }) => match &**kind {
                ExprKind::Pipe(_, right) => right.span,
                _ => s.span,
            },
            _ => s.span,
        })
    }
}
