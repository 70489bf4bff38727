//! Finding the operation behind a loss that is not finite.
//!
//! When such a loss is seen, the step's updates are already made and every value is spoilt. So a copy
//! of the variables is kept from time to time, and from there the same steps are run once more, kernel
//! by kernel: same seed, same data, same numbers.

use super::step::Step;
use super::{Cause, Context, Engine, Feed, RunError};
use crate::checkpoint::Position;
use crate::tensor::Tensor;
use tfm_lang::model::Report;

/// Steps between two copies.
const STRIDE: u64 = 100;

/// Bytes of variables beyond which no copies are kept: the search then begins at the step that failed.
pub const LIMIT: usize = 256 << 20;

/// A copy of the variables as they were after a step.
#[derive(Default)]
pub struct Snapshot {
    step: u64,
    position: Position,
    tensors: Vec<Tensor>,
}

impl Snapshot {
    /// Copies the variables, if it is time.
    pub fn take(&mut self, engine: &dyn Engine, step: u64, position: Position) {
        let tensors = engine.tensors();
        if self.tensors.is_empty() {
            if tensors.iter().map(|t| t.bytes().len()).sum::<usize>() > LIMIT {
                return;
            }
            self.tensors = tensors.to_vec();
        } else if step >= self.step + STRIDE {
            for (copy, tensor) in self.tensors.iter_mut().zip(tensors) {
                copy.bytes_mut().copy_from_slice(tensor.bytes());
            }
        } else {
            return;
        }
        (self.step, self.position) = (step, position);
    }
}

/// The step that is looked for, and how it was run.
pub struct Failed<'a> {
    /// Its number.
    pub step: u64,
    /// The batch that it took.
    pub position: Position,
    /// The seed.
    pub seed: u64,
    /// What was shown: losses, and reports.
    pub shown: &'a [Report],
}

/// The first operation that gave a value that is not finite, and the step it did so in. The variables of
/// the engine are of no use afterwards.
pub fn find(
    engine: &mut dyn Engine,
    feed: &dyn Feed,
    steps: &mut Step,
    snapshot: &Snapshot,
    failed: &Failed<'_>,
) -> Result<Option<(u64, Cause)>, RunError> {
    let fetches: Vec<&str> = failed.shown.iter().map(|r| r.name.as_str()).collect();
    let (mut step, mut position) = (failed.step - 1, failed.position);
    if !snapshot.tensors.is_empty() {
        (step, position) = (snapshot.step, snapshot.position);
        for (tensor, copy) in engine.tensors_mut().iter_mut().zip(&snapshot.tensors) {
            tensor.bytes_mut().copy_from_slice(copy.bytes());
        }
    }
    for batch in feed.training(position)? {
        let batch = batch?;
        step += 1;
        if step > failed.step {
            break;
        }
        let context = Context { seed: failed.seed, step };
        if !steps.is_whole() && step < failed.step {
            steps.run(engine, (feed.fields(), &batch), failed.shown, context, &mut Vec::new())?;
            continue;
        }
        let cause = steps.search(engine, (feed.fields(), &batch), &fetches, context)?;
        if let Some(cause) = cause {
            return Ok(Some((step, cause)));
        }
    }
    Ok(None)
}
