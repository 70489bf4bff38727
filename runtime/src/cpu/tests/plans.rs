//! Plans of several steps, what is refused, and the search for numbers that are not finite.

use super::elementwise::instruction;
use super::*;
use tfm_lowering::graph;
use tfm_lowering::plan::Fused;

const F: DType = DType::F32;

fn arena(offset: usize, shape: &[usize]) -> View {
    let strides = super::super::view::contiguous(shape);
    View { space: Space::Arena, offset, dtype: F, shape: shape.to_vec(), strides }
}

fn feed(shape: &[usize]) -> View {
    View { space: Space::Feed(0), ..arena(0, shape) }
}

fn map(op: &str, from: View, to: View, node: u32) -> Step {
    let instructions = vec![instruction(op, &[0], F, F)];
    let fused = Fused { shape: from.shape.clone(), row: 0, skips: None, inputs: 1, instructions, outputs: vec![1] };
    Step {
        kernel: Kernel::Fused(fused),
        inputs: vec![from],
        outputs: vec![to],
        scratch: (0, 0),
        nodes: vec![graph::Value(node)],
    }
}

fn plan(steps: Vec<Step>, shape: &[usize]) -> Plan {
    Plan { steps, arena: 4096, feeds: vec![("x".into(), F, shape.to_vec())], ..Plan::default() }
}

fn execute(cpu: &Cpu, prepared: &Prepared, x: &Tensor) -> Result<Vec<f32>, KernelError> {
    let mut memory = Bytes::zeros(4096);
    let given = Memory { arena: &mut memory, variables: &mut [], feeds: &[x] };
    cpu.execute(prepared, given, &Context::default())?;
    Ok(memory.chunks_exact(4).map(|b| f32::from_ne_bytes(b.try_into().expect("4 bytes"))).collect())
}

#[test]
fn a_plan_runs_again_and_again() {
    let cpu = Cpu::new(2);
    let steps = vec![map("negate", feed(&[3]), arena(0, &[3]), 0), map("abs", arena(0, &[3]), arena(64, &[3]), 1)];
    let prepared = cpu.prepare(plan(steps, &[3])).expect("plan");
    for i in 0..3 {
        let x = i as f32;
        let y = execute(&cpu, &prepared, &Tensor::of(&[3], &[x, -x, 1.0])).expect("run");
        assert_eq!((&y[..3], &y[16..19]), (&[-x, x, -1.0][..], &[x, x, 1.0][..]));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let cpu = Cpu::new(1);
    let refused = |p: Plan| cpu.prepare(p).err().map(|e| e.to_string()).unwrap_or_default();
    let beyond = map("abs", feed(&[3]), arena(4088, &[3]), 0);
    assert!(refused(plan(vec![beyond], &[3])).contains("reaches from byte 4088 to 4100"));
    let larger = map("abs", feed(&[4]), arena(0, &[4]), 0);
    assert!(refused(plan(vec![larger], &[3])).contains("Feed(0), which has 12"));
    let crooked = map("abs", feed(&[3]), arena(2, &[3]), 0);
    assert!(refused(plan(vec![crooked], &[3])).contains("begins at byte 2"));
    let fed = map("abs", feed(&[3]), feed(&[3]), 0);
    assert!(refused(plan(vec![fed], &[3])).contains("only read"));
    let over = map("abs", arena(0, &[3]), arena(4, &[3]), 0);
    assert!(refused(plan(vec![over], &[3])).contains("written over input 0"));
    let mut unknown = map("abs", feed(&[3]), arena(0, &[3]), 0);
    unknown.kernel = primitive("nonsense", &[]);
    assert_eq!(refused(plan(vec![unknown], &[3])), "step 0, `nonsense`: there is no such kernel");

    let prepared = cpu.prepare(plan(vec![map("abs", feed(&[3]), arena(0, &[3]), 0)], &[3])).expect("plan");
    let e = execute(&cpu, &prepared, &Tensor::zeros(F, &[2])).err().map(|e| e.to_string());
    assert_eq!(e.as_deref(), Some("`x` is f32[3], and f32[2] was fed"));
    let e = execute(&Cpu::new(2), &prepared, &Tensor::zeros(F, &[3])).err().map(|e| e.to_string());
    assert_eq!(e.as_deref(), Some("the plan was prepared for 1 threads, not 2"));
}

#[test]
fn the_first_step_that_makes_nan_or_infinity_is_found() {
    let cpu = Cpu::new(2);
    let steps = vec![
        map("abs", feed(&[2]), arena(0, &[2]), 10),
        map("log", arena(0, &[2]), arena(64, &[2]), 11),
        map("sqrt", arena(64, &[2]), arena(128, &[2]), 12),
    ];
    let prepared = cpu.prepare(plan(steps, &[2])).expect("plan");
    let find = |x: &[f32]| {
        let x = Tensor::of(&[2], x);
        let memory = Memory { arena: &mut Bytes::zeros(4096), variables: &mut [], feeds: &[&x] };
        cpu.first_non_finite(&prepared, memory, &Context::default()).expect("run")
    };
    let made =
        |step, node, nan| Some(NonFinite { origin: Origin::Step { step, nodes: vec![graph::Value(node)] }, nan });
    assert_eq!(find(&[1.0, 2.0]), None);
    assert_eq!(find(&[1.0, 0.0]), made(1, 11, false));
    assert_eq!(find(&[1.0, 0.5]), made(2, 12, true));
    assert_eq!(find(&[f32::NAN, 0.5]), Some(NonFinite { origin: Origin::Feed(0), nan: true }));
}

#[test]
fn every_name_has_a_kernel() {
    let cpu = Cpu::new(1);
    let all: Vec<&str> = names().collect();
    assert!(all.iter().all(|n| cpu.kernel(n).is_some()) && cpu.kernel("nonsense").is_none());
    let mut once = all.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), all.len());
}
