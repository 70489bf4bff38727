//! Products of every kind of shape and layout.

use super::*;

fn reference(a: &Operand, b: &Operand, out: &[usize]) -> Vec<f64> {
    let rank = out.len();
    let (m, n, k) = (out[rank - 2], out[rank - 1], a.shape[rank - 1]);
    let batches: usize = out[..rank - 2].iter().product();
    let (a, b) = (a.values(), b.values());
    let mut y = Vec::new();
    for batch in 0..batches {
        for i in 0..m {
            for j in 0..n {
                y.push((0..k).map(|l| a[(batch * m + i) * k + l] * b[(batch * k + l) * n + j]).sum());
            }
        }
    }
    y
}

fn check(dtype: DType, batch: &[usize], m: usize, k: usize, n: usize, sparse: bool) {
    let shape = |r: usize, c: usize| [batch, &[r, c]].concat();
    let step = if sparse { 3 } else { 1 };
    for a in layouts(dtype, &shape(m, k), 1).iter().step_by(step) {
        for b in layouts(dtype, &shape(k, n), 2).iter().step_by(step) {
            let out = shape(m, n);
            let y = apply("matmul", &[], &[a, b], dtype, &out);
            let want = reference(a, b, &out);
            close(&y, &want, 4.0 * k as f64);
            keeping::check("matmul", &[], [a, b], &out, &want, 4.0 * k as f64);
        }
    }
}

#[test]
fn products_of_every_layout() {
    for dtype in [DType::F32, DType::F64] {
        for (batch, m, k, n) in [
            (&[][..], 1, 1, 1),
            (&[], 3, 4, 5),
            (&[], 1, 17, 9),
            (&[], 33, 70, 1),
            (&[], 1, 130, 200),
            (&[], 65, 1, 3),
            (&[2], 4, 3, 2),
            (&[3, 2], 5, 6, 7),
            (&[2, 1, 3], 1, 8, 65),
            (&[4], 9, 8, 1),
        ] {
            check(dtype, batch, m, k, n, false);
        }
    }
}

#[test]
fn products_in_tiles() {
    check(DType::F32, &[], 257, 100, 301, true);
    check(DType::F32, &[], 1, 600, 3000, true);
    check(DType::F64, &[], 130, 65, 400, true);
    check(DType::F32, &[6, 8], 16, 32, 24, true);
    check(DType::F32, &[3], 150, 80, 200, true);
}

/// What is packed, turned, cut in depth and given out whole: see `products.rs`.
#[test]
fn products_of_every_way() {
    // Sums longer than a block of rows stays in the cache for, with each side by columns and higher or wider results:
    // turned products go on from what is there.
    check(DType::F32, &[], 70, 1030, 50, false);
    check(DType::F32, &[], 9, 2100, 70, false);
    check(DType::F32, &[], 130, 2100, 41, false);
    check(DType::F32, &[], 41, 1030, 130, false);
    check(DType::F32, &[2], 61, 1100, 17, false);
    // A left matrix that is packed and has fewer rows than a block has room for.
    check(DType::F32, &[], 5, 1100, 130, true);
    // Two panels of two vectors, and one row too many for a tile.
    check(DType::F32, &[], 65, 33, 64, true);
    // A row and so few columns that each has several sums, with a few rows left, and one with a column more.
    check(DType::F32, &[], 1, 515, 10, true);
    check(DType::F32, &[2], 1, 3, 16, true);
    check(DType::F32, &[], 1, 515, 17, true);
    // A right matrix that is too large to be read where it lies, or not where the second cache has room, in columns that
    // a thread takes at once or not.
    check(DType::F32, &[], 50, 600, 520, true);
    check(DType::F32, &[], 140, 300, 1200, true);
    // Parts of long sums of both sides that are packed one after the other, in more groups of blocks than one.
    check(DType::F32, &[], 200, 1100, 100, false);
    check(DType::F32, &[], 194, 2060, 49, true);
    // One of several MB, of which each chunk packs its own panels with any number of threads, with rows for two blocks and
    // one more.
    check(DType::F32, &[], 50, 690, 1700, true);
    // Panels that the first rows pack on their way: the last one not full, and turned, where rows are columns in memory.
    check(DType::F32, &[], 200, 40, 1333, true);
    check(DType::F32, &[], 1024, 300, 50, false);
    // A left matrix whose columns lie in conflict in the cache.
    check(DType::F32, &[], 1024, 20, 100, true);
    // Wider than high with a right matrix by columns, and the other way round.
    check(DType::F32, &[], 20, 90, 300, false);
    check(DType::F32, &[], 300, 90, 20, false);
    check(DType::F32, &[48], 16, 33, 24, true);
}

/// One right matrix for all of a batch is one product.
#[test]
fn a_repeated_right_matrix() {
    for (b, t, k, n) in [(3, 5, 7, 4), (12, 64, 40, 96), (6, 1, 9, 5)] {
        let x = random(DType::F32, &[b, t, k], 1);
        let mut w = random(DType::F32, &[k, n], 2);
        w.shape = vec![b, k, n];
        w.strides.insert(0, 0);
        let y = apply("matmul", &[], &[&x, &w], DType::F32, &[b, t, n]);
        let want = reference(&x, &w, &[b, t, n]);
        close(&y, &want, 4.0 * k as f64);
        keeping::check("matmul", &[], [&x, &w], &[b, t, n], &want, 4.0 * k as f64);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (a, b) = (random(DType::F32, &[2, 3], 1), random(DType::F32, &[4, 2], 2));
    let message = failure("matmul", &[], &[&a, &b], DType::F32, &[2, 2]);
    assert_eq!(message, "step 0, `matmul`: f32[2, 3] times f32[4, 2] is not f32[2, 2]");
}

/// Halves that are 0 in the operands, or not looked at in the result, in every combination: what is looked at is the same.
#[test]
fn halves_are_left_out() {
    use tfm_lowering::plan::halves::{Half, LHS_ZERO, OUT_UNUSED, RHS_ZERO};
    let halves = [None, Some(Half::After), Some(Half::Before)];
    let inside = |half: Option<Half>, row: usize, column: usize| match half {
        None => false,
        Some(Half::After) => column > row,
        Some(Half::Before) => column < row,
    };
    // The matrix, and its transpose as a view, with 0 in the half.
    let operands = |shape: &[usize], half: Option<Half>, seed: u64| {
        let (rows, columns) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        let values = random(DType::F32, shape, seed).values();
        let at = |i: usize| if inside(half, i / columns % rows, i % columns) { 0.0 } else { values[i] as f32 };
        let plain = Tensor::of(shape, &(0..values.len()).map(at).collect::<Vec<_>>());
        let turned = (0..values.len()).map(|i| {
            let (matrix, column, row) = (i / (rows * columns), i / rows % columns, i % rows);
            at(matrix * rows * columns + row * columns + column)
        });
        let mut turned = Operand::dense(Tensor::of(shape, &turned.collect::<Vec<_>>()));
        let rank = shape.len();
        turned.strides[rank - 2..].copy_from_slice(&[1, rows as isize]);
        [Operand::dense(plain), turned]
    };
    for (batch, m, k, n) in [
        (&[3][..], 64, 32, 64),
        (&[2], 64, 64, 32),
        (&[], 50, 70, 90),
        (&[], 90, 50, 70),
        (&[], 220, 150, 180),
        (&[2], 1, 5, 9),
        (&[2, 2], 9, 3, 1),
    ] {
        let shape = |r: usize, c: usize| [batch, &[r, c]].concat();
        let pairs = halves.iter().flat_map(|l| halves.map(|r| (*l, r)));
        let all = pairs.flat_map(|(l, r)| halves.map(|o| (l, r, o))).enumerate();
        // Of large ones some combinations.
        for (i, (lhs, rhs, out)) in all.step_by(if m > 100 { 5 } else { 1 }) {
            let attrs: Vec<_> = [(LHS_ZERO, lhs), (RHS_ZERO, rhs), (OUT_UNUSED, out)]
                .into_iter()
                .filter_map(|(name, half)| Some((name, Value::Str(half?.name().into()))))
                .collect();
            let (a, b) = (operands(&shape(m, k), lhs, i as u64), operands(&shape(k, n), rhs, i as u64 + 50));
            for (a, b) in a.iter().zip(b.iter().cycle().skip(i % 2)) {
                let to = shape(m, n);
                let used = |i: usize, x: f64| if inside(out, i / n % m, i % n) { 0.0 } else { x };
                let kept =
                    |values: Vec<f64>| values.into_iter().enumerate().map(|(i, x)| used(i, x)).collect::<Vec<_>>();
                let kernel = primitive("matmul", &attrs);
                let expected = kept(reference(a, b, &to));
                for cpu in devices() {
                    let made = run_on(cpu, &kernel, &[a, b], &[(DType::F32, &to)], &Context::default());
                    let y = made.unwrap_or_else(|e| panic!("{e}"))[0].to_f64();
                    assert!(y.iter().all(|x| x.is_finite()), "what is not looked at is a number all the same");
                    let y: Vec<f32> = kept(y).into_iter().map(|x| x as f32).collect();
                    close(&Tensor::of(&to, &y), &expected, 4.0 * k as f64);
                }
            }
        }
    }
}
