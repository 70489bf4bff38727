//! Which files are looked at, and what is found in one.

use super::levels::Configs;
use crate::config;
use crate::failure::Failure;
use crate::report::{Finding, Located, told};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tfm_lang::check::{Options, check};
use tfm_lang::lint::Settings;
use tfm_lang::source::Sources;

/// A file to look at.
pub struct Input {
    /// Where it lies, or what the standard input is called.
    pub path: PathBuf,
    /// The text, when it is the standard input's.
    pub piped: Option<String>,
}

impl Input {
    /// The folder it lies in.
    pub fn folder(&self) -> PathBuf {
        self.path.parent().map(Path::to_path_buf).unwrap_or_default()
    }

    /// Its text.
    pub fn text(&self) -> Result<String, Failure> {
        match &self.piped {
            Some(text) => Ok(text.clone()),
            None => read(&self.path),
        }
    }
}

/// The text of a file; a byte that is no text becomes a mark that the parser refuses.
pub fn read(path: &Path) -> Result<String, Failure> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) => Err(Failure::Usage(format!("{}: {e}", path.display()))),
    }
}

/// The files that are meant, each once, in the order of their paths below a folder.
pub fn collect(paths: &[PathBuf], stdin: &Path, configs: &mut Configs) -> Result<Vec<Input>, Failure> {
    let mut out: Vec<Input> = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = Vec::new();
            std::io::stdin().read_to_end(&mut text).map_err(|e| Failure::Usage(format!("standard input: {e}")))?;
            let text = String::from_utf8_lossy(&text).into_owned();
            out.push(Input { path: stdin.to_path_buf(), piped: Some(text) });
            continue;
        }
        let mut found = Vec::new();
        if path.is_dir() {
            below(path, configs, &mut found)?;
            found.sort();
        } else if path.exists() {
            found.push(path.clone());
        } else {
            return Err(Failure::Usage(format!("{}: there is no such file", path.display())));
        }
        for path in found {
            if !out.iter().any(|i| i.path == path) {
                out.push(Input { path, piped: None });
            }
        }
    }
    Ok(out)
}

/// All `.tfm` files below a folder; hidden folders, build outputs, runs and what is excluded are left out.
fn below(folder: &Path, configs: &mut Configs, out: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::Usage(format!("{}: {e}", folder.display()));
    let config = configs.of(folder)?;
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let whole = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let inside = whole.strip_prefix(&config.folder).unwrap_or(&path).display().to_string().replace('\\', "/");
        if config.lint.exclude.iter().any(|p| config::matches(p, &inside)) {
            continue;
        }
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "runs", "node_modules"].contains(&name.as_str()) {
                below(&path, configs, out)?;
            }
        } else if path.extension().is_some_and(|e| e == "tfm") {
            // `./a.tfm` is `a.tfm`.
            out.push(path.strip_prefix("./").map(Path::to_path_buf).unwrap_or(path));
        }
    }
    Ok(())
}

/// What is found in a file and in those of the user's that it imports. `texts` are in place of what is on disk.
pub fn lint_text(input: &Input, text: &str, settings: &Settings, texts: &BTreeMap<PathBuf, String>) -> Vec<Finding> {
    let folder = input.folder();
    let mut sources = Sources::default();
    let name = told(&input.path);
    let main = sources.add(name.as_str(), text, false);
    let mut load = |name: &str| {
        let path = folder.join(name);
        texts.get(&path).cloned().or_else(|| std::fs::read_to_string(path).ok())
    };
    let options = Options { tests: true, trace: true, ..Options::default() };
    let checked = check(&mut sources, tfm_stdlib::FILES, main, &mut load, &options);
    let mut found = tfm_lang::lint::lint(&sources, &checked, settings);
    found.splice(0..0, checked.diagnostics);
    let located = Located { sources: Rc::new(sources), folder: &folder, main: &name };
    found.into_iter().map(|d| located.finding(d)).collect()
}

/// What is found in a file, after the changes.
pub fn lint(input: &Input, settings: &Settings, texts: &BTreeMap<PathBuf, String>) -> Result<Vec<Finding>, Failure> {
    let text = match texts.get(&input.path) {
        Some(text) => text.clone(),
        None => input.text()?,
    };
    Ok(lint_text(input, &text, settings, texts))
}
