//! `x[:, 0]`, `x[.., -1]`, `x[:, 2:8]`, `table[ids]`, `list[i]`.

use super::compare::Verdict;
use super::elab::{Elab, Failed, Res};
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::Attr;
use crate::source::Span;
use crate::syntax::ast::{Expr, IndexItem};
use crate::types::{Axis, TensorType};

impl Elab {
    fn list_element(&mut self, env: &mut Env, list: &[Value], e: &Expr) -> Res<Value> {
        let at = self.eval(env, e)?;
        let n = self.whole(&at, e.span)?;
        let i = if n < 0 { n + list.len() as i64 } else { n };
        match usize::try_from(i).ok().and_then(|i| list.get(i)) {
            Some(v) => Ok(v.clone()),
            None => self.error("E0307", e.span, format!("a list of {} has no element {n}", list.len())),
        }
    }

    /// An end of a slice of a list: from 0 to its length, negative ones counted from the end.
    fn list_bound(&mut self, env: &mut Env, len: usize, e: &Expr) -> Res<usize> {
        let at = self.eval(env, e)?;
        let n = self.whole(&at, e.span)?;
        let i = if n < 0 { n + len as i64 } else { n };
        match usize::try_from(i) {
            Ok(i) if i <= len => Ok(i),
            _ => self.error("E0308", e.span, format!("a list of {len} cannot be cut at {n}")),
        }
    }

    pub fn index(&mut self, env: &mut Env, value: Value, items: &[IndexItem], span: Span) -> Res<Value> {
        let value = match value {
            Value::Named(results) => Value::list(results.iter().map(|(_, v)| v.clone()).collect()),
            other => other,
        };
        match &value {
            Value::List(list) | Value::Tuple(list) => {
                let list = list.clone();
                match items {
                    [IndexItem::At(e)] => self.list_element(env, &list, e),
                    [IndexItem::Slice(from, to, _)] => {
                        let mut bound = |e: &Option<Expr>, default: usize| match e {
                            Some(e) => self.list_bound(env, list.len(), e),
                            None => Ok(default),
                        };
                        let (from, to) = (bound(from, 0)?, bound(to, list.len())?);
                        Ok(Value::list(list.get(from..to).unwrap_or_default().to_vec()))
                    }
                    _ => self.error("E0503", span, "a list has one axis: `list[2]`, `list[1:]`"),
                }
            }
            Value::Tensor(v) => {
                let v = *v;
                self.index_tensor(env, v, items, span)
            }
            Value::Opaque | Value::Unknown => Err(Failed),
            other => {
                let kind = other.kind();
                self.error("E0402", span, format!("{kind} cannot be indexed"))
            }
        }
    }

    fn index_tensor(&mut self, env: &mut Env, v: crate::model::ValueId, items: &[IndexItem], span: Span) -> Res<Value> {
        let ty = self.ty(v).clone();
        let named = items.iter().filter(|i| !matches!(i, IndexItem::Rest(_))).count();
        if let [IndexItem::At(e)] = items {
            let at = self.eval(env, e)?;
            if let Value::Tensor(_) = at {
                return self.call_primitive("gather", vec![Value::Tensor(v), at], span);
            }
        }
        if named > ty.rank() {
            let d = Diagnostic::error(
                "E0307",
                span,
                format!("{named} axes are indexed, the tensor has rank {}", ty.rank()),
            )
            .note(format!("it is {ty}"));
            return Err(self.fail(d));
        }
        let gap = items.iter().position(|i| matches!(i, IndexItem::Rest(_)));
        if items.iter().filter(|i| matches!(i, IndexItem::Rest(_))).count() > 1 {
            return self.error("E0307", span, "`..` stands once in an index");
        }
        let mut starts = vec![Dim::default(); ty.rank()];
        let mut stops = ty.dims();
        let mut shape: Vec<Option<Axis>> = ty.shape.iter().cloned().map(Some).collect();
        for (i, item) in items.iter().enumerate() {
            let axis = match gap {
                Some(g) if i > g => ty.rank() - (items.len() - i),
                _ => i,
            };
            match item {
                IndexItem::Rest(_) => {}
                IndexItem::At(e) => {
                    let (start, stop) = self.one_index(env, e, &ty, axis)?;
                    (starts[axis], stops[axis]) = (start, stop);
                    shape[axis] = None;
                }
                IndexItem::Slice(from, to, place) => {
                    let whole = ty.shape[axis].clone();
                    let from = self.slice_end(env, from.as_ref(), &whole.dim, Dim::default())?;
                    let to = self.slice_end(env, to.as_ref(), &whole.dim, whole.dim.clone())?;
                    self.slice_fits(&from, &to, &whole, *place)?;
                    let dim = to.sub(&from);
                    if dim != whole.dim {
                        let by = self.quote(span);
                        let origin = self.history.add(
                            format!("{dim} of {}, from `{by}`", whole.dim),
                            *place,
                            vec![whole.origin],
                        );
                        shape[axis] = Some(Axis { dim, origin });
                    }
                    (starts[axis], stops[axis]) = (from, to);
                }
            }
        }
        let one = |a: &Option<Axis>| a.clone().unwrap_or(Axis { dim: Dim::constant(1), origin: Default::default() });
        let sliced = TensorType { dtype: ty.dtype, shape: shape.iter().map(one).collect(), below: ty.below.clone() };
        let attrs = vec![("starts".into(), Attr::Ints(starts)), ("stops".into(), Attr::Ints(stops))];
        let part = if sliced.shape == ty.shape { v } else { self.primitive("slice", attrs, vec![v], sliced, span) };
        Ok(Value::Tensor(self.reshape_to(part, shape.into_iter().flatten().collect(), span)))
    }

    /// One element along an axis: the slice that holds it.
    fn one_index(&mut self, env: &mut Env, e: &Expr, ty: &TensorType, axis: usize) -> Res<(Dim, Dim)> {
        let size = ty.shape[axis].dim.clone();
        let at = match self.eval(env, e)? {
            Value::Int(d) => d,
            Value::Opaque => return Err(Failed),
            Value::Tensor(_) => {
                let d = Diagnostic::error(
                    "E0604",
                    e.span,
                    "a tensor as one of several indices is not available in this version",
                )
                .help("`table[ids]` takes rows; `pick(x, ids)` takes one element of each row");
                return Err(self.fail(d));
            }
            other => {
                let kind = other.kind();
                return self.error("E0503", e.span, format!("an index is an int or an integer tensor, this is {kind}"));
            }
        };
        let start = if at.as_constant().is_some_and(|n| n < 0) { size.add(&at) } else { at.clone() };
        let stop = start.add(&Dim::constant(1));
        let within = |v: Verdict| v == Verdict::Proved || (v == Verdict::Undecided && self.generic);
        if !within(self.at_most(&Dim::default(), &start)) || !within(self.at_most(&stop, &size)) {
            let mut d = Diagnostic::error("E0308", e.span, format!("index {at} is outside an axis of size {size}"))
                .says(format!("axis {axis} of {ty}"));
            d = self.with_story(d, &[&ty.shape[axis]]);
            if let Some(n) = size.as_constant() {
                d = d.help(format!("it is counted from 0 to {}; `-1` is the last", n - 1));
            }
            return Err(self.fail(d));
        }
        Ok((start, stop))
    }

    fn slice_end(&mut self, env: &mut Env, e: Option<&Expr>, size: &Dim, default: Dim) -> Res<Dim> {
        let Some(e) = e else { return Ok(default) };
        let value = self.eval(env, e)?;
        let d = self.dim_of(&value, e.span)?;
        Ok(if d.as_constant().is_some_and(|n| n < 0) { size.add(&d) } else { d })
    }

    fn slice_fits(&mut self, from: &Dim, to: &Dim, whole: &Axis, place: Span) -> Res<()> {
        let checks = [
            (Dim::default(), from.clone()),
            (from.add(&Dim::constant(1)), to.clone()),
            (to.clone(), whole.dim.clone()),
        ];
        for (low, high) in checks {
            let verdict = self.at_most(&low, &high);
            if verdict == Verdict::Proved || (verdict == Verdict::Undecided && self.generic) {
                continue;
            }
            let mut d = Diagnostic::error(
                "E0308",
                place,
                format!("the slice {from}:{to} does not fit an axis of size {}", whole.dim),
            )
            .says(format!("of an axis of size {}", whole.dim));
            if verdict == Verdict::Undecided {
                d = d.note("a slice must be known to fit, for every size that can come");
            }
            for line in self.story(whole.origin) {
                d = d.note(line);
            }
            return Err(self.fail(d));
        }
        Ok(())
    }
}
