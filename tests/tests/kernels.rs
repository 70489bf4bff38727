//! What the library declares as a primitive, the runtime computes, and nothing else.

use std::collections::BTreeSet;
use tfm_tests::{files, read, root};

/// The names after `primitive` in the library.
fn primitives() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in files(&root().join("stdlib/primitives"), "tfm") {
        for line in read(&path).lines() {
            if let Some((name, _)) = line.strip_prefix("primitive ").and_then(|rest| rest.split_once('(')) {
                assert!(names.insert(name.to_string()), "the primitive `{name}` is declared twice");
            }
        }
    }
    names
}

#[test]
fn primitives_and_kernels_are_the_same() {
    let kernels: BTreeSet<String> = tfm_runtime::cpu::names().map(String::from).collect();
    let declared = primitives();
    assert!(declared.len() > 50, "only {} primitives were found", declared.len());
    // What only moves elements is a view, and needs none.
    let computed = declared.iter().filter(|name| tfm_lowering::plan::views::movement(name).is_none());
    let missing: Vec<_> = computed.filter(|name| !kernels.contains(*name)).collect();
    assert!(missing.is_empty(), "these primitives have no kernel on the CPU: {missing:?}");
    let unknown: Vec<_> = kernels.difference(&declared).collect();
    assert!(unknown.is_empty(), "these kernels are of no primitive: {unknown:?}");
}

#[test]
fn every_primitive_has_words_and_an_example() {
    for path in files(&root().join("stdlib/primitives"), "tfm") {
        let text = read(&path);
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate().filter(|(_, l)| l.starts_with("primitive ")) {
            let doc: Vec<&&str> = lines[..i].iter().rev().take_while(|l| l.starts_with("///")).collect();
            let at = format!("{}:{}: {line}", path.display(), i + 1);
            assert!(doc.iter().any(|l| l.starts_with("/// example: ")), "no example: {at}");
            assert!(doc.iter().any(|l| !l.starts_with("/// example: ")), "no words: {at}");
        }
    }
}
