//! The shape of the repository: which folder may use which, how long a file may be, what opens it.

use std::path::{Path, PathBuf};
use tfm_tests::{files, read, root};

/// The crates in the order of the data flow. Each may use those above it; `stdlib` is text, and so stands
/// where it is first read.
const ORDER: [(&str, &str); 6] = [
    ("grammar", "tfm-grammar"),
    ("lang", "tfm-lang"),
    ("stdlib", "tfm-stdlib"),
    ("lowering", "tfm-lowering"),
    ("runtime", "tfm-runtime"),
    ("cli", "tfm"),
];

/// The names in the sections of a manifest that make something a dependency of what is shipped.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut out = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[dependencies]" || line == "[build-dependencies]" || line.ends_with(".dependencies]");
            if let Some(name) = line.strip_prefix("[dependencies.") {
                out.push(name.trim_end_matches(']').to_string());
            }
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            out.push(name.trim_matches('"').to_string());
        }
    }
    out
}

#[test]
fn folders_depend_on_those_above_only() {
    for (i, (folder, name)) in ORDER.iter().enumerate() {
        let manifest = read(&root().join(folder).join("Cargo.toml"));
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{folder} should be the crate {name}");
        let uses = dependencies(&manifest);
        assert!(!uses.is_empty() || i == 2 || i == 0, "no dependencies were read from {folder}/Cargo.toml");
        for (_, other) in &ORDER[i..] {
            assert!(!uses.iter().any(|u| u == other), "{folder} uses {other}, which does not stand above it");
        }
        assert!(!uses.iter().any(|u| u == "tfm-tests"), "{folder} uses the tests");
    }
    let library = read(&root().join("stdlib/Cargo.toml"));
    assert!(dependencies(&library).is_empty(), "the library is text and depends on nothing");
}

#[test]
fn the_language_and_lowering_read_no_files_and_start_no_threads() {
    for folder in ["lang/src", "lowering/src"] {
        for path in files(&root().join(folder), "rs") {
            // Tests may read what they compare with.
            let test = path.components().any(|c| c.as_os_str() == "tests") || path.ends_with("tests.rs");
            let text = read(&path);
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            for word in ["std::fs", "std::thread", "std::net", "std::process"] {
                assert!(test || !code.contains(word), "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = sources().iter().filter(|p| !read(p).starts_with("//! ")).map(|p| shown(p)).collect();
    assert!(silent.is_empty(), "these files do not open with `//!`: {}", silent.join(", "));
}

#[test]
fn no_file_is_over_600_lines_without_a_reason() {
    let over = |path: &PathBuf| {
        let text = read(path);
        let reason = text.lines().take_while(|l| l.starts_with("//!")).any(|l| l.contains("over 600 lines because"));
        let lines = text.lines().count();
        (lines > 600 && !reason).then(|| format!("{} ({lines})", shown(path)))
    };
    let long: Vec<String> = sources().iter().filter_map(over).collect();
    assert!(long.is_empty(), "these files are over 600 lines and give no reason: {}", long.join(", "));
}

/// The library and the examples too: each file opens with a comment, and each declaration has one.
#[test]
fn every_declaration_of_the_library_is_documented() {
    const WORDS: [&str; 8] = ["fn ", "layer ", "model ", "loss ", "metric ", "optimizer ", "schedule ", "primitive "];
    let mut seen = 0;
    for path in files(&root().join("stdlib"), "tfm") {
        let text = read(&path);
        assert!(text.starts_with("//"), "{} does not open with a comment", shown(&path));
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            if WORDS.iter().any(|w| line.starts_with(w)) {
                let documented = i > 0 && lines[i - 1].starts_with("///");
                assert!(documented, "{}:{}: `{line}` has no doc comment", shown(&path), i + 1);
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "only {seen} declarations were found in the library");
}

fn sources() -> Vec<PathBuf> {
    let found = files(&root(), "rs");
    assert!(found.len() > 10, "only {} source files were found below {}", found.len(), root().display());
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
