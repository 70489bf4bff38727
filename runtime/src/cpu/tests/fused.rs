//! Fused programs on views of every kind, against an interpreter of one element at a time.

use super::elementwise::instruction;
use super::*;
use tfm_lowering::plan::{Fused, Instruction};

fn constant(value: Value, to: DType) -> Instruction {
    Instruction { op: "constant".into(), attrs: vec![("value".into(), value)], args: Vec::new(), from: to, to }
}

const F: DType = DType::F32;

/// tanh(a * 2 + b) where a < b, else a; and the mask; and a again; and 2 + 2.
fn program(shape: &[usize]) -> Fused {
    let instructions = vec![
        constant(Value::Float(2.0), F),
        instruction("multiply", &[0, 2], F, F),
        instruction("add", &[3, 1], F, F),
        instruction("tanh", &[4], F, F),
        instruction("less", &[0, 1], F, DType::Bool),
        instruction("where", &[6, 5, 0], DType::Bool, F),
        instruction("add", &[2, 2], F, F),
    ];
    Fused { shape: shape.to_vec(), row: 0, skips: None, inputs: 2, instructions, outputs: vec![7, 6, 0, 8] }
}

#[test]
fn programs_on_every_layout() {
    for shape in [&[][..], &[1], &[7], &[5, 10], &[3, 1, 4], &[40, 513], &[130, 600], &[9, 5, 11, 3], &[2, 70_000]] {
        let outputs = [(F, shape), (DType::Bool, shape), (F, shape), (F, shape)];
        let kernel = Kernel::Fused(program(shape));
        let size: usize = shape.iter().product();
        for a in layouts(F, shape, 1) {
            for b in layouts(F, shape, 2).iter().step_by(if size > 10_000 { 4 } else { 1 }) {
                let y = run(&kernel, &[&a, b], &outputs).unwrap_or_else(|e| panic!("{e}"));
                let (a, b) = (a.values(), b.values());
                let pairs = || a.iter().zip(&b);
                let main: Vec<f64> = pairs().map(|(a, b)| if a < b { (a * 2.0 + b).tanh() } else { *a }).collect();
                let mask: Vec<f64> = pairs().map(|(a, b)| (a < b).into()).collect();
                close(&y[0], &main, 8.0);
                close(&y[1], &mask, 0.0);
                close(&y[2], &a, 0.0);
                close(&y[3], &vec![4.0; size], 0.0);
            }
        }
    }
}

/// Two operations that share a loop give the bits of one after the other, also where the first is read twice.
#[test]
fn pairs_are_one_after_the_other() {
    type Of = fn(f32, f32) -> f32;
    let simple: [(&str, Of); 6] = [
        ("add", |a, b| a + b),
        ("subtract", |a, b| a - b),
        ("multiply", |a, b| a * b),
        ("maximum", f32::max),
        ("minimum", f32::min),
        ("divide", |a, b| a / b),
    ];
    let (n, shape) = (1100, [1100]);
    let inputs = [1, 2, 3].map(|seed| random(F, &[n], seed));
    let [a, b, c] = inputs.each_ref().map(|x| x.values());
    for (first, f) in simple {
        for (second, g) in simple {
            for (args, twice) in [([3, 2], false), ([2, 3], false), ([3, 3], false), ([3, 2], true)] {
                let instructions = vec![instruction(first, &[0, 1], F, F), instruction(second, &args, F, F)];
                let outputs = if twice { vec![4, 3] } else { vec![4] };
                let shapes = vec![(F, &shape[..]); outputs.len()];
                let fused = Fused { shape: vec![n], row: 0, skips: None, inputs: 3, instructions, outputs };
                let y = run(&Kernel::Fused(fused), &inputs.each_ref(), &shapes).expect("a program");
                let (made, kept) = (y[0].elements::<f32>(), y.get(1).map(|y| y.elements::<f32>()));
                for i in 0..n {
                    let [a, b, c] = [&a, &b, &c].map(|x| x[i] as f32);
                    let x = f(a, b);
                    let of = |r: u16| if r == 3 { x } else { c };
                    assert_eq!(made[i], g(of(args[0]), of(args[1])), "{second} of {first}, {args:?}");
                    assert!(kept.is_none_or(|kept| kept[i] == x));
                }
            }
        }
    }
}

/// `where(x > 0, b, 0)` with and without its mask, for numbers that are not compared as others are.
#[test]
fn gates_are_choices() {
    let (n, shape) = (700, [700]);
    let special = [f32::NAN, -0.0, 0.0, f32::INFINITY, f32::NEG_INFINITY, 1e-42, -1e-42];
    let mut x = random(F, &[n], 1);
    for (i, x) in x.tensor.elements_mut::<f32>().iter_mut().enumerate().filter(|(i, _)| i % 3 == 0) {
        *x = special[i / 3 % special.len()];
    }
    let (b, c) = (random(F, &[n], 2), random(F, &[n], 3));
    let nought = |x: f64| constant(Value::Float(x), F);
    // Registers: x, b, c, then 3: the number compared with, 4: x + c, 5: the mask, 6: the choice, 7: times c.
    for (than, summed, kept) in [(0.0, false, false), (0.0, true, false), (0.0, true, true), (0.5, true, false)] {
        let compared = if summed { 4 } else { 0 };
        let instructions = vec![
            nought(than),
            instruction("add", &[0, 2], F, F),
            instruction("greater", &[compared, 3], F, DType::Bool),
            instruction("where", &[5, 1, 3], DType::Bool, F),
            instruction("multiply", &[6, 2], F, F),
        ];
        let (mut outputs, mut shapes) = (vec![6, 7], vec![(F, &shape[..]); 2]);
        if kept {
            outputs.push(5);
            shapes.push((DType::Bool, &shape));
        }
        let fused = Fused { shape: vec![n], row: 0, skips: None, inputs: 3, instructions, outputs };
        let y = run(&Kernel::Fused(fused), &[&x, &b, &c], &shapes).expect("a program");
        let all = [&x, &b, &c].map(|o| o.tensor.elements::<f32>());
        for i in 0..n {
            let [x, b, c] = all.map(|o| o[i]);
            let compared = if summed { x + c } else { x };
            let want = if compared > than as f32 { b } else { than as f32 };
            assert_eq!(y[0].elements::<f32>()[i], want, "{x} {b} {c}");
            assert_eq!(y[1].elements::<f32>()[i], want * c);
            assert!(y.get(2).is_none_or(|mask| mask.to_f64()[i] == f64::from(compared > than as f32)));
        }
    }
}

/// A number for each channel of images: laid out once where a tile has several rows, and repeated where it is in one.
#[test]
fn numbers_of_channels() {
    for [images, channels, area] in [[6, 32, 64], [50, 20, 128], [3, 64, 256], [7, 16, 1024], [5, 24, 49], [40, 3, 512]]
    {
        let shape = [images, channels, area];
        let x = random(F, &shape, 1);
        let mut a = random(F, &[channels], 2);
        (a.shape, a.strides) = (shape.to_vec(), vec![0, 1, 0]);
        let instructions = vec![
            instruction("subtract", &[0, 1], F, F),
            instruction("multiply", &[2, 1], F, F),
            instruction("exp", &[1], F, F),
            instruction("add", &[3, 4], F, F),
        ];
        let fused = Fused { shape: shape.to_vec(), row: 0, skips: None, inputs: 2, instructions, outputs: vec![5] };
        let y = run(&Kernel::Fused(fused), &[&x, &a], &[(F, &shape)]).expect("a program");
        let (xs, all) = (x.values(), a.values());
        let want: Vec<f64> = xs.iter().zip(&all).map(|(x, a)| (x - a) * a + a.exp()).collect();
        close(&y[0], &want, 20.0);
    }
}

#[test]
fn constants_of_every_dtype() {
    for dtype in [DType::F64, F, DType::I64, DType::I32, DType::I8, DType::U8, DType::Bool] {
        for (value, want) in [(Value::Float(3.0), 3.0), (Value::Int(1), 1.0), (Value::Bool(true), 1.0)] {
            let instructions = vec![constant(value, dtype)];
            let fused = Fused { shape: vec![3, 200], row: 0, skips: None, inputs: 0, instructions, outputs: vec![0] };
            let y = run(&Kernel::Fused(fused), &[], &[(dtype, &[3, 200])]).expect("constant");
            let want = if dtype == DType::Bool { 1.0 } else { want };
            close(&y[0], &vec![want; 600], 0.0);
        }
    }
}

#[test]
fn whole_powers_are_products() {
    let n = 1000;
    for (dtype, exponent) in [(F, 2.0), (F, -2.0), (F, 3.0), (DType::F64, -1.0), (DType::F64, 4.0), (F, 5.0), (F, 0.5)]
    {
        let instructions = vec![constant(Value::Float(exponent), dtype), instruction("power", &[0, 1], dtype, dtype)];
        let fused = Fused { shape: vec![n], row: 0, skips: None, inputs: 1, instructions, outputs: vec![2] };
        let x = random(dtype, &[n], 3);
        let y = run(&Kernel::Fused(fused), &[&x], &[(dtype, &[n])]).expect("power");
        close(&y[0], &x.values().iter().map(|x| x.powf(exponent)).collect::<Vec<_>>(), 8.0);
    }
}

/// A result may take over the memory of an input, also of one that is still read after the result is made.
#[test]
fn results_over_inputs() {
    for cpu in devices() {
        for n in [10, 5000, 100_000] {
            let view = |offset: usize| View { space: Space::Arena, offset, dtype: F, shape: vec![n], strides: vec![1] };
            let apart = (n * 4).next_multiple_of(64);
            let feed = View { space: Space::Feed(0), ..view(0) };
            let copy = |from: View, to: usize| Step {
                kernel: Kernel::Copy,
                inputs: vec![from],
                outputs: vec![view(to)],
                scratch: (0, 0),
                nodes: Vec::new(),
            };
            // b + a is written over a, then (b + a) * a over b.
            let fused = Fused {
                shape: vec![n],
                row: 0,
                skips: None,
                inputs: 2,
                instructions: vec![instruction("add", &[0, 1], F, F), instruction("multiply", &[2, 0], F, F)],
                outputs: vec![2, 3],
            };
            let step = Step {
                kernel: Kernel::Fused(fused),
                inputs: vec![view(0), view(apart)],
                outputs: vec![view(0), view(apart)],
                scratch: (0, 0),
                nodes: Vec::new(),
            };
            let plan = Plan {
                steps: vec![copy(feed.clone(), 0), copy(feed, apart), step],
                arena: 2 * apart,
                feeds: vec![("x".into(), F, vec![n])],
                ..Plan::default()
            };
            let x = numbers(F, n, 1);
            let mut arena = Bytes::zeros(2 * apart);
            let prepared = cpu.prepare(plan).expect("plan");
            let memory = Memory { arena: &mut arena, variables: &mut [], feeds: &[&x] };
            cpu.execute(&prepared, memory, &Context::default()).expect("run");
            let read = |at: usize, i: usize| f32::from_ne_bytes(arena[at + 4 * i..][..4].try_into().expect("4 bytes"));
            for (i, x) in x.elements::<f32>().iter().enumerate() {
                assert_eq!((read(0, i), read(apart, i)), (x + x, (x + x) * x));
            }
        }
    }
}
