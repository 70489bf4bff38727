//! What the Model says of data: declarations, their fields and parts.

use crate::source::Span;
use crate::types::TensorType;

/// A static value as data: an argument of a source, a setting.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Static {
    Int(i64),
    Float(f64),
    Bool(bool),
    Str(String),
    Duration(f64, crate::syntax::ast::Unit),
    List(Vec<Static>),
    /// `chars(65)`, `category(hash: 16)`: a word with arguments (the name is empty when positional).
    Call(String, Vec<(String, Static)>),
}

/// A data declaration.
#[derive(Clone, PartialEq, Debug)]
pub struct DataSpec {
    /// Its name.
    pub name: String,
    /// The source: `csv`, `mnist`, `text`.
    pub source: String,
    /// Its arguments, positional ones under the names of the source's parameters, defaults filled in.
    pub args: Vec<(String, Static)>,
    /// The columns of a table, in the order of the file where it has no header.
    pub columns: Vec<ColumnSpec>,
    /// `shuffle`, `split`, `take` and the like, in order.
    pub operators: Vec<Static>,
    /// What a record has; shapes of one record, without the batch.
    pub fields: Vec<FieldSpec>,
    /// The names of the parts: `train`, `test`.
    pub splits: Vec<String>,
    /// For `zip`, what it joins; empty for every other source.
    pub zipped: Vec<Zipped>,
    /// The declaration.
    pub span: Span,
}

/// One of the parts that `zip(a: x.train, b: y.train)` joins.
#[derive(Clone, PartialEq, Debug)]
pub struct Zipped {
    /// What its fields are written under: `a`.
    pub name: String,
    /// The data it is of.
    pub data: DataSpec,
    /// The part; index into the data's `splits`.
    pub split: usize,
    /// What is applied to it.
    pub operators: Vec<Static>,
}

/// A column of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnSpec {
    /// Its name.
    pub name: String,
    /// `f32`, `skip`, `category(hash: 16)`, `label(["a", "b"])`: always a [`Static::Call`].
    pub kind: Static,
    /// `standardize`, `log1p`: what is applied, in order.
    pub transforms: Vec<String>,
    /// Its place.
    pub span: Span,
}

/// A field of a record.
#[derive(Clone, PartialEq, Debug)]
pub struct FieldSpec {
    /// Its name.
    pub name: String,
    /// Its type for one record; `below` where it has a bound. The sizes are numbers.
    pub ty: TensorType,
}

/// A part of a data set, `digits.test |> take(240)`.
#[derive(Clone, PartialEq, Debug)]
pub struct DataRef {
    /// Index into `Model::data`.
    pub data: usize,
    /// The part; index into [`DataSpec::splits`].
    pub split: usize,
    /// What is applied to it.
    pub operators: Vec<Static>,
}
