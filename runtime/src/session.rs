//! Running entries of a graph: feeds in, fetches out, variables kept.
//!
//! A [`Session`] holds a graph, its variables and a device. It works out the sizes from what is fed,
//! makes a plan for them once, and keeps it.
//!
//! **Invariants.** Only what a plan needs must be fed. A plan is used again only for the same entry,
//! fetches, assigns and sizes. In a step whose plan is there nothing is allocated but two short lists.

mod error;
mod not_finite;
mod sizes;

pub use crate::cpu::Context;
pub use error::SessionError;

use crate::cpu::{Cpu, KernelError, Memory, Prepared, Trace};
use crate::run::{Cause, Engine, RunError};
use crate::tensor::{Bytes, Tensor};
use sizes::{EntrySizes, Sizes};
use std::collections::BTreeMap;
use tfm_lang::types::DType;
use tfm_lowering::build::INIT;
use tfm_lowering::graph::{Graph, Op, Value, Variable};
use tfm_lowering::plan::schedule::Request;
use tfm_lowering::plan::{Plan, Recomputed, Space, View, schedule_within};

/// A graph with its variables on a device.
pub struct Session {
    graph: Graph,
    device: Cpu,
    variables: Vec<Tensor>,
    arena: Bytes,
    entries: Vec<EntrySizes>,
    fixed: Sizes,
    sizes: Sizes,
    plans: Vec<Kept>,
    /// Entries with the bytes that they may take, variables counted.
    limits: Vec<(String, usize)>,
    step: Tensor,
    /// What runs when, while somebody watches.
    trace: Option<Trace>,
}

/// What is run: an entry, what it is fed, what of it is wanted.
#[derive(Clone, Copy, Default)]
pub struct Call<'a> {
    /// The entry.
    pub entry: &'a str,
    /// Fields of the data and other inputs, by name; may be more than is needed. `step` is fed from the context.
    pub feeds: &'a [(&'a str, &'a Tensor)],
    /// Outputs of the entry.
    pub fetches: &'a [&'a str],
    /// True when the entry's variables change, after everything was read.
    pub assigns: bool,
    /// Seed and step.
    pub context: Context,
}

/// A plan and what it was made for.
struct Kept {
    entry: String,
    fetches: Vec<String>,
    assigns: bool,
    sizes: Sizes,
    prepared: Prepared,
    recomputed: Option<Recomputed>,
}

impl Session {
    /// A session whose variables are zeros; see [`Session::initialize`].
    pub fn new(graph: Graph, device: Cpu) -> Session {
        let zeros = |v: &Variable| {
            let shape: Vec<usize> = v.ty.shape.iter().map(|d| d.as_constant().unwrap_or(0) as usize).collect();
            Tensor::zeros(v.ty.dtype, &shape)
        };
        Session {
            variables: graph.variables.iter().map(zeros).collect(),
            entries: graph.entries.iter().map(|e| EntrySizes::of(&graph, e)).collect(),
            arena: Bytes::default(),
            fixed: Sizes::default(),
            sizes: Sizes::default(),
            plans: Vec::new(),
            limits: Vec::new(),
            step: Tensor::zeros(DType::F32, &[]),
            trace: None,
            graph,
            device,
        }
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The inputs that an entry can need: fields of the data.
    pub fn inputs(&self, entry: &str) -> Vec<String> {
        let found = self.entries.iter().find(|e| e.name == entry);
        found.map(EntrySizes::names).unwrap_or_default()
    }

    /// Sets a size that no feed decides, or that a feed must agree with: `steps_per_epoch`, `B`.
    pub fn set_size(&mut self, name: &str, size: i64) {
        self.fixed.set(name, size);
    }

    /// Makes an entry do with so many bytes, those of all variables counted, where that can be done by computing some
    /// values again; see [`Session::recomputed`].
    pub fn set_memory(&mut self, entry: &str, bytes: usize) {
        self.limits.retain(|(name, _)| name != entry);
        self.limits.push((entry.into(), bytes));
        self.plans.retain(|kept| kept.entry != entry);
    }

    /// What is computed again in the plans of an entry that were made.
    pub fn recomputed(&self, entry: &str) -> Option<Recomputed> {
        self.plans.iter().filter(|kept| kept.entry == entry).find_map(|kept| kept.recomputed)
    }

    /// Runs an entry; [`Call`] says what the arguments are.
    ///
    /// # Errors
    /// When something needed is not fed, a size contradicts the graph or another feed, there is no such
    /// entry or output, or a kernel refuses its data.
    pub fn run(
        &mut self,
        entry: &str,
        feeds: &[(&str, &Tensor)],
        fetches: &[&str],
        assigns: bool,
        context: Context,
    ) -> Result<Vec<Tensor>, SessionError> {
        let mut out = Vec::new();
        self.run_into(&Call { entry, feeds, fetches, assigns, context }, &mut out)?;
        Ok(out)
    }

    /// As [`Session::run`], into tensors whose memory is used again where they fit.
    pub fn run_into(&mut self, call: &Call, out: &mut Vec<Tensor>) -> Result<(), SessionError> {
        let kept = self.plan(call)?;
        self.step.elements_mut::<f32>()[0] = call.context.step as f32;
        let prepared = &self.plans[kept].prepared;
        if self.arena.len() < prepared.plan().arena {
            // The old one goes first.
            self.arena = Bytes::default();
            self.arena = Bytes::zeros(prepared.plan().arena);
        }
        let bound = bind(prepared.plan(), call, &self.step)?;
        let memory = Memory { arena: &mut self.arena, variables: &mut self.variables, feeds: &bound };
        let done = match &mut self.trace {
            None => self.device.execute(prepared, memory, &call.context),
            Some(trace) => {
                trace.plan = kept;
                self.device.execute_traced(prepared, memory, &call.context, trace)
            }
        };
        if let Err(e) = done {
            return Err(kernel_error(&self.graph, prepared.plan(), e));
        }
        self.fetch(prepared.plan(), &bound, out);
        if call.entry == INIT {
            // It runs once, and may have taken more than any step.
            self.plans.remove(kept);
            self.arena = Bytes::default();
        }
        Ok(())
    }

    /// From here on takes down what runs when, in place of what was taken down before.
    pub fn watch(&mut self) {
        self.trace = Some(Trace::new());
    }

    /// What was taken down; nobody watches any more.
    pub fn watched(&mut self) -> Option<Trace> {
        self.trace.take()
    }

    /// The plan with this number, as a trace has it, and the sizes that it was made for.
    pub fn plan_numbered(&self, number: usize) -> Option<(&Plan, BTreeMap<String, i64>)> {
        self.plans.get(number).map(|kept| (kept.prepared.plan(), kept.sizes.to_map()))
    }

    /// The plan for an entry and these feeds, made but not run.
    pub fn plan_for(&mut self, call: &Call) -> Result<&Plan, SessionError> {
        let kept = self.plan(call)?;
        Ok(self.plans[kept].prepared.plan())
    }

    /// The index of the plan, which is made if it is not there.
    fn plan(&mut self, call: &Call) -> Result<usize, SessionError> {
        let &Call { entry, feeds, fetches, assigns, .. } = call;
        let of_entry = self.entries.iter().find(|e| e.name == entry);
        let of_entry = of_entry.ok_or_else(|| SessionError::UnknownEntry(entry.into()))?;
        of_entry.bind(&self.fixed, feeds, &mut self.sizes)?;
        let same = |k: &Kept| {
            k.entry == entry && k.assigns == assigns && k.fetches.iter().eq(fetches) && k.sizes == self.sizes
        };
        if let Some(found) = self.plans.iter().position(same) {
            return Ok(found);
        }
        self.check_fetches(entry, fetches)?;
        let fetched: Vec<String> = fetches.iter().map(|f| f.to_string()).collect();
        let request = Request { entry: entry.into(), fetches: fetched.clone(), assigns, sizes: self.sizes.to_map() };
        let variables: usize = self.variables.iter().map(|t| t.bytes().len()).sum();
        let limit =
            self.limits.iter().find(|(name, _)| name == entry).map(|(_, bytes)| bytes.saturating_sub(variables));
        let made = schedule_within(&self.graph, &request, &self.device, limit.unwrap_or(usize::MAX));
        let (plan, recomputed) = made.map_err(|e| SessionError::Plan(e.to_string()))?;
        let prepared = self.device.prepare(plan).map_err(|e| SessionError::Plan(e.to_string()))?;
        let sizes = self.sizes.clone();
        self.plans.push(Kept { entry: entry.into(), fetches: fetched, assigns, sizes, prepared, recomputed });
        Ok(self.plans.len() - 1)
    }

    fn check_fetches(&self, entry: &str, fetches: &[&str]) -> Result<(), SessionError> {
        let outputs = self.graph.entry(entry).map_or(&[][..], |e| &e.outputs);
        match fetches.iter().find(|f| !outputs.iter().any(|(name, _)| name == *f)) {
            None => Ok(()),
            Some(name) => Err(SessionError::UnknownFetch {
                entry: entry.into(),
                name: name.to_string(),
                known: outputs.iter().map(|(name, _)| name.clone()).collect(),
            }),
        }
    }

    /// Copies what was fetched out of the memory it lies in.
    fn fetch(&self, plan: &Plan, feeds: &[&Tensor], out: &mut Vec<Tensor>) {
        out.truncate(plan.fetches.len());
        for (i, view) in plan.fetches.iter().enumerate() {
            if out.get(i).is_none_or(|t| t.dtype != view.dtype || t.shape != view.shape) {
                let fresh = Tensor::zeros(view.dtype, &view.shape);
                if i < out.len() { out[i] = fresh } else { out.push(fresh) }
            }
            let bytes = match view.space {
                Space::Arena => &self.arena[..],
                Space::Variable(v) => self.variables[v as usize].bytes(),
                Space::Feed(f) => feeds[f as usize].bytes(),
                Space::Constant => &plan.constants,
            };
            copy_out(view, bytes, out[i].bytes_mut());
        }
    }
}

/// What the plan wants fed, in its order.
fn bind<'a>(plan: &Plan, call: &Call<'a>, step: &'a Tensor) -> Result<Vec<&'a Tensor>, SessionError> {
    let find = |name: &str| {
        let fed = call.feeds.iter().find(|(n, _)| *n == name).map(|(_, t)| *t);
        let fed = fed.or_else(|| (name == "step").then_some(step));
        fed.ok_or_else(|| SessionError::MissingFeed { entry: call.entry.into(), name: name.into() })
    };
    plan.feeds.iter().map(|(name, ..)| find(name)).collect()
}

/// Copies the elements of a strided view in row-major order.
fn copy_out(view: &View, bytes: &[u8], to: &mut [u8]) {
    let size = view.dtype.bytes();
    if view.is_contiguous() {
        to.copy_from_slice(&bytes[view.offset..view.offset + to.len()]);
        return;
    }
    let mut at = vec![0usize; view.shape.len()];
    for element in to.chunks_exact_mut(size) {
        let place: isize = at.iter().zip(&view.strides).map(|(&i, &s)| i as isize * s).sum();
        let start = (view.offset as isize + place * size as isize) as usize;
        element.copy_from_slice(&bytes[start..start + size]);
        for axis in (0..at.len()).rev() {
            at[axis] += 1;
            if at[axis] < view.shape[axis] {
                break;
            }
            at[axis] = 0;
        }
    }
}

fn kernel_error(graph: &Graph, plan: &Plan, error: KernelError) -> SessionError {
    let node = error.step.and_then(|i| plan.steps.get(i)).and_then(|s| s.nodes.last());
    let cause = node.map(|v| Box::new(describe(graph, *v)));
    SessionError::Kernel { message: error.message, cause }
}

/// What a value is, in words.
fn describe(graph: &Graph, value: Value) -> Cause {
    let node = graph.node(value);
    let operation = match &node.op {
        Op::Input(name) => format!("input {name}"),
        Op::Constant(_) => "constant".into(),
        Op::Read(var) => graph.variables[var.0 as usize].path.clone(),
        Op::Primitive(name, _) => name.to_string(),
        Op::Scan(_) | Op::Result(_) | Op::Gradient(_) => node.op.to_string(),
    };
    Cause { operation, scope: node.scope.to_string(), span: node.span }
}

impl Engine for Session {
    fn set_size(&mut self, name: &str, size: i64) {
        Session::set_size(self, name, size);
    }

    fn outputs(&self, entry: &str) -> Vec<String> {
        let outputs = self.graph.entry(entry).map_or(&[][..], |e| &e.outputs);
        outputs.iter().map(|(name, _)| name.clone()).collect()
    }

    fn initialize(&mut self, seed: u64) -> Result<(), RunError> {
        Session::run(self, INIT, &[], &[], true, Context { seed, step: 0 })?;
        Ok(())
    }

    fn reset_metrics(&mut self) -> Result<(), RunError> {
        let reset = tfm_lowering::build::RESET;
        if self.graph.entry(reset).is_some() {
            Session::run(self, reset, &[], &[], true, Context::default())?;
        }
        Ok(())
    }

    fn run(&mut self, call: &Call, out: &mut Vec<Tensor>) -> Result<(), RunError> {
        Ok(self.run_into(call, out)?)
    }

    fn first_not_finite(&mut self, call: &Call) -> Result<Option<Cause>, RunError> {
        Ok(self.find_not_finite(call)?)
    }

    fn variables(&self) -> &[Variable] {
        &self.graph.variables
    }

    fn tensors(&self) -> &[Tensor] {
        &self.variables
    }

    fn tensors_mut(&mut self) -> &mut [Tensor] {
        &mut self.variables
    }
}

#[cfg(test)]
mod tests;
