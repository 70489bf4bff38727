//! `tfm cost`: figures before any run.

mod common;

use common::good;
use serde_json::Value;

const NET: &str = "
import std.layers.{BatchNorm, Conv2d, Dense}
import std.losses.cross_entropy
import std.optim.Adam
data digits = drawn_digits(train: 256, test: 64)
model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] {
  image |> Conv2d(4, kernel: 3, bias: false) |> BatchNorm() |> relu |> flatten |> Dense(10)
}
train net on digits.train {
  minimize cross_entropy(Net(f32(image) / 255), label)
  optimizer: Adam(lr: 1e-3)
  batch: 32
  epochs: 1
}
";

fn costs(words: &[&str]) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("net.tfm");
    std::fs::write(&file, NET).unwrap();
    let line = [&["cost", "net.tfm", "--json"], words].concat().join(" ");
    serde_json::from_str(&good(dir.path(), &line)).unwrap()
}

fn layer<'a>(costs: &'a Value, path: &str) -> &'a Value {
    costs["layers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|l| l["path"] == path)
        .unwrap_or_else(|| panic!("{path}: {costs:#}"))
}

#[test]
fn layers_have_parameters_and_operations() {
    let costs = costs(&[]);
    let conv = layer(&costs, "Net.conv2d_1");
    assert_eq!((&conv["kind"], &conv["trained"]), (&"Conv2d".into(), &36.into()));
    // 26 x 26 places, 4 kernels of 9 products and 9 sums
    assert_eq!(conv["flops"]["symbolic"], "48672 * B");
    assert_eq!(conv["flops"]["value"], 48672 * 32);
    assert_eq!(conv["outputs"][0], "f32[B, 4, 26, 26]");
    let dense = layer(&costs, "Net.dense_1");
    assert_eq!(dense["trained"], 2704 * 10 + 10);
    assert_eq!(layer(&costs, "Net.batch_norm_1")["state"], 8);
    let parameters = &costs["parameters"];
    assert_eq!(
        (&parameters["trained"], &parameters["optimizer"]),
        (&(36 + 8 + 27050).into(), &(2 * (36 + 8 + 27050)).into())
    );
    let value = |name: &str| costs["flops"][name]["value"].as_u64().unwrap();
    assert!(value("backward") > value("forward") && value("step") > value("forward") + value("backward"));
    assert!(costs["kept_bytes"]["value"].as_u64().unwrap() > 32 * 4 * 26 * 26 * 4);
}

#[test]
fn the_largest_batch_fits_and_the_next_does_not() {
    let found = costs(&["--memory", "100MB"]);
    let largest = found["largest_batch"]["batch"].as_i64().unwrap();
    let peak = |batch: i64| {
        let of = costs(&["--batch", &batch.to_string()]);
        let memory = of["memory"].clone();
        // What the process holds differs from one to the next.
        memory["peak"].as_i64().unwrap() - memory["process"].as_i64().unwrap_or(0)
    };
    let room = 100_000_000 - found["memory"]["process"].as_i64().unwrap_or(0);
    assert!(largest > 32 && peak(largest) <= room, "{largest}");
    assert!(peak(largest + 1) > room, "{largest}");
}

#[test]
fn the_peak_of_a_run_is_as_predicted() {
    if !std::path::Path::new("/proc/self/status").exists() {
        eprintln!("skipped: this system does not say how much memory a process has held");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // Large enough that what is predicted is most of it.
    let text = NET.replace("Dense(10)", "Dense(256) |> relu |> Dense(10)").replace("batch: 32", "batch: 256");
    let text = text.replace("train: 256", "train: 4096");
    std::fs::write(dir.path().join("net.tfm"), text).unwrap();
    let costs: Value = serde_json::from_str(&good(dir.path(), "cost net.tfm --json")).unwrap();
    good(dir.path(), "train net.tfm --quiet --max-steps 12");
    let summary = std::fs::read_to_string(dir.path().join("runs/net/001/summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let (told, was) = (costs["memory"]["peak"].as_f64().unwrap(), summary["peak_memory_bytes"].as_f64().unwrap());
    // Of a small net much is the process itself, which differs by some megabytes from build to build.
    assert!((told - was).abs() < (0.05 * was).max(10e6), "told {told}, was {was}: {:#}", costs["memory"]);
}
