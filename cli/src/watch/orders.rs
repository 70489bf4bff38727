//! What the training thread is asked to do between two steps.

use super::version::Version;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// The number in place of a signal's when someone pressed `q`: the run is saved and the command ends well.
pub const QUIT: usize = usize::MAX;

/// One request.
pub enum Order {
    /// Go on with this version.
    Version(Box<Version>),
    /// The weights from before the last edit.
    Undo,
    /// Stop between two steps, or go on.
    Pause,
    /// New weights, in a new folder.
    Restart,
    /// Something in another thread is broken; say so, save, and end.
    Broken(String),
}

/// A box for orders, which any thread may fill.
#[derive(Default)]
pub struct Orders {
    queue: Mutex<Vec<Order>>,
    arrived: Condvar,
    /// True while there are orders: the loop ends at the next step.
    pub hand_over: AtomicBool,
    /// The number of the signal that asks to save and end, [`QUIT`], or 0.
    pub stop: AtomicUsize,
    block: Mutex<Option<String>>,
}

impl Orders {
    fn queue(&self) -> MutexGuard<'_, Vec<Order>> {
        self.queue.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Leaves an order. Of two versions that nobody took the later one is meant.
    pub fn push(&self, order: Order) {
        let mut queue = self.queue();
        if let Order::Version(_) = order {
            queue.retain(|o| !matches!(o, Order::Version(_)));
        }
        queue.push(order);
        self.hand_over.store(true, Ordering::Release);
        self.arrived.notify_all();
    }

    /// Asks to save and end.
    pub fn stop(&self, signal: usize) {
        self.stop.store(signal, Ordering::Release);
        self.arrived.notify_all();
    }

    /// Takes what there is.
    pub fn take(&self) -> Vec<Order> {
        let mut queue = self.queue();
        self.hand_over.store(false, Ordering::Release);
        std::mem::take(&mut *queue)
    }

    /// Waits until there is something, or a moment has passed.
    pub fn wait(&self) {
        let queue = self.queue();
        if queue.is_empty() && self.stop.load(Ordering::Acquire) == 0 {
            // What is stored without the lock, a signal, is seen after the moment.
            let _ = self.arrived.wait_timeout(queue, Duration::from_millis(100));
        }
    }

    /// The name of the block that trains.
    pub fn block(&self) -> Option<String> {
        self.block.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Says which block trains.
    pub fn set_block(&self, name: &str) {
        *self.block.lock().unwrap_or_else(|e| e.into_inner()) = Some(name.into());
    }
}
