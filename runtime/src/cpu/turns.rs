//! Loops: the plan of a turn, run once per element on memory that moves along.

use super::keep::{Keep, Keeps, Lasting};
use super::kernels::{Call, Run, Spaces, Task, require};
use super::{Context, Cpu, check};
use crate::tensor::Bytes;
use tfm_lowering::plan::{Loop, Step, turn_seed};

/// Prepares every step of a turn; a run of the loop then only moves pointers between turns.
///
/// Kernels keep what they make of inputs that are the same in all turns, weights above all, where the loop itself may keep
/// something: its room is theirs.
pub(super) fn prepare(
    cpu: &Cpu,
    step: &Step,
    turns: &Loop,
    call: &Call<'_>,
    local: &mut usize,
) -> Result<(Task, Option<Keeps>), String> {
    let plan = &turns.plan;
    let needs = check::plan(plan).map_err(|e| e.to_string())?;
    let fed = plan.feeds.len();
    let right_number = step.inputs.len() == fed + turns.carried && step.outputs.len() >= turns.carried;
    require(right_number && turns.walked.len() == fed, || "a loop has the wrong number of operands".into())?;
    require(step.inputs.iter().all(|v| v.is_contiguous()), || "an input of a loop is strided".into())?;
    require(step.scratch.1 >= plan.arena, || format!("{} bytes of scratch for a turn", step.scratch.1))?;
    for ((i, (_, dtype, shape)), walked) in plan.feeds.iter().enumerate().zip(&turns.walked) {
        let size = shape.iter().product::<usize>() * if *walked { turns.turns } else { 1 };
        let view = &step.inputs[i];
        require(view.dtype == *dtype && view.size() == size, || format!("input {i} of a loop has the wrong size"))?;
    }
    // What a variable of the turn has of its output: all of it when it is carried, else one element.
    let slots: Vec<usize> = step
        .outputs
        .iter()
        .enumerate()
        .map(|(k, v)| {
            let bytes = v.size() * v.dtype.bytes();
            if k < turns.carried { bytes } else { bytes / turns.turns.max(1) }
        })
        .collect();
    for &(index, bytes, dtype) in needs.variables() {
        let output = step.outputs.get(index as usize).filter(|v| v.dtype == dtype);
        require(output.is_some() && slots[index as usize] >= bytes, || {
            format!("output {index} of a loop is too small")
        })?;
    }
    for (k, (out, start)) in step.outputs.iter().zip(&step.inputs[fed..]).take(turns.carried).enumerate() {
        let same = out.size() * out.dtype.bytes() == start.size() * start.dtype.bytes();
        require(same, || format!("what is carried in place {k} starts with another size"))?;
    }
    let moves: Vec<usize> = (step.inputs.iter().zip(&turns.walked))
        .map(|(v, walked)| if *walked { v.size() * v.dtype.bytes() / turns.turns.max(1) } else { 0 })
        .collect();
    let (lasting, mut keep) = (Lasting::of_turns(&turns.walked), Keep::default());
    let may_keep = call.lasting.is_some() && turns.turns > 1 && !step.inputs.is_empty();
    let steps = cpu.steps(plan, local, may_keep.then_some((&lasting, &mut keep))).map_err(|e| e.to_string())?;
    let rooms: Vec<Option<usize>> = steps.iter().map(|step| step.kept.map(|number| keep.place(number))).collect();
    // What it is made from may be another weight in the next run, so that the version of no input counts.
    let keeps = (keep.bytes() > 0).then_some(Keeps { input: 0, bytes: keep.bytes() });
    let names: Vec<String> = plan.steps.iter().map(|s| s.kernel.name().to_string()).collect();
    let mut constants = Bytes::zeros(plan.constants.len());
    constants.copy_from_slice(&plan.constants);
    let (count, reverse, carried) = (turns.turns, turns.reverse, turns.carried);
    let task: Task = Box::new(move |run| {
        for (k, bytes) in slots.iter().enumerate().take(carried) {
            // SAFETY: both have so many bytes, and an output lies on no input.
            unsafe { std::ptr::copy_nonoverlapping(run.input::<u8>(fed + k), run.output::<u8>(k), *bytes) };
        }
        let mut feeds: Vec<*const u8> = (0..fed).map(|i| run.input(i)).collect();
        let mut variables: Vec<*mut u8> = (0..slots.len()).map(|k| run.output(k)).collect();
        for turn in 0..count {
            let element = if reverse { count - 1 - turn } else { turn };
            for (i, bytes) in moves.iter().enumerate() {
                feeds[i] = run.input::<u8>(i).wrapping_add(element * bytes);
            }
            for (k, bytes) in slots.iter().enumerate().skip(carried) {
                variables[k] = run.output::<u8>(k).wrapping_add(element * bytes);
            }
            let spaces =
                Spaces { arena: run.scratch(), constants: constants.as_ptr(), variables: &variables, feeds: &feeds };
            let context = Context { seed: turn_seed(run.context.seed, element as u64), ..*run.context };
            for ((step, name), room) in steps.iter().zip(&names).zip(&rooms) {
                let room = room.map_or(std::ptr::null_mut(), |place| run.kept::<u8>().wrapping_add(place));
                let inner = Run {
                    spaces: &spaces,
                    inputs: &step.inputs,
                    outputs: &step.outputs,
                    scratch: step.scratch,
                    local: run.local,
                    kept: (room, turn == 0),
                    pool: run.pool,
                    path: run.path,
                    context: &context,
                };
                (step.task)(&inner).map_err(|e| format!("at element {element}, `{name}`: {e}"))?;
            }
        }
        Ok(())
    });
    Ok((task, keeps))
}
