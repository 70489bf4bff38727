//! What is known of a size's value: unknowns are at least 1, remainders lie below what they divide by.

use super::{Atom, Dim, Form, Monomial, Terms};
use std::collections::BTreeMap;

/// How deep quotients in quotients are followed; what is deeper is not known.
const DEEPEST: u32 = 6;

impl Dim {
    /// The least it can be as far as its terms tell, every unknown being at least 1; `None` where that is not known.
    pub fn at_least(&self) -> Option<i64> {
        self.least(0)
    }

    fn least(&self, depth: u32) -> Option<i64> {
        match &self.0 {
            Form::Number(n) => return Some(*n),
            Form::Var(_) => return Some(1),
            Form::Sum(_) if depth > DEEPEST => return None,
            Form::Sum(_) => {}
        }
        // With v = 1 + v' for each unknown, every v' is at least 0: when no other term is below 0, the constant is
        // the least.
        let shifted = self.shifted(depth)?;
        let low = shifted.terms().get(&Vec::new()).copied().unwrap_or(0);
        shifted.terms().iter().all(|(mono, k)| mono.is_empty() || *k >= 0).then_some(low)
    }

    /// True when it is known to be at least `n`. Where the terms do not tell, quotients are replaced by what bounds
    /// them: `p / c` lies between `(p - c + 1) / c` and `p / c` in the rationals.
    pub fn is_at_least(&self, n: i64) -> bool {
        if self.at_least().is_some_and(|low| low >= n) {
            return true;
        }
        let mut rest = self.sub(&Dim::constant(n));
        for _ in 0..DEEPEST {
            let Some(next) = rest.without_a_quotient() else { return false };
            if next.at_least().is_some_and(|low| low >= 0) {
                return true;
            }
            rest = next;
        }
        false
    }

    /// A multiple of something that is no larger, with one quotient by a constant less.
    fn without_a_quotient(&self) -> Option<Dim> {
        let (mono, k, p, c) = self.terms().iter().find_map(|(mono, k)| match mono.as_slice() {
            // Only a quotient by itself, or times unknowns, which are above 0.
            atoms if atoms.iter().filter(|(a, _)| !matches!(a, Atom::Var(_))).count() == 1 => {
                atoms.iter().find_map(|(a, power)| match a {
                    Atom::Div(p, c) if *power == 1 => {
                        c.as_constant().filter(|c| *c > 0).map(|c| (mono.clone(), *k, p.clone(), c))
                    }
                    _ => None,
                })
            }
            _ => None,
        })?;
        let mut rest = Terms::clone(&self.terms());
        rest.remove(&mono);
        let rest = Dim::from(rest);
        let factor: Monomial = mono.into_iter().filter(|(a, _)| matches!(a, Atom::Var(_))).collect();
        let factor = Dim::from(BTreeMap::from([(factor, k)]));
        let bound = if k > 0 { p.sub(&Dim::constant(c - 1)) } else { p };
        Some(rest.scale(c).add(&factor.mul(&bound)))
    }

    /// Each unknown as 1 and the rest of it, each quotient and remainder as its least and the rest of it.
    fn shifted(&self, depth: u32) -> Option<Dim> {
        let mut out = Dim::default();
        for (mono, k) in &*self.terms() {
            let mut term = Dim::constant(*k);
            for (atom, power) in mono {
                let low = match atom {
                    Atom::Var(_) => 1,
                    Atom::Rem(_, by) => by.least(depth + 1).filter(|n| *n > 0).map(|_| 0)?,
                    Atom::Div(p, by) => {
                        let (p, b) = (p.least(depth + 1)?, by.least(depth + 1).filter(|n| *n > 0)?);
                        // The larger the divisor, the nearer to 0 from above.
                        match by.as_constant() {
                            Some(c) => p.div_euclid(c),
                            None if p >= 0 && b > 0 => 0,
                            None => return None,
                        }
                    }
                };
                let value = Dim::atom(atom.clone()).add(&Dim::constant(low));
                term = term.mul(&value.pow(*power));
            }
            out = out.add(&term);
        }
        Some(out)
    }
}
