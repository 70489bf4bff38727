//! `tfm export`: weights for others.

use crate::failure::Failure;
use crate::output::say;
use clap::Args;
use std::path::PathBuf;
use tfm_runtime::checkpoint::{Store, Which, export};
use tfm_runtime::run::Folder;

/// Parameters and states of layers by their paths; averages in place of parameters where the optimizer keeps
/// them.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm export runs/digits_net/001 -o digits.safetensors")]
pub struct Export {
    /// The folder of a run
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// The file to write
    #[arg(short, long, default_value = "model.safetensors", value_name = "FILE")]
    output: PathBuf,

    /// Which checkpoint: last, best, or its folder
    #[arg(long, default_value = "last", value_name = "last|best|PATH")]
    checkpoint: String,
}

impl Export {
    /// Writes the file.
    pub fn run(&self) -> Result<(), Failure> {
        let store = Store::open(&Folder::open(&self.run).checkpoints())?;
        let checkpoint = store.find(&Which::from(self.checkpoint.as_str()))?;
        export(&checkpoint, &self.output)?;
        say(&format!("{} from {}", self.output.display(), checkpoint.display()))
    }
}
