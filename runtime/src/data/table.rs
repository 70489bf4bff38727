//! CSV: cells to numbers, categories and labels, with what the training part taught.

use super::error::DataError;
use super::files;
use super::learned::{Learned, LearnedColumn, Moments};
use super::open::{Opened, Opening};
use super::random::key;
use super::split::{Columns, Rows, Split, Store, arrange, with_fields};
use crate::tensor::{Element, Tensor};
use std::path::Path;
use std::sync::Arc;
use tfm_lang::check::sources::{self, Column, get};
use tfm_lang::model::{ColumnSpec, Static};
use tfm_lang::types::DType;

/// The file of the declaration.
pub(super) fn open(o: &Opening) -> Result<Opened, DataError> {
    let path = o.path("path")?;
    let table = Table::read(o, &path, false)?;
    let parts = arrange(vec![("all".into(), Rows::Range(0..table.lines.len()))], &o.operators);
    let (columns, learned) = table.finish(&path, Some(&parts[0].1), o.learned)?;
    let (fields, columns) = with_fields(columns);
    let store = Arc::new(Store::Columns(columns));
    let split = |rows| Split::new(fields.clone(), rows, store.clone());
    Ok((parts.into_iter().map(|(name, rows)| (name, split(rows))).collect(), learned))
}

/// A user's file, whose labels may be missing.
pub(super) fn open_file(o: &Opening, path: &Path) -> Result<Split, DataError> {
    let (columns, _) = Table::read(o, path, true)?.finish(path, None, o.learned)?;
    Ok(Split::of_columns(columns))
}

/// The cells of a column as read; a missing number is a NaN.
enum Cells {
    Fractions(Vec<f64>),
    Wholes(Vec<i64>),
    Codes(Vec<i32>),
    /// A column that is skipped, or a label that is not there.
    Nothing,
}

struct Table<'a> {
    columns: Vec<(&'a ColumnSpec, Column, Cells)>,
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
        let mut table = Table::declared(o)?;
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

    fn declared(o: &Opening<'a>) -> Result<Table<'a>, DataError> {
        let columns = o.spec.columns.iter().map(|spec| {
            let kind = sources::column(spec)?;
            let cells = match kind {
                Column::Skip => Cells::Nothing,
                Column::Number(DType::F32 | DType::F64) => Cells::Fractions(Vec::new()),
                Column::Number(_) => Cells::Wholes(Vec::new()),
                Column::Hash(_) | Column::Names { .. } => Cells::Codes(Vec::new()),
            };
            Ok((spec, kind, cells))
        });
        Ok(Table { columns: columns.collect::<Result<_, DataError>>()?, lines: Vec::new() })
    }

    /// Which column stands at each place of a file with a header.
    fn by_name(
        &mut self,
        path: &Path,
        head: &csv::StringRecord,
        line: u64,
        predict: bool,
    ) -> Result<Vec<Option<usize>>, DataError> {
        let names: Vec<&str> = head.iter().map(bare).collect();
        let places: Vec<Option<usize>> =
            names.iter().map(|n| self.columns.iter().position(|(c, ..)| same_name(&c.name, n))).collect();
        if let Some(i) = places.iter().position(Option::is_none) {
            let names: Vec<&str> = self.columns.iter().map(|(c, ..)| c.name.as_str()).collect();
            let message = format!("the column `{}` is not declared; declared are {}", head[i].trim(), names.join(", "));
            return Err(DataError::of(path, message).line(line).help(format!(
                "declare it, perhaps as `{}: skip`; where the first line is no header, write `header: false`",
                identifier(&head[i])
            )));
        }
        for (i, (spec, kind, cells)) in self.columns.iter_mut().enumerate() {
            match places.iter().filter(|p| **p == Some(i)).count() {
                1 => {}
                0 if predict && matches!(kind, Column::Skip | Column::Names { label: true, .. }) => {
                    *cells = Cells::Nothing;
                }
                0 => {
                    let message = format!("there is no column `{}`; there are {}", spec.name, names.join(", "));
                    return Err(DataError::of(path, message).line(line));
                }
                n => {
                    let message = format!("the column `{}` is there {n} times", spec.name);
                    return Err(DataError::of(path, message).line(line));
                }
            }
        }
        Ok(places)
    }

    /// Which column stands at each place of a file without a header, whose first row has this width.
    fn by_order(&mut self, width: usize, predict: bool) -> Vec<Option<usize>> {
        let label = |kind: &Column| matches!(kind, Column::Names { label: true, .. });
        let labels = self.columns.iter().filter(|(_, kind, _)| label(kind)).count();
        if !predict || width + labels != self.columns.len() {
            return (0..self.columns.len()).map(Some).collect();
        }
        let mut places = Vec::new();
        for (i, (_, kind, cells)) in self.columns.iter_mut().enumerate() {
            match label(kind) {
                true => *cells = Cells::Nothing,
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
        for (spec, kind, cells) in self.columns {
            let tensor = match (kind, cells) {
                (Column::Number(dtype), Cells::Fractions(mut values)) => {
                    let known = before.and_then(|l| l.columns.get(&spec.name));
                    let here = Transforming { path, spec, lines: &self.lines, rows };
                    let column = here.transform(&mut values, known)?;
                    learned.columns.insert(spec.name.clone(), column);
                    match dtype {
                        DType::F32 => as_tensor(&values, |x| x as f32),
                        _ => Tensor::of(&[n], &values),
                    }
                }
                (Column::Number(dtype), Cells::Wholes(values)) => match dtype {
                    DType::I32 => as_tensor(&values, |x| x as i32),
                    DType::I8 => as_tensor(&values, |x| x as i8),
                    DType::U8 => as_tensor(&values, |x| x as u8),
                    DType::Bool => as_tensor(&values, |x| x != 0),
                    _ => Tensor::of(&[n], &values),
                },
                (_, Cells::Codes(codes)) => Tensor::of(&[n], &codes),
                _ => continue,
            };
            columns.push((spec.name.clone(), tensor));
        }
        Ok((columns, learned))
    }
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

/// Reads one cell; the error lacks its place.
trait Push {
    fn push(&mut self, cell: &str, missing: &str, predict: bool) -> Result<(), DataError>;
}

impl Push for (&ColumnSpec, Column, Cells) {
    fn push(&mut self, cell: &str, missing: &str, predict: bool) -> Result<(), DataError> {
        let (spec, kind, cells) = self;
        let name = &spec.name;
        let cell = unquoted(bare(cell));
        let cell = cell.as_ref();
        let is_missing = cell.is_empty() || cell == missing;
        let is = |what: &str| DataError::new(format!("`{name}` is {cell:?}, which is {what}"));
        match (kind, cells) {
            (Column::Number(_), Cells::Fractions(values)) if is_missing => values.push(f64::NAN),
            (Column::Number(dtype), Cells::Fractions(values)) => match cell.parse::<f64>() {
                Ok(x) if x.is_finite() && (*dtype == DType::F64 || (x as f32).is_finite()) => values.push(x),
                Ok(_) => return Err(is(&format!("not a finite {dtype}"))),
                Err(_) => {
                    return Err(is("not a number").help(format!(
                        "if it stands for a missing value, write `missing: {cell:?}`; if `{name}` is a text, \
                         declare it as a category or `skip`"
                    )));
                }
            },
            (Column::Number(dtype), Cells::Wholes(_)) if is_missing => {
                return Err(DataError::new(format!("`{name}` is missing, and {dtype} has no missing values"))
                    .help(format!("declare `{name}: f32`; a missing value becomes the mean")));
            }
            (Column::Number(dtype), Cells::Wholes(values)) => values.push(whole(*dtype, cell).ok_or_else(|| {
                is(&format!("not {dtype}")).help(match dtype {
                    DType::Bool => "it is written `true`, `false`, `1` or `0`".to_string(),
                    _ => format!("declare `{name}: f32` for fractions"),
                })
            })?),
            (Column::Hash(n), Cells::Codes(codes)) => {
                codes.push(bucket(if is_missing { missing } else { cell }, *n));
            }
            (Column::Names { names, label }, cells @ Cells::Codes(_)) => {
                let text = if is_missing { missing } else { cell };
                match (names.iter().position(|n| n == text), &mut *cells) {
                    (Some(i), Cells::Codes(codes)) => codes.push(i as i32),
                    // A file to be predicted may say `?`, or nothing, where its labels would stand.
                    _ if predict && *label => *cells = Cells::Nothing,
                    _ if is_missing => return Err(missing_name(name, missing, *label)),
                    _ => {
                        return Err(DataError::new(format!(
                            "`{name}` is {cell:?}, and it is one of {}",
                            listed(names)
                        ))
                        .help("add it to the declaration, or mend the row"));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn missing_name(name: &str, missing: &str, label: bool) -> DataError {
    let error = DataError::new(format!("`{name}` is missing"));
    match label {
        true => error.help("a label is needed to learn from; leave the row out"),
        false => error.help(format!("write {missing:?} as one of the category's names, and it is one of its own")),
    }
}

fn whole(dtype: DType, cell: &str) -> Option<i64> {
    match dtype {
        DType::I64 => cell.parse().ok(),
        DType::I32 => cell.parse::<i32>().ok().map(i64::from),
        DType::I8 => cell.parse::<i8>().ok().map(i64::from),
        DType::U8 => cell.parse::<u8>().ok().map(i64::from),
        _ => match cell.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(1),
            "false" | "0" => Some(0),
            _ => None,
        },
    }
}

/// The number of a text below `n`: FNV-1a, mixed, so that it is the same in each run and release.
fn bucket(text: &str, n: i64) -> i32 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    (key(&[hash]) % n as u64) as i32
}

/// A column of fractions on its way.
struct Transforming<'a> {
    path: &'a Path,
    spec: &'a ColumnSpec,
    lines: &'a [u64],
    /// The rows to learn from; `None` where everything must be known.
    rows: Option<&'a Rows>,
}

impl Transforming<'_> {
    fn transform(&self, values: &mut [f64], known: Option<&LearnedColumn>) -> Result<LearnedColumn, DataError> {
        let name = &self.spec.name;
        if known.is_none() && self.rows.is_none() {
            return Err(DataError::new(format!("the run has learned nothing about `{name}`"))
                .help("it was trained with another declaration; train it again"));
        }
        let mut learned = LearnedColumn::default();
        for transform in &self.spec.transforms {
            if transform == "log1p" {
                if let Some(i) = values.iter().position(|&x| x <= -1.0) {
                    let message = format!("`{name}` is {}, and `log1p` needs more than -1", values[i]);
                    return Err(DataError::of(self.path, message).line(self.lines[i]));
                }
                values.iter_mut().for_each(|x| *x = x.ln_1p());
                continue;
            }
            let moments = match known {
                Some(l) => l.standardize.get(learned.standardize.len()).copied().ok_or_else(|| {
                    DataError::new(format!("the run has learned no mean of `{name}`"))
                        .help("it was trained with another declaration; train it again")
                })?,
                None => self.moments(values)?,
            };
            values.iter_mut().for_each(|x| *x = (*x - moments.mean) / moments.deviation);
            learned.standardize.push(moments);
        }
        learned.fill = match known {
            Some(l) => l.fill,
            None => self.moments(values)?.mean,
        };
        values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = learned.fill);
        Ok(learned)
    }

    fn moments(&self, values: &[f64]) -> Result<Moments, DataError> {
        let rows = self.rows.into_iter().flat_map(Rows::iter);
        let present: Vec<f64> = rows.map(|i| values[i]).filter(|x| !x.is_nan()).collect();
        // A part without rows is an error of its own, and a better one.
        if present.is_empty() && self.rows.is_some_and(|r| r.len() > 0) {
            let message = format!("`{}` is missing in every row of the training part", self.spec.name);
            return Err(DataError::of(self.path, message).help(format!("declare `{}: skip`", self.spec.name)));
        }
        Ok(Moments::of(present.into_iter()))
    }
}

fn bare(cell: &str) -> &str {
    cell.trim()
}

/// A quoted cell after a space, which the reader leaves quoted.
fn unquoted(cell: &str) -> std::borrow::Cow<'_, str> {
    match cell.strip_prefix('"').and_then(|c| c.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\"").into(),
        None => cell.into(),
    }
}

/// `hours-per-week` as `hours_per_week`.
fn identifier(name: &str) -> String {
    let word = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.trim().chars().map(word).collect()
}

fn same_name(declared: &str, found: &str) -> bool {
    declared == found || identifier(declared) == identifier(found)
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(20).map(|n| format!("{n:?}")).collect();
    let more = if names.len() > 20 { format!(" and {} more", names.len() - 20) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
