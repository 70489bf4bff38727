//! `tfm.toml`: what a folder says of itself. The closest one counts, from the file upwards; a section is a struct here.
//!
//! A key that there is not is an error with its line, and with the name that may be meant.

pub mod defaults;
pub mod section;

use crate::output::Format;
use clap::ValueEnum;
use section::{section, word};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use tfm_lang::check::near;

/// The name of the file.
pub const NAME: &str = "tfm.toml";

/// Where the folders of runs are, when nothing is said.
pub const RUNS: &str = "runs";

section! {
    /// What a folder says of itself; it holds for those below it too
    pub struct Config {
        /// What flags are when they are not given
        train: Train = "",
        /// What `tfm lint` does here
        lint: Lint = "",
    }
    skip {
        /// The folder that the file lies in; paths in it begin there.
        folder: PathBuf,
    }
}

section! {
    /// What flags are when they are not given
    pub struct Train {
        /// The folder where the folders of runs are made and looked for
        runs: Option<PathBuf> = format!("{RUNS:?}"),
        /// The folder in which relative paths of data are looked for first; `TFM_DATA` goes before
        data: Option<PathBuf> = "beside the .tfm file",
        /// Threads to compute with; the numbers do not depend on it
        threads: Option<NonZeroU16> = "all cores",
        /// The form of the output of `tfm train`
        format: Option<Format> = format!("{:?}", word(&Format::default())),
    }
}

section! {
    /// What `tfm lint` does here
    pub struct Lint {
        /// What is done about groups and lints, by name or code: `suspicious = "deny"`, `log_of_zero = "allow"`. What
        /// says more wins: a lint over its group, a group over `all`
        levels: BTreeMap<String, Level> = "as each lint has it",
        /// Bytes of the device, `"8 GB"`: what a step may need
        memory: Option<Bytes> = "any",
        /// Files and folders that are left out, with `*` for a part of a name and `**` for any folders
        exclude: Vec<String> = "[]",
        /// A file of findings that are known and not shown, as `--write-baseline` makes it
        baseline: Option<PathBuf> = "none",
    }
}

/// A level, `"allow"`, `"warn"` or `"deny"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Level {
    Allow,
    Warn,
    Deny,
}

/// A number of bytes, written as `"512 MB"` or `"2 GB"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Bytes(pub u64);

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Bytes, String> {
        let wrong = || format!("`{text}` is no amount of memory; write \"512 MB\" or \"8 GB\"");
        let at = text.find(|c: char| c.is_alphabetic()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(at);
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        let unit = match unit.trim() {
            "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "TB" => 1e12,
            _ => return Err(wrong()),
        };
        if number <= 0.0 || !number.is_finite() { Err(wrong()) } else { Ok(Bytes((number * unit) as u64)) }
    }
}

/// The settings for what lies in a folder: those of the closest `tfm.toml` from there upwards, or none.
///
/// # Errors
/// What is wrong in the file, with its line.
pub fn closest(folder: &Path) -> Result<Config, String> {
    match find(folder) {
        Some(path) => load(&path),
        None => {
            let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
            Ok(Config { folder, ..Config::default() })
        }
    }
}

/// The closest `tfm.toml` from a place upwards.
pub fn find(place: &Path) -> Option<PathBuf> {
    let start = std::path::absolute(place).unwrap_or_else(|_| place.to_path_buf());
    start.ancestors().map(|f| f.join(NAME)).find(|p| p.is_file())
}

/// Reads one file.
///
/// # Errors
/// What is wrong in it, with its line.
pub fn load(path: &Path) -> Result<Config, String> {
    let shown = shown(path);
    let text = std::fs::read_to_string(path).map_err(|e| format!("{shown}: {e}"))?;
    let mut config = parse(&text).map_err(|(line, problem)| format!("{shown}:{line}: {problem}"))?;
    config.folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    Ok(config)
}

/// A path as it is told: from the working directory, where it lies below.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// Reads a text; what is wrong comes with its line.
pub fn parse(text: &str) -> Result<Config, (usize, String)> {
    toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start.min(text.len()));
        let line = text.get(..at).unwrap_or("").matches('\n').count() + 1;
        (line, told(e.message()))
    })
}

/// A message of the reader in our words.
fn told(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let [wrong, known @ ..] = quoted.as_slice() else { return lower(message) };
    let what = if message.starts_with("unknown field") {
        "key"
    } else if message.starts_with("unknown variant") {
        "value"
    } else {
        return lower(message);
    };
    // `warning` for `warn` is further than a slip of the fingers.
    let begins = |k: &&str| !wrong.is_empty() && (k.starts_with(wrong) || wrong.starts_with(*k));
    let meant = near(wrong, known.iter().copied()).or_else(|| known.iter().copied().find(begins));
    let help = match meant {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")),
    };
    format!("there is no {what} `{wrong}` here; {help}")
}

fn lower(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default().trim_end_matches('.');
    let mut chars = message.chars();
    let first: String = chars.next().map(|c| c.to_lowercase().collect()).unwrap_or_default();
    first + chars.as_str()
}

/// Whether a pattern means a path, both with `/`: `*` is a part of a name, `**` any folders; a folder means what is in it.
pub fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.trim_matches('/').split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    (1..=path.len()).any(|n| parts(&pattern, &path[..n]))
}

fn parts(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => parts(rest, path) || !path.is_empty() && parts(pattern, &path[1..]),
        ([first, rest @ ..], [name, more @ ..]) => part(first.as_bytes(), name.as_bytes()) && parts(rest, more),
        _ => false,
    }
}

fn part(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => part(rest, name) || !name.is_empty() && part(pattern, &name[1..]),
        ([a, rest @ ..], [b, more @ ..]) => a == b && part(rest, more),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_has_its_line_and_the_name_that_is_meant() {
        let wrong = |text: &str| parse(text).expect_err(text);
        assert_eq!(wrong("[lints]\n"), (1, "there is no key `lints` here; did you mean `lint`?".into()));
        assert_eq!(
            wrong("[lint]\n\nexclud = []\n"),
            (3, "there is no key `exclud` here; did you mean `exclude`?".into())
        );
        assert_eq!(
            wrong("[lint.levels]\nlog_of_zero = \"warning\"\n"),
            (2, "there is no value `warning` here; did you mean `warn`?".into())
        );
        let (line, told) = wrong("[lint]\nmemory = \"8 gigs\"\n");
        assert!(line == 2 && told.contains("is no amount of memory"), "{line}: {told}");
        assert_eq!(wrong("[lint\n").0, 1);
    }

    #[test]
    fn what_is_right_is_read() {
        let config = parse("[lint]\nmemory = \"1.5 GB\"\nexclude = [\"old\"]\n[lint.levels]\nstyle = \"deny\"\n")
            .expect("right");
        assert_eq!(config.lint.memory, Some(Bytes(1_500_000_000)));
        assert_eq!(config.lint.levels.get("style"), Some(&Level::Deny));
        assert_eq!(parse("").expect("nothing is right too"), Config::default());
    }

    #[test]
    fn patterns() {
        for (pattern, path, wanted) in [
            ("old", "old/a.tfm", true),
            ("old/", "old/a/b.tfm", true),
            ("old", "older/a.tfm", false),
            ("*.tfm", "a.tfm", true),
            ("*.tfm", "a/b.tfm", false),
            ("**/wrong_*.tfm", "a/b/wrong_1.tfm", true),
            ("a/*/c.tfm", "a/b/c.tfm", true),
            ("a/*/c.tfm", "a/b/d/c.tfm", false),
        ] {
            assert_eq!(matches(pattern, path), wanted, "{pattern} {path}");
        }
    }
}
