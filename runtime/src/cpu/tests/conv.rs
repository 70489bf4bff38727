//! Convolution, pooling and their gradients by their definitions.

use super::*;

/// All six loops: calls `f(x index, w index, y index)` for each product of the convolution.
fn products(x: &[usize], w: &[usize], y: &[usize], stride: usize, pad: usize, mut f: impl FnMut(usize, usize, usize)) {
    for at in indices(&[y[0], y[1], y[2], y[3], w[1], w[2], w[3]]) {
        let [b, o, i, j, c, k, l] = at[..] else { return };
        let (row, column) = (i * stride + k, j * stride + l);
        if row < pad || column < pad || row - pad >= x[2] || column - pad >= x[3] {
            continue;
        }
        let x_at = ((b * x[1] + c) * x[2] + row - pad) * x[3] + column - pad;
        f(x_at, ((o * w[1] + c) * w[2] + k) * w[3] + l, ((b * y[1] + o) * y[2] + i) * y[3] + j);
    }
}

fn int(name: &'static str, n: usize) -> (&'static str, Value) {
    (name, Value::Int(n as i64))
}

#[test]
fn convolution_and_its_gradients() {
    for dtype in [DType::F32, DType::F64] {
        for (x, w, stride, pad) in [
            ([1, 1, 3, 3], [1, 1, 2, 2], 1, 0),
            ([2, 3, 8, 7], [4, 3, 3, 3], 1, 1),
            ([3, 2, 9, 9], [5, 2, 3, 3], 2, 1),
            ([2, 4, 5, 6], [3, 4, 1, 1], 1, 0),
            ([2, 4, 6, 6], [3, 4, 1, 1], 2, 0),
            ([2, 2, 10, 5], [3, 2, 5, 2], 3, 2),
            ([1, 1, 1, 3], [1, 1, 1, 1], 1, 3),
            ([1, 2, 2, 2], [2, 2, 5, 5], 1, 2),
            ([19, 3, 12, 12], [8, 3, 3, 3], 1, 1),
            ([5, 16, 20, 20], [24, 16, 3, 3], 1, 0),
        ] {
            let out = |n: usize, k: usize| (n + 2 * pad - k) / stride + 1;
            let y = [x[0], w[0], out(x[2], w[2]), out(x[3], w[3])];
            let (image, kernel, dy) = (random(dtype, &x, 1), random(dtype, &w, 2), random(dtype, &y, 3));
            let (xs, ws, gs) = (image.values(), kernel.values(), dy.values());
            let how = [int("stride", stride), int("pad", pad)];
            let sized =
                |h: usize, w: usize| [int("height", h), int("width", w), int("stride", stride), int("pad", pad)];
            let zeros = |s: &[usize]| vec![0.0; s.iter().product()];
            let (mut want_y, mut want_x, mut want_w) = (zeros(&y), zeros(&x), zeros(&w));
            products(&x, &w, &y, stride, pad, |i, j, k| {
                want_y[k] += xs[i] * ws[j];
                want_x[i] += gs[k] * ws[j];
                want_w[j] += gs[k] * xs[i];
            });
            close(&apply("conv2d", &how, &[&image, &kernel], dtype, &y), &want_y, 1000.0);
            let dx = apply("conv2d_input", &sized(x[2], x[3]), &[&dy, &kernel], dtype, &x);
            close(&dx, &want_x, 1000.0);
            let dw = apply("conv2d_kernel", &sized(w[2], w[3]), &[&image, &dy], dtype, &w);
            close(&dw, &want_w, 3000.0);
        }
    }
}

/// The places of each window of a plane that are inside it.
fn window(x: &[usize], at: (usize, usize), size: usize, stride: usize, pad: usize) -> Vec<usize> {
    let mut places = Vec::new();
    for (k, l) in (0..size).flat_map(|k| (0..size).map(move |l| (k, l))) {
        let (row, column) = (at.0 * stride + k, at.1 * stride + l);
        if row >= pad && column >= pad && row - pad < x[2] && column - pad < x[3] {
            places.push((row - pad) * x[3] + column - pad);
        }
    }
    places
}

#[test]
fn pooling_and_its_gradients() {
    for dtype in [DType::F32, DType::F64] {
        for (x, size, stride, pad) in [
            ([1, 1, 2, 3], 2, 1, 0),
            ([2, 3, 6, 6], 2, 2, 0),
            ([3, 5, 11, 11], 2, 2, 0),
            ([2, 2, 7, 5], 3, 2, 1),
            ([1, 2, 4, 4], 4, 1, 0),
            ([64, 9, 26, 26], 2, 2, 0),
        ] {
            let out = |n: usize| (n + 2 * pad - size) / stride + 1;
            let y = [x[0], x[1], out(x[2]), out(x[3])];
            let mut image = random(dtype, &x, 1);
            if dtype == DType::F32 {
                // Equal neighbours: the first one gets the gradient.
                image.tensor.elements_mut::<f32>().iter_mut().for_each(|x| *x = x.round());
            }
            let dy = random(dtype, &y, 2);
            let (xs, gs) = (image.values(), dy.values());
            let (mut max, mut avg) = (Vec::new(), Vec::new());
            let (mut max_dx, mut avg_dx) = (vec![0.0; xs.len()], vec![0.0; xs.len()]);
            for (k, at) in indices(&y).enumerate() {
                let plane = (at[0] * x[1] + at[1]) * x[2] * x[3];
                let places = window(&x, (at[2], at[3]), size, stride, pad);
                let best = places.iter().fold(places[0], |b, &p| if xs[plane + p] > xs[plane + b] { p } else { b });
                max.push(xs[plane + best]);
                max_dx[plane + best] += gs[k];
                let share = 1.0 / (size * size) as f64;
                avg.push(places.iter().map(|p| xs[plane + p]).sum::<f64>() * share);
                places.iter().for_each(|p| avg_dx[plane + p] += gs[k] * share);
            }
            let how = [int("size", size), int("stride", stride), int("pad", pad)];
            let sized = [&[int("height", x[2]), int("width", x[3])][..], &how].concat();
            close(&apply("max_pool2d", &how, &[&image], dtype, &y), &max, 0.0);
            close(&apply("max_pool2d_gradient", &how, &[&image, &dy], dtype, &x), &max_dx, 20.0);
            close(&apply("avg_pool2d", &how, &[&image], dtype, &y), &avg, 40.0);
            close(&apply("avg_pool2d_gradient", &sized, &[&dy], dtype, &x), &avg_dx, 40.0);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (x, w) = (random(DType::F32, &[1, 2, 4, 4], 1), random(DType::F32, &[3, 2, 3, 3], 2));
    let message = failure("conv2d", &[int("stride", 0)], &[&x, &w], DType::F32, &[1, 3, 2, 2]);
    assert!(message.contains("f32[1, 2, 4, 4] with f32[3, 2, 3, 3] is not"), "{message}");
    failure("conv2d", &[int("stride", 1)], &[&x, &w], DType::F32, &[1, 3, 4, 4]);
    failure("max_pool2d", &[int("size", 9), int("stride", 1)], &[&x], DType::F32, &[1, 2, 1, 1]);
}
