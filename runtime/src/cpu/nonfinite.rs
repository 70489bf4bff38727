//! Finding where a NaN or an infinity first came from.

use super::{Context, Cpu, KernelError, Memory, Prepared, Session};
use crate::tensor::Tensor;
use std::fmt;
use tfm_lang::types::DType;
use tfm_lowering::graph;
use tfm_lowering::plan::{Instruction, Kernel, Space, Step, Value, View};

/// The first number that was not finite.
#[derive(Clone, PartialEq, Debug)]
pub struct NonFinite {
    /// Where it came from.
    pub origin: Origin,
    /// True for a NaN, false for an infinity.
    pub nan: bool,
}

/// Where a number that is not finite came from.
#[derive(Clone, PartialEq, Debug)]
pub enum Origin {
    /// It was fed; index into the plan's feeds.
    Feed(usize),
    /// It was in a variable before the step; index of the variable.
    Variable(usize),
    /// A step made it of finite numbers.
    Step {
        /// Index into the plan's steps.
        step: usize,
        /// The graph nodes that it computes.
        nodes: Vec<graph::Value>,
    },
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.nan { "NaN" } else { "an infinity" };
        match &self.origin {
            Origin::Feed(i) => write!(f, "{what} in feed {i}"),
            Origin::Variable(i) => write!(f, "{what} in variable {i}"),
            Origin::Step { step, .. } => write!(f, "{what} made by step {step}"),
        }
    }
}

/// What a set of numbers has in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worst {
    Finite,
    Infinite,
    Nan,
}

impl Cpu {
    /// Executes like [`Cpu::execute`], looks at every floating result, and says where the first NaN or infinity came
    /// from; `None` when there was none. An infinity that a program writes itself (a mask of -inf) does not count.
    ///
    /// # Errors
    /// Those of [`Cpu::execute`].
    pub fn first_non_finite(
        &self,
        prepared: &Prepared,
        mut memory: Memory<'_>,
        context: &Context,
    ) -> Result<Option<NonFinite>, KernelError> {
        let read = |step: &Step, space| step.inputs.iter().any(|v| v.space == space);
        for (i, t) in memory.feeds.iter().enumerate() {
            let found = worst_of(t);
            if found != Worst::Finite {
                return Ok(Some(NonFinite { origin: Origin::Feed(i), nan: found == Worst::Nan }));
            }
        }
        for (i, t) in memory.variables.iter().enumerate() {
            let space = Space::Variable(i as u32);
            let found = if prepared.plan.steps.iter().any(|s| read(s, space)) { worst_of(t) } else { Worst::Finite };
            if found != Worst::Finite {
                return Ok(Some(NonFinite { origin: Origin::Variable(i), nan: found == Worst::Nan }));
            }
        }
        let mut work = self.bind(prepared, &mut memory)?;
        let mut session = Session::new(self, prepared, &mut work, &mut memory, context);
        for (i, step) in prepared.plan.steps.iter().enumerate() {
            // Before the step, since its outputs may take over the memory of its inputs.
            let before = session.worst(&step.inputs).max(written(step));
            session.step(i)?;
            let after = session.worst(&step.outputs);
            if after > before {
                let origin = Origin::Step { step: i, nodes: step.nodes.clone() };
                return Ok(Some(NonFinite { origin, nan: after == Worst::Nan }));
            }
        }
        Ok(None)
    }
}

impl Session<'_> {
    fn worst(&self, views: &[View]) -> Worst {
        let of = |v: &View| {
            let base: *const u8 = match v.space {
                Space::Arena => self.spaces.arena,
                Space::Variable(i) => self.spaces.variables[i as usize],
                Space::Feed(i) => self.spaces.feeds[i as usize],
                Space::Constant => self.spaces.constants,
            };
            let mut walk = super::view::Walk::from(&v.shape, &v.strides, 0);
            let mut worst = Worst::Finite;
            for _ in 0..v.size() {
                // SAFETY: the views of a prepared plan are inside their spaces.
                unsafe {
                    let first = base.add(v.offset);
                    worst = worst.max(match v.dtype {
                        DType::F32 => class(f64::from(*first.cast::<f32>().offset(walk.offset))),
                        DType::F64 => class(*first.cast::<f64>().offset(walk.offset)),
                        _ => return Worst::Finite,
                    });
                }
                walk.advance();
            }
            worst
        };
        views.iter().map(of).max().unwrap_or(Worst::Finite)
    }
}

fn class(x: f64) -> Worst {
    if x.is_nan() {
        Worst::Nan
    } else if x.is_infinite() {
        Worst::Infinite
    } else {
        Worst::Finite
    }
}

fn worst_of(t: &Tensor) -> Worst {
    let numbers = if t.dtype.is_float() { t.to_f64() } else { Vec::new() };
    numbers.into_iter().map(class).max().unwrap_or(Worst::Finite)
}

/// The worst number written into a step's own program.
fn written(step: &Step) -> Worst {
    let value = |i: &Instruction| match i.attrs.first() {
        Some((_, Value::Float(x))) => class(*x),
        _ => Worst::Finite,
    };
    match &step.kernel {
        Kernel::Fused(program) => program.instructions.iter().map(value).max().unwrap_or(Worst::Finite),
        Kernel::Each(each) => each.plan.steps.iter().map(written).max().unwrap_or(Worst::Finite),
        _ => Worst::Finite,
    }
}
