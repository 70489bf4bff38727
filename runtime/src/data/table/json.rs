//! A JSON object in each line.

use super::cells::ColumnReader;
use super::{Table, same_name};
use crate::data::error::DataError;
use crate::data::files;
use crate::data::open::Opening;
use serde_json::{Map, Value};
use std::path::Path;

/// Pushes the rows of a file.
pub(super) fn read(o: &Opening, path: &Path, table: &mut Table, predict: bool) -> Result<(), DataError> {
    let text = files::read_text(path)?;
    for (line, row) in (1..).zip(text.lines()).filter(|(_, row)| !row.trim().is_empty()) {
        let at = |e: DataError| DataError { file: Some(path.to_path_buf()), ..e }.line(line);
        let value: Value = serde_json::from_str(row).map_err(|e| {
            at(DataError::new(format!("this is no JSON: {e}")).help("each line is an object of its own"))
        })?;
        let Value::Object(object) = value else {
            let help = "a line is written as in `{\"age\": 3, \"kind\": \"a\"}`";
            return Err(at(DataError::new(format!("a JSON object is wanted, not {}", shown(&value))).help(help)));
        };
        for column in &mut table.columns {
            push(column, &object, o.text("missing"), predict).map_err(at)?;
        }
        table.origin.push(line);
    }
    Ok(())
}

/// Pushes the value that an object has for a column.
fn push(column: &mut ColumnReader, object: &Map<String, Value>, missing: &str, predict: bool) -> Result<(), DataError> {
    let name = column.spec.name.as_str();
    let by_likeness = || object.iter().find(|(key, _)| same_name(name, key)).map(|(_, v)| v);
    let value = object.get(name).or_else(by_likeness).unwrap_or(&Value::Null);
    let wanted = column.kind.cells();
    if *value == Value::Null {
        return (0..wanted).try_for_each(|_| column.push(missing, missing, predict));
    }
    let mut cells = Vec::new();
    flatten(value, &mut cells).map_err(|found| {
        DataError::new(format!("`{name}` is {}, which cannot be a cell", shown(found)))
            .help(format!("write numbers, texts or lists of them, or declare `{name}: skip`"))
    })?;
    if cells.len() != wanted {
        let message = format!("`{name}` has {} values, and {wanted} are declared", cells.len());
        return Err(DataError::new(message));
    }
    cells.iter().try_for_each(|cell| column.push(cell, missing, predict))
}

/// The texts of a value's numbers, truths and texts; `Err` is what is none of them.
fn flatten<'a>(value: &'a Value, out: &mut Vec<String>) -> Result<(), &'a Value> {
    match value {
        Value::Bool(b) => out.push(b.to_string()),
        Value::Number(n) => out.push(n.to_string()),
        Value::String(s) => out.push(s.clone()),
        Value::Array(items) => return items.iter().try_for_each(|v| flatten(v, out)),
        Value::Null => out.push(String::new()),
        Value::Object(_) => return Err(value),
    }
    Ok(())
}

fn shown(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
