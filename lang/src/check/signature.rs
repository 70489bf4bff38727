//! Signatures: arguments against declared types, which binds dimension variables, rest shapes and
//! dtype classes; and results against them.

use super::apply::Argument;
use super::elab::{Elab, Failed, Res};
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::model::{ValueId, Word};
use crate::source::Span;
use crate::syntax::ast::{AxisExpr, Callable, CallableKind, ExprKind, Param, TypeExpr, TypeKind};
use crate::types::{Axis, DType, Shape};
use crate::word::word;

/// What an application has bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Signature {
    /// Parameters, dimension variables (as ints) and rest shapes (as lists), by name.
    pub env: Env,
    /// Dimension variables with their history and the place that bound them.
    pub dims: Names<(Axis, Span)>,
    /// Rest shapes.
    pub rests: Names<(Shape, Span)>,
    /// Dtype classes.
    pub classes: Names<(DType, Span)>,
    /// One per parameter: its tensor, if it is one.
    pub tensors: Vec<Option<ValueId>>,
    /// The places of the tensors' arguments.
    pub places: Vec<Span>,
}

/// The few names of one signature, in the order in which they were bound.
#[derive(Clone, Debug)]
pub(super) struct Names<T>(Vec<(Word, T)>);

impl<T> Default for Names<T> {
    fn default() -> Names<T> {
        Names(Vec::new())
    }
}

impl<T> Names<T> {
    pub fn get(&self, name: impl Into<Word>) -> Option<&T> {
        let name = name.into();
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Binds a name that is not bound yet.
    pub fn insert(&mut self, name: Word, value: T) {
        self.0.push((name, value));
    }

    pub fn iter(&self) -> impl Iterator<Item = (Word, &T)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

impl Signature {
    /// The dtype of the class `float`, when bound.
    pub fn float(&self) -> Option<DType> {
        let of = |c: Word| self.classes.get(c).map(|(d, _)| *d).filter(|d| d.is_float());
        of(word!("float")).or_else(|| of(word!("number"))).or_else(|| of(word!("any")))
    }
}

/// The dtype classes.
pub(super) const CLASSES: [&str; 4] = ["float", "int", "number", "any"];

pub(super) fn class_holds(class: &str, dtype: DType) -> bool {
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
pub(super) fn whole_rest(ty: &TypeExpr) -> Option<Word> {
    match &ty.kind {
        TypeKind::Tensor { axes, .. } => match axes.as_slice() {
            [AxisExpr::Rest(e)] => match &*e.kind {
                ExprKind::Name(n) => Some(*n),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn word_fits(of: CallableKind, word: &str, value: &Value) -> bool {
    // A schedule takes a part of the run for a duration.
    let of_run = of == CallableKind::Schedule && value.as_f64().is_some_and(|x| (0.0..=1.0).contains(&x));
    (word == "duration" && of_run)
        || matches!(
            (word, value),
            (_, Value::Opaque)
                | ("int", Value::Int(_))
                | ("float", Value::Int(_) | Value::Float(_))
                | ("bool", Value::Bool(_))
                | ("string", Value::Str(_))
                | ("duration", Value::Duration(..))
                | ("dtype", Value::DType(_))
                | ("fn", Value::Callable(_) | Value::Lambda(_) | Value::Builtin(_) | Value::Bound(_))
                | ("layer", Value::Callable(_) | Value::Lambda(_) | Value::Bound(_))
                | ("optimizer", Value::Bound(_))
                | ("schedule", Value::Bound(_) | Value::Int(_) | Value::Float(_) | Value::Tensor(_))
        )
}

/// Whether a value has the static type of a parameter; one value stands for a list of one.
pub(super) fn static_fits(of: CallableKind, ty: &TypeExpr, value: &Value) -> bool {
    match &ty.kind {
        TypeKind::Word(word) => word_fits(of, word, value),
        TypeKind::List(inner) => match (&inner.kind, value) {
            (TypeKind::Word(word), Value::List(items)) => items.iter().all(|v| word_fits(of, word, v)),
            (TypeKind::Word(word), one) => word_fits(of, word, one),
            _ => true,
        },
        TypeKind::Tensor { .. } => true,
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
        self.swapped_statics(callable, params, &slots, at)?;
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
            env.bind(param.name.text, value.unwrap_or(Value::Unknown), at);
        }
        if failed { Err(Failed) } else { Ok(()) }
    }

    /// A static argument in the declared type of its parameter.
    fn static_value(&mut self, callable: &Callable, param: &Param, value: Value, span: Span) -> Res<Value> {
        if let Value::Unknown = value {
            return Err(Failed);
        }
        let Some(ty) = &param.ty else { return Ok(value) };
        if static_fits(callable.kind, ty, &value) {
            let wants_schedule = matches!(&ty.kind, TypeKind::Word(word) if word == "schedule");
            if wants_schedule && value.as_f64().is_some_and(|x| x < 0.0) {
                let what =
                    format!("`{}` of `{}` is a rate: it cannot be negative", param.name.text, callable.name.text);
                return self.error("E0503", span, what);
            }
            // One value stands for a list of one.
            let listed = matches!(&ty.kind, TypeKind::List(inner) if matches!(inner.kind, TypeKind::Word(_)));
            return Ok(if listed && !matches!(value, Value::List(_)) { Value::list(vec![value]) } else { value });
        }
        let wanted = match &ty.kind {
            TypeKind::Word(word) => with_article(word),
            TypeKind::List(inner) => {
                let TypeKind::Word(word) = &inner.kind else { return Ok(value) };
                format!("a list of {word}s")
            }
            TypeKind::Tensor { .. } => return Ok(value),
        };
        let mut d = Diagnostic::error(
            "E0503",
            span,
            format!("`{}` of `{}` wants {wanted}", param.name.text, callable.name.text),
        )
        .says(format!("this is {}", self.describe(&value)));
        d = self.with_declared(d, ty.span, "declared here");
        if let Some(help) = self.static_help(callable, param, &value, &wanted) {
            d = d.help(help);
        }
        Err(self.fail(d))
    }

    /// What was likely meant by a static value of the wrong kind.
    fn static_help(&self, callable: &Callable, param: &Param, value: &Value, wanted: &str) -> Option<String> {
        let name = &param.name.text;
        Some(match (value, wanted) {
            (Value::Float(x), "an int") => format!("write a whole number, {}", x.round()),
            (Value::Tuple(items) | Value::List(items), "an int") if !items.is_empty() => {
                let first = items[0].as_f64();
                let same = first.is_some() && items.iter().all(|v| v.as_f64() == first);
                match first.filter(|_| same) {
                    Some(n) => format!("one number stands for all sides: `{name}: {n}`"),
                    None => "one number stands for all sides".to_string(),
                }
            }
            (Value::Tuple(items), wanted) if wanted.starts_with("a list") && !items.is_empty() => {
                let numbers: Option<Vec<String>> = items.iter().map(|v| v.as_f64().map(|x| x.to_string())).collect();
                match numbers {
                    Some(n) if n.iter().all(|x| *x == n[0]) => {
                        format!("one number stands for all sides, `{name}: {}`; a list is `[{}]`", n[0], n.join(", "))
                    }
                    Some(n) => format!("a list is written with square brackets, `[{}]`", n.join(", ")),
                    None => "a list is written with square brackets".to_string(),
                }
            }
            (Value::Str(s), _) if &**s == "valid" => format!("leave `{name}` out: nothing is added then"),
            (Value::Str(s), _) if &**s == "same" => {
                let has = callable.statics.iter().flatten().any(|p| p.name.text == "same");
                match has {
                    true => {
                        "write `same: true` instead, or a number: `pad: 1` keeps the size for a kernel of 3".to_string()
                    }
                    false => format!("`{name}` is a number: `{name}: 1` keeps the size for a kernel of 3"),
                }
            }
            (Value::Str(s), _) if s.parse::<f64>().is_ok() => format!("write {s} without quotes"),
            (Value::Str(s), "a function") => {
                format!("a function is handed on by its name: write `{s}`, without quotes")
            }
            (Value::Int(_) | Value::Float(_), "a function") if callable.kind == CallableKind::Layer => {
                let first = callable.statics.iter().flatten().next().map_or("size", |p| p.name.text.as_str());
                format!(
                    "`{}` takes the size of its input from what it is applied to: give it `{first}` alone",
                    callable.name.text
                )
            }
            (Value::Callable(id), _) if matches!(wanted, "an optimizer" | "a schedule" | "a layer") => {
                let made = &self.program.callable(*id).callable;
                let needed = made.statics.iter().flatten().filter(|p| p.default.is_none());
                let needed: Vec<String> = needed.map(|p| format!("{}: …", p.name.text)).collect();
                format!("write `{}({})`, with its settings between the brackets", made.name.text, needed.join(", "))
            }
            _ => return None,
        })
    }

    /// Matches arguments to the inputs of a declaration and binds its names. `env` holds the first
    /// list's values. With `broadcast`, arguments of type `[..S]` are repeated to one shape.
    #[allow(clippy::too_many_arguments)]
    pub fn bind_in_order(
        &mut self,
        callable: &Callable,
        params: &[Param],
        args: Vec<Argument>,
        env: Env,
        span: Span,
        broadcast: bool,
    ) -> Res<Signature> {
        let what = callable.name.text.as_str();
        self.no_layers(what, params, &args)?;
        let slots = self.match_arguments(what, Some(callable.head), params, args, span)?;
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
                    sig.env.bind(param.name.text, value, place);
                }
                None => {
                    let value = self.static_value(callable, param, value, place)?;
                    if let Value::Tensor(v) = &value {
                        sig.tensors[i] = Some(*v);
                    }
                    sig.env.bind(param.name.text, value, place);
                }
            }
        }
        // Tensors bind the dtype classes; numbers then take the dtype of what they meet.
        for (i, ty, value, place) in &tensors {
            if let Value::Tensor(v) = value {
                sig.tensors[*i] = Some(*v);
                self.bind_dtype(callable, ty, value, *place, &mut sig)?;
            }
        }
        for (_, ty, value, place) in &mut tensors {
            if !matches!(value, Value::Tensor(_)) {
                let dtype = self.dtype_wanted(ty, value, &sig);
                *value = Value::Tensor(self.tensor(value, dtype, *place)?);
                self.bind_dtype(callable, ty, value, *place, &mut sig)?;
            }
        }
        if broadcast {
            self.broadcast_group(callable, &mut tensors)?;
        }
        for (i, ty, value, place) in tensors {
            let Value::Tensor(v) = value else { return Err(Failed) };
            // The first argument that does not fit decides what the others should have been.
            self.bind_shape(callable, &params[i], ty, v, place, span, &mut sig)?;
            sig.tensors[i] = Some(v);
            sig.env.bind(params[i].name.text, Value::Tensor(v), place);
        }
        Ok(sig)
    }

    /// A layer that was not applied, where a tensor is wanted.
    fn no_layers(&mut self, what: &str, params: &[Param], args: &[Argument]) -> Res<()> {
        for (i, arg) in args.iter().enumerate() {
            let param = match &arg.name {
                Some(n) => params.iter().find(|p| p.name.text == n.text),
                None => params.get(i),
            };
            if param.is_none_or(|p| tensor_type(p).is_none()) {
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
        if let Some((d, _)) = sig.classes.get(dtype.text) {
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
        let (have, what) = (self.ty(*v).dtype, callable.name.text.as_str());
        let class = dtype.text;
        let name = class.as_str();
        if let Some(want) = DType::from_name(name) {
            if want == have {
                return Ok(());
            }
            let d = Diagnostic::error("E0401", place, format!("`{what}` wants {want}, this is {have}"))
                .says(format!("{}", self.ty(*v)))
                .help(match want {
                    DType::Bool => "a comparison makes truths: `x > 0`".to_string(),
                    _ => format!("convert it: `{want}(…)`"),
                });
            let d = self.with_declared(d, dtype.span, "declared here");
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
            d = self.with_declared(d, dtype.span, "declared here");
            let told = self.quote(place);
            let inside = |f: &str| told.strip_prefix(f).and_then(|t| t.split([',', ')']).next().map(String::from));
            d = match (name, have.is_float()) {
                ("float" | "number", false) if self.is_chosen(*v) => d.help(
                    "this is the number of the chosen class: give the logits themselves, no gradient passes a choice",
                ),
                ("float" | "number", false) if have == DType::U8 => {
                    d.help(format!("bytes are converted first: `f32({told}) / 255`"))
                }
                ("float" | "number", false) => d.help(format!("convert it first: `f32({told})`")),
                ("int", true) => match inside("one_hot(").or_else(|| inside("f32(")) {
                    Some(labels) => d.help(format!("class numbers are wanted as they are: write `{labels}`")),
                    None => d.help("convert it first, `i32(…)`, or pass the class numbers themselves"),
                },
                _ => d,
            };
            return Err(self.fail(d));
        }
        match sig.classes.get(class) {
            Some((first, at)) if *first != have => {
                let (first, at) = (*first, *at);
                let other = (0..sig.places.len()).find(|&i| sig.places[i] == at);
                let told = other.and_then(|i| sig.tensors[i]).map_or(first.to_string(), |v| self.ty(v).to_string());
                let sign = super::operators::sign_of_primitive(what);
                let d = Diagnostic::error("E0401", place, format!("`{sign}` of {first} and {have}: dtypes never mix"))
                    .says(format!("{}", self.ty(*v)))
                    .label(at, told)
                    .help(match first.is_float() || !have.is_float() {
                        true => format!("convert one of them: `{first}({})`", self.quote(place)),
                        false => format!("convert one of them: `{have}({})`", self.quote(at)),
                    });
                Err(self.fail(d))
            }
            Some(_) => Ok(()),
            None => {
                sig.classes.insert(class, (have, place));
                Ok(())
            }
        }
    }

    /// Repeats the arguments that share a `[..S]` to one shape.
    fn broadcast_group(&mut self, callable: &Callable, all: &mut [(usize, &TypeExpr, Value, Span)]) -> Res<()> {
        let group: Vec<usize> = (0..all.len()).filter(|&k| whole_rest(all[k].1).is_some()).collect();
        if group.len() < 2 {
            return Ok(());
        }
        let operands: Vec<(ValueId, Span)> = group
            .iter()
            .filter_map(|&k| if let Value::Tensor(v) = all[k].2 { Some((v, all[k].3)) } else { None })
            .collect();
        let shape = self.common_shape(&callable.name.text, &operands)?.into();
        for &k in &group {
            if let Value::Tensor(v) = all[k].2 {
                all[k].2 = Value::Tensor(self.broadcast(v, &shape, all[k].3));
            }
        }
        Ok(())
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
