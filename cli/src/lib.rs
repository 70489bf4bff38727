//! The library behind the `tfm` command: what each command does, and how it speaks to a terminal.
//!
//! [`pipeline`] is the whole way from a file to a graph, a line per step. `commands/` has one file per
//! command, with its flags, its help and its work. Files are read and written here and in the
//! runtime; the language and its lowering never see one.

pub mod args;
mod bug;
mod commands;
pub mod config;
mod cost;
pub mod failure;
mod feeds;
mod files;
pub mod lsp;
mod machine;
mod notes;
mod output;
mod picture;
pub mod pipeline;
mod plot;
mod progress;
pub mod report;
mod runs;
mod scratch;
mod settings;
mod signals;
mod starts;
mod target;
pub mod testing;
mod values;
mod watch;

use failure::Failure;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    bug::install();
    let code = std::panic::catch_unwind(|| run(std::env::args_os()));
    // The hook has told the user.
    ExitCode::from(code.unwrap_or(1))
}

/// Runs one command line, the first word of which is the program, and gives its exit status. It speaks to the
/// streams of this process.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    match args::parse(words) {
        Ok(args) => finish(commands::run(args)),
        Err(code) => code,
    }
}

/// Says what failed, and gives the exit status.
fn finish(result: Result<(), Failure>) -> u8 {
    let Err(failure) = result else { return 0 };
    if let Some(text) = failure.text() {
        output::complain(&text);
    }
    failure.code()
}
