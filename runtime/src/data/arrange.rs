//! What operators make of the records of a source: parts, in another order, some of them, windows.

use super::error::DataError;
use super::split::{Field, Records, Rows, Split};
use crate::tensor::Tensor;
use std::sync::Arc;
use tfm_lang::check::sources::{Cell, Condition, Operator, operator};
use tfm_lang::model::Static;

/// What a field of a record holds, as `filter` sees it.
pub(super) type CellOf<'a> = dyn Fn(&str, usize) -> Cell<'a> + 'a;

/// A part while operators are applied.
pub(super) struct Part {
    pub(super) name: String,
    /// Which records or, once there are windows, which windows.
    pub(super) rows: Rows,
    windows: Option<Windows>,
}

/// Windows on records.
#[derive(Clone)]
struct Windows {
    /// The records, in the order of time.
    base: Rows,
    past: usize,
    next: usize,
    stride: usize,
}

impl Part {
    /// All of a source's part.
    pub(super) fn new(name: String, rows: Rows) -> Part {
        Part { name, rows, windows: None }
    }

    /// The records that it is made of.
    pub(super) fn records(&self) -> &Rows {
        self.windows.as_ref().map_or(&self.rows, |w| &w.base)
    }

    /// The part, read from these.
    pub(super) fn split(self, fields: &[Field], records: &Arc<dyn Records>) -> Split {
        let Some(windows) = self.windows else { return Split::new(fields.to_vec(), self.rows, records.clone()) };
        let longer = |prefix: &str, n: usize, f: &Field| Field {
            name: format!("{prefix}.{}", f.name),
            shape: std::iter::once(n).chain(f.shape.iter().copied()).collect(),
            ..f.clone()
        };
        let mut all: Vec<Field> = fields.iter().map(|f| longer("past", windows.past, f)).collect();
        if windows.next > 0 {
            all.extend(fields.iter().map(|f| longer("next", windows.next, f)));
        }
        let inner = WindowsOf { records: records.clone(), windows, fields: fields.len() };
        Split::new(all, self.rows, Arc::new(inner))
    }

    fn with(self, rows: Rows) -> Part {
        Part { rows, ..self }
    }
}

/// What is read through windows.
struct WindowsOf {
    records: Arc<dyn Records>,
    windows: Windows,
    /// How many fields a record has; those of `next` come after those of `past`.
    fields: usize,
}

impl Records for WindowsOf {
    fn read(&self, field: usize, rows: &mut dyn Iterator<Item = usize>, out: &mut Tensor) {
        let w = &self.windows;
        let (offset, length) = if field < self.fields { (0, w.past) } else { (w.past, w.next) };
        let mut inside = rows.flat_map(|i| (0..length).map(move |t| i * w.stride + offset + t)).map(|i| w.base.get(i));
        self.records.read(field % self.fields, &mut inside, out);
    }

    fn kept(&self, blocks: &mut std::collections::BTreeMap<usize, usize>) {
        self.records.kept(blocks);
    }
}

/// Where `split(train)` cuts `n` things: as many of them as are wholly in the first part.
pub(super) fn cut(n: usize, train: f64) -> usize {
    // A product that is whole but for its rounding is that whole number: 0.29 * 100 is 29.
    ((n as f64 * train + 1e-6) as usize).min(n)
}

/// The parts that `split` makes of `n` things.
pub(super) fn cuts(n: usize, train: f64, valid: Option<f64>) -> Vec<(&'static str, std::ops::Range<usize>)> {
    let first = cut(n, train);
    match valid {
        None => vec![("train", 0..first), ("test", first..n)],
        Some(valid) => {
            let second = cut(n, train + valid);
            vec![("train", 0..first), ("valid", first..second), ("test", second..n)]
        }
    }
}

/// What operators make of the parts of a source; `cell` tells `filter` what a record holds.
pub(super) fn arrange(
    parts: Vec<(String, Rows)>,
    operators: &[Operator],
    cell: &CellOf,
) -> Result<Vec<Part>, DataError> {
    let mut parts: Vec<Part> = parts.into_iter().map(|(name, rows)| Part::new(name, rows)).collect();
    for o in operators {
        parts = match o {
            Operator::Split { train, valid } => parts
                .into_iter()
                .flat_map(|p| {
                    let cuts = cuts(p.rows.len(), *train, *valid);
                    cuts.into_iter().map(move |(name, range)| Part::new(name.into(), p.rows.slice(range)))
                })
                .collect(),
            _ => parts.into_iter().map(|p| one(p, o, cell)).collect::<Result<_, _>>()?,
        };
    }
    Ok(parts)
}

/// What operators on a part make of it.
pub(super) fn on_part(mut part: Part, operators: &[Static]) -> Result<Part, DataError> {
    for o in operators {
        let o = operator(o)?;
        if !matches!(o, Operator::Take { .. } | Operator::Skip { .. }) {
            return Err(DataError::new("only `take` and `skip` work on a part of the data"));
        }
        part = one(part, &o, &|_, _| Cell::Number(f64::NAN))?;
    }
    Ok(part)
}

fn one(part: Part, operator: &Operator, cell: &CellOf) -> Result<Part, DataError> {
    let rows = match operator {
        Operator::Shuffle { seed } => part.rows.shuffled(*seed),
        Operator::Take { count } => part.rows.take(*count),
        Operator::Skip { count } => part.rows.skip(*count),
        Operator::Filter { keep } => filtered(&part.rows, keep, cell),
        Operator::Windows { past, next, stride } => {
            let (past, next, stride) = (*past, *next, *stride);
            let Some(room) = part.rows.len().checked_sub(past + next) else {
                let (n, name) = (part.rows.len(), &part.name);
                return Err(DataError::new(format!("`{name}` has {n} records, and a window needs {}", past + next))
                    .help("write shorter windows, or another `split`"));
            };
            let rows = Rows::Range(0..room / stride + 1);
            return Ok(Part { windows: Some(Windows { base: part.rows, past, next, stride }), rows, ..part });
        }
        Operator::Split { .. } => {
            return Err(DataError::new("`split` cuts a whole data set, and this is a part of one"));
        }
    };
    Ok(part.with(rows))
}

fn filtered(rows: &Rows, keep: &Condition, cell: &CellOf) -> Rows {
    Rows::List(rows.iter().filter(|&row| keep.holds(&|name| cell(name, row))).map(|row| row as u32).collect())
}

/// What `filter` sees of records that hold numbers: the fields that its conditions name, read whole.
pub(super) fn numbers_of<'a>(
    operators: &[Operator],
    fields: &[Field],
    records: &dyn Records,
    n: usize,
) -> impl Fn(&str, usize) -> Cell<'a> + 'a + use<'a> {
    let mut names = Vec::new();
    operators.iter().for_each(|o| {
        if let Operator::Filter { keep } = o {
            keep.fields(&mut names);
        }
    });
    let columns: Vec<(String, Vec<f64>)> = fields
        .iter()
        .enumerate()
        .filter(|(_, f)| f.shape.is_empty() && names.contains(&f.name))
        .map(|(i, f)| {
            let mut out = Tensor::zeros(f.dtype, &[n]);
            records.read(i, &mut (0..n), &mut out);
            (f.name.clone(), out.to_f64())
        })
        .collect();
    move |name, row| Cell::Number(columns.iter().find(|(n, _)| n == name).map_or(f64::NAN, |(_, v)| v[row]))
}
