//! Lints: each finds its hazard in every form that its declaration shows, says nothing of what is better, and nothing of
//! any good program; `docs/lints.md` is what the declarations say; a fix leaves a file that checks and has the finding no
//! more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tfm_lang::check::{Checked, Options};
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::doc::Module;
use tfm_lang::lint::{ALL, Fixes, Level, Lint, Selector, Settings, lint, reference, whole};
use tfm_lang::source::Sources;
use tfm_tests::{check_text, files, one_line, read, root};

fn traced() -> Options {
    Options { trace: true, ..Options::default() }
}

/// Imports of the library's names that a text has.
fn with_imports(text: &str) -> String {
    if text.contains("import ") {
        return text.to_string();
    }
    static LIBRARY: LazyLock<Vec<Module>> = LazyLock::new(|| tfm_lang::doc::library(tfm_stdlib::FILES));
    let scoped = ["std.primitives", "std.functions", "std.builtin", "std.data", "std.init"];
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut out = String::new();
    // Of a name that two modules have, the loss.
    for module in LIBRARY.iter().filter(|m| !scoped.contains(&m.name.as_str())) {
        let names = module.pages.iter().map(|p| p.name.as_str());
        let names: Vec<&str> = names.filter(|n| !known.contains(*n) && applies(text, n)).collect();
        known.extend(names.iter().map(|n| n.to_string()));
        if !names.is_empty() {
            out += &format!("import {}.{{{}}}\n", module.name, names.join(", "));
        }
    }
    out + "\n" + text
}

/// Whether a text applies a name, hands it on, or gives it to an application, and does not declare it.
fn applies(text: &str, name: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let declared = ["layer", "model", "fn"].iter().any(|k| text.contains(&format!("{k} {name}(")));
    !declared
        && text.match_indices(name).any(|(at, _)| {
            let (before, behind) = (&text[..at], &text[at + name.len()..]);
            let word = !before.ends_with(|c| letter(c) || c == '.') && !behind.starts_with(letter);
            let (before, behind) = (before.trim_end(), behind.trim_start());
            let given = before.ends_with(['(', ',']) && behind.starts_with([')', ',']);
            word && (behind.starts_with('(') || given || before.ends_with("|>") || before.ends_with("only:"))
        })
}

fn found(text: &str, folder: &Path, settings: &Settings) -> (Sources, Checked, Vec<Diagnostic>) {
    let (sources, checked) = check_text("example.tfm", text, folder, &traced());
    let mut all = checked.diagnostics.clone();
    all.extend(lint(&sources, &checked, settings));
    (sources, checked, all)
}

fn only(lint: &Lint) -> Settings {
    let one = Selector::One(lint.code);
    Settings { levels: vec![(Selector::All, Level::Allow), (one, Level::Warn)], memory: None }
}

fn told(sources: &Sources, found: &[Diagnostic]) -> String {
    found.iter().map(|d| format!("    {}\n", one_line(sources, d))).collect()
}

#[test]
fn each_lint_finds_what_it_shows() {
    let mut wrong = String::new();
    for l in ALL {
        assert!(l.bad.len() >= 2, "{} shows one form only", l.name);
        for text in l.bad {
            let text = with_imports(&whole(text));
            let (sources, _, all) = found(&text, &root(), &only(l));
            let hit = all.iter().any(|d| d.code == l.code);
            if !hit || all.iter().any(|d| d.code.starts_with('E')) {
                wrong += &format!("{}: not found, or with an error, in\n{text}\n{}", l.name, told(&sources, &all));
            }
            let (sources, _, all) = found(&text, &root(), &Settings::default());
            let others: Vec<Diagnostic> = all.into_iter().filter(|d| d.code != l.code).collect();
            if !others.is_empty() {
                wrong += &format!("{}: found beside it in\n{text}\n{}", l.name, told(&sources, &others));
            }
        }
        for text in l.good {
            let text = with_imports(&whole(text));
            let mut settings = only(l);
            settings.levels.remove(0);
            let (sources, _, all) = found(&text, &root(), &settings);
            if !all.is_empty() {
                wrong += &format!("{}: found in what is better\n{text}\n{}", l.name, told(&sources, &all));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A file after the first edit of a finding.
fn mended(text: &str, d: &Diagnostic) -> Option<String> {
    let fix = d.fixes.first()?;
    let mut text = text.to_string();
    text.replace_range(fix.span.start as usize..fix.span.end as usize, &fix.replacement);
    Some(text)
}

#[test]
fn each_edit_leaves_a_file_that_checks_and_lacks_the_finding() {
    let (mut wrong, mut count) = (String::new(), 0);
    for l in ALL {
        let mut any = false;
        for text in l.bad {
            let text = with_imports(&whole(text));
            let (_, _, all) = found(&text, &root(), &only(l));
            let before = all.iter().filter(|d| d.code == l.code).count();
            for d in all.iter().filter(|d| d.code == l.code) {
                let Some(after) = mended(&text, d) else { continue };
                (any, count) = (true, count + 1);
                let safe = d.fixes[0].safe;
                let declared = if l.fix == Fixes::Safe { true } else { !safe };
                let (sources, _, left) = found(&after, &root(), &only(l));
                let same = left.iter().filter(|d| d.code == l.code).count();
                if same >= before || left.iter().any(|d| d.code.starts_with('E')) || !declared {
                    wrong += &format!("{} (safe: {safe}):\n{after}\n{}", l.name, told(&sources, &left));
                }
            }
        }
        if any != (l.fix != Fixes::None) {
            wrong += &format!("{}: it declares {:?}, and an example has an edit: {any}\n", l.name, l.fix);
        }
    }
    assert!(wrong.is_empty() && count > 15, "{count} edits\n{wrong}");
}

/// Every program that is meant to be right.
fn good_programs() -> Vec<PathBuf> {
    let mut all = files(&root().join("examples"), "tfm");
    for folder in ["lang/src/syntax/tests/programs", "cli/bench", "tests/agree"] {
        all.extend(files(&root().join(folder), "tfm").into_iter().filter(|p| !p.ends_with("declarations.tfm")));
    }
    all
}

#[test]
fn good_programs_have_no_findings() {
    let (mut wrong, all) = (String::new(), good_programs());
    assert!(all.len() >= 25, "{} programs", all.len());
    for path in &all {
        let (sources, checked, found) =
            found(&read(path), path.parent().unwrap_or(Path::new(".")), &Settings::default());
        if !found.is_empty() || checked.model.is_none() {
            wrong += &format!("{}\n{}", path.display(), told(&sources, &found));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A library file, as if a user had written it: its names are its own, the others come from the library.
#[test]
fn library_files_have_no_findings() {
    let mut wrong = String::new();
    for (path, text) in tfm_stdlib::FILES.iter().filter(|(p, _)| !p.starts_with("primitives/")) {
        let (sources, checked, found) = found(text, &root(), &Settings::default());
        if checked.model.is_some() && !found.is_empty() {
            wrong += &format!("{path}\n{}", told(&sources, &found));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_page_is_what_the_declarations_say() {
    let path = root().join("docs/lints.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, reference()).expect("the page can be written");
    }
    assert!(read(&path) == reference(), "docs/lints.md is old: UPDATE=1 cargo test -p tfm-tests --test lints");
}
