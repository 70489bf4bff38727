//! `tfm doc`: the pages of the library and of a user's file, in the terminal or as HTML.

mod html;
mod plain;

use crate::failure::Failure;
use crate::output::{Color, say};
use clap::Args;
use std::path::{Path, PathBuf};
use tfm_lang::doc::{self, Module, Page};
use tfm_lang::source::Sources;

/// What a declaration takes, gives and does, from its doc comment. Without a name, the modules.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  tfm doc Conv2d\n  tfm doc std.losses\n  tfm doc cross_entropy --source\n  tfm doc net.tfm Block\n  tfm doc --html site"
)]
pub struct Doc {
    /// A name of the library, a module, or a file
    #[arg(value_name = "NAME|FILE")]
    what: Option<String>,

    /// A name of that file
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Show the declaration itself, too
    #[arg(long)]
    source: bool,

    /// Write the library, and the file if there is one, as pages into this folder
    #[arg(long, value_name = "DIR")]
    html: Option<PathBuf>,
}

impl Doc {
    /// Shows or writes what was asked for.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let style = plain::Style { bold: color.wanted(&std::io::stdout()), source: self.source };
        let file = self.what.as_deref().filter(|w| w.ends_with(".tfm")).map(Path::new);
        if self.name.is_some() && file.is_none() {
            return Err(Failure::Usage("a second name is one of a file: `tfm doc FILE NAME`".into()));
        }
        let own = file.map(file_module).transpose()?;
        if let Some(dir) = &self.html {
            let mut modules: Vec<Module> = own.into_iter().collect();
            modules.extend(doc::library(tfm_stdlib::FILES));
            html::write(dir, &modules).map_err(Failure::file(dir))?;
            return say(&format!("{} pages in {}", modules.len() + 1, dir.join("index.html").display()));
        }
        match (&own, &self.name, &self.what) {
            (Some(module), None, _) => say(&plain::module(module, style)),
            (Some(module), Some(name), _) => pages(std::slice::from_ref(module), name, style),
            (None, _, None) => say(&plain::modules(&doc::library(tfm_stdlib::FILES), style)),
            (None, _, Some(name)) => {
                let library = doc::library(tfm_stdlib::FILES);
                let module = library.iter().find(|m| m.name == *name || m.name.strip_prefix("std.") == Some(name));
                match module {
                    Some(module) => say(&plain::module(module, style)),
                    None => pages(&library, name, style),
                }
            }
        }
    }
}

/// The pages of a name, one after the other where several modules have it.
fn pages(modules: &[Module], name: &str, style: plain::Style) -> Result<(), Failure> {
    let found: Vec<&Page> = doc::find(modules, name);
    if found.is_empty() {
        let near = doc::nearest(modules, name).map(|n| format!("; did you mean `{n}`?"));
        let more = near.unwrap_or_else(|| "; `tfm doc` lists the modules".into());
        return Err(Failure::Message(format!("there is no `{name}`{more}")));
    }
    let texts: Vec<String> = found.into_iter().map(|page| plain::page(page, style)).collect();
    say(&texts.join("\n\n"))
}

fn file_module(path: &Path) -> Result<Module, Failure> {
    let text = std::fs::read(path).map_err(Failure::file(path))?;
    let mut sources = Sources::default();
    let id = sources.add(path.display().to_string(), String::from_utf8_lossy(&text), false);
    let name = path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(doc::file(&sources, id, &name))
}
