//! Reductions over all sets of axes, `argmax`, `arg_top_k` and `cumsum` along each.

use super::*;

const NUMBER: [DType; 6] = [DType::F32, DType::F64, DType::I64, DType::I32, DType::I8, DType::U8];

/// The values that go into each result, in order.
fn groups(x: &Operand, axes: &[usize]) -> Vec<Vec<f64>> {
    let kept: Vec<usize> = (0..x.shape.len()).filter(|a| !axes.contains(a)).collect();
    let sizes: Vec<usize> = kept.iter().map(|&a| x.shape[a]).collect();
    let mut groups = vec![Vec::new(); sizes.iter().product()];
    for (at, value) in indices(&x.shape).zip(x.values()) {
        let index = kept.iter().fold(0, |i, &a| i * x.shape[a] + at[a]);
        groups[index].push(value);
    }
    groups
}

fn wrap(dtype: DType, x: f64) -> f64 {
    match dtype {
        DType::I8 => f64::from(x as i64 as i8),
        DType::U8 => f64::from(x as i64 as u8),
        _ => x,
    }
}

fn check(dtype: DType, x: &Operand, axes: &[usize]) {
    let list = Value::Ints(axes.iter().map(|&a| a as i64).collect());
    let shape: Vec<usize> = (0..x.shape.len()).filter(|a| !axes.contains(a)).map(|a| x.shape[a]).collect();
    let groups = groups(x, axes);
    let folded = |f: fn(f64, f64) -> f64| -> Vec<f64> {
        groups.iter().map(|g| g.iter().copied().reduce(f).unwrap_or(0.0)).collect()
    };
    let sums: Vec<f64> = folded(|a, b| a + b).into_iter().map(|s| wrap(dtype, s)).collect();
    let all = axes.len() == x.shape.len();
    let axis = if all { Value::Ints(Vec::new()) } else { list };
    let attrs = [("axis", axis), ("keep", Value::Bool(false))];
    // Sums that cancel are compared with their terms.
    let scale = if dtype == DType::F64 { 10.0 + groups[0].len() as f64 } else { 4.0 };
    close(&apply("sum", &attrs, &[x], dtype, &shape), &sums, scale);
    close(&apply("max", &attrs, &[x], dtype, &shape), &folded(f64::max), 0.0);
    close(&apply("min", &attrs, &[x], dtype, &shape), &folded(f64::min), 0.0);
}

fn subsets(rank: usize) -> impl Iterator<Item = Vec<usize>> {
    (1u32..1 << rank).map(move |bits| (0..rank).filter(|a| bits >> a & 1 == 1).collect())
}

#[test]
fn every_set_of_axes_on_every_layout() {
    for shape in [&[1][..], &[7], &[4, 5], &[3, 1, 6], &[2, 3, 4, 5], &[33, 40], &[300, 3], &[5, 270]] {
        for dtype in NUMBER {
            for x in layouts(dtype, shape, 1) {
                subsets(shape.len()).for_each(|axes| check(dtype, &x, &axes));
            }
        }
    }
}

#[test]
fn large_reductions_in_segments() {
    for (shape, axes) in [
        (&[300_000][..], &[0][..]),
        (&[70_000, 3], &[0]),
        (&[3, 70_000], &[1]),
        (&[900, 300], &[0]),
        (&[900, 300], &[1]),
        (&[64, 10, 23, 23], &[0, 2, 3]),
        (&[12, 64, 128], &[0, 1]),
        (&[12, 64, 128], &[1]),
    ] {
        for dtype in [DType::F32, DType::I32] {
            for x in layouts(dtype, shape, 1).iter().take(4) {
                check(dtype, x, axes);
            }
        }
    }
}

#[test]
fn a_scalar_and_what_is_kept() {
    let x = random(DType::F32, &[], 1);
    close(&apply("sum", &[], &[&x], DType::F32, &[]), &x.values(), 0.0);
    let x = random(DType::F32, &[3, 4], 1);
    let attrs = [("axis", Value::Int(-1)), ("keep", Value::Bool(true))];
    let want: Vec<f64> = groups(&x, &[1]).iter().map(|g| g.iter().sum()).collect();
    close(&apply("sum", &attrs, &[&x], DType::F32, &[3, 1]), &want, 4.0);
    let want: Vec<f64> = groups(&x, &[0]).iter().map(|g| g.iter().sum()).collect();
    close(&apply("sum_to", &[("shape", Value::Ints(vec![4]))], &[&x], DType::F32, &[4]), &want, 4.0);
    close(&apply("sum_to", &[("shape", Value::Ints(vec![1, 4]))], &[&x], DType::F32, &[1, 4]), &want, 4.0);
    assert!(failure("sum", &[("axis", Value::Int(2))], &[&x], DType::F32, &[3]).contains("no axis 2 in 2 axes"));
}

#[test]
fn a_nan_is_kept() {
    for n in [3, 100, 200_000] {
        let mut x = random(DType::F32, &[n], 1);
        x.tensor.elements_mut::<f32>()[n / 2] = f32::NAN;
        for name in ["sum", "max", "min"] {
            assert!(apply(name, &[], &[&x], DType::F32, &[]).elements::<f32>()[0].is_nan());
        }
        let at = apply("argmax", &[("axis", Value::Int(0))], &[&x], DType::I32, &[]);
        assert_eq!(at.elements::<i32>(), [n as i32 / 2]);
    }
}

#[test]
fn argmax_and_cumsum_along_each_axis() {
    for shape in [&[1][..], &[9], &[4, 5], &[3, 1, 6], &[2, 30, 7], &[400, 100]] {
        for dtype in NUMBER {
            for x in layouts(dtype, shape, 1) {
                for axis in 0..shape.len() {
                    along(dtype, &x, axis);
                }
            }
        }
    }
}

#[test]
fn the_largest_k_are_those_of_a_sort() {
    for (shape, k) in [(&[1][..], 1), (&[9], 4), (&[4, 5], 5), (&[3, 1, 6], 2), (&[400, 100], 3)] {
        for dtype in NUMBER {
            for x in layouts(dtype, shape, 1) {
                let kept = [&x.shape[..x.shape.len() - 1], &[k]].concat();
                let y = apply("arg_top_k", &[("k", Value::Int(k as i64))], &[&x], DType::I32, &kept);
                let sorted = groups(&x, &[x.shape.len() - 1]).into_iter().flat_map(|line| {
                    let mut at: Vec<usize> = (0..line.len()).collect();
                    at.sort_by(|&a, &b| line[b].total_cmp(&line[a]));
                    at.into_iter().take(k).map(|i| i as f64).collect::<Vec<_>>()
                });
                close(&y, &sorted.collect::<Vec<_>>(), 0.0);
            }
        }
    }
}

fn along(dtype: DType, x: &Operand, axis: usize) {
    let kept: Vec<usize> = (0..x.shape.len()).filter(|&a| a != axis).map(|a| x.shape[a]).collect();
    let lines = groups(x, &[axis]);
    let first = |g: &Vec<f64>| g.iter().enumerate().fold(0, |b, (i, x)| if *x > g[b] { i } else { b }) as f64;
    let y = apply("argmax", &[("axis", Value::Int(axis as i64))], &[x], DType::I32, &kept);
    close(&y, &lines.iter().map(first).collect::<Vec<_>>(), 0.0);
    for backwards in [false, true] {
        let attrs = [("axis", Value::Int(axis as i64 - x.shape.len() as i64)), ("backwards", Value::Bool(backwards))];
        let mut y = Operand::dense(apply("cumsum", &attrs, &[x], dtype, &x.shape));
        y.shape = x.shape.clone();
        for (got, line) in groups(&y, &[axis]).iter().zip(&lines) {
            let n = line.len();
            for i in 0..n {
                let part = if backwards { &line[i..] } else { &line[..=i] };
                let want = wrap(dtype, part.iter().sum());
                assert!((got[i] - want).abs() <= 1e-6 * (1.0 + want.abs()), "{} and not {want}", got[i]);
            }
        }
    }
}
