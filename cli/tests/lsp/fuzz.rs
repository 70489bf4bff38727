//! Random edits with requests in between: no panic, and in the end the diagnostics of the text that is there.
//!
//! `TFM_EDITS=10000 cargo test --release -p tfm --test lsp fuzz -- --nocapture` is the long form; it prints how long
//! answers took.

use super::client::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
}

const PIECES: [&str; 34] = [
    "x",
    "é",
    "𝄞",
    "日本",
    " ",
    "\n",
    "\r\n",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "|> relu",
    "let y = ",
    "1",
    "\"",
    "`",
    "//",
    "/// ",
    "Dense(",
    "import std.layers.",
    "f32[",
    "B",
    "..",
    "train t on digits.train {\n",
    "batch: 8\n",
    "fold h = x for i in 0..3 { h }",
    "minimize ",
    "-",
    "model M(x: f32[B, 3]) {\n",
    "if true { 1 } else { 2 }",
];

const ASKED: [&str; 12] = [
    "hover",
    "completion",
    "definition",
    "references",
    "signatureHelp",
    "documentSymbol",
    "semanticTokens/full",
    "inlayHint",
    "foldingRange",
    "documentHighlight",
    "formatting",
    "prepareRename",
];

const TEXTS: [&str; 3] = [
    include_str!("../../../examples/01_digits.tfm"),
    include_str!("../../../examples/07_batchnorm_residual.tfm"),
    include_str!("../../../examples/10_gru.tfm"),
];

fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

#[test]
fn fuzz() {
    let wanted = std::env::var("TFM_EDITS").ok().and_then(|n| n.parse().ok());
    let edits: usize = wanted.unwrap_or(if cfg!(debug_assertions) { 300 } else { 2_000 });
    let mut times = Vec::new();
    for (seed, encoding) in [(1, "utf-16"), (2, "utf-8")] {
        session(seed, encoding, edits / 2, &mut times);
    }
    times.sort_unstable();
    let of = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    println!("{} edits, {} answers: p50 {:?}, p99 {:?}, longest {:?}", edits, times.len(), of(0.5), of(0.99), of(1.0));
}

fn session(seed: u64, encoding: &str, edits: usize, times: &mut Vec<Duration>) {
    let mut dice = Dice(seed);
    let mut client = Client::start(&[encoding]);
    assert_eq!(client.encoding, encoding);
    let uri = "file:///fuzz/net.tfm";
    let mut text = TEXTS[0].to_string();
    client.open(uri, &text);
    for turn in 0..edits {
        let version = turn as i64 + 2;
        if dice.roll(40) == 0 {
            text = TEXTS[dice.roll(TEXTS.len())].to_string();
            client.replace(uri, version, &text);
        } else {
            let start = boundary(&text, dice.roll(text.len() + 1));
            let end = boundary(&text, start + if dice.roll(3) == 0 { dice.roll(12) } else { 0 }).max(start);
            let piece = if dice.roll(5) == 0 { "" } else { PIECES[dice.roll(PIECES.len())] };
            // A place between the two halves of a line's end is not one that an editor sends.
            let inside =
                |at: usize| at > 0 && text.as_bytes().get(at) == Some(&b'\n') && text.as_bytes()[at - 1] == b'\r';
            let (start, end) = (start - usize::from(inside(start)), end - usize::from(inside(end)));
            let range = json!({ "start": client.position(&text, start), "end": client.position(&text, end) });
            let change = json!({ "range": range, "text": piece });
            let document = json!({ "uri": uri, "version": version });
            client.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [change] }));
            text.replace_range(start..end, piece);
        }
        if text.len() > 6_000 {
            text = TEXTS[0].to_string();
            client.replace(uri, version, &text);
        }
        if dice.roll(2) == 0 {
            let place = client.position(&text, boundary(&text, dice.roll(text.len() + 1)));
            let method = format!("textDocument/{}", ASKED[dice.roll(ASKED.len())]);
            let begin = Instant::now();
            let id = client.begin(&method, json!({ "textDocument": { "uri": uri }, "position": place }));
            let answer = client.answer(id);
            times.push(begin.elapsed());
            let code = &answer["error"]["code"];
            assert!(code.is_null() || *code == -32803, "{method}: {answer}\n{text}");
        }
        if turn % 100 == 99 || turn + 1 == edits {
            quiet(&mut client, uri, version, &text);
        }
        client.drain();
    }
    assert_eq!(client.stop(), Some(0));
}

/// Once nothing more comes, what is published is what another server says of the same text.
fn quiet(client: &mut Client, uri: &str, version: i64, text: &str) {
    let found = client.diagnostics(uri, version);
    let mut other = Client::start(&[&client.encoding.clone()]);
    other.open(uri, text);
    let plain = |all: Vec<Value>| -> Vec<String> {
        // The library's files lie in another folder for each.
        let one = |d: &Value| format!("{} {} {}", d["range"], d["code"], d["message"]);
        all.iter().map(one).collect()
    };
    assert_eq!(plain(found), plain(other.diagnostics(uri, 1)), "{text}");
}
