//! Files of rows: what parts the cells, whether there is a header, what stands for a missing value.

use super::columns::{MISSING, block, kind, looks_like_time, word};
use crate::data::error::DataError;
use crate::data::files;
use crate::data::table::identifier;
use std::path::Path;

/// How many lines are looked at to find out what parts the cells.
const SAMPLE: usize = 50;

/// A text: a table where every line has as many cells, else lines of text.
pub(super) fn text(path: &Path, at: &str, label: Option<&str>) -> Result<String, DataError> {
    let text = files::read_text(path)?;
    let rows_by = |separator: u8| -> Vec<Vec<String>> {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(text.as_bytes());
        let cells = |r: csv::StringRecord| r.iter().map(|c| c.trim().to_string()).collect::<Vec<_>>();
        let rows = reader.into_records().filter_map(Result::ok).map(cells);
        rows.filter(|r| r.len() > 1 || !r[0].is_empty()).collect()
    };
    let even = |rows: &[Vec<String>]| {
        let width = rows.get(rows.len().min(2) / 2).map_or(0, Vec::len);
        (rows.len() > 1
            && rows.iter().take(SAMPLE).filter(|r| r.len() == width).count() * 10 >= rows.len().min(SAMPLE) * 9)
            .then_some(width)
            .filter(|w| *w > 1)
    };
    // In a `.txt` file a comma is a comma: prose may well have one in each line.
    let prose = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt"));
    let separators: &[u8] = if prose { b"\t|" } else { b",\t;|" };
    let found = separators.iter().filter_map(|&s| {
        let rows = rows_by(s);
        even(&rows).map(|width| (width, s, rows))
    });
    match found.max_by_key(|(width, s, _)| (*width, std::cmp::Reverse(*s))) {
        Some((width, separator, rows)) => table(path, (at, label), width, separator, rows),
        None => Ok(running(&text, at)),
    }
}

/// A text without cells: short lines are records, a long text is one sequence.
fn running(text: &str, at: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let longest = lines.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    let alphabet: std::collections::BTreeSet<char> = text.chars().collect();
    match longest <= 40 && lines.len() > 1 && lines.iter().all(|l| !l.contains(' ')) {
        true => {
            // Without the ends of lines, and with four marks.
            let count = lines.iter().flat_map(|l| l.chars()).collect::<std::collections::BTreeSet<_>>().len() + 4;
            format!(
                "lines({at}) {{ line: chars({count}, length: {}, marks: true) }} |> shuffle(seed: 1) |> split(0.9)",
                longest + 2
            )
        }
        false => format!("text({at}, tokens: chars({}), block: 64) |> split(0.9)", alphabet.len()),
    }
}

fn table(
    path: &Path,
    (at, label): (&str, Option<&str>),
    width: usize,
    separator: u8,
    rows: Vec<Vec<String>>,
) -> Result<String, DataError> {
    let odd = rows.iter().find(|r| r.len() != width);
    let comment = odd.filter(|r| r.len() == 1).and_then(|r| r[0].chars().next()).filter(char::is_ascii_punctuation);
    let rows: Vec<Vec<String>> = rows.into_iter().filter(|r| r.len() == width).collect();
    let Some((first, rest)) = rows.split_first() else {
        return Err(DataError::of(path, "there are no rows in it"));
    };
    let number = |c: &String| c.parse::<f64>().is_ok();
    let told = |c: usize| rest.iter().any(|r| number(&r[c])) || !rest.iter().any(|r| r[c] == first[c]);
    let header = !rest.is_empty() && !first.iter().any(|c| number(c) || c.is_empty()) && (0..width).all(told);
    let body = if header { rest } else { &rows[..] };
    let column = |c: usize| body.iter().map(|r| r[c].as_str()).collect::<Vec<_>>();
    let count = |m: &str| body.iter().flatten().filter(|c| *c == m).count();
    let missing = MISSING.into_iter().max_by_key(|m| count(m)).filter(|m| count(m) > 0).unwrap_or("");
    let mut names: Vec<String> = Vec::new();
    for (c, heading) in first.iter().enumerate() {
        let other = format!("column_{}", c + 1);
        let mut name = if header { word(heading, &other) } else { other.clone() };
        if names.contains(&name) {
            name = other;
        }
        names.push(name);
    }
    let label = label_of(path, &names, label)?;
    // A header whose words were changed would not be found by them.
    let by_name = header && names.iter().zip(first).all(|(n, h)| *n == identifier(h));
    let columns: Vec<(String, String)> =
        names.into_iter().enumerate().map(|(c, name)| (name, kind(&column(c), missing, c == label))).collect();
    let mut arguments = at.to_string();
    match (header, by_name) {
        (true, true) => {}
        (true, false) => arguments.push_str(", header: false, skip: 1"),
        (false, _) => arguments.push_str(", header: false"),
    }
    if !missing.is_empty() {
        arguments.push_str(&format!(", missing: {}", super::quoted(missing)));
    }
    if separator != b',' {
        arguments.push_str(&format!(", separator: {}", super::quoted(&char::from(separator).to_string())));
    }
    if let Some(c) = comment {
        arguments.push_str(&format!(", comment: {}", super::quoted(&c.to_string())));
    }
    let in_time = body.len() > 2 && column(0).iter().all(|c| looks_like_time(c));
    Ok(format!("csv({arguments}) {}{}", block(&columns), operators(in_time)))
}

/// A series is cut by time; other rows are mixed first.
fn operators(in_time: bool) -> &'static str {
    if in_time { " |> split(0.8) // |> windows(past: 96, next: 24)" } else { " |> shuffle(seed: 1) |> split(0.9)" }
}

/// The number of the column that is to be predicted: the last where none is named.
fn label_of(path: &Path, names: &[String], label: Option<&str>) -> Result<usize, DataError> {
    let Some(label) = label else { return Ok(names.len().saturating_sub(1)) };
    names
        .iter()
        .position(|n| n == label)
        .ok_or_else(|| DataError::of(path, format!("there is no column `{label}`; there are {}", names.join(", "))))
}

/// A JSON object in each line.
pub(super) fn json(path: &Path, at: &str, label: Option<&str>) -> Result<String, DataError> {
    let text = files::read_text(path)?;
    let mut names: Vec<String> = Vec::new();
    let mut rows: Vec<serde_json::Map<String, serde_json::Value>> = Vec::new();
    for (line, row) in (1..).zip(text.lines()).filter(|(_, l)| !l.trim().is_empty()) {
        let value: serde_json::Value =
            serde_json::from_str(row).map_err(|e| DataError::of(path, format!("this is no JSON: {e}")).line(line))?;
        let serde_json::Value::Object(object) = value else {
            return Err(DataError::of(path, "a JSON object is wanted in each line").line(line));
        };
        for name in object.keys().filter(|n| word(n, "") == **n) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        rows.push(object);
    }
    if rows.is_empty() {
        return Err(DataError::of(path, "there are no rows in it"));
    }
    let label = label_of(path, &names, label)?;
    let columns: Vec<(String, String)> =
        names.iter().enumerate().map(|(c, name)| (name.clone(), json_kind(&rows, name, c == label))).collect();
    Ok(format!("jsonl({at}) {}{}", block(&columns), operators(false)))
}

fn json_kind(rows: &[serde_json::Map<String, serde_json::Value>], name: &str, last: bool) -> String {
    use serde_json::Value;
    let values: Vec<&Value> = rows.iter().map(|r| r.get(name).unwrap_or(&Value::Null)).collect();
    let lengths: Vec<Option<usize>> =
        values.iter().map(|v| v.as_array().filter(|a| a.iter().all(Value::is_number)).map(Vec::len)).collect();
    if let Some(Some(n @ 1..)) = lengths.first().filter(|n| lengths.iter().all(|m| m == *n)) {
        return format!("f32[{n}] |> standardize");
    }
    if values.iter().any(|v| v.is_array() || v.is_object()) {
        return "skip // not one number or text".into();
    }
    if values.iter().all(|v| v.is_boolean()) {
        return "bool".into();
    }
    let cells: Vec<String> = values
        .iter()
        .map(|v| match v {
            Value::Null => String::new(),
            Value::String(s) => s.clone(),
            other => other.to_string(),
        })
        .collect();
    kind(&cells.iter().map(String::as_str).collect::<Vec<_>>(), "", last)
}
