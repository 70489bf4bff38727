//! What a checkpoint says about itself, and where in the run it was taken.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The number of the format that this version writes and reads.
pub const FORMAT: u32 = 1;

/// `manifest.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's number.
    pub format: u32,
    /// The version of tfm that wrote it.
    pub version: String,
    /// Where the run stood.
    pub progress: Progress,
    /// Every variable that was saved, with its type: the signature of the graph.
    pub variables: Vec<VariableSignature>,
    /// The other files, with their lengths and checksums.
    pub files: Vec<FileSum>,
}

/// A saved variable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VariableSignature {
    /// `ConvNet.conv2d_1.w`
    pub path: String,
    /// `f32`
    pub dtype: String,
    /// Its sizes.
    pub shape: Vec<usize>,
}

/// A file of the checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileSum {
    /// Its name in the folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its CRC-32 (IEEE).
    pub crc32: u32,
}

/// The next batch: how many whole epochs were taken, and how many batches of the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Position {
    /// Whole epochs behind.
    pub epoch: u64,
    /// Batches of this epoch behind.
    pub batch: u64,
}

/// Everything but the variables that going on bit for bit needs.
///
/// Metric values are `f32`, as they were computed; JSON keeps those exactly. A value that is not
/// finite is `None`, for JSON has no word for it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The `train` block.
    pub train: String,
    /// Steps done.
    pub step: u64,
    /// Examples seen.
    pub examples: u64,
    /// The next batch.
    pub position: Position,
    /// The seed of the run.
    pub seed: u64,
    /// Seconds of training so far, over all sittings.
    pub seconds: f64,
    /// True when the run was told to stop before the periodic actions of this step were done.
    pub pending: bool,
    /// True when `checkpoint keep` (or the end) asked for this checkpoint, not only a best value.
    pub periodic: bool,
    /// Why the run is over, when it ended before its length.
    pub stopped: Option<String>,
    /// Each metric's last and best value, by name.
    pub metrics: BTreeMap<String, Series>,
    /// The best value for each `checkpoint highest|lowest`, by metric.
    pub best: BTreeMap<String, Best>,
    /// One per `stop when`, in the order of the text.
    pub stalls: Vec<Stall>,
    /// How often each period in minutes has come round, one per periodic part.
    pub rounds: Vec<u64>,
}

/// A metric over the run so far.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Series {
    /// The last value.
    pub last: Option<f32>,
    /// The best one.
    pub best: Option<f32>,
    /// The step it was reached at.
    pub best_step: u64,
}

/// The best value of a metric and the checkpoint that has it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Best {
    /// The value.
    pub value: f32,
    /// Its step, which names the checkpoint.
    pub step: u64,
}

/// How far a `stop when` has come.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Stall {
    /// The best value so far.
    pub best: Option<f32>,
    /// When it came: steps.
    pub step: u64,
    /// Examples.
    pub examples: u64,
    /// Seconds.
    pub seconds: f64,
}
