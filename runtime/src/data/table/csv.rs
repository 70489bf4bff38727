//! Rows of text with something between the cells.

use super::{Table, identifier, same_name};
use crate::data::error::DataError;
use crate::data::files;
use crate::data::open::Opening;
use csv::StringRecord;
use std::borrow::Cow;
use std::path::Path;
use tfm_lang::check::sources::{Column, get, int};
use tfm_lang::model::Static;

/// Pushes the rows of a file.
pub(super) fn read(o: &Opening, path: &Path, table: &mut Table, predict: bool) -> Result<(), DataError> {
    let whole = files::read_text(path)?;
    let skipped = int(&o.args, "skip").max(0) as usize;
    let (begin, text) = after_lines(&whole, skipped);
    let character = |name: &str| o.text(name).bytes().next();
    let trim = o.text("trim").chars().next();
    let mut rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(character("separator").unwrap_or(b','))
        .comment(character("comment"))
        .from_reader(text.as_bytes())
        .into_records()
        .map(|r| r.map_err(|e| DataError::of(path, format!("cannot be read as CSV: {e}"))))
        .filter(|r| !matches!(r, Ok(r) if r.len() == 1 && r[0].trim().is_empty()));
    let line_of = |row: &StringRecord| begin + line_of(row, text);
    let header = get(&o.args, "header") == Some(&Static::Bool(true));
    let mut places = match header.then(|| rows.next()).flatten() {
        Some(head) => {
            let head = head?;
            Some(by_name(table, path, &head, line_of(&head), predict)?)
        }
        None => None,
    };
    for row in rows {
        let row = row?;
        let line = line_of(&row);
        let at = |e: DataError| DataError { file: Some(path.to_path_buf()), ..e }.line(line);
        let places = places.get_or_insert_with(|| by_order(table, row.len(), predict));
        if row.len() != places.len() {
            let cells = if row.len() == 1 { "1 cell".to_string() } else { format!("{} cells", row.len()) };
            let error = DataError::new(format!("this row has {cells}, and there are {} columns", places.len()));
            let first = row.get(0).and_then(|c| c.chars().next()).filter(char::is_ascii_punctuation);
            let help = match first.filter(|_| row.len() == 1 && o.text("comment").is_empty()) {
                Some(c) => format!("if the line is no row, write `comment: \"{c}\"`, or `skip: {line}`"),
                None => "a text that holds the separator or a quote stands in quotes, right after the separator".into(),
            };
            return Err(at(error.help(help)));
        }
        for (cell, &place) in row.iter().zip(places.iter()) {
            if let Some(column) = place {
                let cell = unquoted(cell.trim());
                let cell = trim.map_or(cell.as_ref(), |c| cell.trim_end_matches(c).trim_end());
                table.columns[column].push(cell, o.text("missing"), predict).map_err(at)?;
            }
        }
        table.origin.push(line);
    }
    Ok(())
}

/// What follows so many lines, and how many there were.
fn after_lines(text: &str, lines: usize) -> (u64, &str) {
    let mut rest = text;
    let mut passed = 0;
    for _ in 0..lines {
        let Some(at) = rest.find('\n') else { return (passed, "") };
        rest = &rest[at + 1..];
        passed += 1;
    }
    (passed, rest)
}

/// Which column stands at each place of a file with a header.
fn by_name(
    table: &mut Table,
    path: &Path,
    head: &StringRecord,
    line: u64,
    predict: bool,
) -> Result<Vec<Option<usize>>, DataError> {
    let names: Vec<&str> = head.iter().map(str::trim).collect();
    let mut places: Vec<Option<usize>> = Vec::new();
    let mut wide = None;
    for name in &names {
        // The cells after the first of a column of several belong to it, whatever they are called.
        let place = match wide.take() {
            Some((column, left)) if left > 0 => {
                wide = Some((column, left - 1));
                Some(column)
            }
            _ => {
                let found = table.columns.iter().position(|c| same_name(&c.spec.name, name));
                wide = found.map(|c| (c, table.columns[c].kind.cells() - 1));
                found
            }
        };
        places.push(place);
    }
    if let Some(i) = places.iter().position(Option::is_none) {
        let declared: Vec<&str> = table.columns.iter().map(|c| c.spec.name.as_str()).collect();
        let message = format!("the column `{}` is not declared; declared are {}", names[i], declared.join(", "));
        return Err(DataError::of(path, message).line(line).help(format!(
            "declare it, perhaps as `{}: skip`; where the first line is no header, write `header: false`",
            identifier(names[i])
        )));
    }
    for (i, column) in table.columns.iter_mut().enumerate() {
        let (found, wanted) = (places.iter().filter(|p| **p == Some(i)).count(), column.kind.cells());
        let name = &column.spec.name;
        let message = match found {
            0 if predict && (column.kind.is_label() || column.kind == Column::Skip) => {
                column.leave_out();
                continue;
            }
            0 => format!("there is no column `{name}`; there are {}", names.join(", ")),
            _ if found == wanted => continue,
            _ if found % wanted == 0 => format!("the column `{name}` is there {} times", found / wanted),
            _ => format!("`{name}` is {wanted} columns, and there are {found} from it on"),
        };
        return Err(DataError::of(path, message).line(line));
    }
    Ok(places)
}

/// Which column stands at each place of a file without a header, whose first row has this width.
fn by_order(table: &mut Table, width: usize, predict: bool) -> Vec<Option<usize>> {
    let cells = |labels: bool| -> usize {
        table.columns.iter().filter(|c| labels || !c.kind.is_label()).map(|c| c.kind.cells()).sum()
    };
    let without = predict && width == cells(false) && width != cells(true);
    let mut places = Vec::new();
    for (i, column) in table.columns.iter_mut().enumerate() {
        match without && column.kind.is_label() {
            true => column.leave_out(),
            false => places.extend(std::iter::repeat_n(Some(i), column.kind.cells())),
        }
    }
    places
}

/// The line on which a row begins; the reader's own count is that of the blank lines before it.
fn line_of(row: &StringRecord, text: &str) -> u64 {
    let Some(at) = row.position() else { return 1 };
    let rest = text.as_bytes().get(at.byte() as usize..).unwrap_or_default();
    let blank = rest.iter().take_while(|b| matches!(b, b'\n' | b'\r')).filter(|&&b| b == b'\n');
    at.line() + blank.count() as u64
}

/// A quoted cell after a space, which the reader leaves quoted.
fn unquoted(cell: &str) -> Cow<'_, str> {
    match cell.strip_prefix('"').and_then(|c| c.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\"").into(),
        None => cell.into(),
    }
}
