//! What the whole-pipeline tests share: where things lie, and how a file is checked.
//!
//! The tests are in `tests/`, a file for each stage; their `.tfm` files lie in folders beside it.

pub mod examples;
pub mod expected;
pub mod gradients;
pub mod mutate;
mod probe;
pub mod two_steps;

use std::path::{Path, PathBuf};
use tfm_lang::check::{Checked, Options, check};
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::source::Sources;

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in a folder of the repository").into()
}

/// All files below a folder with this extension, sorted; build outputs and hidden folders are left out.
pub fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The text of a file of the repository.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Checks a file with the library, as `tfm check` does; imports are read from its folder.
pub fn check_file(path: &Path, options: &Options) -> (Sources, Checked) {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    check_text(&name, &read(path), path.parent().unwrap_or(Path::new(".")), options)
}

/// Checks a text as if it were a file of this name in the folder.
pub fn check_text(name: &str, text: &str, folder: &Path, options: &Options) -> (Sources, Checked) {
    let mut sources = Sources::default();
    let main = sources.add(name, text, false);
    let mut load = |relative: &str| std::fs::read_to_string(folder.join(relative)).ok();
    let checked = check(&mut sources, tfm_stdlib::FILES, main, &mut load, options);
    (sources, checked)
}

/// A finding in one line, for a test's own output: `line 3: E0301: message (help: …)`.
pub fn one_line(sources: &Sources, found: &Diagnostic) -> String {
    let file = sources.get(found.span().file);
    let (line, column) = sources.line_column(found.span());
    let help = found.help.as_ref().map(|h| format!(" (help: {h})")).unwrap_or_default();
    format!("{}:{line}:{column}: {}: {}{help}", file.name, found.code, found.message)
}
