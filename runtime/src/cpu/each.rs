//! Plans that are run for each element of outer axes: elements are given out to threads, and each does all steps of one
//! alone, in memory of its own that stays in its cache.

use super::kernels::{Run, Spaces, Task, require};
use super::pool::Pool;
use super::view::{collapse, place};
use super::{Cpu, check};
use crate::tensor::Bytes;
use std::ptr;
use std::sync::Mutex;
use tfm_lowering::plan::{Each, Step, View};

/// Inputs, and outputs, at most: their places are on the stack.
const MOST: usize = 32;

/// Where an operand of an element begins, from where that of all begins.
struct Walk {
    sizes: Vec<usize>,
    /// In bytes.
    strides: Vec<isize>,
}

impl Walk {
    fn of(v: &View, axes: usize) -> Walk {
        let (sizes, mut strides) = collapse(&v.shape[..axes], &[&v.strides[..axes]]);
        let strides = strides.pop().unwrap_or_default();
        Walk { sizes, strides: strides.iter().map(|s| s * v.dtype.bytes() as isize).collect() }
    }

    fn at(&self, element: usize) -> isize {
        place(&self.sizes, &self.strides, element)
    }
}

/// Prepares every step of an element. `local` becomes at least what a thread needs for it.
pub(super) fn prepare(cpu: &Cpu, step: &Step, each: &Each, local: &mut usize) -> Result<Task, String> {
    let plan = &each.plan;
    check::plan(plan).map_err(|e| e.to_string())?;
    require(step.inputs.len().max(step.outputs.len()) <= MOST, || "too many operands of an element".into())?;
    let alone = Cpu::with_path(1, cpu.path);
    let mut within = 0;
    let steps = alone.steps(plan, &mut within, None).map_err(|e| e.to_string())?;
    let within = within.next_multiple_of(64);
    *local = (within + plan.arena).next_multiple_of(64).max(*local);
    let axes = each.outer.len();
    let count: usize = each.outer.iter().product();
    let walks = |views: &[View]| views.iter().map(|v| Walk::of(v, axes)).collect::<Vec<_>>();
    let (inputs, outputs) = (walks(&step.inputs), walks(&step.outputs));
    let names: Vec<String> = plan.steps.iter().map(|s| s.kernel.name().to_string()).collect();
    let mut constants = Bytes::zeros(plan.constants.len());
    constants.copy_from_slice(&plan.constants);
    let pool = Pool::new(1);
    Ok(Box::new(move |run| {
        let failed: Mutex<Option<(usize, String)>> = Mutex::new(None);
        run.parallel(count, |element, thread| {
            let own = run.local(thread);
            let (mut feeds, mut variables) = ([ptr::null::<u8>(); MOST], [ptr::null_mut::<u8>(); MOST]);
            for (i, walk) in inputs.iter().enumerate() {
                feeds[i] = run.input::<u8>(i).wrapping_offset(walk.at(element));
            }
            for (k, walk) in outputs.iter().enumerate() {
                variables[k] = run.output::<u8>(k).wrapping_offset(walk.at(element));
            }
            let spaces = Spaces {
                arena: own.wrapping_add(within),
                constants: constants.as_ptr(),
                variables: &variables,
                feeds: &feeds,
            };
            for (step, name) in steps.iter().zip(&names) {
                let inner = Run {
                    spaces: &spaces,
                    inputs: &step.inputs,
                    outputs: &step.outputs,
                    scratch: step.scratch,
                    local: (own, within),
                    kept: (ptr::null_mut(), true),
                    pool: &pool,
                    path: run.path,
                    context: run.context,
                };
                if let Err(e) = (step.task)(&inner) {
                    let mut failed = failed.lock().unwrap_or_else(|e| e.into_inner());
                    if failed.as_ref().is_none_or(|(other, _)| element < *other) {
                        *failed = Some((element, format!("at element {element}, `{name}`: {e}")));
                    }
                    return;
                }
            }
        });
        failed.into_inner().unwrap_or_else(|e| e.into_inner()).map_or(Ok(()), |(_, e)| Err(e))
    }))
}
