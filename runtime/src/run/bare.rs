//! Steps and nothing else: no folder, no evaluation, no checkpoint. For looking how a file trains.

use super::evaluate::shown;
use super::step::Step;
use super::{Context, Engine, Feed, RunError};
use crate::checkpoint::Position;
use tfm_lang::model::Train;

/// Trains from the beginning of the data, as a run of this seed would. After each step, `each` is given its number
/// (from 1), its examples and the losses and reports, losses first, and says whether to go on.
pub fn steps(
    engine: &mut dyn Engine,
    feed: &dyn Feed,
    train: &Train,
    each: &mut dyn FnMut(u64, usize, &[f32]) -> bool,
) -> Result<(), RunError> {
    engine.set_size("steps_per_epoch", feed.schedule_steps() as i64);
    let (mut step, mut values) = (Step::of(train, engine), Vec::new());
    let reports = shown(&train.training);
    for (number, batch) in (1..).zip(feed.training(Position::default())?) {
        let batch = batch?;
        let context = Context { seed: train.seed, step: number };
        step.run(engine, (feed.fields(), &batch), &reports, context, &mut values)?;
        if !each(number, batch.examples, &values) {
            break;
        }
    }
    Ok(())
}
