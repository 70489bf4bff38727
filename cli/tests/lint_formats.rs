//! The forms of `tfm lint` for machines: SARIF holds against its schema, GitHub's lines are as documented, the others parse
//! and say where and what.

mod common;

use common::{run, tfm};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A finding with an edit and another place, in a path with everything that an escape is for, and an error.
const NET: &str = "\
import std.layers.Dense
import std.losses.cross_entropy
import std.optim.Adam

data digits = drawn_digits()

train net on digits.train {
  let p = flatten(f32(image) / 255) |> Dense(10) |> softmax
  minimize cross_entropy(p, label)
  optimizer: Adam(lr: 0.5)
  batch:     64
  epochs:    3
}
";

const NAME: &str = "a, b:50%/net <1>.tfm";

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NAME);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, NET).unwrap();
    fs::write(dir.path().join("wrong.tfm"), "model Net(x: f32[B, 3]) -> f32[B, 2] { x |> Dens(2) }\n").unwrap();
    dir
}

fn output(dir: &Path, form: &str) -> String {
    let output = run(dir, &format!("lint --format {form} ."));
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(dir: &Path, form: &str) -> Value {
    serde_json::from_str(&output(dir, form)).unwrap()
}

#[test]
fn githubs_lines_are_as_documented() {
    let dir = folder();
    let out = output(dir.path(), "github");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(
        lines[0].starts_with(
            "::error file=a%2C b%3A50%25/net <1>.tfm,line=8,endLine=8,col=53,endColumn=60,title=L0101 probabilities_as_logits::`cross_entropy` wants logits"
        ),
        "{}",
        lines[0]
    );
    // A line end in a message does not end the command.
    assert!(lines[0].contains("%0Aleave `softmax` out here"), "{}", lines[0]);
    assert!(lines[1].starts_with("::warning file="), "{}", lines[1]);
    assert!(lines[2].starts_with("::error file=wrong.tfm,line=1,"), "{}", lines[2]);
}

#[test]
fn sarif_holds_against_its_schema() {
    let dir = folder();
    let report = json(dir.path(), "sarif");
    let run = &report["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!((report["version"].as_str(), results.len()), (Some("2.1.0"), 3));
    let first = &results[0];
    assert_eq!(first["ruleId"], "L0101");
    let place = &first["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%2C%20b%3A50%25/net%20%3C1%3E.tfm");
    assert_eq!((&place["region"]["startLine"], &place["region"]["startColumn"]), (&8.into(), &53.into()));
    let deleted = &first["fixes"][0]["artifactChanges"][0]["replacements"][0]["deletedRegion"];
    assert_eq!((&deleted["startLine"], &deleted["endLine"]), (&8.into(), &8.into()));
    assert_eq!(first["partialFingerprints"]["tfmLint/v1"].as_str().map(str::len), Some(16));
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(rule["defaultConfiguration"]["level"], result["level"], "nothing is set otherwise here");
        assert!(rule["shortDescription"]["text"].as_str().is_some_and(|t| !t.is_empty()));
    }
    // Nothing found is a report too.
    let clean = tfm(dir.path(), "lint --select unused_dimension --format sarif").arg(NAME).output().unwrap();
    let clean: Value = serde_json::from_slice(&clean.stdout).unwrap();
    assert_eq!(clean["runs"][0]["results"], serde_json::json!([]));
    let path = dir.path().join("report.sarif");
    fs::write(&path, serde_json::to_string(&report).unwrap()).unwrap();
    let schema = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/schemas/sarif-2.1.0.json");
    let program = "import json, sys\ntry:\n  import jsonschema\nexcept ImportError:\n  print('skip'); sys.exit(0)\n\
                   schema = json.load(open(sys.argv[1])); jsonschema.Draft7Validator.check_schema(schema)\n\
                   errors = list(jsonschema.Draft7Validator(schema).iter_errors(json.load(open(sys.argv[2]))))\n\
                   print('\\n'.join(f'{list(e.path)}: {e.message}' for e in errors) or 'valid')\n";
    match python(program, &[&schema, &path]) {
        Some(said) if said == "skip" => println!("skipped: Python has no `jsonschema`; `pip install jsonschema`"),
        Some(said) => {
            assert_eq!(said, "valid");
            // The check itself can fail.
            let mut spoilt = report.clone();
            spoilt["runs"][0]["results"][0]["level"] = "dreadful".into();
            fs::write(&path, spoilt.to_string()).unwrap();
            assert!(python(program, &[&schema, &path]).is_some_and(|s| s.contains("dreadful")));
        }
        None => println!("skipped: there is no Python"),
    }
}

/// What a Python program prints; `None` where there is no Python. `PYTHON` names another one.
fn python(program: &str, args: &[&Path]) -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let output = Command::new(python).args(["-c", program]).args(args).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

#[test]
fn junit_is_xml() {
    let dir = folder();
    let path = dir.path().join("report.xml");
    fs::write(&path, output(dir.path(), "junit")).unwrap();
    let program = "import sys, xml.etree.ElementTree as t\nroot = t.parse(sys.argv[1]).getroot()\n\
                   print(root.tag, root.get('failures'), [s.get('name') for s in root], len(root.findall('.//failure')))";
    match python(program, &[&path]) {
        Some(said) => assert_eq!(said, "testsuites 3 ['a, b:50%/net <1>.tfm', 'wrong.tfm'] 3"),
        None => println!("skipped: there is no Python"),
    }
}

#[test]
fn the_other_forms_say_where_and_what() {
    let dir = folder();
    let gitlab = json(dir.path(), "gitlab");
    let all = gitlab.as_array().unwrap();
    assert_eq!((all.len(), &all[0]["check_name"], &all[0]["severity"]), (3, &"L0101".into(), &"major".into()));
    assert_eq!(all[0]["location"]["lines"]["begin"], 8);
    let mut prints: Vec<&str> = all.iter().map(|f| f["fingerprint"].as_str().unwrap()).collect();
    prints.dedup();
    assert_eq!(prints.len(), 3);

    let rdjson = json(dir.path(), "rdjson");
    let first = &rdjson["diagnostics"][0];
    assert_eq!((&first["severity"], &first["code"]["value"]), (&"ERROR".into(), &"L0101".into()));
    assert_eq!(first["location"]["range"]["start"], serde_json::json!({ "line": 8, "column": 53 }));
    assert!(first["suggestions"][0]["text"].as_str().is_some_and(|t| t.ends_with("Dense(10)")));

    let lines = output(dir.path(), "json");
    let lines: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["name"]), (3, &"probabilities_as_logits".into()));
    let fix = &lines[0]["fixes"][0];
    assert_eq!(fix["safe"], false);
    let place = |k: &str| fix["place"][k].as_u64().unwrap() as usize;
    let text = fs::read_to_string(dir.path().join(NAME)).unwrap();
    assert_eq!(&text[place("start")..place("end")], "flatten(f32(image) / 255) |> Dense(10) |> softmax");
}

#[test]
fn a_report_goes_to_a_file() {
    let dir = folder();
    let output = run(dir.path(), "lint --format sarif --output report.sarif --fail-on never .");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]));
    let report: Value = serde_json::from_slice(&fs::read(dir.path().join("report.sarif")).unwrap()).unwrap();
    assert_eq!(report["runs"][0]["results"].as_array().map(Vec::len), Some(3));
}
