//! The forms of `expect`: a condition, `close(…)`, `gradient(…)`, `error(…) { … }`.

use super::super::apply::Argument;
use super::super::elab::{Elab, Failed, Res};
use super::super::operators::sign;
use super::super::value::{Env, Value};
use super::{ClaimKind, FAILED};
use crate::diagnostic::{Diagnostic, codes};
use crate::model::ValueId;
use crate::source::Span;
use crate::syntax::ast::{Arg, BinaryOp, Block, Expr, ExprKind};

impl Elab {
    /// What an `expect` claims.
    pub(super) fn claim(&mut self, env: &mut Env, e: &Expr, block: Option<&Block>) -> Res<ClaimKind> {
        let form = match &*e.kind {
            ExprKind::Call(callee, args) => match &*callee.kind {
                ExprKind::Name(name) => Some((name.as_str(), args)),
                _ => None,
            },
            _ => None,
        };
        match (form, block) {
            (Some(("error", args)), Some(block)) => self.error_claim(env, args, block, e.span),
            (Some(("error", _)), None) => {
                let d = Diagnostic::error("E0702", e.span, "`expect error(…)` wants a block, and there is none")
                    .help("write what must give the error between braces: `expect error(E0302) { … }`");
                Err(self.fail(d))
            }
            (_, Some(block)) => {
                let d = Diagnostic::error("E0702", block.span, "only `expect error(…)` has a block");
                Err(self.fail(d))
            }
            (Some(("close", args)), None) => self.close_claim(env, args, e.span),
            (Some(("gradient", args)), None) => {
                let args = self.arguments(env, args)?;
                self.gradient_claim(args, e.span).map(|claim| ClaimKind::Gradient(Box::new(claim)))
            }
            (_, None) => self.condition_claim(env, e),
        }
    }

    /// `expect shape(y) == [2, 3]`, `expect y >= 0`.
    fn condition_claim(&mut self, env: &mut Env, e: &Expr) -> Res<ClaimKind> {
        let mut told = Vec::new();
        let mut compares = None;
        let value = match &*e.kind {
            ExprKind::Binary(op, at, l, r) if compares_values(*op) => {
                let (a, b) = (self.eval(env, l), self.eval(env, r));
                let (a, b) = (a?, b?);
                for (side, value) in [(l, &a), (r, &b)] {
                    let (written, known) = (self.quote(side.span), self.tell(value));
                    if written != known {
                        told.push(format!("`{written}` is {known}"));
                    }
                }
                compares = Some(sign(*op));
                self.binary(*op, *at, (a, l), (b, r), e.span)?
            }
            _ => self.eval(env, e)?,
        };
        match value {
            Value::Bool(true) => Ok(ClaimKind::Decided(None)),
            Value::Bool(false) => {
                if told.is_empty() {
                    told = self.tell_values(env, e);
                }
                let mut d = Diagnostic::error(FAILED, e.span, "this is false").says("expected to hold");
                d.notes = told;
                Ok(ClaimKind::Decided(Some(Box::new(d))))
            }
            Value::Tensor(v) if self.ty(v).dtype == crate::types::DType::Bool => {
                let args = &self.body.node(v).args;
                let sides = match (compares, args.as_slice()) {
                    (Some(sign), [l, r]) => Some((*l, sign, *r)),
                    _ => None,
                };
                Ok(ClaimKind::True { condition: v, sides })
            }
            Value::Unknown | Value::Opaque => Err(Failed),
            other => {
                let d = Diagnostic::error("E0702", e.span, "a condition is expected to hold, and this is none")
                    .says(format!("this is {}", self.tell(&other)))
                    .help(
                        "compare it: `expect y > 0`, or `expect close(y, 0.25)` for numbers that are nearly the same",
                    );
                Err(self.fail(d))
            }
        }
    }

    /// `expect close(a, b, tolerance: 1e-3)`
    fn close_claim(&mut self, env: &mut Env, args: &[Arg], span: Span) -> Res<ClaimKind> {
        let args = self.arguments(env, args)?;
        let mut sides = Vec::new();
        let mut tolerance = None;
        for arg in args {
            match arg.name.as_ref().map(|n| n.text.as_str()) {
                None => sides.push(arg),
                Some("tolerance") => match arg.value.as_f64() {
                    Some(x) if x >= 0.0 => tolerance = Some(x),
                    _ => return self.error("E0702", arg.span, "`tolerance` is a number that is not below 0"),
                },
                Some(other) => {
                    let message = format!("`close` has no parameter `{other}`");
                    let d = Diagnostic::error("E0502", arg.span, message).help("it takes two values and `tolerance`");
                    return Err(self.fail(d));
                }
            }
        }
        let [a, b] = sides.as_slice() else {
            let message = format!("`close` compares two values, {} are given", sides.len());
            let d = Diagnostic::error("E0501", span, message).help("write `expect close(softmax(x), [0.5, 0.5])`");
            return Err(self.fail(d));
        };
        let (got, want) = self.side_by_side(a, b, span)?;
        Ok(ClaimKind::Close { got, want, tolerance })
    }

    /// Two values as tensors of one dtype and shape, as operators would bring them there.
    pub fn side_by_side(&mut self, a: &Argument, b: &Argument, span: Span) -> Res<(ValueId, ValueId)> {
        let mut sides = [a.clone(), b.clone()];
        if !sides.iter().any(|s| matches!(s.value, Value::Tensor(_))) {
            sides[0].value = Value::Tensor(self.tensor(&a.value, None, a.span)?);
        }
        let Some(equal) = self.program.primitive("equal") else { return Err(Failed) };
        let compared = self.apply_primitive(equal, sides.to_vec(), span, span)?;
        let Value::Tensor(compared) = compared else { return Err(Failed) };
        match self.body.node(compared).args.as_slice() {
            [got, want] => Ok((*got, *want)),
            _ => Err(Failed),
        }
    }

    /// `expect error(E0301) { … }`: the block must have this error, and no other.
    fn error_claim(&mut self, env: &Env, args: &[Arg], block: &Block, span: Span) -> Res<ClaimKind> {
        let code = match args {
            [Arg { name: None, value }] => match &*value.kind {
                ExprKind::Name(code) => codes::explain(code).filter(|c| c.code == code),
                _ => None,
            },
            _ => None,
        };
        let Some(code) = code else {
            let place = args.first().map_or(span, |a| a.value.span);
            let d = Diagnostic::error("E0702", place, "`expect error(…)` wants the code of an error")
                .help("write one as the error shows it, `expect error(E0302) { … }`; `tfm explain` lists all");
            return Err(self.fail(d));
        };
        let mut inner = self.clone();
        inner.diagnostics.clear();
        let _ = inner.block(&mut env.clone(), block);
        let others: Vec<Diagnostic> = inner.diagnostics.iter().filter(|d| d.code != code.code).cloned().collect();
        if let Some(other) = others.first() {
            let mut d = Diagnostic::error(FAILED, other.span(), format!("this has another error than {}", code.code))
                .says(format!("{}: {}", other.code, other.message))
                .label(span, format!("{} is expected: {}", code.code, code.title));
            d.notes = other.notes.clone();
            return Ok(ClaimKind::Decided(Some(Box::new(d))));
        }
        if inner.diagnostics.is_empty() {
            let d = Diagnostic::error(FAILED, block.span, format!("this has no error, and {} is expected", code.code))
                .label(span, format!("{} is expected: {}", code.code, code.title));
            return Ok(ClaimKind::Decided(Some(Box::new(d))));
        }
        Ok(ClaimKind::Decided(None))
    }

    /// A value in few words: static ones as they are written, tensors by their type.
    fn tell(&self, value: &Value) -> String {
        let all = |items: &[Value]| items.iter().map(|v| self.tell(v)).collect::<Vec<_>>().join(", ");
        match value {
            Value::Int(d) => d.to_string(),
            Value::Float(x) => x.to_string(),
            Value::Bool(b) => b.to_string(),
            Value::Str(s) => format!("{s:?}"),
            Value::DType(d) => d.to_string(),
            Value::Tensor(v) => self.ty(*v).to_string(),
            Value::List(items) => format!("[{}]", all(items)),
            Value::Tuple(items) => format!("({})", all(items)),
            other => other.kind().to_string(),
        }
    }
}

fn compares_values(op: BinaryOp) -> bool {
    use BinaryOp::*;
    matches!(op, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
}
