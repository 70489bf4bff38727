//! Training steps of a block, one at a time, as `tfm train` makes them but for what is kept and evaluated.

use crate::failure::Failure;
use crate::pipeline::Compiled;
use crate::target::open_data;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tfm_lang::model::{Report, Train};
use tfm_lowering::build::batch_entry;
use tfm_lowering::plan::Plan;
use tfm_runtime::checkpoint::Position;
use tfm_runtime::cpu::{Context, Cpu, Trace};
use tfm_runtime::data::Batch;
use tfm_runtime::run::{DataFeed, Engine, Feed, Step, shown};
use tfm_runtime::session::Session;

/// Batches that lie ready and are used in turn, so that reading data is no part of a step.
const BATCHES: usize = 16;
/// Steps before anything counts: plans are made, pages are touched, threads are awake.
const WARM: u32 = 5;

/// A `train` block that is ready to make steps.
pub struct Stepper {
    session: Session,
    step: Step,
    seed: u64,
    losses: Vec<Report>,
    fields: Vec<String>,
    batches: Vec<Batch>,
    values: Vec<f32>,
    done: u64,
}

/// What was seen of some steps.
pub struct Watched {
    /// The kernels, all steps one after the other.
    pub trace: Trace,
    /// When each step began and how long it took, on the clock of the trace.
    pub steps: Vec<(Duration, Duration)>,
    /// The number of the first of them.
    pub first: u64,
    /// The plans that the trace speaks of, with their numbers there and the sizes that they are for: one, but for a step in
    /// parts.
    pub plans: Vec<(usize, Plan, BTreeMap<String, i64>)>,
}

impl Stepper {
    /// Initializes a block and reads some batches.
    pub fn new(compiled: &Compiled, train: &Train, directory: &Path, threads: usize) -> Result<Stepper, Failure> {
        let mut session = Session::new(compiled.graph.clone(), Cpu::new(threads));
        session.initialize(train.seed)?;
        let inputs = session.inputs(&batch_entry(train));
        let datasets = open_data(&compiled.model, [train.data.data], directory, None)?;
        let feed = DataFeed::new(&datasets, train, &inputs, &inputs)?;
        session.set_size("steps_per_epoch", feed.epoch().steps as i64);
        let fields = feed.fields().to_vec();
        // The last batch of an epoch may be shorter, and would be another plan.
        let full = (feed.epoch().examples / train.batch.max(1) as u64).clamp(1, BATCHES as u64) as usize;
        let batches = feed.training(Position::default())?.take(full).collect::<Result<Vec<Batch>, _>>()?;
        let losses = shown(&train.training).into_iter().take(train.training.losses.len()).collect();
        let step = Step::of(train, &session);
        Ok(Stepper { session, step, seed: train.seed, losses, fields, batches, values: Vec::new(), done: 0 })
    }

    /// Makes some steps to warm up, then so many that are watched.
    pub fn watch(&mut self, steps: u32) -> Result<Watched, Failure> {
        (0..WARM).try_for_each(|_| self.step())?;
        let first = self.done + 1;
        self.session.watch();
        let mut times = Vec::new();
        for _ in 0..steps {
            let start = Instant::now();
            self.step()?;
            times.push((start, start.elapsed()));
        }
        let trace = self.session.watched().unwrap_or_default();
        let on_its_clock = |(start, took): (Instant, Duration)| (start.saturating_duration_since(trace.began), took);
        let times = times.into_iter().map(on_its_clock).collect();
        let mut numbers: Vec<usize> = trace.steps.iter().map(|t| t.plan).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let plan = |n: usize| self.session.plan_numbered(n).map(|(plan, sizes)| (n, plan.clone(), sizes));
        let plans = numbers.into_iter().filter_map(plan).collect();
        Ok(Watched { trace, steps: times, first, plans })
    }

    fn step(&mut self) -> Result<(), Failure> {
        let batch = &self.batches[self.done as usize % self.batches.len()];
        self.done += 1;
        let context = Context { seed: self.seed, step: self.done };
        Ok(self.step.run(&mut self.session, (&self.fields, batch), &self.losses, context, &mut self.values)?)
    }
}
