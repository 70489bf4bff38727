//! `tfm man`: manual pages, from the same declarations as `--help`.

use crate::args::command;
use crate::failure::Failure;
use crate::output::say;
use clap::Args;
use std::path::{Path, PathBuf};

/// The page of `tfm` on standard output, or all pages into a folder.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm man --dir ~/.local/share/man/man1\n  tfm man train | man -l -")]
pub struct Man {
    /// The command whose page it is; of `tfm` itself without one
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Option<String>,

    /// Write a page for every command into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Writes the pages.
    pub fn run(&self) -> Result<(), Failure> {
        let mut root = command();
        // Builds what subcommands inherit.
        root.build();
        if let Some(dir) = &self.dir {
            std::fs::create_dir_all(dir).map_err(Failure::file(dir))?;
            let pages = write(&root, "tfm", dir)?;
            return say(&format!("{pages} pages in {}", dir.display()));
        }
        let asked = match &self.command {
            None => &root,
            Some(name) => root
                .find_subcommand(name)
                .ok_or_else(|| Failure::Usage(format!("there is no command `{name}`; `tfm --help` lists them")))?,
        };
        let name = self.command.as_ref().map_or("tfm".into(), |n| format!("tfm-{n}"));
        say(&String::from_utf8_lossy(&page(asked, &name)?))
    }
}

fn page(command: &clap::Command, name: &str) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    // A page is about a name, `tfm-data-inspect`, which clap takes only where it outlives everything.
    let named: &'static str = Box::leak(name.to_string().into_boxed_str());
    let page = clap_mangen::Man::new(command.clone().name(named).version(env!("CARGO_PKG_VERSION")));
    page.render(&mut out).map_err(|e| Failure::Message(format!("the page of {name} cannot be written: {e}")))?;
    Ok(out)
}

/// Writes the pages of a command and of those below it; gives their number.
fn write(command: &clap::Command, name: &str, dir: &Path) -> Result<usize, Failure> {
    let path = dir.join(format!("{name}.1"));
    std::fs::write(&path, page(command, name)?).map_err(Failure::file(&path))?;
    let mut pages = 1;
    for sub in command.get_subcommands() {
        pages += write(sub, &format!("{name}-{}", sub.get_name()), dir)?;
    }
    Ok(pages)
}
