//! `tfm tune`: a rate and a batch, found, shown and written.

mod common;

use common::{bad, good, read};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const FILE: &str = "\
import std.layers.Dense
import std.losses.cross_entropy
import std.optim.{Adam, Sgd, clip_norm}
import std.schedules.cosine

// The rate: mind it.
data digits = drawn_digits(train: 640, test: 32)

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] { image |> flatten |> Dense(32, relu) |> Dense(10) }

train net on digits.train {
  minimize cross_entropy(Net(f32(image) / 255), label)
  optimizer: Adam(lr: cosine(1e-7)) |> clip_norm(1.0) // to be tuned
  batch:     16
  epochs:    2
  seed:      1
}
";

fn bench(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("net.tfm"), text).unwrap();
    dir
}

fn text(dir: &Path) -> String {
    String::from_utf8(read(dir.join("net.tfm"))).unwrap()
}

#[test]
fn a_rate_is_found_drawn_and_written_only_when_asked() {
    let bench = bench(FILE);
    let dir = bench.path();
    let said = good(dir, "tune lr net.tfm -o curve.csv -o curve.svg");
    assert!(said.contains("the loss falls fastest at ") && said.matches('●').count() > 20, "{said}");
    assert_eq!(text(dir), FILE, "the file is as it was");
    assert!(!dir.join("runs").exists());
    let csv = String::from_utf8(read(dir.join("curve.csv"))).unwrap();
    let first: Vec<f64> = csv.lines().nth(1).unwrap().split(',').map(|x| x.parse().unwrap()).collect();
    let ln10 = 10f64.ln();
    assert!(csv.starts_with("lr,loss,smooth\n") && (first[0] - 1e-8).abs() < 1e-15);
    assert!((first[1] - ln10).abs() < 0.4, "ten classes and no knowledge: {}", first[1]);
    let svg = String::from_utf8(read(dir.join("curve.svg"))).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.matches("<polyline").count() == 2);

    let json: serde_json::Value = serde_json::from_str(&good(dir, "tune lr net.tfm --format json --write")).unwrap();
    let found = json["lr"].as_f64().unwrap();
    assert!((1e-4..0.3).contains(&found), "{found}");
    let written = text(dir);
    let rate = written.split_once("cosine(").unwrap().1.split_once(')').unwrap().0;
    assert_eq!(rate.parse::<f64>().unwrap(), found);
    assert_eq!(written, FILE.replace("1e-7", rate), "nothing else is changed");
    // The same file and seed give the same rate.
    fs::write(dir.join("net.tfm"), FILE).unwrap();
    let again: serde_json::Value = serde_json::from_str(&good(dir, "tune lr net.tfm --format json")).unwrap();
    assert_eq!(json, again);
    // And with it the net learns what it did not.
    let loss = |rate: &str| -> f64 {
        fs::write(dir.join("net.tfm"), FILE.replace("1e-7", rate)).unwrap();
        let said = good(dir, "train net.tfm -q");
        said.lines().find(|l| l.starts_with("loss")).unwrap().split_whitespace().nth(2).unwrap().parse().unwrap()
    };
    assert!(loss(rate) < 0.7 * loss("1e-7"));
}

#[test]
fn of_several_optimizers_one_is_named() {
    let two = FILE
        .replace(" { image |> flatten |> Dense(32, relu) |> Dense(10) }", " { image |> flatten |> Dense(10) }\n\
            model Other(image: f32[B, 1, 28, 28]) -> f32[B, 10] { image |> flatten |> Dense(10) }")
        .replace("  minimize cross_entropy(Net(f32(image) / 255), label)\n",
            "  let a = cross_entropy(Net(f32(image) / 255), label)\n  let b = cross_entropy(Other(f32(image) / 255), label)\n  \
             minimize a over Net with Adam(1e-3)\n  minimize b over Other with Sgd()\n")
        .replace("  optimizer: Adam(lr: cosine(1e-7)) |> clip_norm(1.0) // to be tuned\n", "")
        .replace("clip_norm}", "decay}").replace("import std.schedules.cosine\n", "");
    let bench = bench(&two.replace("{Adam, Sgd, decay}", "{Adam, Sgd}"));
    let dir = bench.path();
    let said = bad(dir, "tune lr net.tfm", 2);
    assert!(said.contains("--optimizer 1: Adam(1e-3)") && said.contains("--optimizer 2: Sgd()"), "{said}");
    good(dir, "tune lr net.tfm --optimizer 2 --write --steps 60");
    assert!(text(dir).contains("with Sgd(lr: "), "{}", text(dir));
    assert!(bad(dir, "tune lr net.tfm --optimizer 3", 2).contains("there is no optimizer 3"));
}

#[test]
fn a_rate_that_cannot_be_found_or_written_is_told() {
    let bench = bench(&FILE.replace("cosine(1e-7)", "2 * 1e-7").replace("import std.schedules.cosine\n", ""));
    let dir = bench.path();
    let before = text(dir);
    assert!(bad(dir, "tune lr net.tfm --write", 1).contains("is not a single number; write "));
    assert_eq!(text(dir), before);
    let said = bad(dir, "tune lr net.tfm --to 1e-7", 1);
    assert!(said.contains("the loss does not fall at any rate from 1e-8 to 1e-7"), "{said}");
    assert!(bad(dir, "tune lr net.tfm -o curve.png", 2).contains("`.csv` or `.svg`"));
    assert!(bad(dir, "tune lr net.tfm --from 1 --to 0.1", 2).contains("the rates go up"));
    fs::write(dir.join("net.tfm"), before.replace("flatten", "flaten")).unwrap();
    assert!(bad(dir, "tune lr net.tfm", 1).contains("flaten"));
}

#[test]
fn a_batch_is_found_that_fits() {
    let bench = bench(FILE);
    let dir = bench.path();
    let said = good(dir, "tune batch net.tfm");
    assert!(said.contains("the largest that fits: 640, all of the data"), "{said}");
    assert_eq!(said.lines().filter(|l| l.contains(" ms")).count(), 7, "8 to 512:\n{said}");
    assert_eq!(text(dir), FILE);
    let largest = |memory: &str| -> u64 {
        let json = good(dir, &format!("tune batch net.tfm --memory {memory} --format json"));
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let rows = value["sizes"].as_array().unwrap();
        for row in rows {
            assert!(row["memory"].as_u64().unwrap() <= value["memory"].as_u64().unwrap());
            assert!(row["examples_per_second"].as_f64().unwrap() > 0.0);
        }
        // What a step needs grows evenly: a batch that is larger by a seventh needs more than there is.
        let at = |i: usize, what: &str| rows[i][what].as_f64().unwrap();
        let (last, largest) = (rows.len() - 1, value["largest"].as_f64().unwrap());
        let each = (at(last, "memory") - at(0, "memory")) / (at(last, "batch") - at(0, "batch"));
        let beyond = at(last, "memory") + each * (largest * 8.0 / 7.0 - at(last, "batch"));
        assert!(beyond > value["memory"].as_f64().unwrap(), "{value}");
        largest as u64
    };
    let (small, large) = (largest("1MB"), largest("2MB"));
    assert!(small < large && large < 640, "{small} {large}");
    assert!(bad(dir, "tune batch net.tfm --memory 1KB", 1).contains("even a batch of 1 does not fit"));
    let json = good(dir, "tune batch net.tfm --write --format json");
    let found = serde_json::from_str::<serde_json::Value>(&json).unwrap()["batch"].as_u64().unwrap();
    assert_eq!(text(dir), FILE.replace("batch:     16", &format!("batch:     {found}")));
    fs::write(dir.join("net.tfm"), FILE.replace("batch:     16", "batch:     16\n  micro:     8")).unwrap();
    assert!(bad(dir, "tune batch net.tfm", 1).contains("leave `micro` out"));
}
