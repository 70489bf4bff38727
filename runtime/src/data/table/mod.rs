//! Rows of cells: what the columns of a table become, with what the training part taught.
//!
//! A form of file is a function that pushes rows, [`Read`]; everything else is the same for all of them.

mod categories;
mod cells;
mod csv;
mod json;
mod lines;
mod numpy;
mod origin;
mod parquet;
mod tokens;
mod transform;

use super::arrange::arrange;
use super::error::DataError;
use super::learned::Learned;
use super::open::{Opened, Opening};
use super::pictures;
use super::split::{Columns, InMemory, Records, Rows, Split, with_fields};
use crate::tensor::{Element, Tensor};
use cells::{Cells, ColumnReader};
use origin::Origin;
use std::path::Path;
use std::sync::Arc;
use tfm_lang::check::sources::{Cell, Column};
use tfm_lang::types::DType;
use transform::Transforming;

/// Pushes the rows of a file; labels may be missing where it is to be predicted.
type Read = fn(&Opening, &Path, &mut Table, bool) -> Result<(), DataError>;

/// The file of `csv`.
pub(super) fn open_csv(o: &Opening) -> Result<Opened, DataError> {
    open(o, csv::read)
}

/// A user's file in the form of `csv`.
pub(super) fn given_csv(o: &Opening, path: &Path) -> Result<Split, DataError> {
    given(o, path, csv::read)
}

/// The file of `jsonl`.
pub(super) fn open_json(o: &Opening) -> Result<Opened, DataError> {
    open(o, json::read)
}

/// A user's file in the form of `jsonl`.
pub(super) fn given_json(o: &Opening, path: &Path) -> Result<Split, DataError> {
    given(o, path, json::read)
}

/// The file of `parquet`.
pub(super) fn open_parquet(o: &Opening) -> Result<Opened, DataError> {
    open(o, parquet::read)
}

/// A user's file in the form of `parquet`.
pub(super) fn given_parquet(o: &Opening, path: &Path) -> Result<Split, DataError> {
    given(o, path, parquet::read)
}

/// The file of `lines`.
pub(super) fn open_lines(o: &Opening) -> Result<Opened, DataError> {
    open(o, lines::read)
}

/// A user's file in the form of `lines`.
pub(super) fn given_lines(o: &Opening, path: &Path) -> Result<Split, DataError> {
    given(o, path, lines::read)
}

/// The arrays of `npy`.
pub(super) fn open_numpy(o: &Opening) -> Result<Opened, DataError> {
    open(o, numpy::read)
}

/// A user's arrays in the form of `npy`.
pub(super) fn given_numpy(o: &Opening, path: &Path) -> Result<Split, DataError> {
    given(o, path, numpy::read)
}

fn open(o: &Opening, read: Read) -> Result<Opened, DataError> {
    let mut table = Table::new(o)?;
    table.file(o, &o.path("path")?, read, false)?;
    let n = table.len();
    let parts = match o.text("test") {
        "" => vec![("all".into(), Rows::Range(0..n))],
        _ => {
            table.file(o, &o.path("test")?, read, false)?;
            vec![("train".into(), Rows::Range(0..n)), ("test".into(), Rows::Range(n..table.len()))]
        }
    };
    let parts = arrange(parts, &o.operators, &|name, row| table.cell(name, row))?;
    let (columns, learned) = table.finish(Some(parts[0].records()), o.learned)?;
    let (fields, columns) = with_fields(columns);
    let records: Arc<dyn Records> = Arc::new(InMemory(columns));
    Ok((parts.into_iter().map(|p| (p.name.clone(), p.split(&fields, &records))).collect(), learned))
}

fn given(o: &Opening, path: &Path, read: Read) -> Result<Split, DataError> {
    let mut table = Table::new(o)?;
    table.file(o, path, read, true)?;
    Ok(Split::of_columns(table.finish(None, o.learned)?.0))
}

/// A table while it is read.
struct Table<'a> {
    columns: Vec<ColumnReader<'a>>,
    origin: Origin,
}

impl<'a> Table<'a> {
    fn new(o: &Opening<'a>) -> Result<Table<'a>, DataError> {
        let columns = o.spec.columns.iter().map(ColumnReader::new).collect::<Result<_, _>>()?;
        Ok(Table { columns, origin: Origin::default() })
    }

    /// Adds the rows of a file.
    fn file(&mut self, o: &Opening<'a>, path: &Path, read: Read, predict: bool) -> Result<(), DataError> {
        let before = self.len();
        self.origin.begin(path);
        read(o, path, self, predict)?;
        match self.len() > before {
            true => Ok(()),
            false => Err(DataError::of(path, "there are no rows in it")),
        }
    }

    fn len(&self) -> usize {
        self.origin.len()
    }

    /// What a field of a row holds before any transform.
    fn cell(&self, name: &str, row: usize) -> Cell<'_> {
        self.columns.iter().find(|c| c.spec.name == name).map_or(Cell::Number(f64::NAN), |c| c.cell(row))
    }

    /// The columns as tensors, with what `rows` teach, or with what was learned before.
    fn finish(self, rows: Option<&Rows>, before: Option<&Learned>) -> Result<(Columns, Learned), DataError> {
        let (mut columns, mut learned) = (Vec::new(), Learned::default());
        let n = self.len();
        for ColumnReader { spec, kind, cells } in self.columns {
            let name = &spec.name;
            let tensor = match (kind, cells) {
                (Column::Number { dtype, shape }, Cells::Fractions(mut values)) => {
                    let here = Transforming { origin: &self.origin, spec, rows };
                    here.transform(&mut values, before, &mut learned)?;
                    match dtype {
                        DType::F32 => as_tensor(&sizes(n, &shape), &values, |x| x as f32),
                        _ => Tensor::of(&sizes(n, &shape), &values),
                    }
                }
                (Column::Number { dtype, shape }, Cells::Wholes(values)) => {
                    let shape = sizes(n, &shape);
                    match dtype {
                        DType::I32 => as_tensor(&shape, &values, |x| x as i32),
                        DType::I8 => as_tensor(&shape, &values, |x| x as i8),
                        DType::U8 => as_tensor(&shape, &values, |x| x as u8),
                        DType::Bool => as_tensor(&shape, &values, |x| x != 0),
                        _ => Tensor::of(&shape, &values),
                    }
                }
                (Column::Number { dtype, shape }, Cells::Bytes(bytes)) => {
                    let mut tensor = Tensor::zeros(dtype, &sizes(n, &shape));
                    tensor.bytes_mut().copy_from_slice(&bytes);
                    tensor
                }
                (Column::Hash(size), Cells::Texts(texts)) => {
                    let known = before.and_then(|l| l.categories.get(name));
                    let moved = match (known, rows) {
                        (Some(known), _) => categories::checked(name, size, known)?.clone(),
                        (None, Some(rows)) => texts.learn(size, rows),
                        (None, None) => return Err(learned_nothing(name)),
                    };
                    let codes = texts.codes(size, &moved);
                    learned.categories.insert(name.clone(), moved);
                    Tensor::of(&[n], &codes)
                }
                (Column::Tokens { tokens, length, marks }, Cells::Strings(texts)) => {
                    let kind = tokens::Kind { name, tokens, length: length as usize, marks };
                    let vocabulary = match (before.and_then(|l| l.vocabularies.get(name)), rows) {
                        (Some(known), _) => kind.checked(known)?.clone(),
                        (None, Some(rows)) => kind.learn(&texts, rows, &self.origin)?,
                        (None, None) => return Err(learned_nothing(name)),
                    };
                    let codes = kind.codes(&texts, &vocabulary);
                    learned.vocabularies.insert(name.clone(), vocabulary);
                    Tensor::of(&[n, kind.length], &codes)
                }
                (Column::Image { shape }, Cells::Strings(paths)) => {
                    let shape = shape.map(|n| n as usize);
                    let files: Vec<_> = paths.iter().enumerate().map(|(row, p)| self.origin.beside(row, p)).collect();
                    pictures::all(&files, shape).map_err(|(row, e)| self.origin.within(row, name, e))?
                }
                (_, Cells::Codes(codes)) => Tensor::of(&[n], &codes),
                _ => continue,
            };
            columns.push((name.clone(), tensor));
        }
        Ok((columns, learned))
    }
}

fn sizes(n: usize, shape: &[i64]) -> Vec<usize> {
    std::iter::once(n).chain(shape.iter().map(|&s| s as usize)).collect()
}

fn learned_nothing(column: &str) -> DataError {
    DataError::new(format!("the run has learned nothing about `{column}`"))
        .help("it was trained with another declaration; train it again")
}

fn as_tensor<A: Copy, T: Element>(shape: &[usize], values: &[A], to: fn(A) -> T) -> Tensor {
    let values: Vec<T> = values.iter().map(|&x| to(x)).collect();
    Tensor::of(shape, &values)
}

/// `hours-per-week` as `hours_per_week`.
pub(super) fn identifier(name: &str) -> String {
    let word = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.trim().chars().map(word).collect()
}

fn same_name(declared: &str, found: &str) -> bool {
    declared == found || identifier(declared) == identifier(found)
}
