//! Dimensions: polynomials with integer coefficients over named unknowns, with floor division and
//! remainder, kept in normal form so that equal dimensions are equal values.
//!
//! Identities of the normal form: `(a * q + r) / q` is `a + r / q`; `(p / a) / b` is `p / (a * b)`;
//! `(a * q + r) % q` is `r % q`; terms are sorted and like terms collected. An unknown is a size, so
//! it is at least 1.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// The name of an unknown size, `B`. Two unknowns are the same when their names are.
pub type Symbol = Arc<str>;

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
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Dim {
    // Shared, since every axis of every value carries one.
    terms: Arc<BTreeMap<Monomial, i64>>,
}

/// The sizes that most axes have, made once.
static SMALL: LazyLock<Vec<Dim>> = LazyLock::new(|| (0..=1024).map(number).collect());

fn number(n: i64) -> Dim {
    let terms = if n == 0 { BTreeMap::new() } else { BTreeMap::from([(Vec::new(), n)]) };
    Dim { terms: Arc::new(terms) }
}

impl Default for Dim {
    fn default() -> Dim {
        Dim::constant(0)
    }
}

impl From<BTreeMap<Monomial, i64>> for Dim {
    fn from(terms: BTreeMap<Monomial, i64>) -> Dim {
        Dim { terms: Arc::new(terms) }
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
        usize::try_from(n).ok().and_then(|i| SMALL.get(i).cloned()).unwrap_or_else(|| number(n))
    }

    /// An unknown.
    pub fn var(name: impl Into<Symbol>) -> Dim {
        Dim::atom(Atom::Var(name.into()))
    }

    fn atom(atom: Atom) -> Dim {
        Dim::from(BTreeMap::from([(vec![(atom, 1)], 1)]))
    }

    /// Its value, when it has no unknowns.
    pub fn as_constant(&self) -> Option<i64> {
        match self.terms.len() {
            0 => Some(0),
            1 => self.terms.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    /// The unknown's name, when it is just that.
    pub fn as_var(&self) -> Option<&Symbol> {
        let (mono, &k) = self.terms.iter().next()?;
        match (self.terms.len(), k, mono.as_slice()) {
            (1, 1, [(Atom::Var(s), 1)]) => Some(s),
            _ => None,
        }
    }

    /// `self + other`
    pub fn add(&self, other: &Dim) -> Dim {
        if let (Some(a), Some(b)) = (self.as_constant(), other.as_constant()) {
            return Dim::constant(a.saturating_add(b));
        }
        let mut terms = BTreeMap::clone(&self.terms);
        for (mono, k) in &*other.terms {
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
        if n == 0 {
            return Dim::default();
        }
        let scaled = self.terms.iter().map(|(m, k)| (m.clone(), k.saturating_mul(n)));
        Dim::from(scaled.collect::<BTreeMap<_, _>>())
    }

    /// `self - other`
    pub fn sub(&self, other: &Dim) -> Dim {
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
        let mut out = Dim::default();
        for (a, ka) in &*self.terms {
            for (b, kb) in &*other.terms {
                let mut powers: BTreeMap<Atom, u32> = BTreeMap::new();
                for (atom, p) in a.iter().chain(b) {
                    *powers.entry(atom.clone()).or_insert(0) += p;
                }
                let mono: Monomial = powers.into_iter().collect();
                out = out.add(&Dim::from(BTreeMap::from([(mono, ka.saturating_mul(*kb))])));
            }
        }
        out
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
            return Some(quotient.add(&Dim::constant(a.div_euclid(b))));
        }
        // (p / a) / b is p / (a * b)
        if quotient == Dim::default()
            && let Some((Atom::Div(p, a), 1)) = rest.single_atom()
        {
            return p.clone().div(&a.mul(by));
        }
        Some(quotient.add(&Dim::atom(Atom::Div(rest, by.clone()))))
    }

    /// `self - by * floor(self / by)`; `None` where `by` is zero.
    pub fn rem(&self, by: &Dim) -> Option<Dim> {
        let (_, rest) = self.divide_terms(by)?;
        if let (Some(a), Some(b)) = (rest.as_constant(), by.as_constant()) {
            return Some(Dim::constant(a.rem_euclid(b)));
        }
        if rest == Dim::default() {
            return Some(rest);
        }
        Some(Dim::atom(Atom::Rem(rest, by.clone())))
    }

    fn single_atom(&self) -> Option<(&Atom, u32)> {
        let (mono, &k) = self.terms.iter().next()?;
        match (self.terms.len(), k, mono.as_slice()) {
            (1, 1, [(atom, p)]) => Some((atom, *p)),
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
        if by.terms.len() != 1 {
            // A sum divides only a multiple of itself by a constant.
            if let (Some((m, k)), Some(j)) = (self.terms.iter().next(), by.terms.get(self.terms.keys().next()?))
                && k % j == 0
                && by.scale(k / j) == *self
                && by.terms.contains_key(m)
            {
                return Some((Dim::constant(k / j), Dim::default()));
            }
            return Some((Dim::default(), self.clone()));
        }
        let (divisor, &factor) = by.terms.iter().next()?;
        let (mut quotient, mut rest) = (Dim::default(), Dim::default());
        'terms: for (mono, &k) in &*self.terms {
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
            let (q, r) = (k.div_euclid(factor), k.rem_euclid(factor));
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

    fn clean(mut self) -> Dim {
        Arc::make_mut(&mut self.terms).retain(|_, k| *k != 0);
        self
    }

    /// Every unknown replaced by what `of` gives for it, where it gives something.
    pub fn substitute(&self, of: &dyn Fn(&str) -> Option<Dim>) -> Dim {
        if self.as_constant().is_some() {
            return self.clone();
        }
        let mut out = Dim::default();
        for (mono, k) in &*self.terms {
            let mut term = Dim::constant(*k);
            for (atom, p) in mono {
                let value = match atom {
                    Atom::Var(s) => of(s).unwrap_or_else(|| Dim::var(s.clone())),
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
        for (atom, _) in self.terms.keys().flatten() {
            match atom {
                Atom::Var(s) => {
                    out.insert(s.clone());
                }
                Atom::Div(a, b) | Atom::Rem(a, b) => {
                    a.collect_symbols(out);
                    b.collect_symbols(out);
                }
            }
        }
    }

    /// The least it can be, every unknown being at least 1; `None` where that is not known.
    pub fn at_least(&self) -> Option<i64> {
        let mut low = 0i64;
        for (mono, &k) in &*self.terms {
            if mono.is_empty() {
                low += k;
            } else if k > 0 {
                // A product of unknowns is at least 1, of quotients and remainders at least 0.
                low += if mono.iter().all(|(a, _)| matches!(a, Atom::Var(_))) { k } else { 0 };
            } else {
                return None;
            }
        }
        Some(low)
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = |d: &Dim| {
            if d.terms.len() > 1 || d.single_atom().is_none() && d.as_constant().is_none() {
                format!("({d})")
            } else {
                d.to_string()
            }
        };
        match self {
            Atom::Var(s) => f.write_str(s),
            Atom::Div(a, b) => write!(f, "({} / {})", group(a), group(b)),
            Atom::Rem(a, b) => write!(f, "({} % {})", group(a), group(b)),
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        // The constant last, as people write it.
        let (constant, others): (Vec<_>, Vec<_>) = self.terms.iter().partition(|(m, _)| m.is_empty());
        for (i, (mono, k)) in others.into_iter().chain(constant).enumerate() {
            let size = k.unsigned_abs();
            match (i, *k < 0) {
                (0, true) => f.write_str("-")?,
                (0, false) => {}
                (_, true) => f.write_str(" - ")?,
                (_, false) => f.write_str(" + ")?,
            }
            if mono.is_empty() || size != 1 {
                write!(f, "{size}")?;
            }
            for (j, (atom, p)) in mono.iter().enumerate() {
                if j > 0 || size != 1 {
                    f.write_str(" * ")?;
                }
                write!(f, "{atom}")?;
                if *p > 1 {
                    write!(f, " ^ {p}")?;
                }
            }
        }
        Ok(())
    }
}

/// Reads what [`Dim`]'s `Display` writes: sums, products, powers, `/`, `%` and brackets.
impl std::str::FromStr for Dim {
    type Err = String;

    fn from_str(text: &str) -> Result<Dim, String> {
        let mut p = Reader { text: text.as_bytes(), at: 0 };
        let d = p.sum()?;
        p.space();
        if p.at == text.len() { Ok(d) } else { Err(format!("`{text}` is not a dimension")) }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn space(&mut self) {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    fn eat(&mut self, c: u8) -> bool {
        self.space();
        let hit = self.text.get(self.at) == Some(&c);
        self.at += hit as usize;
        hit
    }

    fn sum(&mut self) -> Result<Dim, String> {
        let mut out = if self.eat(b'-') { self.product()?.scale(-1) } else { self.product()? };
        loop {
            if self.eat(b'+') {
                out = out.add(&self.product()?);
            } else if self.eat(b'-') {
                out = out.sub(&self.product()?);
            } else {
                return Ok(out);
            }
        }
    }

    fn product(&mut self) -> Result<Dim, String> {
        let mut out = self.power()?;
        loop {
            if self.eat(b'*') {
                out = out.mul(&self.power()?);
            } else if self.eat(b'/') {
                out = out.div(&self.power()?).ok_or("division by zero in a dimension")?;
            } else if self.eat(b'%') {
                out = out.rem(&self.power()?).ok_or("division by zero in a dimension")?;
            } else {
                return Ok(out);
            }
        }
    }

    fn power(&mut self) -> Result<Dim, String> {
        let base = self.leaf()?;
        if !self.eat(b'^') {
            return Ok(base);
        }
        let n = self.leaf()?.as_constant().and_then(|n| u32::try_from(n).ok()).filter(|n| *n < 64);
        Ok(base.pow(n.ok_or("a power in a dimension must be a small number")?))
    }

    fn leaf(&mut self) -> Result<Dim, String> {
        if self.eat(b'(') {
            let d = self.sum()?;
            return if self.eat(b')') { Ok(d) } else { Err("missing `)` in a dimension".into()) };
        }
        self.space();
        let start = self.at;
        while self.text.get(self.at).is_some_and(|c| c.is_ascii_alphanumeric() || b"_#.".contains(c)) {
            self.at += 1;
        }
        let word = std::str::from_utf8(&self.text[start..self.at]).unwrap_or("");
        match word.bytes().next() {
            None => Err("a dimension ends too early".into()),
            Some(c) if c.is_ascii_digit() => {
                word.parse().map(Dim::constant).map_err(|_| format!("`{word}` is not a size"))
            }
            Some(_) => Ok(Dim::var(word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Dim {
        text.parse().unwrap()
    }

    #[test]
    fn normal_forms() {
        for (a, b) in [
            ("2 * (H + 1)", "2 * H + 2"),
            ("(H + 2 * 1 - 3) / 1 + 1", "H"),
            ("(3 * D) / 3", "D"),
            ("(B * T * D) / (T * D)", "B"),
            ("(4 * H + 7) / 4", "H + 1"),
            ("(4 * H + 7) % 4", "3"),
            ("(H / 2) / 3", "H / 6"),
            ("(H + W) * (H - W)", "H ^ 2 - W ^ 2"),
            ("(28 - 3) / 1 + 1", "26"),
            ("(B * 3 + B) / (4 * B)", "1"),
        ] {
            assert_eq!(d(a), d(b), "{a} is {b}");
        }
    }

    #[test]
    fn text_round_trips() {
        for text in ["2 * B + 1", "((H - 2) / 2) + 1", "B * T ^ 2 - 3", "0", "-B + 4", "(H % 3) * B"] {
            assert_eq!(d(text), d(&d(text).to_string()), "{text}");
        }
        assert!("B +".parse::<Dim>().is_err());
        assert!("B / 0".parse::<Dim>().is_err());
    }

    #[test]
    fn values_are_those_of_the_integers() {
        let e = d("(3 * H + 5) / 2 + H % 3 - (H * W + 7) / (2 * W)");
        for (h, w) in [(1, 1), (5, 2), (8, 3), (31, 7)] {
            let got = e.evaluate(&|s| Some(if s == "H" { h } else { w }));
            assert_eq!(got, Some((3 * h + 5) / 2 + h % 3 - (h * w + 7) / (2 * w)));
        }
    }
}
