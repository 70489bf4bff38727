//! Every `.tfm` file that comes with the project is good syntax.

use tfm_lang::source::Sources;
use tfm_tests::{files, one_line, read, root};

#[test]
fn library_and_examples_parse() {
    let mut found = Vec::new();
    for folder in ["stdlib", "examples", "tests/agree"] {
        let all = files(&root().join(folder), "tfm");
        assert!(all.len() >= 3, "{} files in {folder}", all.len());
        for path in all {
            let mut sources = Sources::default();
            let id = sources.add(path.display().to_string(), read(&path), false);
            let (_, diagnostics) = tfm_lang::syntax::parse(&sources, id);
            found.extend(diagnostics.iter().map(|d| one_line(&sources, d)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
