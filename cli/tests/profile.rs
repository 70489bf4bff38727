//! `tfm profile`: its tables, its JSON and its trace, which must say the same.

mod common;

use common::{bad, good};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const FILE: &str = "\
import std.layers.{BatchNorm, Dense}
import std.losses.cross_entropy
import std.metrics.accuracy
import std.optim.Adam

data digits = drawn_digits(train: 400, test: 100)

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] {
  image |> flatten
    |> Dense(64, relu) |> BatchNorm()
    |> Dense(10)
}

train net on digits.train {
  let logits = Net(f32(image) / 255)
  minimize cross_entropy(logits, label)
  report   accuracy(logits, label)
  optimizer: Adam(lr: 3e-3)
  batch:     32
  epochs:    1
}
";

/// Without a model.
const PLAIN: &str = "\
import std.optim.Sgd

data numbers = random(32) {
  x: normal([4])
}

layer Scale()(x: float[B, 4]) -> float[B, 4] {
  param w: float[4] = 1
  x * w
}

train fit on numbers.all {
  let scale = Scale()
  minimize mean((scale(x) - 1) ^ 2)
  optimizer: Sgd(lr: 0.1)
  batch:     8
  epochs:    1
}
";

fn profiled(dir: &Path, flags: &str) -> (String, Value) {
    fs::write(dir.join("net.tfm"), FILE).unwrap();
    let said = good(dir, &format!("profile net.tfm --steps 4 --trace trace.json {flags}"));
    (said, serde_json::from_slice(&fs::read(dir.join("trace.json")).unwrap()).unwrap())
}

fn sum(rows: &Value, key: &str) -> f64 {
    rows.as_array().unwrap().iter().map(|r| r[key].as_f64().unwrap()).sum()
}

/// Equal but for rounding in sums.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 + 1e-6 * a.abs().max(b.abs())
}

#[test]
fn times_add_up_and_lines_are_those_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (said, trace) = profiled(dir.path(), "--json --threads 2");
    let report: Value = serde_json::from_str(&said).unwrap();
    let kernels = report["kernels_ms"].as_f64().unwrap();
    assert!(kernels > 0.0 && kernels <= report["step_ms"].as_f64().unwrap(), "{report}");
    for table in ["kinds", "kernels", "lines", "layers"] {
        assert!(close(sum(&report[table], "ms"), kernels), "{table}: {} is not {kernels}", sum(&report[table], "ms"));
    }
    let lines = report["lines"].as_array().unwrap();
    let at = |text: &str| {
        let found = lines.iter().find(|l| l["text"].as_str().is_some_and(|t| t.contains(text)));
        found.unwrap_or_else(|| panic!("no time at `{text}`: {report}"))
    };
    for line in lines {
        if let Some(number) = line["line"].as_u64() {
            assert_eq!(FILE.lines().nth(number as usize - 1).unwrap().trim(), line["text"], "{line}");
        }
    }
    let ms = |text: &str, phase: &str| at(text)[format!("{phase}_ms")].as_f64().unwrap();
    // A layer counts to the line that applies it, on its way there and back; the optimizer to its setting.
    assert!(ms("Dense(64, relu)", "forward") > 0.0 && ms("Dense(64, relu)", "backward") > 0.0);
    assert_eq!(ms("Dense(64, relu)", "update"), 0.0);
    assert!(ms("optimizer: Adam", "update") > 0.0);
    assert_eq!(ms("optimizer: Adam", "forward") + ms("optimizer: Adam", "backward"), 0.0);
    let layers: BTreeSet<&str> =
        report["layers"].as_array().unwrap().iter().map(|l| l["layer"].as_str().unwrap()).collect();
    assert!(layers.contains("Net.dense_1") && layers.contains("Net.dense_2"), "{layers:?}");
    check_trace(&trace, report["steps"].as_u64().unwrap(), kernels);
}

/// Each kernel of each step has its span inside the step, and the spans add up to what the report says.
fn check_trace(trace: &Value, steps: u64, kernels_ms: f64) {
    let events = trace["traceEvents"].as_array().unwrap();
    let spans = |lane: u64| events.iter().filter(move |e| e["ph"] == "X" && e["tid"] == lane);
    let bounds = |e: &Value| {
        let (ts, dur) = (e["ts"].as_f64().unwrap(), e["dur"].as_f64().unwrap());
        (ts, ts + dur)
    };
    assert_eq!(spans(0).count() as u64, steps);
    let mut numbers = BTreeSet::new();
    for step in spans(0) {
        let (from, to) = bounds(step);
        let inside: Vec<&Value> =
            spans(1).filter(|e| (from..to).contains(&bounds(e).0) && bounds(e).1 <= to + 1.0).collect();
        let kernels: BTreeSet<u64> = inside.iter().map(|e| e["args"]["kernel"].as_u64().unwrap()).collect();
        assert_eq!(kernels.len(), inside.len(), "each kernel runs once a step");
        assert!(kernels.iter().copied().eq(0..kernels.len() as u64), "each step of the plan has a span");
        // One after the other.
        assert!(inside.windows(2).all(|w| bounds(w[0]).1 <= bounds(w[1]).0 + 1e-3));
        numbers.insert(kernels.len());
    }
    assert_eq!(numbers.len(), 1, "every step runs the same plan");
    let total: f64 = spans(1).map(|e| e["dur"].as_f64().unwrap()).sum::<f64>() / 1e3 / steps as f64;
    assert!((total - kernels_ms).abs() < 1e-3 + 1e-3 * kernels_ms, "{total} and {kernels_ms}");
    let named: Vec<&str> =
        events.iter().filter(|e| e["ph"] == "M").filter_map(|e| e["args"]["name"].as_str()).collect();
    assert!(named.contains(&"steps") && named.contains(&"thread 0"), "{named:?}");
    let product = spans(1).find(|e| e["args"]["what"].as_str().unwrap().starts_with("matmul")).unwrap();
    assert!(product["args"]["line"].as_str().unwrap().starts_with("net.tfm:"), "{product}");
}

#[test]
fn tables_are_for_people() {
    let dir = tempfile::tempdir().unwrap();
    let (said, _) = profiled(dir.path(), "--threads 1 --rows 3");
    for part in ["net: ", " ms a step, the mean of 4 steps on 1 thread\n", "kernel", "line", "layer", "the others"] {
        assert!(said.contains(part), "{part:?} in\n{said}");
    }
}

#[test]
fn a_workload_needs_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let said = good(dir.path(), "profile --work mlp --steps 1 --threads 1");
    assert!(said.contains("optimizer:"), "{said}");
    assert!(bad(dir.path(), "profile --work nothing", 2).contains("there is no workload `nothing`; there are mlp"));
}

/// A forward pass has no gradients, no optimizer and no losses, and its time is that of the lines that apply the model.
#[test]
fn inference_is_profiled() {
    let dir = tempfile::tempdir().unwrap();
    let (said, trace) = profiled(dir.path(), "--infer --json --threads 2");
    let report: Value = serde_json::from_str(&said).unwrap();
    let kernels = report["kernels_ms"].as_f64().unwrap();
    assert!(report["infer"] == true && kernels > 0.0 && kernels <= report["step_ms"].as_f64().unwrap(), "{report}");
    assert!(close(sum(&report["lines"], "forward_ms"), kernels), "{report}");
    let at = |text: &str| {
        let mut lines = report["lines"].as_array().unwrap().iter();
        lines.any(|l| l["text"].as_str().is_some_and(|t| t.contains(text)))
    };
    assert!(at("Dense(64, relu)") && !at("optimizer") && !at("cross_entropy"), "{report}");
    let products = report["kernels"].as_array().unwrap().iter().map(|k| k["name"].as_str().unwrap());
    assert!(products.filter(|name| name.starts_with("matmul [1, ")).count() == 2, "{report}");
    check_trace(&trace, report["steps"].as_u64().unwrap(), kernels);
    let (said, _) = profiled(dir.path(), "--infer --threads 1");
    assert!(said.contains(" ms a forward pass, the mean of 4 forward passes on 1 thread\n"), "{said}");
    assert!(said.contains("of the pass") && !said.contains("backward") && !said.contains("of the step"), "{said}");
    let said = good(dir.path(), "profile --work cnn --infer --steps 1 --threads 1");
    assert!(said.contains("conv [1, 1, 28, 28]"), "{said}");
}

#[test]
fn what_cannot_be_profiled_is_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("net.tfm"), FILE).unwrap();
    fs::write(dir.path().join("none.tfm"), "const x = 1\n").unwrap();
    assert!(bad(dir.path(), "profile net.tfm nothing", 1).contains("there is no `train nothing`; the file has net"));
    assert!(bad(dir.path(), "profile none.tfm", 1).contains("the file has no `train` block to profile"));
    fs::write(dir.path().join("plain.tfm"), PLAIN).unwrap();
    let said = bad(dir.path(), "profile plain.tfm --infer", 1);
    assert!(said.contains("`train fit` applies no model: there is no forward pass"), "{said}");
    assert!(bad(dir.path(), "profile net.tfm --steps 0", 2).contains("--steps"));
    assert!(bad(dir.path(), "profile", 2).contains("required"));
}
