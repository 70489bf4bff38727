//! What the loop asks of the machine and of the data.

use super::{Cause, RunError, period::Epoch};
use crate::checkpoint::Position;
use crate::data::Batch;
use crate::tensor::Tensor;
use tfm_lang::model::DataRef;
use tfm_lowering::graph::Variable;

pub use crate::session::{Call, Context};

/// A machine that holds variables and runs entries of a graph.
pub trait Engine {
    /// Sets a size that no feed decides, `steps_per_epoch`.
    fn set_size(&mut self, name: &str, size: i64);

    /// The names of what an entry can give.
    fn outputs(&self, entry: &str) -> Vec<String>;

    /// Gives every variable its initial value for this seed.
    fn initialize(&mut self, seed: u64) -> Result<(), RunError>;

    /// The states of metrics start anew.
    fn reset_metrics(&mut self) -> Result<(), RunError>;

    /// Runs an entry: the fetched values, in the order of `fetches`, are put into `out`, whose memory
    /// is used again.
    fn run(&mut self, call: &Call, out: &mut Vec<Tensor>) -> Result<(), RunError>;

    /// Runs an entry kernel by kernel, and says what gave the first number that is not finite. It stops there.
    fn first_not_finite(&mut self, call: &Call) -> Result<Option<Cause>, RunError>;

    /// The variables, in the order of [`Engine::tensors`].
    fn variables(&self) -> &[Variable];

    /// Their values.
    fn tensors(&self) -> &[Tensor];

    /// Their values, to be set.
    fn tensors_mut(&mut self) -> &mut [Tensor];
}

/// Batches one after the other.
pub type Batches<'a> = Box<dyn Iterator<Item = Result<Batch, RunError>> + 'a>;

/// The data of one `train` block.
pub trait Feed {
    /// The size of a training epoch.
    fn epoch(&self) -> Epoch;

    /// The steps of an epoch as schedules count them.
    fn schedule_steps(&self) -> u64 {
        self.epoch().steps
    }

    /// The names of the fields in [`Batch::tensors`] when training, in their order.
    fn fields(&self) -> &[String];

    /// Training batches from a place on, epoch after epoch without end.
    fn training(&self, from: Position) -> Result<Batches<'_>, RunError>;

    /// All of this data once, in order, with the names of the fields.
    fn evaluation(&self, on: &DataRef) -> Result<(Vec<String>, Batches<'_>), RunError>;
}
