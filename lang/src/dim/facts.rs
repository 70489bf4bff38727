//! Facts about sizes, and sizes as they are under them: after `require D % heads == 0`, `heads * (D / heads)` is `D`.
//!
//! A fact that fixes an unknown is used by replacing it: `D % heads == 0` makes `D` into `heads * q` for a new unknown
//! `q`, which is written `(D / heads)`; `N == M + 1` makes `N` into `M + 1`; `H >= 3` makes `H` into `H' + 2`. Everything
//! else, quotients and remainders included, follows from the normal form. Facts that fix no unknown are kept as
//! differences that are at least 0, or never 0.

use super::{Atom, Dim, Symbol};

/// What is known, in the order in which it became known.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    replaced: Vec<(Symbol, Dim)>,
    /// Each is at least 0.
    positive: Vec<Dim>,
    /// None of them is 0.
    apart: Vec<Dim>,
}

impl Facts {
    /// True when nothing is known.
    pub fn is_empty(&self) -> bool {
        self.replaced.is_empty() && self.positive.is_empty() && self.apart.is_empty()
    }

    /// A size with the facts put in.
    pub fn apply(&self, d: &Dim) -> Dim {
        self.replaced
            .iter()
            .fold(d.clone(), |d, (name, value)| d.substitute(&|s| (s == &**name).then(|| value.clone())))
    }

    /// `a == b`
    pub fn equal(&mut self, a: &Dim, b: &Dim) {
        let zero = self.apply(&a.sub(b));
        if let Some((name, value)) = solve(&zero, &Dim::default()) {
            self.replaced.push((name, value));
        } else {
            self.positive.push(zero.clone());
            self.positive.push(zero.scale(-1));
        }
    }

    /// `a != b`
    pub fn different(&mut self, a: &Dim, b: &Dim) {
        let difference = self.apply(&a.sub(b));
        self.apart.push(difference);
    }

    /// `low <= high`
    pub fn at_most(&mut self, low: &Dim, high: &Dim) {
        let rest = self.apply(&high.sub(low));
        // v + c >= 0 with c below -1: v is v' - c - 1, and every v' is at least 1.
        let constant = rest.terms().get(&Vec::new()).copied().unwrap_or(0);
        if let Some(name) = rest.sub(&Dim::constant(constant)).as_var()
            && constant < -1
        {
            let name = *name;
            let fresh = Dim::var(format!("{name}'"));
            self.replaced.push((name, fresh.add(&Dim::constant(-constant - 1))));
        }
        self.positive.push(rest);
    }

    /// `p % by == 0`
    pub fn divides(&mut self, by: &Dim, p: &Dim) {
        let (p, by) = (self.apply(p), self.apply(by));
        if p.rem(&by).is_none_or(|r| r == Dim::default()) {
            return;
        }
        let Some(quotient) = p.div(&by) else { return };
        // Every unknown is at least 1, so the new one is the quotient, or the quotient and 1 where that may be 0.
        let fresh = Dim::var(quotient.to_string());
        let fresh = match p.at_least() {
            Some(n) if n > 0 => fresh,
            Some(0) => fresh.sub(&Dim::constant(1)),
            _ => return,
        };
        if let Some((name, value)) = solve(&p, &by.mul(&fresh)) {
            self.replaced.push((name, value));
        }
    }

    /// True when `d` is known to be at least 0.
    pub fn proves_positive(&self, d: &Dim) -> bool {
        let d = self.apply(d);
        if d.is_at_least(0) {
            return true;
        }
        let known: Vec<Dim> = self.positive.iter().map(|f| self.apply(f)).collect();
        known.iter().enumerate().any(|(i, f)| {
            let rest = d.sub(f);
            rest.is_at_least(0) || known[i..].iter().any(|g| rest.sub(g).is_at_least(0))
        })
    }

    /// True when `d` is known not to be 0.
    pub fn proves_apart(&self, d: &Dim) -> bool {
        let d = self.apply(d);
        self.apart.iter().map(|f| self.apply(f)).any(|f| f == d || f.scale(-1) == d)
    }
}

/// From `left == right`, the value of an unknown that stands once in `left`, by itself.
fn solve(left: &Dim, right: &Dim) -> Option<(Symbol, Dim)> {
    let terms = left.terms();
    let candidates = terms.iter().filter_map(|(mono, k)| match (mono.as_slice(), k) {
        ([(Atom::Var(name), 1)], 1 | -1) => Some((*name, *k)),
        _ => None,
    });
    // The last one, so that what was declared first keeps its name.
    for (name, k) in candidates.collect::<Vec<_>>().into_iter().rev() {
        let rest = left.sub(&Dim::var(name).scale(k));
        if rest.symbols().contains(&name) || right.symbols().contains(&name) {
            continue;
        }
        let value = right.sub(&rest).scale(k);
        return Some((name, value));
    }
    None
}
