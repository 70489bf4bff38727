//! `[train]` of `tfm.toml` on the command line: what flags are when they are not given.

use super::section::word;
use super::{Config, closest, shown};
use crate::failure::Failure;
use clap::Command;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Defaults by the names of flags.
type Defaults = [(&'static str, &'static str)];

/// The command line with what the settings say: those of the folder of the first `.tfm` file among the words, else those
/// of the working directory. A command without such flags reads no settings, and works where they are wrong.
///
/// # Errors
/// What is wrong in the file, with its line.
pub fn apply(command: Command, words: &[OsString]) -> Result<Command, Failure> {
    let named = words.iter().skip(1).find_map(|w| command.find_subcommand(w));
    let Some((name, has_flags)) = named.map(|c| (c.get_name().to_string(), takes_any(c))) else { return Ok(command) };
    if !has_flags || words.iter().any(|w| w == "--help" || w == "-h") {
        return Ok(command);
    }
    let config = closest(&folder(words)).map_err(Failure::Usage)?;
    let defaults = defaults(&config, &name);
    Ok(command.mut_subcommand(name, |sub| with(sub, &defaults)))
}

/// The flags that have a key, and what the settings say of them.
fn defaults(config: &Config, command: &str) -> Vec<(&'static str, &'static str)> {
    let train = &config.train;
    let format = train.format.as_ref().filter(|_| command == "train");
    let said = [
        ("runs", train.runs.as_ref().map(|r| shown(&config.folder.join(r)))),
        ("threads", train.threads.map(|n| n.to_string())),
        ("format", format.map(word)),
    ];
    // Flags want texts that outlive everything; there are three in a process.
    said.into_iter().filter_map(|(flag, text)| Some((flag, &*text?.leak()))).collect()
}

fn takes_any(command: &Command) -> bool {
    let is_ours = |id: &str| ["runs", "threads"].contains(&id);
    command.get_arguments().any(|a| is_ours(a.get_id().as_str())) || command.get_subcommands().any(takes_any)
}

/// A command, and those below it, with defaults.
fn with(mut command: Command, defaults: &Defaults) -> Command {
    for (flag, value) in defaults {
        if command.get_arguments().any(|a| a.get_id() == *flag) {
            command = command.mut_arg(*flag, |a| a.default_value(*value));
        }
    }
    let below: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_string()).collect();
    below.into_iter().fold(command, |command, name| command.mut_subcommand(name, |sub| with(sub, defaults)))
}

/// The folder that the settings are looked for in, from there upwards.
fn folder(words: &[OsString]) -> PathBuf {
    let file = words.iter().skip(1).map(Path::new).find(|p| p.extension().is_some_and(|e| e == "tfm"));
    file.map_or_else(|| PathBuf::from("."), crate::target::parent)
}
