//! When two sizes are the same: proved, refuted, or not decided.

use super::elab::Elab;
use crate::dim::Dim;

/// What is known of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Proved,
    Refuted,
    Undecided,
}

impl Elab {
    /// A size with every `dim` of the program replaced by its number.
    pub fn concrete(&self, d: &Dim) -> Dim {
        d.substitute(&|s| self.program.dim_size(s).map(Dim::constant))
    }

    fn is_named(&self, d: &Dim) -> bool {
        d.symbols().iter().any(|s| self.program.dim_size(s).is_some())
    }

    /// Whether two sizes are the same. Two names never match, even at the same size; a plain number
    /// matches either.
    pub fn same(&self, a: &Dim, b: &Dim) -> Verdict {
        if a == b {
            return Verdict::Proved;
        }
        let (x, y) = (self.concrete(a), self.concrete(b));
        if self.is_named(a) && self.is_named(b) {
            return Verdict::Refuted;
        }
        if x == y {
            return Verdict::Proved;
        }
        let difference = x.sub(&y);
        let apart = difference.as_constant().is_some_and(|n| n != 0)
            || difference.at_least().is_some_and(|n| n > 0)
            || difference.scale(-1).at_least().is_some_and(|n| n > 0);
        if apart { Verdict::Refuted } else { Verdict::Undecided }
    }

    /// True where two sizes may be taken as one: proved, or undecided in a body by itself.
    pub fn agree(&self, a: &Dim, b: &Dim) -> bool {
        match self.same(a, b) {
            Verdict::Proved => true,
            Verdict::Refuted => false,
            Verdict::Undecided => self.generic,
        }
    }

    /// Whether `a <= b`.
    pub fn at_most(&self, a: &Dim, b: &Dim) -> Verdict {
        let difference = self.concrete(b).sub(&self.concrete(a));
        if difference.at_least().is_some_and(|n| n >= 0) {
            Verdict::Proved
        } else if difference.scale(-1).at_least().is_some_and(|n| n > 0) {
            Verdict::Refuted
        } else {
            Verdict::Undecided
        }
    }
}
