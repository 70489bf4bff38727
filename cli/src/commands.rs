//! The commands, a file each.

mod bench;
mod check;
mod data;
mod doc;
mod eval;
mod explain;
mod export;
mod fmt;
mod graph;
pub(crate) mod lint;
mod lsp;
mod predict;
mod profile;
mod test;
pub(crate) mod train;
mod watch;
mod why;

use crate::args::Arguments;
use crate::failure::Failure;
use clap::Subcommand;

/// What `tfm` can do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Train a file, or one of its `train` blocks
    Train(train::Train),
    /// Train while the file is edited: each save goes on with the weights that fit
    Watch(watch::Watch),
    /// Find the mistakes in files without running them
    Check(check::Check),
    /// Find hazards of numbers, models, training and data
    Lint(lint::Lint),
    /// Look at data: write the declaration of a file, show the first records
    Data(data::Data),
    /// Write files in the one style
    Fmt(fmt::Fmt),
    /// Serve an editor: diagnostics, shapes, completion and more
    Lsp(lsp::Lsp),
    /// Run the tests of files
    Test(test::Test),
    /// Evaluate a trained run on data
    Eval(eval::Eval),
    /// Compute a model's outputs for a file of inputs
    Predict(predict::Predict),
    /// Write the weights of a run as safetensors
    Export(export::Export),
    /// Show the graph of a file, or the plan for given sizes
    Graph(graph::Graph),
    /// Measure training on the standard workloads, beside other frameworks
    Bench(bench::Bench),
    /// Show where the time of a training step goes: by operation, line and layer
    Profile(profile::Profile),
    /// Show the documentation of the library, or of a file
    Doc(doc::Doc),
    /// Explain the code of an error
    Explain(explain::Explain),
    /// Show a value's type and where each of its dimensions comes from
    Why(why::Why),
}

/// Runs a command.
pub fn run(args: Arguments) -> Result<(), Failure> {
    let color = args.color;
    match args.command {
        Command::Train(c) => c.run(color),
        Command::Watch(c) => c.run(color),
        Command::Check(c) => c.run(color),
        Command::Lint(c) => c.run(color),
        Command::Data(c) => c.run(color),
        Command::Fmt(c) => c.run(color),
        Command::Lsp(c) => c.run(),
        Command::Test(c) => c.run(color),
        Command::Eval(c) => c.run(color),
        Command::Predict(c) => c.run(color),
        Command::Export(c) => c.run(),
        Command::Graph(c) => c.run(color),
        Command::Bench(c) => c.run(),
        Command::Profile(c) => c.run(color),
        Command::Doc(c) => c.run(color),
        Command::Explain(c) => c.run(),
        Command::Why(c) => c.run(color),
    }
}
