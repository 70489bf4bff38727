//! The flags that change what a file says.

use clap::Args;
use tfm_lang::check::Options;
use tfm_lang::model::Model;

/// `--set`, `--seed`, `--threads`.
#[derive(Args, Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Change a setting of `train` or a `const` of the file; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,

    /// The seed of the run, in place of the file's
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Threads to compute with [default: all cores]; the numbers do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

/// Reads `NAME=VALUE`.
pub fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE, such as epochs=1")?;
    if name.trim().is_empty() || value.trim().is_empty() {
        return Err("it must be NAME=VALUE, such as epochs=1".into());
    }
    Ok((name.trim().into(), value.trim().into()))
}

impl Settings {
    /// What the checker is told.
    pub fn options(&self) -> Options {
        Options { overrides: self.set.clone(), ..Options::default() }
    }

    /// How many threads to use.
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(cores, usize::from)
    }

    /// Puts the seed into a checked model.
    pub fn apply(&self, model: &mut Model) {
        if let Some(seed) = self.seed {
            model.trains.iter_mut().for_each(|t| t.seed = seed);
        }
    }
}
