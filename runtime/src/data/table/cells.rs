//! The cells of one column: text to numbers, categories and labels.

use super::categories::Texts;
use crate::data::error::DataError;
use tfm_lang::check::sources::{self, Cell, Column};
use tfm_lang::model::ColumnSpec;
use tfm_lang::types::DType;

/// A column while it is read.
pub(super) struct ColumnReader<'a> {
    pub(super) spec: &'a ColumnSpec,
    pub(super) kind: Column,
    pub(super) cells: Cells,
}

/// The cells of a column as read; a missing number is a NaN.
pub(super) enum Cells {
    Fractions(Vec<f64>),
    Wholes(Vec<i64>),
    Codes(Vec<i32>),
    Texts(Texts),
    Strings(Vec<String>),
    /// Elements of the column's dtype, as they lie in memory.
    Bytes(Vec<u8>),
    /// A column that is skipped, or a label that is not there.
    Nothing,
}

impl<'a> ColumnReader<'a> {
    /// Without cells.
    pub(super) fn new(spec: &'a ColumnSpec) -> Result<ColumnReader<'a>, DataError> {
        let kind = sources::column(spec)?;
        let cells = match kind {
            Column::Skip => Cells::Nothing,
            Column::Number { dtype: DType::F32 | DType::F64, .. } => Cells::Fractions(Vec::new()),
            Column::Number { .. } => Cells::Wholes(Vec::new()),
            Column::Tokens { .. } | Column::Image { .. } => Cells::Strings(Vec::new()),
            Column::Hash(_) => Cells::Texts(Texts::default()),
            Column::Names { .. } | Column::Below { .. } => Cells::Codes(Vec::new()),
        };
        Ok(ColumnReader { spec, kind, cells })
    }

    /// The column is not in the file, and gives no field.
    pub(super) fn leave_out(&mut self) {
        self.cells = Cells::Nothing;
    }

    /// What a row holds, as `filter` sees it.
    pub(super) fn cell(&self, row: usize) -> Cell<'_> {
        match (&self.kind, &self.cells) {
            (_, Cells::Fractions(values)) => Cell::Number(values[row]),
            (_, Cells::Wholes(values)) => Cell::Number(values[row] as f64),
            (Column::Names { names, .. }, Cells::Codes(codes)) => Cell::Text(&names[codes[row] as usize]),
            (_, Cells::Codes(codes)) => Cell::Number(codes[row].into()),
            (_, Cells::Texts(texts)) => Cell::Text(texts.text(row)),
            _ => Cell::Number(f64::NAN),
        }
    }

    /// Reads one cell; the error lacks its place.
    pub(super) fn push(&mut self, cell: &str, missing: &str, predict: bool) -> Result<(), DataError> {
        let name = &self.spec.name;
        // A missing value has one text, however it is written.
        let is_missing = cell.is_empty() || cell == missing;
        let cell = if is_missing { missing } else { cell };
        match (&self.kind, &mut self.cells) {
            (Column::Number { .. }, Cells::Fractions(values)) if is_missing => values.push(f64::NAN),
            (Column::Number { dtype, .. }, Cells::Fractions(values)) => values.push(fraction(name, *dtype, cell)?),
            (Column::Number { dtype, .. }, Cells::Wholes(_)) if is_missing => {
                return Err(DataError::new(format!("`{name}` is missing, and {dtype} has no missing values"))
                    .help(format!("declare `{name}: f32`; a missing value becomes the mean")));
            }
            (Column::Number { dtype, .. }, Cells::Wholes(values)) => values.push(whole(name, *dtype, cell)?),
            (Column::Hash(_), Cells::Texts(texts)) => texts.push(cell),
            (Column::Image { .. }, Cells::Strings(_)) if is_missing => {
                return Err(DataError::new(format!("`{name}` is missing")).help("leave the row out"));
            }
            (_, Cells::Strings(texts)) => texts.push(cell.to_string()),
            (Column::Below { count, label }, Cells::Codes(codes)) => match cell.parse::<i64>() {
                Ok(n) if (0..*count).contains(&n) => codes.push(n as i32),
                Err(_) if predict && *label => self.cells = Cells::Nothing,
                _ if is_missing => return Err(missing_name(name, missing, true)),
                Ok(n) => {
                    let help = format!("declare `{name}` with a larger number, or mend the row");
                    let message = format!("`{name}` is {n}, and its values are from 0 to {}", count - 1);
                    return Err(DataError::new(message).help(help));
                }
                Err(_) => {
                    return Err(DataError::new(format!("`{name}` is {cell:?}, which is not a whole number")).help(
                        "texts are declared by their names, `label([\"a\", \"b\"])`, or as `category(hash: 16)`",
                    ));
                }
            },
            (Column::Names { names, label }, Cells::Codes(codes)) => match names.iter().position(|n| n == cell) {
                Some(i) => codes.push(i as i32),
                // A file to be predicted may say `?`, or nothing, where its labels would stand.
                None if predict && *label => self.cells = Cells::Nothing,
                None if is_missing => return Err(missing_name(name, missing, *label)),
                None => {
                    return Err(DataError::new(format!("`{name}` is {cell:?}, and it is one of {}", listed(names)))
                        .help("add it to the declaration, or mend the row"));
                }
            },
            _ => {}
        }
        Ok(())
    }
}

fn fraction(name: &str, dtype: DType, cell: &str) -> Result<f64, DataError> {
    match cell.parse::<f64>() {
        Ok(x) if x.is_finite() && (dtype == DType::F64 || (x as f32).is_finite()) => Ok(x),
        Ok(_) => Err(DataError::new(format!("`{name}` is {cell:?}, which is not a finite {dtype}"))),
        Err(_) => Err(DataError::new(format!("`{name}` is {cell:?}, which is not a number")).help(format!(
            "if it stands for a missing value, write `missing: {cell:?}`; if `{name}` is a text, declare it as a \
             category or `skip`"
        ))),
    }
}

fn missing_name(name: &str, missing: &str, label: bool) -> DataError {
    let error = DataError::new(format!("`{name}` is missing"));
    match label {
        true => error.help("a label is needed to learn from; leave the row out"),
        false => error.help(format!("write {missing:?} as one of the category's names, and it is one of its own")),
    }
}

fn whole(name: &str, dtype: DType, cell: &str) -> Result<i64, DataError> {
    let found = match dtype {
        DType::I64 => cell.parse().ok(),
        DType::I32 => cell.parse::<i32>().ok().map(i64::from),
        DType::I8 => cell.parse::<i8>().ok().map(i64::from),
        DType::U8 => cell.parse::<u8>().ok().map(i64::from),
        _ => match cell.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(1),
            "false" | "0" => Some(0),
            _ => None,
        },
    };
    found.ok_or_else(|| {
        DataError::new(format!("`{name}` is {cell:?}, which is not {dtype}")).help(match dtype {
            DType::Bool => "it is written `true`, `false`, `1` or `0`".to_string(),
            _ => format!("declare `{name}: f32` for fractions"),
        })
    })
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(20).map(|n| format!("{n:?}")).collect();
    let more = if names.len() > 20 { format!(" and {} more", names.len() - 20) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
