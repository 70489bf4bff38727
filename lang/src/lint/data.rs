//! What is known of data before it is read: ranges of fields, which are classes, and how many records there are.

use super::facts::{Fact, Zero};
use crate::check::sources::{Operator, operator};
use crate::model::{ColumnSpec, DataRef, DataSpec, FieldSpec, Static};
use crate::types::DType;

/// What is known of a field.
pub struct FieldFacts {
    /// Its name.
    pub name: String,
    /// Its range and what it is.
    pub fact: Fact,
}

/// The sources whose fields `label`, `tokens` and `next` are classes.
const LABELLED: [&str; 10] =
    ["mnist", "cifar10", "idx", "images", "drawn_digits", "drawn_shapes", "wav", "text", "lines", "synthetic.blobs"];

/// The fields of a data declaration.
pub fn fields(spec: &DataSpec) -> Vec<FieldFacts> {
    let of = |prefix: &str, spec: &DataSpec, f: &FieldSpec| {
        let name = format!("{prefix}{}", f.name);
        let column = spec.columns.iter().find(|c| f.name == c.name || f.name.ends_with(&format!(".{}", c.name)));
        let mut fact = of_field(spec, column, f);
        fact.fields = [name.clone()].into();
        for set in [&mut fact.plain, &mut fact.numbered] {
            if !set.is_empty() {
                *set = [name.clone()].into();
            }
        }
        FieldFacts { name, fact }
    };
    if spec.zipped.is_empty() {
        return spec.fields.iter().map(|f| of("", spec, f)).collect();
    }
    let zipped = spec.zipped.iter();
    zipped.flat_map(|z| z.data.fields.iter().map(move |f| of(&format!("{}.", z.name), &z.data, f))).collect()
}

/// Whether a field is the number of a class, a category, a word.
pub fn is_class(spec: &DataSpec, column: Option<&ColumnSpec>, field: &FieldSpec) -> bool {
    match column.map(|c| &c.kind) {
        Some(Static::Call(kind, _)) => ["category", "label", "words", "chars"].contains(&kind.as_str()),
        _ => LABELLED.contains(&spec.source.as_str()) && ["label", "tokens", "next"].contains(&field.name.as_str()),
    }
}

/// Whether a field is what a classification is to tell.
pub fn is_label(spec: &DataSpec, name: &str) -> bool {
    let column = spec.columns.iter().find(|c| c.name == name);
    match column.map(|c| &c.kind) {
        Some(Static::Call(kind, _)) => kind == "label",
        _ => LABELLED.contains(&spec.source.as_str()) && name == "label",
    }
}

fn of_field(spec: &DataSpec, column: Option<&ColumnSpec>, field: &FieldSpec) -> Fact {
    if let Some(below) = &field.ty.below {
        let high = below.as_constant().map_or(f64::INFINITY, |n| n as f64 - 1.0);
        let class = is_class(spec, column, field);
        // Of two, one is 0 and the other 1: as good as any numbers.
        let numbered = if class && high > 1.0 { [field.name.clone()].into() } else { Default::default() };
        return Fact { class, numbered, ..Fact::range(0.0, high) };
    }
    match field.ty.dtype {
        DType::U8 => return Fact::range(0.0, 255.0),
        DType::I8 => return Fact::range(-128.0, 127.0),
        DType::Bool => return Fact { sure: false, zero: Zero::Unknown, ..Fact::range(0.0, 1.0) },
        _ => {}
    }
    if spec.source == "wav" && field.name == "wave" {
        return Fact::range(-1.0, 1.0);
    }
    let Some(column) = column else { return Fact::unknown() };
    if spec.source == "random" {
        return match &column.kind {
            Static::Call(kind, _) if kind == "uniform" => Fact::range(0.0, 1.0),
            _ => Fact::range(f64::NEG_INFINITY, f64::INFINITY),
        };
    }
    let table = ["csv", "jsonl", "parquet"].contains(&spec.source.as_str());
    match column.transforms.last().map(String::as_str) {
        Some("standardize") => Fact { sure: true, ..Fact::unknown() },
        Some("normalize") => Fact::range(0.0, 1.0),
        Some(_) => Fact::unknown(),
        None if table => Fact { plain: [field.name.clone()].into(), ..Fact::unknown() },
        None => Fact::unknown(),
    }
}

/// A whole number among the arguments of a source.
fn argument(spec: &DataSpec, name: &str) -> Option<f64> {
    spec.args.iter().find(|(n, _)| n == name).and_then(|(_, v)| match v {
        Static::Int(n) => Some(*n as f64),
        Static::Float(x) => Some(*x),
        _ => None,
    })
}

/// How many records a part has, where the declaration says so.
pub fn count(spec: &DataSpec, part: &DataRef) -> Option<f64> {
    let name = spec.splits.get(part.split)?.as_str();
    let pair = |train: f64, test: f64| match name {
        "train" => Some(train),
        "test" => Some(test),
        _ => None,
    };
    let mut own = spec.operators.iter().filter_map(|o| operator(o).ok());
    let mut n = match spec.source.as_str() {
        "mnist" => pair(60_000.0, 10_000.0)?,
        "cifar10" => pair(50_000.0, 10_000.0)?,
        "drawn_digits" | "drawn_shapes" => argument(spec, name)?,
        "random" | "synthetic.clicks" | "synthetic.blobs" | "synthetic.sequences" | "synthetic.reversed" => {
            argument(spec, "examples").or_else(|| argument(spec, "records"))?
        }
        _ => return None,
    };
    let further = part.operators.iter().filter_map(|o| operator(o).ok());
    for step in own.by_ref().chain(further) {
        n = match step {
            Operator::Shuffle { .. } => n,
            Operator::Split { train, valid } => match name {
                "train" => cut(n, train),
                "valid" => cut(n, train + valid.unwrap_or(0.0)) - cut(n, train),
                _ => n - cut(n, train + valid.unwrap_or(0.0)),
            },
            Operator::Take { count } => n.min(count as f64),
            Operator::Skip { count } => (n - count as f64).max(0.0),
            Operator::Filter { .. } | Operator::Windows { .. } => return None,
        };
    }
    Some(n)
}

/// The records that lie wholly in the first part, as the runtime cuts.
fn cut(n: f64, part: f64) -> f64 {
    (n * part + 1e-6).floor()
}
