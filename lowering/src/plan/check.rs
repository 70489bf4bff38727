//! The verifier of plans.

use super::{Each, Kernel, Loop, Plan, Space, Step, View};
use std::collections::BTreeMap;

impl Plan {
    /// Checks that every view lies inside its space; that a step reads only what earlier steps wrote
    /// and nothing has overwritten since; that its outputs are contiguous, aligned and apart from
    /// each other, from its scratch and from its inputs, but where it may write in place.
    pub fn check(&self) -> Result<(), String> {
        // What the arena holds: the end of each buffer by its start.
        let mut alive: BTreeMap<usize, usize> = BTreeMap::new();
        for (i, step) in self.steps.iter().enumerate() {
            self.check_step(step, &mut alive).map_err(|e| format!("step {i}: {e}"))?;
        }
        for (i, view) in self.fetches.iter().enumerate() {
            self.readable(view, &alive).map_err(|e| format!("fetch {i}: {e}"))?;
        }
        Ok(())
    }

    fn check_step(&self, step: &Step, alive: &mut BTreeMap<usize, usize>) -> Result<(), String> {
        for view in &step.inputs {
            self.readable(view, alive)?;
        }
        if let Kernel::Loop(turns) = &step.kernel {
            turns.check(step)?;
        }
        if let Kernel::Each(each) = &step.kernel {
            each.check(step)?;
        }
        let (at, len) = step.scratch;
        if len > 0 {
            let scratch = (Space::Arena, at, at + len);
            let mut operands = step.inputs.iter().chain(&step.outputs);
            if at + len > self.arena || operands.any(|v| meet(extent(v), Some(scratch))) {
                return Err("its scratch is outside the arena or on an operand".into());
            }
            kill(alive, at, at + len);
        }
        for (o, out) in step.outputs.iter().enumerate() {
            self.inside(out)?;
            if !out.is_contiguous() || out.offset % 64 != 0 {
                return Err(format!("output {o} is not contiguous or not aligned"));
            }
            if matches!(out.space, Space::Feed(_) | Space::Constant) {
                return Err(format!("output {o} is in memory that is only read"));
            }
            if step.outputs[..o].iter().any(|other| meet(extent(out), extent(other))) {
                return Err(format!("output {o} lies on another output"));
            }
            for (j, input) in step.inputs.iter().enumerate() {
                if meet(extent(out), extent(input)) && !in_place(step, j, o) {
                    return Err(format!("output {o} is written over input {j}"));
                }
            }
        }
        for out in step.outputs.iter().filter(|v| v.space == Space::Arena) {
            let end = out.offset + out.size() * out.dtype.bytes();
            kill(alive, out.offset, end);
            alive.insert(out.offset, end);
        }
        Ok(())
    }

    fn readable(&self, view: &View, alive: &BTreeMap<usize, usize>) -> Result<(), String> {
        self.inside(view)?;
        let Some((Space::Arena, start, end)) = extent(view) else { return Ok(()) };
        match alive.range(..=start).next_back() {
            Some((_, stop)) if end <= *stop => Ok(()),
            _ => Err(format!("bytes {start}..{end} of the arena are not what was written there")),
        }
    }

    fn inside(&self, view: &View) -> Result<(), String> {
        let (space, _, end) = extent(view).ok_or("a view begins before its space")?;
        let size = match space {
            Space::Arena => self.arena,
            Space::Constant => self.constants.len(),
            Space::Feed(i) => {
                let (_, dtype, shape) = self.feeds.get(i as usize).ok_or("a feed is not there")?;
                shape.iter().product::<usize>() * dtype.bytes()
            }
            // The session knows how long variables are.
            Space::Variable(_) => usize::MAX,
        };
        let strides = view.strides.len() == view.shape.len();
        if strides && end <= size { Ok(()) } else { Err(format!("a view reaches byte {end} of {size}")) }
    }
}

impl Loop {
    /// Checks that the operands are what the turns read and write.
    fn check(&self, step: &Step) -> Result<(), String> {
        self.plan.check().map_err(|e| format!("in a turn: {e}"))?;
        let fed = self.plan.feeds.len();
        if self.walked.len() != fed || step.inputs.len() != fed + self.carried || step.outputs.len() < self.carried {
            return Err("a loop has the wrong number of operands".into());
        }
        for (i, ((name, dtype, shape), walked)) in self.plan.feeds.iter().zip(&self.walked).enumerate() {
            let turns = if *walked { self.turns } else { 1 };
            let view = &step.inputs[i];
            if view.dtype != *dtype || view.size() != shape.iter().product::<usize>() * turns {
                return Err(format!("a turn takes {dtype}{shape:?} as `{name}`, of {}{:?}", view.dtype, view.shape));
            }
        }
        if let Some(i) = step.inputs.iter().position(|v| !v.is_contiguous()) {
            return Err(format!("input {i} of a loop is strided"));
        }
        let (carried, initial) = (&step.outputs[..self.carried], &step.inputs[fed..]);
        match carried.iter().zip(initial).find(|(out, start)| (out.dtype, &out.shape) != (start.dtype, &start.shape)) {
            Some((out, start)) => Err(format!("{:?} is carried and starts as {:?}", out.shape, start.shape)),
            None if step.scratch.1 < self.plan.arena => Err("its scratch is smaller than a turn's arena".into()),
            None => Ok(()),
        }
    }
}

impl Each {
    /// Checks that the operands begin with the outer axes, and have for each element what the plan reads and writes.
    fn check(&self, step: &Step) -> Result<(), String> {
        self.plan.check().map_err(|e| format!("of an element: {e}"))?;
        let axes = self.outer.len();
        let mut operands = step.inputs.iter().chain(&step.outputs);
        if let Some(v) = operands.find(|v| v.shape.len() < axes || v.shape[..axes] != self.outer) {
            return Err(format!("{:?} does not begin with {:?}", v.shape, self.outer));
        }
        if step.inputs.len() != self.plan.feeds.len() {
            return Err("it has the wrong number of inputs".into());
        }
        for (view, (name, dtype, shape)) in step.inputs.iter().zip(&self.plan.feeds) {
            let inner = || view.shape[axes..].iter().zip(&view.strides[axes..]);
            let reach = inner().map(|(n, s)| (*n as isize - 1) * s).sum::<isize>() + 1;
            let fits = view.dtype == *dtype && inner().all(|(_, s)| *s >= 0);
            if !fits || reach != shape.iter().product::<usize>() as isize {
                return Err(format!("it takes {dtype}{shape:?} as `{name}`, of {}{:?}", view.dtype, view.shape));
            }
        }
        let written = self.plan.steps.iter().flat_map(|s| s.inputs.iter().chain(&s.outputs));
        for view in written {
            let Space::Variable(k) = view.space else { continue };
            let room =
                step.outputs.get(k as usize).map(|v| v.shape[axes..].iter().product::<usize>() * v.dtype.bytes());
            if extent(view).is_none_or(|(_, _, end)| room.is_none_or(|room| end > room)) {
                return Err(format!("output {k} is not what it writes"));
            }
        }
        Ok(())
    }
}

/// The bytes from a view's first to its last element; `None` where they begin before the space.
fn extent(view: &View) -> Option<(Space, usize, usize)> {
    let bytes = view.dtype.bytes() as isize;
    let reach = view.shape.iter().zip(&view.strides).map(|(n, s)| (*n as isize - 1) * s * bytes);
    let (back, forth) = reach.fold((0, 0), |(b, f), r| (b + r.min(0), f + r.max(0)));
    let start = view.offset.checked_add_signed(back)?;
    Some((view.space, start, view.offset.checked_add_signed(forth + bytes)?))
}

fn meet(a: Option<(Space, usize, usize)>, b: Option<(Space, usize, usize)>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a.0 == b.0 && a.1 < b.2 && b.1 < a.2)
}

/// True when a step may write output `o` on input `j`: element on element in a fused program, or
/// as the only output of a kernel (whose facts say so, which a plan does not).
fn in_place(step: &Step, j: usize, o: usize) -> bool {
    let (input, output) = (&step.inputs[j], &step.outputs[o]);
    let lies_on = input.offset == output.offset
        && input.is_contiguous()
        && input.size() == output.size()
        && input.dtype.bytes() == output.dtype.bytes();
    lies_on
        && match &step.kernel {
            Kernel::Fused(fused) => fused.may_overwrite(j, o),
            Kernel::Primitive(..) => step.outputs.len() == 1,
            Kernel::Copy | Kernel::Loop(_) | Kernel::Each(_) => false,
        }
}

fn kill(alive: &mut BTreeMap<usize, usize>, start: usize, end: usize) {
    alive.retain(|from, to| *to <= start || end <= *from);
}
