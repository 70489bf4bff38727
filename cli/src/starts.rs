//! `start Encoder from "base.safetensors"`: the files that blocks start from.

use crate::failure::Failure;
use crate::pipeline::Compiled;
use crate::values::count;
use std::path::{Path, PathBuf};
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::model::{Start, Train};
use tfm_lowering::graph::Variable;
use tfm_runtime::checkpoint::{CheckpointError, Wanted, Weights};
use tfm_runtime::run::Engine;
use tfm_runtime::session::Session;

/// How many of the problems with a file are listed.
const SHOWN: usize = 8;

/// What does not fit, of what these blocks start from. A file that is not there is passed over unless it
/// `must_exist`. Relative paths start as those of data do: at `TFM_DATA`, in `directory`, here.
pub fn unfit<'a>(
    compiled: &Compiled,
    trains: impl IntoIterator<Item = &'a Train>,
    directory: &Path,
    must_exist: bool,
) -> Vec<Diagnostic> {
    let starts = trains.into_iter().flat_map(|t| &t.starts);
    let told = starts.filter_map(|start| {
        let Ok(path) = locate(&start.file, directory) else {
            return must_exist.then(|| missing(start, directory));
        };
        let fits = Weights::open(&path).and_then(|weights| {
            let wanted = wanted(start, &compiled.graph.variables);
            weights.fit(&wanted, &compiled.graph.variables).map_err(|e| near_names(e, &weights, start))
        });
        fits.err().map(|e| refused(start, &e))
    });
    told.collect()
}

/// Sets what a block starts from; gives a line about it.
///
/// # Errors
/// Those of [`unfit`], if the file has changed since.
pub fn begin(start: &Start, directory: &Path, session: &mut Session) -> Result<String, Failure> {
    let path = locate(&start.file, directory).map_err(|looked| {
        Failure::Message(format!("there is no `{}` to start from in {}", start.file, looked.join(", ")))
    })?;
    let weights = Weights::open(&path)?;
    let variables = session.variables().to_vec();
    let wanted = wanted(start, &variables);
    weights.set(&wanted, &variables, session.tensors_mut())?;
    let what = if start.target.is_empty() { "everything" } else { &start.target };
    let mut line = format!("{what} starts from {}: {} tensors", weights.path().display(), count(wanted.len() as u64));
    match weights.unused(&wanted, &start.at).as_slice() {
        [] => {}
        [one] => line += &format!("; {one} is not used"),
        [first, more @ ..] => line += &format!("; {first} and {} others are not used", count(more.len() as u64)),
    }
    Ok(line)
}

/// The names in the file of what starts. The graph's first variables are those of the model.
fn wanted(start: &Start, variables: &[Variable]) -> Vec<Wanted> {
    start.variables.iter().map(|id| (id.0 as usize, start.name_of(&variables[id.0 as usize].path))).collect()
}

/// The file or folder that is meant, or the places that were searched.
fn locate(file: &str, directory: &Path) -> Result<PathBuf, Vec<String>> {
    let roots = crate::target::places(directory).roots;
    // An absolute path replaces the root it is joined to.
    let found = roots.iter().map(|root| root.join(file)).find(|path| path.exists());
    found.ok_or_else(|| {
        let mut looked: Vec<String> = Vec::new();
        for root in &roots {
            let shown = std::path::absolute(root).unwrap_or_else(|_| root.clone()).display().to_string();
            if !looked.contains(&shown) {
                looked.push(shown);
            }
        }
        looked
    })
}

fn missing(start: &Start, directory: &Path) -> Diagnostic {
    let looked = locate(&start.file, directory).err().unwrap_or_default();
    Diagnostic::error("E0612", start.span, format!("there is no `{}` to start from", start.file))
        .note(format!("looked in {}", looked.join(", ")))
        .help("a path starts at the folder of TFM_DATA, beside this file or in the working directory")
}

fn refused(start: &Start, error: &CheckpointError) -> Diagnostic {
    let what = if start.target.is_empty() { "everything".into() } else { format!("`{}`", start.target) };
    let message = format!("{what} cannot start from {}", error.path.display());
    let asked = start.variables.len();
    let mut d = Diagnostic::error("E0612", start.span, message)
        .says(format!("asks for {asked} tensor{}", if asked == 1 { "" } else { "s" }));
    for problem in error.problems.iter().take(SHOWN) {
        d = d.note(problem.clone());
    }
    match error.problems.len().saturating_sub(SHOWN) {
        0 => d,
        more => d.note(format!("and {more} more")),
    }
}

/// Where all is missing, what the file has instead.
fn near_names(mut error: CheckpointError, weights: &Weights, start: &Start) -> CheckpointError {
    if error.problems.iter().all(|p| p.contains(": missing;")) && error.problems.len() == start.variables.len() {
        let names = weights.unused(&[], "");
        let shown = names.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
        let more = if names.len() > 4 { ", …" } else { "" };
        error.problems.insert(0, format!("the file has {} tensors: {shown}{more}", names.len()));
    }
    error
}
