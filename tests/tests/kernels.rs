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
fn every_primitive_has_a_kernel() {
    let kernels: BTreeSet<String> = tfm_runtime::cpu::names().map(String::from).collect();
    let declared = primitives();
    assert!(declared.len() > 50, "only {} primitives were found", declared.len());
    let missing: Vec<_> = declared.difference(&kernels).collect();
    assert!(missing.is_empty(), "these primitives have no kernel on the CPU: {missing:?}");
}

#[test]
fn every_primitive_has_an_example_and_every_float_one_a_gradient() {
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
