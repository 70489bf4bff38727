//! Training steps of a block, one at a time, as `tfm train` makes them but for what is kept and evaluated; or forward passes
//! of one example.

use super::attribute::Phase;
use crate::commands::forward::Forward;
use crate::failure::Failure;
use crate::pipeline::Compiled;
use crate::target::open_data;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tfm_lang::model::{Report, Train};
use tfm_lowering::build::{batch_entry, evaluate_entry};
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

/// What is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    /// Steps of training.
    Training,
    /// The models of the block applied to one example, without its losses.
    Inference,
}

impl Of {
    /// What one of them is called.
    pub fn name(self) -> &'static str {
        match self {
            Of::Training => "step",
            Of::Inference => "forward pass",
        }
    }

    /// The parts of one whose times a table tells apart.
    pub fn phases(self) -> &'static [Phase] {
        match self {
            Of::Training => &Phase::ALL,
            Of::Inference => &[],
        }
    }
}

/// How one of them is made.
enum Work {
    /// With batches that are used in turn.
    Step {
        step: Step,
        seed: u64,
        losses: Vec<Report>,
        fields: Vec<String>,
        batches: Vec<Batch>,
        values: Vec<f32>,
    },
    Pass(Forward),
}

/// A `train` block that is ready to make steps.
pub struct Stepper {
    session: Session,
    work: Work,
    done: u64,
}

/// What was seen of some steps.
pub struct Watched {
    /// What was watched.
    pub of: Of,
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
    /// Initializes a block and reads some batches, or examples.
    pub fn new(
        compiled: &Compiled,
        train: &Train,
        directory: &Path,
        threads: usize,
        of: Of,
    ) -> Result<Stepper, Failure> {
        let mut session = Session::new(compiled.graph.clone(), Cpu::new(threads));
        session.initialize(train.seed)?;
        let inputs = session.inputs(&batch_entry(train));
        let evaluated = session.inputs(&evaluate_entry(&train.name));
        let datasets = open_data(&compiled.model, [train.data.data], directory, None)?;
        let feed = DataFeed::new(&datasets, train, &inputs, &evaluated)?;
        session.set_size("steps_per_epoch", feed.epoch().steps as i64);
        let work = match of {
            Of::Training => {
                // The last batch of an epoch may be shorter, and would be another plan.
                let full = (feed.epoch().examples / train.batch.max(1) as u64).clamp(1, BATCHES as u64) as usize;
                let batches = feed.training(Position::default())?.take(full).collect::<Result<Vec<Batch>, _>>()?;
                let losses = shown(&train.training).into_iter().take(train.training.losses.len()).collect();
                let (step, fields) = (Step::of(train, &session), feed.fields().to_vec());
                Work::Step { step, seed: train.seed, losses, fields, batches, values: Vec::new() }
            }
            Of::Inference => {
                let (fields, mut batches) = feed.evaluation(&train.data)?;
                let batch = batches.next().ok_or_else(|| Failure::Message("there are no examples".into()))??;
                Work::Pass(Forward::new(&mut session, train, &fields, &batch)?)
            }
        };
        Ok(Stepper { session, work, done: 0 })
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
        let of = match self.work {
            Work::Step { .. } => Of::Training,
            Work::Pass(_) => Of::Inference,
        };
        Ok(Watched { of, trace, steps: times, first, plans })
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.done += 1;
        match &mut self.work {
            Work::Step { step, seed, losses, fields, batches, values } => {
                let batch = &batches[(self.done - 1) as usize % batches.len()];
                let context = Context { seed: *seed, step: self.done };
                Ok(step.run(&mut self.session, (fields, batch), losses, context, values)?)
            }
            Work::Pass(forward) => forward.run(&mut self.session, (self.done - 1) as usize),
        }
    }
}
