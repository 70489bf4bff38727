//! What is done to the records of a source, in the order of the text.

use super::condition::{Condition, condition};
use super::{Default, Form, Kind, Problem, Schema, Source, bind, get, int, listed, number, param};
use crate::dim::Dim;
use crate::model::{ColumnSpec, FieldSpec, Static};
use crate::types::Axis;

/// What can be done to a data set or a part of one, after `|>`.
pub static OPERATORS: &[Form] = &[
    Form {
        name: "shuffle",
        params: &[param("seed", Kind::Int(0), Default::Int(1), "another seed gives another order")],
        doc: "The records in another order, once, before what follows. Not for a text, whose order is its meaning. \
              Training sees a new order in each epoch without it.",
    },
    Form {
        name: "split",
        params: &[
            param("train", Kind::Fraction, Default::Required, "the part that is for training"),
            param("valid", Kind::Fraction, Default::Absent, "the part that is for choosing between models"),
        ],
        doc: "Two parts: `train`, the first so many of the records, and `test`, the others. With `split(0.8, valid: \
              0.1)` three: `train`, then `valid`, and `test`, what is left.",
    },
    Form {
        name: "take",
        params: &[param("count", Kind::Count(i64::MAX), Default::Required, "how many")],
        doc: "The first so many examples of each part, or all where there are fewer.",
    },
    Form {
        name: "skip",
        params: &[param("count", Kind::Count(i64::MAX), Default::Required, "how many")],
        doc: "Without the first so many examples of each part.",
    },
    Form {
        name: "filter",
        params: &[param("keep", Kind::Condition, Default::Required, "a condition on the fields of a record")],
        doc: "The records for which a condition holds, as in `filter(age >= 18 and work != \"Never-worked\")`. It \
              compares the fields of one number, as they stand in the file before any transform, and categories by \
              their texts; with a missing number only `!=` holds.",
    },
    Form {
        name: "windows",
        params: &[
            param("past", Kind::Count(1 << 24), Default::Required, "how many records a window has"),
            param("next", Kind::Count(1 << 24), Default::Absent, "how many records after them are to be foreseen"),
            param("stride", Kind::Count(1 << 24), Default::Int(1), "a window begins at every so many records"),
        ],
        doc: "Records in the order of time as windows: the fields are written `past.x`, with a leading axis of `past` \
              records, and `next.x`, the `next` records after those. It stands after `split`, which cuts by time, \
              and no window reaches over the cut.",
    },
];

/// An operator, read.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Operator {
    Shuffle { seed: u64 },
    Split { train: f64, valid: Option<f64> },
    Take { count: usize },
    Skip { count: usize },
    Filter { keep: Condition },
    Windows { past: usize, next: usize, stride: usize },
}

/// Reads `shuffle(seed: 1)`, `split(0.9)`, `take(240)`.
pub fn operator(value: &Static) -> Result<Operator, Problem> {
    let (form, args) = bind::call("data operator", OPERATORS, value)?;
    let count = |name: &str| int(&args, name) as usize;
    Ok(match form.name {
        "shuffle" => Operator::Shuffle { seed: int(&args, "seed") as u64 },
        "split" => {
            let (train, valid) = (number(&args, "train"), get(&args, "valid").map(|_| number(&args, "valid")));
            if train + valid.unwrap_or(0.0) > 1.0 - 1e-9 {
                let message =
                    format!("`split` leaves nothing for `test`: {train} and {} are all", valid.unwrap_or(0.0));
                return Err((message, Some("write `split(0.8, valid: 0.1)`; `test` is what is left".into())));
            }
            Operator::Split { train, valid }
        }
        "take" => Operator::Take { count: count("count") },
        "skip" => Operator::Skip { count: count("count") },
        "filter" => Operator::Filter { keep: condition(get(&args, "keep"))? },
        _ => Operator::Windows { past: count("past"), next: count("next"), stride: count("stride") },
    })
}

impl Source {
    /// What an operator after the source makes of its schema.
    pub fn apply(&self, schema: Schema, operator: &Operator, columns: &[ColumnSpec]) -> Result<Schema, Problem> {
        let whole = schema.splits == ["all"];
        match operator {
            Operator::Shuffle { .. } if self.sequence => Err((
                format!("`shuffle` would tear the sequence of `{}` apart", self.name),
                Some("leave it out: training sees the examples in a new order each epoch anyway".into()),
            )),
            Operator::Split { .. } if !whole => Err((
                format!("this data has the parts {} already", listed(&schema.splits)),
                Some("leave `split` out".into()),
            )),
            Operator::Split { .. } if schema.windowed => Err((
                "`split` after `windows` would give records to both parts".into(),
                Some("write `split` before `windows`: it cuts by time, and no window reaches over the cut".into()),
            )),
            Operator::Split { valid, .. } => {
                let names: &[&str] = if valid.is_some() { &["train", "valid", "test"] } else { &["train", "test"] };
                Ok(Schema { splits: names.iter().map(|s| s.to_string()).collect(), ..schema })
            }
            Operator::Take { .. } | Operator::Skip { .. } if self.sequence && whole => Err((
                "this counts the examples of a part, and this text has no parts yet".into(),
                Some("write `split` first, or take from a part, as in `words.train |> take(1000)`".into()),
            )),
            Operator::Filter { .. } if self.sequence || schema.windowed => Err((
                "`filter` looks at one record, and these are pieces of a sequence".into(),
                Some("leave it out, or write it where the rows are still single ones".into()),
            )),
            Operator::Filter { keep } => {
                keep.check(&schema.fields, columns)?;
                Ok(Schema { scattered: true, ..schema })
            }
            Operator::Windows { .. } if self.sequence => {
                Err((format!("`{}` gives windows already", self.name), Some("say their length with `block`".into())))
            }
            Operator::Windows { .. } if schema.windowed => Err(("these records are windows already".into(), None)),
            Operator::Windows { .. } if schema.scattered => Err((
                "`windows` needs the records in the order of time, and they are shuffled or filtered before it".into(),
                Some("leave that out: training sees the windows in a new order each epoch anyway".into()),
            )),
            Operator::Windows { past, next, .. } => {
                let fields = windowed(&schema.fields, *past, *next);
                Ok(Schema { fields, windowed: true, ..schema })
            }
            Operator::Shuffle { .. } => Ok(Schema { scattered: true, ..schema }),
            Operator::Take { .. } | Operator::Skip { .. } => Ok(schema),
        }
    }
}

/// `past.x` and `next.x` for each `x`.
fn windowed(fields: &[FieldSpec], past: usize, next: usize) -> Vec<FieldSpec> {
    let longer = |prefix: &str, f: &FieldSpec, n: usize| {
        let mut ty = f.ty.clone();
        ty.shape = ty.shape.with(0, Axis { dim: Dim::constant(n as i64), origin: crate::types::OriginId::default() });
        FieldSpec { name: format!("{prefix}.{}", f.name), ty }
    };
    let all = |prefix, n| fields.iter().map(move |f| longer(prefix, f, n));
    match next {
        0 => all("past", past).collect(),
        _ => all("past", past).chain(all("next", next)).collect(),
    }
}
