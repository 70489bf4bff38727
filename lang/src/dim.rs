//! Dimensions: polynomials with integer coefficients over named unknowns, with floor division and
//! remainder, kept in normal form so that equal dimensions are equal values.
//!
//! Identities of the normal form: `(a * q + r) / q` is `a + r / q`; `(p / a) / b` is `p / (a * b)`;
//! `(a * q + r) % q` is `r % q`; terms are sorted and like terms collected. An unknown is a size, so
//! it is at least 1.

mod bounds;
mod facts;
mod text;

pub use facts::Facts;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name of an unknown size, `B`. Two unknowns are the same when their names are.
pub type Symbol = crate::word::Word;

/// What a term multiplies.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Atom {
    Var(Symbol),
    Div(Dim, Dim),
    Rem(Dim, Dim),
}

/// Atoms with their powers, sorted; empty for the constant term.
type Monomial = Vec<(Atom, u32)>;

/// A size in normal form.
///
/// Nearly all sizes are a number or one unknown, so these two are kept without a list of terms.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Dim(Form);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Form {
    Number(i64),
    Var(Symbol),
    /// Anything else; shared, since every axis of every value carries one.
    Sum(Arc<Terms>),
}

/// Monomials with their factors.
type Terms = BTreeMap<Monomial, i64>;

impl Default for Dim {
    fn default() -> Dim {
        Dim::constant(0)
    }
}

/// By the terms, so that the order of what stands in a sum does not depend on how it is kept.
impl Ord for Dim {
    fn cmp(&self, other: &Dim) -> Ordering {
        match (&self.0, &other.0) {
            (Form::Var(a), Form::Var(b)) => a.cmp(b),
            _ => self.terms().cmp(&other.terms()),
        }
    }
}

impl PartialOrd for Dim {
    fn partial_cmp(&self, other: &Dim) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<Terms> for Dim {
    fn from(terms: Terms) -> Dim {
        let mut all = terms.iter();
        match (all.next(), all.next()) {
            (None, _) => return Dim::constant(0),
            (Some((mono, k)), None) => match (mono.as_slice(), k) {
                ([], k) => return Dim::constant(*k),
                ([(Atom::Var(name), 1)], 1) => return Dim(Form::Var(*name)),
                _ => {}
            },
            _ => {}
        }
        Dim(Form::Sum(Arc::new(terms)))
    }
}

impl From<i64> for Dim {
    fn from(n: i64) -> Dim {
        Dim::constant(n)
    }
}

impl Dim {
    /// A number.
    pub fn constant(n: i64) -> Dim {
        Dim(Form::Number(n))
    }

    /// An unknown.
    pub fn var(name: impl Into<Symbol>) -> Dim {
        Dim(Form::Var(name.into()))
    }

    fn atom(atom: Atom) -> Dim {
        Dim::from(Terms::from([(vec![(atom, 1)], 1)]))
    }

    /// What it is the sum of.
    fn terms(&self) -> Arc<Terms> {
        Arc::new(match &self.0 {
            Form::Number(0) => Terms::new(),
            Form::Number(n) => Terms::from([(Vec::new(), *n)]),
            Form::Var(name) => Terms::from([(vec![(Atom::Var(*name), 1)], 1)]),
            Form::Sum(terms) => return terms.clone(),
        })
    }

    /// Its value, when it has no unknowns.
    pub fn as_constant(&self) -> Option<i64> {
        match &self.0 {
            Form::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// The unknown's name, when it is just that.
    pub fn as_var(&self) -> Option<&Symbol> {
        match &self.0 {
            Form::Var(name) => Some(name),
            _ => None,
        }
    }

    /// `self + other`
    pub fn add(&self, other: &Dim) -> Dim {
        if let (Some(a), Some(b)) = (self.as_constant(), other.as_constant()) {
            return Dim::constant(a.saturating_add(b));
        }
        if other.as_constant() == Some(0) {
            return self.clone();
        }
        if self.as_constant() == Some(0) {
            return other.clone();
        }
        let mut terms = Terms::clone(&self.terms());
        for (mono, k) in &*other.terms() {
            let entry = terms.entry(mono.clone()).or_insert(0);
            *entry = entry.saturating_add(*k);
            if *entry == 0 {
                terms.remove(mono);
            }
        }
        Dim::from(terms)
    }

    /// `self * n`
    pub fn scale(&self, n: i64) -> Dim {
        if let Some(k) = self.as_constant() {
            return Dim::constant(k.saturating_mul(n));
        }
        match n {
            0 => return Dim::default(),
            1 => return self.clone(),
            _ => {}
        }
        let terms = self.terms();
        let scaled = terms.iter().map(|(m, k)| (m.clone(), k.saturating_mul(n)));
        Dim::from(scaled.collect::<Terms>())
    }

    /// `self - other`
    pub fn sub(&self, other: &Dim) -> Dim {
        if self == other {
            return Dim::default();
        }
        self.add(&other.scale(-1))
    }

    /// `self * other`
    pub fn mul(&self, other: &Dim) -> Dim {
        if let Some(n) = other.as_constant() {
            return self.scale(n);
        }
        if let Some(n) = self.as_constant() {
            return other.scale(n);
        }
        let mut out: BTreeMap<Monomial, i64> = BTreeMap::new();
        for (a, ka) in &*self.terms() {
            for (b, kb) in &*other.terms() {
                let mut powers: BTreeMap<Atom, u32> = BTreeMap::new();
                for (atom, p) in a.iter().chain(b) {
                    let power = powers.entry(atom.clone()).or_insert(0);
                    *power = power.saturating_add(*p);
                }
                let k = out.entry(powers.into_iter().collect()).or_insert(0);
                *k = k.saturating_add(ka.saturating_mul(*kb));
            }
        }
        Dim::from(out).clean()
    }

    /// False for what no size comes near: a number of 2^62 or more, a sum of very many terms, a power of very
    /// many factors. Arithmetic on what fits is exact, and its result is held against this.
    pub fn fits(&self) -> bool {
        match &self.0 {
            Form::Number(n) => return n.unsigned_abs() < 1 << 62,
            Form::Var(_) => return true,
            Form::Sum(_) => {}
        }
        let fits = |atom: &Atom| match atom {
            Atom::Var(_) => true,
            Atom::Div(a, b) | Atom::Rem(a, b) => a.fits() && b.fits(),
        };
        self.terms().len() <= 64
            && self.terms().iter().all(|(mono, k)| {
                k.unsigned_abs() < 1 << 62 && mono.iter().all(|(atom, power)| *power <= 64 && fits(atom))
            })
    }

    /// `self ^ n`
    pub fn pow(&self, n: u32) -> Dim {
        if n == 1 {
            return self.clone();
        }
        (0..n).fold(Dim::constant(1), |acc, _| acc.mul(self))
    }

    /// `floor(self / by)`; `None` where `by` is zero.
    pub fn div(&self, by: &Dim) -> Option<Dim> {
        if let (Some(a), Some(b)) = (self.as_constant(), by.as_constant()) {
            return a.checked_div_euclid(b).map(Dim::constant);
        }
        let (quotient, rest) = self.divide_terms(by)?;
        if rest == Dim::default() {
            return Some(quotient);
        }
        if let (Some(a), Some(b)) = (rest.as_constant(), by.as_constant()) {
            return Some(quotient.add(&Dim::constant(a.wrapping_div_euclid(b))));
        }
        let (rest, by, factor, _) = reduce_fraction(rest, by);
        if factor != Dim::constant(1) {
            return Some(quotient.add(&rest.div(&by)?));
        }
        // (p % a) / a is 0
        if let Some((Atom::Rem(_, a), 1)) = rest.single_atom()
            && a == by
        {
            return Some(quotient);
        }
        // (p / a + c) / b is (p + a * c) / (a * b), for a and b above 0.
        if let Some((p, a, c)) = rest.nested_quotient()
            && a.at_least().is_some_and(|n| n > 0)
            && by.at_least().is_some_and(|n| n > 0)
        {
            return Some(quotient.add(&p.add(&a.mul(&c)).div(&a.mul(&by))?));
        }
        Some(quotient.add(&Dim::atom(Atom::Div(rest, by))))
    }

    /// `self - by * floor(self / by)`; `None` where `by` is zero.
    pub fn rem(&self, by: &Dim) -> Option<Dim> {
        let (_, rest) = self.divide_terms(by)?;
        if let (Some(a), Some(b)) = (rest.as_constant(), by.as_constant()) {
            return Some(Dim::constant(a.wrapping_rem_euclid(b)));
        }
        if rest == Dim::default() {
            return Some(rest);
        }
        // (k * p + r) % (k * q) is k * (p % q) + r, for 0 <= r < k
        let (rest, by, factor, left) = reduce_fraction(rest, by);
        if factor != Dim::constant(1) {
            return Some(rest.rem(&by)?.mul(&factor).add(&left));
        }
        Some(match rest.single_atom() {
            // (p % a) % a is p % a
            Some((Atom::Rem(_, a), 1)) if a == by => rest,
            _ => Dim::atom(Atom::Rem(rest, by)),
        })
    }

    /// `p`, `a` and `c` of `p / a + c`, when it is of that form.
    fn nested_quotient(&self) -> Option<(Dim, Dim, Dim)> {
        let mut found = None;
        for (mono, &k) in &*self.terms() {
            let [(Atom::Div(p, a), 1)] = mono.as_slice() else { continue };
            if found.is_some() || k != 1 {
                return None;
            }
            found = Some((p.clone(), a.clone(), mono.clone()));
        }
        let (p, a, mono) = found?;
        let mut rest = Terms::clone(&self.terms());
        rest.remove(&mono);
        // A quotient inside a product stays: only `p / a` by itself may move into the division.
        let bare = rest.keys().flatten().all(|(atom, _)| !matches!(atom, Atom::Div(..)));
        bare.then(|| (p, a, Dim::from(rest)))
    }

    fn single_atom(&self) -> Option<(Atom, u32)> {
        let terms = self.terms();
        let (mono, &k) = terms.iter().next()?;
        match (terms.len(), k, mono.as_slice()) {
            (1, 1, [(atom, p)]) => Some((atom.clone(), *p)),
            _ => None,
        }
    }

    /// The terms that `by` divides exactly, divided, and the others as they are.
    fn divide_terms(&self, by: &Dim) -> Option<(Dim, Dim)> {
        if *by == Dim::default() {
            return None;
        }
        if self == by {
            return Some((Dim::constant(1), Dim::default()));
        }
        if by.terms().len() != 1 {
            // A sum divides only a multiple of itself by a constant.
            if let (Some((m, k)), Some(j)) = (self.terms().iter().next(), by.terms().get(self.terms().keys().next()?))
                && k.wrapping_rem(*j) == 0
                && by.scale(k.wrapping_div(*j)) == *self
                && by.terms().contains_key(m)
            {
                return Some((Dim::constant(k.wrapping_div(*j)), Dim::default()));
            }
            return Some((Dim::default(), self.clone()));
        }
        let divisors = by.terms();
        let (divisor, &factor) = divisors.iter().next()?;
        let (mut quotient, mut rest) = (Dim::default(), Dim::default());
        'terms: for (mono, &k) in &*self.terms() {
            let mut left: BTreeMap<Atom, u32> = mono.iter().cloned().collect();
            for (atom, p) in divisor {
                match left.get_mut(atom) {
                    Some(have) if *have >= *p => *have -= p,
                    _ => {
                        rest = rest.add(&Dim::from(BTreeMap::from([(mono.clone(), k)])));
                        continue 'terms;
                    }
                }
            }
            let reduced: Monomial = left.into_iter().filter(|(_, p)| *p > 0).collect();
            // k = factor * q + r with 0 <= r < |factor|; only a constant divisor may split a term.
            let (q, r) = (k.wrapping_div_euclid(factor), k.wrapping_rem_euclid(factor));
            if r == 0 || (divisor.is_empty() && reduced.is_empty()) {
                quotient = quotient.add(&Dim::from(BTreeMap::from([(reduced.clone(), q)])).clean());
                rest = rest.add(&Dim::from(BTreeMap::from([(mono.clone(), r)])).clean());
            } else if q != 0 {
                quotient = quotient.add(&Dim::from(BTreeMap::from([(reduced, q)])));
                rest = rest.add(&Dim::from(BTreeMap::from([(mono.clone(), r)])));
            } else {
                rest = rest.add(&Dim::from(BTreeMap::from([(mono.clone(), r)])));
            }
        }
        Some((quotient, rest))
    }

    fn clean(self) -> Dim {
        let Form::Sum(mut terms) = self.0 else { return self };
        if terms.values().any(|k| *k == 0) {
            Arc::make_mut(&mut terms).retain(|_, k| *k != 0);
            return Dim::from(Arc::unwrap_or_clone(terms));
        }
        Dim(Form::Sum(terms))
    }

    /// Every unknown replaced by what `of` gives for it, where it gives something.
    pub fn substitute(&self, of: &dyn Fn(&str) -> Option<Dim>) -> Dim {
        if self.as_constant().is_some() {
            return self.clone();
        }
        let mut out = Dim::default();
        for (mono, k) in &*self.terms() {
            let mut term = Dim::constant(*k);
            for (atom, p) in mono {
                let value = match atom {
                    Atom::Var(s) => of(s).unwrap_or_else(|| Dim::var(*s)),
                    Atom::Div(a, b) => {
                        let (a, b) = (a.substitute(of), b.substitute(of));
                        a.div(&b).unwrap_or_default()
                    }
                    Atom::Rem(a, b) => {
                        let (a, b) = (a.substitute(of), b.substitute(of));
                        a.rem(&b).unwrap_or_default()
                    }
                };
                term = term.mul(&value.pow(*p));
            }
            out = out.add(&term);
        }
        out
    }

    /// Its value for given sizes; `None` where an unknown has none.
    pub fn evaluate(&self, size: &dyn Fn(&str) -> Option<i64>) -> Option<i64> {
        self.substitute(&|s| size(s).map(Dim::constant)).as_constant()
    }

    /// The unknowns in it, sorted, each once.
    pub fn symbols(&self) -> Vec<Symbol> {
        let mut out = std::collections::BTreeSet::new();
        self.collect_symbols(&mut out);
        out.into_iter().collect()
    }

    fn collect_symbols(&self, out: &mut std::collections::BTreeSet<Symbol>) {
        for (atom, _) in self.terms().keys().flatten() {
            match atom {
                Atom::Var(s) => {
                    out.insert(*s);
                }
                Atom::Div(a, b) | Atom::Rem(a, b) => {
                    a.collect_symbols(out);
                    b.collect_symbols(out);
                }
            }
        }
    }
}

/// What all terms of a fraction share, taken out of both of its sides: the numerator and the denominator that are
/// left, the factor, and the part of the numerator below the factor: `floor((k * p + r) / (k * q))` is `floor(p / q)`
/// for `0 <= r < k`.
fn reduce_fraction(above: Dim, below: &Dim) -> (Dim, Dim, Dim, Dim) {
    let whole = |d: &Dim, constants: bool| {
        d.terms().iter().filter(|(m, _)| constants || !m.is_empty()).fold(0u64, |g, (_, k)| gcd(g, k.unsigned_abs()))
    };
    let mut k = gcd(whole(&above, false), whole(below, true));
    if below.as_constant().is_none() {
        // With unknowns below, a constant above must be divided as well.
        k = gcd(k, whole(&above, true));
    }
    let k = i64::try_from(k).unwrap_or(1).max(1);
    // The unknowns that stand in every term of both.
    let mut shared: Option<BTreeMap<Atom, u32>> = None;
    for mono in above.terms().keys().chain(below.terms().keys()) {
        let powers: BTreeMap<&Atom, u32> = mono.iter().map(|(a, p)| (a, *p)).collect();
        shared = Some(match shared {
            None => mono.iter().filter(|(a, _)| matches!(a, Atom::Var(_))).cloned().collect(),
            Some(old) => old.into_iter().filter_map(|(a, p)| powers.get(&a).map(|q| (a.clone(), p.min(*q)))).collect(),
        });
    }
    let shared: Monomial = shared.unwrap_or_default().into_iter().collect();
    if (k == 1 && shared.is_empty()) || below.as_constant().is_some_and(|n| n < 0) {
        return (above, below.clone(), Dim::constant(1), Dim::default());
    }
    let left = above.terms().get(&Vec::new()).map_or(0, |c| c.rem_euclid(k));
    let divided = |d: Dim| {
        let mut terms = BTreeMap::new();
        for (mono, c) in &*d.terms() {
            let mut powers: BTreeMap<Atom, u32> = mono.iter().cloned().collect();
            for (atom, p) in &shared {
                if let Some(have) = powers.get_mut(atom) {
                    *have -= p;
                }
            }
            terms.insert(powers.into_iter().filter(|(_, p)| *p > 0).collect(), c.div_euclid(k));
        }
        Dim::from(terms).clean()
    };
    let factor = Dim::from(BTreeMap::from([(shared.clone(), k)]));
    (divided(above), divided(below.clone()), factor, Dim::constant(left))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests;
