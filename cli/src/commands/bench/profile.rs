//! Which kernels the time of a step goes to: the least that each took over many steps.

use super::Work;
use super::measure::{Trainee, with_head};
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tfm_lowering::plan::{Kernel, Step, View};

/// Kernels listed one by one.
const LISTED: usize = 24;

/// The time of a step by the kind of kernel, and the kernels that take most of it.
pub fn profile(work: &Work, trainee: &mut Trainee, seconds: f64) -> Result<String, Failure> {
    for _ in 0..5 {
        trainee.step(None)?;
    }
    let (mut spent, mut steps, start): (Vec<Duration>, _, _) = (Vec::new(), 0u32, Instant::now());
    while steps < 3 || start.elapsed().as_secs_f64() < seconds {
        let mut now = Vec::new();
        trainee.step(Some(&mut now))?;
        // The least is what a kernel takes where nothing else runs.
        match steps {
            0 => spent = now,
            _ => spent.iter_mut().zip(now).for_each(|(least, now)| *least = now.min(*least)),
        }
        steps += 1;
    }
    let total: Duration = spent.iter().sum();
    let ms = |d: Duration| format!("{:.3}", d.as_secs_f64() * 1e3);
    let part = |d: Duration| format!("{:.1}%", 100.0 * d.as_secs_f64() / total.as_secs_f64());
    let plan = trainee.plan()?;
    let mut kinds: BTreeMap<&str, (Duration, usize)> = BTreeMap::new();
    let mut kernels: BTreeMap<String, (Duration, usize)> = BTreeMap::new();
    for (step, &spent) in plan.steps.iter().zip(&spent) {
        for entry in [kinds.entry(kind(step)).or_default(), kernels.entry(described(step)).or_default()] {
            entry.0 += spent;
            entry.1 += 1;
        }
    }
    let rows = |named: Vec<(String, (Duration, usize))>| {
        let row = |(name, (d, n)): (String, (Duration, usize))| vec![name, n.to_string(), ms(d), part(d)];
        named.into_iter().map(row).collect::<Vec<_>>()
    };
    let mut kinds: Vec<_> = kinds.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    let mut kernels: Vec<_> = kernels.into_iter().collect();
    kinds.sort_by_key(|(_, (d, _))| std::cmp::Reverse(*d));
    kernels.sort_by_key(|(_, (d, _))| std::cmp::Reverse(*d));
    kernels.truncate(LISTED);
    let head = |first| [first, "calls", "ms", "of the step"];
    Ok(format!(
        "{}: {} kernels, {} ms a step, the least of each over {steps} steps\n\n{}\n\n{}\n",
        work.name,
        plan.steps.len(),
        ms(total),
        with_head(head("kind"), rows(kinds)),
        with_head(head("kernel"), rows(kernels)),
    ))
}

fn kind(step: &Step) -> &str {
    match &step.kernel {
        Kernel::Fused(_) => "fused",
        Kernel::Copy => "copy",
        Kernel::Loop(_) => "scan",
        Kernel::Primitive(name, _) => name,
    }
}

/// `matmul [128, 784] [784, 512] -> [128, 512]`, `'` where a view is strided.
fn described(step: &Step) -> String {
    let view = |v: &View| format!("{:?}{}", v.shape, if v.is_contiguous() { "" } else { "'" });
    let views = |views: &[View]| views.iter().map(view).collect::<Vec<_>>().join(" ");
    match &step.kernel {
        Kernel::Fused(program) => {
            let ops: Vec<&str> = program.instructions.iter().map(|i| &*i.op).collect();
            format!("fused {:?} {} in, {} out: {}", program.shape, program.inputs, step.outputs.len(), ops.join(" "))
        }
        _ => format!("{} {} -> {}", kind(step), views(&step.inputs), views(&step.outputs)),
    }
}
