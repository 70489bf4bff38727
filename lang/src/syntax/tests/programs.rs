//! Whole files that are right.

use std::path::{Path, PathBuf};

use pest::Parser as _;
use tfm_grammar::{Rule, TfmParser};

use crate::diagnostic::render::render_plain;
use crate::source::Sources;
use crate::syntax::ast::ItemKind;
use crate::syntax::parse;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "tfm") {
            found.push(path);
        }
    }
}

/// The programs beside this file, the library and the examples.
pub(super) fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("src/syntax/tests/programs"), &mut found);
    files(&root.join("../stdlib"), &mut found);
    files(&root.join("../examples"), &mut found);
    assert!(found.len() > 12, "{found:?}");
    found.into_iter().map(|p| (p.display().to_string(), std::fs::read_to_string(&p).unwrap())).collect()
}

#[test]
fn parse_without_diagnostics() {
    for (name, text) in all() {
        let mut sources = Sources::default();
        let id = sources.add(name.as_str(), text.as_str(), false);
        let (file, diagnostics) = parse(&sources, id);
        assert!(diagnostics.is_empty(), "{}", render_plain(&sources, &diagnostics));
        assert!(!file.items.is_empty());
        assert!(file.items.iter().all(|item| !matches!(item.kind, ItemKind::Error(_))), "{name}");
        // The grammar as a whole agrees.
        TfmParser::parse(Rule::file, &text).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}
