//! What a profiler sees of executions: when each step of a plan ran, and when each thread worked at it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Executions that were watched, on one clock.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Where its clock begins.
    pub began: Instant,
    /// The number of the plan that runs now.
    pub plan: usize,
    /// What was run, in order.
    pub steps: Vec<Timed>,
}

/// One step of a plan, run once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timed {
    /// The number of the plan.
    pub plan: usize,
    /// Its number in the plan.
    pub step: usize,
    /// When it began.
    pub start: Duration,
    /// How long it took, waiting for the last thread included.
    pub took: Duration,
    /// What each thread did of it; the one that calls is number 0. Empty where the step was done by that one alone.
    pub lanes: Vec<Lane>,
}

/// One thread's part of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lane {
    /// The thread.
    pub thread: usize,
    /// When it began its first chunk.
    pub start: Duration,
    /// When it ended its last one.
    pub end: Duration,
    /// How long it worked in between.
    pub busy: Duration,
}

impl Trace {
    /// Nothing yet; its clock begins now.
    pub fn new() -> Trace {
        Trace { began: Instant::now(), plan: 0, steps: Vec::new() }
    }
}

impl Default for Trace {
    fn default() -> Trace {
        Trace::new()
    }
}

/// What the threads of a pool did since somebody asked, when somebody watches.
pub(crate) struct Watch {
    on: AtomicBool,
    threads: Vec<Mutex<Option<Worked>>>,
}

#[derive(Clone, Copy)]
struct Worked {
    start: Instant,
    end: Instant,
    busy: Duration,
}

impl Watch {
    pub fn new(threads: usize) -> Watch {
        Watch { on: AtomicBool::new(false), threads: (0..threads.max(1)).map(|_| Mutex::new(None)).collect() }
    }

    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    pub fn set(&self, on: bool) {
        self.on.store(on, Relaxed);
    }

    /// Does a chunk of work and takes down when. Only this thread has its place at the moment.
    pub fn time(&self, thread: usize, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        let end = Instant::now();
        let Some(place) = self.threads.get(thread) else { return };
        let mut worked = place.lock().unwrap_or_else(PoisonError::into_inner);
        let before = worked.get_or_insert(Worked { start, end, busy: Duration::ZERO });
        (before.end, before.busy) = (end, before.busy + (end - start));
    }

    /// What was done since this was last asked.
    pub fn take(&self, began: Instant) -> Vec<Lane> {
        let lane = |(thread, place): (usize, &Mutex<Option<Worked>>)| {
            let worked = place.lock().unwrap_or_else(PoisonError::into_inner).take()?;
            let since = |at: Instant| at.saturating_duration_since(began);
            Some(Lane { thread, start: since(worked.start), end: since(worked.end), busy: worked.busy })
        };
        self.threads.iter().enumerate().filter_map(lane).collect()
    }
}
