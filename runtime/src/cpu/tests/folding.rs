//! Programs with reductions, in their middle and at their end, against sums taken one element after the other.

use super::elementwise::instruction;
use super::*;
use tfm_lowering::plan::{Fused, Instruction};

const F: DType = DType::F32;

pub(super) fn reduction(op: &str, arg: u16, axes: &[i64]) -> Instruction {
    Instruction { attrs: vec![("axes".into(), Value::Ints(axes.to_vec()))], ..instruction(op, &[arg], F, F) }
}

/// A softmax of x with b added to each row's sum; what was exponentiated; the column sums of the result times x, the
/// largest of it, and the row sums.
fn program(shape: &[usize], row: usize) -> Fused {
    let rank = shape.len() as i64;
    let inner: Vec<i64> = (rank - row as i64..rank).collect();
    let outer: Vec<i64> = (0..rank - row as i64).collect();
    let all: Vec<i64> = (0..rank).collect();
    let instructions = vec![
        reduction("max", 0, &inner),            // 2
        instruction("subtract", &[0, 2], F, F), // 3
        instruction("exp", &[3], F, F),         // 4
        reduction("sum", 4, &inner),            // 5
        instruction("add", &[5, 1], F, F),      // 6, by row
        instruction("divide", &[4, 6], F, F),   // 7
        instruction("multiply", &[7, 0], F, F), // 8
        reduction("sum", 8, &outer),            // 9, by column
        reduction("max", 8, &all),              // 10
        reduction("min", 8, &inner),            // 11
        reduction("sum", 2, &inner),            // 12, of numbers of rows
    ];
    Fused { shape: shape.to_vec(), row, skips: None, inputs: 2, instructions, outputs: vec![7, 6, 3, 9, 10, 11, 12] }
}

#[test]
fn programs_by_row_on_every_layout() {
    for (shape, row) in [
        (&[7, 10][..], 1),
        (&[40, 64], 1),
        (&[9, 1000], 1),
        (&[3, 5, 513], 1),
        (&[6, 3, 40], 2),
        (&[2, 700, 3], 1),
        (&[20, 2, 2100], 2),
        (&[1, 5], 1),
        (&[600, 70], 1),
    ] {
        let (outer, inner) = shape.split_at(shape.len() - row);
        let length: usize = inner.iter().product();
        let rows: usize = outer.iter().product();
        for x in layouts(F, shape, 1) {
            for b in layouts(F, outer, 2).into_iter().step_by(2) {
                let types = [(F, shape), (F, outer), (F, shape), (F, inner), (F, &[]), (F, outer), (F, outer)];
                let y = run(&Kernel::Fused(program(shape, row)), &[&x, &b], &types).unwrap_or_else(|e| panic!("{e}"));
                let (x, b) = (x.values(), b.values());
                let mut want: [Vec<f64>; 7] = Default::default();
                want[3] = vec![0.0; length];
                want[4] = vec![f64::NEG_INFINITY];
                for r in 0..rows {
                    let x = &x[r * length..(r + 1) * length];
                    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let sum = x.iter().map(|x| (x - most).exp()).sum::<f64>() + b[r];
                    want[1].push(sum);
                    want[5].push(f64::INFINITY);
                    want[6].push(most * length as f64);
                    for (c, x) in x.iter().enumerate() {
                        let p = (x - most).exp() / sum;
                        want[0].push(p);
                        want[2].push(x - most);
                        want[3][c] += p * x;
                        want[4][0] = want[4][0].max(p * x);
                        want[5][r] = want[5][r].min(p * x);
                    }
                }
                // The sums that divide may be near 0: rounding counts for more.
                let near = want[1].iter().copied().fold(f64::INFINITY, |m, s| m.min(s.abs()));
                for (y, want) in y.iter().zip(&want) {
                    close(y, want, 200.0 * (1.0 + 1.0 / (near * near)) * (rows as f64).sqrt());
                }
            }
        }
    }
}

/// A large sum is the same bits with any number of threads, and right to the last bit of f64.
#[test]
fn totals_over_any_axes() {
    for shape in [&[5, 7, 60][..], &[128, 3, 500], &[40, 1000], &[100_000], &[3, 4, 5, 6]] {
        let rank = shape.len();
        for bits in 1u32..1 << rank {
            let axes: Vec<i64> = (0..rank as i64).filter(|a| bits >> a & 1 == 1).collect();
            let kept: Vec<usize> = (0..rank).filter(|a| bits >> a & 1 == 0).collect();
            let instructions = vec![instruction("multiply", &[0, 0], F, F), reduction("sum", 1, &axes)];
            let fused =
                Fused { shape: shape.to_vec(), row: 0, skips: None, inputs: 1, instructions, outputs: vec![1, 2] };
            let sizes: Vec<usize> = kept.iter().map(|a| shape[*a]).collect();
            for x in layouts(F, shape, 3).iter().step_by(3) {
                let y = run(&Kernel::Fused(fused.clone()), &[x], &[(F, shape), (F, &sizes)]).expect("a sum");
                let mut want = vec![0.0; sizes.iter().product()];
                for (at, x) in indices(shape).zip(x.values()) {
                    let square = (x as f32 * x as f32) as f64;
                    want[kept.iter().fold(0, |i, a| i * shape[*a] + at[*a])] += square;
                }
                close(&y[1], &want, 2.0);
            }
        }
    }
}

/// Choices between numbers of rows and 0: the mask is of elements, or of rows too.
#[test]
fn gates_of_numbers_of_rows() {
    let shape = [9, 40];
    let x = random(F, &shape, 7);
    let zero = Instruction { attrs: vec![("value".into(), Value::Float(0.0))], ..instruction("constant", &[], F, F) };
    // Registers: x, 1: 0, 2: the sums of rows, 3 and 4: where x > 0 the sum, 5 and 6: where the sum > 0 x.
    let instructions = vec![
        zero,
        reduction("sum", 0, &[1]),
        instruction("greater", &[0, 1], F, DType::Bool),
        instruction("where", &[3, 2, 1], DType::Bool, F),
        instruction("greater", &[2, 1], F, DType::Bool),
        instruction("where", &[5, 0, 1], DType::Bool, F),
    ];
    let fused = Fused { shape: shape.to_vec(), row: 1, skips: None, inputs: 1, instructions, outputs: vec![4, 6] };
    let y = run(&Kernel::Fused(fused), &[&x], &[(F, &shape), (F, &shape)]).expect("a program");
    let xs = x.values();
    let (mut sums, mut rows) = (Vec::new(), Vec::new());
    for row in xs.chunks(shape[1]) {
        let sum = row.iter().sum::<f64>();
        sums.extend(row.iter().map(|x| if *x > 0.0 { sum } else { 0.0 }));
        rows.extend(row.iter().map(|x| if sum > 0.0 { *x } else { 0.0 }));
    }
    close(&y[0], &sums, 40.0);
    close(&y[1], &rows, 0.0);
}

/// A row's sum in a program has the bits of the kernel's.
#[test]
fn rows_are_summed_as_by_the_kernel() {
    for shape in [[9, 5], [64, 384], [12, 5001]] {
        let instructions = vec![reduction("sum", 0, &[1]), instruction("subtract", &[0, 1], F, F)];
        let fused = Fused { shape: shape.to_vec(), row: 1, skips: None, inputs: 1, instructions, outputs: vec![1, 2] };
        let x = random(F, &shape, 5);
        let y = run(&Kernel::Fused(fused), &[&x], &[(F, &shape[..1]), (F, &shape)]).expect("a program");
        let sum = apply("sum", &[("axis", Value::Ints(vec![1]))], &[&x], F, &shape[..1]);
        assert_eq!(y[0].bytes(), sum.bytes());
    }
}

#[test]
fn what_a_program_may_not_do_is_said() {
    let shape = [4, 6];
    let x = random(F, &shape, 1);
    let fail = |instructions: Vec<Instruction>, outputs: Vec<u16>, types: &[(DType, &[usize])]| {
        let fused = Fused { shape: shape.to_vec(), row: 1, skips: None, inputs: 1, instructions, outputs };
        run(&Kernel::Fused(fused), &[&x], types).expect_err("a fault").to_string()
    };
    // A total cannot be used, since it is complete only at the end.
    let used = vec![reduction("sum", 0, &[0]), instruction("subtract", &[0, 1], F, F)];
    assert!(fail(used, vec![2], &[(F, &shape)]).contains("uses a register that it cannot"));
    let wrong = vec![reduction("sum", 0, &[1])];
    assert!(fail(wrong, vec![1], &[(F, &shape)]).contains("does not fit the output"));
    let unknown = vec![reduction("cumsum", 0, &[1])];
    assert!(fail(unknown, vec![1], &[(F, &[4])]).contains("`cumsum` is no reduction"));
    let far = vec![reduction("sum", 0, &[7])];
    assert!(fail(far, vec![1], &[(F, &shape)]).contains("there are no axes"));
}
