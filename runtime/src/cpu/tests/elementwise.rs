//! Every elementwise primitive on every dtype, by its definition on f64.

use super::*;
use tfm_lowering::plan::{Fused, Instruction};

pub(super) fn instruction(op: &str, args: &[u16], from: DType, to: DType) -> Instruction {
    Instruction { op: op.into(), attrs: Vec::new(), args: args.to_vec(), from, to }
}

/// A program of one operation.
fn single(op: &str, shape: &[usize], arity: usize, from: DType, to: DType) -> Kernel {
    let args: Vec<u16> = (0..arity as u16).collect();
    let instructions = vec![instruction(op, &args, from, to)];
    Kernel::Fused(Fused {
        shape: shape.to_vec(),
        row: 0,
        skips: None,
        inputs: arity,
        instructions,
        outputs: vec![arity as u16],
    })
}

const REAL: [DType; 2] = [DType::F32, DType::F64];
const NUMBER: [DType; 6] = [DType::F32, DType::F64, DType::I64, DType::I32, DType::I8, DType::U8];

/// The primitive on f64, given the dtype.
type Reference = fn(DType, f64, f64) -> f64;

fn check(op: &str, dtypes: &[DType], result: Option<DType>, reference: Reference) {
    let arity = crate::cpu::elementwise::arity(op).expect(op);
    for &dtype in dtypes {
        let to = result.unwrap_or(dtype);
        for n in [1, 5, 64, 1000, 70_001] {
            let (a, b) = (random(dtype, &[n], 1), random(dtype, &[n], 2));
            let operands = [&a, &b];
            let y = run(&single(op, &[n], arity, dtype, to), &operands[..arity], &[(to, &[n])]);
            let y = y.unwrap_or_else(|e| panic!("{op}: {e}")).remove(0);
            let want: Vec<f64> =
                std::iter::zip(a.values(), b.values()).map(|(a, b)| wrap(to, reference(dtype, a, b))).collect();
            close(&y, &want, 8.0);
        }
    }
}

/// What is left of a whole number in its dtype.
fn wrap(dtype: DType, x: f64) -> f64 {
    match dtype {
        DType::I8 => f64::from(x as i64 as i8),
        DType::U8 => f64::from(x as i64 as u8),
        _ => x,
    }
}

fn floor_of(dtype: DType, x: f64) -> f64 {
    if dtype.is_int() { x.floor() } else { x }
}

#[test]
fn every_primitive_is_its_definition() {
    let checks: [(&str, Reference); 17] = [
        ("negate", |_, a, _| -a),
        ("abs", |_, a, _| a.abs()),
        ("sign", |_, a, _| if a == 0.0 { 0.0 } else { a.signum() }),
        ("add", |_, a, b| a + b),
        ("subtract", |_, a, b| a - b),
        ("multiply", |_, a, b| a * b),
        ("divide", |d, a, b| floor_of(d, a / b)),
        ("remainder", |_, a, b| a - b * (a / b).floor()),
        ("maximum", |_, a, b| a.max(b)),
        ("minimum", |_, a, b| a.min(b)),
        ("equal", |_, a, b| (a == b).into()),
        ("not_equal", |_, a, b| (a != b).into()),
        ("less", |_, a, b| (a < b).into()),
        ("less_equal", |_, a, b| (a <= b).into()),
        ("greater", |_, a, b| (a > b).into()),
        ("greater_equal", |_, a, b| (a >= b).into()),
        ("cast", |_, a, _| a),
    ];
    for (op, reference) in checks {
        let truth = matches!(op, "equal" | "not_equal") || op.starts_with("less") || op.starts_with("greater");
        check(op, &NUMBER, truth.then_some(DType::Bool), reference);
    }
    let real: [(&str, Reference); 10] = [
        ("floor", |_, a, _| a.floor()),
        ("round", |_, a, _| a.round_ties_even()),
        ("exp", |_, a, _| a.exp()),
        ("log", |_, a, _| a.ln()),
        ("sqrt", |_, a, _| a.sqrt()),
        ("sin", |_, a, _| a.sin()),
        ("cos", |_, a, _| a.cos()),
        ("tanh", |_, a, _| a.tanh()),
        ("sigmoid", |_, a, _| 1.0 / (1.0 + (-a).exp())),
        ("power", |_, a, b| a.powf(b)),
    ];
    for (op, reference) in real {
        check(op, &REAL, None, reference);
    }
    check("logical_and", &[DType::Bool], None, |_, a, b| a * b);
    check("logical_or", &[DType::Bool], None, |_, a, b| a.max(b));
    check("logical_not", &[DType::Bool], None, |_, a, _| 1.0 - a);
    check("equal", &[DType::Bool], None, |_, a, b| (a == b).into());
}

#[test]
fn where_takes_one_or_the_other() {
    for dtype in [DType::F64, DType::F32, DType::I64, DType::I32, DType::I8, DType::U8, DType::Bool] {
        let n = 3001;
        let (mask, a, b) = (random(DType::Bool, &[n], 1), random(dtype, &[n], 2), random(dtype, &[n], 3));
        let y = run(&single("where", &[n], 3, DType::Bool, dtype), &[&mask, &a, &b], &[(dtype, &[n])]);
        let (m, a, b) = (mask.values(), a.values(), b.values());
        let want: Vec<f64> = (0..n).map(|i| if m[i] != 0.0 { a[i] } else { b[i] }).collect();
        close(&y.expect("where")[0], &want, 0.0);
    }
}

#[test]
fn casts_between_all_dtypes() {
    let all = [DType::F64, DType::F32, DType::I64, DType::I32, DType::I8, DType::U8, DType::Bool];
    for from in all {
        for to in all {
            let x = random(from, &[777], 5);
            let y = run(&single("cast", &[777], 1, from, to), &[&x], &[(to, &[777])]).expect("cast").remove(0);
            let convert = |x: f64| match to {
                DType::F64 | DType::F32 => x,
                DType::Bool => (x != 0.0).into(),
                DType::U8 if from.is_float() => x.trunc().max(0.0),
                DType::U8 => f64::from(x as i64 as u8),
                _ => x.trunc(),
            };
            close(&y, &x.values().into_iter().map(convert).collect::<Vec<_>>(), 2.0);
        }
    }
}

#[test]
fn bf16_rounds_to_nearest_even() {
    let x = Operand::dense(Tensor::of(&[5], &[1.0f32, 1.003_906_3, 1.011_718_8, -3.0e38, f32::NAN]));
    let y = run(&single("cast", &[5], 1, DType::F32, DType::Bf16), &[&x], &[(DType::Bf16, &[5])]).expect("cast");
    let got = y[0].to_f64();
    assert_eq!(got[..3], [1.0, 1.0, 1.015_625]);
    assert!((got[3] / -3.0e38 - 1.0).abs() < 0.004 && got[4].is_nan());
}

#[test]
fn whole_numbers_by_zero_are_an_error() {
    for op in ["divide", "remainder"] {
        let n = 40_000;
        let a = random(DType::I32, &[n], 1);
        let mut b = random(DType::I32, &[n], 2);
        b.tensor.elements_mut::<i32>()[39_999] = 0;
        let e = run(&single(op, &[n], 2, DType::I32, DType::I32), &[&a, &b], &[(DType::I32, &[n])]).err();
        assert_eq!(e.map(|e| e.to_string()), Some(format!("step 0, `fused`: `{op}` of a whole number by zero")));
    }
    let (a, b) = (Operand::dense(Tensor::of(&[2], &[i32::MIN, 7])), Operand::dense(Tensor::of(&[2], &[-1, -2])));
    let y = run(&single("divide", &[2], 2, DType::I32, DType::I32), &[&a, &b], &[(DType::I32, &[2])]).expect("divide");
    assert_eq!(y[0].elements::<i32>(), [i32::MIN, -4]);
}

#[test]
fn sines_of_far_arguments() {
    let x = [1e9f32, -3.0, 1e30, f32::INFINITY, 3.5e8, f32::NAN, -1.7e38];
    let operand = Operand::dense(Tensor::of(&[7], &x));
    for (op, f) in [("sin", f64::sin as fn(f64) -> f64), ("cos", f64::cos)] {
        let y = run(&single(op, &[7], 1, DType::F32, DType::F32), &[&operand], &[(DType::F32, &[7])]).expect(op);
        close(&y[0], &x.map(|x| f(x.into())), 4.0);
    }
}

#[test]
fn maximum_keeps_nan_and_powers_are_exact() {
    let (a, b) =
        (Operand::dense(Tensor::of(&[2], &[f32::NAN, 1.0])), Operand::dense(Tensor::of(&[2], &[1.0, f32::NAN])));
    for op in ["maximum", "minimum"] {
        let y = run(&single(op, &[2], 2, DType::F32, DType::F32), &[&a, &b], &[(DType::F32, &[2])]).expect(op);
        assert!(y[0].elements::<f32>().iter().all(|x| x.is_nan()));
    }
    let (a, b) =
        (Operand::dense(Tensor::of(&[3], &[2.0f32, 3.0, -5.0])), Operand::dense(Tensor::of(&[3], &[3.0f32, 2.0, 3.0])));
    let y = run(&single("power", &[3], 2, DType::F32, DType::F32), &[&a, &b], &[(DType::F32, &[3])]).expect("power");
    assert_eq!(y[0].elements::<f32>(), [8.0, 9.0, -125.0]);
}

#[test]
fn unknown_operations_are_refused() {
    let x = random(DType::F32, &[3], 1);
    let e =
        run(&single("floor", &[3], 1, DType::I32, DType::I32), &[&random(DType::I32, &[3], 1)], &[(DType::I32, &[3])]);
    assert!(e.err().is_some_and(|e| e.message.contains("no kernel for `floor` from i32")));
    let mut bad = single("add", &[3], 2, DType::F32, DType::F32);
    if let Kernel::Fused(f) = &mut bad {
        f.instructions[0].op = "nonsense".into();
    }
    assert!(run(&bad, &[&x, &x], &[(DType::F32, &[3])]).is_err());
}
