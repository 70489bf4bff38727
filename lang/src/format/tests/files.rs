//! Every `.tfm` file of the repository.

use std::path::{Path, PathBuf};

use super::{Refused, formatted};
use crate::source::Sources;
use crate::syntax::parse;

/// All files, those of `tests/wrong` too.
pub(super) fn all() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut found);
    assert!(found.len() > 300, "{}", found.len());
    found
}

fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            walk(&path, found);
        } else if name.ends_with(".tfm") {
            found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The tree in words, without places.
pub(super) fn tree(text: &str) -> String {
    let mut sources = Sources::default();
    let id = sources.add("test.tfm", text, false);
    let debug = format!("{:?}", parse(&sources, id).0);
    let mut parts = debug.split("Span { file: FileId(0), start: ");
    let mut words = parts.next().unwrap_or_default().to_string();
    for part in parts {
        words.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    words
}

/// The comments, in order; those at the ends of lines too.
pub(super) fn comments(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut quote = None;
        let mut rest = line.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            match (quote, c) {
                (Some('"'), '\\') => drop(rest.next()),
                (Some(open), _) if open == c => quote = None,
                (None, '"' | '`') => quote = Some(c),
                (None, '/') if rest.peek().is_some_and(|(_, next)| *next == '/') => {
                    found.push(line[at..].trim_end().to_string());
                    break;
                }
                _ => {}
            }
        }
    }
    found
}

/// What holds for every text that parses; gives the result.
pub(super) fn holds(name: &str, text: &str) -> String {
    let made = formatted(text).unwrap_or_else(|refused| panic!("{name}: {refused:?}\n{text}"));
    assert_eq!(tree(text), tree(&made), "{name}: another tree\n{text}\n----\n{made}");
    assert_eq!(comments(text), comments(&made), "{name}: other comments\n{made}");
    let again = formatted(&made).unwrap_or_else(|refused| panic!("{name}: {refused:?}\n{made}"));
    assert_eq!(made, again, "{name}: not the same when formatted again\n{text}");
    assert!(made.lines().all(|line| line.trim_end() == line), "{name}: blanks at the end of a line\n{made}");
    assert!(!made.contains("\n\n\n") && !made.starts_with('\n'), "{name}: blank lines\n{made}");
    made
}

#[test]
fn every_file() {
    let (mut parsed, mut kept, mut lines) = (0, 0, 0);
    for (path, text) in all() {
        let name = path.display().to_string();
        match formatted(&text) {
            Err(Refused::Changed) => panic!("{name}: the result would not have said the same"),
            Err(Refused::Broken(_)) => {}
            Ok(_) => {
                let made = holds(&name, &text);
                parsed += 1;
                kept += usize::from(made == text);
                lines += similar_lines(&text, &made);
            }
        }
    }
    println!("{parsed} files, {kept} as they were; {lines} lines are others");
    assert!(parsed > 300, "{parsed}");
}

fn similar_lines(text: &str, made: &str) -> usize {
    let before: std::collections::HashSet<&str> = text.lines().collect();
    made.lines().filter(|line| !before.contains(line)).count()
}
