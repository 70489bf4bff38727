//! Operators, on static values and on tensors, and the shape that operands share.

use super::apply::Argument;
use super::compare::Verdict;
use super::elab::{Elab, Failed, Res};
use super::value::Value;
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::ValueId;
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::types::{Axis, TensorType};
use crate::word::{Word, word};
use std::sync::LazyLock;

/// An operator's sign and the primitive that it is on tensors.
const OPERATORS: [(BinaryOp, &str, &str); 15] = [
    (BinaryOp::Or, "or", "logical_or"),
    (BinaryOp::And, "and", "logical_and"),
    (BinaryOp::Equal, "==", "equal"),
    (BinaryOp::NotEqual, "!=", "not_equal"),
    (BinaryOp::Less, "<", "less"),
    (BinaryOp::LessEqual, "<=", "less_equal"),
    (BinaryOp::Greater, ">", "greater"),
    (BinaryOp::GreaterEqual, ">=", "greater_equal"),
    (BinaryOp::Add, "+", "add"),
    (BinaryOp::Sub, "-", "subtract"),
    (BinaryOp::Mul, "*", "multiply"),
    (BinaryOp::Div, "/", "divide"),
    (BinaryOp::Rem, "%", "remainder"),
    (BinaryOp::MatMul, "@", "matmul"),
    (BinaryOp::Pow, "^", "power"),
];

pub(super) fn sign(op: BinaryOp) -> &'static str {
    OPERATORS.iter().find(|(o, ..)| *o == op).map_or("?", |(_, s, _)| s)
}

/// The sign of the operator that a primitive is written with, `+` for `add`; else its name.
pub(super) fn sign_of_primitive(name: &str) -> &str {
    OPERATORS.iter().find(|(.., p)| *p == name).map_or(name, |(_, s, _)| s)
}

/// The primitive that an operator is on tensors.
fn primitive_of(op: BinaryOp) -> Word {
    static WORDS: LazyLock<Vec<(BinaryOp, Word)>> =
        LazyLock::new(|| OPERATORS.iter().map(|(op, _, name)| (*op, Word::new(name))).collect());
    WORDS.iter().find(|(o, _)| *o == op).map_or_else(|| word!("add"), |(_, name)| *name)
}

fn is_function(value: &Value) -> bool {
    matches!(value, Value::Callable(_) | Value::Lambda(_) | Value::Builtin(_))
}

impl Elab {
    pub fn unary(&mut self, op: UnaryOp, value: Value, span: Span) -> Res<Value> {
        match (op, value) {
            (_, Value::Opaque | Value::Unknown) => Ok(Value::Opaque),
            (UnaryOp::Neg, Value::Int(d)) => Ok(Value::Int(d.scale(-1))),
            (UnaryOp::Neg, Value::Float(x)) => Ok(Value::Float(-x)),
            (UnaryOp::Not, Value::Bool(b)) => Ok(Value::Bool(!b)),
            (op, value) => {
                let name = if op == UnaryOp::Neg { "negate" } else { "logical_not" };
                self.call_primitive(name, vec![value], span)
            }
        }
    }

    /// Applies a primitive of the library to values.
    pub fn call_primitive(&mut self, name: impl Into<Word>, values: Vec<Value>, span: Span) -> Res<Value> {
        let name = name.into();
        let Some(id) = self.program.primitive(name) else {
            return self.error("E0201", span, format!("the library has no primitive `{name}`"));
        };
        let args = values.into_iter().map(|v| Argument::of(v, span)).collect();
        self.apply_primitive(id, args, span, span)
    }

    pub fn binary(
        &mut self,
        op: BinaryOp,
        at: Span,
        left: (Value, &Expr),
        right: (Value, &Expr),
        span: Span,
    ) -> Res<Value> {
        use BinaryOp::*;
        let ((a, l), (b, r)) = (left, right);
        if let (Value::Opaque, other) | (other, Value::Opaque) = (&a, &b) {
            // One known operand can decide a condition.
            return Ok(match (op, other) {
                (And, Value::Bool(false)) => Value::Bool(false),
                (Or, Value::Bool(true)) => Value::Bool(true),
                (_, Value::Tensor(_)) => return Err(Failed),
                _ => Value::Opaque,
            });
        }
        match (&a, &b) {
            (Value::Int(x), Value::Int(y)) => return self.int_binary(op, x, y, l, r, span),
            (Value::Bool(x), Value::Bool(y)) => match op {
                And => return Ok(Value::Bool(*x && *y)),
                Or => return Ok(Value::Bool(*x || *y)),
                Equal => return Ok(Value::Bool(x == y)),
                NotEqual => return Ok(Value::Bool(x != y)),
                _ => {}
            },
            (Value::Str(x), Value::Str(y)) => match op {
                Equal => return Ok(Value::Bool(x == y)),
                NotEqual => return Ok(Value::Bool(x != y)),
                _ => {}
            },
            (Value::DType(x), Value::DType(y)) => match op {
                Equal => return Ok(Value::Bool(x == y)),
                NotEqual => return Ok(Value::Bool(x != y)),
                _ => {}
            },
            (Value::List(_) | Value::Tuple(_), Value::List(_) | Value::Tuple(_)) if matches!(op, Equal | NotEqual) => {
                match self.equal_statics(&a, &b) {
                    Some(same) => return Ok(Value::Bool(same == (op == Equal))),
                    None if self.generic => return Ok(Value::Opaque),
                    None => {}
                }
            }
            // A function is the same as another when both are one declaration: `reduce == mean`.
            _ if matches!(op, Equal | NotEqual) && is_function(&a) && is_function(&b) => {
                let same = matches!((&a, &b), (Value::Callable(x), Value::Callable(y)) if x == y);
                return Ok(Value::Bool(same == (op == Equal)));
            }
            (Value::List(x), Value::List(y)) if op == Add => {
                self.effort(x.len() + y.len(), span)?;
                return Ok(Value::list(x.iter().chain(y.iter()).cloned().collect()));
            }
            _ if a.is_number() && b.is_number() => {
                if let (Some(x), Some(y)) = (self.known_number(&a), self.known_number(&b)) {
                    return self.float_binary(op, x, y, at, span);
                }
                if self.generic {
                    return Ok(Value::Opaque);
                }
            }
            _ => {}
        }
        let tensorial = |v: &Value| {
            matches!(
                v,
                Value::Tensor(_)
                    | Value::Int(_)
                    | Value::Float(_)
                    | Value::Bool(_)
                    | Value::Duration(..)
                    | Value::List(_)
            ) || matches!(v, Value::Named(items) if items.len() == 1)
        };
        for (value, e) in [(&a, l), (&b, r)] {
            if !tensorial(value) {
                let told = self.describe(value);
                let mut d = Diagnostic::error("E0402", e.span, format!("`{}` of {told}", sign(op)))
                    .says(format!("this is {told}"));
                if let Value::Bound(_) | Value::Callable(_) = value {
                    d = d.help(format!("apply it first: `{}(x)`", self.quote(e.span)));
                }
                return Err(self.fail(d));
            }
        }
        if op == MatMul {
            return self.product((a, l.span), (b, r.span), at, span);
        }
        if op == Div {
            self.whole_quotient((&a, l), (&b, r), span)?;
        }
        let name = primitive_of(op);
        let Some(id) = self.program.primitive(name) else {
            return self.error("E0201", at, format!("the library has no primitive `{name}`"));
        };
        self.apply_primitive(id, vec![Argument::of(a, l.span), Argument::of(b, r.span)], at, span)
    }

    /// Whether two static values are the same; `None` where that is not known, or they are none.
    fn equal_statics(&self, a: &Value, b: &Value) -> Option<bool> {
        match (a, b) {
            (Value::List(x), Value::List(y)) | (Value::Tuple(x), Value::Tuple(y)) if x.len() == y.len() => {
                let parts: Vec<Option<bool>> = x.iter().zip(y.iter()).map(|(a, b)| self.equal_statics(a, b)).collect();
                if parts.contains(&Some(false)) {
                    Some(false)
                } else {
                    parts.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
                }
            }
            (Value::List(_), Value::List(_)) | (Value::Tuple(_), Value::Tuple(_)) => Some(false),
            (Value::Int(x), Value::Int(y)) => match self.same(x, y) {
                Verdict::Undecided => None,
                verdict => Some(verdict == Verdict::Proved),
            },
            (Value::Bool(x), Value::Bool(y)) => Some(x == y),
            (Value::Str(x), Value::Str(y)) => Some(x == y),
            (Value::DType(x), Value::DType(y)) => Some(x == y),
            _ => Some(a.as_f64()? == b.as_f64()?),
        }
    }

    /// The result of arithmetic on whole numbers, where it is one.
    fn sized(&mut self, d: Dim, span: Span) -> Res<Value> {
        if d.fits() {
            return Ok(Value::Int(d));
        }
        let d = Diagnostic::error("E0111", span, "this number does not fit")
            .says("more than a whole number can be")
            .help("make it a fraction, `1.0 * x`, if it need not be exact");
        Err(self.fail(d))
    }

    fn int_binary(&mut self, op: BinaryOp, x: &Dim, y: &Dim, l: &Expr, r: &Expr, span: Span) -> Res<Value> {
        use BinaryOp::*;
        let truth = |e: &mut Elab, verdict: Verdict, wanted: Verdict| match verdict {
            Verdict::Undecided if e.generic => Ok(Value::Opaque),
            Verdict::Undecided => {
                let d = Diagnostic::error(
                    "E0507",
                    span,
                    format!("whether {x} {} {y} is not known before the program runs", sign(op)),
                )
                .note("the size of a batch is not known here");
                Err(e.fail(d))
            }
            verdict => Ok(Value::Bool(verdict == wanted)),
        };
        Ok(match op {
            Add => self.sized(x.add(y), span)?,
            Sub => self.sized(x.sub(y), span)?,
            Mul => self.sized(x.mul(y), span)?,
            Div | Rem => {
                if op == Div
                    && let (ExprKind::Int(n), ExprKind::Int(m)) = (&*l.kind, &*r.kind)
                    && *m != 0
                    && n % m != 0
                {
                    let exact = *n as f64 / *m as f64;
                    let d = Diagnostic::error(
                        "E0505",
                        span,
                        format!("`{n} / {m}` of whole numbers rounds down to {}", n.div_euclid(*m)),
                    )
                    .help(format!("write {exact}"))
                    .fix("write the fraction", span, exact.to_string());
                    return Err(self.fail(d));
                }
                let (x, y) = (self.concrete_if_number(x), self.concrete_if_number(y));
                match if op == Div { x.div(&y) } else { x.rem(&y) } {
                    Some(d) => Value::Int(d),
                    None => {
                        let message = format!("division by zero: `{}` is 0", self.quote(r.span));
                        return self.error("E0505", r.span, message);
                    }
                }
            }
            // A power of a sum of unknowns has very many terms.
            Pow => match y
                .as_constant()
                .and_then(|n| u32::try_from(n).ok())
                .filter(|n| *n < 8 || (*n < 64 && x.as_constant().is_some()))
            {
                Some(n) => {
                    let mut power = Dim::constant(1);
                    for _ in 0..n {
                        power = power.mul(x);
                        self.sized(power.clone(), span)?;
                    }
                    Value::Int(power)
                }
                None => match (x.as_constant(), y.as_constant()) {
                    (Some(a), Some(b)) => Value::Float((a as f64).powf(b as f64)),
                    _ => return self.error("E0507", r.span, "the power of a size must be a number"),
                },
            },
            Equal => return truth(self, self.same(x, y), Verdict::Proved),
            NotEqual => return truth(self, self.same(x, y), Verdict::Refuted),
            LessEqual => return truth(self, self.at_most(x, y), Verdict::Proved),
            Greater => return truth(self, self.at_most(x, y), Verdict::Refuted),
            GreaterEqual => return truth(self, self.at_most(y, x), Verdict::Proved),
            Less => return truth(self, self.at_most(y, x), Verdict::Refuted),
            MatMul | And | Or => {
                return self.error("E0402", span, format!("`{}` of two ints", sign(op)));
            }
        })
    }

    /// Whole numbers divided by a fraction, or by something above all of them: `image / 255` of bytes is 0.
    fn whole_quotient(&mut self, (a, l): (&Value, &Expr), (b, r): (&Value, &Expr), span: Span) -> Res<()> {
        let Value::Tensor(v) = a else { return Ok(()) };
        let ty = self.ty(*v).clone();
        let told = self.quote(l.span);
        let fraction = matches!(b, Value::Float(_)) && ty.dtype.is_int();
        let bytes = ty.dtype == crate::types::DType::U8;
        let most = if bytes { Some(255) } else { ty.below.as_ref().and_then(Dim::as_constant).map(|n| n - 1) };
        let all_zero = match (b, most) {
            (Value::Int(d), Some(most)) => ty.dtype.is_int() && d.as_constant().is_some_and(|n| n >= most && n > 1),
            _ => false,
        };
        if !fraction && !all_zero {
            return Ok(());
        }
        let message = if all_zero {
            format!("`/` of whole numbers rounds down: nearly all of {ty} would be 0")
        } else {
            format!("`/` of {ty} by a fraction: whole numbers are divided to whole numbers")
        };
        let by = self.quote(r.span);
        let d = Diagnostic::error(if all_zero { "E0505" } else { "E0403" }, span, message)
            .says(ty.to_string())
            .help(format!("convert first: `f32({told}) / {by}`"));
        Err(self.fail(d))
    }

    /// Named sizes divide as their numbers do, when both are numbers.
    fn concrete_if_number(&self, d: &Dim) -> Dim {
        let number = self.concrete(d);
        if number.as_constant().is_some() { number } else { d.clone() }
    }

    fn float_binary(&mut self, op: BinaryOp, x: f64, y: f64, at: Span, span: Span) -> Res<Value> {
        use BinaryOp::*;
        Ok(match op {
            Add => Value::Float(x + y),
            Sub => Value::Float(x - y),
            Mul => Value::Float(x * y),
            Div if y == 0.0 => return self.error("E0505", span, "division by zero"),
            Div => Value::Float(x / y),
            Rem => Value::Float(x.rem_euclid(y)),
            Pow => Value::Float(x.powf(y)),
            Equal => Value::Bool(x == y),
            NotEqual => Value::Bool(x != y),
            Less => Value::Bool(x < y),
            LessEqual => Value::Bool(x <= y),
            Greater => Value::Bool(x > y),
            GreaterEqual => Value::Bool(x >= y),
            MatMul | And | Or => return self.error("E0402", at, format!("`{}` of two numbers", sign(op))),
        })
    }

    /// `@`: `[..S, M, K] @ [..S, K, N]`, or `@ [K, N]` for one matrix under all of `..S`.
    fn product(&mut self, left: (Value, Span), right: (Value, Span), at: Span, span: Span) -> Res<Value> {
        let a = self.tensor(&left.0, None, left.1)?;
        let b = self.tensor(&right.0, None, right.1)?;
        let (x, y) = (self.ty(a).clone(), self.ty(b).clone());
        for (ty, place) in [(&x, left.1), (&y, right.1)] {
            if ty.rank() < 2 {
                let d = Diagnostic::error("E0305", at, "a matrix product needs two axes on each side")
                    .label(place, format!("{ty}"))
                    .help("`sum(a * b, axis: -1)` is the product of two vectors");
                return Err(self.fail(d));
            }
        }
        let (inner, rows) = (&x.shape[x.rank() - 1], &y.shape[y.rank() - 2]);
        if !self.agree(&inner.dim, &rows.dim) {
            let factors = super::shape_errors::Factors { left: (&x, left.1), right: (&y, right.1) };
            return Err(self.wrong_product(&factors, at));
        }
        if x.rank() > 2 && y.rank() == 2 && x.dtype == y.dtype {
            // One matrix for all rows: the leading axes are one long axis.
            let lead = x.shape[..x.rank() - 1].iter().fold(Dim::constant(1), |n, s| n.mul(&s.dim));
            let flat = self.reshape(a, vec![lead, inner.dim.clone()], span);
            let out = self.call_primitive("matmul", vec![Value::Tensor(flat), Value::Tensor(b)], span)?;
            let Value::Tensor(out) = out else { return Err(Failed) };
            let mut shape = x.shape[..x.rank() - 1].to_vec();
            shape.push(y.shape[1].clone());
            return Ok(Value::Tensor(self.reshape_to(out, shape, span)));
        }
        let Some(id) = self.program.primitive(word!("matmul")) else { return Err(Failed) };
        self.apply_primitive(
            id,
            vec![Argument::of(Value::Tensor(a), left.1), Argument::of(Value::Tensor(b), right.1)],
            at,
            span,
        )
    }

    /// The same elements in another shape that is known to fit.
    pub fn reshape(&mut self, v: ValueId, dims: Vec<Dim>, span: Span) -> ValueId {
        let shape = dims.into_iter().map(|dim| Axis { dim, origin: Default::default() }).collect();
        self.reshape_to(v, shape, span)
    }

    /// As `reshape`, keeping the history of the axes.
    pub fn reshape_to(&mut self, v: ValueId, shape: Vec<Axis>, span: Span) -> ValueId {
        let ty = self.ty(v).clone();
        if *ty.shape == *shape {
            return v;
        }
        let to = crate::model::Attr::Ints(shape.iter().map(|a| a.dim.clone()).collect());
        let result = TensorType { dtype: ty.dtype, shape: shape.into(), below: ty.below };
        self.primitive(word!("reshape"), vec![(word!("to"), to)], vec![v], result, span)
    }

    /// The shape to which operands are repeated: they line up from the last axis, and a literal 1
    /// stretches at equal rank.
    pub fn common_shape(&mut self, what: &str, operands: &[(ValueId, Span)]) -> Res<Vec<Axis>> {
        let types: Vec<TensorType> = operands.iter().map(|(v, _)| self.ty(*v).clone()).collect();
        let rank = types.iter().map(TensorType::rank).max().unwrap_or(0);
        let one = Dim::constant(1);
        let mut out: Vec<Axis> = Vec::new();
        for i in 0..rank {
            // The operand that decides this axis: the first one whose size is not a literal 1.
            let mut decided: Option<(usize, Axis)> = None;
            for (k, ty) in types.iter().enumerate() {
                let Some(at) = (ty.rank() + i).checked_sub(rank) else { continue };
                let axis = &ty.shape[at];
                match &decided {
                    None => decided = Some((k, axis.clone())),
                    Some((_, d)) if d.dim == one && axis.dim != one => {
                        decided = Some((k, axis.clone()));
                    }
                    Some((_, _)) if axis.dim == one => {}
                    Some((j, d)) if !self.agree(&d.dim, &axis.dim) => {
                        let j = *j;
                        let d = d.clone();
                        return Err(self.wrong_broadcast(what, &types, operands, (j, &d), (k, axis)));
                    }
                    // A mask made on the spot has no history, what it covers has.
                    Some((j, d)) if d.origin == Default::default() => {
                        let known = Axis { dim: d.dim.clone(), origin: axis.origin };
                        decided = Some((*j, known));
                    }
                    Some(_) => {}
                }
            }
            out.extend(decided.map(|(_, axis)| axis));
        }
        self.no_double_stretch(what, &types, operands, &out)?;
        Ok(out)
    }

    /// `[N, 1]` with `[N]`: one side has fewer axes and the other a 1 that would stretch.
    fn no_double_stretch(
        &mut self,
        what: &str,
        types: &[TensorType],
        operands: &[(ValueId, Span)],
        out: &[Axis],
    ) -> Res<()> {
        let one = Dim::constant(1);
        for (i, short) in types.iter().enumerate().filter(|(_, t)| t.rank() > 0 && t.rank() < out.len()) {
            for (k, long) in types.iter().enumerate().filter(|(_, t)| t.rank() > short.rank()) {
                let offset = out.len() - long.rank();
                let stretched = long.shape.iter().zip(&out[offset..]).any(|(a, o)| a.dim == one && o.dim != one);
                if !stretched {
                    continue;
                }
                let (a, b) = (operands[k].1, operands[i].1);
                let whole = out.iter().map(|a| a.dim.to_string()).collect::<Vec<_>>().join(", ");
                let (one_told, other) = (self.quote(a), self.quote(b));
                let at = long.shape.iter().zip(&out[offset..]).position(|(a, o)| a.dim == one && o.dim != one);
                let axis = at.map_or(-1, |i| i as i64 - long.rank() as i64);
                let padded = "1, ".repeat(long.rank() - short.rank());
                let sizes = short.shape.iter().map(|a| a.dim.to_string()).collect::<Vec<_>>().join(", ");
                let paired: Vec<_> = long
                    .shape
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| Some(*i) != at)
                    .map(|(_, a)| a.dim.to_string())
                    .collect();
                let sign = sign_of_primitive(what);
                let d = Diagnostic::error("E0304", b, format!("`{sign}` of {long} and {short} would give [{whole}]"))
                    .says(format!("{short}"))
                    .label(a, format!("{long}: its axis of size 1 would stretch"))
                    .note(format!("element by element: [{}] {sign} [{sizes}]", paired.join(", ")))
                    .note(format!("a table of all pairs: {long} {sign} [{padded}{sizes}], which is [{whole}]"))
                    .help(format!(
                        "for the first write `squeeze({one_told}, axis: {axis})`, for the second `reshape({other}, [{padded}{sizes}])`"
                    ));
                return Err(self.fail(d));
            }
        }
        Ok(())
    }
}

/// What a function of numbers gives on static numbers.
pub(super) fn static_math(name: &str, x: &[f64]) -> Option<f64> {
    Some(match (name, x) {
        ("sqrt", [x]) => x.sqrt(),
        ("exp", [x]) => x.exp(),
        ("log", [x]) => x.ln(),
        ("sin", [x]) => x.sin(),
        ("cos", [x]) => x.cos(),
        ("tanh", [x]) => x.tanh(),
        ("abs", [x]) => x.abs(),
        ("sign", [x]) => {
            if *x == 0.0 {
                0.0
            } else {
                x.signum()
            }
        }
        ("floor", [x]) => x.floor(),
        ("round", [x]) => x.round_ties_even(),
        ("negate", [x]) => -x,
        ("sigmoid", [x]) => 1.0 / (1.0 + (-x).exp()),
        ("maximum", [x, y]) => x.max(*y),
        ("minimum", [x, y]) => x.min(*y),
        ("power", [x, y]) => x.powf(*y),
        ("add", [x, y]) => x + y,
        ("subtract", [x, y]) => x - y,
        ("multiply", [x, y]) => x * y,
        ("divide", [x, y]) => x / y,
        ("remainder", [x, y]) => x.rem_euclid(*y),
        _ => return None,
    })
}
