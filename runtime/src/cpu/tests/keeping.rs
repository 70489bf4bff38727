//! What kernels keep of variables: the same plan run again, with the variable changed in between.

use super::*;
use std::sync::Arc;
use tfm_lowering::plan::Loop;
use tfm_lowering::plan::halves::{Half, OUT_UNUSED};

/// A plan whose only step has a feed and a variable as operands; other steps may be put around it.
fn plan(cpu: &Cpu, kernel: &Kernel, [fed, kept]: [&Operand; 2], out: &[usize]) -> Plan {
    let Kernel::Primitive(name, attrs) = kernel else { panic!("a primitive") };
    let variable = View { space: Space::Variable(0), ..kept.view(0) };
    let inputs = vec![fed.view(0), variable];
    let (dtype, strides) = (fed.tensor.dtype, super::super::view::contiguous(out));
    let y = View { space: Space::Arena, offset: 64, dtype, shape: out.to_vec(), strides };
    let end = (64 + y.size() * dtype.bytes()).next_multiple_of(64) + 64;
    let scratch = cpu.scratch(name, attrs, &inputs, std::slice::from_ref(&y));
    let step = Step { kernel: kernel.clone(), inputs, outputs: vec![y], scratch: (end, scratch), nodes: Vec::new() };
    let feeds = vec![("x".into(), dtype, fed.tensor.shape.clone())];
    Plan { steps: vec![step], arena: end + scratch, feeds, ..Plan::default() }
}

/// Runs a prepared plan; the result is the output of the last step in the arena.
fn execute(cpu: &Cpu, prepared: &Prepared, fed: &[&Tensor], variable: &mut Tensor) -> Result<Tensor, KernelError> {
    let mut arena = Bytes::zeros(prepared.plan().arena);
    arena.fill(0xAB);
    let memory = Memory { arena: &mut arena, variables: std::slice::from_mut(variable), feeds: fed };
    cpu.execute(prepared, memory, &Context::default())?;
    let outputs = || prepared.plan().steps.iter().flat_map(|s| &s.outputs);
    let view = outputs().rfind(|v| v.space == Space::Arena).expect("a result");
    let mut y = Tensor::zeros(view.dtype, &view.shape);
    let end = view.offset + y.bytes().len();
    y.bytes_mut().copy_from_slice(&arena[view.offset..end]);
    assert!(arena[end..end.next_multiple_of(64)].iter().all(|&b| b == 0xAB), "something is written behind the result");
    Ok(y)
}

/// All elements times a power of two, so that results are exactly as much larger.
fn scale(t: &mut Tensor, factor: f64) {
    match t.dtype {
        DType::F32 => t.elements_mut::<f32>().iter_mut().for_each(|x| *x *= factor as f32),
        _ => t.elements_mut::<f64>().iter_mut().for_each(|x| *x *= factor),
    }
}

/// Runs a primitive whose second operand is a variable, on every device: as it is, again, changed in place, changed
/// byte by byte, and replaced. Gives the bytes that the first device keeps.
#[track_caller]
pub(super) fn check(
    name: &str,
    attrs: &[(&str, Value)],
    operands: [&Operand; 2],
    out: &[usize],
    want: &[f64],
    slack: f64,
) -> usize {
    let kernel = primitive(name, attrs);
    let mut first: Option<(Path, Tensor)> = None;
    let mut kept = None;
    for cpu in devices() {
        let prepared = cpu.prepare(plan(cpu, &kernel, operands, out)).unwrap_or_else(|e| panic!("{e}"));
        kept.get_or_insert(prepared.kept_bytes());
        let mut w = operands[1].tensor.clone();
        let run = |w: &mut Tensor| {
            execute(cpu, &prepared, &[&operands[0].tensor], w).unwrap_or_else(|e| panic!("{e}")).to_f64()
        };
        let made = execute(cpu, &prepared, &[&operands[0].tensor], &mut w).unwrap_or_else(|e| panic!("{e}"));
        close(&made, want, slack);
        let y = made.to_f64();
        assert_eq!(run(&mut w), y, "run again");
        let times = |factor: f64| y.iter().map(|y| factor * y).collect::<Vec<_>>();
        scale(&mut w, -2.0);
        assert_eq!(run(&mut w), times(-2.0), "changed in place");
        let bytes = operands[1].tensor.bytes().to_vec();
        w.bytes_mut().copy_from_slice(&bytes);
        assert_eq!(run(&mut w), y, "changed byte by byte");
        let mut other = operands[1].tensor.clone();
        scale(&mut other, 4.0);
        assert_eq!(run(&mut other), times(4.0), "another tensor");
        assert_eq!(run(&mut w), y, "the one before");
        match &first {
            None => first = Some((cpu.path, made)),
            Some((path, y)) => assert!(agree(&kernel, [*path, cpu.path], y, &made), "{} threads differ", cpu.threads),
        }
    }
    kept.unwrap_or(0)
}

/// True where the devices that are asked for have tiles of their own, and keep something.
fn keeps() -> bool {
    devices()[0].path != Path::Portable
}

fn product(m: usize, k: usize, n: usize) -> ([Operand; 2], Vec<f64>) {
    let (a, b) = (random(DType::F32, &[m, k], 1), random(DType::F32, &[k, n], 2));
    let (x, w) = (a.values(), b.values());
    let sum = |i: usize| (0..k).map(|l| x[i / n * k + l] * w[l * n + i % n]).sum();
    ([a, b], (0..m * n).map(sum).collect())
}

#[test]
fn panels_are_kept_for_few_rows() {
    for (m, is_kept) in [(1, true), (2, true), (13, true), (64, true), (128, true), (129, false)] {
        let ([a, b], want) = product(m, 70, 90);
        let kept = check("matmul", &[], [&a, &b], &[m, 90], &want, 300.0);
        assert_eq!(kept > 0, is_kept && keeps(), "{m} rows");
        // A row reads a matrix by columns as it lies.
        let is_kept = is_kept && m > 1;
        // The same as a view of columns.
        let values = b.values();
        let turned: Vec<f32> = (0..70 * 90).map(|i| values[i % 70 * 90 + i / 70] as f32).collect();
        let mut turned = Operand::dense(Tensor::of(&[70, 90], &turned));
        turned.strides = vec![1, 70];
        let kept = check("matmul", &[], [&a, &turned], &[m, 90], &want, 300.0);
        assert_eq!(kept > 0, is_kept && keeps(), "{m} rows, by columns");
    }
}

/// The product of a row is the same to the bit with panels and without.
#[test]
fn panels_do_not_change_a_row() {
    for (k, n) in [(1, 65), (70, 90), (301, 128), (64, 1000), (5000, 75)] {
        let ([a, b], _) = product(1, k, n);
        for cpu in devices() {
            let plan = plan(cpu, &primitive("matmul", &[]), [&a, &b], &[1, n]);
            let mut plain = plan.clone();
            plain.steps[0].inputs[1].space = Space::Feed(1);
            plain.feeds.push(("w".into(), DType::F32, vec![k, n]));
            let prepare = |plan| cpu.prepare(plan).unwrap_or_else(|e| panic!("{e}"));
            let (kept, plain, mut w) = (prepare(plan), prepare(plain), b.tensor.clone());
            assert_eq!((kept.kept_bytes() > 0, plain.kept_bytes()), (cpu.path != Path::Portable, 0));
            let with = execute(cpu, &kept, &[&a.tensor], &mut w).expect("run");
            // The second run goes through the panels the other way round.
            let back = execute(cpu, &kept, &[&a.tensor], &mut w).expect("run");
            assert_eq!(with.bytes(), back.bytes(), "{k} x {n}");
            let without = execute(cpu, &plain, &[&a.tensor, &b.tensor], &mut w).expect("run");
            assert_eq!(with.bytes(), without.bytes(), "{k} x {n}, {:?}", cpu.path);
        }
    }
}

#[test]
fn kept_panels_and_a_half_that_is_not_looked_at() {
    let ([a, b], mut want) = product(40, 30, 70);
    let attrs = [(OUT_UNUSED, Value::Str(Half::After.name().into()))];
    let prepared = |cpu: &Cpu| cpu.prepare(plan(cpu, &primitive("matmul", &attrs), [&a, &b], &[40, 70])).expect("plan");
    let used = |i: usize| i % 70 <= i / 70;
    (0..want.len()).filter(|i| !used(*i)).for_each(|i| want[i] = 0.0);
    for cpu in devices() {
        let (prepared, mut w) = (prepared(cpu), b.tensor.clone());
        for _ in 0..2 {
            let y = execute(cpu, &prepared, &[&a.tensor], &mut w).expect("run").to_f64();
            let y: Vec<f32> = y.iter().enumerate().map(|(i, y)| if used(i) { *y as f32 } else { 0.0 }).collect();
            close(&Tensor::of(&[40, 70], &y), &want, 120.0);
        }
    }
}

/// Transformed filters where tiles pay, packed ones elsewhere.
#[test]
fn filters_are_kept_for_few_images() {
    let kept = |images: usize, channels: usize, filters: usize, side: usize| {
        let x = random(DType::F32, &[images, channels, side, side], 1);
        let w = random(DType::F32, &[filters, channels, 3, 3], 2);
        let cpu = &devices()[0];
        let out = [images, filters, side - 2, side - 2];
        cpu.prepare(plan(cpu, &primitive("conv", &[]), [&x, &w], &out)).expect("plan").kept_bytes()
    };
    let floats = |n: usize| if keeps() { 4 * n } else { 0 };
    assert_eq!(kept(1, 32, 64, 13), floats(36 * 32 * 64));
    assert_eq!(kept(5, 32, 64, 13), floats(36 * 32 * 64));
    assert_eq!(kept(1, 1, 32, 28), floats((9 * 8usize).next_multiple_of(16) * 4));
    assert_eq!(kept(128, 1, 32, 28), 0);
    assert_eq!(kept(128, 32, 64, 13), 0);
}

#[test]
fn nothing_is_kept_of_what_the_plan_writes() {
    let ([a, b], want) = product(9, 20, 30);
    for cpu in devices() {
        let mut plan = plan(cpu, &primitive("matmul", &[]), [&a, &b], &[9, 30]);
        let from = View { space: Space::Feed(1), ..b.view(1) };
        let to = View { space: Space::Variable(0), ..b.view(0) };
        let copy =
            Step { kernel: Kernel::Copy, inputs: vec![from], outputs: vec![to], scratch: (0, 0), nodes: Vec::new() };
        plan.steps.push(copy);
        plan.feeds.push(("w".into(), DType::F32, vec![20, 30]));
        let prepared = cpu.prepare(plan).expect("plan");
        assert_eq!(prepared.kept_bytes(), 0);
        let (mut w, mut next) = (b.tensor.clone(), b.tensor.clone());
        scale(&mut next, 2.0);
        close(&execute(cpu, &prepared, &[&a.tensor, &next], &mut w).expect("run"), &want, 80.0);
        let twice: Vec<f64> = want.iter().map(|y| 2.0 * y).collect();
        close(&execute(cpu, &prepared, &[&a.tensor, &next], &mut w).expect("run"), &twice, 80.0);
    }
}

/// A run that ends before the step does not count as one in which the step was computed.
#[test]
fn a_run_that_fails_leaves_nothing_behind() {
    let ([a, b], want) = product(9, 20, 30);
    for cpu in devices() {
        let mut plan = plan(cpu, &primitive("matmul", &[]), [&a, &b], &[9, 30]);
        let numbers = Operand::dense(Tensor::of(&[1], &[0i64]));
        let table = View { shape: vec![180, 1], strides: vec![1, 1], ..a.view(0) };
        let gathered = View { space: Space::Arena, shape: vec![1, 1], ..table.clone() };
        let gather = Step {
            kernel: primitive("gather", &[]),
            inputs: vec![table, numbers.view(1)],
            outputs: vec![gathered],
            scratch: (0, 0),
            nodes: Vec::new(),
        };
        plan.steps.insert(0, gather);
        plan.feeds.push(("i".into(), DType::I64, vec![1]));
        let prepared = cpu.prepare(plan).unwrap_or_else(|e| panic!("{e}"));
        let run = |number: i64, w: &mut Tensor| execute(cpu, &prepared, &[&a.tensor, &Tensor::of(&[1], &[number])], w);
        let mut w = b.tensor.clone();
        close(&run(0, &mut w).expect("run"), &want, 80.0);
        scale(&mut w, -2.0);
        assert!(run(1000, &mut w).is_err());
        let changed: Vec<f64> = want.iter().map(|y| -2.0 * y).collect();
        close(&run(0, &mut w).expect("run"), &changed, 80.0);
    }
}

/// What a step that failed may have made is made again.
#[test]
fn what_is_spoilt_is_made_again() {
    let mut keep = Keep::default();
    let numbers = [keep.add(Space::Variable(0), 100), keep.add(Space::Constant, 4)];
    assert_eq!(keep.bytes(), 192);
    let mut variables = [Tensor::zeros(DType::F32, &[3])];
    let must_make = |variables: &[Tensor]| numbers.map(|n| keep.begin(variables).room(n).1);
    assert_eq!(must_make(&variables), [true, true]);
    numbers.iter().for_each(|n| keep.begin(&variables).made(*n));
    assert_eq!(must_make(&variables), [false, false]);
    variables[0].bytes_mut()[0] = 1;
    assert_eq!(must_make(&variables), [true, false]);
    keep.begin(&variables).made(numbers[0]);
    keep.begin(&variables).spoilt(numbers[1]);
    assert_eq!(must_make(&variables), [false, true]);
}

/// A loop over products: `x` has a matrix for each turn, and `w` has one for all, or one for each.
fn turns(cpu: &Cpu, [x, w]: [&Operand; 2], turns: usize, walked: [bool; 2], reverse: bool) -> Plan {
    let of = |feed: usize, o: &Operand| {
        let shape = o.shape[usize::from(walked[feed])..].to_vec();
        let strides = super::super::view::contiguous(&shape);
        View { space: Space::Feed(feed as u32), offset: 0, dtype: DType::F32, shape, strides }
    };
    let inputs = vec![of(0, x), of(1, w)];
    let shape = vec![inputs[0].shape[0], inputs[1].shape[1]];
    let strides = super::super::view::contiguous(&shape);
    let y = View { space: Space::Variable(0), offset: 0, dtype: DType::F32, shape: shape.clone(), strides };
    let feeds = |views: &[View]| views.iter().map(|v| ("x".into(), v.dtype, v.shape.clone())).collect();
    let kernel = primitive("matmul", &[]);
    let scratch = cpu.scratch("matmul", &[], &inputs, std::slice::from_ref(&y));
    let fed = feeds(&inputs);
    let turn = Step { kernel, inputs, outputs: vec![y], scratch: (0, scratch), nodes: Vec::new() };
    let inner = Plan { steps: vec![turn], arena: scratch, feeds: fed, ..Plan::default() };
    let whole = [&[turns], &shape[..]].concat();
    let strides = super::super::view::contiguous(&whole);
    let out = View { space: Space::Arena, offset: 0, dtype: DType::F32, shape: whole, strides };
    let end = (out.size() * 4).next_multiple_of(64) + 64;
    let inputs = vec![x.view(0), w.view(1)];
    let feeds = feeds(&inputs);
    let kernel = Kernel::Loop(Arc::new(Loop { turns, reverse, walked: walked.to_vec(), carried: 0, plan: inner }));
    let step = Step { kernel, inputs, outputs: vec![out], scratch: (end, scratch), nodes: Vec::new() };
    Plan { steps: vec![step], arena: end + scratch, feeds, ..Plan::default() }
}

/// What all turns of a loop have in common is packed in its first turn, and anew in the next run: it may be another matrix.
#[test]
fn a_loop_keeps_what_is_the_same_in_all_turns() {
    let (count, m, k, n) = (5, 20, 70, 90);
    let product = |x: &[f64], w: &[f64]| -> Vec<f64> {
        let sum = |i: usize| (0..k).map(|l| x[i / n * k + l] * w[l * n + i % n]).sum();
        (0..m * n).map(sum).collect()
    };
    for (turn_count, walked, is_kept) in
        [(count, [true, false], true), (count, [true, true], false), (1, [true, false], false)]
    {
        let shape =
            |walked: bool, rest: [usize; 2]| if walked { [&[turn_count], &rest[..]].concat() } else { rest.to_vec() };
        let x = random(DType::F32, &shape(walked[0], [m, k]), 1);
        let weights = [2, 3].map(|seed| random(DType::F32, &shape(walked[1], [k, n]), seed));
        for cpu in devices() {
            for reverse in [false, true] {
                let plan = turns(cpu, [&x, &weights[0]], turn_count, walked, reverse);
                let prepared = cpu.prepare(plan).unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(
                    prepared.kept_bytes() > 0,
                    is_kept && cpu.path != Path::Portable,
                    "{turn_count}, {walked:?}"
                );
                for w in [&weights[0], &weights[1], &weights[0]] {
                    let (xs, ws) = (x.values(), w.values());
                    let w_of = |turn: usize| if walked[1] { &ws[turn * k * n..][..k * n] } else { &ws[..] };
                    let want: Vec<f64> =
                        (0..turn_count).flat_map(|turn| product(&xs[turn * m * k..][..m * k], w_of(turn))).collect();
                    let mut unused = Tensor::zeros(DType::F32, &[1]);
                    let y = execute(cpu, &prepared, &[&x.tensor, &w.tensor], &mut unused).expect("run");
                    close(&y, &want, 300.0);
                }
            }
        }
    }
}
