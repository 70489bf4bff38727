//! The CPU as a device: it prepares plans and executes them.
//!
//! A plan is checked and its kernels are looked up once ([`Cpu::prepare`]); a step then calls function pointers in
//! order, on one pool of threads, without allocation. The numbers do not depend on the number of threads.
//!
//! **Invariants.** Every view of a prepared plan lies inside its space, is aligned, and outputs are contiguous; this is
//! what makes the unsafe code of the kernels sound. Chunks of a kernel write apart from each other, and where they are
//! cut depends only on sizes.

mod check;
mod conv;
mod depthwise;
#[cfg(target_arch = "x86_64")]
mod direct;
mod dots;
mod draw;
mod each;
mod elementwise;
mod fused;
#[cfg(target_arch = "x86_64")]
mod gemm;
mod gemv;
mod isa;
mod keep;
mod kernels;
mod math;
mod matmul;
mod movement;
mod nonfinite;
pub mod peak;
#[cfg(target_arch = "x86_64")]
mod planes;
mod pool;
mod pooling;
#[cfg(target_arch = "x86_64")]
mod products;
mod reduce;
mod rows;
mod scan;
#[cfg(test)]
mod tests;
mod trace;
mod turns;
mod view;
mod windows;
#[cfg(target_arch = "x86_64")]
mod winograd;

pub use isa::Path;
pub use kernels::names;
pub use nonfinite::{NonFinite, Origin};
pub use trace::{Lane, Timed, Trace};

use crate::tensor::{Bytes, Tensor};
use keep::{Current, Keep, Keeps, Lasting};
use kernels::{Call, Run, Spaces, Task};
use pool::Pool;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;
use tfm_lang::model::Word;
use tfm_lowering::plan::{Device, Kernel, KernelFacts, Plan, Space, Step, Value, View};

/// The CPU: a pool of threads and the kernels of every primitive.
pub struct Cpu {
    threads: usize,
    path: Path,
    work: Mutex<Work>,
}

/// What only one execution at a time may use.
struct Work {
    pool: Pool,
    local: Bytes,
    variables: Vec<*mut u8>,
    feeds: Vec<*const u8>,
}

// SAFETY: the pointers are rewritten at the start of each execution and not read outside it.
unsafe impl Send for Work {}

/// The memory a plan works on.
pub struct Memory<'a> {
    /// At least [`Plan::arena`] bytes.
    pub arena: &'a mut Bytes,
    /// All variables of the graph, by index.
    pub variables: &'a mut [Tensor],
    /// What is fed, in the order of [`Plan::feeds`].
    pub feeds: &'a [&'a Tensor],
}

/// What random draws depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Context {
    /// The run's seed.
    pub seed: u64,
    /// The step's number.
    pub step: u64,
}

/// What went wrong in a kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelError {
    /// Which step of the plan; `None` when it is about the plan or its memory as a whole.
    pub step: Option<usize>,
    /// Which primitive, `fused` or `copy`; empty without a step.
    pub primitive: String,
    /// What.
    pub message: String,
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(step) => write!(f, "step {step}, `{}`: {}", self.primitive, self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for KernelError {}

/// A plan whose kernels have been looked up.
pub struct Prepared {
    plan: Plan,
    constants: Bytes,
    steps: Vec<Ready>,
    needs: check::Needs,
    lasting: Lasting,
    keep: Keep,
    local: usize,
    threads: usize,
}

struct Ready {
    task: Task,
    inputs: Vec<(Space, usize)>,
    outputs: Vec<(Space, usize)>,
    scratch: usize,
    /// The number of what it keeps.
    kept: Option<usize>,
}

impl Prepared {
    /// The plan it was made from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Bytes that all threads together compute with, beside the plan's arena.
    pub fn thread_bytes(&self) -> usize {
        self.local * self.threads
    }

    /// Bytes that it keeps from run to run: weights as kernels compute with them.
    pub fn kept_bytes(&self) -> usize {
        self.keep.bytes()
    }
}

impl Cpu {
    /// A device with so many threads, at least one, counting the one that calls [`Cpu::execute`].
    pub fn new(threads: usize) -> Cpu {
        Cpu::with_path(threads, Path::chosen())
    }

    /// The same with a set of instructions, as far as the processor has it.
    pub fn with_path(threads: usize, path: Path) -> Cpu {
        let threads = threads.max(1);
        let work = Work { pool: Pool::new(threads), local: Bytes::default(), variables: Vec::new(), feeds: Vec::new() };
        Cpu { threads, path: path.min(Path::best()), work: Mutex::new(work) }
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Checks a plan and looks up its kernels.
    ///
    /// # Errors
    /// When a step has no kernel, or a view is out of its space: a mistake of the planner.
    pub fn prepare(&self, plan: Plan) -> Result<Prepared, KernelError> {
        let needs = check::plan(&plan)?;
        let mut constants = Bytes::zeros(plan.constants.len());
        constants.copy_from_slice(&plan.constants);
        let (mut local, lasting, mut keep) = (0, Lasting::of(&plan), Keep::default());
        let steps = self.steps(&plan, &mut local, Some((&lasting, &mut keep)))?;
        Ok(Prepared { plan, constants, steps, needs, lasting, keep, local, threads: self.threads })
    }

    /// The kernels of a plan's steps; `local` becomes the most memory that one wants of each thread. What they keep, where
    /// they may, is taken down.
    fn steps(
        &self,
        plan: &Plan,
        local: &mut usize,
        mut lasting: Option<(&Lasting, &mut Keep)>,
    ) -> Result<Vec<Ready>, KernelError> {
        let places = |views: &[View]| views.iter().map(|v| (v.space, v.offset)).collect();
        let ready = |(i, step): (usize, &Step)| {
            let call = self.call(&[], &step.inputs, &step.outputs, lasting.as_ref().map(|l| l.0));
            let (task, keeps) = self.task(step, &call, local).map_err(|message| error(i, step, message))?;
            let (inputs, outputs) = (places(&step.inputs), places(&step.outputs));
            let room = |(_, keep): &mut (_, &mut Keep)| keeps.map(|k| keep.add(step.inputs[k.input].space, k.bytes));
            let kept = lasting.as_mut().and_then(room);
            Ok(Ready { task, inputs, outputs, scratch: step.scratch.0, kept })
        };
        plan.steps.iter().enumerate().map(ready).collect()
    }

    fn task(&self, step: &Step, call: &Call<'_>, local: &mut usize) -> Result<(Task, Option<Keeps>), String> {
        match &step.kernel {
            Kernel::Copy => Ok((movement::prepare_copy(call)?, None)),
            Kernel::Loop(turns) => turns::prepare(self, step, turns, call, local),
            Kernel::Each(each) => Ok((each::prepare(self, step, each, local)?, None)),
            Kernel::Fused(program) => {
                kernels::require(step.scratch.1 >= program.scratch(), || {
                    format!("{} bytes of scratch, and {} are needed", step.scratch.1, program.scratch())
                })?;
                let (task, bytes) = fused::prepare(program, call)?;
                *local = bytes.max(*local);
                Ok((task, None))
            }
            Kernel::Primitive(name, attrs) => {
                let kernel = kernels::find(name).ok_or_else(|| "there is no such kernel".to_string())?;
                let call = Call { attrs, ..*call };
                let wanted = (kernel.scratch)(&call);
                kernels::require(step.scratch.1 >= wanted, || {
                    format!("{} bytes of scratch, and {wanted} are needed", step.scratch.1)
                })?;
                Ok(((kernel.prepare)(&call)?, (kernel.keeps)(&call)))
            }
        }
    }

    fn call<'a>(
        &self,
        attrs: &'a [(Word, Value)],
        inputs: &'a [View],
        outputs: &'a [View],
        lasting: Option<&'a Lasting>,
    ) -> Call<'a> {
        Call { attrs, inputs, outputs, threads: self.threads, path: self.path, lasting }
    }

    /// Runs a plan prepared for a device with as many threads.
    ///
    /// # Errors
    /// When the memory does not fit the plan (nothing has run then), or when the data is not what a kernel can take: an
    /// index out of range, a division of integers by zero. The steps before have run then.
    pub fn execute(&self, prepared: &Prepared, mut memory: Memory<'_>, context: &Context) -> Result<(), KernelError> {
        let mut work = self.bind(prepared, &mut memory)?;
        let mut session = Session::new(self, prepared, &mut work, &mut memory, context);
        (0..prepared.steps.len()).try_for_each(|i| session.step(i))
    }

    /// As [`Cpu::execute`], and adds to `trace` when each step ran, and what each thread did of it.
    ///
    /// # Errors
    /// Those of [`Cpu::execute`].
    pub fn execute_traced(
        &self,
        prepared: &Prepared,
        mut memory: Memory<'_>,
        context: &Context,
        trace: &mut Trace,
    ) -> Result<(), KernelError> {
        let mut work = self.bind(prepared, &mut memory)?;
        let mut session = Session::new(self, prepared, &mut work, &mut memory, context);
        session.pool.watch().set(true);
        let result = (0..prepared.steps.len()).try_for_each(|step| {
            let start = Instant::now();
            session.step(step)?;
            let took = start.elapsed();
            let lanes = session.pool.watch().take(trace.began);
            let start = start.saturating_duration_since(trace.began);
            trace.steps.push(Timed { plan: trace.plan, step, start, took, lanes });
            Ok(())
        });
        session.pool.watch().set(false);
        result
    }

    /// Checks the memory and takes down where it is.
    fn bind(&self, prepared: &Prepared, memory: &mut Memory<'_>) -> Result<MutexGuard<'_, Work>, KernelError> {
        check::memory(prepared, memory, self.threads)?;
        let mut work = self.work.lock().unwrap_or_else(|e| e.into_inner());
        if work.local.len() < prepared.local * self.threads {
            work.local = Bytes::zeros(prepared.local * self.threads);
        }
        work.variables.clear();
        // A new version only of those that are written.
        let start = |(i, t): (usize, &mut Tensor)| match prepared.lasting.has(Space::Variable(i as u32)) {
            true => t.start(),
            false => t.bytes_mut().as_mut_ptr(),
        };
        work.variables.extend(memory.variables.iter_mut().enumerate().map(start));
        work.feeds.clear();
        work.feeds.extend(memory.feeds.iter().map(|t| t.bytes().as_ptr()));
        Ok(work)
    }
}

/// One execution.
struct Session<'a> {
    prepared: &'a Prepared,
    spaces: Spaces<'a>,
    local: (*mut u8, usize),
    kept: Current<'a>,
    pool: &'a Pool,
    path: Path,
    context: &'a Context,
}

impl<'a> Session<'a> {
    fn new(
        cpu: &Cpu,
        prepared: &'a Prepared,
        work: &'a mut Work,
        memory: &mut Memory<'_>,
        context: &'a Context,
    ) -> Session<'a> {
        let spaces = Spaces {
            arena: memory.arena.as_mut_ptr(),
            constants: prepared.constants.as_ptr(),
            variables: &work.variables,
            feeds: &work.feeds,
        };
        let local = (work.local.as_mut_ptr(), prepared.local);
        let kept = prepared.keep.begin(memory.variables);
        Session { prepared, spaces, local, kept, pool: &work.pool, path: cpu.path, context }
    }

    fn step(&mut self, i: usize) -> Result<(), KernelError> {
        let ready = &self.prepared.steps[i];
        let nothing = (std::ptr::null_mut(), true);
        let run = Run {
            spaces: &self.spaces,
            inputs: &ready.inputs,
            outputs: &ready.outputs,
            scratch: ready.scratch,
            local: self.local,
            kept: ready.kept.map_or(nothing, |number| self.kept.room(number)),
            pool: self.pool,
            path: self.path,
            context: self.context,
        };
        let result = catch_unwind(AssertUnwindSafe(|| (ready.task)(&run)));
        let result = result.unwrap_or_else(|payload| Err(format!("the kernel panicked: {}", panic_text(&*payload))));
        if let Some(number) = ready.kept {
            if result.is_ok() { self.kept.made(number) } else { self.kept.spoilt(number) }
        }
        result.map_err(|message| error(i, &self.prepared.plan.steps[i], message))
    }
}

fn error(i: usize, step: &Step, message: String) -> KernelError {
    KernelError { step: Some(i), primitive: step.kernel.name().to_string(), message }
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

impl Device for Cpu {
    fn kernel(&self, primitive: &str) -> Option<KernelFacts> {
        kernels::facts(primitive)
    }

    fn scratch(&self, primitive: &str, attrs: &[(Word, Value)], inputs: &[View], outputs: &[View]) -> usize {
        kernels::find(primitive).map_or(0, |k| (k.scratch)(&self.call(attrs, inputs, outputs, None)))
    }
}
