//! The binary as a user meets it: a small file trained, interrupted, killed, resumed, evaluated.

mod common;

use common::{bad, good, read, run, tfm};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const FILE: &str = "\
import std.layers.{Dense, Dropout}
import std.losses.cross_entropy
import std.metrics.accuracy
import std.optim.Adam

const width = 16

data digits = drawn_digits(train: 600, test: 100)

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] {
  image |> flatten |> Dense(width, relu) |> Dropout(0.2) |> Dense(10)
}

train net on digits.train {
  let logits = Net(f32(image) / 255)
  minimize cross_entropy(logits, label)
  report   accuracy(logits, label)
  optimizer: Adam(lr: 3e-3)
  batch:     32
  epochs:    6
  seed:      1
  every 1 epoch {
    evaluate digits.test
    checkpoint highest test.accuracy
  }
  every 25 steps { checkpoint keep 2 }
}
";

/// A folder with the file in it.
fn bench() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("net.tfm"), FILE).unwrap();
    dir
}

/// The weights, the optimizer and the rows of a run at its end.
fn results(dir: &Path, run: &str) -> [Vec<u8>; 3] {
    let folder = dir.join(run).join("net/001");
    let last = folder.join("checkpoints/step-000114");
    [read(last.join("model.safetensors")), read(last.join("optimizer.safetensors")), read(folder.join("metrics.csv"))]
}

/// Starts a run and waits until its rows have come to a step.
fn started(dir: &Path, line: &str, rows: &Path, step: usize) -> std::process::Child {
    let child = tfm(dir, line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    while fs::read_to_string(rows).map_or(0, |t| t.lines().count()) <= step {
        assert!(begin.elapsed() < Duration::from_secs(60), "no rows in {}", rows.display());
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn the_same_numbers_whatever_happens_to_the_process() {
    let bench = bench();
    let dir = bench.path();
    let text = good(dir, "net.tfm --runs whole --threads 1");
    assert!(text.contains("net: 12,730 parameters, 600 examples of digits.train, 19 steps per epoch"), "{text}");
    assert!(text.contains("test.accuracy") && text.contains("whole/net/001"), "{text}");
    let whole = results(dir, "whole");

    good(dir, "train net.tfm --runs threads --threads 2 --quiet");
    assert!(results(dir, "threads") == whole, "another number of threads");

    let mut child = started(dir, "net.tfm --runs killed", &dir.join("killed/net/001/metrics.csv"), 40);
    child.kill().unwrap();
    child.wait().unwrap();
    good(dir, "train net.tfm --runs killed --resume");
    assert!(results(dir, "killed") == whole, "killed and resumed");

    let summary: serde_json::Value = serde_json::from_slice(&read(dir.join("killed/net/001/summary.json"))).unwrap();
    assert_eq!(summary["steps"], 114);
    assert!(summary["metrics"]["test.accuracy"]["best"].as_f64().unwrap() > 0.3, "{summary}");
    for name in ["graph.pb", "data.json", "metrics.jsonl", "source/net.tfm", "run.json"] {
        assert!(!read(dir.join("killed/net/001").join(name)).is_empty(), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_saves_and_says_how_to_go_on() {
    let bench = bench();
    let dir = bench.path();
    let signal = |name: &str, child: &std::process::Child| {
        Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    };
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let runs = format!("runs{code}");
        let rows = dir.join(&runs).join("net/001/metrics.csv");
        // So many epochs that the signal comes before the end.
        let mut child = started(dir, &format!("net.tfm --runs {runs} --set epochs=4000"), &rows, 10);
        signal(name, &child);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let index = fs::read_to_string(dir.join(&runs).join("net/001/checkpoints/index.json")).unwrap();
        assert!(index.contains("\"last\": \"step-"), "{index}");
    }
    good(dir, "train --resume net.tfm --runs runs130");
    good(dir, "net.tfm --runs whole");
    let rows = |runs: &str| fs::read_to_string(dir.join(runs).join("net/001/metrics.csv")).unwrap();
    assert_eq!(rows("runs130").lines().nth(30), rows("whole").lines().nth(30));
}

#[test]
fn a_trained_run_is_evaluated_used_and_exported() {
    let bench = bench();
    let dir = bench.path();
    good(dir, "net.tfm --max-steps 57 -q");
    let rows = fs::read_to_string(dir.join("runs/net/001/metrics.csv")).unwrap();
    let accuracy = rows.lines().rev().find(|r| r.starts_with("57,3,,,")).unwrap().rsplit(',').next().unwrap();
    for target in ["net.tfm", "runs/net/001"] {
        let text = good(dir, &format!("eval {target} --format json"));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["values"]["test.accuracy"].to_string(), accuracy);
    }
    assert!(good(dir, "eval runs/net/001 --checkpoint best --on train").contains("train.loss"));
    assert!(bad(dir, "eval runs/net/001 --on tset", 1).contains("no part `tset`; it has train, test"));
    assert!(bad(dir, "eval net.tfm --runs elsewhere", 1).contains("train it first"));

    good(dir, "export runs/net/001 -o weights.safetensors");
    let checkpoint = dir.join("runs/net/001/checkpoints/step-000057/model.safetensors");
    assert!(read(dir.join("weights.safetensors")) == read(checkpoint));

    // Two images in the idx format.
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28];
    images.extend((0..2 * 784).map(|i| (i % 251) as u8));
    fs::write(dir.join("images.idx"), images).unwrap();
    let csv = good(dir, "predict runs/net/001 images.idx");
    assert!(csv.starts_with("Net.0,Net.1,") && csv.lines().count() == 3, "{csv}");
    good(dir, "predict net.tfm images.idx --format jsonl -o out.jsonl");
    let json = fs::read_to_string(dir.join("out.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    let second_line = csv.lines().nth(1).unwrap();
    let numbers: Vec<f32> = second_line.split(',').map(|x| x.parse().unwrap()).collect();
    let of_json: Vec<f32> = first["Net"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect();
    assert_eq!(numbers, of_json);

    // A model that was changed does not fit its old weights, and each path is named.
    fs::write(dir.join("net.tfm"), FILE.replace("width = 16", "width = 17")).unwrap();
    let text = bad(dir, "eval net.tfm", 1);
    assert!(text.contains("Net.dense_1.w: f32[784, 16] in the checkpoint, f32[784, 17] in the model"), "{text}");
}

#[test]
fn nothing_is_trained_by_a_dry_run() {
    let bench = bench();
    let text = good(bench.path(), "net.tfm --dry-run --set batch=50 --set width=8");
    assert!(text.contains("steps per epoch") && text.contains(" 12\n"), "{text}");
    assert!(text.contains("6,370"), "{text}");
    assert!(!bench.path().join("runs").exists());
}

#[test]
fn a_loss_that_is_not_finite_is_traced_to_its_place() {
    let bench = bench();
    let dir = bench.path();
    fs::write(dir.join("net.tfm"), FILE.replace("cross_entropy(logits", "cross_entropy(log(logits)")).unwrap();
    let text = bad(dir, "net.tfm", 1);
    assert!(text.contains("`loss` is not a number at step 1"), "{text}");
    assert!(text.contains("comes from `log`") && text.contains("at net.tfm:16:26: log(logits)"), "{text}");
    assert!(!dir.join("runs/net/001/checkpoints").exists());
}

#[test]
fn errors_have_their_status() {
    let bench = bench();
    let dir = bench.path();
    assert!(bad(dir, "frobnicate", 2).contains("frobnicate"));
    bad(dir, "train", 2);
    bad(dir, "train net.tfm --threads 0", 2);
    assert!(bad(dir, "train missing.tfm", 1).contains("missing.tfm"));
    assert!(bad(dir, "train net.tfm --resume", 1).contains("no checkpoint"));
    assert!(bad(dir, "explain E9999", 2).contains("E9999"));
    assert!(good(dir, "explain E0101").contains("Example:"));
    fs::write(dir.join("wrong.tfm"), FILE.replace("flatten", "flaten")).unwrap();
    let output = run(dir, "check net.tfm wrong.tfm");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("net.tfm is correct: net"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("flatten"));
    let json = run(dir, "check wrong.tfm --format json").stdout;
    let first = String::from_utf8(json).unwrap();
    let value: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!((value["severity"].as_str(), value["labels"][0]["place"]["line"].as_u64()), (Some("error"), Some(11)));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bench = bench();
    let mut child =
        tfm(bench.path(), "graph net.tfm --text").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
