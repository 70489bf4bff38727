//! Applying a primitive: its signature is its shape rule, its static arguments become attributes.

use super::apply::Argument;
use super::elab::{Elab, Failed, Res};
use super::history::Text;
use super::operators::static_math;
use super::rules;
use super::signature::{CLASSES, Signature};
use super::value::{CallableId, Env, Value};
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::{Attr, Attrs, ValueId};
use crate::source::Span;
use crate::syntax::ast::{AxisExpr, Callable, Expr, ExprKind, Param, ResultType, TypeExpr, TypeKind};
use crate::types::{Axis, DType, TensorType};
use crate::word::{Word, word};

impl Elab {
    pub fn apply_primitive(&mut self, id: CallableId, args: Vec<Argument>, at: Span, span: Span) -> Res<Value> {
        let program = self.program.clone();
        let declared = program.callable(id);
        let callable = &declared.callable;
        // Static values alone are worked out now.
        if args.iter().any(|a| matches!(a.value, Value::Opaque))
            && args.iter().all(|a| a.value.is_number() || matches!(a.value, Value::Opaque))
        {
            return Ok(Value::Opaque);
        }
        if !args.is_empty() && args.iter().all(|a| a.value.is_number() && a.name.is_none()) {
            let numbers: Option<Vec<f64>> = args.iter().map(|a| self.known_number(&a.value)).collect();
            if let Some(x) = numbers.and_then(|x| static_math(&callable.name.text, &x)) {
                return Ok(Value::Float(x));
            }
            if self.generic && static_math(&callable.name.text, &vec![1.0; args.len()]).is_some() {
                return Ok(Value::Opaque);
            }
        }
        if let Some(plain) = program.plain(id)
            && let Some(applied) = self.apply_plain(plain, callable, &args, span)
        {
            return applied;
        }
        let sig = self.bind(callable, &callable.inputs, args, Env::new(declared.file), span, true)?;
        let v = self.emit_primitive(callable, sig, at, span)?;
        Ok(Value::Tensor(v))
    }

    fn emit_primitive(&mut self, callable: &Callable, mut sig: Signature, at: Span, span: Span) -> Res<ValueId> {
        let Some(ResultType::One(result)) = &callable.result else { return Err(Failed) };
        let ty = self.primitive_result(callable, result, &mut sig, at, span)?;
        let mut args = Vec::new();
        for (param, tensor) in callable.inputs.iter().zip(&sig.tensors) {
            match (tensor, sig.env.get(param.name.text)) {
                (Some(v), _) => args.push(*v),
                (None, Some(Value::List(items))) if super::signature::is_tensor_list(param) => {
                    args.extend(items.iter().filter_map(|v| if let Value::Tensor(v) = v { Some(*v) } else { None }));
                }
                _ => {}
            }
        }
        self.can_be(&callable.name.text, &ty.shape, span)?;
        let attrs = self.attributes(callable, &sig, span)?;
        let ty = TensorType { below: ty.below.clone().or_else(|| self.kept_bound(callable, &args, ty.dtype)), ..ty };
        Ok(self.primitive(callable.name.text, attrs, args, ty, span))
    }

    /// Refuses a tensor that is too large for any machine, and one with an axis of no size.
    pub fn can_be(&mut self, what: &str, shape: &[Axis], span: Span) -> Res<()> {
        for axis in shape.iter().filter(|a| a.dim.as_constant().is_some_and(|n| n < 1)) {
            self.positive(&axis.dim, &axis.dim.to_string(), span)?;
        }
        let known = shape.iter().filter_map(|a| a.dim.as_constant()).map(|n| n as f64);
        if known.product::<f64>() <= 2f64.powi(50) && shape.iter().all(|a| a.dim.fits()) {
            return Ok(());
        }
        let sizes: Vec<String> = shape.iter().map(|a| a.dim.to_string()).collect();
        let d = Diagnostic::error("E0111", span, format!("`{what}` would give too large a tensor"))
            .says(format!("[{}]", sizes.join(", ")));
        let d = self.with_story(d, &shape.iter().collect::<Vec<_>>());
        Err(self.fail(d))
    }

    /// A primitive that only moves elements (its result has the class `any`) keeps their bound.
    pub fn kept_bound(&self, callable: &Callable, args: &[ValueId], dtype: DType) -> Option<Dim> {
        if !dtype.is_int() {
            return None;
        }
        let Some(ResultType::One(TypeExpr { kind: TypeKind::Tensor { dtype: class, .. }, .. })) = &callable.result
        else {
            return None;
        };
        let moves = class.text == "any"
            || (callable.name.text == "cast" && args.first().is_some_and(|v| self.ty(*v).dtype.is_int()));
        if !moves {
            return None;
        }
        let mut most: Option<Dim> = None;
        let movers = args.iter().zip(callable.inputs.iter().cycle()).filter(|(_, p)| !matches!(&p.ty, Some(TypeExpr { kind: TypeKind::Tensor { dtype, .. }, .. }) if dtype.text == "int" || dtype.text == "bool"));
        for (v, _) in movers {
            let bound = self.ty(*v).below.clone()?;
            most = Some(match most {
                Some(m) if self.at_most(&bound, &m) == super::compare::Verdict::Proved => m,
                Some(m) if self.at_most(&m, &bound) != super::compare::Verdict::Proved => return None,
                _ => bound,
            });
        }
        most
    }

    /// The static arguments as attributes, in the order of the declaration.
    fn attributes(&mut self, callable: &Callable, sig: &Signature, span: Span) -> Res<Attrs> {
        let mut attrs = Attrs::new();
        for param in callable.inputs.iter().filter(|p| is_static(p)) {
            let name = param.name.text;
            let value = if name == word!("key") {
                Value::int(self.draw_key(&callable.name.text))
            } else {
                sig.env.get(name).cloned().unwrap_or(Value::Unknown)
            };
            let attr = match value {
                Value::Int(d) => Attr::Int(d),
                Value::Float(x) => Attr::Float(x),
                Value::Bool(b) => Attr::Bool(b),
                Value::DType(d) => Attr::DType(d),
                Value::Str(s) => Attr::Str(s.to_string()),
                Value::List(items) => {
                    let dims: Option<Vec<Dim>> =
                        items.iter().map(|v| if let Value::Int(d) = v { Some(d.clone()) } else { None }).collect();
                    Attr::Ints(dims.ok_or(Failed)?)
                }
                Value::Opaque | Value::Unknown => return Err(Failed),
                other => {
                    let kind = other.kind();
                    return self.error("E0503", span, format!("`{name}` of `{}` cannot be {kind}", callable.name.text));
                }
            };
            attrs.push((name, attr));
        }
        Ok(attrs)
    }

    /// The identity of a random draw: the instance it stands in, and which draw of it.
    fn draw_key(&mut self, primitive: &str) -> i64 {
        let path = self.scopes.last().map_or_else(Default::default, |s| s.path);
        let n = self.draws.entry(path.to_string()).or_insert(0);
        *n += 1;
        super::stable_hash(&format!("{path}/{primitive}#{n}"))
    }

    /// The type of a primitive's result. A shape rule may put static arguments into normal form.
    fn primitive_result(
        &mut self,
        callable: &Callable,
        result: &TypeExpr,
        sig: &mut Signature,
        at: Span,
        span: Span,
    ) -> Res<TensorType> {
        let TypeKind::Tensor { dtype, axes, below } = &result.kind else { return Err(Failed) };
        let element = match DType::from_name(&dtype.text) {
            Some(d) => d,
            None => match (sig.env.get(dtype.text), sig.classes.get(dtype.text)) {
                (Some(Value::DType(d)), _) => *d,
                (_, Some((d, _))) => *d,
                _ if CLASSES.contains(&dtype.text.as_str()) => {
                    self.list_dtype(callable, sig).unwrap_or_else(|| self.float())
                }
                _ => return Err(Failed),
            },
        };
        let mut shape = Vec::new();
        for axis in axes {
            match axis {
                AxisExpr::Rest(e) => self.rest_result(callable, e, sig, at, span, &mut shape)?,
                AxisExpr::Dim(e) => {
                    let axis = self.axis_result(e, sig, span)?;
                    shape.push(axis);
                }
            }
        }
        let below = match below {
            Some(e) => {
                let mut env = sig.env.clone();
                let value = self.eval(&mut env, e)?;
                Some(self.dim_of(&value, e.span)?)
            }
            None => None,
        };
        Ok(TensorType { dtype: element, shape: shape.into(), below })
    }

    fn list_dtype(&self, callable: &Callable, sig: &Signature) -> Option<DType> {
        callable.inputs.iter().find_map(|p| match sig.env.get(p.name.text) {
            Some(Value::List(items)) => {
                items.iter().find_map(|v| if let Value::Tensor(v) = v { Some(self.ty(*v).dtype) } else { None })
            }
            _ => None,
        })
    }

    fn rest_result(
        &mut self,
        callable: &Callable,
        e: &Expr,
        sig: &mut Signature,
        at: Span,
        span: Span,
        shape: &mut Vec<Axis>,
    ) -> Res<()> {
        match &*e.kind {
            ExprKind::Name(name) => {
                if let Some((part, _)) = sig.rests.get(name) {
                    shape.extend(part.iter().cloned());
                    return Ok(());
                }
                let Some(Value::List(items)) = sig.env.get(name).cloned() else { return Err(Failed) };
                let user = self.user_span(span);
                // Sizes that are given come from the axes at the same places of the first argument, counted from the
                // end: a transposed convolution of an image.
                let first = sig.tensors.iter().flatten().next().map(|v| self.ty(*v).shape.clone()).unwrap_or_default();
                for (i, item) in items.iter().enumerate() {
                    let dim = self.dim_of(item, span)?;
                    self.positive(&dim, &dim.to_string(), span)?;
                    let source = (first.len() + i).checked_sub(items.len()).and_then(|k| first.get(k));
                    let source = source.filter(|_| first.len() > items.len()).map(|a| a.origin);
                    let origin = source.map_or(Default::default(), |source| {
                        self.history.add(Text::From(dim.to_string(), user), user, vec![source])
                    });
                    shape.push(Axis { dim, origin });
                }
                Ok(())
            }
            ExprKind::Call(name, args) => {
                let ExprKind::Name(rule) = &*name.kind else { return Err(Failed) };
                let Some(rule) = rules::find(rule) else {
                    return self.error("E0201", name.span, format!("there is no shape rule `{rule}`"));
                };
                let names: Vec<Word> = args
                    .iter()
                    .filter_map(|a| if let ExprKind::Name(n) = &*a.value.kind { Some(*n) } else { None })
                    .collect();
                let place = rules::Place { primitive: &callable.name.text, at, span };
                let axes = rule(self, sig, &names, &place)?;
                shape.extend(axes);
                Ok(())
            }
            _ => Err(Failed),
        }
    }

    /// A size of the result: a dimension variable keeps its history, an expression adds to it.
    fn axis_result(&mut self, e: &Expr, sig: &Signature, span: Span) -> Res<Axis> {
        if let ExprKind::Name(name) = &*e.kind
            && let Some((axis, _)) = sig.dims.get(name)
        {
            return Ok(axis.clone());
        }
        let mut env = sig.env.clone();
        let value = self.eval(&mut env, e)?;
        let dim = self.dim_of(&value, span)?;
        let told = self.arithmetic(&env, e);
        self.positive(&dim, &told, span)?;
        let user = self.user_span(span);
        // What the same application brought along, its kernel, is told by the application.
        let used = |name: &str| super::shape_errors::words(self.program.sources.text(e.span)).any(|w| w == name);
        let mut parents: Vec<_> = sig.dims.iter().filter(|(name, _)| used(name)).map(|(_, (a, _))| a.origin).collect();
        parents.retain(|p| self.history.place(*p) != Some(user));
        parents.sort_unstable();
        let text = if told == dim.to_string() { told } else { format!("{dim} = {told}") };
        let origin = self.history.add(Text::From(text, user), user, parents);
        Ok(Axis { dim, origin })
    }

    pub fn positive(&mut self, dim: &Dim, told: &str, span: Span) -> Res<()> {
        if self.at_most(&Dim::constant(1), dim) != super::compare::Verdict::Refuted {
            return Ok(());
        }
        let mut d = Diagnostic::error("E0310", span, format!("this would give an axis of size {dim}"))
            .note("a size is at least 1");
        if told != dim.to_string() {
            d = d.note(format!("{dim} = {told}"));
        }
        Err(self.fail(d))
    }

    /// An expression with its names replaced by their values, `(26 - 2) / 2 + 1`.
    pub fn arithmetic(&self, env: &Env, e: &Expr) -> String {
        let text = self.program.sources.text(e.span).to_string();
        let mut out = String::new();
        let mut word = String::new();
        for c in text.chars().chain([' ']) {
            if c.is_alphanumeric() || c == '_' {
                word.push(c);
                continue;
            }
            if !word.is_empty() {
                match env.get(&word) {
                    Some(Value::Int(d)) if d.as_constant().is_some() || d.as_var().is_some() => {
                        out.push_str(&d.to_string())
                    }
                    Some(Value::Int(d)) => out.push_str(&format!("({d})")),
                    _ => out.push_str(&word),
                }
                word.clear();
            }
            out.push(c);
        }
        // `+ 2 * 0` says nothing.
        out.trim_end().replace(" + 2 * 0", "")
    }
}

/// True for a parameter that becomes an attribute.
pub(super) fn is_static(param: &Param) -> bool {
    match &param.ty {
        Some(TypeExpr { kind: TypeKind::Word(_), .. }) => true,
        Some(TypeExpr { kind: TypeKind::List(inner), .. }) => matches!(inner.kind, TypeKind::Word(_)),
        _ => false,
    }
}
