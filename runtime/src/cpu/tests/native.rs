//! Programs of simple operations, which are one loop of machine code, against the same operations one after the other.

use super::elementwise::instruction;
use super::*;
use crate::random::Draw;
use tfm_lowering::plan::Fused;

const F: DType = DType::F32;

/// Operations with code, and some that have none and come between them.
const NAMES: [&str; 10] =
    ["add", "subtract", "multiply", "divide", "maximum", "minimum", "negate", "sqrt", "abs", "floor"];

fn of(name: &str, a: f32, b: f32) -> f32 {
    match name {
        "add" => a + b,
        "subtract" => a - b,
        "multiply" => a * b,
        "divide" => a / b,
        "maximum" => {
            if a > b || a.is_nan() {
                a
            } else {
                b
            }
        }
        "minimum" => {
            if a < b || a.is_nan() {
                a
            } else {
                b
            }
        }
        "negate" => -a,
        "sqrt" => a.sqrt(),
        "abs" => a.abs(),
        _ => a.floor(),
    }
}

/// A program on so many inputs: for each operation its name and arguments.
fn some_program(inputs: u16, words: &[u32]) -> Vec<(&'static str, Vec<u16>)> {
    let mut instructions: Vec<(&'static str, Vec<u16>)> = Vec::new();
    for word in words {
        // Mostly operations that have code.
        let name = NAMES[*word as usize % if word % 11 == 0 { NAMES.len() } else { 8 }];
        let known = u32::from(inputs) + instructions.len() as u32;
        let args = [word >> 8, word >> 20].map(|w| (w % known) as u16);
        let arity = if ["negate", "sqrt", "abs", "floor"].contains(&name) { 1 } else { 2 };
        instructions.push((name, args[..arity].to_vec()));
    }
    instructions
}

fn fused(shape: &[usize], inputs: usize, program: &[(&str, Vec<u16>)], outputs: Vec<u16>) -> Fused {
    let instructions = program.iter().map(|(name, args)| instruction(name, args, F, F)).collect();
    Fused { shape: shape.to_vec(), row: 0, skips: None, inputs, instructions, outputs }
}

/// All registers for one element.
fn registers(inputs: &[f32], program: &[(&str, Vec<u16>)]) -> Vec<f32> {
    let mut all = inputs.to_vec();
    for (name, args) in program {
        let [a, b] = [args[0], *args.last().expect("an argument")].map(|r| all[usize::from(r)]);
        all.push(of(name, a, b));
    }
    all
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[test]
fn code_is_one_operation_after_the_other() {
    let special = [f32::NAN, -0.0, 0.0, f32::INFINITY, f32::NEG_INFINITY, 1e-42, -1e-42, 3e38];
    let mut words = vec![0; 60];
    for round in 0..120u64 {
        Draw::new(round, 1, 0).words(0, &mut words);
        let shape = [[1usize, 7], [5, 103], [3, 512], [2, 700]][round as usize % 4];
        let n: usize = shape.iter().product();
        // Numbers in order, one number, a number for each column, and one for each row.
        let mut inputs: Vec<Operand> = (0..4).map(|i| random(F, &shape, round * 10 + i)).collect();
        for (input, strides) in inputs.iter_mut().skip(1).zip([[0, 0], [0, 1], [1, 0]]) {
            input.strides = strides.to_vec();
        }
        for (i, x) in inputs[0].tensor.elements_mut::<f32>().iter_mut().enumerate().filter(|(i, _)| i % 5 == 0) {
            *x = special[i / 5 % special.len()];
        }
        let program = some_program(4, &words[..2 + round as usize % 58]);
        // Some of what is made, and the last of it.
        let last = 3 + program.len() as u16;
        let mut outputs: Vec<u16> = (4..last).filter(|r| (round + u64::from(*r)) % 7 == 0).collect();
        outputs.push(last);
        let shapes = vec![(F, &shape[..]); outputs.len()];
        let kernel = Kernel::Fused(fused(&shape, 4, &program, outputs.clone()));
        let y = run(&kernel, &inputs.iter().collect::<Vec<_>>(), &shapes).expect("a program");
        let values: Vec<Vec<f64>> = inputs.iter().map(Operand::values).collect();
        for i in 0..n {
            let element: Vec<f32> = values.iter().map(|x| x[i] as f32).collect();
            let all = registers(&element, &program);
            for (register, y) in outputs.iter().zip(&y) {
                let (made, want) = (y.elements::<f32>()[i], all[usize::from(*register)]);
                assert!(same(made, want), "round {round}, element {i}: {made} for {want} in {program:?}");
            }
        }
    }
}

/// More numbers that are the same everywhere than there are registers for them, and fewer, with elements behind the last whole
/// vector: each is the one that it is.
#[test]
fn numbers_that_are_the_same_everywhere() {
    let shape = [5usize, 103];
    for scalars in [1u16, 6, 12, 13, 20] {
        let mut inputs: Vec<Operand> =
            (0..=scalars).map(|i| random(F, &shape, 300 + u64::from(scalars) * 30 + u64::from(i))).collect();
        inputs.iter_mut().skip(1).for_each(|input| input.strides = vec![0, 0]);
        let names = ["add", "multiply", "subtract", "maximum"];
        let first = scalars + 1;
        let chain = |i: u16| (names[usize::from(i) % 4], vec![if i == 0 { 0 } else { first + i - 1 }, 1 + i]);
        let program: Vec<(&str, Vec<u16>)> = (0..scalars).map(chain).collect();
        let outputs = vec![first + scalars / 2, first + scalars - 1];
        let outputs = if outputs[0] == outputs[1] { vec![first] } else { outputs };
        let shapes = vec![(F, &shape[..]); outputs.len()];
        let count = usize::from(scalars) + 1;
        let kernel = Kernel::Fused(fused(&shape, count, &program, outputs.clone()));
        let y = run(&kernel, &inputs.iter().collect::<Vec<_>>(), &shapes).expect("a program");
        let values: Vec<Vec<f64>> = inputs.iter().map(Operand::values).collect();
        for i in 0..shape.iter().product() {
            let element: Vec<f32> = values.iter().map(|x| x[i] as f32).collect();
            let all = registers(&element, &program);
            for (register, y) in outputs.iter().zip(&y) {
                let (made, want) = (y.elements::<f32>()[i], all[usize::from(*register)]);
                assert!(same(made, want), "{scalars} numbers, element {i}: {made} for {want}");
            }
        }
    }
}

/// Results that take the places of what they are made from, as an optimizer's do: several at once, and where an operand is
/// read again by an operation that has no code.
#[test]
fn results_in_the_places_of_operands() {
    let updates: [(&str, Vec<u16>); 9] = [
        ("multiply", vec![1, 3]), // 4
        ("add", vec![4, 3]),      // 5, over 1
        ("multiply", vec![3, 3]), // 6
        ("add", vec![6, 2]),      // 7, over 2
        ("sqrt", vec![7]),        // 8
        ("divide", vec![5, 8]),   // 9
        ("subtract", vec![0, 9]), // 10, over 0
        ("abs", vec![1]),         // 11
        ("add", vec![11, 10]),    // 12
    ];
    for (used, outputs, n) in [(7, vec![5, 7, 10], 1000), (7, vec![5, 7, 10], 50_003), (9, vec![5, 7, 12], 3001)] {
        let program = &updates[..used];
        let apart = (n * 4usize).next_multiple_of(64);
        let view =
            |i: usize| View { space: Space::Arena, offset: i * apart, dtype: F, shape: vec![n], strides: vec![1] };
        let feeds: Vec<Tensor> = (0..4).map(|i| numbers(F, n, i)).collect();
        let step = |kernel: Kernel, inputs: Vec<View>, outputs: Vec<View>| Step {
            kernel,
            inputs,
            outputs,
            scratch: (0, 0),
            nodes: Vec::new(),
        };
        let feed = |i: usize| View { space: Space::Feed(i as u32), ..View { offset: 0, ..view(0) } };
        let mut steps: Vec<Step> = (0..4).map(|i| step(Kernel::Copy, vec![feed(i)], vec![view(i)])).collect();
        let kernel = Kernel::Fused(fused(&[n], 4, program, outputs.clone()));
        steps.push(step(kernel, (0..4).map(view).collect(), vec![view(1), view(2), view(0)]));
        let plan = Plan {
            steps,
            arena: 4 * apart,
            feeds: (0..4).map(|i| (format!("x{i}").into(), F, vec![n])).collect(),
            ..Plan::default()
        };
        for cpu in devices() {
            let mut arena = Bytes::zeros(4 * apart);
            let prepared = cpu.prepare(plan.clone()).expect("a plan");
            let feeds: Vec<&Tensor> = feeds.iter().collect();
            let memory = Memory { arena: &mut arena, variables: &mut [], feeds: &feeds };
            cpu.execute(&prepared, memory, &Context::default()).expect("a run");
            let read =
                |at: usize, i: usize| f32::from_ne_bytes(arena[at * apart + 4 * i..][..4].try_into().expect("4 bytes"));
            for i in 0..n {
                let element: Vec<f32> = feeds.iter().map(|x| x.elements::<f32>()[i]).collect();
                let all = registers(&element, program);
                for (place, register) in [1, 2, 0].into_iter().zip(&outputs) {
                    let (made, want) = (read(place, i), all[usize::from(*register)]);
                    assert!(same(made, want), "element {i}, register {register}: {made} for {want}");
                }
            }
        }
    }
}
