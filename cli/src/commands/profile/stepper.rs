//! Training steps of a block, one at a time, as `tfm train` makes them but for what is kept and evaluated.

use crate::failure::Failure;
use crate::pipeline::Compiled;
use crate::target::open_data;
use std::path::Path;
use std::time::{Duration, Instant};
use tfm_lowering::build::step_entry;
use tfm_lowering::graph::Graph;
use tfm_lowering::plan::Plan;
use tfm_runtime::checkpoint::Position;
use tfm_runtime::cpu::{Context, Cpu, Trace};
use tfm_runtime::data::Batch;
use tfm_runtime::run::{DataFeed, Engine, Feed, shown};
use tfm_runtime::session::{Call, Session};
use tfm_runtime::tensor::Tensor;

/// Batches that lie ready and are used in turn, so that reading data is no part of a step.
const BATCHES: usize = 16;
/// Steps before anything counts: plans are made, pages are touched, threads are awake.
const WARM: u32 = 5;

/// A `train` block that is ready to make steps.
pub struct Stepper {
    session: Session,
    entry: String,
    seed: u64,
    losses: Vec<String>,
    fields: Vec<String>,
    batches: Vec<Batch>,
    done: u64,
}

/// What was seen of some steps.
pub struct Watched {
    /// The kernels, all steps one after the other.
    pub trace: Trace,
    /// When each step began and how long it took, on the clock of the trace.
    pub steps: Vec<(Duration, Duration)>,
    /// The step's numbers begin with this one.
    pub first: u64,
}

impl Stepper {
    /// Initializes a block and reads some batches.
    pub fn new(compiled: &Compiled, train: usize, directory: &Path, threads: usize) -> Result<Stepper, Failure> {
        let train = &compiled.model.trains[train];
        let mut session = Session::new(compiled.graph.clone(), Cpu::new(threads));
        session.initialize(train.seed)?;
        let entry = step_entry(&train.name);
        let inputs = session.inputs(&entry);
        let datasets = open_data(&compiled.model, [train.data.data], directory, None)?;
        let feed = DataFeed::new(&datasets, train, &inputs, &inputs)?;
        session.set_size("steps_per_epoch", feed.epoch().steps as i64);
        let fields = feed.fields().to_vec();
        // The last batch of an epoch may be shorter, and would be another plan.
        let full = (feed.epoch().examples / (train.batch.max(1) as u64)).clamp(1, BATCHES as u64) as usize;
        let batches = feed.training(Position::default())?.take(full).collect::<Result<Vec<Batch>, _>>()?;
        let losses = shown(&train.training).into_iter().take(train.training.losses.len()).map(|r| r.name).collect();
        Ok(Stepper { session, entry, seed: train.seed, losses, fields, batches, done: 0 })
    }

    /// Makes some steps to warm up, then so many that are watched.
    pub fn watch(&mut self, steps: u32) -> Result<Watched, Failure> {
        let mut idle = Trace::new();
        (0..WARM).try_for_each(|_| self.step(&mut idle))?;
        let mut watched = Watched { trace: Trace::new(), steps: Vec::new(), first: self.done + 1 };
        for _ in 0..steps {
            let start = Instant::now();
            self.step(&mut watched.trace)?;
            let took = start.elapsed();
            watched.steps.push((start.saturating_duration_since(watched.trace.began), took));
        }
        Ok(watched)
    }

    fn step(&mut self, trace: &mut Trace) -> Result<(), Failure> {
        self.done += 1;
        let context = Context { seed: self.seed, step: self.done };
        self.with_call(context, |session, call| Ok(session.run_traced(call, trace)?))
    }

    /// The plan of a step.
    pub fn plan(&mut self) -> Result<Plan, Failure> {
        self.with_call(Context::default(), |session, call| Ok(session.plan_for(call)?.clone()))
    }

    fn with_call<T>(
        &mut self,
        context: Context,
        f: impl FnOnce(&mut Session, &Call) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let batch = &self.batches[self.done as usize % self.batches.len()];
        self.session.set_size("B", batch.examples as i64);
        let feeds: Vec<(&str, &Tensor)> = self.fields.iter().map(String::as_str).zip(&batch.tensors).collect();
        let losses: Vec<&str> = self.losses.iter().map(String::as_str).collect();
        let call = Call { entry: &self.entry, feeds: &feeds, fetches: &losses, assigns: true, context };
        f(&mut self.session, &call)
    }

    /// The graph that the steps are of.
    pub fn graph(&self) -> &Graph {
        self.session.graph()
    }
}
