//! What is done about each lint: by `tfm.toml`, then by the command line.

use crate::config::{self, Config};
use crate::failure::Failure;
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tfm_lang::lint::{ALL, Level, Selector, Settings};

/// The flags that choose lints. A word is a group, a name, a code, the beginning of a code, or `all`.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// Only these lints, groups or codes, those that are off too
    #[arg(long, value_name = "LINT", value_delimiter = ',', value_parser = Selector::parse)]
    select: Vec<Selector>,

    /// Without these
    #[arg(long, visible_alias = "allow", value_name = "LINT", value_delimiter = ',', value_parser = Selector::parse)]
    ignore: Vec<Selector>,

    /// Show these as warnings
    #[arg(long, value_name = "LINT", value_delimiter = ',', value_parser = Selector::parse)]
    warn: Vec<Selector>,

    /// Show these as errors
    #[arg(long, value_name = "LINT", value_delimiter = ',', value_parser = Selector::parse)]
    deny: Vec<Selector>,

    /// What a step may need: `8 GB`; in place of `memory` in tfm.toml
    #[arg(long, value_name = "BYTES", value_parser = |t: &str| config::Bytes::try_from(t.to_string()))]
    memory: Option<config::Bytes>,
}

/// The settings of folders, each read once.
pub struct Configs {
    given: Option<PathBuf>,
    isolated: bool,
    read: BTreeMap<PathBuf, Config>,
}

impl Configs {
    /// With a file in place of the closest, or without any.
    pub fn new(given: Option<&Path>, isolated: bool) -> Configs {
        Configs { given: given.map(Path::to_path_buf), isolated, read: BTreeMap::new() }
    }

    /// The settings of a folder.
    pub fn of(&mut self, folder: &Path) -> Result<Config, Failure> {
        if let Some(config) = self.read.get(folder) {
            return Ok(config.clone());
        }
        let config = match &self.given {
            _ if self.isolated => {
                Ok(Config { folder: std::path::absolute(folder).unwrap_or_default(), ..Config::default() })
            }
            Some(path) => config::load(path),
            None => config::closest(folder),
        };
        let config = config.map_err(Failure::Usage)?;
        self.read.insert(folder.to_path_buf(), config.clone());
        Ok(config)
    }

    /// The baseline files that the settings name.
    pub fn baselines(&self) -> impl Iterator<Item = PathBuf> {
        let named = self.read.values().filter_map(|c| c.lint.baseline.as_ref().map(|b| c.folder.join(b)));
        let mut all: Vec<PathBuf> = named.collect();
        all.sort();
        all.dedup();
        all.into_iter()
    }

    /// What a file in this folder is linted with.
    pub fn settings(&mut self, folder: &Path, flags: &Flags) -> Result<Settings, Failure> {
        let config = self.of(folder)?;
        let mut levels = Vec::new();
        for (word, level) in &config.lint.levels {
            let selector = Selector::parse(word)
                .map_err(|e| Failure::Usage(format!("{}: {e}", config.folder.join(config::NAME).display())))?;
            let level = match level {
                config::Level::Allow => Level::Allow,
                config::Level::Warn => Level::Warn,
                config::Level::Deny => Level::Deny,
            };
            levels.push((selector, level));
        }
        // What says more wins, and later ones do.
        levels.sort_by_key(|(s, _)| match s {
            Selector::All => 0,
            Selector::Group(_) => 1,
            Selector::Prefix(_) => 2,
            Selector::One(_) => 3,
        });
        if !flags.select.is_empty() {
            let before = Settings { levels: levels.clone(), memory: None };
            let chosen = ALL.iter().filter(|l| flags.select.iter().any(|s| s.matches(l)));
            let chosen: Vec<_> = chosen.map(|l| (Selector::One(l.code), before.level(l).max(Level::Warn))).collect();
            levels.push((Selector::All, Level::Allow));
            levels.extend(chosen);
        }
        for (words, level) in [(&flags.warn, Level::Warn), (&flags.deny, Level::Deny), (&flags.ignore, Level::Allow)] {
            levels.extend(words.iter().map(|s| (s.clone(), level)));
        }
        let memory = flags.memory.or(config.lint.memory).map(|b| b.0);
        Ok(Settings { levels, memory })
    }
}
