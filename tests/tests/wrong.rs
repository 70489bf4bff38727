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

/// The README counts files for each study and each class; there may be more by now, never fewer.
#[test]
fn the_readme_of_the_corpus_counts_what_is_there() {
    let folder = root().join("tests/wrong");
    let all: Vec<(String, String)> = files(&folder, "tfm")
        .iter()
        .map(|p| (p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(), read(p)))
        .collect();
    let head = |text: &str| text.lines().take_while(|l| l.starts_with("//")).collect::<Vec<_>>().join("\n");
    let (mut studies, mut found, mut missed) = (0, 0, 0);
    for line in read(&folder.join("README.md")).lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells.as_slice() {
            ["", name, count, _, ""] if count.parse::<usize>().is_ok() => {
                studies += 1;
                let there = all.iter().filter(|(_, text)| head(text).contains(name)).count();
                assert!(there >= count.parse().unwrap_or(0), "{there} files name {name}, the README says {count}");
            }
            ["", class, "yes", told, ""] => {
                found += 1;
                let (count, prefix) = told.split_once(' ').unwrap_or_else(|| panic!("{class}: {told}"));
                let there = all.iter().filter(|(name, _)| name.starts_with(prefix.trim_matches('`'))).count();
                let count: usize = count.parse().unwrap_or_else(|e| panic!("{class}: {e}"));
                assert!(there >= count && there > 0, "{there} files {prefix}, the README says {count}");
            }
            ["", _, "no", why, ""] => {
                missed += 1;
                assert!(!why.is_empty());
            }
            _ => {}
        }
    }
    assert!(studies >= 10 && found >= 15 && missed >= 8, "{studies} studies, {found} and {missed} classes");
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
