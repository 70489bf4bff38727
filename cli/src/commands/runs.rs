//! `tfm runs`: the runs that are there, side by side.

mod compare;
mod diff;
mod list;
mod remove;
mod show;

use crate::failure::Failure;
use crate::output::Color;
use crate::runs::{Run, find};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Look at runs: which there are, how they differ, which to remove.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "A run is named by its folder, by `net/001`, by `net` for the newest of a block, or by its number \
    where there is one block.\n\nExample:\n  tfm runs list\n  tfm runs compare net/001 net/002"
)]
pub struct Runs {
    #[command(subcommand)]
    what: What,

    /// Where the runs are
    #[arg(long, default_value = crate::config::RUNS, value_name = "DIR", global = true)]
    runs: PathBuf,

    /// JSON in place of lines for people
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Clone, Debug)]
enum What {
    /// All runs: when, how long, how they ended, how good they are
    #[command(after_help = "Example:\n  tfm runs list net")]
    List {
        /// Only those of this `train` block
        #[arg(value_name = "TRAIN")]
        train: Option<String>,
    },
    /// The metrics of runs and the settings in which they differ, a column each
    #[command(after_help = "Example:\n  tfm runs compare net/001 net/002")]
    Compare {
        /// The runs
        #[arg(value_name = "RUN", num_args = 2.., required = true)]
        names: Vec<String>,
    },
    /// What was changed from one run to another: sources with imported files, settings
    #[command(after_help = "Example:\n  tfm runs diff net/001 net/002")]
    Diff {
        /// The run before
        #[arg(value_name = "A")]
        before: String,
        /// The run after
        #[arg(value_name = "B")]
        after: String,
    },
    /// Everything a run's folder says
    #[command(after_help = "Example:\n  tfm runs show net")]
    Show {
        /// The run
        #[arg(value_name = "RUN")]
        name: String,
    },
    /// Remove runs
    #[command(after_help = "Example:\n  tfm runs rm net/001 --yes")]
    Rm {
        /// The runs
        #[arg(value_name = "RUN", required = true)]
        names: Vec<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Remove all but the newest runs of each `train` block
    #[command(after_help = "Example:\n  tfm runs prune --keep 5 --yes")]
    Prune {
        /// How many stay
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        keep: u32,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

impl Runs {
    /// Does what was asked for.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        match &self.what {
            What::List { train } => list::run(&self.runs, train.as_deref(), self.json),
            What::Compare { names } => compare::run(&self.find_all(names)?, self.json),
            What::Diff { before, after } => diff::run(&self.find(before)?, &self.find(after)?, self.json, color),
            What::Show { name } => show::run(&self.find(name)?, self.json),
            What::Rm { names, yes } => remove::run(self.find_all(names)?, *yes, self.json),
            What::Prune { keep, yes } => remove::prune(&self.runs, *keep as usize, *yes, self.json),
        }
    }

    fn find(&self, name: &str) -> Result<Run, Failure> {
        find(&self.runs, name).map_err(Failure::Message)
    }

    fn find_all(&self, names: &[String]) -> Result<Vec<Run>, Failure> {
        names.iter().map(|name| self.find(name)).collect()
    }
}

/// A run that can be read, or the error that it cannot be.
fn readable(run: &Run) -> Result<&crate::runs::Found, Failure> {
    run.found.as_ref().map_err(|e| Failure::Message(format!("{} is broken: {e}", run.path.display())))
}
