//! What a run leaves for viewers: event files that TensorBoard reads, confusion matrices, curves.

mod common;

use common::{bad, good};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const NET: &str = "
import std.layers.Dense
import std.losses.cross_entropy
import std.metrics.{accuracy, confusion_matrix}
import std.optim.Adam

data digits = drawn_digits(train: 256, test: 64)

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] { image |> flatten |> Dense(16, relu) |> Dense(10) }

train net on digits.train {
  let logits = Net(f32(image) / 255)
  minimize cross_entropy(logits, label)
  report accuracy(logits, label), confusion_matrix(logits, label)
  optimizer: Adam(lr: 1e-3)
  batch: 32
  steps: 16
  every 8 steps {
    evaluate digits.test
    checkpoint keep 2
    save images f32(image) / 255
  }
}
";

fn bench(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("net.tfm"), text).unwrap();
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What TensorBoard's own reader finds in a run; `None`, with the reason, where it is not installed.
fn tensorboard(run: &Path) -> Option<Value> {
    let named = std::env::var_os("PYTHON").filter(|p| !p.is_empty());
    let python = named.map_or_else(|| "python3".into(), PathBuf::from);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/read_events.py");
    let done = match Command::new(&python).arg(script).arg(run).output() {
        Ok(done) => done,
        Err(e) => {
            println!("skipped: {}: {e}; PYTHON names a Python with tensorboard", python.display());
            return None;
        }
    };
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}{err}");
    if out.starts_with("skipped") {
        println!("{out}; PYTHON names a Python with tensorboard");
        return None;
    }
    Some(serde_json::from_str(out.trim_end().lines().last().unwrap()).unwrap())
}

#[test]
fn tensorboard_reads_what_a_run_wrote() {
    let bench = bench(NET);
    good(bench.path(), "train net.tfm --quiet --max-steps 8 --histograms=4");
    good(bench.path(), "train net.tfm --quiet --resume");
    let run = bench.path().join("runs/net/001");
    let files = names(&run);
    assert_eq!(files.iter().filter(|n| n.starts_with("events.out.tfevents.")).count(), 2, "{files:?}");

    let Some(found) = tensorboard(&run) else { return };
    let scalars = &found["scalars"];
    let steps = |tag: &str| scalars[tag].as_array().unwrap().iter().map(|v| v[0].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(steps("test/loss"), [8, 16], "{found:#}");
    assert_eq!(steps("train/loss").last(), Some(&16));
    // The numbers are those of the metrics.
    let csv = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
    let last: f64 =
        csv.lines().filter(|l| l.starts_with("16,")).find_map(|l| l.split(',').nth(2)?.parse().ok()).unwrap();
    let theirs = scalars["train/loss"].as_array().unwrap().last().unwrap()[1].as_f64().unwrap();
    assert!((last - theirs).abs() < 1e-6, "{last} and {theirs}");
    let images = found["images"].as_object().unwrap();
    assert!(
        images.keys().any(|k| k.starts_with("images/")) && images.contains_key("test/confusion_matrix"),
        "{images:?}"
    );
    let histograms = &found["histograms"]["Net/dense_1/w"];
    assert_eq!((&histograms[0][0], &histograms[0][1]), (&4.into(), &(784.0 * 16.0).into()), "{found:#}");
    let texts = found["texts"].as_object().unwrap();
    let source = texts.iter().find(|(k, _)| k.starts_with("source/net.tfm")).unwrap().1;
    assert!(source[0].as_str().unwrap().contains("minimize cross_entropy"), "{source}");
    let graph = found["graph"].as_array().unwrap();
    let product = graph.iter().find(|n| n[0] == "Net/dense_1/matmul").unwrap_or_else(|| panic!("{found:#}"));
    assert_eq!((&product[1], &product[3][0]), (&"matmul".into(), &serde_json::json!([-1, 16])));
    let names: Vec<&Value> = graph.iter().map(|n| &n[0]).collect();
    let inputs = graph.iter().flat_map(|n| n[2].as_array().unwrap());
    assert!(inputs.clone().all(|i| names.contains(&i)) && inputs.count() > 5);
}

#[test]
fn each_evaluation_writes_the_matrix_of_all_its_examples() {
    let labelled = NET.replace(
        "data digits = drawn_digits(train: 256, test: 64)",
        "data digits = drawn_digits(train: 256, test: 50)",
    );
    let bench = bench(&labelled);
    good(bench.path(), "train net.tfm --quiet");
    let run = bench.path().join("runs/net/001");
    let expected: Vec<String> = [8, 16]
        .iter()
        .flat_map(|s| ["csv", "svg"].map(|end| format!("test.confusion_matrix-step-{s:06}.{end}")))
        .collect();
    assert_eq!(names(&run.join("confusion")), expected);
    let csv = std::fs::read_to_string(run.join("confusion/test.confusion_matrix-step-000016.csv")).unwrap();
    let rows: Vec<Vec<f64>> =
        csv.lines().skip(1).map(|l| l.split(',').skip(1).map(|x| x.parse().unwrap()).collect()).collect();
    assert_eq!((rows.len(), rows.iter().flatten().sum::<f64>()), (10, 50.0), "{csv}");
    // The diagonal is the accuracy of the same evaluation.
    let right: f64 = (0..10).map(|i| rows[i][i]).sum::<f64>() / 50.0;
    let metrics = std::fs::read_to_string(run.join("metrics.csv")).unwrap();
    let column = metrics.lines().next().unwrap().split(',').position(|c| c == "test.accuracy").unwrap();
    let told: f64 = metrics.lines().last().unwrap().split(',').nth(column).unwrap().parse().unwrap();
    assert!((right - told).abs() < 1e-6, "{right} and {told}\n{metrics}");
    assert!(!metrics.contains("confusion"), "{metrics}");

    let shown = good(bench.path(), "plot net --confusion");
    assert!(shown.contains("test.confusion_matrix at step 16") && shown.contains("% right"), "{shown}");
    good(bench.path(), "plot net/001 --confusion --svg m.svg");
    assert!(std::fs::read_to_string(bench.path().join("m.svg")).unwrap().contains("% right"));
    let eval = good(bench.path(), "eval net.tfm");
    assert!(eval.contains("test.confusion_matrix"), "{eval}");
    let json: Value =
        serde_json::from_str(good(bench.path(), "eval net.tfm --format json").lines().last().unwrap()).unwrap();
    assert_eq!(json["tables"]["test.confusion_matrix"]["rows"].as_array().unwrap().len(), 10);
}

#[test]
fn classes_have_the_names_that_the_data_gives_them() {
    let dir = tempfile::tempdir().unwrap();
    let rows: String = (0..40).map(|i| format!("{}.5,{}\n", i % 7, if i % 7 < 3 { "low" } else { "high" })).collect();
    std::fs::write(dir.path().join("t.csv"), format!("x,y\n{rows}")).unwrap();
    let text = "
import std.layers.Dense
import std.losses.cross_entropy
import std.metrics.confusion_matrix
import std.optim.Adam
data t = csv(\"t.csv\") {
  x: f32
  y: label([\"low\", \"high\"])
} |> split(0.5)
model Net(x: f32[B]) -> f32[B, 2] { reshape(x, [B, 1]) |> Dense(2) }
train net on t.train {
  let logits = Net(x)
  minimize cross_entropy(logits, y)
  report confusion_matrix(logits, y)
  optimizer: Adam(lr: 1e-2)
  batch: 10
  epochs: 1
  every 1 epoch { evaluate t.test }
}
";
    std::fs::write(dir.path().join("net.tfm"), text).unwrap();
    good(dir.path(), "train net.tfm --quiet");
    let csv = std::fs::read_to_string(dir.path().join("runs/net/001/confusion/test.confusion_matrix-step-000002.csv"))
        .unwrap();
    assert!(csv.starts_with("is\\said,low,high\nlow,") && csv.lines().nth(2).unwrap().starts_with("high,"), "{csv}");
    let wrong = text.replace("report confusion_matrix(logits, y)", "report logits");
    std::fs::write(dir.path().join("net.tfm"), wrong).unwrap();
    assert!(bad(dir.path(), "check net.tfm", 1).contains("a reported value must be one number"));
}

#[test]
fn curves_are_drawn_and_compared() {
    let bench = bench(NET);
    for seed in ["1", "2"] {
        good(bench.path(), &format!("train net.tfm --quiet --seed {seed}"));
    }
    let one = good(bench.path(), "plot net --metric loss");
    assert!(one.contains("net/002 loss") && one.contains("net/002 test.loss") && !one.contains("accuracy"), "{one}");
    let both = good(bench.path(), "plot net/001 runs/net/002 --metric test.accuracy --x epoch --smooth 0.5");
    assert!(
        both.contains("net/001 test.accuracy") && both.contains("net/002 test.accuracy") && both.contains("epoch"),
        "{both}"
    );
    assert_ne!(good(bench.path(), "plot net --metric loss --smooth 0.9"), one, "a smooth curve is another one");
    assert!(good(bench.path(), "plot net --x time").contains("seconds"));
    good(bench.path(), "plot net/001 net/002 --svg curves.svg --smooth --log");
    let svg = std::fs::read_to_string(bench.path().join("curves.svg")).unwrap();
    assert!(
        svg.contains("net/002 test.loss") && svg.matches("class=\"line c").count() > 8 && !svg.contains("NaN"),
        "{svg}"
    );
    assert!(bad(bench.path(), "plot nothing", 1).contains("there is no run `nothing`"));
    assert!(bad(bench.path(), "plot net --metric lost", 1).contains("it has loss, accuracy"));
    assert!(bad(bench.path(), "plot net --smooth 2", 2).contains("from 0 to 0.999"));
}
