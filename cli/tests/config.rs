//! `tfm.toml`: flags have its defaults, and its schema takes what the loader takes and nothing else.

mod common;

use common::{bad, good, read, tfm};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const FILE: &str = "\
import std.layers.Dense
import std.losses.cross_entropy
import std.optim.Adam

data digits = drawn_digits(train: 64, test: 32)

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] { image |> flatten |> Dense(10) }

train net on digits.train {
  minimize cross_entropy(Net(f32(image) / 255), label)
  optimizer: Adam(lr: 3e-3)
  batch:     32
  epochs:    1
  every 1 epoch { evaluate digits.test }
}
";

fn bench(settings: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("nets")).unwrap();
    fs::write(dir.path().join("nets/net.tfm"), FILE).unwrap();
    fs::write(dir.path().join("tfm.toml"), settings).unwrap();
    dir
}

fn threads(dir: &Path, run: &str) -> Value {
    let info: Value = serde_json::from_slice(&read(dir.join(run).join("run.json"))).unwrap();
    info["threads"].clone()
}

#[test]
fn flags_have_the_defaults_of_the_folder() {
    let bench = bench("[train]\nruns = \"out\"\nthreads = 3\nformat = \"json\"\n");
    let dir = bench.path();
    let said = good(dir, "nets/net.tfm");
    assert!(said.lines().all(|l| serde_json::from_str::<Value>(l).is_ok()), "{said}");
    assert_eq!(threads(dir, "out/net/001"), 3);
    // From another folder too: the file says which settings count, and paths begin where those lie.
    let elsewhere = tempfile::tempdir().unwrap();
    good(elsewhere.path(), &format!("train {} --format plain -q", dir.join("nets/net.tfm").display()));
    assert_eq!(threads(dir, "out/net/002"), 3);
    assert!(fs::read_dir(elsewhere.path()).unwrap().next().is_none(), "something was written elsewhere");
    assert!(good(dir, "eval nets/net.tfm").contains("out/net/002"));
    assert!(good(dir, "runs list").contains("net/002"));
    // What the command line says goes before.
    let said = good(dir, "nets/net.tfm -q --runs elsewhere --threads 2 --format plain");
    assert!(!said.starts_with('{'), "{said}");
    assert_eq!(threads(dir, "elsewhere/net/001"), 2);
}

#[test]
fn data_is_looked_for_where_the_settings_say() {
    let bench = bench("[train]\ndata = \"store\"\n");
    let dir = bench.path();
    fs::create_dir(dir.join("store")).unwrap();
    fs::write(dir.join("store/a.csv"), "x,y\n1,2\n3,4\n").unwrap();
    fs::write(dir.join("nets/a.tfm"), "data a = csv(\"a.csv\") {\n  x: f32\n  y: f32\n}\n").unwrap();
    let said = good(dir, "data show nets/a.tfm");
    assert!(said.contains("2 records"), "{said}");
    fs::create_dir(dir.join("other")).unwrap();
    fs::write(dir.join("other/a.csv"), "x,y\n1,2\n3,4\n5,6\n").unwrap();
    let said = tfm(dir, "data show nets/a.tfm").env("TFM_DATA", dir.join("other")).output().unwrap().stdout;
    assert!(String::from_utf8_lossy(&said).contains("3 records"), "TFM_DATA goes before");
}

#[test]
fn mistakes_are_told_with_their_line() {
    let bench = bench("[train]\n\nrun = \"out\"\n");
    let dir = bench.path();
    let told = "tfm.toml:3: there is no key `run` here; did you mean `runs`?";
    assert!(bad(dir, "nets/net.tfm", 2).contains(told));
    assert!(bad(dir, "config show", 2).contains(told));
    assert!(bad(dir, "config show nowhere", 1).contains("nowhere"));
    // Help, and what needs no settings, is there all the same.
    good(dir, "train --help");
    good(dir, "config schema");
    for wrong in ["[train]\nthreads = 0\n", "[train]\nformat = \"yaml\"\n", "[trains]\n", "[train\n"] {
        fs::write(dir.join("tfm.toml"), wrong).unwrap();
        assert!(bad(dir, "nets/net.tfm", 2).contains("tfm.toml:"), "{wrong}");
    }
}

#[test]
fn every_setting_is_shown_with_where_it_comes_from() {
    let bench = bench("[train]\nruns = \"out\"\n\n[lint.levels]\nstyle = \"deny\"\n");
    let dir = bench.path();
    for place in ["nets", "nets/net.tfm", "."] {
        let said = good(dir, &format!("config show {place}"));
        let from = |name: &str| {
            let line = said.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("no {name} in\n{said}"));
            line.split_whitespace().map(String::from).collect::<Vec<_>>()
        };
        assert_eq!(from("train.runs"), ["train.runs", "\"out\"", "tfm.toml:2"]);
        assert_eq!(from("lint.levels.style"), ["lint.levels.style", "\"deny\"", "tfm.toml:5"]);
        assert_eq!(from("train.threads"), ["train.threads", "all", "cores", "default"]);
    }
    let said = tfm(dir, "config show").env("TFM_DATA", "/somewhere").output().unwrap().stdout;
    assert!(String::from_utf8_lossy(&said).lines().any(|l| l.starts_with("train.data") && l.ends_with("TFM_DATA")));
    let shown: Value = serde_json::from_str(&good(dir, "config show --json")).unwrap();
    let runs = shown["settings"].as_array().unwrap().iter().find(|r| r["name"] == "train.runs").unwrap();
    assert_eq!(runs, &json!({ "name": "train.runs", "value": "\"out\"", "from": "tfm.toml:2" }));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The first example of the page about it.
fn sample() -> String {
    let page = fs::read_to_string(root().join("docs/config.md")).unwrap();
    page.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0.to_string()
}

/// Files, and whether they are right.
fn cases() -> Vec<(String, bool)> {
    let right = [sample(), fs::read_to_string(root().join("tests/sample_repo/tfm.toml")).unwrap(), String::new()];
    let wrong = [
        "[train]\nrun = \"out\"",
        "[trains]",
        "runs = \"out\"",
        "[train]\nthreads = 0",
        "[train]\nthreads = 65536",
        "[train]\nthreads = \"two\"",
        "[train]\nformat = \"yaml\"",
        "[train]\nruns = 1",
        "[lint]\nexclude = [1]",
        "[lint]\nexclude = \"old\"",
        "[lint.levels]\nstyle = \"warning\"",
        "[lint]\nmemory = 8",
        "[lint]\nmemory = \"8 gigs\"",
        "[lint]\nmemory = \"0.0 GB\"",
        "[lint]\nmemory = \"-1 GB\"",
    ];
    let more = [
        "[train]\nthreads = 65535\nformat = \"json\"",
        "[lint]\nmemory = \".5GB\"\nbaseline = \"b.json\"",
        "[lint.levels]\nall = \"allow\"\nL0101 = \"warn\"",
    ];
    let right = right.into_iter().chain(more.map(String::from)).map(|t| (t, true));
    right.chain(wrong.map(|t| (t.to_string(), false))).collect()
}

fn schema() -> Value {
    serde_json::from_str(&good(&root(), "config schema")).unwrap()
}

/// Whether a schema allows a value: as much of JSON schema as ours uses, and no other word; patterns are left open.
fn allows(schema: &Value, value: &Value) -> bool {
    let known = "$schema title description type properties additionalProperties items enum minimum maximum pattern";
    for word in schema.as_object().unwrap().keys() {
        assert!(known.split(' ').any(|k| k == word), "the test does not know `{word}`");
    }
    let fits = match schema["type"].as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        other => panic!("{other}"),
    };
    let bound = |word: &str| schema[word].as_i64();
    let in_range = value.as_i64().is_none_or(|n| {
        bound("minimum").is_none_or(|least| n >= least) && bound("maximum").is_none_or(|most| n <= most)
    });
    let listed = schema["enum"].as_array().is_none_or(|all| all.contains(value));
    let mut inner = value.as_object().into_iter().flatten();
    let keys = inner.all(|(name, inner)| match (schema["properties"].get(name), &schema["additionalProperties"]) {
        (Some(schema), _) => allows(schema, inner),
        (None, Value::Bool(open)) => *open,
        (None, schema) => allows(schema, inner),
    });
    fits && in_range && listed && keys && value.as_array().into_iter().flatten().all(|v| allows(&schema["items"], v))
}

fn value(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

#[test]
fn loader_and_schema_agree() {
    let schema = schema();
    for (text, right) in cases() {
        let read = tfm::config::parse(&text);
        assert_eq!(read.is_ok(), right, "{text}\n{read:?}");
        // Patterns are for the test with Python.
        if !text.contains("memory = \"") {
            assert_eq!(allows(&schema, &value(&text)), right, "{text}");
        }
    }
}

#[test]
fn every_key_is_explained_and_on_the_page() {
    let sample = value(&sample());
    for (name, section) in schema()["properties"].as_object().unwrap() {
        for (key, schema) in section["properties"].as_object().unwrap() {
            assert!(!sample[name][key].is_null(), "the first example of docs/config.md has no `{name}.{key}`");
            assert!(schema["description"].as_str().is_some_and(|d| !d.is_empty()), "{name}.{key}");
        }
    }
}

/// The schema through the validator of others. `PYTHON` names a Python with it.
#[test]
fn a_validator_of_json_schema_says_the_same() {
    let script = "\
import json, sys
try: from jsonschema import Draft202012Validator as V
except ImportError: sys.exit(77)
given = json.load(sys.stdin)
V.check_schema(given['schema'])
print(json.dumps([V(given['schema']).is_valid(v) for v in given['values']]))
";
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let child = Command::new(&python).args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        println!("skipped: there is no `{python}`; PYTHON names another");
        return;
    };
    let cases = cases();
    let values: Vec<Value> = cases.iter().map(|(text, _)| value(text)).collect();
    // One without the library ends before it has read.
    let _ =
        child.stdin.take().unwrap().write_all(json!({ "schema": schema(), "values": values }).to_string().as_bytes());
    let output = child.wait_with_output().unwrap();
    if output.status.code() == Some(77) {
        println!("skipped: `{python}` has no jsonschema; PYTHON names another");
        return;
    }
    assert!(output.status.success(), "{output:?}");
    let valid: Vec<bool> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(valid.len(), cases.len());
    for ((text, right), valid) in cases.iter().zip(valid) {
        assert_eq!(valid, *right, "{text}");
    }
}
