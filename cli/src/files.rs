//! Finding the user's files.

use std::path::{Path, PathBuf};

/// The `.tfm` files below a folder, sorted; build outputs, hidden folders and the folders of runs are left out.
pub fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if folder.join("run.json").exists() {
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        entries.push(entry?.path());
    }
    entries.sort();
    for path in entries {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|e| e == "tfm") {
            files.push(path);
        }
    }
    Ok(())
}
