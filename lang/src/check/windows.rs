//! Windows that slide over the axes of an image: the sizes that a convolution or a pooling gives.
//!
//! Along an axis there are `(n + 2 * pad - dilation * (size - 1) - 1) / stride + 1` windows.

use super::apply::Argument;
use super::compare::Verdict;
use super::elab::{Elab, Failed, Res};
use super::history::Text;
use super::rules::{Place, ints, rest};
use super::signature::Signature;
use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::source::Span;
use crate::types::Axis;
use crate::word::Word;

/// What windows are made with, one number for each axis.
struct Windows {
    kernel: Vec<Dim>,
    stride: Vec<Dim>,
    pad: Vec<Dim>,
    dilation: Vec<Dim>,
}

/// `..windowed(S, size, stride, pad, dilation)`: the windows over S. A list of one stands for all axes, and is
/// written out as one for each; without `dilation` it is 1.
pub(super) fn windowed(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let image = rest(sig, names, 0)?;
    let windows = Windows::of(e, sig, names, image.len(), place)?;
    let user = e.user_span(place.span);
    let mut out = Vec::new();
    for (i, axis) in image.iter().enumerate() {
        let (dim, text) = windows.count(e, axis, i, place)?;
        let line = Text::From(format!("{dim} = {text}"), user);
        let origin = e.history.add(line, user, vec![axis.origin]);
        out.push(Axis { dim, origin });
    }
    Ok(out)
}

/// `..unwindowed(to, S, size, P, stride, pad, dilation)`: the shape `to`, where the windows over S are P.
pub(super) fn unwindowed(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let plain = |dims: Vec<Dim>| dims.into_iter().map(|dim| Axis { dim, origin: Default::default() }).collect();
    let to = match rest(sig, names, 0) {
        Ok(axes) => axes,
        Err(Failed) => plain(ints(e, sig, names, 0, place)?),
    };
    let (image, result) = (ints(e, sig, names, 1, place)?, ints(e, sig, names, 3, place)?);
    let how: Vec<Word> = names[1..3].iter().chain(names.get(4..).unwrap_or(&[])).copied().collect();
    let windows = Windows::of(e, sig, &how, image.len(), place)?;
    let mut fits = result.len() == image.len();
    for (i, (n, want)) in image.iter().zip(&result).enumerate() {
        let have = windows.count(e, &Axis { dim: n.clone(), origin: Default::default() }, i, place)?.0;
        fits &= e.agree(&have, want);
    }
    if !fits {
        let show = |dims: &[Dim]| format!("[{}]", dims.iter().map(Dim::to_string).collect::<Vec<_>>().join(", "));
        let message = format!("`{}`: the windows over {} are not {}", place.primitive, show(&image), show(&result));
        return e.error("E0306", place.span, message);
    }
    Ok(to)
}

/// `..divided(C, O, groups)`: no axes; the last divides each of the sizes before it.
pub(super) fn divided(e: &mut Elab, sig: &mut Signature, names: &[Word], place: &Place) -> Res<Vec<Axis>> {
    let [sizes @ .., by] = names else { return Err(Failed) };
    let value = sig.env.get(by).cloned().unwrap_or(Value::Unknown);
    let count = e.dim_of(&value, place.span)?;
    for name in sizes {
        let Some(size) = sig.dims.get(name).map(|(axis, _)| axis.dim.clone()) else { return Err(Failed) };
        let left = e.concrete(&size).rem(&e.concrete(&count));
        let holds =
            left.as_ref().is_some_and(|left| *left == Dim::default() || (e.generic && left.as_constant().is_none()));
        if !holds {
            let message = format!("`{}`: {count} groups do not divide {size} channels", place.primitive);
            return e.error("E0306", place.span, message);
        }
    }
    Ok(Vec::new())
}

/// `each(values, n)`: n values; a list of one, or a number, stands for all of them.
pub(super) fn each(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let [values, n] = args.as_slice() else { return e.error("E0501", span, "`each` takes `values` and `n`") };
    let n = e.whole(&n.value, n.span)?;
    let items = match &values.value {
        Value::List(items) => items.to_vec(),
        Value::Opaque | Value::Unknown => return Err(Failed),
        one => vec![one.clone()],
    };
    match (items.len() as i64, items.as_slice()) {
        (have, _) if have == n => Ok(Value::list(items)),
        (_, [one]) => Ok(Value::list(vec![one.clone(); n.max(0) as usize])),
        (have, _) => {
            let d = Diagnostic::error("E0503", values.span, format!("{have} numbers are given for {n} axes"))
                .help("one number stands for all axes; a list has one for each");
            Err(e.fail(d))
        }
    }
}

impl Windows {
    /// From names: the axes (not read here), the size, and what else is given.
    fn of(e: &mut Elab, sig: &mut Signature, names: &[Word], axes: usize, place: &Place) -> Res<Windows> {
        let mut one_each = |i: usize, default: i64| -> Res<Vec<Dim>> {
            let Some(name) = names.get(i) else { return Ok(vec![Dim::constant(default); axes]) };
            let mut given = ints(e, sig, names, i, place)?;
            if let [one] = given.as_slice() {
                given = vec![one.clone(); axes];
                sig.env.rebind(*name, Value::dims(given.clone()));
            }
            if given.len() != axes {
                let d = Diagnostic::error(
                    "E0503",
                    place.span,
                    format!("`{name}` has {} numbers, there are {axes} axes to slide over", given.len()),
                )
                .help("one number stands for all axes; a list has one for each");
                return Err(e.fail(d));
            }
            Ok(given)
        };
        Ok(Windows {
            kernel: one_each(1, 1)?,
            stride: one_each(2, 1)?,
            pad: one_each(3, 0)?,
            dilation: one_each(4, 1)?,
        })
    }

    /// How many windows there are along an axis of size `n`, and that as arithmetic.
    fn count(&self, e: &mut Elab, n: &Axis, axis: usize, place: &Place) -> Res<(Dim, String)> {
        let (kernel, stride, pad, dilation) =
            (&self.kernel[axis], &self.stride[axis], &self.pad[axis], &self.dilation[axis]);
        let (one, origin) = (Dim::constant(1), n);
        let n = &n.dim;
        for (name, value, least) in
            [("size", kernel, 1), ("stride", stride, 1), ("dilation", dilation, 1), ("pad", pad, 0)]
        {
            if e.at_most(&Dim::constant(least), value) == Verdict::Refuted {
                let what = e.applied_at(place.span).map_or_else(|| place.primitive.into(), |(name, _)| name);
                let message = format!("`{what}` cannot be applied: the {name} is {value}, and must be {least} or more");
                return e.error("E0506", place.span, message);
            }
        }
        let reach = dilation.mul(&kernel.sub(&one)).add(&one);
        let room = n.add(&pad.scale(2));
        let fits = e.at_most(&reach, &room);
        if fits == Verdict::Refuted || (fits == Verdict::Undecided && !e.generic) {
            let window = if dilation == &one { format!("{reach}") } else { format!("{reach} (with its dilation)") };
            let padded = if pad == &Dim::default() { String::new() } else { format!(", {room} with its padding") };
            let applied = e.applied_at(place.span);
            let what = applied.as_ref().map_or(place.primitive, |(name, _)| name);
            let mut d = Diagnostic::error(
                "E0506",
                place.span,
                format!(
                    "`{what}` cannot be applied: the kernel must fit, it covers {window}, the axis has {n}{padded}"
                ),
            );
            let mut help = None;
            if let Some((_, frame)) = &applied {
                let types: Vec<String> = frame.tensors.iter().map(|(name, ty)| format!("{name} is {ty}")).collect();
                d = d.label(frame.call, types.join(", "));
                let by = frame.callable.map(|id| e.program.callable(id).callable.clone());
                help = by.and_then(|by| e.image_help(&by, frame));
            }
            d = e.with_story(d, &[origin]);
            if fits == Verdict::Undecided {
                d = d.note("this is not known for every size that can come");
            }
            let help = help.unwrap_or_else(|| "make the kernel smaller, pad more, or pool less before it".into());
            return Err(e.fail(d.help(help)));
        }
        let count = room.sub(&reach).div(stride).ok_or(Failed)?.add(&one);
        let padded = if pad == &Dim::default() { String::new() } else { format!(" + 2 * {pad}") };
        let shown =
            |d: &Dim| if d.as_constant().is_some() || d.as_var().is_some() { d.to_string() } else { format!("({d})") };
        let text = format!("({}{padded} - {}) / {} + 1", shown(n), shown(&reach), shown(stride));
        Ok((count, text))
    }
}
