//! `[train]` of `tfm.toml`: what flags are when they are not given.

use super::{Config, closest};
use clap::Command;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder of data that the settings name.
static DATA: OnceLock<PathBuf> = OnceLock::new();

/// The folder of data that the settings name, once a command line was read.
pub fn data() -> Option<&'static Path> {
    DATA.get().map(PathBuf::as_path)
}

/// Commands that must work when the settings are wrong, or that read them on their own.
const WITHOUT: [&str; 8] = ["config", "doctor", "lint", "completions", "man", "explain", "doc", "new"];

/// The settings for a command line: those of the folder of the first `.tfm` file on it, else those of this one.
///
/// # Errors
/// What is wrong in the file, with its line.
pub fn of(words: &[OsString]) -> Result<Config, String> {
    let command = words.iter().skip(1).filter_map(|w| w.to_str()).find(|w| !w.starts_with('-'));
    let is_without = command.is_none_or(|c| WITHOUT.contains(&c))
        || words.iter().any(|w| ["--help", "-h", "--version", "-V"].iter().any(|h| w == h));
    if is_without {
        return Ok(Config::default());
    }
    closest(&folder(words))
}

/// The folder that the settings are looked for in, from there upwards.
pub fn folder(words: &[OsString]) -> PathBuf {
    let file = words.iter().skip(1).map(Path::new).find(|p| p.extension().is_some_and(|e| e == "tfm"));
    let parent = file.and_then(Path::parent).filter(|p| !p.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_path_buf()
}

/// The command line with the defaults of the settings.
pub fn apply(command: Command, config: &Config) -> Command {
    let train = &config.train;
    let text = |p: &Path| shorter(&config.folder.join(p)).display().to_string();
    if let Some(data) = &train.data {
        // A second command line of the same process keeps the first.
        let _ = DATA.set(config.folder.join(data));
    }
    let defaults = [
        ("runs", train.runs.as_deref().map(text)),
        ("threads", train.threads.map(|n| n.to_string())),
        ("no_sanity", train.sanity.map(|s| (!s).to_string())),
    ];
    let format = train.format.clone();
    let mut command = command;
    for name in command.get_subcommands().map(|c| c.get_name().to_string()).collect::<Vec<_>>() {
        command = command.mut_subcommand(&name, |mut sub| {
            for (id, value) in &defaults {
                let Some(value) = value else { continue };
                if sub.get_arguments().any(|a| a.get_id() == *id) {
                    sub = sub.mut_arg(*id, |a| a.default_value(leaked(value)));
                }
            }
            match &format {
                Some(format) if name == "train" => sub.mut_arg("format", |a| a.default_value(leaked(format.word()))),
                _ => sub,
            }
        });
    }
    command
}

/// The flags want texts that outlive everything; there are a few in a process.
fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_string().into_boxed_str())
}

/// A path from here, where it lies below.
fn shorter(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).map_or_else(|_| path.to_path_buf(), Path::to_path_buf)
}
