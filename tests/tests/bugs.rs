//! Real bugs from studies and issue threads, rewritten: each file says what is found in it and where, or that it is not found
//! and why. The share that is found is held, and the README counts what is there.

use std::path::Path;
use tfm_lang::check::Options;
use tfm_lang::lint::{Group, Level, Selector, Settings, lint};
use tfm_tests::expected::{disagreements, expectations, not_found};
use tfm_tests::{check_text, files, read, root};

/// The default levels, and what is off unless asked for.
fn settings() -> Settings {
    Settings {
        levels: vec![(Selector::Group(Group::Pedantic), Level::Warn), (Selector::One("L0303"), Level::Warn)],
        memory: None,
    }
}

#[test]
fn bugs_are_found_where_they_are_or_say_why_not() {
    let folder = root().join("tests/bugs");
    let all = files(&folder, "tfm");
    assert!(all.len() >= 100, "{} bugs", all.len());
    let (mut wrong, mut found, mut by_default) = (String::new(), 0, 0);
    for path in &all {
        let text = read(path);
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let options = Options { trace: true, ..Options::default() };
        let (sources, checked) = check_text(&name, &text, &folder, &options);
        let mut diagnostics = checked.diagnostics.clone();
        diagnostics.extend(lint(&sources, &checked, &settings()));
        let expected = expectations(&name, &text);
        let off = disagreements(&sources, &diagnostics, &expected);
        let missed = not_found(&text).is_some();
        if !off.is_empty() || missed != expected.is_empty() || !names_a_source(&text) {
            wrong += &format!("{name}\n{off}");
        }
        found += usize::from(!missed);
        by_default += usize::from(!missed && !lint(&sources, &checked, &Settings::default()).is_empty());
    }
    assert!(wrong.is_empty(), "{wrong}");
    let share = found as f64 / all.len() as f64;
    println!("{found} of {} bugs are found, {:.0} %; {by_default} by what is on by default", all.len(), share * 100.0);
    assert!(share >= 0.8, "{found} of {} are found", all.len());
    let readme = read(&folder.join("README.md"));
    for told in [
        format!("{} bugs", all.len()),
        format!("{found} are found"),
        format!("{by_default} by the lints that are on by default"),
    ] {
        assert!(readme.contains(&told), "the README does not say: {told}");
    }
}

/// The first lines name a study or an address.
fn names_a_source(text: &str) -> bool {
    let head: String = text.lines().take_while(|l| l.starts_with("//")).collect::<Vec<_>>().join("\n");
    let studies = [
        "ISSTA 2018",
        "ICSE 2020",
        "FSE 2019",
        "TOSEM 2021",
        "CHI 2021",
        "ICSE 2021",
        "ICSE 2022",
        "DeepCrime",
        "Defects4ML",
        "UMLAUT",
        "ESEC/FSE 2022",
        "StackOverflow",
        "https://",
        "pullrequest.ru",
    ];
    studies.iter().any(|s| head.contains(s))
}

/// Every mutation of a good program that the corpus of studies names is not in the corpus of shape errors: they do not overlap.
#[test]
fn no_bug_is_an_error_of_shapes() {
    for path in files(&root().join("tests/bugs"), "tfm") {
        let (_, checked) = tfm_tests::check_file(Path::new(&path), &Options::default());
        assert!(checked.model.is_some(), "{} does not check", path.display());
    }
}
