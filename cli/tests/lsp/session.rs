//! A recorded editing session: each capability asked for, each answer looked at.

use super::client::Client;
use serde_json::{Value, json};
use std::fs;

const NET: &str = "\
import std.layers.Dense
import std.losses.cross_entropy
import std.optim.Adam
import helpers.twice

data digits = drawn_digits()

/// Looks at an image: é.
model Net(image: f32[B, 784]) -> f32[B, 10] {
  let seen = image |> Dense(64, relu)
  seen
    |> Dense(32, relu)
    |> Dense(10)
}

train net on digits.train {
  let logits = Net(twice(flatten(f32(image) / 255)))
  minimize cross_entropy(logits, label)
  optimizer: Adam(lr: 1e-3)
  batch:     64
  epochs:    1
}
";

const HELPERS: &str = "fn twice(x: f32[..S]) -> f32[..S] { 2 * x }\n";

struct Session {
    client: Client,
    uri: String,
    text: String,
    version: i64,
    dir: tempfile::TempDir,
}

impl Session {
    fn start(encodings: &[&str]) -> Session {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("helpers.tfm"), HELPERS).unwrap();
        let path = fs::canonicalize(dir.path()).unwrap().join("net.tfm");
        let uri = format!("file://{}", path.display());
        let mut client = Client::start(encodings);
        client.open(&uri, NET);
        Session { client, uri, text: NET.into(), version: 1, dir }
    }

    /// Parameters about the place of some words, and a bit into them.
    fn at(&self, words: &str, into: usize) -> Value {
        let offset = self.text.find(words).unwrap_or_else(|| panic!("{words}")) + into;
        json!({ "textDocument": { "uri": self.uri }, "position": self.client.position(&self.text, offset) })
    }

    fn whole(&self) -> Value {
        json!({ "textDocument": { "uri": self.uri } })
    }

    /// Replaces words by others, as an editor sends it.
    fn edit(&mut self, words: &str, by: &str) {
        let offset = self.text.find(words).unwrap_or_else(|| panic!("{words}"));
        let (start, end) =
            (self.client.position(&self.text, offset), self.client.position(&self.text, offset + words.len()));
        self.version += 1;
        let document = json!({ "uri": self.uri, "version": self.version });
        let change = json!({ "range": { "start": start, "end": end }, "text": by });
        self.client.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [change] }));
        self.text = self.text.replacen(words, by, 1);
    }

    fn diagnostics(&mut self) -> Vec<Value> {
        let (uri, version) = (self.uri.clone(), self.version);
        self.client.diagnostics(&uri, version)
    }

    /// The text of a range.
    fn words(&self, range: &Value) -> String {
        let at = |place: &Value| {
            let (line, character) = (place["line"].as_u64().unwrap(), place["character"].as_u64().unwrap());
            let start: usize = self.text.split_inclusive('\n').take(line as usize).map(str::len).sum();
            let rest = &self.text[start..];
            let mut count = 0;
            let bytes = rest.char_indices().find(|(_, c)| {
                let here = count;
                count += match self.client.encoding.as_str() {
                    "utf-8" => c.len_utf8(),
                    _ => c.len_utf16(),
                };
                here >= character as usize
            });
            start + bytes.map_or(rest.len(), |(at, _)| at)
        };
        self.text[at(&range["start"])..at(&range["end"])].to_string()
    }
}

#[test]
fn a_session() {
    for encodings in [&["utf-16"][..], &["utf-8", "utf-16"]] {
        session(encodings);
    }
}

fn session(encodings: &[&str]) {
    let mut s = Session::start(encodings);
    assert_eq!(s.client.encoding, encodings[0]);
    assert_eq!(s.diagnostics(), Vec::<Value>::new());

    // Mistakes as one types, and their end.
    s.edit("Dense(10)\n", "Dense(11) |> é\n");
    let found = s.diagnostics();
    assert!(!found.is_empty() && found[0]["source"] == "tfm", "{found:?}");
    s.edit("Dense(11) |> é\n", "Dens(10)\n");
    let found = s.diagnostics();
    assert_eq!((found.len(), &found[0]["code"]), (1, &json!("E0201")), "{found:?}");
    assert_eq!(s.words(&found[0]["range"]), "Dens");
    let range = found[0]["range"].clone();
    let mut params = s.whole();
    params["range"] = range;
    params["context"] = json!({ "diagnostics": found });
    let actions = s.client.ask("textDocument/codeAction", params);
    let edit = &actions[0]["edit"]["changes"][&s.uri][0];
    assert_eq!((edit["newText"].as_str(), s.words(&edit["range"]).as_str()), (Some("Dense"), "Dens"), "{actions}");
    s.edit("Dens(10)", "Dense(10)");
    assert_eq!(s.diagnostics(), Vec::<Value>::new());

    // An import is read from the editor's text before the disk's.
    let helpers = format!("file://{}", fs::canonicalize(s.dir.path()).unwrap().join("helpers.tfm").display());
    s.client.open(&helpers, &HELPERS.replace("2 * x", "2 * y"));
    s.version += 1;
    let text = s.text.clone();
    let (uri, version) = (s.uri.clone(), s.version);
    s.client.replace(&uri, version, &text);
    let found = s.diagnostics();
    assert!(found.iter().any(|d| d["message"].as_str().unwrap().starts_with("helpers.tfm:1:")), "{found:?}");
    s.client.replace(&helpers, 2, HELPERS);
    assert_eq!(s.client.diagnostics(&helpers, 2), Vec::<Value>::new());
    s.version += 1;
    let (uri, version) = (s.uri.clone(), s.version);
    s.client.replace(&uri, version, &text);
    assert_eq!(s.diagnostics(), Vec::<Value>::new());

    // Hover, hints.
    let hover = s.client.ask("textDocument/hover", s.at("logits, label", 1));
    assert!(hover["contents"]["value"].as_str().unwrap().contains("logits: f32[B, 10]"), "{hover}");
    assert_eq!(s.words(&hover["range"]), "logits");
    let hints = s.client.ask("textDocument/inlayHint", s.whole());
    let labels: Vec<&str> = hints.as_array().unwrap().iter().map(|h| h["label"].as_str().unwrap().trim()).collect();
    assert_eq!(labels, [": f32[B, 64]", "f32[B, 64]", "f32[B, 32]", "f32[B, 10]", ": f32[B, 10]"]);

    // Completion with an import, in a text that does not parse at the moment.
    s.edit("minimize cross", "minimize ms\n  minimize cross");
    let items = s.client.ask("textDocument/completion", s.at("minimize ms", 11));
    let items = items["items"].as_array().unwrap();
    let mse = items.iter().find(|item| item["label"] == "mse").unwrap();
    let import = &mse["additionalTextEdits"][0];
    assert_eq!(import["newText"], "import std.losses.{cross_entropy, mse}");
    assert_eq!(s.words(&import["range"]), "import std.losses.cross_entropy");
    assert!(items.iter().any(|item| item["label"] == "logits"));
    s.edit("minimize ms\n  ", "");

    // Definitions: here, in another file, in the library.
    let found = s.client.ask("textDocument/definition", s.at("seen\n    |>", 1));
    assert_eq!((found["uri"].as_str(), s.words(&found["range"]).as_str()), (Some(s.uri.as_str()), "seen"));
    let found = s.client.ask("textDocument/definition", s.at("twice(flatten", 1));
    assert_eq!(found["uri"], helpers);
    let found = s.client.ask("textDocument/definition", s.at("Dense(10)", 1));
    let path = found["uri"].as_str().unwrap().trim_start_matches("file://").to_string();
    assert!(path.ends_with("std/layers/dense.tfm"), "{path}");
    let line = found["range"]["start"]["line"].as_u64().unwrap() as usize;
    assert!(fs::read_to_string(&path).unwrap().lines().nth(line).unwrap().starts_with("layer Dense("));
    assert!(fs::metadata(&path).unwrap().permissions().readonly());
    // The library's file is served too, and has no mistakes.
    let library = found["uri"].as_str().unwrap().to_string();
    let text = fs::read_to_string(&path).unwrap();
    s.client.open(&library, &text);
    let symbols = s.client.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": library } }));
    assert!(symbols.as_array().unwrap().iter().any(|symbol| symbol["name"] == "Dense"));
    assert!(s.client.published.get(&library).is_none_or(|(_, found)| found.is_empty()));
    let place = json!({ "textDocument": { "uri": library }, "position": found["range"]["start"] });
    assert!(s.client.refused("textDocument/prepareRename", place).contains("for reading"));

    // References, highlights, renaming.
    let mut params = s.at("seen\n    |>", 1);
    params["context"] = json!({ "includeDeclaration": true });
    let found = s.client.ask("textDocument/references", params);
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert_eq!(s.client.ask("textDocument/documentHighlight", s.at("seen\n    |>", 1)).as_array().unwrap().len(), 2);
    let range = s.client.ask("textDocument/prepareRename", s.at("seen\n    |>", 1));
    assert_eq!(s.words(&range), "seen");
    let mut params = s.at("seen\n    |>", 1);
    params["newName"] = json!("known");
    let edits = s.client.ask("textDocument/rename", params.clone());
    assert_eq!(edits["changes"][&s.uri].as_array().unwrap().len(), 2);
    params["newName"] = json!("let");
    assert_eq!(s.client.refused("textDocument/rename", params), "`let` is a word of the language");
    let mut params = s.at("Dense(10)", 1);
    params["newName"] = json!("Thick");
    assert_eq!(s.client.refused("textDocument/rename", params), "`Dense` is declared in the library");

    // The signature of what is being written.
    let help = s.client.ask("textDocument/signatureHelp", s.at("64, relu", 4));
    let label = help["signatures"][0]["label"].as_str().unwrap();
    assert!(label.starts_with("layer Dense(units: int"), "{label}");
    assert_eq!(help["activeParameter"], 1);

    // Outline, folds, kinds of words.
    let symbols = s.client.ask("textDocument/documentSymbol", s.whole());
    let names: Vec<&str> = symbols.as_array().unwrap().iter().map(|x| x["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["digits", "Net", "net"]);
    assert!(s.client.ask("textDocument/foldingRange", s.whole()).as_array().unwrap().len() >= 2);
    let tokens = s.client.ask("textDocument/semanticTokens/full", s.whole());
    let data: Vec<u64> = tokens["data"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(data[..5], [0, 0, 6, 0, 0], "`import` is a keyword");
    assert_eq!(data.len() % 5, 0);

    // Formatting changes lines that need it, and no others.
    s.edit("batch:     64", "batch : 64");
    let mut params = s.whole();
    params["options"] = json!({ "tabSize": 2, "insertSpaces": true });
    let edits = s.client.ask("textDocument/formatting", params.clone());
    assert_eq!(edits.as_array().unwrap().len(), 1, "{edits}");
    assert_eq!(edits[0]["newText"], "  batch:     64\n");
    s.edit("batch : 64", "batch:     64");
    assert_eq!(s.client.ask("textDocument/formatting", params.clone()), json!([]));
    s.edit("batch:     64", "batch:  (");
    assert_eq!(s.client.ask("textDocument/formatting", params), Value::Null, "a text with mistakes is left alone");
    s.edit("batch:  (", "batch:     64");

    // Odd requests are answered, and the server lives on.
    let id = s.client.begin("textDocument/nothing", s.whole());
    assert_eq!(s.client.answer(id)["error"]["code"], -32601);
    let id = s.client.begin(
        "textDocument/hover",
        json!({ "textDocument": { "uri": "file:///none.tfm" }, "position": { "line": 0, "character": 0 } }),
    );
    assert_eq!(s.client.answer(id)["result"], Value::Null);
    let id = s.client.begin(
        "textDocument/hover",
        json!({ "textDocument": { "uri": s.uri }, "position": { "line": 9999, "character": 9999 } }),
    );
    assert!(s.client.answer(id).get("error").is_none());
    if cfg!(debug_assertions) {
        let id = s.client.begin("tfm/panic", s.whole());
        assert_eq!(s.client.answer(id)["error"]["code"], -32603);
    }
    // A request that waits for a check can be cancelled.
    s.edit("epochs:    1", "epochs:    2");
    let id = s.client.begin("textDocument/hover", s.at("logits, label", 1));
    s.client.tell("$/cancelRequest", json!({ "id": id }));
    let answer = s.client.answer(id);
    assert!(answer["error"]["code"] == -32800 || answer.get("result").is_some(), "{answer}");
    assert_eq!(s.diagnostics(), Vec::<Value>::new());

    // What is closed has no diagnostics any more.
    s.edit("epochs:    2", "epochs:    (");
    assert!(!s.diagnostics().is_empty());
    let params = s.whole();
    s.client.tell("textDocument/didClose", params);
    s.client.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": helpers } }));
    assert!(s.client.published[&s.uri].1.is_empty());
    assert_eq!(s.client.stop(), Some(0));
}

#[test]
fn an_editor_that_goes_without_a_word() {
    let mut client = Client::start(&["utf-16"]);
    assert_eq!(client.wait(), Some(1));
}
