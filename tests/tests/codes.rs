//! Every code that the checker can report is explained, and its example has it.

use tfm::testing::{Form, failures};
use tfm_lang::check::{Options, check};
use tfm_lang::diagnostic::codes;
use tfm_lang::source::Sources;
use tfm_tests::{files, read, root};

/// Codes that no text gives: a fault of ours, and weights that are read from a file.
const NO_EXAMPLE: [&str; 2] = ["E0600", "E0612"];

#[test]
fn each_example_has_its_error() {
    let mut wrong = Vec::new();
    for entry in codes::all().filter(|e| !NO_EXAMPLE.contains(&e.code)) {
        let mut sources = Sources::default();
        let main = sources.add("example.tfm", entry.example, false);
        let mut load = |name: &str| (name == "itself.tfm").then(|| "import itself.f\n".to_string());
        let options = Options { tests: true, ..Options::default() };
        let checked = check(&mut sources, tfm_stdlib::FILES, main, &mut load, &options);
        let ran = checked.tests.iter().flat_map(|test| failures(test, Form::Simplified)).collect::<Vec<_>>();
        let found = checked.diagnostics.iter().chain(&ran);
        let got: Vec<String> = found.map(|d| format!("{}: {}", d.code, d.message)).collect();
        if !got.iter().any(|line| line.starts_with(entry.code)) {
            wrong.push(format!("{}: {got:?}", entry.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_code_in_the_source_is_explained() {
    for path in files(&root(), "rs") {
        let text = read(&path);
        for (at, _) in text.match_indices("\"E0") {
            let code = &text[at + 1..(at + 6).min(text.len())];
            let is_code =
                code.len() == 5 && code[1..].chars().all(|c| c.is_ascii_digit()) && text[at + 6..].starts_with('"');
            assert!(!is_code || codes::explain(code).is_some(), "{}: {code} is not explained", path.display());
        }
    }
}
