//! Arrays of NumPy: one file whose numbers the columns share, or an array for each column.

use super::Table;
use super::cells::{Cells, ColumnReader};
use crate::data::error::DataError;
use crate::data::folders;
use crate::data::npy::{self, Array};
use crate::data::open::Opening;
use std::path::Path;
use tfm_lang::check::sources::Column;
use tfm_lang::types::DType;

/// Pushes the records of a file, an archive or a folder.
pub(super) fn read(_: &Opening, path: &Path, table: &mut Table, predict: bool) -> Result<(), DataError> {
    table.origin.count_records();
    let records = match path.is_dir() {
        true => {
            let named = |p: &Path| p.file_stem().map_or(String::new(), |n| n.to_string_lossy().into_owned());
            let files = folders::listed(path, &["npy"])?;
            let arrays = files.iter().map(|p| Ok((named(p), npy::read(p)?))).collect::<Result<Vec<_>, DataError>>()?;
            each(path, table, &arrays, predict)?
        }
        false => match npy::open(path)? {
            npy::Found::One(array) => shared(path, table, &array, predict)?,
            npy::Found::Archive(arrays) => each(path, table, &arrays, predict)?,
        },
    };
    (1..=records as u64).for_each(|record| table.origin.push(record));
    Ok(())
}

/// A column is the array of its name; the number of records.
fn each(path: &Path, table: &mut Table, arrays: &[(String, Array)], predict: bool) -> Result<usize, DataError> {
    let mut records: Option<(usize, String)> = None;
    for column in table.columns.iter_mut().filter(|c| c.kind != Column::Skip) {
        let name = &column.spec.name;
        let Some((_, array)) = arrays.iter().find(|(n, _)| n == name) else {
            if predict && column.kind.is_label() {
                column.leave_out();
                continue;
            }
            let names: Vec<&str> = arrays.iter().map(|(n, _)| n.as_str()).collect();
            return Err(DataError::of(path, format!("there is no array `{name}`; there are {}", names.join(", "))));
        };
        let (n, width) = (array.records(), array.width());
        if let Some((first, other)) = &records
            && *first != n
        {
            return Err(DataError::of(path, format!("`{name}` has {n} records, and `{other}` has {first}")));
        }
        let same = |shape: &[i64]| {
            array.shape[1..].iter().filter(|d| **d != 1).eq(shape
                .iter()
                .map(|&d| d as usize)
                .filter(|d| *d != 1)
                .collect::<Vec<_>>()
                .iter())
        };
        let fits = match &column.kind {
            Column::Number { shape, .. } => same(shape),
            _ => width == 1,
        };
        if !fits {
            let shape: Vec<String> = array.shape[1..].iter().map(usize::to_string).collect();
            let declared = column.kind.cells();
            return Err(DataError::of(
                path,
                format!(
                    "a record of `{name}` has sizes [{}], and {declared} numbers of another form are declared",
                    shape.join(", ")
                ),
            )
            .help(format!("declare `{name}: f32[{}]`", shape.join(", "))));
        }
        records = Some((n, name.clone()));
        let name = name.clone();
        push(column, array, 0, width).map_err(|(r, m)| at(path, r, &name, m))?;
    }
    Ok(records.map_or(0, |(n, _)| n))
}

/// The columns share the numbers of a record in their order.
fn shared(path: &Path, table: &mut Table, array: &Array, predict: bool) -> Result<usize, DataError> {
    let width = array.width();
    let cells = |labels: bool| -> usize {
        table.columns.iter().filter(|c| labels || !c.kind.is_label()).map(|c| c.kind.cells()).sum()
    };
    let without = predict && width == cells(false) && width != cells(true);
    if width != cells(true) && !without {
        let message = format!("a record has {width} numbers, and the columns are {} together", cells(true));
        return Err(DataError::of(path, message).help("declare each of them, those not wanted as `skip`"));
    }
    let mut from = 0;
    for column in &mut table.columns {
        if without && column.kind.is_label() {
            column.leave_out();
            continue;
        }
        let (name, cells) = (column.spec.name.clone(), column.kind.cells());
        push(column, array, from, cells).map_err(|(r, m)| at(path, r, &name, m))?;
        from += cells;
    }
    Ok(array.records())
}

fn at(path: &Path, record: usize, name: &str, (message, help): (String, String)) -> DataError {
    DataError::of(path, format!("`{name}` {message}")).record(record as u64 + 1).help(help)
}

/// Takes `cells` numbers of each record, from number `from` on; `Err` tells the record.
fn push(column: &mut ColumnReader, array: &Array, from: usize, cells: usize) -> Result<(), (usize, (String, String))> {
    let width = array.width();
    let places = (0..array.records()).flat_map(|r| (0..cells).map(move |c| (r, r * width + from + c)));
    let fraction = |r: usize| (r, ("holds fractions".into(), "declare it as `f32`".into()));
    match (&column.kind, &mut column.cells) {
        (Column::Number { dtype, .. }, Cells::Fractions(values)) => {
            for (r, place) in places {
                let x = array.float(place);
                // What is no number is a missing value, as an empty cell of a CSV is.
                if x.is_infinite() || *dtype == DType::F32 && !x.is_nan() && !(x as f32).is_finite() {
                    let help = "mend the array, or declare `f64`";
                    return Err((r, (format!("is {x}, which is not a finite {dtype}"), help.into())));
                }
                values.push(x);
            }
        }
        (Column::Number { dtype, .. }, cells @ (Cells::Wholes(_) | Cells::Bytes(_))) => {
            if matches!(cells, Cells::Wholes(w) if w.is_empty()) {
                *cells = Cells::Bytes(Vec::new());
            }
            let Cells::Bytes(bytes) = cells else { return Ok(()) };
            for (r, place) in places {
                let Some(n) = array.whole(place) else { return Err(fraction(r)) };
                let fits = match dtype {
                    DType::I8 => i8::try_from(n).map(|n| bytes.extend(n.to_le_bytes())).is_ok(),
                    DType::U8 => u8::try_from(n).map(|n| bytes.push(n)).is_ok(),
                    DType::I32 => i32::try_from(n).map(|n| bytes.extend(n.to_le_bytes())).is_ok(),
                    DType::Bool => (0..2).contains(&n).then(|| bytes.push(n as u8)).is_some(),
                    _ => {
                        bytes.extend(n.to_le_bytes());
                        true
                    }
                };
                if !fits {
                    return Err((r, (format!("is {n}, which is not {dtype}"), "declare a larger dtype".into())));
                }
            }
        }
        (Column::Below { count, .. }, Cells::Codes(codes)) => {
            for (r, place) in places {
                let Some(n) = array.whole(place) else { return Err(fraction(r)) };
                if !(0..*count).contains(&n) {
                    let help = "declare it with a larger number, or mend the array";
                    return Err((r, (format!("is {n}, and its values are from 0 to {}", count - 1), help.into())));
                }
                codes.push(n as i32);
            }
        }
        _ => {}
    }
    Ok(())
}
