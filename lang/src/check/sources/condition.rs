//! Conditions on the fields of a record: `filter(age >= 18 and work != "Private")`.

use super::columns::{Column, column};
use super::{Problem, bind};
use crate::model::{ColumnSpec, FieldSpec, Static};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, UnaryOp};

/// An operator in a condition, with the word that stands for it in a [`Static`].
const WORDS: [(BinaryOp, &str); 13] = [
    (BinaryOp::Or, "or"),
    (BinaryOp::And, "and"),
    (BinaryOp::Equal, "=="),
    (BinaryOp::NotEqual, "!="),
    (BinaryOp::Less, "<"),
    (BinaryOp::LessEqual, "<="),
    (BinaryOp::Greater, ">"),
    (BinaryOp::GreaterEqual, ">="),
    (BinaryOp::Add, "+"),
    (BinaryOp::Sub, "-"),
    (BinaryOp::Mul, "*"),
    (BinaryOp::Div, "/"),
    (BinaryOp::Rem, "%"),
];

/// A condition, or a part of one.
#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// A field of the record.
    Field(String),
    /// `not a`
    Not(Box<Condition>),
    /// Two parts with an operator between them; no `@` and no `^`.
    Binary(BinaryOp, Box<Condition>, Box<Condition>),
}

/// What a field of a record holds.
#[derive(Clone, PartialEq, Debug)]
pub enum Cell<'a> {
    /// A number; NaN where it is missing.
    Number(f64),
    /// A text.
    Text(&'a str),
}

/// What a part of a condition is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sort {
    Number,
    Text,
    Truth,
}

/// A condition as data, as [`condition`] reads it; `Err` is the part that does not belong in one.
pub(in crate::check) fn written<'a>(e: &'a Expr) -> Result<Static, &'a Expr> {
    let of = |word: &str, parts: &[&'a Expr]| {
        let parts = parts.iter().map(|p| Ok((String::new(), written(p)?))).collect::<Result<_, _>>()?;
        Ok(Static::Call(word.into(), parts))
    };
    match &*e.kind {
        ExprKind::Int(n) => Ok(Static::Int(*n)),
        ExprKind::Float(x) => Ok(Static::Float(*x)),
        ExprKind::Str(s) => Ok(Static::Str(s.clone())),
        ExprKind::Bool(b) => Ok(Static::Bool(*b)),
        ExprKind::Name(name) => Ok(Static::Call(name.to_string(), Vec::new())),
        ExprKind::Unary(UnaryOp::Not, inner) => of("not", &[inner]),
        ExprKind::Unary(UnaryOp::Neg, inner) => match &*inner.kind {
            ExprKind::Int(n) => Ok(Static::Int(n.wrapping_neg())),
            ExprKind::Float(x) => Ok(Static::Float(-x)),
            _ => Err(e),
        },
        ExprKind::Binary(op, _, lhs, rhs) => match WORDS.iter().find(|(o, _)| o == op) {
            Some((_, word)) => of(word, &[lhs, rhs]),
            None => Err(e),
        },
        _ => Err(e),
    }
}

/// Reads a condition.
pub fn condition(value: Option<&Static>) -> Result<Condition, Problem> {
    Ok(match value {
        Some(Static::Int(n)) => Condition::Number(*n as f64),
        Some(Static::Float(x)) => Condition::Number(*x),
        Some(Static::Bool(b)) => Condition::Number(f64::from(u8::from(*b))),
        Some(Static::Str(s)) => Condition::Text(s.clone()),
        Some(Static::Call(word, parts)) => match parts.as_slice() {
            [] => Condition::Field(word.clone()),
            [(_, inner)] if word == "not" => Condition::Not(Box::new(condition(Some(inner))?)),
            [(_, lhs), (_, rhs)] if WORDS.iter().any(|(_, w)| w == word) => {
                let op = WORDS.iter().find(|(_, w)| w == word).map_or(BinaryOp::Or, |(op, _)| *op);
                Condition::Binary(op, Box::new(condition(Some(lhs))?), Box::new(condition(Some(rhs))?))
            }
            _ => return Err((format!("`{word}(…)` does not belong in a condition"), None)),
        },
        _ => return Err(("this is no condition".into(), Some("write one as in `filter(age >= 18)`".into()))),
    })
}

impl Condition {
    /// Checks names, sorts and texts.
    pub(super) fn check(&self, fields: &[FieldSpec], columns: &[ColumnSpec]) -> Result<(), Problem> {
        match self.sort(fields, columns)? {
            Sort::Truth => Ok(()),
            _ => Err((
                "`filter` needs something that is true or false".into(),
                Some("compare with `==`, `<` or the like, as in `filter(age >= 18)`".into()),
            )),
        }
    }

    fn sort(&self, fields: &[FieldSpec], columns: &[ColumnSpec]) -> Result<Sort, Problem> {
        let sort = |c: &Condition| c.sort(fields, columns);
        match self {
            Condition::Number(_) => Ok(Sort::Number),
            Condition::Text(_) => Ok(Sort::Text),
            Condition::Field(name) => field_sort(name, fields, columns),
            Condition::Not(inner) => match sort(inner)? {
                Sort::Truth => Ok(Sort::Truth),
                _ => Err(("`not` needs something that is true or false".into(), None)),
            },
            Condition::Binary(op, lhs, rhs) => {
                let (a, b) = (sort(lhs)?, sort(rhs)?);
                let word = WORDS.iter().find(|(o, _)| o == op).map_or("?", |(_, w)| w);
                match op {
                    BinaryOp::Or | BinaryOp::And if a == Sort::Truth && b == Sort::Truth => Ok(Sort::Truth),
                    BinaryOp::Or | BinaryOp::And => {
                        Err((format!("`{word}` needs something that is true or false on both sides"), None))
                    }
                    BinaryOp::Equal | BinaryOp::NotEqual if a == Sort::Text && b == Sort::Text => {
                        known_text(lhs, rhs, columns)?;
                        known_text(rhs, lhs, columns)?;
                        Ok(Sort::Truth)
                    }
                    _ if a != Sort::Number || b != Sort::Number => Err((
                        format!("`{word}` does not go between these"),
                        Some(
                            "numbers are compared with numbers; categories of texts with texts, by `==` and `!=`"
                                .into(),
                        ),
                    )),
                    BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => Ok(Sort::Number),
                    _ => Ok(Sort::Truth),
                }
            }
        }
    }

    /// Adds the names of the fields that it looks at.
    pub fn fields(&self, names: &mut Vec<String>) {
        match self {
            Condition::Field(name) => names.push(name.clone()),
            Condition::Not(inner) => inner.fields(names),
            Condition::Binary(_, lhs, rhs) => {
                lhs.fields(names);
                rhs.fields(names);
            }
            Condition::Number(_) | Condition::Text(_) => {}
        }
    }

    /// Whether it holds for a record.
    pub fn holds<'a>(&self, cell: &dyn Fn(&str) -> Cell<'a>) -> bool {
        match self {
            Condition::Not(inner) => !inner.holds(cell),
            Condition::Binary(BinaryOp::Or, lhs, rhs) => lhs.holds(cell) || rhs.holds(cell),
            Condition::Binary(BinaryOp::And, lhs, rhs) => lhs.holds(cell) && rhs.holds(cell),
            Condition::Binary(op, lhs, rhs) => match (lhs.value(cell), rhs.value(cell)) {
                (Value::Text(a), Value::Text(b)) => (a == b) == (*op == BinaryOp::Equal),
                (Value::Number(a), Value::Number(b)) => match op {
                    BinaryOp::Equal => a == b,
                    BinaryOp::NotEqual => a != b,
                    BinaryOp::Less => a < b,
                    BinaryOp::LessEqual => a <= b,
                    BinaryOp::Greater => a > b,
                    _ => a >= b,
                },
                _ => false,
            },
            _ => false,
        }
    }

    fn value<'a>(&self, cell: &dyn Fn(&str) -> Cell<'a>) -> Value {
        match self {
            Condition::Number(x) => Value::Number(*x),
            Condition::Text(s) => Value::Text(s.clone()),
            Condition::Field(name) => match cell(name) {
                Cell::Number(x) => Value::Number(x),
                Cell::Text(s) => Value::Text(s.to_string()),
            },
            Condition::Not(_) => Value::Number(f64::NAN),
            Condition::Binary(op, lhs, rhs) => match (lhs.value(cell), rhs.value(cell)) {
                (Value::Number(a), Value::Number(b)) => Value::Number(match op {
                    BinaryOp::Add => a + b,
                    BinaryOp::Sub => a - b,
                    BinaryOp::Mul => a * b,
                    BinaryOp::Div => a / b,
                    BinaryOp::Rem => a - b * (a / b).floor(),
                    _ => f64::NAN,
                }),
                _ => Value::Number(f64::NAN),
            },
        }
    }
}

enum Value {
    Number(f64),
    Text(String),
}

fn field_sort(name: &str, fields: &[FieldSpec], columns: &[ColumnSpec]) -> Result<Sort, Problem> {
    let Some(field) = fields.iter().find(|f| f.name == name) else {
        if columns.iter().any(|c| c.name == name) {
            return Err((format!("`{name}` is skipped, and `filter` sees what is read"), None));
        }
        return Err(bind::unknown("field", name, fields.iter().map(|f| f.name.as_str())));
    };
    if field.ty.rank() > 0 {
        return Err((
            format!("`{name}` is {}, and `filter` compares single numbers and texts", field.ty),
            Some("name a field of one number, or a category".into()),
        ));
    }
    let spec = columns.iter().find(|c| c.name == name);
    Ok(match spec.and_then(|c| column(c).ok()) {
        Some(Column::Names { .. } | Column::Hash(_)) => Sort::Text,
        _ => Sort::Number,
    })
}

/// A text that is compared with a category of names is one of them.
fn known_text(field: &Condition, text: &Condition, columns: &[ColumnSpec]) -> Result<(), Problem> {
    let (Condition::Field(name), Condition::Text(text)) = (field, text) else { return Ok(()) };
    let spec = columns.iter().find(|c| c.name == *name);
    match spec.and_then(|c| column(c).ok()) {
        Some(Column::Names { names, .. }) if !names.contains(text) => {
            let (_, help) = bind::unknown("name", text, names.iter().map(String::as_str));
            Err((format!("`{name}` is never {text:?}"), help))
        }
        _ => Ok(()),
    }
}
