//! `tfm config`: the settings of a folder, and their schema.

use crate::config::section::{Key, Kind};
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::output::say;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// What `tfm.toml` says here, or may say.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm config show\n  tfm config schema > tfm.schema.json")]
pub struct Settings {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone, Debug)]
enum What {
    /// Every setting with its value and where that comes from
    #[command(after_help = "Example:\n  tfm config show examples --json")]
    Show {
        /// A file or a folder; the closest `tfm.toml` from there upwards counts
        #[arg(default_value = ".", value_name = "PATH")]
        place: PathBuf,
        /// JSON in place of lines for people
        #[arg(long)]
        json: bool,
    },
    /// The JSON schema of `tfm.toml`, for editors and for checks
    #[command(after_help = "Example:\n  tfm config schema > tfm.schema.json")]
    Schema,
}

/// A setting as it stands.
struct Row {
    name: String,
    value: String,
    from: String,
}

impl Settings {
    /// Shows them.
    pub fn run(&self) -> Result<(), Failure> {
        match &self.what {
            What::Schema => say(&format!("{:#}", schema())),
            What::Show { place, json } => show(place, *json),
        }
    }
}

/// The schema of the file.
fn schema() -> serde_json::Value {
    let mut schema = Config::schema();
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = config::NAME.into();
    schema
}

fn show(place: &Path, as_json: bool) -> Result<(), Failure> {
    std::fs::metadata(place).map_err(Failure::file(place))?;
    let found = config::find(place);
    let mut rows = Vec::new();
    let text = match &found {
        Some(path) => {
            config::load(path).map_err(Failure::Usage)?;
            std::fs::read_to_string(path).map_err(Failure::file(path))?
        }
        None => String::new(),
    };
    let parsed = DeTable::parse(&text).map_err(|e| Failure::Message(e.to_string()))?;
    let file = found.as_deref().map(config::shown).unwrap_or_default();
    collect("", &Config::keys(), Some(parsed.get_ref()), (&text, &file), &mut rows);
    if let Some(data) = std::env::var_os("TFM_DATA").filter(|v| !v.is_empty())
        && let Some(row) = rows.iter_mut().find(|r| r.name == "train.data")
    {
        (row.value, row.from) = (format!("{:?}", data.to_string_lossy()), "TFM_DATA".into());
    }
    if as_json {
        let rows: Vec<_> =
            rows.iter().map(|r| serde_json::json!({ "name": r.name, "value": r.value, "from": r.from })).collect();
        return say(&serde_json::json!({ "file": file, "settings": rows }).to_string());
    }
    let widths = [|r: &Row| r.name.chars().count(), |r: &Row| r.value.chars().count()]
        .map(|of| rows.iter().map(of).max().unwrap_or(0));
    let head = if file.is_empty() { format!("there is no {} from here upwards", config::NAME) } else { file };
    let line = |r: &Row| format!("{:<a$}  {:<b$}  {}\n", r.name, r.value, r.from, a = widths[0], b = widths[1]);
    say(format!("{head}\n{}", rows.iter().map(line).collect::<String>()).trim_end())
}

/// The settings of a table and of those below it, with the line that gives each.
fn collect(under: &str, keys: &[Key], table: Option<&DeTable<'_>>, (text, file): (&str, &str), rows: &mut Vec<Row>) {
    for key in keys {
        let name = if under.is_empty() { key.name.to_string() } else { format!("{under}.{}", key.name) };
        let given = table.and_then(|t| t.iter().find(|(k, _)| k.get_ref().as_ref() == key.name));
        if !key.keys.is_empty() {
            let inner = given.and_then(|(_, v)| match v.get_ref() {
                DeValue::Table(inner) => Some(inner),
                _ => None,
            });
            collect(&name, &key.keys, inner, (text, file), rows);
            continue;
        }
        let line = |at: usize| format!("{file}:{}", text[..at].matches('\n').count() + 1);
        match given {
            None => rows.push(Row { name, value: key.default.clone(), from: "default".into() }),
            // A table of names that are free, `[lint.levels]`: a row each.
            Some((_, value)) => match value.get_ref() {
                DeValue::Table(inner) => rows.extend(inner.iter().map(|(k, v)| Row {
                    name: format!("{name}.{}", k.get_ref()),
                    value: text[v.span()].to_string(),
                    from: line(k.span().start),
                })),
                _ => rows.push(Row { name, value: text[value.span()].to_string(), from: line(value.span().start) }),
            },
        }
    }
}
