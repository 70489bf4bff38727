//! Copies, concatenation, padding, `iota`.

use super::*;

const ALL: [DType; 7] = [DType::F64, DType::F32, DType::I64, DType::I32, DType::I8, DType::U8, DType::Bool];

#[test]
fn copies_of_every_layout() {
    let shapes = [&[][..], &[1], &[6], &[33, 70], &[3, 4, 5], &[2, 40, 35, 3], &[400, 300], &[90_000], &[6, 1, 64, 80]];
    for shape in shapes {
        for dtype in ALL {
            for x in layouts(dtype, shape, 1) {
                let y = run(&Kernel::Copy, &[&x], &[(dtype, shape)]).expect("copy").remove(0);
                close(&y, &x.values(), 0.0);
            }
        }
    }
}

#[test]
fn swapped_inner_axes() {
    let x = random(DType::F32, &[12, 64, 4, 32], 1);
    let mut swapped = x.clone();
    swapped.shape = vec![12, 4, 64, 32];
    swapped.strides = vec![64 * 4 * 32, 32, 4 * 32, 1];
    let y = run(&Kernel::Copy, &[&swapped], &[(DType::F32, &swapped.shape)]).expect("copy").remove(0);
    close(&y, &swapped.values(), 0.0);
}

#[test]
fn concatenation_along_each_axis() {
    for (shape, axis) in [(&[5][..], 0), (&[3, 4], 0), (&[3, 4], 1), (&[2, 3, 4], 1), (&[70, 1, 300], 2)] {
        for dtype in [DType::F32, DType::U8, DType::I64] {
            let sized = |n: usize| {
                let mut s = shape.to_vec();
                s[axis] = n;
                s
            };
            for a in layouts(dtype, shape, 1) {
                let (b, c) = (random(dtype, &sized(1), 2), random(dtype, &sized(7), 3));
                let out = sized(shape[axis] + 8);
                let y = apply("concat", &[("axis", Value::Int(axis as i64))], &[&a, &b, &c], dtype, &out);
                let mut parts = [&a, &b, &c].map(|p| {
                    let inner: usize = p.shape[axis..].iter().product();
                    p.values().chunks(inner).map(<[f64]>::to_vec).collect::<Vec<_>>().into_iter()
                });
                let mut want = Vec::new();
                for _ in 0..out[..axis].iter().product() {
                    parts.iter_mut().for_each(|p| want.extend(p.next().expect("a part of each")));
                }
                close(&y, &want, 0.0);
            }
        }
    }
    let (a, b) = (random(DType::F32, &[2, 3], 1), random(DType::F32, &[2, 4], 1));
    failure("concat", &[("axis", Value::Int(0))], &[&a, &b], DType::F32, &[4, 3]);
}

#[test]
fn padding() {
    for (shape, before, after) in
        [(&[3][..], &[1][..], &[2][..]), (&[2, 3], &[0, 2], &[1, 0]), (&[2, 30, 40], &[1, 1, 1], &[0, 2, 9])]
    {
        for x in layouts(DType::F32, shape, 1) {
            let out: Vec<usize> = (0..shape.len()).map(|a| before[a] + shape[a] + after[a]).collect();
            let list = |v: &[usize]| Value::Ints(v.iter().map(|&n| n as i64).collect());
            let y = apply("pad", &[("before", list(before)), ("after", list(after))], &[&x], DType::F32, &out);
            let values = x.values();
            let want = indices(&out).map(|at| {
                let inner = at
                    .iter()
                    .zip(before)
                    .zip(shape)
                    .try_fold(0, |i, ((&at, &b), &n)| at.checked_sub(b).filter(|&a| a < n).map(|a| i * n + a));
                inner.map_or(0.0, |i| values[i])
            });
            close(&y, &want.collect::<Vec<_>>(), 0.0);
        }
    }
    let x = random(DType::F32, &[3], 1);
    let attrs = [("before", Value::Ints(vec![-1])), ("after", Value::Ints(vec![1]))];
    failure("pad", &attrs, &[&x], DType::F32, &[3]);
}

#[test]
fn whole_numbers_in_order() {
    for dtype in [DType::I32, DType::I64, DType::U8, DType::I8] {
        let y = apply("iota", &[("n", Value::Int(100))], &[], dtype, &[100]);
        close(&y, &(0..100).map(f64::from).collect::<Vec<_>>(), 0.0);
    }
    assert!(failure("iota", &[("n", Value::Int(300))], &[], DType::U8, &[300]).contains("299 is too large"));
}
