//! What a column seems to be, from its cells.

use super::quoted;
use crate::data::table::identifier;
use std::collections::BTreeMap;

/// Texts that stand for a missing value in the files of the world.
pub(super) const MISSING: [&str; 8] = ["?", "NA", "N/A", "nan", "NaN", "null", "NULL", "None"];

/// More different texts than this are not written out.
const NAMES: usize = 20;

/// A name that the language takes, from a heading; `other` where nothing of it is left.
pub(super) fn word(heading: &str, other: &str) -> String {
    const TAKEN: [&str; 13] =
        ["let", "if", "else", "for", "in", "fold", "scan", "fn", "on", "and", "or", "not", "yield"];
    let name: String = identifier(heading).chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let name = name.trim_matches('_');
    match name.chars().next() {
        None => other.to_string(),
        Some(c) if c.is_ascii_digit() => format!("c_{name}"),
        _ if TAKEN.contains(&name) || ["true", "false"].contains(&name) => format!("{name}_"),
        _ => name.to_string(),
    }
}

/// How many classes whole numbers have that are all the numbers below a small one.
pub(super) fn classes(numbers: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    let mut seen = [false; 256];
    for n in numbers {
        *seen.get_mut(usize::try_from(n?).ok()?)? = true;
    }
    let count = seen.iter().rposition(|s| *s)? + 1;
    (count > 1 && seen[..count].iter().all(|s| *s)).then_some(count as i64)
}

/// Columns in braces, a line each, their kinds in line.
pub(super) fn block(columns: &[(String, String)]) -> String {
    let width = columns.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 1;
    let line = |(name, kind): &(String, String)| format!("  {:<width$} {kind}\n", format!("{name}:"));
    format!("{{\n{}}}", columns.iter().map(line).collect::<String>())
}

/// The kind of a column with these cells, `missing` among them; the last column may be the label.
pub(super) fn kind(cells: &[&str], missing: &str, last: bool) -> String {
    let is_missing = |c: &str| c.is_empty() || c == missing;
    let there: Vec<&str> = cells.iter().copied().filter(|c| !is_missing(c)).collect();
    let holes = there.len() < cells.len();
    if there.is_empty() {
        return "skip // every value is missing".into();
    }
    if there.iter().all(|c| c.parse::<f64>().is_ok_and(f64::is_finite)) {
        let whole = there.iter().map(|c| c.parse::<i64>().ok());
        return match classes(whole).filter(|n| !holes && *n as usize * 2 <= there.len().max(4)) {
            Some(n) if last => format!("label({n})"),
            Some(n) if n <= NAMES as i64 => format!("category({n})"),
            _ => "f32 |> standardize".into(),
        };
    }
    let mut texts: BTreeMap<&str, usize> = BTreeMap::new();
    there.iter().for_each(|c| *texts.entry(c).or_default() += 1);
    let words = there.iter().map(|c| c.split_whitespace().count()).sum::<usize>() as f64 / there.len() as f64;
    if texts.len() <= NAMES && (texts.len() * 2 <= there.len() || texts.len() <= 3) {
        let names = texts.keys().copied().chain((holes && !last).then_some(missing));
        let names: Vec<String> = names.map(quoted).collect();
        let form = if last && !holes { "label" } else { "category" };
        return format!("{form}([{}])", names.join(", "));
    }
    if words >= 4.0 && !there.iter().all(|c| looks_like_time(c)) {
        let longest = there.iter().map(|c| c.split_whitespace().count()).max().unwrap_or(1);
        return format!("words(10_000, length: {})", (longest * 3 / 2).clamp(4, 256));
    }
    if texts.len() * 2 > there.len() {
        return "skip // nearly every row has another text".into();
    }
    format!("category(hash: {})", (texts.len() * 2).next_power_of_two())
}

/// `2016-07-01 00:00:00`, `01/07/2016`, `12:30`
pub(super) fn looks_like_time(cell: &str) -> bool {
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let marks = cell.bytes().filter(|b| b"-/:.T Z+".contains(b)).count();
    digits >= 4 && marks >= 1 && digits + marks == cell.len() && cell.parse::<f64>().is_err()
}
