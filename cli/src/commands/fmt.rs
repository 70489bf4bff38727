//! `tfm fmt`: files in the one style.

use crate::failure::Failure;
use crate::files::collect;
use crate::output::{Color, complain, say, show_diagnostics};
use clap::Args;
use similar::TextDiff;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::format::{Refused, format};
use tfm_lang::source::Sources;

/// Writes files in the one style: blanks, line breaks and columns change, words and comments do not.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "It ends with 0 when all is well, with 1 when `--check` or `--diff` found a file that would change or a \
                  file has a mistake, with 2 when a file cannot be read or written.\n\n\
                  Example:\n  tfm fmt\n  tfm fmt net.tfm\n  tfm fmt --check models/\n  tfm fmt - < net.tfm"
)]
pub struct Fmt {
    /// Files, folders with all that is in them, or `-` for standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// Write nothing; name the files that would change
    #[arg(long)]
    check: bool,

    /// Write nothing; show what would change
    #[arg(long)]
    diff: bool,

    /// What errors call standard input
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    stdin_filename: String,
}

/// What came of all files.
#[derive(Default)]
struct Count {
    changed: usize,
    same: usize,
    /// Files with mistakes.
    broken: usize,
    /// Files that could not be read or written.
    lost: usize,
}

impl Fmt {
    /// Formats all files.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        if self.paths.iter().any(|path| path.as_os_str() == "-") {
            return match self.paths.len() {
                1 => self.stdin(color),
                _ => Err(Failure::Usage("`-` stands alone: standard input is one file".into())),
            };
        }
        let mut count = Count::default();
        for path in &self.paths {
            let mut files = vec![path.clone()];
            if path.is_dir() {
                files.clear();
                if let Err(error) = collect(path, &mut files) {
                    count.lose(path, &error);
                }
            }
            for file in files {
                self.file(&file, &mut count, color)?;
            }
        }
        self.finish(&count)
    }

    fn file(&self, path: &Path, count: &mut Count, color: Color) -> Result<(), Failure> {
        let text = match std::fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => {
                complain(&format!("error: {}: not a text in UTF-8", path.display()));
                count.broken += 1;
                return Ok(());
            }
            Err(error) => {
                count.lose(path, &error);
                return Ok(());
            }
        };
        let name = path.display().to_string();
        let made = match formatted(&name, &text) {
            Ok(made) => made,
            Err((sources, diagnostics)) => {
                count.broken += 1;
                show_diagnostics(&sources, &diagnostics, color);
                return Ok(());
            }
        };
        if made == text {
            count.same += 1;
            return Ok(());
        }
        count.changed += 1;
        if self.diff {
            return say(&difference(&name, &text, &made));
        }
        if self.check {
            return say(&format!("{name} would change"));
        }
        if let Err(error) = replace(path, &made) {
            count.changed -= 1;
            count.lose(path, &error);
        }
        Ok(())
    }

    fn stdin(&self, color: Color) -> Result<(), Failure> {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::Usage(format!("{}: {error}", self.stdin_filename)))?;
        match formatted(&self.stdin_filename, &text) {
            Err((sources, diagnostics)) => {
                show_diagnostics(&sources, &diagnostics, color);
                Err(Failure::Shown)
            }
            Ok(made) if self.diff && made != text => {
                say(&difference(&self.stdin_filename, &text, &made))?;
                Err(Failure::Shown)
            }
            Ok(made) if self.check && made != text => {
                say(&format!("{} would change", self.stdin_filename))?;
                Err(Failure::Shown)
            }
            Ok(_) if self.check || self.diff => Ok(()),
            Ok(made) if made.is_empty() => Ok(()),
            Ok(made) => say(&made),
        }
    }

    fn finish(&self, count: &Count) -> Result<(), Failure> {
        let files = |n: usize| if n == 1 { "1 file".to_string() } else { format!("{n} files") };
        let only = self.check || self.diff;
        let mut parts = Vec::new();
        if count.changed > 0 {
            parts.push(format!("{} {}", files(count.changed), if only { "would change" } else { "changed" }));
        }
        if count.same > 0 {
            parts.push(format!("{} as {} should be", files(count.same), if count.same == 1 { "it" } else { "they" }));
        }
        if count.broken > 0 {
            parts.push(format!("{} with mistakes, left alone", files(count.broken)));
        }
        if parts.is_empty() && count.lost == 0 {
            parts.push("no `.tfm` file here".into());
        }
        if !parts.is_empty() {
            complain(&parts.join(", "));
        }
        match count {
            Count { lost: 1.., .. } => Err(Failure::Status(2)),
            Count { broken: 1.., .. } => Err(Failure::Shown),
            Count { changed: 1.., .. } if only => Err(Failure::Shown),
            _ => Ok(()),
        }
    }
}

impl Count {
    fn lose(&mut self, path: &Path, error: &std::io::Error) {
        complain(&format!("error: {}: {error}", path.display()));
        self.lost += 1;
    }
}

/// The text in the one style, or what is wrong with it.
fn formatted(name: &str, text: &str) -> Result<String, (Sources, Vec<Diagnostic>)> {
    let mut sources = Sources::default();
    let file = sources.add(name, text, false);
    match format(&sources, file) {
        Ok(made) => Ok(made),
        Err(Refused::Broken(diagnostics)) => Err((sources, diagnostics)),
        // The hook for panics says that this is a mistake of tfm's, and where to report it.
        Err(Refused::Changed) => panic!("`tfm fmt` would have changed what {name} says"),
    }
}

fn difference(name: &str, text: &str, made: &str) -> String {
    let diff = TextDiff::from_lines(text, made);
    let (before, after) = (format!("a/{name}"), format!("b/{name}"));
    diff.unified_diff().context_radius(3).header(&before, &after).to_string()
}

/// Puts a text in a file's place at once: whoever reads it finds the old text or the new.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // A link stays one, and what it leads to is written.
    let path = path.canonicalize()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let permissions = std::fs::metadata(&path)?.permissions();
    let written = std::fs::File::create_new(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::set_permissions(&beside, permissions)?;
        std::fs::rename(&beside, &path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}
