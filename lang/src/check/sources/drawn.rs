//! The columns of `random`: numbers drawn by a generator, by kind and shape.

use super::columns::few_numbers;
use super::{Args, Default, Form, Kind, MOST, Problem, bind, distinct, field, int, ints, param};
use crate::model::{ColumnSpec, FieldSpec};
use crate::types::DType;

/// What a column of `random` can be.
pub static DRAWN: &[Form] = &[
    Form {
        name: "normal",
        params: &[SHAPE],
        doc: "f32, normal with mean 0 and deviation 1 (the sum of four even numbers, so within 3.5).",
    },
    Form { name: "uniform", params: &[SHAPE], doc: "f32, even from 0 up to 1." },
    Form {
        name: "below",
        params: &[param("count", Kind::Count(MOST), Default::Required, "how many different numbers there are"), SHAPE],
        doc: "i32, whole numbers from 0 up to `count`, each as often: labels and tokens.",
    },
];

const SHAPE: super::Param = param(
    "shape",
    Kind::Sizes,
    Default::Absent,
    "the sizes of one record's value, `[1, 28, 28]`; one number if absent",
);

/// A column of `random`, read.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Drawn {
    Normal { shape: Vec<i64> },
    Uniform { shape: Vec<i64> },
    Below { count: i64, shape: Vec<i64> },
}

/// Reads the kind of a column, `normal([784])`.
pub fn drawn(spec: &ColumnSpec) -> Result<Drawn, Problem> {
    if let Some(t) = spec.transforms.first() {
        return Err((format!("`{t}` is for columns of files; the numbers of `random` stay as drawn"), None));
    }
    let (form, args): (_, Args) = bind::call("kind of random column", DRAWN, &spec.kind)?;
    let shape = ints(&args, "shape");
    few_numbers(&spec.name, &shape)?;
    Ok(match form.name {
        "normal" => Drawn::Normal { shape },
        "uniform" => Drawn::Uniform { shape },
        _ => Drawn::Below { count: int(&args, "count"), shape },
    })
}

/// The fields of these columns.
pub(super) fn fields(columns: &[ColumnSpec]) -> Result<Vec<FieldSpec>, Problem> {
    distinct(columns)?;
    if columns.is_empty() {
        let help = "write them in braces after it, `random(2048) { x: normal([784])  y: below(10) }`";
        return Err(("`random` needs columns".into(), Some(help.into())));
    }
    let one = |spec: &ColumnSpec| {
        Ok(match drawn(spec)? {
            Drawn::Normal { shape } | Drawn::Uniform { shape } => field(&spec.name, DType::F32, &shape, None),
            Drawn::Below { count, shape } => field(&spec.name, DType::I32, &shape, Some(count)),
        })
    };
    columns.iter().map(one).collect()
}
