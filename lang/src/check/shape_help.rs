//! What was likely meant where shapes do not fit: an axis that should be kept or dropped, axes in another order, a
//! forgotten `flatten`.

use super::compare::Verdict;
use super::elab::{Elab, Failed};
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::{Op, ValueId};
use crate::source::Span;
use crate::types::{Axis, TensorType};

/// A `Dense`, or another product with a matrix, that was applied to more than rows.
pub(super) struct LastAxisOnly {
    /// The application.
    pub at: Span,
    /// What it was applied to, and where that was made.
    pub input: TensorType,
    pub from: Span,
}

/// `[B, 64, 12, 12]`
pub(super) fn listed(dims: &[Dim]) -> String {
    format!("[{}]", dims.iter().map(Dim::to_string).collect::<Vec<_>>().join(", "))
}

pub(super) fn product(axes: &[Axis]) -> Dim {
    axes.iter().fold(Dim::constant(1), |n, a| n.mul(&a.dim))
}

fn lined_up_by(short: &TensorType, long: &TensorType, fits: &dyn Fn(&Dim, &Dim) -> bool) -> Option<Vec<Dim>> {
    let (mut out, mut next) = (Vec::new(), short.rank());
    for axis in long.shape.iter().rev() {
        if next > 0 && fits(&short.shape[next - 1].dim, &axis.dim) {
            next -= 1;
            out.push(axis.dim.clone());
        } else if next > 0 {
            out.push(Dim::constant(1));
        }
    }
    out.reverse();
    (next == 0 && out.len() > short.rank()).then_some(out)
}

impl Elab {
    /// True when two sizes are known to be the same, or are one unknown.
    pub fn surely(&self, a: &Dim, b: &Dim) -> bool {
        self.same(a, b) == Verdict::Proved
    }

    /// True for the number of a chosen class, `argmax`.
    pub fn is_chosen(&self, v: ValueId) -> bool {
        matches!(&self.body.node(v).op, Op::Primitive(name, _) if &**name == "argmax")
    }

    /// The order of `have`'s axes in which they are those that are wanted, when there is exactly one way to see it.
    pub fn reordered(&self, have: &[Axis], want: &[Option<Dim>]) -> Option<Vec<usize>> {
        if have.len() != want.len() || have.len() < 2 {
            return None;
        }
        let mut order: Vec<usize> = Vec::new();
        for w in want {
            let w = w.as_ref()?;
            let free = |k: &usize| !order.contains(k) && self.surely(w, &have[*k].dim);
            order.push((0..have.len()).find(free)?);
        }
        (!order.is_sorted()).then_some(order)
    }

    /// The shape in which a smaller tensor lines up with other axes than the last ones: `[16, 1, 1]` for 16 channels of
    /// `[B, 16, 8, 8]`.
    pub fn lined_up(&self, short: &TensorType, long: &TensorType) -> Option<Vec<Dim>> {
        // A named size lines up with its name before it does with its number.
        let by_name = lined_up_by(short, long, &|a, b| a == b);
        by_name.or_else(|| lined_up_by(short, long, &|a, b| self.surely(a, b)))
    }

    /// The place where a `flatten` is missing: on the way to a value, a matrix product that took the last axis of a
    /// tensor with more axes than rows have. Of images the first such product, of sequences the last.
    pub fn last_axis_only(&self, v: ValueId) -> Option<LastAxisOnly> {
        let (mut at, mut found) = (v, None);
        loop {
            let node = self.body.node(at);
            if let Op::Primitive(name, _) = &node.op
                && &**name == "matmul"
                && let rows = self.body.node(node.args[0])
                && matches!(&rows.op, Op::Primitive(name, _) if &**name == "reshape")
                && let input = self.ty(rows.args[0]).clone()
                && input.rank() > 2
                && rows.ty.shape.last() == input.shape.last()
            {
                let from = self.body.node(rows.args[0]).span;
                let sequence = input.rank() == 3;
                found = Some(LastAxisOnly { at: node.span, input, from });
                if sequence {
                    return found;
                }
                at = rows.args[0];
                continue;
            }
            // The way is through the argument that has the shape of the result; masks and biases are beside it.
            let float = |a: &&ValueId| self.ty(**a).dtype.is_float();
            let main = node.args.iter().filter(float).max_by_key(|a| (self.ty(**a).rank(), std::cmp::Reverse(a.0)));
            match main {
                Some(next) if next.0 < at.0 => at = *next,
                _ => return found,
            }
        }
    }

    /// An error about a forgotten `flatten`; `wanted` says where rows are asked for.
    pub fn missing_flatten(&mut self, place: &LastAxisOnly, wanted: (Span, String)) -> Failed {
        let input = &place.input;
        let applied = self.quote(self.user_span(place.at));
        let name = applied.split('(').next().unwrap_or("Dense").to_string();
        let last = &input.shape[input.rank() - 1];
        let flat = product(&input.shape[1..]);
        let sequence = input.rank() == 3;
        let message = if sequence {
            format!("`{name}` is applied to each of {} places, and one row is wanted", input.shape[1].dim)
        } else {
            format!("`{name}` cannot be applied: its input has rank {}, and `flatten` is missing", input.rank())
        };
        let mut d = Diagnostic::error("E0301", place.at, message)
            .says(format!("takes the last dimension, {}, as its input size", last.dim));
        if place.from != place.at {
            d = d.label(place.from, input.to_string());
        }
        d = d.label(wanted.0, wanted.1);
        d = self.with_story(d, &input.shape.iter().skip(1).rev().collect::<Vec<_>>());
        let flattened = format!("{}[{}, {flat}]", input.dtype, input.shape[0].dim);
        let help = if sequence {
            format!(
                "reduce the places before it, `|> mean(axis: 1) |> {applied}`, take one of them, `x[:, -1]`, or write \
                 `|> flatten |> {applied}`: {flattened}"
            )
        } else {
            format!("write `|> flatten |> {applied}`: {flattened}")
        };
        self.fail(d.help(help))
    }

    /// Adds the history of axes to a diagnostic, each line once.
    pub fn with_story(&self, mut d: Diagnostic, axes: &[&Axis]) -> Diagnostic {
        for axis in axes {
            // Among many axes the batch explains nothing.
            if axes.len() > 2 && axis.dim.as_var().is_some() {
                continue;
            }
            for line in self.story(axis.origin) {
                if !d.notes.contains(&line) {
                    d = d.note(line);
                }
            }
        }
        d
    }
}
