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
            close(&y, &reference(a, b, &out), 4.0 * k as f64);
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
    // Sums longer than a block of rows stays in the cache for.
    check(DType::F32, &[], 70, 1030, 50, true);
    check(DType::F32, &[], 9, 2100, 70, true);
    // A left matrix that is packed and has fewer rows than a block has room for.
    check(DType::F32, &[], 5, 1100, 130, true);
    // Two panels of two vectors, and one row too many for a tile.
    check(DType::F32, &[], 65, 33, 64, true);
    // A right matrix that is too large to be read where it lies.
    check(DType::F32, &[], 50, 600, 520, true);
    // One of several MB, of which each chunk packs its own panels, with rows for two blocks and one more.
    check(DType::F32, &[], 50, 690, 1540, true);
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
        close(&y, &reference(&x, &w, &[b, t, n]), 4.0 * k as f64);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (a, b) = (random(DType::F32, &[2, 3], 1), random(DType::F32, &[4, 2], 2));
    let message = failure("matmul", &[], &[&a, &b], DType::F32, &[2, 2]);
    assert_eq!(message, "step 0, `matmul`: f32[2, 3] times f32[4, 2] is not f32[2, 2]");
}
