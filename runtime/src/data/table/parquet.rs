//! Parquet files, in programs that are built with them.

use super::Table;
use crate::data::error::DataError;
use crate::data::open::Opening;
use std::path::Path;

/// That this program was built without.
#[cfg(not(feature = "parquet"))]
pub(super) fn read(_: &Opening, path: &Path, _: &mut Table, _: bool) -> Result<(), DataError> {
    Err(DataError::of(path, "this program was built without Parquet")
        .help("build it with `cargo install tfm --features parquet`, or write the file as CSV or JSON lines"))
}

/// Pushes the rows of a file.
#[cfg(feature = "parquet")]
pub(super) fn read(o: &Opening, path: &Path, table: &mut Table, predict: bool) -> Result<(), DataError> {
    use super::same_name;
    use crate::data::files::unreadable;
    use ::parquet::file::reader::{FileReader, SerializedFileReader};

    let file = std::fs::File::open(path).map_err(|e| unreadable(path, &e))?;
    let damaged = |e: ::parquet::errors::ParquetError| DataError::of(path, format!("cannot be read as Parquet: {e}"));
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let missing = o.text("missing");
    table.origin.count_records();
    for (number, row) in (1..).zip(reader.get_row_iter(None).map_err(damaged)?) {
        let row = row.map_err(damaged)?;
        let at = |e: DataError| DataError { file: Some(path.to_path_buf()), ..e }.record(number);
        for column in &mut table.columns {
            let name = column.spec.name.as_str();
            let wanted = column.kind.cells();
            let Some((_, field)) = row.get_column_iter().find(|(n, _)| same_name(name, n)) else {
                if predict && column.kind.is_label() {
                    column.leave_out();
                    continue;
                }
                let names: Vec<&str> = row.get_column_iter().map(|(n, _)| n.as_str()).collect();
                let message = format!("there is no column `{name}`; there are {}", names.join(", "));
                return Err(DataError::of(path, message));
            };
            let mut cells = Vec::new();
            let plain = flatten(field, missing, &mut cells);
            if !plain || cells.len() != wanted {
                let message = format!("`{name}` is {field}, and {wanted} numbers or texts are declared");
                return Err(at(DataError::new(message)));
            }
            cells.iter().try_for_each(|cell| column.push(cell, missing, predict)).map_err(at)?;
        }
        table.origin.push(number);
    }
    Ok(())
}

/// The texts of a field's numbers and texts; false where there is something else.
#[cfg(feature = "parquet")]
fn flatten(field: &::parquet::record::Field, missing: &str, out: &mut Vec<String>) -> bool {
    use ::parquet::record::Field;
    match field {
        Field::Null => out.push(missing.into()),
        Field::Str(s) => out.push(s.clone()),
        Field::Bytes(b) => match std::str::from_utf8(b.data()) {
            Ok(s) => out.push(s.into()),
            Err(_) => return false,
        },
        Field::ListInternal(list) => return list.elements().iter().all(|f| flatten(f, missing, out)),
        Field::Group(_) | Field::MapInternal(_) => return false,
        number => out.push(number.to_string()),
    }
    true
}
