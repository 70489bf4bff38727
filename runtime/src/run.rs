//! The training loop: a `train` block as a sequence of steps, evaluations and checkpoints.
//!
//! The loop knows a machine that runs entries of a graph ([`Engine`]), something that gives batches
//! ([`Feed`]), a folder to write to ([`Folder`]) and someone to tell ([`Observer`]). It decides what
//! happens when; it prints nothing and computes nothing.
//!
//! **Invariants.** What a run computes depends on the file, the seed and the step, never on the clock
//! (periods in minutes aside), nor on whether it was interrupted: a checkpoint holds all that the
//! next step reads. Nothing is saved after a loss that is not finite.

mod bare;
mod cause;
mod engine;
mod error;
mod evaluate;
mod event;
mod feed;
mod folder;
mod images;
mod metrics;
pub mod period;
mod record;
mod step;
mod stops;
mod table;
mod tensorboard;
mod trainer;

pub use bare::steps;
pub use cause::LIMIT as KEPT_AT_MOST;
pub use engine::{Batches, Call, Context, Engine, Feed};
pub use error::{Cause, RunError};
pub use evaluate::{Evaluation, evaluate, evaluate_with_tables, shown, tables};
pub use event::{Event, Observer, Started, Stepped};
pub use feed::DataFeed;
pub use folder::{Folder, RUNNING, RunInfo, Summary};
pub use metrics::{is_lower_better, json_number};
pub use record::{About, Recorder, Recording};
pub use step::Step;
pub use table::{Table, class_names};
pub use tensorboard::TensorBoard;
pub use trainer::{Ended, Job, Outcome, train};

#[cfg(test)]
mod tests;
