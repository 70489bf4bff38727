//! A watched run, for tests: the file that is edited, and the events that are told.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A small net with a named layer, an unnamed one, one from another file, and states; it trains without end.
pub const NET: &str = "\
import parts.Norm
import std.layers.Dense
import std.losses.cross_entropy
import std.metrics.accuracy
import std.optim.Adam

data digits = drawn_digits(train: 320, test: 60)

model Net(image: f32[B, 784]) -> f32[B, 10] {
  let hidden = Dense(24)
  image |> hidden |> Norm() |> relu |> Dense(16, relu) |> Dense(10)
}

train net on digits.train {
  let logits = Net(flatten(f32(image) / 255))

  minimize cross_entropy(logits, label)
  report   accuracy(logits, label)

  optimizer: Adam(lr: 0.01)
  batch:     32
  steps:     1_000_000
  seed:      1

  every 40 steps { evaluate digits.test }
}
";

/// What it imports.
pub const PARTS: &str = "\
layer Norm()(x: float[B, D]) -> float[B, D] {
  param scale: float[D] = ones()
  state seen: float[D] = zeros()
  if training { seen <- 0.9 * seen + 0.1 * mean(x, axis: 0) }
  (x - mean(x, axis: -1, keep: true)) * scale
}
";

/// A folder with the two files.
pub fn bench() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("net.tfm"), NET).unwrap();
    fs::write(dir.path().join("parts.tfm"), PARTS).unwrap();
    dir
}

/// Saves as many editors do: into another file, which then takes the place of the old one.
pub fn save_by_renaming(path: &Path, text: &str) {
    let new = path.with_extension("tfm~");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

/// The events that `--events` writes, read as they come.
pub struct Events {
    path: PathBuf,
    read: usize,
}

impl Events {
    /// Of this file, which need not be there yet.
    pub fn of(path: PathBuf) -> Events {
        Events { path, read: 0 }
    }

    /// The events since the last call, up to and with the first that is meant; fails after some time.
    pub fn until(&mut self, what: &str, is_meant: impl Fn(&Value) -> bool) -> Vec<Value> {
        let (start, mut all, before) = (Instant::now(), Vec::new(), self.read);
        loop {
            let text = fs::read_to_string(&self.path).unwrap_or_default();
            self.read = before;
            all.clear();
            for line in text.get(before..).unwrap_or_default().split_inclusive('\n').filter(|l| l.ends_with('\n')) {
                self.read += line.len();
                all.push(serde_json::from_str::<Value>(line).unwrap());
                if is_meant(&all[all.len() - 1]) {
                    return all;
                }
            }
            let last: Vec<&Value> = all.iter().rev().take(5).collect();
            assert!(start.elapsed() < Duration::from_secs(40), "{what} did not come; the last events: {last:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for an event of this kind.
    pub fn wait(&mut self, event: &str) -> Vec<Value> {
        self.until(event, |v| v["event"] == event)
    }
}

/// The last of some events that is of a kind.
pub fn last<'a>(events: &'a [Value], event: &str) -> &'a Value {
    events.iter().rev().find(|v| v["event"] == event).unwrap_or_else(|| panic!("no {event} in {events:?}"))
}

/// The checksums of all variables before and after the last edit.
pub fn sums(events: &[Value]) -> (&serde_json::Map<String, Value>, &serde_json::Map<String, Value>) {
    let find = |when: &str| events.iter().rev().find(|v| v["event"] == "weights" && v["when"] == when).unwrap();
    (find("before")["sums"].as_object().unwrap(), find("after")["sums"].as_object().unwrap())
}

/// The rows of an edit's table, `what path`.
pub fn rows(edit: &Value) -> Vec<String> {
    let row = |r: &Value| format!("{} {}", r["what"].as_str().unwrap(), r["path"].as_str().unwrap()).trim().to_string();
    edit["rows"].as_array().unwrap().iter().map(row).collect()
}

/// A number of `/proc/PID/status`, `VmRSS` in kB; only Linux has it.
pub fn status(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// True when a program can be started; says that the test is skipped otherwise.
pub fn has(program: &str, argument: &str) -> bool {
    let found = std::process::Command::new(program).arg(argument).output().is_ok();
    if !found {
        println!("skipped: there is no `{program}` here");
    }
    found
}
