//! Signatures: arguments against declared types, which binds dimension variables, rest shapes and
//! dtype classes; and results against them.

use super::apply::Argument;
use super::elab::{Elab, Failed, Res};
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::ValueId;
use crate::source::Span;
use crate::syntax::ast::{AxisExpr, Callable, CallableKind, Expr, ExprKind, Param, TypeExpr, TypeKind};
use crate::types::{Axis, DType, TensorType};
use std::collections::HashMap;

/// What an application has bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Signature {
    /// Parameters, dimension variables (as ints) and rest shapes (as lists), by name.
    pub env: Env,
    /// Dimension variables with their history and the place that bound them.
    pub dims: HashMap<String, (Axis, Span)>,
    /// Rest shapes.
    pub rests: HashMap<String, (Vec<Axis>, Span)>,
    /// Dtype classes.
    pub classes: HashMap<String, (DType, Span)>,
    /// One per parameter: its tensor, if it is one.
    pub tensors: Vec<Option<ValueId>>,
    /// The places of the tensors' arguments.
    pub places: Vec<Span>,
}

impl Signature {
    /// The dtype of the class `float`, when bound.
    pub fn float(&self) -> Option<DType> {
        let of = |c: &str| self.classes.get(c).map(|(d, _)| *d).filter(|d| d.is_float());
        of("float").or_else(|| of("number")).or_else(|| of("any"))
    }
}

/// The dtype classes.
pub(super) const CLASSES: [&str; 4] = ["float", "int", "number", "any"];

fn class_holds(class: &str, dtype: DType) -> bool {
    match class {
        "float" => dtype.is_float(),
        "int" => dtype.is_int(),
        "number" => dtype != DType::Bool,
        _ => true,
    }
}

/// True for a parameter like `parts: [any[..]]`.
pub(super) fn is_tensor_list(param: &Param) -> bool {
    matches!(&param.ty, Some(TypeExpr { kind: TypeKind::List(inner), .. }) if matches!(inner.kind, TypeKind::Tensor { .. }))
}

fn tensor_type(param: &Param) -> Option<&TypeExpr> {
    param.ty.as_ref().filter(|t| matches!(t.kind, TypeKind::Tensor { .. }))
}

/// The name of the rest shape, for a type that is just `[..S]`.
fn whole_rest(ty: &TypeExpr) -> Option<&str> {
    match &ty.kind {
        TypeKind::Tensor { axes, .. } => match axes.as_slice() {
            [AxisExpr::Rest(e)] => match &*e.kind {
                ExprKind::Name(n) => Some(n),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

impl Elab {
    /// Binds the parameters of the first list of a layer, optimizer or schedule.
    pub fn bind_statics(
        &mut self,
        callable: &Callable,
        params: &[Param],
        slots: Vec<Option<Argument>>,
        env: &mut Env,
        at: Span,
    ) -> Res<()> {
        let mut failed = false;
        for (param, slot) in params.iter().zip(slots) {
            let value = match (slot, &param.default) {
                (Some(arg), _) => self.static_value(callable, param, arg.value, arg.span),
                (None, Some(default)) => {
                    let value = self.eval(env, default);
                    value.and_then(|v| self.static_value(callable, param, v, default.span))
                }
                (None, None) => Err(Failed),
            };
            failed |= value.is_err();
            env.bind(&param.name.text, value.unwrap_or(Value::Unknown), at);
        }
        if failed { Err(Failed) } else { Ok(()) }
    }

    /// A static argument in the declared type of its parameter.
    fn static_value(&mut self, callable: &Callable, param: &Param, value: Value, span: Span) -> Res<Value> {
        if let Value::Unknown = value {
            return Err(Failed);
        }
        let Some(ty) = &param.ty else { return Ok(value) };
        let fits = |word: &str, v: &Value| match (word, v) {
            (_, Value::Opaque) => true,
            ("int", Value::Int(_)) | ("float", Value::Int(_) | Value::Float(_)) => true,
            ("bool", Value::Bool(_)) | ("string", Value::Str(_)) | ("duration", Value::Duration(..)) => true,
            ("dtype", Value::DType(_)) => true,
            ("fn", Value::Callable(_) | Value::Lambda(_) | Value::Builtin(_) | Value::Bound(_)) => true,
            ("layer", Value::Callable(_) | Value::Lambda(_) | Value::Bound(_)) => true,
            ("optimizer", Value::Bound(_)) => true,
            ("schedule", Value::Bound(_) | Value::Int(_) | Value::Float(_) | Value::Tensor(_)) => true,
            _ => false,
        };
        let (ok, wanted) = match &ty.kind {
            TypeKind::Word(word) => (fits(word, &value), with_article(word)),
            TypeKind::List(inner) => {
                let TypeKind::Word(word) = &inner.kind else { return Ok(value) };
                // One value stands for a list of one.
                if fits(word, &value) {
                    return Ok(Value::list(vec![value]));
                }
                let all = matches!(&value, Value::List(items) if items.iter().all(|v| fits(word, v)));
                (all, format!("a list of {word}s"))
            }
            TypeKind::Tensor { .. } => return Ok(value),
        };
        if ok {
            return Ok(value);
        }
        let mut d = Diagnostic::error(
            "E0503",
            span,
            format!("`{}` of `{}` wants {wanted}", param.name.text, callable.name.text),
        )
        .says(format!("this is {}", value.kind()));
        if let (Value::Float(x), "an int") = (&value, wanted.as_str()) {
            d = d.help(format!("write a whole number, {}", x.round()));
        }
        if let Value::Callable(id) = &value
            && self.program.callable(*id).callable.kind == CallableKind::Optimizer
        {
            let name = self.program.callable(*id).callable.name.text.clone();
            d = d.help(format!("write `{name}()`, with its settings between the brackets"));
        }
        Err(self.fail(d))
    }

    /// Matches arguments to the inputs of a declaration and binds its names. `env` holds the first
    /// list's values. With `broadcast`, arguments of type `[..S]` are repeated to one shape.
    #[allow(clippy::too_many_arguments)]
    pub fn bind(
        &mut self,
        callable: &Callable,
        params: &[Param],
        args: Vec<Argument>,
        env: Env,
        span: Span,
        broadcast: bool,
    ) -> Res<Signature> {
        let what = callable.name.text.clone();
        self.no_layers(&what, params, &args)?;
        let slots = self.match_arguments(&what, Some(callable.head), params, args, span)?;
        let mut sig = Signature {
            env,
            tensors: vec![None; params.len()],
            places: vec![span; params.len()],
            ..Signature::default()
        };
        let mut tensors = Vec::new();
        for (i, (param, slot)) in params.iter().zip(slots).enumerate() {
            let (value, place) = match (slot, &param.default) {
                (Some(arg), _) => (arg.value, arg.span),
                (None, Some(default)) => (self.eval(&mut sig.env, default)?, default.span),
                (None, None) => return Err(Failed),
            };
            sig.places[i] = place;
            if let Value::Unknown = value {
                return Err(Failed);
            }
            match tensor_type(param) {
                Some(ty) => tensors.push((i, ty, value, place)),
                None if is_tensor_list(param) => {
                    let value = self.tensor_list(callable, param, value, place)?;
                    sig.env.bind(&param.name.text, value, place);
                }
                None => {
                    let value = self.static_value(callable, param, value, place)?;
                    if let Value::Tensor(v) = &value {
                        sig.tensors[i] = Some(*v);
                    }
                    sig.env.bind(&param.name.text, value, place);
                }
            }
        }
        // Tensors bind the dtype classes; numbers then take the dtype of what they meet.
        let (known, numbers): (Vec<_>, Vec<_>) =
            tensors.into_iter().partition(|(_, _, v, _)| matches!(v, Value::Tensor(_)));
        for (_, ty, value, place) in &known {
            self.bind_dtype(callable, ty, value, *place, &mut sig)?;
        }
        let mut all = known;
        for (i, ty, value, place) in numbers {
            let dtype = self.dtype_wanted(ty, &value, &sig);
            let v = self.tensor(&value, dtype, place)?;
            let value = Value::Tensor(v);
            self.bind_dtype(callable, ty, &value, place, &mut sig)?;
            all.push((i, ty, value, place));
        }
        all.sort_by_key(|(i, ..)| *i);
        if broadcast {
            self.broadcast_group(callable, &mut all, span)?;
        }
        let mut failed = false;
        for (i, ty, value, place) in all {
            let Value::Tensor(v) = value else { return Err(Failed) };
            failed |= self.bind_shape(callable, &params[i], ty, v, place, span, &mut sig).is_err();
            sig.tensors[i] = Some(v);
            sig.env.bind(&params[i].name.text, Value::Tensor(v), place);
        }
        if failed { Err(Failed) } else { Ok(sig) }
    }

    /// A layer that was not applied, where a tensor is wanted.
    fn no_layers(&mut self, what: &str, params: &[Param], args: &[Argument]) -> Res<()> {
        for (i, arg) in args.iter().enumerate() {
            let param = match &arg.name {
                Some(n) => params.iter().find(|p| p.name.text == n.text),
                None => params.get(i),
            };
            if !param.is_some_and(|p| tensor_type(p).is_some()) {
                continue;
            }
            let id = match &arg.value {
                Value::Bound(b) => b.callable,
                Value::Callable(id) => *id,
                _ => continue,
            };
            let declared = self.program.callable(id).callable.clone();
            let name = &declared.name.text;
            let d =
                Diagnostic::error("E0405", arg.span, format!("`{what}` wants a tensor, `{name}` is not applied yet"))
                    .says("not a tensor")
                    .help(match declared.kind {
                        CallableKind::Layer => format!("apply the layer: `x |> {name}(…)`"),
                        _ => format!("apply it: `{name}(x)`"),
                    });
            return Err(self.fail(d));
        }
        Ok(())
    }

    fn tensor_list(&mut self, callable: &Callable, param: &Param, value: Value, place: Span) -> Res<Value> {
        let items = match &value {
            Value::List(items) | Value::Tuple(items) if !items.is_empty() => items.clone(),
            Value::Opaque => return Err(Failed),
            other => {
                let d = Diagnostic::error(
                    "E0402",
                    place,
                    format!("`{}` of `{}` wants a list of tensors", param.name.text, callable.name.text),
                )
                .says(format!("this is {}", other.kind()))
                .help("write them between brackets, `[a, b]`");
                return Err(self.fail(d));
            }
        };
        let dtype = items.iter().find_map(|v| if let Value::Tensor(v) = v { Some(self.ty(*v).dtype) } else { None });
        let mut out = Vec::new();
        for item in items.iter() {
            let v = self.tensor(item, dtype, place)?;
            if Some(self.ty(v).dtype) != dtype && dtype.is_some() {
                let (a, b) = (dtype.unwrap_or(DType::F32), self.ty(v).dtype);
                let d = Diagnostic::error("E0401", place, format!("`{}` of {a} and {b} together", callable.name.text))
                    .help(format!("convert one of them, `{a}(x)`"));
                return Err(self.fail(d));
            }
            out.push(Value::Tensor(v));
        }
        Ok(Value::list(out))
    }

    /// The dtype that a number or list takes for this parameter.
    fn dtype_wanted(&self, ty: &TypeExpr, value: &Value, sig: &Signature) -> Option<DType> {
        let TypeKind::Tensor { dtype, .. } = &ty.kind else { return None };
        if let Some(d) = DType::from_name(&dtype.text) {
            return Some(d);
        }
        if let Some((d, _)) = sig.classes.get(&dtype.text) {
            return Some(*d);
        }
        match (dtype.text.as_str(), value) {
            ("int", _) => Some(DType::I32),
            (_, Value::Bool(_)) => Some(DType::Bool),
            ("any", Value::List(items)) if items.iter().all(|v| matches!(v, Value::Bool(_))) => Some(DType::Bool),
            _ => Some(self.float()),
        }
    }

    fn bind_dtype(
        &mut self,
        callable: &Callable,
        ty: &TypeExpr,
        value: &Value,
        place: Span,
        sig: &mut Signature,
    ) -> Res<()> {
        let (TypeKind::Tensor { dtype, .. }, Value::Tensor(v)) = (&ty.kind, value) else { return Err(Failed) };
        let (have, what) = (self.ty(*v).dtype, callable.name.text.clone());
        let name = dtype.text.as_str();
        if let Some(want) = DType::from_name(name) {
            if want == have {
                return Ok(());
            }
            let d = Diagnostic::error("E0401", place, format!("`{what}` wants {want}, this is {have}"))
                .says(format!("{}", self.ty(*v)))
                .help(format!("convert it: `{want}(…)`"));
            return Err(self.fail(d));
        }
        if !CLASSES.contains(&name) {
            return self.error("E0402", dtype.span, format!("there is no dtype `{name}`"));
        }
        if !class_holds(name, have) {
            let words = match name {
                "float" => "a floating tensor",
                "int" => "an integer tensor",
                _ => "a tensor of numbers",
            };
            let mut d = Diagnostic::error("E0401", place, format!("`{what}` wants {words}, this is {have}"))
                .says(format!("{}", self.ty(*v)));
            d = match (name, have.is_float()) {
                ("float" | "number", false) => d.help("convert it first: `f32(…)`"),
                ("int", true) => d.help("convert it first, `i32(…)`, or pass the class numbers themselves"),
                _ => d,
            };
            return Err(self.fail(d));
        }
        match sig.classes.get(name) {
            Some((first, at)) if *first != have => {
                let (first, at) = (*first, *at);
                let d = Diagnostic::error("E0401", place, format!("`{what}` of {first} and {have}: dtypes never mix"))
                    .says(format!("{}", self.ty(*v)))
                    .label(at, format!("{first}"))
                    .help(format!(
                        "convert one of them, `{}(…)`",
                        if first.is_float() || !have.is_float() { first } else { have }
                    ));
                Err(self.fail(d))
            }
            Some(_) => Ok(()),
            None => {
                sig.classes.insert(name.into(), (have, place));
                Ok(())
            }
        }
    }

    /// Repeats the arguments that share a `[..S]` to one shape.
    fn broadcast_group(
        &mut self,
        callable: &Callable,
        all: &mut [(usize, &TypeExpr, Value, Span)],
        span: Span,
    ) -> Res<()> {
        let group: Vec<usize> = (0..all.len()).filter(|&k| whole_rest(all[k].1).is_some()).collect();
        if group.len() < 2 {
            return Ok(());
        }
        let operands: Vec<(ValueId, Span)> = group
            .iter()
            .filter_map(|&k| if let Value::Tensor(v) = all[k].2 { Some((v, all[k].3)) } else { None })
            .collect();
        let shape = self.common_shape(&callable.name.text, &operands, span)?;
        for &k in &group {
            if let Value::Tensor(v) = all[k].2 {
                all[k].2 = Value::Tensor(self.broadcast(v, &shape, all[k].3));
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn bind_shape(
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
                AxisExpr::Dim(e) => self.bind_axis(callable, ty, e, &have, at, place, sig)?,
                AxisExpr::Rest(e) => {
                    let ExprKind::Name(name) = &*e.kind else {
                        return self.error("E0402", e.span, "an argument's shape is a name after `..`");
                    };
                    self.bind_rest(callable, name, have.shape[at..at + n].to_vec(), &have, place, sig)?;
                }
            }
            at += n;
        }
        if let Some(bound) = below {
            self.check_bound(callable, bound, v, place, sig)?;
        }
        Ok(())
    }

    fn bind_rest(
        &mut self,
        callable: &Callable,
        name: &str,
        part: Vec<Axis>,
        have: &TensorType,
        place: Span,
        sig: &mut Signature,
    ) -> Res<()> {
        let Some((first, at)) = sig.rests.get(name).cloned() else {
            sig.env.bind(name, Value::dims(part.iter().map(|a| a.dim.clone())), place);
            sig.rests.insert(name.into(), (part, place));
            return Ok(());
        };
        let agree = first.len() == part.len() && first.iter().zip(&part).all(|(a, b)| self.agree(&a.dim, &b.dim));
        if agree {
            return Ok(());
        }
        let show =
            |axes: &[Axis]| format!("[{}]", axes.iter().map(|a| a.dim.to_string()).collect::<Vec<_>>().join(", "));
        let mut d = Diagnostic::error(
            "E0302",
            place,
            format!("the arguments of `{}` have different shapes", callable.name.text),
        )
        .says(format!("{have}: `{name}` is {}", show(&part)))
        .label(at, format!("`{name}` is {}", show(&first)));
        let squeezable =
            |a: &[Axis], b: &[Axis]| a.len() == b.len() + 1 && a.last().is_some_and(|x| x.dim == Dim::constant(1));
        if squeezable(&first, &part) {
            d = d.help("drop the axis of size 1: `|> squeeze(axis: -1)`");
        } else if squeezable(&part, &first) {
            d = d.help("drop the axis of size 1 here: `|> squeeze(axis: -1)`");
        } else if first.len() == part.len()
            && let Some((a, b)) = first.iter().zip(&part).find(|(a, b)| !self.agree(&a.dim, &b.dim))
        {
            for line in self.story(b.origin).into_iter().chain(self.story(a.origin)) {
                d = d.note(line);
            }
        }
        Err(self.fail(d))
    }

    #[allow(clippy::too_many_arguments)]
    fn bind_axis(
        &mut self,
        callable: &Callable,
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
                for line in self.story(axis.origin).into_iter().chain(self.story(first.origin)) {
                    d = d.note(line);
                }
                return Err(self.fail(d));
            }
            // A `dim` of the user's file is no name in the library's.
            let bound = sig.env.get(name).is_some() || self.is_constant(sig, name);
            if !bound {
                sig.env.bind(name, Value::Int(axis.dim.clone()), place);
                sig.dims.insert(name.clone(), (axis, place));
                return Ok(());
            }
        }
        let mut env = sig.env.clone();
        let want = self.eval(&mut env, e)?;
        let want = self.dim_of(&want, e.span)?;
        if self.agree(&want, &axis.dim) {
            return Ok(());
        }
        Err(self.wrong_size(callable, ty, &want, e, have, at, place, sig))
    }

    fn is_constant(&self, sig: &Signature, name: &str) -> bool {
        matches!(
            self.program.lookup(sig.env.file, name),
            Some(super::program::Global::Const(_) | super::program::Global::Dim(_))
        )
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
    fn check_bound(&mut self, callable: &Callable, bound: &Expr, v: ValueId, place: Span, sig: &Signature) -> Res<()> {
        let mut env = sig.env.clone();
        let limit = self.eval(&mut env, bound)?;
        let limit = self.dim_of(&limit, bound.span)?;
        let Some(have) = self.ty(v).below.clone() else { return Ok(()) };
        if self.at_most(&have, &limit) != super::compare::Verdict::Refuted {
            return Ok(());
        }
        let name = self.quote(bound.span);
        let mut d = Diagnostic::error(
            "E0404",
            place,
            format!("`{}` has room for {limit} values, {have} can come", callable.name.text),
        )
        .says(format!("{}: values from 0 to {}", self.ty(v), have.sub(&Dim::constant(1))));
        let other = sig.dims.get(&name).map(|(axis, at)| (axis.clone(), *at));
        if let Some((axis, at)) = other {
            d = d.label(at, format!("`{name}` is {limit}"));
            for line in self.story(axis.origin) {
                d = d.note(line);
            }
        }
        d = d.help(format!("make it {have} instead of {limit}"));
        Err(self.fail(d))
    }

    /// The value of a body against the declared type of the result.
    pub fn fit_result(
        &mut self,
        callable: &Callable,
        ty: &TypeExpr,
        sig: &mut Signature,
        value: Value,
        _span: Span,
    ) -> Res<Value> {
        let TypeKind::Tensor { dtype, axes, below } = &ty.kind else { return Ok(value) };
        let place = self.last_of(callable);
        let want = match DType::from_name(&dtype.text) {
            Some(d) => Some(d),
            None => match sig.env.get(&dtype.text) {
                Some(Value::DType(d)) => Some(*d),
                _ => sig.classes.get(&dtype.text).map(|(d, _)| *d),
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
        let want = self.expand_axes(axes, sig, Some(&have))?;
        let fits = want.as_ref().is_none_or(|want| {
            want.len() == have.rank()
                && want.iter().zip(&have.shape).all(|(w, h)| w.as_ref().is_none_or(|w| self.agree(w, &h.dim)))
        });
        if !fits {
            return Err(self.wrong_result(callable, ty, &want.unwrap_or_default(), &have, place));
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
    fn expand_axes(
        &mut self,
        axes: &[AxisExpr],
        sig: &mut Signature,
        _have: Option<&TensorType>,
    ) -> Res<Option<Vec<Option<Dim>>>> {
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
                        && !self.is_constant(sig, name)
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
        let element = match (DType::from_name(&dtype.text), env.get(&dtype.text)) {
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
                if self.at_most(&Dim::constant(1), &dim) == super::compare::Verdict::Refuted {
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
        Ok(TensorType { dtype: element, shape, below })
    }

    /// An axis that a declaration introduces, with that as its history.
    fn declared_axis(&mut self, dim: Dim, e: &Expr) -> Axis {
        let written = self.quote(e.span);
        let place = self.user_span(e.span);
        let call = self.frames.last().map(|f| self.quote(f.call)).filter(|c| !c.is_empty());
        let text = match (written == dim.to_string(), call) {
            (true, Some(call)) => format!("{dim}, from `{call}`"),
            (true, None) => format!("{dim}, declared here"),
            (false, Some(call)) => format!("{dim} is `{written}` of `{call}`"),
            (false, None) => format!("{dim} is `{written}`"),
        };
        let origin = self.history.add(text, place, Vec::new());
        Axis { dim, origin }
    }

    /// `let x: f32[B, 10] = …`
    pub fn ascribe(
        &mut self,
        env: &Env,
        name: &crate::syntax::ast::Name,
        ty: &TypeExpr,
        value: Value,
        span: Span,
    ) -> Res<Value> {
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
}

fn with_article(word: &str) -> String {
    let article = if word.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    match word {
        "fn" => "a function".into(),
        "string" => "a text".into(),
        _ => format!("{article} {word}"),
    }
}
