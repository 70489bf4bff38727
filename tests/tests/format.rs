//! The formatter changes no graph: every file that trains gives the same one before and after, and with all its
//! blanks spoilt. What else holds of it is tested beside it.

use tfm::pipeline::compile;
use tfm_lang::check::Options;
use tfm_lang::format::format;
use tfm_lang::source::Sources;
use tfm_tests::{files, read, root};

fn graph(name: &str, text: &str, folder: &std::path::Path) -> Option<String> {
    let mut load = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let compiled = compile(name, text, &mut load, &Options::default(), &|_| {}).ok()?;
    Some(compiled.graph.to_string())
}

/// Every line further in, and each blank doubled where it is none of a text, a pattern or a comment.
fn spoilt(text: &str) -> String {
    let mut made = String::new();
    for line in text.lines() {
        let (blanks, plain) = (line.len() - line.trim_start().len(), !line.contains(['"', '`', '/']));
        let inner = if plain { line.trim_start().replace(' ', "   ") } else { line.trim_start().to_string() };
        made.push_str(&" ".repeat(blanks * 2));
        made.push_str(&inner);
        made.push('\n');
    }
    made
}

#[test]
fn formatted_files_give_the_same_graph() {
    let mut compared = 0;
    for path in ["examples", "lang/src/syntax/tests/programs", "cli/bench", "tests/agree"]
        .iter()
        .flat_map(|f| files(&root().join(f), "tfm"))
    {
        let (name, text) = (path.display().to_string(), read(&path));
        let folder = path.parent().expect("a file lies in a folder");
        let Some(before) = graph(&name, &text, folder) else { continue };
        for rough in [text.clone(), spoilt(&text)] {
            let mut sources = Sources::default();
            let id = sources.add(name.as_str(), rough, false);
            let made = format(&sources, id).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            assert_eq!(graph(&name, &made, folder).as_ref(), Some(&before), "{name}\n{made}");
        }
        compared += 1;
    }
    assert!(compared >= 20, "{compared}");
}

/// The library and the examples are formatted; `cargo run -- fmt examples stdlib` mends that.
#[test]
fn the_repository_is_formatted() {
    for path in ["examples", "stdlib", "cli/bench", "tests/agree"].iter().flat_map(|f| files(&root().join(f), "tfm")) {
        let mut sources = Sources::default();
        let id = sources.add("file.tfm", read(&path), false);
        let made = format(&sources, id).unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
        assert_eq!(read(&path), made, "{} is not formatted", path.display());
    }
}
