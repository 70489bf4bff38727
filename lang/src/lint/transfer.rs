//! What each primitive does to ranges: one table, keyed by the primitive. What is not in it gives nothing that is known.
//!
//! Some rules look further than their arguments, by name: `x - max(x)` is not above 0, `e / sum(e)` is a distribution,
//! `x - log(sum(exp(x)))` is one in logarithms, a sum divided by how many were added lies where they did.

use super::facts::{Fact, Sums, Zero};
use super::pass::{alike, axes_of, strip};
use crate::dim::Dim;
use crate::model::{Attr, Body, Literal, Op, ValueId};
use std::collections::BTreeSet;

/// An application of a primitive.
struct Step<'a> {
    body: &'a Body,
    facts: &'a [Fact],
    id: ValueId,
}

impl Step<'_> {
    fn arg(&self, i: usize) -> ValueId {
        self.body.node(self.id).args[i]
    }

    fn fact(&self, i: usize) -> &Fact {
        &self.facts[self.arg(i).0 as usize]
    }

    fn rank(&self, v: ValueId) -> usize {
        self.body.ty(v).rank()
    }

    fn is(&self, v: ValueId, name: &str) -> bool {
        matches!(&self.body.node(v).op, Op::Primitive(n, _) if &**n == name)
    }

    /// Behind views, the first argument of a primitive of this name.
    fn under(&self, v: ValueId, name: &str) -> Option<(ValueId, ValueId)> {
        let v = strip(self.body, v);
        self.is(v, name).then(|| (v, self.body.node(v).args[0]))
    }

    fn attr(&self, name: &str) -> Option<&Attr> {
        match &self.body.node(self.id).op {
            Op::Primitive(_, attrs) => attrs.iter().find(|(n, _)| &**n == name).map(|(_, a)| a),
            _ => None,
        }
    }
}

type Rule = fn(&Step) -> Fact;

/// The rules.
static TABLE: &[(&str, Rule)] = &[
    ("abs", |s| {
        let x = s.fact(0);
        let high = x.low.abs().max(x.high.abs());
        let low = if x.low > 0.0 { x.low } else { (-x.high).max(0.0) };
        Fact { low, high, sure: x.sure, zero: x.zero, ..Fact::unknown() }
    }),
    ("add", |s| plus(s.fact(0), s.fact(1))),
    ("arg_top_k", below),
    ("argmax", below),
    ("avg_pool", |s| {
        let x = s.fact(0);
        let padded =
            s.attr("pad").is_some_and(|a| !matches!(a, Attr::Ints(d) if d.iter().all(|d| d.as_constant() == Some(0))));
        let (low, high) = if padded { (x.low.min(0.0), x.high.max(0.0)) } else { (x.low, x.high) };
        Fact { low, high, ..same(x) }
    }),
    ("broadcast", |s| {
        let (x, moved) = (s.fact(0), s.rank(s.id) - s.rank(s.arg(0)));
        let sums = x.sums.clone().map(|t| Sums { axis: t.axis + moved, ..t });
        Fact { sums, total: x.total.clone(), ..kept(x) }
    }),
    ("cast", |s| {
        let x = s.fact(0);
        let boolean = s.body.ty(s.arg(0)).dtype == crate::types::DType::Bool;
        Fact { sums: x.sums.clone(), sure: x.sure && !boolean, ..kept(x) }
    }),
    ("concat", |s| {
        let args = &s.body.node(s.id).args;
        let mut all = args.iter().map(|a| &s.facts[a.0 as usize]);
        let Some(first) = all.next() else { return Fact::unknown() };
        all.fold(kept(first), |f, x| Fact {
            plain: &f.plain | &x.plain,
            numbered: &f.numbered | &x.numbered,
            class: f.class && x.class,
            ..either(&f, x)
        })
    }),
    ("conv", product),
    ("conv_input", product),
    ("cos", |_| Fact::range(-1.0, 1.0)),
    ("cumsum", |s| {
        let x = s.fact(0);
        let low = if x.low >= 0.0 { x.low } else { f64::NEG_INFINITY };
        let high = if x.high <= 0.0 { x.high } else { f64::INFINITY };
        Fact { low, high, sure: x.sure, zero: x.zero, ..Fact::unknown() }
    }),
    ("divide", divide),
    ("equal", |s| {
        let ids = |i: usize| s.fact(i).class;
        let counts = |i: usize| s.is(strip(s.body, s.arg(i)), "iota");
        let one_hot = ids(0) && counts(1) || ids(1) && counts(0);
        let sums = one_hot.then(|| Sums { axis: s.rank(s.id).saturating_sub(1), log: false });
        Fact { one_hot, sums, ..truth() }
    }),
    ("erf", |_| Fact::range(-1.0, 1.0)),
    ("exp", |s| {
        let x = s.fact(0);
        let zero = if x.low > -80.0 { Zero::Never } else { Zero::Unknown };
        let sums = x.sums.clone().filter(|t| t.log).map(|t| Sums { log: false, ..t });
        Fact { low: x.low.exp(), high: x.high.exp(), sure: x.sure, zero, sums, peak: x.peak.clone(), ..Fact::unknown() }
    }),
    ("floor", |s| monotone(s.fact(0), f64::floor)),
    ("gather", |s| {
        let table = s.fact(0);
        Fact { low: table.low, high: table.high, sure: table.sure, zero: table.zero, ..Fact::unknown() }
    }),
    ("greater", |_| truth()),
    ("greater_equal", |_| truth()),
    ("iota", |s| {
        let n = s.body.ty(s.id).shape.first().and_then(|a| a.dim.as_constant());
        Fact::range(0.0, n.map_or(f64::INFINITY, |n| n as f64 - 1.0))
    }),
    ("less", |_| truth()),
    ("less_equal", |_| truth()),
    ("log", |s| {
        let x = s.fact(0);
        let log = |v: f64| if v <= 0.0 { f64::NEG_INFINITY } else { v.ln() };
        let sums = x.sums.clone().filter(|t| !t.log).map(|t| Sums { log: true, ..t });
        Fact { low: log(x.low), high: log(x.high), sure: x.sure, sums, ..Fact::unknown() }.zeroed()
    }),
    ("logical_and", |_| truth()),
    ("logical_not", |_| truth()),
    ("logical_or", |_| truth()),
    ("matmul", product),
    ("max", |s| same(s.fact(0))),
    ("max_pool", |s| same(s.fact(0))),
    ("maximum", |s| {
        let (a, b) = (s.fact(0), s.fact(1));
        let (low, high) = (a.low.max(b.low), a.high.max(b.high));
        Fact { low, high, sure: a.sure && b.sure, ..Fact::unknown() }.zeroed()
    }),
    ("min", |s| same(s.fact(0))),
    ("minimum", |s| {
        let (a, b) = (s.fact(0), s.fact(1));
        let (low, high) = (a.low.min(b.low), a.high.min(b.high));
        let zero = if a.zero == Zero::Never && b.zero == Zero::Never { Zero::Never } else { Zero::Sometimes };
        Fact { low, high, sure: a.sure && b.sure, zero, ..Fact::unknown() }
    }),
    ("multiply", multiply),
    ("negate", |s| {
        let x = s.fact(0);
        Fact { low: -x.high, high: -x.low, sums: None, one_hot: false, ..kept(x) }
    }),
    ("not_equal", |_| truth()),
    ("pad", |s| {
        let x = s.fact(0);
        Fact { low: x.low.min(0.0), high: x.high.max(0.0), sure: x.sure, zero: Zero::Unknown, ..Fact::unknown() }
    }),
    ("pick", |s| same(s.fact(0))),
    ("power", |s| power(s.fact(0), s.fact(1))),
    ("random_normal", |_| Fact { random: true, ..Fact::range(f64::NEG_INFINITY, f64::INFINITY) }),
    ("random_uniform", |_| Fact { random: true, ..Fact::range(0.0, 1.0) }),
    ("remainder", |s| {
        let by = s.fact(1);
        match by.low > 0.0 && by.high.is_finite() {
            true => Fact::range(0.0, by.high),
            false => Fact::unknown(),
        }
    }),
    ("reshape", |s| {
        let (x, from, to) = (s.fact(0), s.body.ty(s.arg(0)), s.body.ty(s.id));
        let last = |t: &Sums| t.axis + 1 == from.rank() && to.rank() > 0 && from.shape.last() == to.shape.last();
        let sums = x.sums.clone().filter(last).map(|t| Sums { axis: to.rank() - 1, ..t });
        Fact { sums, total: x.total.clone(), ..kept(x) }
    }),
    ("reverse", |s| Fact { sums: s.fact(0).sums.clone(), ..kept(s.fact(0)) }),
    ("round", |s| monotone(s.fact(0), f64::round)),
    ("sigmoid", |s| squashed(s.fact(0), 0.0, 1.0)),
    ("sign", |s| squashed(s.fact(0), -1.0, 1.0)),
    ("sin", |_| Fact::range(-1.0, 1.0)),
    ("slice", |s| {
        let (from, to) = (s.body.ty(s.arg(0)), s.body.ty(s.id));
        let whole = |t: &Sums| from.shape.get(t.axis) == to.shape.get(t.axis);
        Fact { sums: s.fact(0).sums.clone().filter(whole), ..kept(s.fact(0)) }
    }),
    ("sqrt", |s| {
        let x = s.fact(0);
        Fact { low: x.low.max(0.0).sqrt(), high: x.high.max(0.0).sqrt(), sure: x.sure, zero: x.zero, ..Fact::unknown() }
    }),
    ("stop_gradient", |s| Fact { sums: s.fact(0).sums.clone(), ..kept(s.fact(0)) }),
    ("subtract", subtract),
    ("sum", sum),
    ("tanh", |s| squashed(s.fact(0), -1.0, 1.0)),
    ("transpose", |s| kept(s.fact(0))),
    ("where", |s| {
        let (a, b) = (s.fact(1), s.fact(2));
        // Which of the two it is, nobody knows: a mask that leaves something over does not make a sum 0.
        let zero = if a.zero == Zero::Never && b.zero == Zero::Never { Zero::Never } else { Zero::Unknown };
        Fact { zero, ..either(a, b) }
    }),
];

/// What is known of a result, without where it comes from.
pub fn of(name: &str, body: &Body, facts: &[Fact], id: ValueId) -> Fact {
    let step = Step { body, facts, id };
    TABLE.iter().find(|(n, _)| *n == name).map_or_else(Fact::unknown, |(_, rule)| rule(&step))
}

impl Fact {
    /// With what the range says of 0.
    fn zeroed(self) -> Fact {
        let zero = if self.low > 0.0 || self.high < 0.0 { Zero::Never } else { Zero::Sometimes };
        Fact { zero, ..self }
    }
}

/// The same elements in another arrangement.
fn kept(x: &Fact) -> Fact {
    Fact { sums: None, total: None, peak: x.peak.clone(), ..x.clone() }
}

/// Some of the elements.
fn same(x: &Fact) -> Fact {
    Fact { low: x.low, high: x.high, sure: x.sure, zero: x.zero, ..Fact::unknown() }
}

/// True or false, by what the data say.
fn truth() -> Fact {
    Fact { sure: false, zero: Zero::Unknown, ..Fact::range(0.0, 1.0) }
}

fn either(a: &Fact, b: &Fact) -> Fact {
    let zero = match (a.zero, b.zero) {
        (Zero::Never, Zero::Never) => Zero::Never,
        (Zero::Sometimes, _) | (_, Zero::Sometimes) => Zero::Sometimes,
        _ => Zero::Unknown,
    };
    Fact { low: a.low.min(b.low), high: a.high.max(b.high), sure: a.sure && b.sure, zero, ..Fact::unknown() }
}

/// Numbers below a size.
fn below(s: &Step) -> Fact {
    let n = s.body.ty(s.id).below.as_ref().and_then(Dim::as_constant);
    Fact { class: true, ..Fact::range(0.0, n.map_or(f64::INFINITY, |n| n as f64 - 1.0)) }
}

fn monotone(x: &Fact, f: fn(f64) -> f64) -> Fact {
    Fact { low: f(x.low), high: f(x.high), sure: x.sure, ..Fact::unknown() }.zeroed()
}

/// Kept between two numbers, which it comes near to where its argument may be anything.
fn squashed(x: &Fact, low: f64, high: f64) -> Fact {
    let low = if low == -1.0 && x.low >= 0.0 { 0.0 } else { low };
    Fact::range(low, high)
}

/// Products and convolutions: any number, where a weight is in it.
fn product(s: &Step) -> Fact {
    let (a, b) = (s.fact(0), s.fact(1));
    let low = if a.nonnegative() && b.nonnegative() { 0.0 } else { f64::NEG_INFINITY };
    let zero = if low == 0.0 { Zero::Unknown } else { Zero::Sometimes };
    Fact { low, high: f64::INFINITY, sure: a.weights || b.weights || a.sure && b.sure, zero, ..Fact::unknown() }
}

fn plus(a: &Fact, b: &Fact) -> Fact {
    let (low, high) = (a.low + b.low, a.high + b.high);
    let fact = Fact { low, high, sure: a.sure && b.sure, ..Fact::unknown() }.zeroed();
    // What is known of neither is known of neither sum.
    let zero = if fact.zero == Zero::Sometimes && (a.zero == Zero::Unknown || b.zero == Zero::Unknown) {
        Zero::Unknown
    } else {
        fact.zero
    };
    Fact { zero, ..fact }
}

fn subtract(s: &Step) -> Fact {
    let (a, b) = (s.fact(0), s.fact(1));
    let scaled = b.low == b.high;
    let of = Fact { low: a.low - b.high, high: a.high - b.low, sure: a.sure && b.sure, ..Fact::unknown() };
    let numbered = if scaled { a.numbered.clone() } else { BTreeSet::new() };
    let of = Fact { class: a.class && scaled, numbered, ..of.zeroed() };
    // x - max(x)
    if let Some((max, x)) = s.under(s.arg(1), "max")
        && alike(s.body, x, s.arg(0))
    {
        let axes = axes_of(s.body, max);
        return Fact { low: f64::NEG_INFINITY, high: 0.0, zero: Zero::Sometimes, peak: Some(axes), ..of };
    }
    // x - log(sum(exp(x)))
    if let Some((_, summed)) = s.under(s.arg(1), "log")
        && let Some((sum, e)) = s.under(summed, "sum")
        && let Some((_, x)) = s.under(e, "exp")
        && alike(s.body, x, s.arg(0))
        && let [axis] = axes_of(s.body, sum)[..]
    {
        let sums = Some(Sums { axis, log: true });
        return Fact { low: f64::NEG_INFINITY, high: 0.0, sure: true, zero: Zero::Sometimes, sums, ..Fact::unknown() };
    }
    of
}

fn multiply(s: &Step) -> Fact {
    let (a, b) = (s.fact(0), s.fact(1));
    let corner = |x: f64, y: f64| if x == 0.0 || y == 0.0 { 0.0 } else { x * y };
    let corners = [corner(a.low, b.low), corner(a.low, b.high), corner(a.high, b.low), corner(a.high, b.high)];
    let mut low = corners.iter().copied().fold(f64::INFINITY, f64::min);
    let high = corners.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if alike(s.body, s.arg(0), s.arg(1)) {
        low = low.max(0.0);
    }
    let zero = match (a.zero, b.zero) {
        (Zero::Never, Zero::Never) => Zero::Never,
        (Zero::Unknown, _) | (_, Zero::Unknown) => Zero::Unknown,
        _ => Zero::Sometimes,
    };
    let constant = |f: &Fact| f.low == f.high;
    let class = a.class && constant(b) || b.class && constant(a);
    let mut numbered = BTreeSet::new();
    for (x, by) in [(a, b), (b, a)] {
        if constant(by) {
            numbered.extend(x.numbered.iter().cloned());
        }
    }
    Fact { low, high, sure: a.sure && b.sure, zero, class, numbered, ..Fact::unknown() }
}

fn divide(s: &Step) -> Fact {
    let (a, b) = (s.fact(0), s.fact(1));
    // e / sum(e)
    if let Some((sum, e)) = s.under(s.arg(1), "sum")
        && a.nonnegative()
        && alike(s.body, e, s.arg(0))
        && let [axis] = axes_of(s.body, sum)[..]
    {
        let sums = Some(Sums { axis, log: false });
        let zero = if a.zero == Zero::Never && a.low > 0.0 { Zero::Never } else { Zero::Sometimes };
        return Fact { low: 0.0, high: 1.0, sure: true, zero, sums, ..Fact::unknown() };
    }
    // A sum divided by how many were added.
    if let Some((low, high, count)) = &a.total
        && count_of(s.body, s.arg(1)).is_some_and(|n| n == *count)
    {
        return Fact { low: *low, high: *high, sure: a.sure, zero: a.zero, class: false, ..Fact::unknown() };
    }
    if b.zero == Zero::Never && (b.low > 0.0 || b.high < 0.0) {
        let over = |x: f64, y: f64| if x == 0.0 || y.is_infinite() { 0.0 } else { x / y };
        let corners = [over(a.low, b.low), over(a.low, b.high), over(a.high, b.low), over(a.high, b.high)];
        let low = corners.iter().copied().fold(f64::INFINITY, f64::min);
        let high = corners.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (class, numbered) = if b.low == b.high { (a.class, a.numbered.clone()) } else { Default::default() };
        return Fact { low, high, sure: a.sure && b.sure, zero: a.zero, class, numbered, ..Fact::unknown() };
    }
    let low = if a.nonnegative() && b.nonnegative() { 0.0 } else { f64::NEG_INFINITY };
    Fact { low, high: f64::INFINITY, sure: a.sure && b.sure, zero: a.zero, ..Fact::unknown() }
}

/// A number that is the same for all elements.
fn count_of(body: &Body, v: ValueId) -> Option<Dim> {
    match &body.node(strip(body, v)).op {
        Op::Constant(Literal::Dim(d)) => Some(d.clone()),
        Op::Constant(Literal::Number(x)) if x.fract() == 0.0 => Some(Dim::constant(*x as i64)),
        _ => None,
    }
}

fn sum(s: &Step) -> Fact {
    let x = s.fact(0);
    let axes = axes_of(s.body, s.id);
    if let [axis] = axes[..]
        && x.sums == Some(Sums { axis, log: false })
        && !x.one_hot
    {
        return Fact::number(1.0);
    }
    let shape = &s.body.ty(s.arg(0)).shape;
    let count = axes.iter().filter_map(|a| shape.get(*a)).fold(Dim::constant(1), |n, a| n.mul(&a.dim));
    let n = count.as_constant().map_or(f64::INFINITY, |n| n as f64);
    let times = |x: f64| if x == 0.0 { 0.0 } else { x * n };
    let (mut low, high) = (if x.low >= 0.0 { x.low } else { times(x.low) }, times(x.high).max(x.high));
    // One of the elements is 1, and none is below 0.
    if x.nonnegative() && x.peak.as_ref().is_some_and(|p| axes.iter().all(|a| p.contains(a)) || p.is_empty()) {
        low = low.max(1.0);
    }
    let zero = if low > 0.0 || high < 0.0 { Zero::Never } else { x.zero };
    Fact { low, high, sure: x.sure, zero, total: Some((x.low, x.high, count)), ..Fact::unknown() }
}

fn power(a: &Fact, b: &Fact) -> Fact {
    let even = b.low == b.high && b.low.rem_euclid(2.0) == 0.0;
    if even && b.low > 0.0 {
        let (p, q) = (a.low.abs().powf(b.low), a.high.abs().powf(b.low));
        let crosses = a.low <= 0.0 && a.high >= 0.0;
        let low = if crosses { 0.0 } else { p.min(q) };
        return Fact { low, high: p.max(q), sure: a.sure, zero: a.zero, ..Fact::unknown() };
    }
    if a.nonnegative() && b.low == b.high && b.low > 0.0 {
        let (low, high) = (a.low.powf(b.low), a.high.powf(b.low));
        return Fact { low, high, sure: a.sure, zero: a.zero, ..Fact::unknown() };
    }
    let low = if a.nonnegative() { 0.0 } else { f64::NEG_INFINITY };
    let zero = if a.low > 0.0 { Zero::Never } else { Zero::Unknown };
    Fact { low, high: f64::INFINITY, sure: a.sure && b.sure, zero, plain: BTreeSet::new(), ..Fact::unknown() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Node;
    use crate::source::Span;
    use crate::types::{DType, TensorType};

    struct Writer(Body);

    impl Writer {
        fn push(&mut self, op: Op, args: &[ValueId], shape: &[i64]) -> ValueId {
            let ty = TensorType::new(DType::F32, shape.iter().map(|n| Dim::constant(*n)));
            let node = Node { op, args: args.to_vec(), ty, span: Span::default(), scope: "".into(), device: None };
            self.0.push(node)
        }

        fn apply(&mut self, name: &str, args: &[ValueId], shape: &[i64]) -> ValueId {
            let axis = ("axis".into(), Attr::Ints(vec![Dim::constant(-1)]));
            self.push(Op::Primitive(name.into(), vec![axis]), args, shape)
        }

        fn number(&mut self, x: f64) -> ValueId {
            self.push(Op::Constant(Literal::Number(x)), &[], &[])
        }

        fn facts(&self) -> Vec<Fact> {
            super::super::facts::of(&self.0, &[], &[])
        }
    }

    #[test]
    fn the_table_is_sorted_by_name() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn a_softmax_by_hand_is_a_distribution_and_its_sum_is_not_0() {
        let mut w = Writer(Body::default());
        let x = w.push(Op::Input("x".into()), &[], &[4, 3]);
        let top = w.apply("max", &[x], &[4, 1]);
        let wide = w.push(Op::Primitive("broadcast".into(), Vec::new()), &[top], &[4, 3]);
        let off = w.apply("subtract", &[x, wide], &[4, 3]);
        let e = w.apply("exp", &[off], &[4, 3]);
        let total = w.apply("sum", &[e], &[4, 1]);
        let wide = w.push(Op::Primitive("broadcast".into(), Vec::new()), &[total], &[4, 3]);
        let p = w.apply("divide", &[e, wide], &[4, 3]);
        let log = w.apply("log", &[p], &[4, 3]);
        let facts = w.facts();
        let fact = |v: ValueId| &facts[v.0 as usize];
        assert_eq!((fact(off).high, fact(e).high, fact(total).low), (0.0, 1.0, 1.0));
        assert_eq!(fact(total).zero, Zero::Never);
        assert!(fact(p).is_distribution() && fact(log).is_log_distribution() && fact(p).zero == Zero::Sometimes);
    }

    #[test]
    fn squares_means_and_constants() {
        let mut w = Writer(Body::default());
        let x = w.push(Op::Input("x".into()), &[], &[8]);
        let square = w.apply("multiply", &[x, x], &[8]);
        let total = w.apply("sum", &[square], &[]);
        let n = w.number(8.0);
        let mean = w.apply("divide", &[total, n], &[]);
        let eps = w.number(1e-6);
        let safe = w.apply("add", &[mean, eps], &[]);
        let bounded = w.apply("tanh", &[x], &[8]);
        let shown = w.apply("divide", &[bounded, n], &[8]);
        let facts = w.facts();
        let fact = |v: ValueId| &facts[v.0 as usize];
        assert_eq!((fact(square).low, fact(mean).low, fact(safe).low), (0.0, 0.0, 1e-6));
        assert_eq!(fact(safe).zero, Zero::Never);
        assert_eq!((fact(shown).low, fact(shown).high), (-0.125, 0.125));
    }
}
