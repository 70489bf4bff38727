//! Checkpoints: the values of all variables and where the run stood, in a folder that is either
//! complete or not there.
//!
//! `step-000500/` holds `model.safetensors` (parameters and states of layers: what the model is),
//! `optimizer.safetensors` (states of optimizers and metrics: what only going on needs) and
//! `manifest.json` (the [`Manifest`], with the length and checksum of the two).
//!
//! **Invariants.** A folder whose name is `step-N` was complete and on disk before it got that name.
//! Reading verifies lengths, checksums, paths and types before a single variable changes.

mod folder;
mod manifest;
mod store;
mod weights;

pub use folder::{CheckpointError, export, load, load_model, read_manifest, write};
pub use manifest::{Best, FileSum, Manifest, Position, Progress, Series, Stall, VariableSignature};
pub use store::{Retention, Store, Which};
pub use weights::{Wanted, Weights};

#[cfg(test)]
mod tests;
