//! Batches, read in another thread a little ahead of who asks for them.
//!
//! **Invariant.** What comes at a position is a function of the split, the order and the batch size
//! alone, so that a run can be resumed anywhere without reading what came before.

use super::error::DataError;
use super::random::{Permutation, key};
use super::split::Split;
use crate::tensor::Tensor;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// How many batches are read ahead.
const AHEAD: usize = 3;

/// How many batches are in memory at once: those read ahead, the one being read, and the one that is used.
pub const BATCHES_ALIVE: usize = AHEAD + 2;

/// In which order examples come, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// A new order in each epoch, one epoch after another without end.
    Shuffled {
        /// Another seed gives other orders.
        seed: u64,
    },
    /// One epoch in the order of the split, and then no more.
    InOrder,
    /// In the order of the split, one epoch after another without end.
    Repeated,
}

/// The next batch: its epoch, and its number in that. Both count from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// The epoch.
    pub epoch: u64,
    /// The batch in the epoch; one past the last is the first of the next epoch.
    pub batch: u64,
}

/// Examples, side by side.
pub struct Batch {
    /// One per field asked for, each with a leading axis of `examples`.
    pub tensors: Vec<Tensor>,
    /// How many; the last batch of an epoch may have fewer.
    pub examples: usize,
    /// The epoch, from 0.
    pub epoch: u64,
    /// The batch's number in the epoch, from 0.
    pub index: u64,
    /// True for the last batch of its epoch.
    pub last_of_epoch: bool,
    used: Sender<Vec<Tensor>>,
}

impl Batch {
    /// A batch that comes from no loader.
    pub fn of(tensors: Vec<Tensor>, examples: usize) -> Batch {
        Batch { tensors, examples, epoch: 0, index: 0, last_of_epoch: false, used: channel().0 }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // The loader may be gone, and then nobody wants the memory.
        let _ = self.used.send(std::mem::take(&mut self.tensors));
    }
}

/// Gives batches of a split, `None` at the end. Dropping it stops its thread.
pub struct Loader {
    batches: Option<Receiver<Batch>>,
    thread: Option<std::io::Result<JoinHandle<()>>>,
}

/// The number of batches in an epoch.
pub fn batches(examples: usize, batch: usize) -> u64 {
    examples.div_ceil(batch.max(1)) as u64
}

impl Loader {
    /// Starts to read. `fields` are numbers of fields of the split; `batch` is at least 1.
    pub fn new(split: Arc<Split>, fields: Vec<usize>, order: Order, batch: usize, start: Position) -> Loader {
        let (give, batches) = sync_channel(AHEAD);
        let (used, spare) = channel();
        let reader = Reader { split, fields, order, batch: batch.max(1), give, used, spare };
        let thread = std::thread::Builder::new().name("data".into()).spawn(move || reader.run(start));
        Loader { batches: Some(batches), thread: Some(thread) }
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Ok(batch) = self.batches.as_ref()?.recv() {
            return Some(Ok(batch));
        }
        self.batches = None;
        match self.thread.take()?.map(JoinHandle::join) {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some(Err(DataError::new("the thread that reads data has failed"))),
            Err(e) => Some(Err(DataError::new(format!("the thread that reads data cannot be started: {e}")))),
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // Nobody listens any more: the next batch that is ready ends the thread.
        self.batches = None;
        if let Some(Ok(thread)) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct Reader {
    split: Arc<Split>,
    fields: Vec<usize>,
    order: Order,
    batch: usize,
    give: SyncSender<Batch>,
    used: Sender<Vec<Tensor>>,
    spare: Receiver<Vec<Tensor>>,
}

impl Reader {
    fn run(self, start: Position) {
        let (n, per_epoch) = (self.split.len(), batches(self.split.len(), self.batch));
        if n == 0 {
            return;
        }
        let mut epoch = start.epoch + start.batch / per_epoch;
        let mut first = start.batch % per_epoch;
        if self.order == Order::InOrder && epoch > 0 {
            return;
        }
        let mut indices = Vec::with_capacity(self.batch);
        loop {
            let order = match self.order {
                Order::Shuffled { seed } => Some(Permutation::new(n, key(&[seed, epoch]))),
                Order::InOrder | Order::Repeated => None,
            };
            for index in first..per_epoch {
                let from = index as usize * self.batch;
                indices.clear();
                indices.extend((from..n.min(from + self.batch)).map(|i| order.as_ref().map_or(i, |o| o.at(i))));
                let batch = Batch {
                    tensors: self.tensors(&indices),
                    examples: indices.len(),
                    epoch,
                    index,
                    last_of_epoch: index + 1 == per_epoch,
                    used: self.used.clone(),
                };
                if self.give.send(batch).is_err() {
                    return;
                }
            }
            if self.order == Order::InOrder {
                return;
            }
            (epoch, first) = (epoch + 1, 0);
        }
    }

    /// The examples, in memory that came back where it fits.
    fn tensors(&self, indices: &[usize]) -> Vec<Tensor> {
        let fits =
            |t: &Vec<Tensor>| t.len() == self.fields.len() && t.iter().all(|t| t.shape.first() == Some(&indices.len()));
        let mut out = self
            .spare
            .try_iter()
            .find(fits)
            .unwrap_or_else(|| self.fields.iter().map(|&f| self.split.tensor(f, indices.len())).collect());
        for (&field, tensor) in self.fields.iter().zip(&mut out) {
            self.split.read(field, indices, tensor);
        }
        out
    }
}
