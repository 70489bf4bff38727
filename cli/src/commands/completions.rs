//! `tfm completions`: what a shell needs to complete command lines.

use crate::args::command;
use crate::failure::Failure;
use crate::output::say;
use clap::Args;
use clap_complete::Shell;

/// A script for a shell, written to standard output.
#[derive(Args, Clone, Debug)]
#[command(after_help = "bash: put it into ~/.local/share/bash-completion/completions/tfm; fish: into \
    ~/.config/fish/completions/tfm.fish; zsh: into a folder of `fpath`, as _tfm.\n\nExample:\n  \
    tfm completions fish > ~/.config/fish/completions/tfm.fish")]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Writes the script.
    pub fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "tfm", &mut script);
        say(&String::from_utf8_lossy(&script))
    }
}
