//! The commands, a file each.

mod bench;
mod check;
mod completions;
mod config;
mod cost;
mod data;
mod doc;
mod doctor;
mod eval;
mod explain;
mod export;
mod fmt;
mod forward;
mod graph;
mod init;
pub(crate) mod lint;
mod lsp;
mod man;
mod new;
mod plot;
mod predict;
mod profile;
mod runs;
mod test;
pub(crate) mod train;
mod tune;
mod watch;
mod why;

use crate::args::Arguments;
use crate::failure::Failure;
use clap::Subcommand;

/// How `tfm --help` orders the commands. A name that is no command yet is passed over.
pub const GROUPS: [(&str, &[&str]); 6] = [
    ("Begin", &["new", "init", "data", "doctor"]),
    ("Write", &["check", "lint", "fmt", "test", "doc", "explain", "why", "lsp"]),
    ("Train", &["train", "watch", "tune", "runs"]),
    ("Use", &["eval", "predict", "export"]),
    ("Look", &["graph", "plot", "cost", "profile", "bench"]),
    ("Set up", &["config", "completions", "man"]),
];

/// What `tfm` can do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Train a file, or one of its `train` blocks
    Train(train::Train),
    /// Train while the file is edited: each save goes on with the weights that fit
    Watch(watch::Watch),
    /// Find the mistakes in files without running them
    Check(check::Check),
    /// Show what a file costs: layers, parameters, operations, memory
    Cost(cost::Cost),
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
    /// Find a learning rate or a batch size by trying
    Tune(tune::Tune),
    /// Make the folder of a new project
    New(new::New),
    /// Write a file that trains on the data of another
    Init(init::Init),
    /// Look whether everything here is as it should be
    Doctor(doctor::Doctor),
    /// Show the settings of a folder and where each comes from, or their schema
    Config(config::Settings),
    /// Write the completions of a shell
    Completions(completions::Completions),
    /// Write manual pages
    Man(man::Man),
    /// List, compare and remove runs
    Runs(runs::Runs),
    /// Evaluate a trained run on data
    Eval(eval::Eval),
    /// Compute a model's outputs for a file of inputs
    Predict(predict::Predict),
    /// Write the weights of a run as safetensors
    Export(export::Export),
    /// Draw what a step computes: a tree, SVG, a page; show the graph or a plan
    Graph(graph::Graph),
    /// Draw the curves of runs, in the terminal or as SVG
    Plot(plot::Plot),
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
        Command::Cost(c) => c.run(color),
        Command::Lint(c) => c.run(color),
        Command::Data(c) => c.run(color),
        Command::Fmt(c) => c.run(color),
        Command::Lsp(c) => c.run(),
        Command::Test(c) => c.run(color),
        Command::Runs(c) => c.run(color),
        Command::Tune(c) => c.run(color),
        Command::New(c) => c.run(),
        Command::Init(c) => c.run(color),
        Command::Doctor(c) => c.run(color),
        Command::Config(c) => c.run(),
        Command::Completions(c) => c.run(),
        Command::Man(c) => c.run(),
        Command::Eval(c) => c.run(color),
        Command::Predict(c) => c.run(color),
        Command::Export(c) => c.run(),
        Command::Graph(c) => c.run(color),
        Command::Plot(c) => c.run(color),
        Command::Bench(c) => c.run(),
        Command::Profile(c) => c.run(color),
        Command::Doc(c) => c.run(color),
        Command::Explain(c) => c.run(),
        Command::Why(c) => c.run(color),
    }
}
