//! The folder of a run: `runs/<train>/<number>/`.

use super::RunError;
use crate::checkpoint::{Progress, Series};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that a run writes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// `run.json`: how the run was started, so that it can be evaluated and go on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunInfo {
    /// The version of tfm.
    pub version: String,
    /// The main file, in `source/`.
    pub file: String,
    /// The folder that the main file was in: relative data paths start there.
    pub directory: PathBuf,
    /// The `train` block.
    pub train: String,
    /// `--set name=value`.
    pub overrides: Vec<(String, String)>,
    /// The seed.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
    /// When it was started, in seconds since 1970; 0 where nobody noted it.
    #[serde(default)]
    pub started: u64,
}

/// The file that is in a run's folder while it goes on: it holds the number of the process.
pub const RUNNING: &str = "running";

/// `summary.json`: what came out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// The `train` block.
    pub train: String,
    /// Why the run ended.
    pub ended: String,
    /// Each metric's last and best value, by name.
    pub metrics: BTreeMap<String, Series>,
    /// Steps done.
    pub steps: u64,
    /// How many epochs that is.
    pub epochs: f64,
    /// Seconds of training, over all sittings.
    pub wall_seconds: f64,
    /// `steps / wall_seconds`
    pub steps_per_second: f64,
    /// The most memory the process ever held, in bytes, where the system says.
    pub peak_memory_bytes: Option<u64>,
    /// Trained numbers.
    pub parameters: u64,
    /// The seed.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
    /// The version of tfm.
    pub version: String,
}

impl Folder {
    /// Makes the folder of a new run, with the next free number.
    pub fn create(runs: &Path, train: &str) -> Result<Folder, RunError> {
        let parent = runs.join(train);
        fs::create_dir_all(&parent).map_err(RunError::file(&parent))?;
        let mut number = numbers(&parent).last().map_or(1, |n| n + 1);
        loop {
            let path = parent.join(format!("{number:03}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Folder { path }),
                // Another run took the number at this moment.
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(RunError::File(path, e)),
            }
        }
    }

    /// The folder of a run that is there.
    pub fn open(path: &Path) -> Folder {
        Folder { path: path.to_path_buf() }
    }

    /// The newest run of a `train` block.
    pub fn newest(runs: &Path, train: &str) -> Option<Folder> {
        let parent = runs.join(train);
        numbers(&parent).last().map(|n| Folder { path: parent.join(format!("{n:03}")) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Writes a file into it, `source/convnet.tfm`; folders on the way are made. It replaces one of that
    /// name in one step.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        let path = self.path.join(name);
        let written = (|| {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut new = path.clone().into_os_string();
            new.push(".new");
            fs::write(&new, bytes)?;
            fs::rename(&new, &path)
        })();
        written.map_err(RunError::file(&path))
    }

    /// Reads a file of it.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, RunError> {
        let path = self.path.join(name);
        fs::read(&path).map_err(RunError::file(&path))
    }

    /// Writes something as JSON.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), RunError> {
        let text = serde_json::to_string_pretty(value);
        let text = text.map_err(|e| RunError::File(self.path.join(name), e.into()))?;
        self.write(name, (text + "\n").as_bytes())
    }

    /// How the run was started.
    pub fn info(&self) -> Result<RunInfo, RunError> {
        serde_json::from_slice(&self.read("run.json")?)
            .map_err(|e| RunError::File(self.path.join("run.json"), e.into()))
    }
}

/// The numbers of the runs in a folder, in rising order.
fn numbers(parent: &Path) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<u32> = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    found.sort_unstable();
    found
}

impl Summary {
    /// The summary of a run that has come this far.
    pub fn new(progress: &Progress, ended: &str, steps_per_epoch: u64, parameters: u64, threads: usize) -> Summary {
        Summary {
            train: progress.train.clone(),
            ended: ended.into(),
            metrics: progress.metrics.clone(),
            steps: progress.step,
            epochs: progress.step as f64 / steps_per_epoch as f64,
            wall_seconds: progress.seconds,
            steps_per_second: if progress.seconds > 0.0 { progress.step as f64 / progress.seconds } else { 0.0 },
            peak_memory_bytes: peak_memory(),
            parameters,
            seed: progress.seed,
            threads,
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// The most memory this process ever held, in bytes; only Linux says.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_numbered_without_gaps_being_filled() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Folder::newest(dir.path(), "convnet"), None);
        let first = Folder::create(dir.path(), "convnet").unwrap();
        assert!(first.path().ends_with("convnet/001"));
        fs::create_dir(dir.path().join("convnet/007")).unwrap();
        assert!(Folder::create(dir.path(), "convnet").unwrap().path().ends_with("convnet/008"));
        assert!(Folder::newest(dir.path(), "convnet").unwrap().path().ends_with("008"));
        first.write("source/lib/a.tfm", b"x").unwrap();
        assert_eq!(first.read("source/lib/a.tfm").unwrap(), b"x");
    }
}
