//! Random draws: the same from every device, and distributed as they say.

use super::*;
use crate::random::{uniform_f32, uniform_f64};

const SIZES: [usize; 5] = [1, 3, 257, 4096, 100_003];

fn draw(name: &str, dtype: DType, n: usize, key: i64) -> Tensor {
    apply(name, &[("key", Value::Int(key))], &[], dtype, &[n])
}

#[test]
fn each_element_is_its_own_word() {
    for n in SIZES {
        // The seed and step that `run` uses.
        let d = Draw::new(7, 5, 3);
        let y = draw("random_uniform", DType::F32, n, 5);
        for (i, &x) in y.elements::<f32>().iter().enumerate() {
            assert_eq!(x, uniform_f32(d.block(i as u64 / 4)[i % 4]));
        }
        let y = draw("random_uniform", DType::F64, n, 5);
        for (i, &x) in y.elements::<f64>().iter().enumerate() {
            let b = d.block(i as u64 / 2);
            assert_eq!(x, uniform_f64(b[i % 2 * 2], b[i % 2 * 2 + 1]));
        }
    }
}

#[test]
fn normal_numbers_are_box_and_mullers() {
    for n in SIZES {
        let (u, z) = (draw("random_uniform", DType::F32, n + 1, 1), draw("random_normal", DType::F32, n, 1));
        let (u, z) = (u.to_f64(), z.to_f64());
        for i in 0..n / 2 {
            let (radius, angle) = ((-2.0 * (1.0 - u[2 * i]).ln()).sqrt(), u[2 * i + 1] * std::f64::consts::TAU);
            assert!((z[2 * i] - radius * angle.cos()).abs() < 2e-6);
            assert!((z[2 * i + 1] - radius * angle.sin()).abs() < 2e-6);
        }
    }
}

#[test]
fn moments() {
    let n = 1_000_000;
    for dtype in [DType::F32, DType::F64] {
        let mean = |x: &[f64], p: i32| x.iter().map(|x| x.powi(p)).sum::<f64>() / n as f64;
        let u = draw("random_uniform", dtype, n, 2).to_f64();
        assert!(u.iter().all(|x| (0.0..1.0).contains(x)));
        assert!((mean(&u, 1) - 0.5).abs() < 2e-3 && (mean(&u, 2) - 1.0 / 3.0).abs() < 2e-3);
        let z = draw("random_normal", dtype, n, 2).to_f64();
        assert!(z.iter().all(|x| x.is_finite()));
        assert!(mean(&z, 1).abs() < 5e-3 && (mean(&z, 2) - 1.0).abs() < 1e-2 && (mean(&z, 4) - 3.0).abs() < 0.1);
    }
}

#[test]
fn keys_seeds_and_steps_tell_draws_apart() {
    let kernel = |key| primitive("random_uniform", &[("key", Value::Int(key))]);
    let make = |key, seed, step| {
        let context = Context { seed, step };
        let made = run_on(&devices()[1], &kernel(key), &[], &[(DType::F32, &[64])], &context);
        made.expect("draw")[0].to_f64()
    };
    let all = [make(0, 0, 0), make(1, 0, 0), make(0, 1, 0), make(0, 0, 1), make(-1, 0, 0)];
    for (i, a) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|b| a.iter().zip(b).filter(|(a, b)| a == b).count() < 3));
    }
    assert_eq!(all[3], make(0, 0, 1));
}
