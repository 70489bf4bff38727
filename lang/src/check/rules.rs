//! Shape rules that a signature cannot write: one named function each, called in the result type of
//! a primitive, `-> number[..reduced(S, axis, keep)]`.

use super::compare::Verdict;
use super::elab::{Elab, Failed, Res};
use super::history::Text;
use super::shape_help::listed;
use super::signature::Signature;
use super::value::Value;
use super::windows::{divided, unwindowed, windowed};
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::source::Span;
use crate::types::{Axis, OriginId};
use crate::word::Word;

/// Where a rule is used, for its errors.
pub(super) struct Place<'a> {
    pub primitive: &'a str,
    /// The primitive's name in the call.
    pub at: Span,
    /// The whole call.
    pub span: Span,
}

/// A rule: from what the signature has bound, and the names it is called with, to axes. It may put
/// the static arguments it is called with into normal form.
type Rule = fn(&mut Elab, &mut Signature, &[Word], &Place) -> Res<Vec<Axis>>;

const RULES: [(&str, Rule); 12] = [
    ("reduced", reduced),
    ("along", along),
    ("summed", summed),
    ("broadcasted", broadcasted),
    ("reshaped", reshaped),
    ("transposed", transposed),
    ("sliced", sliced),
    ("padded", padded),
    ("joined", joined),
    ("windowed", windowed),
    ("unwindowed", unwindowed),
    ("divided", divided),
];

pub(super) fn find(name: &str) -> Option<Rule> {
    RULES.iter().find(|(n, _)| *n == name).map(|(_, r)| *r)
}

pub(super) fn rest(sig: &Signature, names: &[Word], i: usize) -> Res<Vec<Axis>> {
    names.get(i).and_then(|n| sig.rests.get(n)).map(|(a, _)| a.to_vec()).ok_or(Failed)
}

pub(super) fn ints(e: &mut Elab, sig: &Signature, names: &[Word], i: usize, place: &Place) -> Res<Vec<Dim>> {
    match names.get(i).and_then(|n| sig.env.get(n)).cloned() {
        Some(Value::List(items)) => items.iter().map(|v| e.dim_of(v, place.span)).collect(),
        Some(value) => Ok(vec![e.dim_of(&value, place.span)?]),
        None => Err(Failed),
    }
}

/// Axes as numbers from 0, negative ones counted from the end; all of them when none is given.
fn axes(e: &mut Elab, sig: &mut Signature, names: &[Word], i: usize, rank: usize, place: &Place) -> Res<Vec<usize>> {
    let given = ints(e, sig, names, i, place)?;
    let name = names.get(i).copied().unwrap_or_else(|| "axis".into());
    let listed = matches!(sig.env.get(name), Some(Value::List(_)));
    let mut out = Vec::new();
    for axis in &given {
        let n = e.whole(&Value::Int(axis.clone()), place.span)?;
        out.push(e.axis_number(n, rank, place.primitive, place.span)?);
    }
    if listed {
        if out.is_empty() {
            out = (0..rank).collect();
        }
        out.sort_unstable();
        if out.windows(2).any(|w| w[0] == w[1]) {
            return e.error("E0307", place.span, "an axis is named twice");
        }
        sig.env.rebind(name, Value::dims(out.iter().map(|&a| Dim::constant(a as i64))));
    } else if let [axis] = out.as_slice() {
        sig.env.rebind(name, Value::int(*axis as i64));
    }
    Ok(out)
}

impl Elab {
    /// An axis counted from 0; `-1` is the last.
    pub fn axis_number(&mut self, axis: i64, rank: usize, what: &str, span: Span) -> Res<usize> {
        let n = if axis < 0 { axis + rank as i64 } else { axis };
        match usize::try_from(n) {
            Ok(n) if n < rank => Ok(n),
            _ => {
                // In the library it is the user's application that names it.
                let applied = self.applied_at(span).map(|(name, _)| name);
                let what = applied.unwrap_or_else(|| what.into());
                let d =
                    Diagnostic::error("E0307", span, format!("`{what}` names axis {axis} of a tensor of rank {rank}"))
                        .help(if rank == 0 {
                            "a tensor of rank 0 has no axes".to_string()
                        } else {
                            format!("its axes are 0 to {}, or -{rank} to -1", rank - 1)
                        });
                Err(self.fail(d))
            }
        }
    }
}

fn reduced(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let shape = rest(sig, names, 0)?;
    let gone = axes(e, sig, names, 1, shape.len(), place)?;
    let keep = match names.get(2).and_then(|n| sig.env.get(n)) {
        Some(Value::Bool(keep)) => *keep,
        None => false,
        _ => return Err(Failed),
    };
    let one = || Axis { dim: Dim::constant(1), origin: OriginId::default() };
    Ok(shape
        .into_iter()
        .enumerate()
        .filter_map(|(i, a)| if gone.contains(&i) { keep.then(one) } else { Some(a) })
        .collect())
}

fn along(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let shape = rest(sig, names, 0)?;
    axes(e, sig, names, 1, shape.len(), place)?;
    Ok(shape.to_vec())
}

/// The shape itself; it must broadcast to that of the argument.
fn summed(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let shape = rest(sig, names, 0)?;
    let to = ints(e, sig, names, 1, place)?;
    let stretches = to.len() <= shape.len()
        && to.iter().rev().zip(shape.iter().rev()).all(|(t, s)| *t == Dim::constant(1) || e.agree(t, &s.dim));
    if !stretches {
        return e.error("E0306", place.span, "this shape does not broadcast to that of the tensor");
    }
    let offset = shape.len() - to.len();
    Ok(to.into_iter().zip(&shape[offset..]).map(|(dim, a)| Axis { origin: a.origin, dim }).collect())
}

fn broadcasted(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let shape = rest(sig, names, 0)?;
    let to = ints(e, sig, names, 1, place)?;
    let stretches = shape.len() <= to.len()
        && shape.iter().rev().zip(to.iter().rev()).all(|(s, t)| s.dim == Dim::constant(1) || e.agree(t, &s.dim));
    if !stretches {
        let show = |d: Vec<String>| format!("[{}]", d.join(", "));
        let (from, onto) =
            (show(shape.iter().map(|a| a.dim.to_string()).collect()), show(to.iter().map(Dim::to_string).collect()));
        return e.error("E0303", place.span, format!("a tensor of shape {from} does not broadcast to {onto}"));
    }
    let offset = to.len() - shape.len();
    let origin = |i: usize| i.checked_sub(offset).map_or(OriginId::default(), |k| shape[k].origin);
    Ok(to.into_iter().enumerate().map(|(i, dim)| Axis { origin: origin(i), dim }).collect())
}

fn reshaped(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let shape = rest(sig, names, 0)?;
    let mut to = ints(e, sig, names, 1, place)?;
    let size = |dims: &mut dyn Iterator<Item = &Dim>| dims.fold(Dim::constant(1), |n, d| n.mul(d));
    let have = size(&mut shape.iter().map(|a| &a.dim));
    // One -1 stands for what is left.
    let open: Vec<usize> = (0..to.len()).filter(|&i| to[i].as_constant() == Some(-1)).collect();
    if open.len() > 1 {
        let d = Diagnostic::error("E0306", place.span, "`-1` stands twice: only one size can be what is left");
        return Err(e.fail(d.help("write all sizes but one")));
    }
    if let [i] = open.as_slice() {
        let rest = size(&mut to.iter().enumerate().filter(|(k, _)| k != i).map(|(_, d)| d));
        let (have, rest) = (e.concrete(&have), e.concrete(&rest));
        match (have.div(&rest), have.rem(&rest)) {
            (Some(q), Some(r)) if e.agree(&r, &Dim::default()) => to[*i] = q,
            _ => {
                let d = Diagnostic::error("E0306", place.span, format!("{have} elements do not divide by {rest}"));
                let d = d.says(format!("of a tensor of {}", listed(&dims(&shape))));
                let d = e.with_story(d, &shape.iter().collect::<Vec<_>>());
                return Err(e.fail(d));
            }
        }
        if let Some(name) = names.get(1) {
            sig.env.rebind(*name, Value::dims(to.clone()));
        }
    }
    let want = size(&mut to.iter());
    let verdict = if e.concrete(&have) == e.concrete(&want) { Verdict::Proved } else { e.same(&have, &want) };
    if verdict == Verdict::Refuted || (verdict == Verdict::Undecided && !e.generic) {
        let (from, onto) = (listed(&dims(&shape)), listed(&to));
        let mut d = Diagnostic::error(
            "E0306",
            place.span,
            format!("a reshape keeps the number of elements: {from} has {have}, {onto} has {want}"),
        )
        .says(format!("{from} to {onto}"));
        d = e.with_story(d, &shape.iter().rev().collect::<Vec<_>>());
        // The last size that could be another one.
        let fitting = (0..to.len()).rev().find_map(|i| {
            let others = size(&mut to.iter().enumerate().filter(|(k, _)| *k != i).map(|(_, d)| d));
            let (have, others) = (e.concrete(&have), e.concrete(&others));
            let exact = have.rem(&others)? == Dim::default();
            let other = have.div(&others).filter(|q| exact && q.as_constant().is_some_and(|n| n > 1))?;
            Some(format!("write {other} instead of {}, or `-1`, which stands for what is left", to[i]))
        });
        let batch =
            shape.first().zip(to.first()).filter(|(a, t)| a.dim.as_var().is_some() && t.as_constant().is_some());
        d = match (fitting, batch) {
            (Some(help), _) => d.help(help),
            (None, Some((a, _))) => d.help(format!("the batch keeps its name: write `{}` for the first size", a.dim)),
            _ => d.help("`-1` for one size stands for what is left"),
        };
        return Err(e.fail(d));
    }
    Ok(regrouped(e, &shape, to, e.user_span(place.span)))
}

fn dims(axes: &[Axis]) -> Vec<Dim> {
    axes.iter().map(|a| a.dim.clone()).collect()
}

/// The axes of a reshape with their history: groups of axes that have the same number of elements before and after,
/// as short as possible. A group of one axis keeps its history.
fn regrouped(e: &mut Elab, shape: &[Axis], to: Vec<Dim>, place: Span) -> Vec<Axis> {
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    while j < to.len() {
        let (first, start) = (i, j);
        let (mut left, mut right) = (Dim::constant(1), Dim::constant(1));
        // The next axis is taken from the side that has fewer elements so far.
        while i == first || j == start || left != right {
            let fewer = right.rem(&left).is_some_and(|r| r == Dim::default());
            if i < shape.len() && (i == first || j == to.len() || (j > start && fewer)) {
                left = left.mul(&e.concrete(&shape[i].dim));
                i += 1;
            } else if j < to.len() {
                right = right.mul(&e.concrete(&to[j]));
                j += 1;
            } else {
                break;
            }
        }
        let (from, onto) = (&shape[first..i], &to[start..j]);
        let parents: Vec<_> = from.iter().map(|a| a.origin).collect();
        match (from, onto) {
            ([one], [dim]) => out.push(Axis { dim: dim.clone(), origin: one.origin }),
            (many, onto) => {
                let told = many.iter().map(|a| a.dim.to_string()).collect::<Vec<_>>().join(" * ");
                for dim in onto {
                    let text = match (many.len(), onto.len()) {
                        (0, _) => dim.to_string(),
                        (_, 1) if told == dim.to_string() => told.clone(),
                        (_, 1) => format!("{dim} = {told}"),
                        _ => format!("{dim} of {told}"),
                    };
                    let origin = e.history.add(Text::From(text, place), place, parents.clone());
                    out.push(Axis { dim: dim.clone(), origin });
                }
            }
        }
    }
    out
}

fn transposed(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let shape = rest(sig, names, 0)?;
    let given = ints(e, sig, names, 1, place)?;
    let rank = shape.len();
    let mut order = Vec::new();
    for d in &given {
        let n = e.whole(&Value::Int(d.clone()), place.span)?;
        order.push(e.axis_number(n, rank, place.primitive, place.span)?);
    }
    if order.is_empty() && rank >= 2 {
        order = (0..rank).collect();
        order.swap(rank - 1, rank - 2);
    } else if order.is_empty() && rank < 2 {
        return e.error("E0307", place.span, format!("`transpose` needs two axes, this tensor has rank {rank}"));
    }
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if sorted != (0..rank).collect::<Vec<_>>() {
        let told = listed(&given);
        let d = Diagnostic::error("E0307", place.span, format!("the order must name each of the {rank} axes once"))
            .says(format!("{told} of a tensor of {}", listed(&dims(&shape))));
        let whole: Vec<i64> = std::iter::once(0).chain(order.iter().map(|&a| a as i64 + 1)).collect();
        return Err(e.fail(match order.len() + 1 == rank && (0..rank - 1).all(|i| order.contains(&i)) {
            true => d.help(format!("the batch is axis 0 here: write `{whole:?}`")),
            false => d.help(format!("its axes are 0 to {}", rank - 1)),
        }));
    }
    if let Some(name) = names.get(1) {
        sig.env.rebind(*name, Value::dims(order.iter().map(|&a| Dim::constant(a as i64))));
    }
    Ok(order.into_iter().map(|i| shape[i].clone()).collect())
}

fn per_axis(e: &mut Elab, lists: &[&[Dim]], rank: usize, place: &Place) -> Res<()> {
    if lists.iter().any(|l| l.len() != rank) {
        return e.error(
            "E0307",
            place.span,
            format!("`{}` needs one number for each of the {rank} axes", place.primitive),
        );
    }
    Ok(())
}

fn sliced(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let shape = rest(sig, names, 0)?;
    let (starts, stops) = (ints(e, sig, names, 1, place)?, ints(e, sig, names, 2, place)?);
    per_axis(e, &[&starts, &stops], shape.len(), place)?;
    let mut out = Vec::new();
    for ((axis, start), stop) in shape.iter().zip(&starts).zip(&stops) {
        let fits = [(&Dim::constant(0), start), (&start.add(&Dim::constant(1)), stop), (stop, &axis.dim)];
        for (low, high) in fits {
            match e.at_most(low, high) {
                Verdict::Proved => {}
                Verdict::Undecided if e.generic => {}
                _ => {
                    let d = Diagnostic::error(
                        "E0308",
                        place.span,
                        format!("a slice from {start} to {stop} does not fit an axis of size {}", axis.dim),
                    );
                    return Err(e.fail(d));
                }
            }
        }
        let dim = stop.sub(start);
        let origin = if dim == axis.dim {
            axis.origin
        } else {
            let user = e.user_span(place.span);
            e.history.add(Text::From(format!("{dim} of {}", axis.dim), user), user, vec![axis.origin])
        };
        out.push(Axis { dim, origin });
    }
    Ok(out)
}

fn padded(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let shape = rest(sig, names, 0)?;
    let (before, after) = (ints(e, sig, names, 1, place)?, ints(e, sig, names, 2, place)?);
    per_axis(e, &[&before, &after], shape.len(), place)?;
    Ok(shape
        .into_iter()
        .zip(before)
        .zip(after)
        .map(|((a, b), c)| Axis { dim: a.dim.add(&b).add(&c), origin: a.origin })
        .collect())
}

fn joined(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let Some(Value::List(parts)) = names.first().and_then(|n| sig.env.get(n)).cloned() else { return Err(Failed) };
    let types: Vec<_> =
        parts.iter().filter_map(|v| if let Value::Tensor(v) = v { Some(e.ty(*v).clone()) } else { None }).collect();
    let Some(first) = types.first() else { return Err(Failed) };
    let [axis] = axes(e, sig, names, 1, first.rank(), place)?[..] else { return Err(Failed) };
    let mut dim = first.shape[axis].dim.clone();
    for ty in &types[1..] {
        let fits = ty.rank() == first.rank()
            && (0..ty.rank()).all(|i| i == axis || e.agree(&ty.shape[i].dim, &first.shape[i].dim));
        if !fits {
            let mut d = Diagnostic::error(
                "E0302",
                place.span,
                format!("these do not join along axis {axis}: {first} and {ty}"),
            )
            .says(format!("joins {first} and {ty}"));
            let differ = |i: usize| !e.agree(&ty.shape[i].dim, &first.shape[i].dim);
            let off: Vec<usize> = (0..ty.rank().min(first.rank())).filter(|&i| differ(i)).collect();
            if ty.rank() == first.rank() {
                let axes: Vec<&Axis> =
                    off.iter().filter(|i| **i != axis).flat_map(|&i| [&ty.shape[i], &first.shape[i]]).collect();
                d = e.with_story(d, &axes);
            }
            d = match off.as_slice() {
                _ if ty.rank() != first.rank() => d.help("both need the same number of axes"),
                [one] => d.help(format!("along axis {one} they would: write `axis: {one}`")),
                _ => d.help(format!("all axes but {axis} must agree")),
            };
            return Err(e.fail(d));
        }
        dim = dim.add(&ty.shape[axis].dim);
    }
    let mut shape = first.shape.clone();
    if types.len() > 1 {
        let user = e.user_span(place.at);
        let parents = types.iter().map(|t| t.shape[axis].origin).collect();
        let sum = types.iter().map(|t| t.shape[axis].dim.to_string()).collect::<Vec<_>>().join(" + ");
        let told = if sum == dim.to_string() { sum } else { format!("{dim} = {sum}") };
        let origin = e.history.add(format!("{told}, joined here"), user, parents);
        shape[axis] = Axis { dim, origin };
    }
    Ok(shape.to_vec())
}
