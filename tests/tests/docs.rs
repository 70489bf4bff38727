//! What the documentation says is so: every snippet of the language in `docs/` and the README is checked and its
//! tests are run, and the pages that are written from declarations are up to date.
//!
//! A snippet is fenced by ```` ```tfm ````. Alone that is a whole file; one without an `import` knows every name of
//! the library. With a second word it is a part of a file, and the rest is around it unseen:
//!
//! - `body`: statements of a layer with the inputs `x: f32[B, 8]`, `image: f32[B, 3, 32, 32]`, `tokens: i32[B, 12] below
//!   100`, applied to batches of two;
//! - `train`: statements of a `train` block on `digits`, where `logits` are those of a model, with the settings that it
//!   does not have itself;
//! - `test`: statements of a test.
//!
//! A line that is wrong says so as the files in `tests/wrong` do.

use std::path::{Path, PathBuf};
use tfm::testing::{Form, failures};
use tfm_lang::check::Options;
use tfm_lang::doc::{self, Module};
use tfm_lang::source::Sources;
use tfm_lang::syntax::ast::ItemKind;
use tfm_tests::expected::{disagreements, expectations};
use tfm_tests::{check_text, files, read, root};

struct Snippet {
    place: String,
    /// What stands after `tfm`.
    part: String,
    text: String,
}

fn pages() -> Vec<PathBuf> {
    let mut all = files(&root().join("docs"), "md");
    all.push(root().join("README.md"));
    all
}

/// The snippets of a page.
fn snippets(path: &Path) -> Vec<Snippet> {
    let text = read(path);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut out: Vec<Snippet> = Vec::new();
    let mut fence: Option<&str> = None;
    for (i, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), fence) {
            (Some(info), None) => {
                fence = Some(info);
                if let Some(part) = info.strip_prefix("tfm") {
                    let place = format!("{name}:{}", i + 1);
                    out.push(Snippet { place, part: part.trim().into(), text: String::new() });
                }
            }
            (Some(_), Some(_)) => fence = None,
            (None, Some(info)) if info.starts_with("tfm") => {
                let snippet = out.last_mut().expect("a fence began it");
                snippet.text += line;
                snippet.text.push('\n');
            }
            _ => {}
        }
    }
    assert!(fence.is_none(), "{name}: a fence is not closed");
    out
}

/// Imports of every name of the library that the text does not declare itself.
fn imports(library: &[Module], text: &str) -> String {
    let mut sources = Sources::default();
    let id = sources.add("snippet", text, false);
    let mut own: Vec<String> = Vec::new();
    for item in tfm_lang::syntax::parse(&sources, id).0.items {
        match item.kind {
            ItemKind::Callable(c) => own.push(c.name.text.to_string()),
            ItemKind::Const(name, _) | ItemKind::Dim(name, _) | ItemKind::Data { name, .. } => {
                own.push(name.text.to_string())
            }
            _ => {}
        }
    }
    let scoped = |m: &&Module| {
        !["std.primitives", "std.functions", "std.builtin", "std.data", "std.init"].contains(&m.name.as_str())
    };
    let mut out = String::new();
    for module in library.iter().filter(scoped) {
        // A name that two modules have is known as the first has it.
        let names: Vec<&str> =
            module.pages.iter().map(|p| p.name.as_str()).filter(|n| !own.iter().any(|o| o == n)).collect();
        out += &format!("import {}.{{{}}}\n", module.name, names.join(", "));
        own.extend(names.into_iter().map(String::from));
    }
    out
}

/// The file that a snippet is a part of.
fn whole(snippet: &Snippet, library: &[Module]) -> String {
    let text = &snippet.text;
    let known = || imports(library, text);
    match snippet.part.as_str() {
        "" if text.contains("import ") => text.clone(),
        "" => known() + text,
        "test" => format!("{}test \"snippet\" {{\n{text}}}\n", known()),
        "body" => format!(
            "{}layer Snippet()(x: f32[B, 8], image: f32[B, 3, 32, 32], tokens: i32[B, 12] below 100) {{\n{text}}}\n\
             test \"snippet\" {{\n  let made = Snippet()(zeros([2, 8]), zeros([2, 3, 32, 32]), zeros([2, 12], i32))\n  expect true\n}}\n",
            known()
        ),
        "train" => {
            let mut settings = String::new();
            for (words, line) in [
                (&["minimize"][..], "minimize cross_entropy(logits, label)"),
                (&["optimizer:", " with "], "optimizer: Adam()"),
                (&["batch:"], "batch: 32"),
                (&["epochs:", "steps:"], "epochs: 1"),
            ] {
                if !words.iter().any(|w| text.contains(w)) {
                    settings += line;
                    settings.push('\n');
                }
            }
            format!(
                "{}data digits = drawn_digits()\n\
                 model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] {{ image |> flatten |> Dense(10) }}\n\
                 train snippet on digits.train {{\nlet logits = Net(f32(image) / 255)\n{settings}{text}}}\n",
                known()
            )
        }
        other => panic!("{}: `{other}` is no part of a file", snippet.place),
    }
}

#[test]
fn every_snippet_checks_and_its_tests_hold() {
    let library = doc::library(tfm_stdlib::FILES);
    let all: Vec<Snippet> = pages().iter().flat_map(|path| snippets(path)).collect();
    assert!(all.len() >= 40, "only {} snippets were found", all.len());
    let mut wrong = Vec::new();
    for snippet in &all {
        let text = whole(snippet, &library);
        let options = Options { tests: true, ..Options::default() };
        let (sources, checked) = check_text("snippet", &text, &root(), &options);
        let mut found = checked.diagnostics;
        if found.is_empty() {
            found.extend(checked.tests.iter().flat_map(|test| failures(test, Form::Simplified)));
        }
        let off = disagreements(&sources, &found, &expectations(&snippet.place, &text));
        if !off.is_empty() {
            wrong.push(format!("{}:\n{off}{}", snippet.place, snippet.text));
        }
    }
    println!("{} snippets", all.len());
    assert!(wrong.is_empty(), "{} of {} snippets:\n\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

#[test]
fn the_index_of_the_library_is_up_to_date() {
    let path = root().join("docs/library.md");
    let index = doc::index(&doc::library(tfm_stdlib::FILES));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, index).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    } else {
        assert!(
            read(&path) == index,
            "docs/library.md is behind stdlib/: `UPDATE=1 cargo test -p tfm-tests --test docs`"
        );
    }
}

#[test]
fn everything_in_the_library_says_what_it_is() {
    for page in doc::library(tfm_stdlib::FILES).iter().flat_map(|m| &m.pages) {
        assert!(!page.text.is_empty(), "{} has no words", page.path());
    }
}

#[test]
fn links_lead_somewhere() {
    for path in pages() {
        let text = read(&path);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let inside = !file.is_empty() && !file.contains("://");
            let target = path.parent().map(|folder| folder.join(file)).unwrap_or_default();
            assert!(!inside || target.exists(), "{}: {link} is not there", path.display());
        }
    }
}
