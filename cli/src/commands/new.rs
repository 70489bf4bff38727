//! `tfm new`: a project to begin with.

use crate::failure::Failure;
use crate::output::say;
use clap::Args;
use std::path::PathBuf;

/// A folder with a file that trains at once, settings, a note on data and a README.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Nothing that is there is written over.\n\nExample:\n  tfm new flowers\n  cd flowers\n  \
    tfm train flowers.tfm")]
pub struct New {
    /// The folder to make; its last part is the project's name
    #[arg(value_name = "NAME")]
    path: PathBuf,
}

/// The files of a project, with `NAME` in them for its name and `MODEL` for that of its model.
const FILES: [(&str, &str); 5] = [
    ("NAME.tfm", include_str!("new/project.tfm")),
    ("tfm.toml", include_str!("new/tfm.toml")),
    (".gitignore", include_str!("new/gitignore")),
    ("README.md", include_str!("new/README.md")),
    ("data/README.md", include_str!("new/data.md")),
];

impl New {
    /// Makes the folder.
    pub fn run(&self) -> Result<(), Failure> {
        let name = self.path.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned());
        let word = name.replace('-', "_");
        let is_word = word.chars().next().is_some_and(|c| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !is_word {
            return Err(Failure::Usage(format!(
                "`{name}` cannot be the name of a project: it is also that of its `train` block, small letters, digits, \
                 `_` and `-`"
            )));
        }
        if self.path.exists() {
            let inside = std::fs::read_dir(&self.path).map_err(Failure::file(&self.path))?;
            if inside.count() > 0 {
                return Err(Failure::Message(format!(
                    "{} is there and not empty; nothing was written",
                    self.path.display()
                )));
            }
        }
        let model = super::init::camel(&word);
        let file = format!("{word}.tfm");
        for (at, text) in FILES {
            let to = self.path.join(at.replace("NAME", &word));
            if let Some(parent) = to.parent() {
                std::fs::create_dir_all(parent).map_err(Failure::file(parent))?;
            }
            let text = text.replace("NAME", &word).replace("MODEL", &model);
            std::fs::write(&to, text).map_err(Failure::file(&to))?;
        }
        say(&format!(
            "{} has {file}, which trains at once:\n  cd {}\n  tfm train {file}",
            self.path.display(),
            self.path.display()
        ))
    }
}
