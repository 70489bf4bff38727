//! Tests of what an editor asks. A `|` in a text is the place that is asked about.

mod grammar;
mod services;

use super::{Analysis, Document, Library};
use std::sync::OnceLock;

/// The real library.
fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| Library::new(&files()))
}

/// The files of the library, read from beside this crate: the crate that embeds them uses this one.
fn files() -> Vec<(&'static str, &'static str)> {
    fn walk(folder: &std::path::Path, root: &std::path::Path, found: &mut Vec<(&'static str, &'static str)>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|e| e == "tfm") {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                found.push((name.leak(), std::fs::read_to_string(&path).unwrap().leak()));
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../stdlib");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.sort_unstable();
    found
}

/// A text, its check, and the place of the `|`, which is taken out.
struct Asked {
    document: Document,
    analysis: Analysis,
    place: u32,
}

fn asked(text: &str) -> Asked {
    let place = text.find('¦').unwrap_or(text.len());
    let text = text.replacen('¦', "", 1);
    let mut load = |name: &str| (name == "helpers.tfm").then(|| HELPERS.to_string());
    let document = Document::new("test.tfm", &text, library(), &mut load);
    let analysis = Analysis::new("test.tfm", &text, library(), &Default::default(), &mut load);
    Asked { document, analysis, place: place as u32 }
}

const HELPERS: &str = "/// Twice x.\nfn twice(x: f32[..S]) -> f32[..S] { 2 * x }\n";
