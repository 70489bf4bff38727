//! The pipeline: from the text of a file to a graph, a line per step.

use std::path::{Path, PathBuf};
use tfm_lang::check::{self, check};
use tfm_lang::diagnostic::{Diagnostic, Severity};
use tfm_lang::model::Model;
use tfm_lang::source::{FileId, Sources};
use tfm_lowering::graph::Graph;
use tfm_lowering::place::Fallback;
use tfm_lowering::{build, differentiate, micro, partition, place, precision, simplify, update};

/// A checked file and its graph.
pub struct Compiled {
    /// All texts, for what is said about them later.
    pub sources: Sources,
    /// The user's files, the main one first.
    pub files: Vec<FileId>,
    /// The checked file.
    pub model: Model,
    /// Training, evaluation and initial values as one graph.
    pub graph: Graph,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
    /// The hints that this machine cannot honour.
    pub fallbacks: Vec<Fallback>,
}

/// A file with errors.
pub struct Rejected {
    /// All texts.
    pub sources: Sources,
    /// Errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Takes a file through the whole pipeline. What is left is done by a session when it is fed: fuse, schedule
/// (both once per sizes), run. `load` reads a file beside the main one by its relative path.
pub fn compile(
    name: &str,
    text: &str,
    load: &mut dyn FnMut(&str) -> Option<String>,
    options: &check::Options,
    adjust: &dyn Fn(&mut Model),
) -> Result<Compiled, Rejected> {
    let mut sources = Sources::default();
    let main = sources.add(name, text, false);
    let checked = check(&mut sources, tfm_stdlib::FILES, main, load, options); // parse, check
    let Some(mut model) = checked.model else {
        return Err(Rejected { sources, diagnostics: checked.diagnostics });
    };
    adjust(&mut model);
    match lower(&model) {
        Ok((graph, fallbacks)) => {
            Ok(Compiled { sources, files: checked.files, model, graph, warnings: checked.diagnostics, fallbacks })
        }
        Err(error) => {
            let mut diagnostics = checked.diagnostics;
            diagnostics.push(*error);
            Err(Rejected { sources, diagnostics })
        }
    }
}

/// From a checked file to the graph that the device runs, and the hints that it cannot honour.
fn lower(model: &Model) -> Result<(Graph, Vec<Fallback>), Box<Diagnostic>> {
    let mut graph = build(model);
    differentiate(&mut graph, model).map_err(Box::new)?;
    precision(&mut graph, model); // before nodes are shared between blocks
    micro(&mut graph, model);
    update(&mut graph, model).map_err(Box::new)?;
    simplify(&mut graph);
    let placement = place(&graph, &["cpu".to_string()]);
    let fallbacks = placement.as_ref().map_or(Vec::new(), |p| p.fallbacks().to_vec());
    // One device has all of the work, and so its part is the whole graph.
    let part = placement.and_then(|p| partition(&graph, &p).into_iter().next());
    Ok((part.map_or(graph, |part| part.graph), fallbacks))
}

/// [`compile`] for a file on disk.
pub fn compile_file(
    path: &Path,
    options: &check::Options,
    adjust: &dyn Fn(&mut Model),
) -> Result<Result<Compiled, Rejected>, std::io::Error> {
    let text = std::fs::read(path)?;
    // A byte that is no text becomes a mark that the parser refuses, at its place.
    let text = String::from_utf8_lossy(&text);
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut load = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    Ok(compile(&path.display().to_string(), &text, &mut load, options, adjust))
}

impl Rejected {
    /// True when there is an error, and not only warnings.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

impl Compiled {
    /// The user's files as they should be kept with a run: names relative to the main file's folder, and
    /// texts. The main file is the first.
    pub fn source_files(&self) -> Vec<(PathBuf, &str)> {
        let mut kept = Vec::new();
        let main = self.files.first().map(|f| PathBuf::from(&self.sources.get(*f).name)).unwrap_or_default();
        let folder = main.parent().unwrap_or(Path::new(""));
        for file in self.files.iter().map(|f| self.sources.get(*f)).filter(|f| !f.library) {
            let path = Path::new(&file.name);
            let inside = path.strip_prefix(folder).unwrap_or(path);
            // A name that leads out of the folder is kept by its last part.
            let plain = inside.components().all(|c| matches!(c, std::path::Component::Normal(_)));
            let name = if plain { inside.to_path_buf() } else { PathBuf::from(path.file_name().unwrap_or_default()) };
            kept.push((name, file.text.as_str()));
        }
        kept
    }

    /// The trained numbers of the model.
    pub fn parameters(&self) -> u64 {
        let parameters = self.model.variables.iter().filter(|v| v.kind == tfm_lang::model::VariableKind::Parameter);
        parameters.map(|v| v.ty.size().as_constant().unwrap_or(0).max(0) as u64).sum()
    }
}
