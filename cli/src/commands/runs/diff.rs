//! `tfm runs diff`: what was changed from one run to another.

use super::readable;
use crate::failure::Failure;
use crate::output::{Color, say};
use crate::runs::Run;
use similar::TextDiff;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Shows the difference of two runs as a unified diff: the sources, imported files among them, and a file of settings
/// that the command line gave.
pub fn run(before: &Run, after: &Run, as_json: bool, color: Color) -> Result<(), Failure> {
    let (a, b) = (texts(before)?, texts(after)?);
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let mut diffs = BTreeMap::new();
    for name in names {
        let (old, new) = (a.get(name).map_or("", String::as_str), b.get(name).map_or("", String::as_str));
        if old == new {
            continue;
        }
        let side = |run: &Run, there: bool| if there { format!("{}/{name}", run.name()) } else { "/dev/null".into() };
        let heads = (side(before, a.contains_key(name)), side(after, b.contains_key(name)));
        let diff = TextDiff::from_lines(old, new).unified_diff().header(&heads.0, &heads.1).to_string();
        diffs.insert(name.clone(), diff);
    }
    if as_json {
        return say(&serde_json::json!({ "before": before.name(), "after": after.name(), "files": diffs }).to_string());
    }
    if diffs.is_empty() {
        return say(&format!("{} and {} are of the same sources and settings", before.name(), after.name()));
    }
    let text: String = diffs.values().map(String::as_str).collect();
    say(&if color.wanted(&std::io::stdout()) { colored(&text) } else { text })
}

fn colored(text: &str) -> String {
    let line = |l: &str| match l.as_bytes().first() {
        Some(b'+') => format!("\x1b[32m{l}\x1b[0m\n"),
        Some(b'-') => format!("\x1b[31m{l}\x1b[0m\n"),
        Some(b'@') => format!("\x1b[36m{l}\x1b[0m\n"),
        _ => format!("{l}\n"),
    };
    text.lines().map(line).collect()
}

/// The files of a run by name, with one of what the command line said.
fn texts(run: &Run) -> Result<BTreeMap<String, String>, Failure> {
    let info = &readable(run)?.info;
    let mut out = BTreeMap::new();
    walk(&run.path.join("source"), "", &mut out).map_err(Failure::file(&run.path.join("source")))?;
    let mut settings = format!("version {}\ntrain {}\nseed {}\n", info.version, info.train, info.seed);
    settings.extend(info.overrides.iter().map(|(n, v)| format!("--set {n}={v}\n")));
    out.insert("settings".into(), settings);
    Ok(out)
}

fn walk(folder: &Path, under: &str, out: &mut BTreeMap<String, String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{under}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{name}/"), out)?;
        } else {
            out.insert(name, String::from_utf8_lossy(&std::fs::read(entry.path())?).into_owned());
        }
    }
    Ok(())
}
