//! A text whose lines are one record each.

use super::Table;
use crate::data::error::DataError;
use crate::data::files;
use crate::data::open::Opening;
use std::path::Path;

/// Pushes the lines of a file that are not blank.
pub(super) fn read(_: &Opening, path: &Path, table: &mut Table, predict: bool) -> Result<(), DataError> {
    let text = files::read_text(path)?;
    for (line, row) in (1..).zip(text.lines()).filter(|(_, row)| !row.trim().is_empty()) {
        for column in &mut table.columns {
            let pushed = column.push(row.trim(), "", predict);
            pushed.map_err(|e| DataError { file: Some(path.to_path_buf()), ..e }.line(line))?;
        }
        table.origin.push(line);
    }
    Ok(())
}
