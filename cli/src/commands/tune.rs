//! `tfm tune`: a learning rate and a batch size, found by trying.

mod batch;
mod curve;
mod edit;
mod lr;

use crate::failure::Failure;
use crate::output::{Color, Format};
use crate::pipeline::Compiled;
use crate::settings::Settings;
use crate::target;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// Find a learning rate or a batch size. The file is changed only with --write.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm tune lr examples/01_digits.tfm\n  tfm tune batch examples/01_digits.tfm")]
pub struct Tune {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone, Debug)]
enum What {
    /// Raise the rate from step to step and look at the loss: the rate at which it falls fastest
    #[command(
        after_help = "The rate goes up exponentially. The loss is smoothed, and the search ends when it is four \
        times the best one.\nSmith, arXiv 1506.01186.\n\nExample:\n  tfm tune lr examples/01_digits.tfm -o curve.svg"
    )]
    Lr(lr::Lr),
    /// The largest batch that fits the memory, and how fast the sizes below it are
    #[command(after_help = "Example:\n  tfm tune batch examples/01_digits.tfm --memory 2GB")]
    Batch(batch::Batch),
}

/// What both take.
#[derive(Args, Clone, Debug)]
struct Common {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The `train` block, when the file has several
    name: Option<String>,

    #[command(flatten)]
    settings: Settings,

    /// Put what was found into the file, in place of the number that is there
    #[arg(long)]
    write: bool,

    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Tune {
    /// Tries.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        match &self.what {
            What::Lr(c) => c.run(color),
            What::Batch(c) => c.run(color),
        }
    }
}

impl Common {
    /// The index of the block that is meant, which must be named where there are several.
    fn block(&self, compiled: &Compiled) -> Result<usize, Failure> {
        let trains = &compiled.model.trains;
        match (&self.name, trains.as_slice()) {
            (Some(name), _) => target::block(compiled, name),
            (None, [_]) => Ok(0),
            (None, []) => Err(Failure::Message(format!("{} has no `train` block", self.file.display()))),
            (None, many) => {
                let names: Vec<&str> = many.iter().map(|t| t.name.as_str()).collect();
                Err(Failure::Usage(format!("which block? the file has {}", names.join(", "))))
            }
        }
    }
}

/// Writes a file anew in one step.
fn replace(file: &Path, text: &str) -> Result<(), Failure> {
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, file)).map_err(Failure::file(file))
}
