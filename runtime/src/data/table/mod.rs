//! CSV: cells to numbers, categories and labels, with what the training part taught.

mod categories;
mod cells;
mod transform;

use super::error::DataError;
use super::files;
use super::learned::Learned;
use super::open::{Opened, Opening};
use super::split::{Columns, Rows, Split, with_fields};
use crate::tensor::{Element, Tensor};
use cells::{Cells, ColumnReader};
use std::path::Path;
use std::sync::Arc;
use tfm_lang::check::sources::{Column, get};
use tfm_lang::model::Static;
use tfm_lang::types::DType;
use transform::Transforming;

/// The file of the declaration.
pub(super) fn open(o: &Opening) -> Result<Opened, DataError> {
    let path = o.path("path")?;
    let table = Table::read(o, &path, false)?;
    let nothing = |_: &str, _| tfm_lang::check::sources::Cell::Number(f64::NAN);
    let parts =
        crate::data::arrange::arrange(vec![("all".into(), Rows::Range(0..table.lines.len()))], &o.operators, &nothing)?;
    let (columns, learned) = table.finish(&path, Some(parts[0].records()), o.learned)?;
    let (fields, columns) = with_fields(columns);
    let records: Arc<dyn crate::data::split::Records> = Arc::new(crate::data::split::InMemory(columns));
    Ok((parts.into_iter().map(|p| (p.name.clone(), p.split(&fields, &records))).collect(), learned))
}

/// A user's file, whose labels may be missing.
pub(super) fn open_file(o: &Opening, path: &Path) -> Result<Split, DataError> {
    let (columns, _) = Table::read(o, path, true)?.finish(path, None, o.learned)?;
    Ok(Split::of_columns(columns))
}

struct Table<'a> {
    columns: Vec<ColumnReader<'a>>,
    /// The line of each row.
    lines: Vec<u64>,
}

impl<'a> Table<'a> {
    fn read(o: &Opening<'a>, path: &Path, predict: bool) -> Result<Table<'a>, DataError> {
        let text = files::read_text(path)?;
        let separator = o.text("separator").bytes().next().unwrap_or(b',');
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(text.as_bytes())
            .into_records()
            .map(|r| r.map_err(|e| DataError::of(path, format!("cannot be read as CSV: {e}"))))
            .filter(|r| !matches!(r, Ok(r) if r.len() == 1 && r[0].trim().is_empty()));
        let columns = o.spec.columns.iter().map(ColumnReader::new).collect::<Result<_, _>>()?;
        let mut table = Table { columns, lines: Vec::new() };
        let header = get(&o.args, "header") == Some(&Static::Bool(true));
        let mut places = match header.then(|| rows.next()).flatten() {
            Some(head) => {
                let head = head?;
                Some(table.by_name(path, &head, line_of(&head, &text), predict)?)
            }
            None => None,
        };
        for row in rows {
            let row = row?;
            let line = line_of(&row, &text);
            let at = |e: DataError| DataError { file: Some(path.to_path_buf()), ..e }.line(line);
            let places = places.get_or_insert_with(|| table.by_order(row.len(), predict));
            if row.len() != places.len() {
                let cells = if row.len() == 1 { "1 cell".to_string() } else { format!("{} cells", row.len()) };
                return Err(at(DataError::new(format!(
                    "this row has {cells}, and there are {} columns",
                    places.len()
                ))
                .help("a text that holds the separator or a quote stands in quotes, right after the separator")));
            }
            for (cell, &place) in row.iter().zip(places.iter()) {
                if let Some(column) = place {
                    table.columns[column].push(cell, o.text("missing"), predict).map_err(at)?;
                }
            }
            table.lines.push(line);
        }
        match table.lines.is_empty() {
            true => Err(DataError::of(path, "there are no rows in it")),
            false => Ok(table),
        }
    }

    /// Which column stands at each place of a file with a header.
    fn by_name(
        &mut self,
        path: &Path,
        head: &csv::StringRecord,
        line: u64,
        predict: bool,
    ) -> Result<Vec<Option<usize>>, DataError> {
        let names: Vec<&str> = head.iter().map(str::trim).collect();
        let places: Vec<Option<usize>> =
            names.iter().map(|n| self.columns.iter().position(|c| same_name(&c.spec.name, n))).collect();
        if let Some(i) = places.iter().position(Option::is_none) {
            let names: Vec<&str> = self.columns.iter().map(|c| c.spec.name.as_str()).collect();
            let message = format!("the column `{}` is not declared; declared are {}", head[i].trim(), names.join(", "));
            return Err(DataError::of(path, message).line(line).help(format!(
                "declare it, perhaps as `{}: skip`; where the first line is no header, write `header: false`",
                identifier(&head[i])
            )));
        }
        for (i, column) in self.columns.iter_mut().enumerate() {
            match places.iter().filter(|p| **p == Some(i)).count() {
                1 => {}
                0 if predict && (column.is_label() || column.kind == Column::Skip) => column.cells = Cells::Nothing,
                0 => {
                    let message = format!("there is no column `{}`; there are {}", column.spec.name, names.join(", "));
                    return Err(DataError::of(path, message).line(line));
                }
                n => {
                    let message = format!("the column `{}` is there {n} times", column.spec.name);
                    return Err(DataError::of(path, message).line(line));
                }
            }
        }
        Ok(places)
    }

    /// Which column stands at each place of a file without a header, whose first row has this width.
    fn by_order(&mut self, width: usize, predict: bool) -> Vec<Option<usize>> {
        let labels = self.columns.iter().filter(|c| c.is_label()).count();
        if !predict || width + labels != self.columns.len() {
            return (0..self.columns.len()).map(Some).collect();
        }
        let mut places = Vec::new();
        for (i, column) in self.columns.iter_mut().enumerate() {
            match column.is_label() {
                true => column.cells = Cells::Nothing,
                false => places.push(Some(i)),
            }
        }
        places
    }

    /// The columns as tensors, with what `rows` teach, or with what was learned before.
    fn finish(
        self,
        path: &Path,
        rows: Option<&Rows>,
        before: Option<&Learned>,
    ) -> Result<(Columns, Learned), DataError> {
        let (mut columns, mut learned) = (Vec::new(), Learned::default());
        let n = self.lines.len();
        for ColumnReader { spec, kind, cells } in self.columns {
            let tensor = match (kind, cells) {
                (Column::Number { dtype, .. }, Cells::Fractions(mut values)) => {
                    let known = before.and_then(|l| l.columns.get(&spec.name));
                    let here = Transforming { path, spec, lines: &self.lines, rows };
                    let column = here.transform(&mut values, known)?;
                    learned.columns.insert(spec.name.clone(), column);
                    match dtype {
                        DType::F32 => as_tensor(&values, |x| x as f32),
                        _ => Tensor::of(&[n], &values),
                    }
                }
                (Column::Number { dtype, .. }, Cells::Wholes(values)) => match dtype {
                    DType::I32 => as_tensor(&values, |x| x as i32),
                    DType::I8 => as_tensor(&values, |x| x as i8),
                    DType::U8 => as_tensor(&values, |x| x as u8),
                    DType::Bool => as_tensor(&values, |x| x != 0),
                    _ => Tensor::of(&[n], &values),
                },
                (Column::Hash(size), Cells::Texts(texts)) => {
                    let known = before.and_then(|l| l.categories.get(&spec.name));
                    let moved = match (known, rows) {
                        (Some(known), _) => categories::checked(&spec.name, size, known)?.clone(),
                        (None, Some(rows)) => texts.learn(size, rows),
                        (None, None) => return Err(learned_nothing(&spec.name)),
                    };
                    let codes = texts.codes(size, &moved);
                    learned.categories.insert(spec.name.clone(), moved);
                    Tensor::of(&[n], &codes)
                }
                (_, Cells::Codes(codes)) => Tensor::of(&[n], &codes),
                _ => continue,
            };
            columns.push((spec.name.clone(), tensor));
        }
        Ok((columns, learned))
    }
}

fn learned_nothing(column: &str) -> DataError {
    DataError::new(format!("the run has learned nothing about `{column}`"))
        .help("it was trained with another declaration; train it again")
}

/// The line on which a row begins; the reader's own count is that of the blank lines before it.
fn line_of(row: &csv::StringRecord, text: &str) -> u64 {
    let Some(at) = row.position() else { return 1 };
    let rest = text.as_bytes().get(at.byte() as usize..).unwrap_or_default();
    let blank = rest.iter().take_while(|b| matches!(b, b'\n' | b'\r')).filter(|&&b| b == b'\n');
    at.line() + blank.count() as u64
}

fn as_tensor<A: Copy, T: Element>(values: &[A], to: fn(A) -> T) -> Tensor {
    let values: Vec<T> = values.iter().map(|&x| to(x)).collect();
    Tensor::of(&[values.len()], &values)
}

/// `hours-per-week` as `hours_per_week`.
fn identifier(name: &str) -> String {
    let word = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.trim().chars().map(word).collect()
}

fn same_name(declared: &str, found: &str) -> bool {
    declared == found || identifier(declared) == identifier(found)
}
