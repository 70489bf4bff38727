//! What data there is: sources, column kinds, transforms and operators, with their parameters and
//! documentation, and the schema that each gives. Pure: no file is opened here.
//!
//! A row of the tables in this folder is the only declaration of what it names. The checker binds arguments and
//! asks for the schema, the runtime asks for the same typed readings ([`Operator`], [`Column`],
//! [`Tokens`]), and `docs/data.md` is written from the documentation in the rows.

mod bind;
mod columns;
mod condition;
mod drawn;
mod files;
mod operators;
mod reference;
mod synthetic;
mod tables;
#[cfg(test)]
mod tests;
mod tokens;

pub use bind::{bind, find, signature};
pub use columns::{COLUMNS, Column, TRANSFORMS, column};
pub(in crate::check) use condition::written;
pub use condition::{Cell, Condition, condition};
pub use drawn::{DRAWN, Drawn, drawn};
pub use operators::{OPERATORS, Operator, operator};
pub use reference::reference;
pub use tokens::{TOKENS, Tokens, tokens};

use crate::dim::Dim;
use crate::model::{ColumnSpec, FieldSpec, Static};
use crate::types::{DType, TensorType};

/// What is wrong, and what to write instead. Lower case first, no full stop.
pub type Problem = (String, Option<String>);

/// Arguments under the names of their parameters.
pub type Args = Vec<(String, Static)>;

/// The fields that arguments and columns give.
type Fields = fn(&[(String, Static)], &[ColumnSpec]) -> Result<Vec<FieldSpec>, Problem>;

/// What an argument may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number, at least this.
    Int(i64),
    /// A whole number from 1 to this.
    Count(i64),
    /// A number between 0 and 1, neither of them.
    Fraction,
    /// A number from 0.
    Number,
    /// `true` or `false`.
    Bool,
    /// A text.
    Text,
    /// A text of one ASCII character.
    Character,
    /// A list of different texts, at least one.
    Names,
    /// A list of different texts, or a whole number from 1 to this.
    Classes(i64),
    /// A list of whole numbers, each at least 1.
    Sizes,
    /// A list of two of them.
    TwoSizes,
    /// A condition on the fields of a record, read by [`condition`].
    Condition,
    /// A call of one of these, `chars(65)`.
    Call(&'static [Form]),
}

/// What stands where an argument is not given.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// It must be given.
    Required,
    /// Nothing does; the form says what that means.
    Absent,
    /// This number.
    Int(i64),
    /// This number.
    Number(f64),
    /// This truth.
    Bool(bool),
    /// This text.
    Text(&'static str),
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Its default.
    pub default: Default,
    /// What it is for.
    pub doc: &'static str,
}

/// Something written as a call: an operator, a kind of column.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Its name.
    pub name: &'static str,
    /// Its parameters in order.
    pub params: &'static [Param],
    /// What it does.
    pub doc: &'static str,
}

/// What a source asks of one of its columns.
pub type ColumnCheck = fn(&ColumnSpec) -> Result<(), Problem>;

/// Where records come from.
pub struct Source {
    /// Its name.
    pub name: &'static str,
    /// Its parameters in order.
    pub params: &'static [Param],
    /// What it reads and what its fields are.
    pub doc: &'static str,
    /// A declaration that checks.
    pub example: &'static str,
    /// Checks one of the columns that follow in braces; `None` when there are none.
    pub column: Option<ColumnCheck>,
    /// True when the records are pieces of one sequence, so that their order means something.
    pub sequence: bool,
    fields: Fields,
    splits: &'static [&'static str],
}

/// What a data declaration gives.
#[derive(Clone, PartialEq, Debug)]
pub struct Schema {
    /// The fields of one record.
    pub fields: Vec<FieldSpec>,
    /// The names of the parts.
    pub splits: Vec<String>,
    /// True once the records are no longer in the order of the source, each after the one before.
    pub scattered: bool,
    /// True once the records are windows.
    pub windowed: bool,
}

const fn param(name: &'static str, kind: Kind, default: Default, doc: &'static str) -> Param {
    Param { name, kind, default, doc }
}

/// Categories and tokens are i32.
const MOST: i64 = i32::MAX as i64;

/// Every source, by what it reads: arrays and images, rows, nothing at all.
pub static SOURCES: [&[Source]; 3] = [files::SOURCES, tables::SOURCES, synthetic::SOURCES];

/// The source with this name.
pub fn source(name: &str) -> Option<&'static Source> {
    SOURCES.iter().copied().flatten().find(|s| s.name == name)
}

/// The names of all sources.
pub fn names() -> Vec<&'static str> {
    SOURCES.iter().copied().flatten().map(|s| s.name).collect()
}

impl Source {
    /// The schema for arguments that [`bind`] has matched, without operators.
    pub fn schema(&self, args: &[(String, Static)], columns: &[ColumnSpec]) -> Result<Schema, Problem> {
        if self.column.is_none() && !columns.is_empty() {
            return Err((format!("`{}` has fields of its own and takes no columns", self.name), None));
        }
        let fields = (self.fields)(args, columns)?;
        // A source whose records are all of one kind has a test part where a file for it is given.
        let splits = match get(args, "test") {
            Some(Static::Str(_)) => &["train", "test"],
            _ => self.splits,
        };
        let splits = splits.iter().map(|s| s.to_string()).collect();
        Ok(Schema { fields, splits, scattered: false, windowed: false })
    }
}

/// No two columns have one name.
fn distinct(columns: &[ColumnSpec]) -> Result<(), Problem> {
    match columns.iter().enumerate().find(|(i, spec)| columns[..*i].iter().any(|c| c.name == spec.name)) {
        Some((_, spec)) => Err((format!("there are two columns `{}`", spec.name), None)),
        None => Ok(()),
    }
}

/// `image`, bytes of this shape, and `label` below so many.
fn images(shape: &[i64], classes: i64) -> Vec<FieldSpec> {
    vec![field("image", DType::U8, shape, None), field("label", DType::I32, &[], Some(classes))]
}

fn field(name: &str, dtype: DType, shape: &[i64], below: Option<i64>) -> FieldSpec {
    let mut ty = TensorType::new(dtype, shape.iter().copied().map(Dim::constant));
    ty.below = below.map(Dim::constant);
    FieldSpec { name: name.into(), ty }
}

/// The bound argument with this name.
pub fn get<'a>(args: &'a [(String, Static)], name: &str) -> Option<&'a Static> {
    args.iter().find(|(n, _)| n == name).map(|(_, v)| v)
}

/// A bound whole number; 0 where there is none, which [`bind`] rules out.
pub fn int(args: &[(String, Static)], name: &str) -> i64 {
    match get(args, name) {
        Some(Static::Int(n)) => *n,
        _ => 0,
    }
}

/// A bound number; 0 where there is none.
pub fn number(args: &[(String, Static)], name: &str) -> f64 {
    match get(args, name) {
        Some(Static::Float(x)) => *x,
        _ => int(args, name) as f64,
    }
}

/// Bound sizes.
pub fn ints(args: &[(String, Static)], name: &str) -> Vec<i64> {
    let Some(Static::List(items)) = get(args, name) else { return Vec::new() };
    items.iter().filter_map(|v| if let Static::Int(n) = v { Some(*n) } else { None }).collect()
}

/// How many classes a bound list of names or a number says, and the names.
pub fn classes(args: &[(String, Static)], name: &str) -> (i64, Option<Vec<String>>) {
    match get(args, name) {
        Some(Static::Int(n)) => (*n, None),
        Some(list) => {
            let names = texts(list);
            (names.len() as i64, Some(names))
        }
        None => (0, None),
    }
}

fn texts(list: &Static) -> Vec<String> {
    let Static::List(items) = list else { return Vec::new() };
    items.iter().filter_map(|v| if let Static::Str(s) = v { Some(s.clone()) } else { None }).collect()
}

fn listed(names: &[String]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" and ")
}
