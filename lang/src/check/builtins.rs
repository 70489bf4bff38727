//! What the checker does itself, because it works on shapes and lists and not on elements.

use super::apply::Argument;
use super::elab::{Elab, Failed, Res};
use super::history::Text;
use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::Attr;
use crate::source::Span;
use crate::types::{Axis, DType, TensorType};
use crate::word::{Word, WordMap};
use std::sync::{Arc, LazyLock};

/// A function of the checker: the elaborator, arguments, place of the name, place of the call.
type Run = fn(&mut Elab, Vec<Argument>, Span, Span) -> Res<Value>;

/// A built-in function.
pub(super) struct Builtin {
    pub name: &'static str,
    /// Its parameters, for messages and for arguments by name.
    pub params: &'static [&'static str],
    /// What it gives.
    pub doc: &'static str,
    pub run: Run,
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

static BUILTINS: [Builtin; 28] = [
    Builtin { name: "shape", params: &["x"], doc: "The sizes of a tensor, as a list.", run: shape },
    Builtin { name: "sizes", params: &["x"], doc: "As `shape`, where a parameter has that name.", run: shape },
    Builtin { name: "dtype_of", params: &["x"], doc: "As `dtype`, where a parameter has that name.", run: dtype },
    Builtin {
        name: "reduced",
        params: &["shape", "axis", "keep"],
        doc: "The sizes that a reduction over the axes leaves; with `keep`, 1 at each of them.",
        run: reduced,
    },
    Builtin { name: "rank", params: &["x"], doc: "The number of axes of a tensor, or of a list of sizes.", run: rank },
    Builtin {
        name: "size",
        params: &["x"],
        doc: "The number of elements of a tensor; the product of a list of sizes.",
        run: size,
    },
    Builtin {
        name: "size_of",
        params: &["shape", "axis"],
        doc: "The product of the sizes at these axes; of all without any.",
        run: size_of,
    },
    Builtin { name: "len", params: &["list"], doc: "The length of a list.", run: len },
    Builtin { name: "dtype", params: &["x"], doc: "The dtype of a tensor.", run: dtype },
    Builtin {
        name: "float",
        params: &["x"],
        doc: "A static number as a float, a tensor in the floating dtype of the signature around it.",
        run: float,
    },
    Builtin {
        name: "default_float",
        params: &[],
        doc: "The floating dtype of the signature around it; f32 where there is none.",
        run: |e, _, _, _| Ok(Value::DType(e.float())),
    },
    Builtin {
        name: "zeros",
        params: &["shape", "dtype"],
        doc: "A new tensor of zeros, `zeros([2, 3])`, `zeros([n], i32)`; as a first value, of the type declared.",
        run: zeros,
    },
    Builtin {
        name: "ones",
        params: &["shape", "dtype"],
        doc: "A new tensor of ones, `ones([2, 3])`, `ones([n], i32)`; as a first value, of the type declared.",
        run: ones,
    },
    Builtin {
        name: "split",
        params: &["x", "parts", "axis"],
        doc: "A tuple of equal parts along an axis, `split(y, 3, axis: -1)`; of these sizes with a list, `split(y, [10, 20])`.",
        run: split,
    },
    Builtin {
        name: "stack",
        params: &["parts", "axis"],
        doc: "Tensors of one type side by side on a new axis, `stack([a, b], axis: 0)`.",
        run: stack,
    },
    Builtin {
        name: "einsum",
        params: &[],
        doc: "The sum of products that a pattern says: ``einsum(`b i d, b j d -> b i j`, q, k)``.",
        run: super::einops::einsum,
    },
    Builtin {
        name: "rearrange",
        params: &[],
        doc: "Axes in another order, joined or taken apart: ``rearrange(x, `b t (h d) -> b h t d`, h: 8)``.",
        run: super::einops::rearrange,
    },
    Builtin {
        name: "reduce",
        params: &[],
        doc: "A reduction over the axes that the pattern drops: ``reduce(x, `b c h w -> b c`, \"mean\")``.",
        run: super::einops::reduce,
    },
    Builtin {
        name: "repeat",
        params: &[],
        doc: "Elements repeated along the axes that the pattern adds: ``repeat(x, `b d -> b n d`, n: 4)``.",
        run: super::einops::repeat,
    },
    Builtin {
        name: "sparse",
        params: &["p"],
        doc: "In an optimizer: whether the gradient of the parameter has only the rows that the batch touched.",
        run: super::update::sparse,
    },
    Builtin {
        name: "total",
        params: &["x"],
        doc: "In an optimizer: a scalar added up over all parameters that the optimizer is applied to.",
        run: super::update::total,
    },
    Builtin {
        name: "kept",
        params: &["shape", "axis"],
        doc: "The sizes with 1 at these axes; at all without any.",
        run: kept,
    },
    Builtin {
        name: "each",
        params: &["values", "n"],
        doc: "A value or a list of `n` as a list of `n`: one setting for every axis, or one for each.",
        run: super::windows::each,
    },
    Builtin {
        name: "inverse",
        params: &["order"],
        doc: "The order of axes that undoes an order of axes.",
        run: inverse,
    },
    Builtin { name: "minus", params: &["a", "b"], doc: "The differences of two lists of sizes.", run: minus },
    Builtin {
        name: "cut",
        params: &["x", "parts", "axis"],
        doc: "A tensor cut along an axis into parts of the sizes of these tensors.",
        run: cut,
    },
    Builtin { name: "int", params: &["x"], doc: "A static number as an int, rounded towards 0.", run: int },
    Builtin {
        name: "gradient",
        params: &["loss", "x"],
        doc: "The gradient of a scalar in x, itself differentiable.",
        run: super::second::gradient,
    },
];

static BY_NAME: LazyLock<WordMap<&'static Builtin>> =
    LazyLock::new(|| BUILTINS.iter().map(|b| (Word::new(b.name), b)).collect());

pub(super) fn find(name: impl Into<Word>) -> Option<&'static Builtin> {
    let name = name.into();

    BY_NAME.get(&name).copied()
}

/// Name, parameters and documentation of each.
pub fn docs() -> impl Iterator<Item = (&'static str, &'static [&'static str], &'static str)> {
    BUILTINS.iter().map(|b| (b.name, b.params, b.doc))
}

/// The names that people may want.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BUILTINS.iter().map(|b| b.name)
}

/// Arguments in the order of the parameters.
pub(super) fn order(
    e: &mut Elab,
    name: &str,
    args: Vec<Argument>,
    span: Span,
    needed: usize,
) -> Res<Vec<Option<Argument>>> {
    let params = find(name).map_or(&[][..], |b| b.params);
    let mut slots: Vec<Option<Argument>> = params.iter().map(|_| None).collect();
    let mut next = 0;
    for arg in args {
        let slot = match &arg.name {
            Some(n) => params.iter().position(|p| *p == n.text),
            None => {
                next += 1;
                (next <= params.len()).then(|| next - 1)
            }
        };
        let Some(slot) = slot else {
            let (place, what) = match &arg.name {
                Some(n) => (n.span, format!("`{name}` has no parameter `{}`", n.text)),
                None => (arg.span, format!("`{name}` takes {} arguments", params.len())),
            };
            let word = arg.name.as_ref().map_or("", |n| n.text.as_str());
            let near = super::foreign::parameter(word, params).or_else(|| super::near(word, params.iter().copied()));
            let d =
                Diagnostic::error(if arg.name.is_some() { "E0502" } else { "E0501" }, place, what).help(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it takes {}", super::list_words(params)),
                });
            return Err(e.fail(d));
        };
        slots[slot] = Some(arg);
    }
    for (i, param) in params.iter().enumerate().take(needed) {
        match &slots[i] {
            None => return e.error("E0501", span, format!("`{name}` also needs `{param}`")),
            Some(Argument { value: Value::Unknown | Value::Opaque, .. }) => return Err(Failed),
            Some(_) => {}
        }
    }
    Ok(slots)
}

/// The sizes of a tensor, or a list of sizes itself.
pub(super) fn axes_of(e: &mut Elab, arg: &Argument) -> Res<Vec<Axis>> {
    match &arg.value {
        Value::Tensor(v) => Ok(e.ty(*v).shape.to_vec()),
        Value::List(items) if items.iter().all(|v| matches!(v, Value::Int(_))) => {
            items.iter().map(|v| Ok(Axis { dim: e.dim_of(v, arg.span)?, origin: Default::default() })).collect()
        }
        Value::Int(d) => Ok(vec![Axis { dim: d.clone(), origin: Default::default() }]),
        Value::Float(_) => Ok(Vec::new()),
        Value::Opaque | Value::Unknown => Err(Failed),
        other => {
            let kind = other.kind();
            e.error("E0402", arg.span, format!("a tensor or a list of sizes is wanted, this is {kind}"))
        }
    }
}

fn one(e: &mut Elab, name: &str, args: Vec<Argument>, span: Span) -> Res<Argument> {
    order(e, name, args, span, 1)?.swap_remove(0).ok_or(Failed)
}

fn shape(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let arg = one(e, "shape", args, span)?;
    if arg.value.is_number() {
        return Ok(Value::list(Vec::new()));
    }
    Ok(Value::dims(axes_of(e, &arg)?.into_iter().map(|a| a.dim)))
}

fn rank(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let arg = one(e, "rank", args, span)?;
    Ok(Value::int(axes_of(e, &arg)?.len() as i64))
}

fn size(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let arg = one(e, "size", args, span)?;
    Ok(Value::Int(axes_of(e, &arg)?.iter().fold(Dim::constant(1), |n, a| n.mul(&a.dim))))
}

fn size_of(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let slots = order(e, "size_of", args, span, 2)?;
    let [Some(of), Some(axis)] = slots.as_slice() else { return Err(Failed) };
    let shape = axes_of(e, of)?;
    let axes = axis_list(e, axis, shape.len(), "size_of")?;
    let all = axes.is_empty();
    let chosen = shape.iter().enumerate().filter(|(i, _)| all || axes.contains(i));
    Ok(Value::Int(chosen.fold(Dim::constant(1), |n, (_, a)| n.mul(&a.dim))))
}

/// An axis or a list of them, counted from 0.
fn axis_list(e: &mut Elab, arg: &Argument, rank: usize, what: &str) -> Res<Vec<usize>> {
    let items = match &arg.value {
        Value::List(items) => items.to_vec(),
        one => vec![one.clone()],
    };
    let mut out = Vec::new();
    for item in items {
        let n = e.whole(&item, arg.span)?;
        out.push(e.axis_number(n, rank, what, arg.span)?);
    }
    Ok(out)
}

fn len(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let arg = one(e, "len", args, span)?;
    match &arg.value {
        Value::List(items) | Value::Tuple(items) => Ok(Value::int(items.len() as i64)),
        other => {
            let kind = other.kind();
            e.error("E0503", arg.span, format!("`len` wants a list, this is {kind}"))
        }
    }
}

fn dtype(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let arg = one(e, "dtype", args, span)?;
    let v = e.tensor(&arg.value, None, arg.span)?;
    Ok(Value::DType(e.ty(v).dtype))
}

/// A static number as a float; a tensor in the float class that stands here.
fn float(e: &mut Elab, args: Vec<Argument>, at: Span, span: Span) -> Res<Value> {
    let arg = one(e, "float", args, span)?;
    match arg.value.as_f64() {
        Some(x) => Ok(Value::Float(x)),
        None => {
            let dtype = e.float();
            e.call(Value::DType(dtype), vec![arg], at, span)
        }
    }
}

/// A static number as an int, rounded towards 0.
fn int(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let arg = one(e, "int", args, span)?;
    match (&arg.value, arg.value.as_f64()) {
        (Value::Int(d), _) => Ok(Value::Int(d.clone())),
        (_, Some(x)) => Ok(Value::int(x as i64)),
        (other, None) => {
            let kind = other.kind();
            let d = Diagnostic::error("E0503", arg.span, format!("`int` wants a static number, this is {kind}"))
                .help("`i32(x)` converts a tensor");
            Err(e.fail(d))
        }
    }
}

fn zeros(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    filled(e, "zeros", 0.0, args, span)
}

fn ones(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    filled(e, "ones", 1.0, args, span)
}

/// A tensor of one number. Without a shape it takes that of the variable it starts.
fn filled(e: &mut Elab, name: &str, x: f64, args: Vec<Argument>, span: Span) -> Res<Value> {
    let slots = order(e, name, args, span, 0)?;
    let expected = e.expected.clone();
    let shape = match (&slots[0], &expected) {
        (Some(arg), _) => {
            let shape = axes_of(e, arg)?;
            for axis in &shape {
                e.positive(&axis.dim, &axis.dim.to_string(), arg.span)?;
            }
            shape
        }
        (None, Some((_, shape))) => shape.to_vec(),
        (None, None) => {
            let d = Diagnostic::error("E0501", span, format!("`{name}` also needs a shape"))
                .help(format!("write `{name}([…])`"));
            return Err(e.fail(d));
        }
    };
    let dtype = match (&slots[1], &expected, &slots[0]) {
        (Some(Argument { value: Value::DType(d), .. }), ..) => *d,
        (Some(arg), ..) => {
            let span = arg.span;
            return e.error("E0503", span, "a dtype is wanted, `f32`");
        }
        (None, Some((d, _)), None) => *d,
        _ => e.float(),
    };
    let v = e.number(x, dtype, span);
    e.can_be(name, &shape, span)?;
    Ok(Value::Tensor(e.broadcast(v, &shape.into(), span)))
}

/// `kept([a, b, c], axis)`: the sizes with 1 at the axes.
fn kept(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let slots = order(e, "kept", args, span, 2)?;
    let [Some(of), Some(axis)] = slots.as_slice() else { return Err(Failed) };
    let shape = axes_of(e, of)?;
    let axes = axis_list(e, axis, shape.len(), "kept")?;
    let all = axes.is_empty();
    Ok(Value::dims(
        shape.into_iter().enumerate().map(|(i, a)| if all || axes.contains(&i) { Dim::constant(1) } else { a.dim }),
    ))
}

/// The sizes that a reduction over the axes leaves.
fn reduced(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let slots = order(e, "reduced", args, span, 2)?;
    let [Some(of), Some(axis), keep] = slots.as_slice() else { return Err(Failed) };
    let shape = axes_of(e, of)?;
    let axes = axis_list(e, axis, shape.len(), "reduced")?;
    let keep = matches!(keep, Some(Argument { value: Value::Bool(true), .. }));
    let gone = |i: usize| axes.is_empty() || axes.contains(&i);
    let left = shape.into_iter().enumerate().filter(|(i, _)| keep || !gone(*i));
    Ok(Value::dims(left.map(|(i, a)| if gone(i) { Dim::constant(1) } else { a.dim })))
}

/// The order that undoes an order of axes.
fn inverse(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let arg = one(e, "inverse", args, span)?;
    let Value::List(items) = &arg.value else { return Err(Failed) };
    let mut out = vec![0i64; items.len()];
    for (i, item) in items.iter().enumerate() {
        let n = e.whole(item, span)?;
        if let Some(slot) = usize::try_from(n).ok().and_then(|n| out.get_mut(n)) {
            *slot = i as i64;
        }
    }
    Ok(Value::dims(out.into_iter().map(Dim::constant)))
}

/// The differences of two lists of sizes.
fn minus(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let slots = order(e, "minus", args, span, 2)?;
    let [Some(a), Some(b)] = slots.as_slice() else { return Err(Failed) };
    let (a, b) = (axes_of(e, a)?, axes_of(e, b)?);
    Ok(Value::dims(a.iter().zip(&b).map(|(x, y)| x.dim.sub(&y.dim))))
}

/// Slices of x along an axis, from one offset to the next.
pub(super) fn slices(e: &mut Elab, x: crate::model::ValueId, sizes: &[Axis], axis: usize, span: Span) -> Vec<Value> {
    let ty = e.ty(x).clone();
    let mut start = Dim::default();
    let mut out = Vec::new();
    for size in sizes {
        let stop = start.add(&size.dim);
        let mut starts = vec![Dim::default(); ty.rank()];
        let mut stops = ty.dims();
        (starts[axis], stops[axis]) = (start, stop.clone());
        let mut shape = ty.shape.to_vec();
        shape[axis] = size.clone();
        let attrs = vec![("starts".into(), Attr::Ints(starts)), ("stops".into(), Attr::Ints(stops))];
        let result = TensorType { dtype: ty.dtype, shape: shape.into(), below: ty.below.clone() };
        out.push(Value::Tensor(e.primitive("slice", attrs, vec![x], result, span)));
        start = stop;
    }
    out
}

/// The parts of the gradient of `concat`.
fn cut(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let slots = order(e, "cut", args, span, 3)?;
    let [Some(x), Some(parts), Some(axis)] = slots.as_slice() else { return Err(Failed) };
    let (Value::Tensor(v), Value::List(items)) = (&x.value, &parts.value) else { return Err(Failed) };
    let rank = e.ty(*v).rank();
    let n = e.whole(&axis.value, span)?;
    let axis = e.axis_number(n, rank, "cut", span)?;
    let sizes: Vec<Axis> = items
        .iter()
        .filter_map(|p| if let Value::Tensor(p) = p { Some(e.ty(*p).shape[axis].clone()) } else { None })
        .collect();
    Ok(Value::list(slices(e, *v, &sizes, axis, span)))
}

/// `split(x, 3, axis: -1)` or `split(x, [10, 20], axis: 0)`.
fn split(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let slots = order(e, "split", args, span, 2)?;
    let [Some(x), Some(parts), axis] = slots.as_slice() else { return Err(Failed) };
    let v = e.tensor(&x.value, None, x.span)?;
    let ty = e.ty(v).clone();
    let n = match axis {
        Some(axis) => e.whole(&axis.value, axis.span)?,
        None => -1,
    };
    let axis = e.axis_number(n, ty.rank(), "split", span)?;
    let whole = ty.shape[axis].clone();
    let user = e.user_span(span);
    let sizes: Vec<Axis> = match &parts.value {
        Value::List(_) => {
            let sizes = axes_of(e, parts)?;
            let sum = sizes.iter().fold(Dim::default(), |n, a| n.add(&a.dim));
            if !e.agree(&sum, &whole.dim) {
                let d = Diagnostic::error(
                    "E0308",
                    parts.span,
                    format!("the parts add up to {sum}, the axis has size {}", whole.dim),
                )
                .label(x.span, format!("{ty}"));
                return Err(e.fail(d));
            }
            sizes
        }
        one => {
            let n = e.whole(one, parts.span)?;
            let (dim, count) = (e.concrete(&whole.dim), Dim::constant(n));
            let (part, rest) = (dim.div(&count), dim.rem(&count));
            match (part, rest) {
                (Some(part), Some(rest)) if (1..=10_000).contains(&n) && e.agree(&rest, &Dim::default()) => {
                    let origin = e.history.add(
                        Text::From(format!("{part} = {} / {n}", whole.dim), user),
                        user,
                        vec![whole.origin],
                    );
                    (0..n).map(|_| Axis { dim: part.clone(), origin }).collect()
                }
                _ => {
                    let d = Diagnostic::error(
                        "E0308",
                        parts.span,
                        format!("an axis of size {} does not split into {n} equal parts", whole.dim),
                    )
                    .says(format!("{n} does not divide {}", whole.dim))
                    .label(x.span, format!("{ty}"));
                    let d = e
                        .with_story(d, &[&whole])
                        .help("a list of sizes makes unequal parts, `split(x, [10, 20], axis: 0)`");
                    return Err(e.fail(d));
                }
            }
        }
    };
    Ok(Value::Tuple(Arc::new(slices(e, v, &sizes, axis, span))))
}

/// Several tensors of one type as one, along a new axis.
fn stack(e: &mut Elab, args: Vec<Argument>, at: Span, span: Span) -> Res<Value> {
    let slots = order(e, "stack", args, span, 1)?;
    let [Some(parts), axis] = slots.as_slice() else { return Err(Failed) };
    let items = match &parts.value {
        Value::List(items) | Value::Tuple(items) if !items.is_empty() => items.clone(),
        other => {
            let kind = other.kind();
            let d = Diagnostic::error("E0402", parts.span, format!("`stack` wants a list of tensors, this is {kind}"))
                .help("write them between brackets, `stack([a, b], axis: 0)`");
            return Err(e.fail(d));
        }
    };
    let dtype: Option<DType> =
        items.iter().find_map(|v| if let Value::Tensor(v) = v { Some(e.ty(*v).dtype) } else { None });
    let mut tensors = Vec::new();
    for item in items.iter() {
        tensors.push(e.tensor(item, dtype, parts.span)?);
    }
    let first = e.ty(tensors[0]).clone();
    let n = match axis {
        Some(axis) => e.whole(&axis.value, axis.span)?,
        None => 0,
    };
    let at_axis = e.axis_number(n, first.rank() + 1, "stack", span)?;
    let mut shaped = Vec::new();
    for v in tensors {
        let ty = e.ty(v).clone();
        let same = ty.rank() == first.rank() && ty.shape.iter().zip(&first.shape).all(|(a, b)| e.agree(&a.dim, &b.dim));
        if !same || ty.dtype != first.dtype {
            let code = if same { "E0401" } else { "E0302" };
            let d = Diagnostic::error(code, parts.span, format!("only tensors of one type stack: {first} and {ty}"))
                .help(match (same, ty.below.is_some() || first.below.is_some()) {
                    (true, true) => {
                        "a category is a place in a table, no quantity: `Embedding(rows, width)(x)` or `one_hot(x, n)`"
                    }
                    (true, false) => "convert one of them, `f32(x)`",
                    (false, _) => "`concat` joins along an axis that they have",
                });
            return Err(e.fail(d));
        }
        let mut shape = ty.shape.to_vec();
        shape.insert(at_axis, Axis { dim: Dim::constant(1), origin: Default::default() });
        shaped.push(Value::Tensor(e.reshape_to(v, shape, span)));
    }
    let Some(concat) = e.program.primitive("concat") else { return Err(Failed) };
    let args = vec![Argument::of(Value::list(shaped), parts.span), Argument::of(Value::int(at_axis as i64), span)];
    e.apply_primitive(concat, args, at, span)
}
