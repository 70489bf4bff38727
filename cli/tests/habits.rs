//! The habits of training, through the binary: a trial, a few batches by heart, a look before the first step, ends and
//! checkpoints.

mod common;

use common::{bad, good, read, run};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const FILE: &str = "\
import std.layers.{BatchNorm, Dense, Dropout}
import std.losses.cross_entropy
import std.metrics.{accuracy}
import std.optim.Adam

data digits = drawn_digits(train: 320, test: 96)

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] {
  image |> flatten |> Dense(16) |> BatchNorm() |> relu |> Dropout(0.2) |> Dense(10)
}

train net on digits.train {
  let logits = Net(f32(image) / 255)
  minimize cross_entropy(logits, label)
  report   accuracy(logits, label)
  optimizer: Adam(lr: 3e-3)
  batch:     32
  epochs:    3
  seed:      1
  every 1 epoch { evaluate digits.test }
}
";

fn bench(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("net.tfm"), text).unwrap();
    dir
}

fn files(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path)
        .map(|all| all.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
fn a_trial_does_everything_and_leaves_nothing() {
    let text = FILE.replace(
        "every 1 epoch { evaluate digits.test }",
        "every 1 epoch { evaluate digits.test\n checkpoint highest test.accuracy\n save images image }\n  \
         every 500 steps { checkpoint keep 2 }\n  at end { evaluate digits.train }",
    );
    let bench = bench(&text);
    let dir = bench.path();
    for (line, steps) in [("train --fast-dev-run net.tfm", 1), ("net.tfm --fast-dev-run 2", 2)] {
        let said = good(dir, line);
        assert!(said.contains("nothing is kept") && said.contains("test.loss"), "{said}");
        assert!(said.contains("train.loss"), "what is done at the end is tried too: {said}");
        let end = format!("everything was done once, {steps} step");
        assert!(said.contains(&end) && said.contains("images") && said.contains("saved "), "{said}");
        assert_eq!(files(dir), ["net.tfm"]);
    }
    assert!(bad(dir, "net.tfm --fast-dev-run --resume", 2).contains("cannot be used with"));
    let json = good(dir, "net.tfm --fast-dev-run --format json");
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!((last["event"].as_str(), last["steps"].as_u64(), last.get("path")), (Some("ended"), Some(1), None));
}

#[test]
fn a_few_batches_are_learned_by_heart_or_it_is_said_what_to_look_at() {
    let bench = bench(&FILE.replace("epochs:    3", "epochs:    40"));
    let dir = bench.path();
    let said = good(dir, "net.tfm --overfit 1 --set batch=16");
    assert!(said.contains("the first batch (16 examples) again and again, for 800 steps"), "{said}");
    assert!(said.contains("loss fell from ") && said.contains("as it should"), "{said}");
    assert_eq!(files(dir), ["net.tfm"]);
    // A net that learns nothing, for its rate is nearly none.
    fs::write(dir.join("net.tfm"), FILE.replace("3e-3", "1e-9")).unwrap();
    let said = bad(dir, "net.tfm --overfit 2 --max-steps 20", 1);
    assert!(said.contains("not as it should be") && said.contains("tfm tune lr net.tfm"), "{said}");
    let json = run(dir, "net.tfm --overfit 2 --max-steps 20 --format json").stdout;
    let json = String::from_utf8(json).unwrap();
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!(
        (last["event"].as_str(), last["fell"].as_bool(), last["steps"].as_u64()),
        (Some("overfit"), Some(false), Some(20))
    );
    fs::write(dir.join("net.tfm"), FILE.replace("cross_entropy(logits", "cross_entropy(log(logits)")).unwrap();
    assert!(bad(dir, "net.tfm --overfit 1", 1).contains("`loss` is not finite at step 1"));
}

#[test]
fn a_look_before_the_first_step_changes_no_bit() {
    let bench = bench(FILE);
    let dir = bench.path();
    good(dir, "net.tfm -q --runs with");
    good(dir, "net.tfm -q --runs without --no-sanity");
    let results = |runs: &str| {
        let run = dir.join(runs).join("net/001");
        let last = run.join("checkpoints/step-000030");
        [last.join("model.safetensors"), last.join("optimizer.safetensors"), run.join("metrics.csv")].map(read)
    };
    assert!(results("with") == results("without"));
}

#[test]
fn what_would_fail_after_an_epoch_is_told_before_the_first_step() {
    let odd = "layer Odd()(x: f32[..S]) -> f32[..S] { if training { x } else { log(x - 1000) } }\n\nmodel Net";
    let text = FILE.replace("model Net", odd).replace("|> Dense(10)\n", "|> Dense(10) |> Odd()\n");
    let bench = bench(&text);
    let said = good(bench.path(), "net.tfm --max-steps 2");
    let (before, _) = said.split_once("step 1/").unwrap();
    assert!(before.contains("warning: `test.loss` is NaN on the first batches, before any step"), "{said}");
    assert!(!good(bench.path(), "net.tfm --max-steps 2 --no-sanity").contains("before any step"));
}

#[test]
fn where_the_file_says_nothing_the_last_and_the_best_checkpoint_are_kept() {
    let bench = bench(&FILE.replace("3e-3", "3e-2").replace("epochs:    3", "epochs:    6"));
    let dir = bench.path();
    let said = good(dir, "net.tfm");
    assert!(said.contains("the best by test.loss"), "{said}");
    let index: serde_json::Value =
        serde_json::from_slice(&read(dir.join("runs/net/001/checkpoints/index.json"))).unwrap();
    let (last, best) = (index["last"].as_str().unwrap(), index["best"]["test.loss"]["checkpoint"].as_str().unwrap());
    let mut expected = vec!["index.json".to_string(), best.into(), last.into()];
    expected.sort();
    expected.dedup();
    assert_eq!(files(&dir.join("runs/net/001/checkpoints")), expected);
    let on_best = good(dir, "eval net.tfm --checkpoint best");
    let step = best.trim_start_matches("step-").trim_start_matches('0');
    assert!(on_best.contains(&format!("step {step}\n")), "{on_best}");
}

#[test]
fn a_run_ends_where_it_has_got_or_will_get_nowhere() {
    let with = |stop: &str| FILE.replace("epochs:    3", &format!("epochs:    9\n  {stop}"));
    let ended = |stop: &str| {
        let bench = bench(&with(stop));
        good(bench.path(), "net.tfm")
    };
    let said = ended("stop when test.accuracy above 0.11");
    assert!(said.contains("stopped: test.accuracy is 0.") && said.contains(", above 0.11"), "{said}");
    let said = ended("stop when test.loss stalls for 1 epoch by 5");
    assert!(said.contains("stopped: test.loss has not improved on ") && said.contains(" by 5 for 1 epoch"), "{said}");
    let said = ended("stop when lowest test.accuracy stalls for 1 epoch");
    assert!(said.contains("stopped: test.accuracy has not improved on "), "{said}");
}
