//! Patterns in backticks: `rearrange`, `einsum`, `reduce`, `repeat`, written out as reshapes,
//! transposes, products and reductions (the notation of Rogozhnikov, "Einops", 2022).

use super::apply::Argument;
use super::elab::{Elab, Failed, Res};
use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::{Attr, ValueId};
use crate::source::Span;
use crate::syntax::ast::{EinTerm, Einops};
use crate::types::{Axis, TensorType};
use crate::word::Word;
use std::collections::BTreeMap;

/// What a pattern function was given.
struct Given {
    pattern: Einops,
    tensors: Vec<(ValueId, Span)>,
    sizes: BTreeMap<Word, (Dim, Span)>,
    word: Option<String>,
}

fn given(e: &mut Elab, name: &str, args: Vec<Argument>, span: Span) -> Res<Given> {
    let (mut pattern, mut tensors, mut sizes, mut word) = (None, Vec::new(), BTreeMap::new(), None);
    for arg in args {
        if let Some(p) = arg.pattern {
            pattern = Some(p);
        } else if let Some(n) = &arg.name {
            let dim = e.dim_of(&arg.value, arg.span)?;
            sizes.insert(n.text, (dim, arg.span));
        } else if let Value::Str(s) = &arg.value {
            word = Some(s.to_string());
        } else {
            tensors.push((e.tensor(&arg.value, None, arg.span)?, arg.span));
        }
    }
    let Some(pattern) = pattern else {
        let d = Diagnostic::error("E0501", span, format!("`{name}` also needs a pattern"))
            .help("a pattern stands in backticks, `b t d -> b d t`");
        return Err(e.fail(d));
    };
    if pattern.output.is_none() {
        return e.error("E0311", pattern.span, "this pattern has no `->`");
    }
    if tensors.len() != pattern.inputs.len() {
        let d = Diagnostic::error(
            "E0501",
            pattern.span,
            format!("the pattern names {} tensors, {} are given", pattern.inputs.len(), tensors.len()),
        );
        return Err(e.fail(d));
    }
    Ok(Given { pattern: *pattern, tensors, sizes, word })
}

/// The axes that a side of a pattern names, in order, groups opened.
fn names(e: &mut Elab, side: &[EinTerm], out: &mut Vec<(Word, Span)>, ones: &mut u32) -> Res<()> {
    for term in side {
        match term {
            EinTerm::Axis(n) => {
                if let Some((_, first)) = out.iter().find(|(o, _)| *o == n.text) {
                    let d = Diagnostic::error(
                        "E0311",
                        n.span,
                        format!("`{}` stands twice on one side of the pattern", n.text),
                    )
                    .label(*first, "first here");
                    return Err(e.fail(d));
                }
                out.push((n.text, n.span));
            }
            EinTerm::Size(1, span) => {
                *ones += 1;
                out.push((format!("1#{ones}").into(), *span));
            }
            EinTerm::Size(_, span) => {
                return e.error(
                    "E0311",
                    *span,
                    "only 1 stands for itself in a pattern; name the axis and give its size",
                );
            }
            EinTerm::Rest(span) => out.push(("..".into(), *span)),
            EinTerm::Group(inner, _) => names(e, inner, out, ones)?,
        }
    }
    Ok(())
}

/// A tensor with one axis for each name of its side of the pattern.
struct Opened {
    value: ValueId,
    names: Vec<Word>,
}

/// Splits the groups of an input, and names its axes.
fn open(
    e: &mut Elab,
    side: &[EinTerm],
    tensor: (ValueId, Span),
    sizes: &BTreeMap<Word, (Dim, Span)>,
    pattern: Span,
) -> Res<Opened> {
    let ty = e.ty(tensor.0).clone();
    let rest = side.iter().position(|t| matches!(t, EinTerm::Rest(_)));
    let fixed = side.len() - usize::from(rest.is_some());
    if ty.rank() < fixed || (rest.is_none() && ty.rank() != fixed) {
        let d = Diagnostic::error(
            "E0311",
            pattern,
            format!("the pattern names {fixed} axes, the tensor has rank {}", ty.rank()),
        )
        .label(tensor.1, format!("{ty}"));
        return Err(e.fail(d));
    }
    let extra = ty.rank() - fixed;
    let (mut shape, mut out) = (Vec::new(), Vec::new());
    let (mut at, mut ones) = (0, 0);
    for term in side {
        match term {
            EinTerm::Rest(_) => {
                for k in 0..extra {
                    shape.push(ty.shape[at].clone());
                    out.push(format!("..{k}").into());
                    at += 1;
                }
                continue;
            }
            EinTerm::Axis(n) => {
                if let Some((size, place)) = sizes.get(&n.text)
                    && !e.agree(size, &ty.shape[at].dim)
                {
                    let d = Diagnostic::error(
                        "E0311",
                        n.span,
                        format!("`{}` is {} in the tensor", n.text, ty.shape[at].dim),
                    )
                    .label(*place, format!("{size} here"));
                    return Err(e.fail(d));
                }
                shape.push(ty.shape[at].clone());
                out.push(n.text);
            }
            EinTerm::Size(1, span) => {
                if !e.agree(&ty.shape[at].dim, &Dim::constant(1)) {
                    return e.error("E0311", *span, format!("this axis has size {}, not 1", ty.shape[at].dim));
                }
                ones += 1;
                shape.push(ty.shape[at].clone());
                out.push(format!("1#{ones}").into());
            }
            EinTerm::Size(_, span) => return e.error("E0311", *span, "only 1 stands for itself in a pattern"),
            EinTerm::Group(inner, span) => open_group(e, inner, *span, &ty.shape[at], sizes, &mut shape, &mut out)?,
        }
        at += 1;
    }
    let value = e.reshape_to(tensor.0, shape, pattern);
    Ok(Opened { value, names: out })
}

fn open_group(
    e: &mut Elab,
    inner: &[EinTerm],
    span: Span,
    axis: &Axis,
    sizes: &BTreeMap<Word, (Dim, Span)>,
    shape: &mut Vec<Axis>,
    out: &mut Vec<Word>,
) -> Res<()> {
    let mut unknown = None;
    let mut known = Dim::constant(1);
    let mut parts = Vec::new();
    for term in inner {
        let EinTerm::Axis(n) = term else {
            return e.error("E0311", span, "a group holds names only");
        };
        match sizes.get(&n.text) {
            Some((size, _)) => {
                known = known.mul(size);
                parts.push((n, Some(size.clone())));
            }
            None if unknown.is_none() => {
                unknown = Some(n.span);
                parts.push((n, None));
            }
            None => {
                let d = Diagnostic::error(
                    "E0311",
                    n.span,
                    format!("the sizes in this group are not all known: give `{}: …`", n.text),
                );
                return Err(e.fail(d));
            }
        }
    }
    let whole = e.concrete(&axis.dim);
    let known = e.concrete(&known);
    let (quotient, remainder) = (whole.div(&known), whole.rem(&known));
    let fits = match unknown {
        Some(_) => remainder.as_ref().is_some_and(|r| e.agree(r, &Dim::default())),
        None => e.agree(&whole, &known),
    };
    if !fits {
        let d = Diagnostic::error(
            "E0311",
            span,
            format!("an axis of size {} does not split into this group, the known sizes make {known}", axis.dim),
        );
        let d = e.with_story(d, &[axis]);
        return Err(e.fail(d));
    }
    for (n, size) in parts {
        let dim = match size.or_else(|| quotient.clone()) {
            Some(dim) => dim,
            None => return Err(Failed),
        };
        let user = e.user_span(n.span);
        let origin = e.history.add(format!("{dim} is `{}` of the pattern", n.text), user, vec![axis.origin]);
        shape.push(Axis { dim, origin });
        out.push(n.text);
    }
    Ok(())
}

/// Puts the axes into an order.
fn permute(e: &mut Elab, x: &Opened, order: &[Word], span: Span) -> ValueId {
    let at: Vec<usize> = order.iter().filter_map(|n| x.names.iter().position(|m| m == n)).collect();
    if at.iter().enumerate().all(|(i, &k)| i == k) {
        return x.value;
    }
    let ty = e.ty(x.value).clone();
    let shape = at.iter().map(|&k| ty.shape[k].clone()).collect();
    let order = Attr::Ints(at.iter().map(|&k| Dim::constant(k as i64)).collect());
    let result = TensorType { dtype: ty.dtype, shape, below: ty.below };
    e.primitive("transpose", vec![("order".into(), order)], vec![x.value], result, span)
}

/// The sizes of the named axes.
fn size_of(e: &Elab, x: &Opened, name: &str) -> Option<Axis> {
    x.names.iter().position(|n| n == name).map(|i| e.ty(x.value).shape[i].clone())
}

/// The names of the output with `..` written out, and the axes it groups.
fn output(e: &mut Elab, side: &[EinTerm], rest: &[Word]) -> Res<(Vec<Word>, Vec<Vec<Word>>)> {
    let mut found = Vec::new();
    let mut ones = 0;
    names(e, side, &mut found, &mut ones)?;
    let (mut flat, mut groups, mut ones) = (Vec::new(), Vec::new(), 0);
    for term in side {
        let mut group = Vec::new();
        match term {
            EinTerm::Axis(n) => group.push(n.text),
            EinTerm::Size(..) => {
                ones += 1;
                group.push(format!("1#{ones}").into());
            }
            EinTerm::Rest(_) => {
                for name in rest {
                    flat.push(*name);
                    groups.push(vec![*name]);
                }
                continue;
            }
            EinTerm::Group(inner, _) => {
                for t in inner {
                    match t {
                        EinTerm::Axis(n) => group.push(n.text),
                        EinTerm::Rest(_) => group.extend(rest.iter().cloned()),
                        _ => {}
                    }
                }
            }
        }
        flat.extend(group.iter().cloned());
        groups.push(group);
    }
    Ok((flat, groups))
}

/// Joins the axes of each group.
fn close(e: &mut Elab, value: ValueId, flat: &[Word], groups: &[Vec<Word>], span: Span) -> ValueId {
    let ty = e.ty(value).clone();
    let mut shape = Vec::new();
    for group in groups {
        let axes: Vec<Axis> =
            group.iter().filter_map(|n| flat.iter().position(|f| f == n)).map(|i| ty.shape[i].clone()).collect();
        match axes.as_slice() {
            [one] => shape.push(one.clone()),
            many => {
                let dim = many.iter().fold(Dim::constant(1), |n, a| n.mul(&a.dim));
                let told = many.iter().map(|a| a.dim.to_string()).collect::<Vec<_>>().join(" * ");
                let user = e.user_span(span);
                let origin = e.history.add(
                    format!("{dim} = {told}, joined by the pattern"),
                    user,
                    many.iter().map(|a| a.origin).collect(),
                );
                shape.push(Axis { dim, origin });
            }
        }
    }
    e.reshape_to(value, shape, span)
}

fn rests(x: &Opened) -> Vec<Word> {
    x.names.iter().filter(|n| n.starts_with("..")).cloned().collect()
}

/// An axis of one side that the other side does not have.
fn stray(e: &mut Elab, pattern: &Einops, name: &str, what: &str) -> Failed {
    let mut all = Vec::new();
    let mut ones = 0;
    for side in pattern.inputs.iter().chain(&pattern.output) {
        let mut found = Vec::new();
        if names(e, side, &mut found, &mut ones).is_ok() {
            all.extend(found);
        }
    }
    let span = all.iter().find(|(n, _)| n == name).map_or(pattern.span, |(_, s)| *s);
    e.fail(Diagnostic::error("E0311", span, format!("`{name}` {what}")))
}

/// `rearrange(x, PATTERN, h: 8)`: the same elements with axes split, reordered and joined.
pub(super) fn rearrange(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let g = given(e, "rearrange", args, span)?;
    let [tensor] = g.tensors.as_slice() else { return e.error("E0501", span, "`rearrange` takes one tensor") };
    let mut check = (Vec::new(), 0);
    names(e, &g.pattern.inputs[0], &mut check.0, &mut check.1)?;
    let x = open(e, &g.pattern.inputs[0], *tensor, &g.sizes, g.pattern.span)?;
    let side = g.pattern.output.clone().unwrap_or_default();
    let (flat, groups) = output(e, &side, &rests(&x))?;
    if let Some(name) = flat.iter().find(|n| !x.names.contains(n) && !n.starts_with("1#")) {
        return Err(stray(e, &g.pattern, name, "stands only on the right: `repeat` adds axes"));
    }
    if let Some(name) = x.names.iter().find(|n| !flat.contains(n) && !n.starts_with("1#")) {
        return Err(stray(e, &g.pattern, name, "stands only on the left: `reduce` takes axes away"));
    }
    Ok(Value::Tensor(place_axes(e, &x, &flat, &groups, span)))
}

/// Orders, adds axes of size 1, joins.
fn place_axes(e: &mut Elab, x: &Opened, flat: &[Word], groups: &[Vec<Word>], span: Span) -> ValueId {
    let kept: Vec<Word> = flat.iter().filter(|n| x.names.contains(n) && !n.starts_with("1#")).cloned().collect();
    // Axes of size 1 carry no elements: drop those of the input, add those of the output.
    let bare: Vec<Axis> = x
        .names
        .iter()
        .enumerate()
        .filter(|(_, n)| !n.starts_with("1#"))
        .map(|(i, _)| e.ty(x.value).shape[i].clone())
        .collect();
    let names: Vec<Word> = x.names.iter().filter(|n| !n.starts_with("1#")).cloned().collect();
    let value = e.reshape_to(x.value, bare, span);
    let ordered = permute(e, &Opened { value, names }, &kept, span);
    let ty = e.ty(ordered).clone();
    let mut next = ty.shape.iter();
    let one = || Axis { dim: Dim::constant(1), origin: Default::default() };
    let shape = flat
        .iter()
        .map(|n| if n.starts_with("1#") { one() } else { next.next().cloned().unwrap_or_else(one) })
        .collect();
    let full = e.reshape_to(ordered, shape, span);
    close(e, full, flat, groups, span)
}

/// `reduce(x, PATTERN, "mean")`: a rearrangement that takes axes away.
pub(super) fn reduce(e: &mut Elab, args: Vec<Argument>, at: Span, span: Span) -> Res<Value> {
    let g = given(e, "reduce", args, span)?;
    let [tensor] = g.tensors.as_slice() else { return e.error("E0501", span, "`reduce` takes one tensor") };
    let how = g.word.clone().unwrap_or_default();
    if !["sum", "mean", "max", "min"].contains(&how.as_str()) {
        return e.error("E0503", span, "`reduce` also needs how: \"sum\", \"mean\", \"max\" or \"min\"");
    }
    let x = open(e, &g.pattern.inputs[0], *tensor, &g.sizes, g.pattern.span)?;
    let side = g.pattern.output.clone().unwrap_or_default();
    let (flat, groups) = output(e, &side, &rests(&x))?;
    if let Some(name) = flat.iter().find(|n| !x.names.contains(n) && !n.starts_with("1#")) {
        return Err(stray(e, &g.pattern, name, "stands only on the right: `repeat` adds axes"));
    }
    let gone: Vec<usize> = (0..x.names.len()).filter(|&i| !flat.contains(&x.names[i])).collect();
    let left: Vec<Word> = x.names.iter().filter(|n| flat.contains(n)).cloned().collect();
    let Some(function) = e.program.prelude.get(&how.as_str().into()).copied() else { return Err(Failed) };
    let super::program::Global::Callable(id) = function else { return Err(Failed) };
    let axes = Value::dims(gone.iter().map(|&i| Dim::constant(i as i64)));
    let value = if gone.is_empty() {
        x.value
    } else {
        let args = vec![Argument::of(Value::Tensor(x.value), tensor.1), Argument::of(axes, span)];
        match e.call(Value::Callable(id), args, at, span)? {
            Value::Tensor(v) => v,
            _ => return Err(Failed),
        }
    };
    Ok(Value::Tensor(place_axes(e, &Opened { value, names: left }, &flat, &groups, span)))
}

/// `repeat(x, PATTERN, n: 3)`: a rearrangement that adds axes by repetition.
pub(super) fn repeat(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let g = given(e, "repeat", args, span)?;
    let [tensor] = g.tensors.as_slice() else { return e.error("E0501", span, "`repeat` takes one tensor") };
    let x = open(e, &g.pattern.inputs[0], *tensor, &g.sizes, g.pattern.span)?;
    let side = g.pattern.output.clone().unwrap_or_default();
    let (flat, groups) = output(e, &side, &rests(&x))?;
    if let Some(name) = x.names.iter().find(|n| !flat.contains(n) && !n.starts_with("1#")) {
        return Err(stray(e, &g.pattern, name, "stands only on the left: `reduce` takes axes away"));
    }
    let fresh: Vec<Word> = flat.iter().filter(|n| !x.names.contains(n) && !n.starts_with("1#")).cloned().collect();
    let mut shape = Vec::new();
    for name in &fresh {
        let Some((dim, _)) = g.sizes.get(name) else {
            return Err(stray(e, &g.pattern, name, "is new, and its size is not given"));
        };
        shape.push(Axis { dim: dim.clone(), origin: Default::default() });
    }
    shape.extend(e.ty(x.value).shape.iter().cloned());
    e.can_be("repeat", &shape, span)?;
    let value = e.broadcast(x.value, &shape.into(), span);
    let all = fresh.into_iter().chain(x.names).collect();
    Ok(Value::Tensor(place_axes(e, &Opened { value, names: all }, &flat, &groups, span)))
}

/// `einsum(PATTERN, a, b)`: the sum over the axes that the output does not name, of the product.
pub(super) fn einsum(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let g = given(e, "einsum", args, span)?;
    let mut opened = Vec::new();
    for (side, tensor) in g.pattern.inputs.iter().zip(&g.tensors) {
        let mut check = (Vec::new(), 0);
        names(e, side, &mut check.0, &mut check.1)?;
        opened.push(open(e, side, *tensor, &g.sizes, g.pattern.span)?);
    }
    let all_rests = opened.iter().map(rests).max_by_key(Vec::len).unwrap_or_default();
    let side = g.pattern.output.clone().unwrap_or_default();
    let (flat, groups) = output(e, &side, &all_rests)?;
    if let Some(name) = flat.iter().find(|n| !opened.iter().any(|x| x.names.contains(n))) {
        return Err(stray(e, &g.pattern, name, "stands only on the right"));
    }
    // One size for each name.
    for (i, x) in opened.iter().enumerate() {
        for name in &x.names {
            let Some(mine) = size_of(e, x, name) else { continue };
            for (j, other) in opened.iter().enumerate().take(i) {
                let Some(theirs) = size_of(e, other, name) else { continue };
                if !e.agree(&mine.dim, &theirs.dim) {
                    let d = Diagnostic::error(
                        "E0311",
                        g.tensors[i].1,
                        format!("`{name}` is {} here and {} before", mine.dim, theirs.dim),
                    )
                    .says(format!("{}", e.ty(g.tensors[i].0)))
                    .label(g.tensors[j].1, format!("{}", e.ty(g.tensors[j].0)));
                    return Err(e.fail(d));
                }
            }
        }
    }
    let mut opened = opened.into_iter();
    let Some(mut left) = opened.next() else { return Err(Failed) };
    let rest: Vec<Opened> = opened.collect();
    for (i, right) in rest.iter().enumerate() {
        let needed = |n: &Word| flat.contains(n) || rest[i + 1..].iter().any(|x| x.names.contains(n));
        left = contract(e, left, right, &needed, span)?;
    }
    left = sum_away(e, left, &|n| flat.contains(n), span)?;
    let ordered = permute(e, &left, &flat, span);
    Ok(Value::Tensor(close(e, ordered, &flat, &groups, span)))
}

/// Sums over the axes that nobody needs.
fn sum_away(e: &mut Elab, x: Opened, needed: &dyn Fn(&Word) -> bool, span: Span) -> Res<Opened> {
    let gone: Vec<usize> = (0..x.names.len()).filter(|&i| !needed(&x.names[i])).collect();
    if gone.is_empty() {
        return Ok(x);
    }
    let axes = Value::dims(gone.iter().map(|&i| Dim::constant(i as i64)));
    let Value::Tensor(value) = e.call_primitive("sum", vec![Value::Tensor(x.value), axes], span)? else {
        return Err(Failed);
    };
    Ok(Opened { value, names: x.names.into_iter().filter(|n| needed(n)).collect() })
}

/// The product of two operands as one batched matrix product: batch axes, rows, summed axes, columns.
fn contract(e: &mut Elab, left: Opened, right: &Opened, needed: &dyn Fn(&Word) -> bool, span: Span) -> Res<Opened> {
    let left = sum_away(e, left, &|n| needed(n) || right.names.contains(n), span)?;
    let right = Opened { value: right.value, names: right.names.clone() };
    let right = sum_away(e, right, &|n| needed(n) || left.names.contains(n), span)?;
    let shared: Vec<Word> = left.names.iter().filter(|n| right.names.contains(n)).cloned().collect();
    let (batch, summed): (Vec<Word>, Vec<Word>) = shared.iter().cloned().partition(|n| needed(n));
    let rows: Vec<Word> = left.names.iter().filter(|n| !shared.contains(n)).cloned().collect();
    let columns: Vec<Word> = right.names.iter().filter(|n| !shared.contains(n)).cloned().collect();
    let dims =
        |e: &Elab, x: &Opened, names: &[Word]| -> Vec<Axis> { names.iter().filter_map(|n| size_of(e, x, n)).collect() };
    let product = |axes: &[Axis]| axes.iter().fold(Dim::constant(1), |n, a| n.mul(&a.dim));
    let plain = |dim: Dim| Axis { dim, origin: Default::default() };
    let (b, r, k, c) =
        (dims(e, &left, &batch), dims(e, &left, &rows), dims(e, &left, &summed), dims(e, &right, &columns));
    let lhs_order: Vec<Word> = batch.iter().chain(&rows).chain(&summed).cloned().collect();
    let rhs_order: Vec<Word> = batch.iter().chain(&summed).chain(&columns).cloned().collect();
    let lhs = permute(e, &left, &lhs_order, span);
    let rhs = permute(e, &right, &rhs_order, span);
    let with = |tail: [Dim; 2]| -> Vec<Axis> { b.iter().cloned().chain(tail.map(plain)).collect() };
    let lhs = e.reshape_to(lhs, with([product(&r), product(&k)]), span);
    let rhs = e.reshape_to(rhs, with([product(&k), product(&c)]), span);
    let Value::Tensor(out) = e.call_primitive("matmul", vec![Value::Tensor(lhs), Value::Tensor(rhs)], span)? else {
        return Err(Failed);
    };
    let shape = b.into_iter().chain(r).chain(c).collect();
    let value = e.reshape_to(out, shape, span);
    Ok(Opened { value, names: batch.into_iter().chain(rows).chain(columns).collect() })
}
