//! The colours of the editors' grammar are those of the language's words.

use crate::syntax::scan::{INNER_WORDS, ITEM_WORDS, RESERVED, STATEMENT_WORDS};
use crate::types::DType;

const GRAMMAR: &str = include_str!("../../../../editors/vscode/syntaxes/tfm.tmLanguage.json");

/// The words of the alternations in lines that hold a text.
fn words(of: &str) -> Vec<&'static str> {
    let mut found: Vec<&str> = Vec::new();
    for line in GRAMMAR.lines().filter(|line| line.contains(of)) {
        let pattern = line.rsplit_once("\"match\": ").map_or("", |(_, pattern)| pattern);
        for group in pattern.split('(').skip(1).filter_map(|part| part.split(')').next()) {
            let all = group.split('|').filter(|word| word.len() > 1 && word.bytes().all(|b| b.is_ascii_alphanumeric()));
            found.extend(all);
        }
    }
    found.sort_unstable();
    found
}

#[track_caller]
fn same(found: Vec<&str>, expected: impl IntoIterator<Item = &'static str>) {
    let mut expected: Vec<&str> = expected.into_iter().collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn words_are_those_of_the_language() {
    let reserved = ["keyword.control.tfm", "keyword.operator.word.tfm", "constant.language.boolean.tfm"];
    let mut found: Vec<&str> = reserved.into_iter().flat_map(words).collect();
    found.sort_unstable();
    same(found, RESERVED);
    same(words("\"match\": \"^\\\\s*("), ITEM_WORDS);
    same(words("keyword.control.command.tfm"), STATEMENT_WORDS.into_iter().filter(|word| *word != "let"));
    let classes = ["float", "int", "number", "any"];
    same(words("\\\\b(f64|"), DType::ALL.iter().map(|(_, name)| *name).chain(classes));
    let other = words("keyword.other.tfm");
    assert!(INNER_WORDS.iter().all(|word| other.contains(word)), "{other:?}");
}
