//! `tfm lsp`: the language server.

use crate::failure::Failure;
use crate::lsp::serve;
use clap::Args;
use lsp_server::Connection;

/// Serves an editor over standard input and output, in the Language Server Protocol. Editors start it by themselves;
/// docs/editors.md says how each is told.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm lsp")]
pub struct Lsp {
    /// Speak over standard input and output; this is the only way, and the flag is for editors that give it
    #[arg(long)]
    stdio: bool,
}

impl Lsp {
    /// Serves until the editor leaves.
    pub fn run(&self) -> Result<(), Failure> {
        let _ = self.stdio;
        let (connection, threads) = Connection::stdio();
        let stopped = serve(connection).map_err(Failure::Message)?;
        // An editor that goes without a word is an error, as the protocol has it.
        if !stopped {
            return Err(Failure::Status(1));
        }
        threads.join().map_err(|e| Failure::Message(e.to_string()))
    }
}
