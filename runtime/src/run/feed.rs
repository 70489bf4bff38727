//! The data of a `train` block, as the loop wants it.

use super::engine::{Batches, Feed};
use super::{RunError, period::Epoch};
use crate::checkpoint::Position;
use crate::data::{self, Dataset, Loader, Order, Split};
use std::collections::BTreeMap;
use std::sync::Arc;
use tfm_lang::model::{DataRef, Train};

/// Opened data sets, by their index in the model, read in batches of the block's size.
pub struct DataFeed<'a> {
    datasets: &'a BTreeMap<usize, Dataset>,
    train: &'a Train,
    split: Arc<Split>,
    /// The fields of a training batch, and their numbers in the split.
    fields: Vec<String>,
    numbers: Vec<usize>,
    /// The inputs of the evaluation.
    evaluated: Vec<String>,
    order: Order,
    /// The steps of an epoch of all of the data.
    schedule_steps: u64,
}

impl<'a> DataFeed<'a> {
    /// `inputs` and `evaluated` are the inputs of the block's step and of its evaluation; of the data, only
    /// fields of these names are read.
    ///
    /// # Errors
    /// When the block's data is not among the data sets, or what is applied to it leaves nothing.
    pub fn new(
        datasets: &'a BTreeMap<usize, Dataset>,
        train: &'a Train,
        inputs: &[String],
        evaluated: &[String],
    ) -> Result<DataFeed<'a>, RunError> {
        let split = part(datasets, &train.data)?;
        let (fields, numbers) = chosen(&split, inputs);
        let order = Order::Shuffled { seed: train.seed };
        let schedule_steps = data::batches(split.len(), train.batch.max(1) as usize);
        Ok(DataFeed { datasets, train, split, fields, numbers, evaluated: evaluated.to_vec(), order, schedule_steps })
    }

    /// The first batches of the data, in their order, again and again. Schedules go on as with all of the data.
    pub fn overfit(self, batches: u64) -> DataFeed<'a> {
        let examples = self.batch().saturating_mul(batches.max(1) as usize).min(self.split.len());
        DataFeed { split: Arc::new(self.split.take(examples)), order: Order::Repeated, ..self }
    }

    fn batch(&self) -> usize {
        self.train.batch.max(1) as usize
    }
}

/// The fields of a part that are among the names, with their numbers.
fn chosen(split: &Split, names: &[String]) -> (Vec<String>, Vec<usize>) {
    names.iter().filter_map(|n| Some((n.clone(), split.field(n)?))).unzip()
}

/// The part of the data that is meant.
fn part(datasets: &BTreeMap<usize, Dataset>, on: &DataRef) -> Result<Arc<Split>, RunError> {
    let found = datasets.get(&on.data).and_then(|d| d.splits.get(on.split));
    let (name, split) = found.ok_or_else(|| RunError::Data("this part of the data was not opened".into()))?;
    let split = match on.operators.as_slice() {
        [] => split.clone(),
        operators => Arc::new(split.apply(operators).map_err(|e| RunError::Data(e.to_string()))?),
    };
    if split.is_empty() { Err(RunError::Data(format!("`{name}` has no examples"))) } else { Ok(split) }
}

impl Feed for DataFeed<'_> {
    fn epoch(&self) -> Epoch {
        let examples = self.split.len();
        Epoch { steps: data::batches(examples, self.batch()), examples: examples as u64 }
    }

    fn schedule_steps(&self) -> u64 {
        self.schedule_steps
    }

    fn fields(&self) -> &[String] {
        &self.fields
    }

    fn training(&self, from: Position) -> Result<Batches<'_>, RunError> {
        let start = data::Position { epoch: from.epoch, batch: from.batch };
        Ok(batches(&self.split, &self.numbers, self.order, self.batch(), start))
    }

    fn evaluation(&self, on: &DataRef) -> Result<(Vec<String>, Batches<'_>), RunError> {
        let split = part(self.datasets, on)?;
        let (fields, numbers) = chosen(&split, &self.evaluated);
        Ok((fields, batches(&split, &numbers, Order::InOrder, self.batch(), data::Position::default())))
    }
}

fn batches(
    split: &Arc<Split>,
    fields: &[usize],
    order: Order,
    batch: usize,
    start: data::Position,
) -> Batches<'static> {
    let loader = Loader::new(split.clone(), fields.to_vec(), order, batch, start);
    Box::new(loader.map(|batch| batch.map_err(|e| RunError::Data(e.to_string()))))
}
