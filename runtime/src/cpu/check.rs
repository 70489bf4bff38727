//! What kernels rely on: views inside their spaces, aligned, outputs contiguous and apart from inputs.

use super::view::MAX_RANK;
use super::{KernelError, Memory, Prepared};
use tfm_lang::types::DType;
use tfm_lowering::plan::{Kernel, Plan, Space, View};

/// What a plan needs of the memory it runs on.
#[derive(Default)]
pub(super) struct Needs {
    /// Variables by index: the bytes reached and the dtype.
    variables: Vec<(u32, usize, DType)>,
}

/// Checks every view of a plan, and says what the variables must hold.
pub(super) fn plan(plan: &Plan) -> Result<Needs, KernelError> {
    let mut needs = Needs::default();
    for (i, step) in plan.steps.iter().enumerate() {
        let fail = |message| Err(super::error(i, step, message));
        for (k, v) in step.inputs.iter().chain(&step.outputs).enumerate() {
            if let Err(message) = view(plan, v, k >= step.inputs.len(), &mut needs) {
                return fail(message);
            }
        }
        if step.scratch.1 > 0 && step.scratch.0.saturating_add(step.scratch.1) > plan.arena {
            return fail("the scratch is not inside the arena".into());
        }
        let scratch = (step.scratch.0 as isize, (step.scratch.0 + step.scratch.1) as isize);
        let meets = |v: &View| v.space == Space::Arena && span(v).0 < scratch.1 && scratch.0 < span(v).1;
        if step.inputs.iter().chain(&step.outputs).any(meets) {
            return fail("the scratch lies on an operand".into());
        }
        let shares = super::kernels::facts(kernel_name(&step.kernel)).and_then(|f| f.in_place);
        let fused = matches!(step.kernel, Kernel::Fused(_));
        for (o, output) in step.outputs.iter().enumerate() {
            for (k, input) in step.inputs.iter().enumerate() {
                let allowed = shares == Some(k) || (fused && lies_on(output, input));
                if !allowed && overlap(output, input) {
                    return fail(format!("output {o} is written over input {k}"));
                }
            }
            if step.outputs[..o].iter().any(|other| overlap(output, other)) {
                return fail(format!("output {o} is written over another output"));
            }
        }
    }
    for fetch in &plan.fetches {
        view(plan, fetch, false, &mut needs).map_err(|message| whole(format!("a fetched value: {message}")))?;
    }
    Ok(needs)
}

fn kernel_name(kernel: &Kernel) -> &str {
    match kernel {
        Kernel::Primitive(name, _) => name,
        _ => "",
    }
}

/// The bytes from the first to behind the last that a view reaches.
fn span(v: &View) -> (isize, isize) {
    if v.size() == 0 {
        return (v.offset as isize, v.offset as isize);
    }
    let bytes = v.dtype.bytes() as isize;
    let reach = |negative: bool| -> isize {
        let ends = v.shape.iter().zip(&v.strides).map(|(&n, &s)| (n as isize - 1).saturating_mul(s));
        ends.filter(|&e| (e < 0) == negative).fold(0, isize::saturating_add)
    };
    let first = (v.offset as isize).saturating_add(reach(true).saturating_mul(bytes));
    let last = (v.offset as isize).saturating_add(reach(false).saturating_add(1).saturating_mul(bytes));
    (first, last)
}

/// True when both have some bytes between their ends in common.
fn overlap(a: &View, b: &View) -> bool {
    let ((a0, a1), (b0, b1)) = (span(a), span(b));
    a.space == b.space && a0 < b1 && b0 < a1
}

/// True when each element of one lies on the same element of the other.
pub(super) fn lies_on(a: &View, b: &View) -> bool {
    (a.space, a.offset, a.dtype.bytes(), a.size()) == (b.space, b.offset, b.dtype.bytes(), b.size())
        && a.is_contiguous()
        && b.is_contiguous()
}

fn view(plan: &Plan, v: &View, output: bool, needs: &mut Needs) -> Result<(), String> {
    if v.shape.len() != v.strides.len() || v.shape.len() > MAX_RANK {
        return Err(format!("a view has {} sizes and {} strides", v.shape.len(), v.strides.len()));
    }
    if output && !v.is_contiguous() {
        return Err("an output is not contiguous".into());
    }
    if !v.offset.is_multiple_of(v.dtype.bytes()) {
        return Err(format!("a view of {} begins at byte {}", v.dtype, v.offset));
    }
    let (first, last) = span(v);
    let size = match v.space {
        Space::Arena => plan.arena,
        Space::Constant => plan.constants.len(),
        Space::Feed(f) => match plan.feeds.get(f as usize) {
            Some((_, dtype, shape)) => shape.iter().product::<usize>() * dtype.bytes(),
            None => return Err(format!("there is no feed {f}")),
        },
        Space::Variable(i) => {
            needs.variable(i, last, v.dtype);
            usize::MAX
        }
    };
    if output && matches!(v.space, Space::Feed(_) | Space::Constant) {
        return Err(format!("an output is in {:?}, which is only read", v.space));
    }
    if first < 0 || last as usize > size {
        return Err(format!("a view reaches from byte {first} to {last} of {:?}, which has {size}", v.space));
    }
    Ok(())
}

impl Needs {
    /// The bytes reached and the dtype of each variable, by index.
    pub(super) fn variables(&self) -> &[(u32, usize, DType)] {
        &self.variables
    }

    fn variable(&mut self, index: u32, last: isize, dtype: DType) {
        let last = last.max(0) as usize;
        match self.variables.iter_mut().find(|(i, ..)| *i == index) {
            Some((_, bytes, _)) => *bytes = last.max(*bytes),
            None => self.variables.push((index, last, dtype)),
        }
    }
}

fn whole(message: String) -> KernelError {
    KernelError { step: None, primitive: String::new(), message }
}

/// Checks that the memory is what a plan was made for.
pub(super) fn memory(prepared: &Prepared, memory: &Memory<'_>, threads: usize) -> Result<(), KernelError> {
    let plan = &prepared.plan;
    if prepared.threads != threads {
        return Err(whole(format!("the plan was prepared for {} threads, not {threads}", prepared.threads)));
    }
    if memory.arena.len() < plan.arena {
        return Err(whole(format!("the arena has {} bytes, and {} are needed", memory.arena.len(), plan.arena)));
    }
    if memory.feeds.len() != plan.feeds.len() {
        return Err(whole(format!("{} tensors are fed, and {} are needed", memory.feeds.len(), plan.feeds.len())));
    }
    for ((name, dtype, shape), t) in plan.feeds.iter().zip(memory.feeds) {
        if t.dtype != *dtype || t.shape != *shape || t.bytes().len() < t.size() * dtype.bytes() {
            return Err(whole(format!("`{name}` is {dtype}{shape:?}, and {}{:?} was fed", t.dtype, t.shape)));
        }
    }
    for &(index, bytes, dtype) in &prepared.needs.variables {
        let fits = memory.variables.get(index as usize).is_some_and(|t| t.dtype == dtype && t.bytes().len() >= bytes);
        if !fits {
            return Err(whole(format!("variable {index} is missing, or not {dtype} of at least {bytes} bytes")));
        }
    }
    Ok(())
}
