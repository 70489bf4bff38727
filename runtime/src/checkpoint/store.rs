//! The checkpoints of one run: which are there, which stay.

use super::folder::{self, CheckpointError, sync_folder, write_synced};
use super::manifest::{Manifest, Progress};
use crate::tensor::Tensor;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tfm_lowering::graph::Variable;

/// What may be removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// How many of the periodic checkpoints stay; at least 1.
    pub keep: u32,
}

/// Which checkpoint is meant, `--resume best`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// The newest.
    Last,
    /// The best by the first `checkpoint highest|lowest` of the file.
    Best,
    /// This folder.
    At(PathBuf),
}

impl From<&str> for Which {
    fn from(text: &str) -> Which {
        match text {
            "last" => Which::Last,
            "best" => Which::Best,
            path => Which::At(path.into()),
        }
    }
}

/// The folder `checkpoints/` of a run.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The checkpoints in this folder, which need not exist yet. What a kill left behind is put right:
    /// a half-written checkpoint is removed, one that was about to be replaced gets its name back.
    pub fn open(root: &Path) -> Result<Store, CheckpointError> {
        let store = Store { root: root.to_path_buf() };
        let Ok(entries) = fs::read_dir(root) else { return Ok(store) };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some((step, end)) = name.strip_prefix('.').and_then(|n| n.split_once('.')) else { continue };
            let good = root.join(step);
            let done = match end {
                "old" if !good.exists() => fs::rename(entry.path(), &good),
                "old" | "new" => fs::remove_dir_all(entry.path()),
                _ => Ok(()),
            };
            done.map_err(|e| CheckpointError::new(&entry.path(), e))?;
        }
        Ok(store)
    }

    /// The folder of a step's checkpoint.
    pub fn path(&self, step: u64) -> PathBuf {
        self.root.join(format!("step-{step:06}"))
    }

    /// The steps that have a checkpoint, in rising order.
    pub fn steps(&self) -> Vec<u64> {
        let Ok(entries) = fs::read_dir(&self.root) else { return Vec::new() };
        let names = entries.flatten().filter(|e| e.path().is_dir()).map(|e| e.file_name());
        let step = |name: std::ffi::OsString| name.to_str()?.strip_prefix("step-")?.parse().ok();
        names.filter_map(step).collect::<BTreeSet<u64>>().into_iter().collect()
    }

    /// Saves a checkpoint and removes those that no longer have a reason to stay.
    ///
    /// It is written under another name and renamed when it is on disk, so that a kill at any moment
    /// leaves the folder without it or with all of it.
    pub fn save(
        &self,
        progress: &Progress,
        retention: Retention,
        variables: &[Variable],
        tensors: &[Tensor],
    ) -> Result<PathBuf, CheckpointError> {
        let io = |e: std::io::Error| CheckpointError::new(&self.root, e);
        fs::create_dir_all(&self.root).map_err(io)?;
        let good = self.path(progress.step);
        let (new, old) = (self.aside(progress.step, "new"), self.aside(progress.step, "old"));
        if new.exists() {
            fs::remove_dir_all(&new).map_err(io)?;
        }
        folder::write(&new, progress, variables, tensors)?;
        if good.exists() {
            fs::rename(&good, &old).map_err(io)?;
        }
        fs::rename(&new, &good).map_err(io)?;
        sync_folder(&self.root).map_err(io)?;
        if old.exists() {
            fs::remove_dir_all(&old).map_err(io)?;
        }
        self.write_index(progress)?;
        self.prune(progress, retention)?;
        Ok(good)
    }

    fn aside(&self, step: u64, end: &str) -> PathBuf {
        self.root.join(format!(".step-{step:06}.{end}"))
    }

    /// `index.json` says in a few words what the folders are; reading goes by the folders themselves.
    fn write_index(&self, progress: &Progress) -> Result<(), CheckpointError> {
        let name = |step: u64| format!("step-{step:06}");
        let best: serde_json::Map<String, serde_json::Value> = progress
            .best
            .iter()
            .map(|(m, b)| (m.clone(), serde_json::json!({ "value": b.value, "checkpoint": name(b.step) })))
            .collect();
        let index = serde_json::json!({ "last": name(progress.step), "best": best });
        let (path, new) = (self.root.join("index.json"), self.root.join(".index.json"));
        let written = write_synced(&new, format!("{index:#}\n").as_bytes()).and_then(|()| fs::rename(&new, &path));
        written.map_err(|e| CheckpointError::new(&path, e))
    }

    /// Removes what is neither among the last periodic ones, nor the best of a metric, nor the newest.
    fn prune(&self, progress: &Progress, retention: Retention) -> Result<(), CheckpointError> {
        let steps: Vec<u64> = self.steps().into_iter().filter(|s| *s <= progress.step).collect();
        let mut stay: BTreeSet<u64> = progress.best.values().map(|b| b.step).collect();
        stay.insert(progress.step);
        let periodic = steps.iter().rev().filter(|&&s| match folder::read_manifest(&self.path(s)) {
            Ok(manifest) => manifest.progress.periodic,
            Err(_) => false,
        });
        stay.extend(periodic.take(retention.keep.max(1) as usize));
        for step in steps.into_iter().filter(|s| !stay.contains(s)) {
            // Under another name first: a removal that is cut short must not leave half a checkpoint.
            let (path, aside) = (self.path(step), self.aside(step, "new"));
            let removed = fs::rename(&path, &aside).and_then(|()| fs::remove_dir_all(&aside));
            removed.map_err(|e| CheckpointError::new(&path, e))?;
        }
        Ok(())
    }

    /// Removes the checkpoints after a step: a run that goes on from there makes them again.
    pub fn remove_after(&self, step: u64) -> Result<(), CheckpointError> {
        for later in self.steps().into_iter().filter(|s| *s > step) {
            let (path, aside) = (self.path(later), self.aside(later, "new"));
            let removed = fs::rename(&path, &aside).and_then(|()| fs::remove_dir_all(&aside));
            removed.map_err(|e| CheckpointError::new(&path, e))?;
        }
        Ok(())
    }

    /// The folder that is meant. `Last` and `Best` walk past folders whose manifest cannot be read.
    pub fn find(&self, which: &Which) -> Result<PathBuf, CheckpointError> {
        if let Which::At(path) = which {
            return Ok(path.clone());
        }
        let newest = self.newest().ok_or_else(|| CheckpointError::new(&self.root, "there is no checkpoint here"))?;
        if *which == Which::Last {
            return Ok(self.path(newest.progress.step));
        }
        let Some(best) = newest.progress.best.values().next() else {
            let problem =
                "there is no best checkpoint: the file has no `checkpoint highest …` or `checkpoint lowest …`";
            return Err(CheckpointError::new(&self.root, problem));
        };
        Ok(self.path(best.step))
    }

    /// Sets all variables from the checkpoint that is meant, and returns its manifest.
    ///
    /// Where the newest is meant and cannot be used, the one before it is, and so on; the second value
    /// says what was wrong with those passed over.
    pub fn restore(
        &self,
        which: &Which,
        variables: &[Variable],
        tensors: &mut [Tensor],
    ) -> Result<(Manifest, Vec<CheckpointError>), CheckpointError> {
        if *which != Which::Last {
            return Ok((folder::load(&self.find(which)?, variables, tensors)?, Vec::new()));
        }
        let mut passed_over = Vec::new();
        for step in self.steps().into_iter().rev() {
            match folder::load(&self.path(step), variables, tensors) {
                Ok(manifest) => return Ok((manifest, passed_over)),
                Err(error) => passed_over.push(error),
            }
        }
        let none = || CheckpointError::new(&self.root, "there is no checkpoint here");
        Err(passed_over.into_iter().next().unwrap_or_else(none))
    }

    fn newest(&self) -> Option<Manifest> {
        self.steps().into_iter().rev().find_map(|s| folder::read_manifest(&self.path(s)).ok())
    }
}
