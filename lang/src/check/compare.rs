//! When two sizes are the same: proved, refuted, or not decided; and what conditions say about sizes.

use super::elab::Elab;
use super::value::{Env, Value};
use crate::dim::{Dim, Symbol};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, UnaryOp};

/// What is known of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    Proved,
    Refuted,
    Undecided,
}

impl Elab {
    /// A size with every `dim` of the program replaced by its number, and what is known here put in.
    pub fn concrete(&self, d: &Dim) -> Dim {
        let d = if self.program.dims.is_empty() { d.clone() } else { self.numbered(d) };
        if self.facts.is_empty() { d } else { self.facts.apply(&d) }
    }

    /// A static number where it is known: the square root of a `dim` is a number too.
    pub fn known_number(&self, value: &Value) -> Option<f64> {
        match value {
            Value::Int(d) => self.concrete(d).as_constant().map(|n| n as f64),
            other => other.as_f64(),
        }
    }

    fn numbered(&self, d: &Dim) -> Dim {
        d.substitute(&|s| self.program.dim_size(s).map(Dim::constant))
    }

    /// The `dim`s of the program in a size.
    fn named_symbols(&self, d: &Dim) -> Vec<Symbol> {
        if self.program.dims.is_empty() {
            return Vec::new();
        }
        d.symbols().into_iter().filter(|s| self.program.dim_size(s).is_some()).collect()
    }

    /// Whether two sizes are the same. Two names never match, even at the same size; a plain number
    /// matches either.
    pub fn same(&self, a: &Dim, b: &Dim) -> Verdict {
        if a == b {
            return Verdict::Proved;
        }
        let (m, n) = (self.named_symbols(a), self.named_symbols(b));
        if m != n && !m.is_empty() && !n.is_empty() {
            return Verdict::Refuted;
        }
        let (x, y) = (self.concrete(a), self.concrete(b));
        if x == y {
            return Verdict::Proved;
        }
        let (more, less) = (x.sub(&y), y.sub(&x));
        if self.facts.proves_apart(&more) {
            return Verdict::Refuted;
        }
        let one = Dim::constant(1);
        let apart = more.is_at_least(1)
            || less.is_at_least(1)
            || (!self.facts.is_empty()
                && (self.facts.proves_positive(&more.sub(&one)) || self.facts.proves_positive(&less.sub(&one))));
        if apart { Verdict::Refuted } else { Verdict::Undecided }
    }

    /// True where two sizes may be taken as one: proved, or undecided in a body by itself.
    pub fn agree(&self, a: &Dim, b: &Dim) -> bool {
        match self.same(a, b) {
            Verdict::Proved => true,
            Verdict::Refuted => false,
            Verdict::Undecided => self.generic && !self.rigid(a, b),
        }
    }

    /// Inside a declaration a dimension variable equals only itself: another variable and a number are other sizes. An
    /// unknown static parameter may have any value, and a calculation may come out right for the sizes of a use.
    fn rigid(&self, a: &Dim, b: &Dim) -> bool {
        let (x, y) = (self.concrete(a), self.concrete(b));
        let variable = |d: &Dim| d.as_var().is_some_and(|s| !self.open.contains(s));
        let fixed = |d: &Dim| d.as_constant().is_some() || variable(d);
        fixed(&x) && fixed(&y) && (variable(&x) || variable(&y))
    }

    /// Whether `a <= b`.
    pub fn at_most(&self, a: &Dim, b: &Dim) -> Verdict {
        if let (Some(low), Some(high)) = (a.as_constant(), b.as_constant()) {
            return if low <= high { Verdict::Proved } else { Verdict::Refuted };
        }
        let difference = self.concrete(b).sub(&self.concrete(a));
        if difference.is_at_least(0) || (!self.facts.is_empty() && self.facts.proves_positive(&difference)) {
            return Verdict::Proved;
        }
        let above = difference.scale(-1);
        let refuted = above.is_at_least(1)
            || (!self.facts.is_empty() && self.facts.proves_positive(&above.sub(&Dim::constant(1))));
        if refuted { Verdict::Refuted } else { Verdict::Undecided }
    }

    /// Takes a condition that was not decided as known from here on, in the sense of its truth: what its parts say
    /// about sizes.
    pub fn learn(&mut self, env: &mut Env, condition: &Expr, holds: bool) {
        match (&*condition.kind, holds) {
            (ExprKind::Unary(UnaryOp::Not, inner), _) => self.learn(env, inner, !holds),
            (ExprKind::Binary(BinaryOp::And, _, l, r), true) | (ExprKind::Binary(BinaryOp::Or, _, l, r), false) => {
                self.learn(env, l, holds);
                self.learn(env, r, holds);
            }
            (ExprKind::Binary(op, _, l, r), _) => {
                // Both sides were evaluated before, without an error.
                let (Ok(Value::Int(a)), Ok(Value::Int(b))) = (self.eval(env, l), self.eval(env, r)) else { return };
                let (a, b) = (self.concrete(&a), self.concrete(&b));
                self.learn_comparison(*op, holds, &a, &b, (l, r), env);
            }
            _ => {}
        }
    }

    fn learn_comparison(&mut self, op: BinaryOp, holds: bool, a: &Dim, b: &Dim, sides: (&Expr, &Expr), env: &mut Env) {
        let one = Dim::constant(1);
        match (op, holds) {
            (BinaryOp::Equal, true) | (BinaryOp::NotEqual, false) => {
                // `p % q == 0` says more than its value does.
                if let (ExprKind::Binary(BinaryOp::Rem, _, p, q), true) = (&*sides.0.kind, *b == Dim::default())
                    && let (Ok(Value::Int(p)), Ok(Value::Int(q))) = (self.eval(env, p), self.eval(env, q))
                {
                    let (p, q) = (self.concrete(&p), self.concrete(&q));
                    return self.facts.divides(&q, &p);
                }
                self.facts.equal(a, b);
            }
            (BinaryOp::Equal, false) | (BinaryOp::NotEqual, true) => self.facts.different(a, b),
            (BinaryOp::LessEqual, true) | (BinaryOp::Greater, false) => self.facts.at_most(a, b),
            (BinaryOp::GreaterEqual, true) | (BinaryOp::Less, false) => self.facts.at_most(b, a),
            (BinaryOp::Less, true) | (BinaryOp::GreaterEqual, false) => self.facts.at_most(&a.add(&one), b),
            (BinaryOp::Greater, true) | (BinaryOp::LessEqual, false) => self.facts.at_most(&b.add(&one), a),
            _ => {}
        }
    }
}
