//! The memory of a run, from its plans.
//!
//! ```text
//! peak = process + variables + arena + threads + literals + data + batches + copies + checkpoint
//! ```
//!
//! `process` is what this process holds once it has checked, lowered and planned, as the run will have done: it is
//! measured, and only Linux says it. The arena is the largest of the plans that the run makes. Large blocks are the
//! system's and go back to it when they are freed, small ones are in small pages: nothing else is held that counts.

use crate::failure::Failure;
use crate::pipeline::Compiled;
use std::collections::{BTreeMap, BTreeSet};
use tfm_lang::model::{Action, Train, VariableKind};
use tfm_lowering::build::{INIT, batch_entry, evaluate_entry, every_entry, step_entry};
use tfm_lowering::graph::Graph;
use tfm_lowering::plan::{Plan, PlanError, Request, schedule};
use tfm_runtime::cpu::{Cpu, Prepared};
use tfm_runtime::data::{BATCHES_ALIVE, Dataset};
use tfm_runtime::run::{KEPT_AT_MOST, shown};

/// Bytes that a run needs, part by part.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// Parameters, states, and states of optimizers.
    pub variables: u64,
    /// What a step computes with.
    pub arena: u64,
    /// What each thread computes with beside, all together.
    pub threads: u64,
    /// Literals of the plans.
    pub literals: u64,
    /// Examples that are kept in memory; `None` where the data was not opened.
    pub data: Option<u64>,
    /// The batch at hand, and those that are read ahead.
    pub batches: u64,
    /// A copy of the variables, to find what was not finite.
    pub copies: u64,
    /// A checkpoint while it is written.
    pub checkpoint: u64,
    /// Program, checked file, graph and plans; `None` where the system does not say.
    pub process: Option<u64>,
}

impl Memory {
    /// The most that a step of `tfm bench` holds: nothing is copied or saved.
    pub fn step(&self) -> u64 {
        self.variables
            + self.arena
            + self.threads
            + self.literals
            + self.data.unwrap_or(0)
            + self.batches
            + self.process.unwrap_or(0)
    }

    /// The most that a run holds.
    pub fn run(&self) -> u64 {
        self.step() + self.copies + self.checkpoint
    }
}

/// Plans that a run makes.
pub struct Planner<'a> {
    compiled: &'a Compiled,
    train: &'a Train,
    device: Cpu,
    steps_per_epoch: i64,
}

impl<'a> Planner<'a> {
    /// For one block. The number of steps in an epoch is of no matter to memory.
    pub fn new(compiled: &'a Compiled, train: &'a Train, threads: usize, steps_per_epoch: Option<u64>) -> Planner<'a> {
        let steps_per_epoch = steps_per_epoch.map_or(1000, |n| n as i64);
        Planner { compiled, train, device: Cpu::new(threads), steps_per_epoch }
    }

    /// The plan of an entry.
    fn plan(&self, entry: &str, fetches: Vec<String>, batch: i64) -> Result<Plan, Failure> {
        let known = [("B".to_string(), batch), ("steps_per_epoch".to_string(), self.steps_per_epoch)];
        let mut sizes = BTreeMap::from(known);
        loop {
            let request =
                Request { entry: entry.into(), fetches: fetches.clone(), assigns: true, sizes: sizes.clone() };
            match schedule(&self.compiled.graph, &request, &self.device) {
                Ok(plan) => return Ok(plan),
                // The rows that the parts of a batch touch: of each part at most as many as it has examples.
                Err(PlanError::Size(name)) if !sizes.contains_key(&name) => {
                    sizes.insert(name, self.train.batch.max(batch));
                }
                Err(e) => return Err(Failure::Message(format!("no plan for `{entry}`: {e}"))),
            }
        }
    }

    /// The plan of forward and backward, as `tfm train` asks for it.
    pub fn batch_plan(&self, batch: i64) -> Result<Plan, Failure> {
        let entry = batch_entry(self.train);
        let sums = self.outputs(&entry).into_iter().filter(|n| n.starts_with("micro/"));
        let names = shown(&self.train.training).into_iter().map(|r| r.name).chain(sums);
        self.plan(&entry, names.collect(), batch)
    }

    fn outputs(&self, entry: &str) -> Vec<String> {
        let entry = self.compiled.graph.entry(entry);
        entry.map_or(Vec::new(), |e| e.outputs.iter().map(|(n, _)| n.clone()).collect())
    }

    /// The plans of a run for a batch (or for the parts of one, where it is done in parts).
    fn plans(&self, batch: i64) -> Result<Vec<Plan>, Failure> {
        let train = self.train;
        let mut plans = vec![self.plan(INIT, Vec::new(), batch)?, self.batch_plan(batch)?];
        if train.settings.micro.is_some() {
            plans.push(self.plan(&step_entry(&train.name), Vec::new(), batch)?);
        }
        let mut actions = train.periodic.iter().flat_map(|p| &p.actions);
        if actions.any(|a| matches!(a, Action::Evaluate(_))) {
            let names = shown(&train.evaluation).into_iter().map(|r| r.name).collect();
            plans.push(self.plan(&evaluate_entry(&train.name), names, batch)?);
        }
        for (i, _) in train.periodic.iter().enumerate().filter(|(_, p)| !p.glance.is_empty()) {
            let entry = every_entry(&train.name, i);
            plans.push(self.plan(&entry, self.outputs(&entry), batch)?);
        }
        Ok(plans)
    }

    /// What a run has made when it begins to train: its graph and its plans, ready.
    pub fn ready(&self, batch: i64) -> Result<(Graph, Vec<Prepared>), Failure> {
        let plans = self.plans(batch)?.into_iter().map(|p| self.prepare(p)).collect::<Result<_, _>>()?;
        Ok((self.compiled.graph.clone(), plans))
    }

    /// The memory of a run with this batch. `datasets` are those that were opened.
    pub fn memory(&self, batch: i64, datasets: Option<&BTreeMap<usize, Dataset>>) -> Result<Memory, Failure> {
        let plans = self.plans(batch)?;
        let bytes = |kinds: &[VariableKind]| -> u64 {
            let variables = self.compiled.graph.variables.iter().filter(|v| kinds.contains(&v.kind));
            let size = |v: &tfm_lowering::graph::Variable| {
                v.ty.size().as_constant().unwrap_or(0).max(0) as u64 * v.ty.dtype.bytes() as u64
            };
            variables.map(size).sum()
        };
        let (model, optimizer) =
            (bytes(&[VariableKind::Parameter, VariableKind::State]), bytes(&[VariableKind::Optimizer]));
        let variables = model + optimizer + bytes(&[VariableKind::Metric]);
        Ok(Memory {
            variables,
            arena: plans.iter().map(|p| p.arena as u64).max().unwrap_or(0),
            threads: self.own_bytes(&plans)?,
            literals: plans.iter().map(|p| p.constants.len()).sum::<usize>() as u64,
            data: datasets.map(|d| d.values().map(|d| d.bytes() as u64).sum()),
            batches: self.batch_bytes(&plans) * BATCHES_ALIVE as u64,
            copies: if variables <= KEPT_AT_MOST as u64 { variables } else { 0 },
            checkpoint: model.max(optimizer),
            process: None,
        })
    }

    /// What the threads want for the plan that wants most, and what each plan keeps from run to run.
    fn own_bytes(&self, plans: &[Plan]) -> Result<u64, Failure> {
        let (mut most, mut kept) = (0, 0);
        for plan in plans {
            let prepared = self.prepare(plan.clone())?;
            most = most.max(prepared.thread_bytes());
            kept += prepared.kept_bytes();
        }
        Ok((most + kept) as u64)
    }

    fn prepare(&self, plan: Plan) -> Result<Prepared, Failure> {
        let prepared = self.device.prepare(plan);
        prepared.map_err(|e| Failure::Message(format!("a plan cannot be run: {e}")))
    }

    /// The bytes of one batch: everything that a plan is fed.
    fn batch_bytes(&self, plans: &[Plan]) -> u64 {
        let whole = self.train.batch.max(1) as u64;
        let mut seen = BTreeSet::new();
        let mut bytes = 0;
        for (name, dtype, shape) in plans.iter().flat_map(|p| &p.feeds) {
            if &**name != "step" && !name.starts_with("micro/") && seen.insert(*name) {
                let one: usize = shape.iter().skip(1).product::<usize>() * dtype.bytes();
                let examples = match self.train.settings.micro {
                    Some(_) => whole,
                    None => shape.first().copied().unwrap_or(1) as u64,
                };
                bytes += one as u64 * examples;
            }
        }
        bytes
    }

    /// The largest batch with which a run needs no more than `limit` bytes; `None` where one example is too much.
    /// `fixed` is what the process holds beside.
    pub fn largest_batch(
        &self,
        limit: u64,
        fixed: u64,
        datasets: Option<&BTreeMap<usize, Dataset>>,
    ) -> Result<Option<i64>, Failure> {
        let fits = |batch: i64| Ok::<bool, Failure>(self.memory(batch, datasets)?.run() + fixed <= limit);
        if !fits(1)? {
            return Ok(None);
        }
        let (mut good, mut bad) = (1, 2);
        while fits(bad)? {
            (good, bad) = (bad, bad * 2);
            if bad > 1 << 24 {
                return Ok(Some(good));
            }
        }
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            if fits(middle)? { good = middle } else { bad = middle }
        }
        Ok(Some(good))
    }
}

/// What this process holds at the moment, in bytes; only Linux says.
pub fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
