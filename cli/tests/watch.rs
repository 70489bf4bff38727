//! `tfm watch` on a pipe: what is told, what is kept on disk, that the run can be gone on with, and that nothing grows.

mod common;

use common::watching::{Events, NET, PARTS, bench, last, rows, save_by_renaming, status, sums};
use common::{good, tfm};
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A watched run, which is ended with the test.
struct Watched {
    child: Child,
    events: Events,
}

impl Watched {
    fn start(dir: &Path, more: &str) -> Watched {
        let line = format!("watch net.tfm --threads 1 --json --checksums --events events.jsonl{more}");
        let child = tfm(dir, &line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        Watched { child, events: Events::of(dir.join("events.jsonl")) }
    }

    /// SIGTERM, and the end; gives the exit status.
    fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name of a file in the folder of a run; `events` for one that TensorBoard reads.
fn kind(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    if name.starts_with("events.out.tfevents.") { "events".into() } else { name }
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| kind(&entry.unwrap().path())).collect()
}

#[test]
fn edits_keep_what_is_the_same_and_a_run_can_be_gone_on_with() {
    let dir = bench();
    let file = dir.path().join("net.tfm");
    let mut run = Watched::start(dir.path(), "");
    run.events.wait("evaluated");
    assert!(dir.path().join("runs/net/001/running").exists());

    // Settings alone: everything stays, bit for bit.
    let slower = NET.replace("lr: 0.01", "lr: 0.002").replace("every 40", "every 50");
    save_by_renaming(&file, &slower);
    let told = run.events.wait("next_step");
    let edit = last(&told, "edited");
    assert_eq!(rows(edit), ["kept"]);
    assert_eq!(edit["rows"][0]["variables"], 8);
    let notes = edit["notes"].to_string();
    assert!(notes.contains("Adam: lr 0.01 to 0.002") && notes.contains("every so often"), "{notes}");
    let (before, after) = sums(&told);
    assert_eq!(before, after);
    assert!(before.len() > 20);

    // A wider layer, another name, a bigger batch: the rest stays.
    let wide = slower.replace("Dense(16, relu)", "Dense(20, relu)").replace("hidden", "trunk").replace("32\n", "64\n");
    fs::write(&file, &wide).unwrap();
    let told = run.events.wait("next_step");
    let edit = last(&told, "edited");
    let expected =
        ["kept", "resized Net.dense_1.w", "resized Net.dense_1.b", "resized Net.dense_2.w", "renamed Net.trunk"];
    assert_eq!(rows(edit), expected);
    assert!(edit["notes"].to_string().contains("batch 32 to 64"), "{edit}");
    assert_eq!(edit["states"]["dropped"], 0);
    let (before, after) = sums(&told);
    for (to, from) in [
        ("Net.trunk.w", "Net.hidden.w"),
        ("Net.trunk.w/adam.m", "Net.hidden.w/adam.m"),
        ("Net.norm_1.seen", "Net.norm_1.seen"),
        ("Net.dense_2.b", "Net.dense_2.b"),
        ("Net.dense_2.b/adam.v", "Net.dense_2.b/adam.v"),
    ] {
        assert_eq!(after[to], before[from], "{to}");
    }
    assert_ne!(after["Net.dense_1.w"], before["Net.dense_1.w"]);

    // Another optimizer has other states.
    let other = wide.replace("Adam(lr: 0.002)", "Sgd(lr: 0.002, momentum: 0.9)").replace("optim.Adam", "optim.Sgd");
    fs::write(&file, &other).unwrap();
    let told = run.events.wait("next_step");
    let edit = last(&told, "edited");
    assert_eq!((rows(edit), &edit["states"]["kept"]), (vec!["kept".to_string()], &0.into()));
    assert!(edit["states"]["dropped"].as_u64().unwrap() > 0);

    // A mistake, and it taken back: nothing was taken over.
    fs::write(&file, other.replace("Dense(10)", "Dense(10")).unwrap();
    let told = run.events.wait("rejected");
    assert!(!last(&told, "rejected")["diagnostics"].as_array().unwrap().is_empty());
    run.events.wait("step");
    fs::write(&file, &other).unwrap();
    run.events.wait("mended");

    // A length: the end is waited at, and an edit goes on from there.
    let step = last(&run.events.wait("step"), "step")["step"].as_u64().unwrap();
    let short = other.replace("1_000_000", &(step + 200).to_string());
    fs::write(&file, &short).unwrap();
    run.events.until("the end", |v| v["state"] == "finished");
    fs::write(&file, short.replace(&(step + 200).to_string(), "1_000_000")).unwrap();
    let told =
        run.events.until("a step beyond the end", |v| v["event"] == "step" && v["step"].as_u64() > Some(step + 200));
    assert_eq!(rows(last(&told, "edited")), ["kept"]);
    run.events.wait("evaluated");
    assert_eq!(run.stop(), Some(128 + 15));

    // What a viewer reads is there as after any run: one file over all edits, with the text of each version.
    let folder = dir.path().join("runs/net/001");
    good(dir.path(), "train net.tfm --quiet --threads 1 --max-steps 3 --runs plain");
    let (watched, plain) = (names(&folder), names(&dir.path().join("plain/net/001")));
    assert!(plain.iter().all(|name| watched.contains(name)), "{watched:?}\n{plain:?}");
    let events: Vec<&String> = watched.iter().filter(|name| *name == "events").collect();
    assert_eq!(events.len(), 1, "{watched:?}");
    let written = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path());
    let written = written.filter(|path| kind(path) == "events").map(|path| fs::read(path).unwrap()).next().unwrap();
    let says = |text: &str| written.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(says("Dense(16, relu)") && says("Dense(20, relu)") && says("test/accuracy"));
    assert!(!folder.join("running").exists());

    let kept = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(kept("source/net.tfm"), kept("edits/0005/net.tfm"));
    assert!(kept("edits/0002/net.tfm").contains("trunk") && !kept("edits/0001/net.tfm").contains("trunk"));
    assert_eq!(kept("edits/0001/parts.tfm"), PARTS);
    assert_eq!(kept("edits.jsonl").lines().count(), 5);
    let rows: Vec<u64> =
        kept("metrics.csv").lines().skip(1).map(|l| l.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(rows[0] == 1 && rows.windows(2).all(|w| w[0] <= w[1]), "{rows:?}");

    let stopped = rows[rows.len() - 1];
    fs::write(&file, kept("source/net.tfm")).unwrap();
    let out = good(dir.path(), &format!("train net.tfm --resume --threads 1 --max-steps {}", stopped + 30));
    assert!(out.contains("going on after step"), "{out}");
}

#[test]
fn a_file_that_is_wrong_at_first_is_waited_for() {
    let dir = bench();
    let file = dir.path().join("net.tfm");
    fs::write(&file, NET.replace("Dense(10)", "Dnse(10)")).unwrap();
    let mut run = Watched::start(dir.path(), "");
    run.events.wait("rejected");
    save_by_renaming(&file, NET);
    run.events.wait("step");
    // Data that cannot be opened: the version before goes on.
    fs::write(&file, NET.replace("drawn_digits(train: 320, test: 60)", "mnist(\"nowhere\")")).unwrap();
    let told = run.events.wait("rejected");
    assert!(last(&told, "rejected")["text"].as_str().unwrap().contains("nowhere"), "{told:?}");
    run.events.wait("step");
    assert_eq!(run.stop(), Some(128 + 15));
}

#[test]
fn a_loss_that_is_no_number_waits_for_an_edit_that_goes_on_from_before() {
    let dir = bench();
    let file = dir.path().join("net.tfm");
    let mut run = Watched::start(dir.path(), "");
    run.events.wait("evaluated");
    fs::write(&file, NET.replace("cross_entropy(logits, label)\n", "cross_entropy(logits * 1e38 * 1e38, label)\n"))
        .unwrap();
    let told = run.events.until("the failure", |v| v["state"] == "failed");
    assert!(last(&told, "state")["why"].as_str().unwrap().contains("loss"), "{told:?}");
    let (before, _) = sums(&told);
    let before = before.clone();
    fs::write(&file, NET.replace("0.01", "0.001")).unwrap();
    let told = run.events.wait("next_step");
    assert_eq!(*sums(&told).1, before);
    run.stop();
}

#[test]
fn blocks_are_trained_in_the_order_of_the_file() {
    let dir = bench();
    let file = dir.path().join("net.tfm");
    let second = NET[NET.find("train net").unwrap()..].replace("train net", "train more");
    let text = format!("{}\n{}", NET.replace("1_000_000", "60"), second.replace("Adam(lr: 0.01)", "Adam(lr: 0.003)"));
    fs::write(&file, &text).unwrap();
    let mut run = Watched::start(dir.path(), "");
    let told = run.events.until("the second block", |v| v["event"] == "run" && v["train"] == "more");
    assert_eq!(last(&told, "step")["step"], 60, "the first block was trained to its end");
    run.events.wait("step");

    // An edit of the block that trains goes on with it, and not with the first one.
    fs::write(&file, text.replace("0.003", "0.002")).unwrap();
    let told = run.events.wait("next_step");
    assert!(last(&told, "edited")["notes"].to_string().contains("Adam: lr 0.003 to 0.002"), "{told:?}");
    let (before, after) = sums(&told);
    assert_eq!(before, after);
    run.events.wait("step");
    assert_eq!(run.stop(), Some(128 + 15));
    let first = fs::read_to_string(dir.path().join("runs/net/001/summary.json")).unwrap();
    assert!(first.contains("\"done\""), "{first}");
    assert!(dir.path().join("runs/more/001/edits/0001/net.tfm").exists());
}

#[test]
fn data_that_changes_on_disk_is_read_anew() {
    let dir = bench();
    let table = |rows: usize, slope: f32| {
        let row = |i: usize| format!("{},{}\n", i as f32 / rows as f32, slope * i as f32 / rows as f32);
        "x,y\n".to_string() + &(0..rows).map(row).collect::<String>()
    };
    let text = "\
import std.layers.Dense
import std.losses.mse
import std.optim.Sgd

data line = csv(\"line.csv\") {
  x: f32
  y: f32
}

model Line(x: f32[B, 1]) -> f32[B, 1] { Dense(1)(x) }

train net on line {
  minimize mse(Line(reshape(x, [B, 1])), reshape(y, [B, 1]))
  optimizer: Sgd(lr: 0.1)
  batch:     8
  steps:     1_000_000
}
";
    fs::write(dir.path().join("net.tfm"), text).unwrap();
    fs::write(dir.path().join("line.csv"), table(64, 2.0)).unwrap();
    let mut run = Watched::start(dir.path(), "");
    run.events.wait("step");
    save_by_renaming(&dir.path().join("line.csv"), &table(96, -1.0));
    let told = run.events.wait("next_step");
    let edit = last(&told, "edited");
    assert!(edit["notes"].to_string().contains("data `line` has changed"), "{edit}");
    assert_eq!(rows(edit), ["kept"]);
    let (before, after) = sums(&told);
    assert_eq!(before, after);

    // A table that cannot be read is no reason to stop, and one that is well again is gone on with.
    fs::write(dir.path().join("line.csv"), "x,y\n1,none\n").unwrap();
    let told = run.events.wait("rejected");
    assert!(last(&told, "rejected")["text"].as_str().unwrap().contains("line.csv"), "{told:?}");
    run.events.wait("step");
    fs::write(dir.path().join("line.csv"), table(128, 3.0)).unwrap();
    // An edit from before may still be on its way to a step.
    let has_changed = |v: &serde_json::Value| v["notes"].to_string().contains("data `line` has changed");
    run.events.until("the edit", |v| v["event"] == "edited" && has_changed(v));
    run.events.wait("next_step");
    assert_eq!(run.stop(), Some(128 + 15));
}

#[test]
fn nothing_grows_over_two_hundred_edits() {
    let dir = bench();
    let file = dir.path().join("net.tfm");
    let mut run = Watched::start(dir.path(), "");
    let id = run.child.id();
    run.events.wait("step");
    let mut measured = Vec::new();
    for i in 1..=200 {
        let text = NET.replace("lr: 0.01", &format!("lr: 0.0{}", 100 + i));
        let text = if i % 4 == 0 { text.replace("Dense(16", &format!("Dense({}", 16 + i % 16)) } else { text };
        let text = if i % 7 == 0 { text.replace("hidden", "trunk") } else { text };
        fs::write(&file, text).unwrap();
        run.events.wait("next_step");
        if i % 40 == 0 {
            // Of the run before the edit a thread may just be ending.
            let most = measured.first().and_then(|&(_, threads)| threads);
            let patience = Instant::now() + Duration::from_secs(5);
            while most.is_some() && status(id, "Threads") > most && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(10));
            }
            measured.push((status(id, "VmRSS"), status(id, "Threads")));
        }
    }
    run.stop();
    println!("kB and threads after each forty edits: {measured:?}");
    let (Some(first), Some(end)) = (measured[0].0, measured[4].0) else { return println!("skipped: no /proc here") };
    assert!(end < first + first / 10 + 8_000, "memory: {measured:?}");
    assert!(measured[4].1 <= measured[0].1, "threads: {measured:?}");
}
