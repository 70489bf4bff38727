//! Any text at all: no panic, no crash, every place inside the file, and never slow.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use pest::Parser as _;
use proptest::prelude::*;
use tfm_grammar::{Rule, TfmParser};

use super::parsed;
use super::programs::all;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::render::{render, render_plain};

/// Parses, and checks what has to hold for every text.
fn holds(text: &str) -> usize {
    let (sources, file, diagnostics) = parsed(text);
    let check = |span: crate::source::Span, what: &dyn std::fmt::Debug| {
        let (start, end) = (span.start as usize, span.end as usize);
        assert!(start <= end && text.get(start..end).is_some(), "{start}..{end} of {what:?} in {text:?}");
    };
    for diagnostic in &diagnostics {
        diagnostic.labels.iter().for_each(|label| check(label.span, diagnostic));
        assert!(!diagnostic.message.is_empty() && crate::diagnostic::codes::explain(diagnostic.code).is_some());
    }
    file.items.iter().for_each(|item| check(item.span, item));
    // Every other span is in the debug form.
    if text.len() < 5_000 {
        let tree = format!("{file:?}");
        for at in tree.match_indices("Span { file: FileId(0), start: ").map(|(at, found)| at + found.len()) {
            let numbers = tree[at..].split([',', ' ', '}', ':']).filter_map(|part| part.parse().ok());
            let [start, end] = numbers.take(2).collect::<Vec<u32>>()[..] else { panic!("{tree}") };
            check(crate::source::Span { file: file.id, start, end }, &tree);
        }
    }
    if diagnostics.len() < 50 {
        render(&sources, &diagnostics, true);
        render_plain(&sources, &diagnostics);
    }
    diagnostics.len()
}

const PIECES: [&str; 64] = [
    "let ",
    "param ",
    "state ",
    "if ",
    "else ",
    "for ",
    "in ",
    "fold ",
    "scan ",
    "fn",
    "on ",
    "and ",
    "not ",
    "yield ",
    "model ",
    "layer ",
    "data ",
    "train ",
    "test ",
    "import ",
    "const ",
    "grad ",
    "x",
    "B",
    "f32",
    "f32[",
    "float[..S]",
    "1",
    "0.5",
    "1epoch",
    "2 epochs",
    "\"a\"",
    "\"",
    "`b c -> c`",
    "`",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    ";",
    ".",
    "..",
    "->",
    "<-",
    "|>",
    "=",
    "==",
    "<",
    "+",
    "- ",
    "*",
    "^",
    "\n",
    "\n\n",
    "\n  ",
    " ",
    "// c\n",
    "/// d\n",
    "é",
    "\0",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        holds(&text);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        holds(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_tokens(picks in proptest::collection::vec(0..PIECES.len(), 0..60)) {
        let text: String = picks.into_iter().map(|i| PIECES[i]).collect();
        holds(&text);
        agrees(&text);
        agrees(&format!("fn f(x: f32[]) {{\n{text}\n}}"));
    }

    /// Programs with pieces put in, taken out and changed.
    #[test]
    fn mutated_programs(which in any::<usize>(), edits in proptest::collection::vec((any::<usize>(), 0..PIECES.len(), 0..12usize), 1..6)) {
        let programs = all();
        let mut text = programs[which % programs.len()].1.clone();
        for (at, piece, length) in edits {
            let bound = |i: usize, text: &str| (0..=i).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
            let start = bound(at % (text.len() + 1), &text);
            let end = bound((start + length).min(text.len()), &text).max(start);
            text.replace_range(start..end, PIECES[piece]);
        }
        holds(&text);
        agrees(&text);
    }
}

/// The parser that recovers and the grammar as a whole take the same files, but for what is told apart
/// after the grammar.
fn agrees(text: &str) {
    let (sources, _, diagnostics) = parsed(text);
    let later = ["E0104", "E0105", "E0107", "E0110", "E0111", "E0112", "E0113"];
    let of_grammar = |d: &Diagnostic| !later.contains(&d.code) && !d.message.starts_with("after `|>`");
    let whole = TfmParser::parse(Rule::file, text);
    match (&whole, diagnostics.is_empty()) {
        (Err(error), true) => panic!("only the grammar refuses {text}\n{error}"),
        (Ok(_), false) if diagnostics.iter().any(of_grammar) => {
            panic!("only the parser refuses {text}\n{}", render_plain(&sources, &diagnostics))
        }
        _ => {}
    }
}

#[test]
fn deep_nesting_is_an_error() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("f(", ")"), ("x[", "]"), ("{", "}"), ("if c {", "}"), ("fn(x) {", "}")]
    {
        for depth in [190, 1_000, 20_000] {
            let text = format!("fn f(x: f32[]) {{\n  let y = {}x{}\n}}\n", open.repeat(depth), close.repeat(depth));
            let errors = holds(&text);
            assert_eq!(errors, usize::from(depth > 190 || open == "{"), "{open} {depth}");
            assert!(holds(&open.repeat(depth)) > 0);
            holds(&close.repeat(depth));
        }
    }
    for chain in ["-", "not ", "x ^ ", "x + ", "x |> ", "x.", "x = ", "if c { x } else "] {
        for length in [100, 1_000, 20_000] {
            let text =
                format!("const a = {}x{}", chain.repeat(length), if chain.starts_with("if") { " { x }" } else { "" });
            let errors = holds(&text);
            assert!(errors > 0 || length == 100, "{chain} {length}");
        }
    }
    assert_eq!(holds(&"{".repeat(200_000)), 1);
    assert_eq!(holds(&format!("const a = x{}", "()".repeat(20_000))), 1);
    assert_eq!(holds(&format!("const a = [{}]", "1, ".repeat(20_000))), 0);
}

fn time(text: &str) -> Duration {
    let start = Instant::now();
    parsed(text);
    start.elapsed()
}

/// Prints how long a long file takes; asserts only that it is linear, in a generous way.
#[test]
fn long_files_are_quick() {
    let programs: String =
        all().into_iter().filter(|(name, _)| name.contains("programs")).map(|(_, text)| text).collect();
    let mut text = String::new();
    while text.lines().count() < 10_000 {
        text.push_str(&programs);
    }
    assert_eq!(holds(&text), 0);
    let whole = time(&text);
    let mut broken = String::from("layer L(n: int)(x) {\n");
    for i in 0..10_000 {
        writeln!(broken, "  let x{i} = f(x, {i}) )").unwrap();
    }
    assert_eq!(holds(&broken), 10_001);
    let (lines, bytes) = (text.lines().count(), text.len());
    println!("{lines} lines, {bytes} bytes: {whole:?}; 10,000 broken lines: {:?}", time(&broken));
    for hostile in [
        "(",
        "[",
        "{",
        "\"",
        "`",
        "}",
        ")",
        "/",
        "\n",
        "a\n",
        "a b\n",
        "let ",
        "let x = (\n",
        "x[0, ",
        "`(",
        "é",
        "{}",
        "(]",
        "[)",
    ] {
        let took = time(&hostile.repeat(100_000 / hostile.len()));
        println!("  {took:?} for 100,000 bytes of {hostile:?}");
        assert!(took.as_secs() < 10, "{hostile:?} took {took:?}");
    }
}
