//! What `train` blocks say, as a user meets it: pictures and reports now and then, frozen parts, weights to start
//! from, settings and hints that must not change the numbers.

mod common;

use common::{bad, good, read, run};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const GAN: &str = "\
import std.layers.{BatchNorm, Dense, Dropout}
import std.losses.{binary_cross_entropy, cross_entropy}
import std.metrics.{accuracy, auc}
import std.optim.{Adam, Sgd}

data digits = drawn_digits(train: 200, test: 60)

model Generator(z: f32[B, 8]) -> f32[B, 1, 28, 28] {
  z |> Dense(16, relu) |> BatchNorm() |> Dense(784) |> reshape([B, 1, 28, 28]) |> tanh
}

model Critic(image: f32[B, 1, 28, 28]) -> f32[B] {
  image |> flatten |> Dense(16, relu) |> BatchNorm() |> Dropout(0.2) |> Dense(1) |> squeeze(axis: 1)
}

train gan on digits.train {
  let real = f32(image) / 127.5 - 1
  let fake = Generator(random_normal([B, 8]))
  let told_real = Critic(real)
  let told_fake = Critic(stop_gradient(fake))
  let d_loss = binary_cross_entropy(told_real, ones_like(told_real))
             + binary_cross_entropy(told_fake, zeros_like(told_fake))
  let fooled = Critic(fake)
  let g_loss = binary_cross_entropy(fooled, ones_like(fooled))
  minimize d_loss over Critic    with Adam(2e-4, beta1: 0.5)
  minimize g_loss over Generator with Adam(2e-4, beta1: 0.5)
  report d_loss, g_loss
  batch: 30
  steps: 10
  every 3 steps {
    let fooling = mean(sigmoid(fooled))
    let ranked  = auc(told_real, label % 2)
    report fooling, ranked
    save images fake
    save images reshape(Generator(random_normal([9, 8])), [9, 28, 28])
    checkpoint keep 9
  }
}

train head on digits.train {
  freeze Critic
  let h = Critic(f32(image) / 127.5 - 1)
  let classes = Dense(10)
  let logits = classes(reshape(h, [B, 1]))
  minimize cross_entropy(logits, label)
  report accuracy(logits, label)
  optimizer: Sgd(0.1)
  batch:  30
  epochs: 1
  every 1 epoch { evaluate digits.test }
}
";

fn bench(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("net.tfm"), text).unwrap();
    dir
}

/// The tensors of a checkpoint's model, as bytes by their names.
fn weights(checkpoint: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = read(checkpoint.join("model.safetensors"));
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    tensors.into_iter().map(|(name, view)| (name, view.data().to_vec())).collect()
}

fn rows(dir: &Path, run: &str) -> String {
    fs::read_to_string(dir.join(run).join("metrics.csv")).unwrap()
}

/// A column of `metrics.csv`, where it has values.
fn column(rows: &str, name: &str) -> Vec<f32> {
    let mut lines = rows.lines();
    let at = lines.next().unwrap().split(',').position(|n| n == name).unwrap_or_else(|| panic!("{name}: {rows}"));
    lines.filter_map(|l| l.split(',').nth(at)?.parse().ok()).collect()
}

/// Every picture of a run, by its name.
fn pictures(dir: &Path, run: &str) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(dir.join(run).join("images")).unwrap();
    files.map(|f| f.unwrap()).map(|f| (f.file_name().into_string().unwrap(), read(f.path()))).collect()
}

#[test]
fn pictures_and_reports_come_now_and_then_and_again_after_a_stop() {
    let bench = bench(GAN);
    let dir = bench.path();
    let said = good(dir, "train net.tfm gan");
    assert!(said.contains("images gan/001/images/fake-step-000003.png"), "{said}");
    let (whole, pictures_of_all) = (rows(dir, "runs/gan/001"), pictures(dir, "runs/gan/001"));
    assert!(whole.starts_with("step,epoch,d_loss,g_loss,fooling,ranked\n"), "{whole}");
    assert_eq!((column(&whole, "g_loss").len(), column(&whole, "fooling").len()), (10, 3));
    assert!(column(&whole, "ranked").iter().all(|x| (0.0..=1.0).contains(x)));
    assert_eq!(pictures_of_all.len(), 6);
    let fake = &pictures_of_all["fake-step-000009.png"];
    assert!(fake.starts_with(b"\x89PNG"));
    // 30 images of 28 by 28 in 6 columns and 5 rows, a pixel between them.
    assert_eq!((fake[16..20].to_vec(), fake[20..24].to_vec()), (vec![0, 0, 0, 175], vec![0, 0, 0, 146]));
    assert_ne!(fake, &pictures_of_all["fake-step-000003.png"]);

    good(dir, "train net.tfm gan --runs cut --max-steps 5");
    good(dir, "train net.tfm gan --runs cut --resume");
    assert_eq!(rows(dir, "cut/gan/001"), whole);
    assert_eq!(pictures(dir, "cut/gan/001"), pictures_of_all);
    let last = "checkpoints/step-000010";
    assert_eq!(weights(&dir.join("cut/gan/001").join(last)), weights(&dir.join("runs/gan/001").join(last)));
}

#[test]
fn a_frozen_part_stays_as_it_is() {
    let bench = bench(GAN);
    let dir = bench.path();
    let said = good(dir, "train net.tfm");
    assert!(said.contains("head: 20 parameters, 12,609 frozen"), "{said}");
    let (before, after) = (
        weights(&dir.join("runs/gan/001/checkpoints/step-000010")),
        weights(&dir.join("runs/head/001/checkpoints/step-000007")),
    );
    let changed: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(changed, ["classes.b", "classes.w"]);
    assert!(good(dir, "eval runs/head/001 --on train").contains("train.accuracy"));
    assert!(good(dir, "eval net.tfm gan --on test").contains("test.d_loss"));
    // Inside, `training` is false: nothing is dropped.
    let steps = |text: &str| {
        fs::write(dir.join("one.tfm"), text).unwrap();
        good(dir, "graph one.tfm --text").matches("# Encoder.dropout_1").count()
    };
    let free = TRANSFER.replace("freeze Encoder.dense_1, Encoder.batch_norm_1", "");
    assert!(steps(&free) > 0);
    assert_eq!(steps(&free.replace("  let classes", "  freeze Encoder\n  let classes")), 0);
}

const TRANSFER: &str = "\
import std.layers.{BatchNorm, Dense, Dropout}
import std.losses.cross_entropy
import std.optim.Sgd

data digits = drawn_digits(train: 200, test: 60)

const wide = 16

model Encoder(image: f32[B, 1, 28, 28]) -> f32[B, 1] {
  image |> flatten |> Dense(wide, relu) |> BatchNorm() |> Dropout(0.2) |> Dense(1)
}

train head on digits.train {
  start Encoder from \"BASE\" at Critic
  freeze Encoder.dense_1, Encoder.batch_norm_1
  let classes = Dense(10)
  minimize cross_entropy(classes(Encoder(f32(image) / 127.5 - 1)), label)
  optimizer: Sgd(0.1)
  batch: 30
  steps: 4
}
";

#[test]
fn a_model_starts_from_a_file_or_a_run() {
    let bench = bench(GAN);
    let dir = bench.path();
    good(dir, "train net.tfm gan -q");
    good(dir, "export runs/gan/001 -o base.safetensors");
    let before = weights(&dir.join("runs/gan/001/checkpoints/step-000010"));
    for (base, run) in [("base.safetensors", "001"), ("runs/gan/001", "002")] {
        fs::write(dir.join("next.tfm"), TRANSFER.replace("BASE", base)).unwrap();
        good(dir, "check next.tfm");
        let said = good(dir, "train next.tfm");
        assert!(said.contains("Encoder starts from ") && said.contains(": 8 tensors"), "{said}");
        let after = weights(&dir.join(format!("runs/head/{run}/checkpoints/step-000004")));
        for name in ["dense_1.w", "batch_norm_1.scale", "batch_norm_1.running_mean"] {
            assert!(after[&format!("Encoder.{name}")] == before[&format!("Critic.{name}")], "{name} of {base}");
        }
        assert_ne!(after["Encoder.dense_2.w"], before["Critic.dense_2.w"]);
    }
    // What goes on has its weights, and needs the file no more.
    fs::remove_file(dir.join("base.safetensors")).unwrap();
    fs::write(dir.join("next.tfm"), TRANSFER.replace("BASE", "base.safetensors").replace("steps: 4", "steps: 6"))
        .unwrap();
    good(dir, "train next.tfm --resume");
    let text = bad(dir, "train next.tfm", 1);
    assert!(text.contains("E0612") && text.contains("no `base.safetensors` to start from"), "{text}");
    good(dir, "check next.tfm");
}

#[test]
fn weights_that_do_not_fit_are_found_before_the_first_step() {
    let bench = bench(GAN);
    let dir = bench.path();
    good(dir, "train net.tfm gan -q");
    fs::write(dir.join("next.tfm"), TRANSFER.replace("BASE", "runs/gan/001")).unwrap();
    for command in ["check", "train"] {
        let text = bad(dir, &format!("{command} next.tfm --set wide=17"), 1);
        assert!(
            text.contains("Critic.dense_1.w: f32[784, 16] in the checkpoint, f32[784, 17] in the model as"),
            "{text}"
        );
        assert!(text.contains("next.tfm:14:3"), "{text}");
    }
    fs::write(dir.join("next.tfm"), TRANSFER.replace("BASE", "runs/gan/001").replace("at Critic", "at Critc")).unwrap();
    let text = bad(dir, "check next.tfm", 1);
    assert!(text.contains("Critc.dense_1.w: missing") && text.contains("Critic.batch_norm_1"), "{text}");
    fs::write(dir.join("next.tfm"), TRANSFER.replace("BASE", "next.tfm")).unwrap();
    assert!(bad(dir, "train next.tfm", 1).contains("is not a safetensors file"));
    assert!(!dir.join("runs/head").exists());
}

const NET: &str = "\
import std.layers.{BatchNorm, Conv2d, Dense, Embedding}
import std.losses.cross_entropy
import std.metrics.{accuracy, auc}
import std.optim.Adam

data digits = drawn_digits(train: 100, test: 60)

model Net(image: f32[B, 1, 28, 28], label: i32[B] below 10) -> f32[B, 10] {
  let seen = image |> Conv2d(4, kernel: 5, stride: 2) |> relu |> flatten |> Dense(10)
  seen + Embedding(10, 10)(9 - label)
}

train net on digits.train {
  let logits = Net(f32(image) / 255, label)
  minimize cross_entropy(logits, label)
  report accuracy(logits, label), auc(logits[:, 0], i32(label == 3))
  optimizer: Adam(3e-3)
  batch: 24
  steps: 12
  every 1 epoch { evaluate digits.test }
}
";

/// The rows of a run of a text, and what it said on the way.
fn trained(text: &str, set: &str) -> (String, String) {
    let bench = bench(text);
    let output = run(bench.path(), &format!("train net.tfm --quiet{set}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}\n{said}");
    let output = run(bench.path(), "check net.tfm");
    (rows(bench.path(), "runs/net/001"), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn far(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_step_in_parts_gives_the_same_numbers() {
    let (whole, _) = trained(NET, "");
    for micro in [8, 5] {
        // The last batch of 100 has 4 examples; of parts of 5, the batch of 20 has four.
        let batch = if micro == 5 { " --set batch=20" } else { "" };
        let whole = if micro == 5 { trained(NET, batch).0 } else { whole.clone() };
        let (parts, _) = trained(NET, &format!("{batch} --set micro={micro}"));
        for name in ["loss", "accuracy", "auc", "test.loss"] {
            let (a, b) = (column(&whole, name), column(&parts, name));
            assert!(far(&a, &b) < 2e-4, "{name}: {a:?} {b:?}");
        }
    }
    assert_eq!(trained(NET, " --set micro=24").0, whole);
}

#[test]
fn products_round_to_bf16_and_no_more() {
    let (exact, _) = trained(NET, "");
    let (rounded, _) = trained(&NET.replace("steps: 12", "steps: 12\n  precision: bf16"), "");
    let (a, b) = (column(&exact, "loss"), column(&rounded, "loss"));
    let far = far(&a, &b);
    assert!(far > 0.0 && far < 0.02, "{a:?} {b:?}");
    assert_eq!(trained(NET, " --set precision=f32").0, exact);
    assert_eq!(trained(NET, " --set precision=bf16").0, rounded);
}

#[test]
fn hints_change_no_number_and_are_noted() {
    let (plain, nothing) = trained(NET, "");
    assert_eq!(nothing, "");
    let hinted = NET
        .replace("Embedding(10, 10)(9 - label)", "on job(\"ps\", task: 1) { on cpu { Embedding(10, 10)(9 - label) } }")
        .replace("image |> Conv2d(4,", "on gpu(0) { image } |> Conv2d(4,")
        .replace("|> relu |> flatten |> Dense(10)", "|> relu |> flatten |> fn(y) { on gpu(1) { Dense(10)(y) } }")
        .replace(
            "steps: 12",
            "steps: 12\n  parallel: replicas(8, async: true)\n  parameters: job(\"ps\")\n  memory: 1 KB",
        );
    let (same, notes) = trained(&hinted, "");
    assert_eq!(same, plain);
    assert!(notes.contains("`on gpu(…)`: 1 hint; there is no such device here"), "{notes}");
    assert!(notes.contains("`on job(\"ps\", …)`: 1 hint; no cluster is given, everything runs on this CPU"), "{notes}");
    assert!(notes.contains("`parallel: replicas(8…)` of `train net`"), "{notes}");
    assert!(notes.contains("`parameters: job(\"ps\")`"), "{notes}");
    assert_eq!(notes.matches("`on ").count(), 2, "{notes}");
    let bench = bench(&hinted);
    let said = good(bench.path(), "train net.tfm");
    assert!(said.contains("a step of `train net`") && said.contains("1,000 bytes"), "{said}");
    let graph = good(bench.path(), "graph net.tfm --text");
    assert!(
        graph.contains("variable Net.embedding_1.table : f32[10, 10] parameter on \"job:ps/task:1/cpu\""),
        "{graph}"
    );
    assert!(graph.contains("optimizer on \"job:ps/task:1/cpu\""), "{graph}");
}

#[test]
fn a_run_stops_when_an_accuracy_stalls() {
    let text = NET
        .replace("steps: 12", "epochs: 40\n  stop when test.accuracy stalls for 2 epochs")
        .replace("Adam(3e-3)", "Adam(1e-9)");
    let bench = bench(&text);
    let said = good(bench.path(), "train net.tfm");
    assert!(said.contains("stopped: test.accuracy has not improved on ") && said.contains(" for 2 epochs"), "{said}");
    // The first evaluation is the best one, and two more follow.
    assert_eq!(column(&rows(bench.path(), "runs/net/001"), "test.accuracy").len(), 3, "{said}");
}
