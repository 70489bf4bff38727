//! Wrong files, each with the findings expected of it written where they belong, and no others; see
//! `tfm_tests::expected` for how they are written.

use std::path::Path;
use tfm_lang::check::Options;
use tfm_lang::diagnostic::Severity;
use tfm_tests::expected::{disagreements, expectations};
use tfm_tests::{check_file, files, read, root};

#[test]
fn wrong_files_show_what_is_wrong_and_nothing_else() {
    let folder = root().join("tests/wrong");
    let all = files(&folder, "tfm");
    assert!(all.len() >= 150, "{} wrong files in {}", all.len(), folder.display());
    let failures: Vec<String> = all.iter().filter_map(|path| disagreement(path)).collect();
    assert!(failures.is_empty(), "{} of {} files:\n\n{}", failures.len(), all.len(), failures.join("\n"));
}

/// What differs between a file's expectations and its findings, when something does.
fn disagreement(path: &Path) -> Option<String> {
    let expected = expectations(&path.display().to_string(), &read(path));
    let (sources, checked) = check_file(path, &Options { tests: true, ..Options::default() });
    let mut out = disagreements(&sources, &checked.diagnostics, &expected);
    if expected.is_empty() {
        out += "  the file says nothing of what is expected\n";
    }
    if checked.model.is_some() && expected.iter().any(|e| e.severity == Severity::Error) {
        out += "  a model came out of a wrong file\n";
    }
    (!out.is_empty()).then(|| format!("{}\n{out}", path.display()))
}
