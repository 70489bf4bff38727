//! `tfm runs` over real runs, broken ones among them.

mod common;

use common::{bad, good, tfm};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const FILE: &str = "\
import std.layers.Dense
import std.losses.cross_entropy
import std.metrics.accuracy
import std.optim.Adam
import helpers.scaled

const width = 8

data digits = drawn_digits(train: 160, test: 64)

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] { image |> flatten |> Dense(width, relu) |> Dense(10) }

train net on digits.train {
  let logits = Net(scaled(f32(image)))
  minimize cross_entropy(logits, label)
  report   accuracy(logits, label)
  optimizer: Adam(lr: 3e-3)
  batch:     32
  epochs:    2
  every 1 epoch { evaluate digits.test }
}
";

const HELPERS: &str = "fn scaled(x: f32[..S]) -> f32[..S] { x / 255 }\n";

/// Three runs: one as the file is, one with other settings, one of a file and a helper that were changed.
fn bench() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::write(at.join("helpers.tfm"), HELPERS).unwrap();
    fs::write(at.join("net.tfm"), FILE).unwrap();
    good(at, "net.tfm -q");
    good(at, "net.tfm -q --set width=12 --seed 7 --max-steps 6");
    fs::write(at.join("helpers.tfm"), HELPERS.replace("255", "127.5 - 1")).unwrap();
    fs::write(at.join("net.tfm"), FILE.replace("batch:     32", "batch:     16")).unwrap();
    good(at, "net.tfm -q");
    dir
}

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("no line `{start}` in\n{text}"))
}

fn words(text: &str, start: &str) -> Vec<String> {
    line(text, start).split_whitespace().map(String::from).collect()
}

#[test]
fn runs_are_listed_compared_and_shown() {
    let bench = bench();
    let dir = bench.path();
    let list = good(dir, "runs list");
    let second = words(&list, "net/002");
    assert_eq!((second[3].as_str(), second[4].as_str(), second[5].as_str()), ("6", "done", "test.loss"), "{list}");
    assert_eq!(second[7], "7", "the seed: {list}");
    assert!(second[1].starts_with("20") && second[1].len() == 10, "{list}");
    assert_eq!(list.lines().count(), 4);
    let json = good(dir, "runs list --json");
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((first["run"].as_str(), first["steps"].as_u64()), (Some("net/001"), Some(10)));
    assert!(first["metrics"]["test.accuracy"]["best"].is_number());

    let text = good(dir, "runs compare 1 net/002 runs/net/003");
    assert_eq!(words(&text, "steps"), ["steps", "10", "6", "20"], "{text}");
    assert_eq!(words(&text, "batch"), ["batch", "32", "32", "16"], "{text}");
    assert_eq!(words(&text, "const width"), ["const", "width", "8", "12", "8"], "{text}");
    assert_eq!(words(&text, "seed"), ["seed", "0", "7", "0"], "{text}");
    assert!(!text.contains("\nepochs") && !text.contains("\noptimizer"), "what is the same is left out: {text}");
    for (metric, sign) in [("test.loss", -1.0), ("test.accuracy", 1.0)] {
        let cells = words(&text, &format!("best {metric}")).split_off(2);
        let number = |cell: &str| sign * cell.trim_start_matches('*').parse::<f64>().unwrap();
        let best = cells.iter().map(|c| number(c)).fold(f64::NEG_INFINITY, f64::max);
        assert!(cells.iter().filter(|c| c.starts_with('*')).all(|c| number(c) == best), "{text}");
    }
    assert_eq!(line(&text, "best test.loss").matches('*').count(), 1, "{text}");

    let text = good(dir, "runs show net");
    assert!(line(&text, "batch").ends_with(" 16") && text.starts_with("runs/net/003\n"), "{text}");
    assert!(text.contains("checkpoints after steps") && text.contains("test.accuracy"), "{text}");
    assert!(bad(dir, "runs show net/009", 1).contains("there is no run `net/009` in runs; there is net/003, net/002"));
}

#[test]
fn the_difference_of_two_runs_is_that_of_sources_and_settings() {
    let bench = bench();
    let dir = bench.path();
    let text = good(dir, "runs diff net/001 net/003");
    assert!(text.contains("--- net/001/net.tfm\n+++ net/003/net.tfm\n@@"), "{text}");
    assert!(text.contains("-  batch:     32\n+  batch:     16\n"), "{text}");
    assert!(
        text.contains("--- net/001/helpers.tfm")
            && text.contains("+fn scaled(x: f32[..S]) -> f32[..S] { x / 127.5 - 1 }")
    );
    assert!(!text.contains("settings"), "{text}");
    let text = good(dir, "runs diff 1 2");
    assert!(text.contains("-seed 0\n+seed 7\n+--set width=12\n") && !text.contains("net.tfm"), "{text}");
    assert!(good(dir, "runs diff 1 1").contains("of the same sources and settings"));
    let json: serde_json::Value = serde_json::from_str(&good(dir, "runs diff 1 3 --json")).unwrap();
    assert_eq!(json["files"].as_object().unwrap().len(), 2);
}

#[test]
fn broken_and_unfinished_runs_are_told_apart() {
    let bench = bench();
    let dir = bench.path();
    let runs = dir.join("runs/net");
    fs::create_dir(runs.join("004")).unwrap();
    fs::create_dir(runs.join("005")).unwrap();
    fs::write(runs.join("005/run.json"), "{\"version\": 3").unwrap();
    // A process that is gone: none has this number.
    fs::remove_file(runs.join("002/summary.json")).unwrap();
    fs::write(runs.join("002/running"), "4194999").unwrap();
    fs::write(runs.join("003/running"), std::process::id().to_string()).unwrap();
    fs::write(runs.join("001/summary.json"), "not json").unwrap();
    fs::write(dir.join("runs/notes.txt"), "no run").unwrap();
    fs::create_dir(dir.join("runs/other")).unwrap();
    let list = good(dir, "runs list");
    let state = |run: &str| words(&list, run).into_iter().find(|w| w.chars().all(|c| c.is_ascii_lowercase()));
    for (run, wanted) in [
        ("net/001 ", "broken"),
        ("net/002", "killed"),
        ("net/003", "running"),
        ("net/004 ", "broken"),
        ("net/005 ", "broken"),
    ] {
        assert_eq!(state(run).as_deref(), Some(wanted), "{list}");
    }
    assert!(list.contains("net/004 is broken: ") && list.contains("net/005 is broken: "), "{list}");
    good(dir, "runs list --json");
    assert!(bad(dir, "runs compare 4 2", 1).contains("is broken"));
    assert!(bad(dir, "runs rm 3 --yes", 1).contains("net/003 goes on"));
    good(dir, "runs rm net/004 net/005 --yes");
    assert!(!runs.join("004").exists() && runs.join("003").exists());
}

#[test]
fn a_run_that_fails_or_is_stopped_says_so_afterwards() {
    let bench = bench();
    let dir = bench.path();
    fs::write(dir.join("bad.tfm"), FILE.replace("cross_entropy(logits", "cross_entropy(log(logits)")).unwrap();
    bad(dir, "bad.tfm", 1);
    let list = good(dir, "runs list");
    assert_eq!(words(&list, "net/004")[3..5], ["1", "failed"], "{list}");
    assert!(good(dir, "runs show 4").contains("failed: `loss` is not a number at step 1"));
    assert!(!dir.join("runs/net/004/running").exists());
}

#[test]
fn nothing_is_removed_that_was_not_agreed_to() {
    let bench = bench();
    let dir = bench.path();
    let there = |n: &str| Path::new(&dir.join("runs/net").join(n)).exists();
    assert!(bad(dir, "runs rm 1", 2).contains("this removes net/001; add --yes, for nobody can be asked here"));
    assert!(bad(dir, "runs prune --keep 1", 2).contains("net/001, net/002"));
    assert!(there("001") && there("002"));
    assert_eq!(good(dir, "runs prune --keep 1 --yes"), "removed net/001, net/002\n");
    assert!(!there("001") && !there("002") && there("003"));
    assert_eq!(good(dir, "runs prune --keep 1 --yes"), "there is nothing to remove\n");
    // A new run has a number of its own.
    good(dir, "net.tfm -q --max-steps 1");
    assert!(there("004"));
    assert!(tfm(dir, "runs prune --keep 0 --yes").output().unwrap().status.code() == Some(2));
}
