//! Convolution, pooling and their gradients by their definitions.

use super::*;

/// Sizes and settings along the axes that are slid over.
#[derive(Clone)]
struct Slide {
    size: Vec<usize>,
    kernel: Vec<usize>,
    stride: Vec<usize>,
    pad: Vec<usize>,
    dilation: Vec<usize>,
}

/// One number for each axis: size, kernel, stride, pad, dilation.
fn slide(axes: &[[usize; 5]]) -> Slide {
    let all = |i: usize| axes.iter().map(|a| a[i]).collect();
    Slide { size: all(0), kernel: all(1), stride: all(2), pad: all(3), dilation: all(4) }
}

impl Slide {
    fn out(&self) -> Vec<usize> {
        let reach = |a: usize| self.dilation[a] * (self.kernel[a] - 1) + 1;
        (0..self.size.len()).map(|a| (self.size[a] + 2 * self.pad[a] - reach(a)) / self.stride[a] + 1).collect()
    }

    /// The place in the image that an element of a window meets; `None` outside.
    fn meets(&self, out: &[usize], tap: &[usize]) -> Option<usize> {
        let mut place = 0;
        for a in 0..self.size.len() {
            let i = (out[a] * self.stride[a] + tap[a] * self.dilation[a]).checked_sub(self.pad[a])?;
            if i >= self.size[a] {
                return None;
            }
            place = place * self.size[a] + i;
        }
        Some(place)
    }

    fn attrs(&self) -> Vec<(&'static str, Value)> {
        vec![ints("stride", &self.stride), ints("pad", &self.pad), ints("dilation", &self.dilation)]
    }
}

fn ints(name: &'static str, n: &[usize]) -> (&'static str, Value) {
    (name, Value::Ints(n.iter().map(|&n| n as i64).collect()))
}

/// The place of coordinates in row-major order.
fn at(shape: &[usize], coordinates: &[usize]) -> usize {
    shape.iter().zip(coordinates).fold(0, |place, (n, i)| place * n + i)
}

/// Images, channels, filters, groups, and how they slide; by how much more than sums of the products may differ.
fn check_convolution(dtype: DType, [images, channels, filters, groups]: [usize; 4], s: &Slide, slack: f64) {
    let (out, area) = (s.out(), s.size.iter().product::<usize>());
    let x = [vec![images, channels], s.size.clone()].concat();
    let w = [vec![filters, channels / groups], s.kernel.clone()].concat();
    let y = [vec![images, filters], out.clone()].concat();
    let (image, kernel, dy) = (random(dtype, &x, 1), random(dtype, &w, 2), random(dtype, &y, 3));
    let (xs, ws, gs) = (image.values(), kernel.values(), dy.values());
    let mut want = [vec![0.0; gs.len()], vec![0.0; xs.len()], vec![0.0; ws.len()]];
    for (k, place) in indices(&y).enumerate() {
        let (b, o) = (place[0], place[1]);
        for tap in indices(&w[1..]) {
            let channel = o / (filters / groups) * (channels / groups) + tap[0];
            let Some(from) = s.meets(&place[2..], &tap[1..]) else { continue };
            let (i, j) = ((b * channels + channel) * area + from, at(&w, &[&[o], &tap[..]].concat()));
            want[0][k] += xs[i] * ws[j];
            want[1][i] += gs[k] * ws[j];
            want[2][j] += gs[k] * xs[i];
        }
    }
    let mut how = s.attrs();
    how.push(("groups", Value::Int(groups as i64)));
    close(&apply("conv", &how, &[&image, &kernel], dtype, &y), &want[0], 1000.0 * slack);
    // Of weights that last kernels keep something; few images go through transformed tiles then.
    keeping::check("conv", &how, [&image, &kernel], &y, &want[0], 1000.0 * slack.max(20.0));
    close(&apply("conv_input", &how, &[&dy, &kernel], dtype, &x), &want[1], 1000.0 * slack);
    close(&apply("conv_kernel", &how, &[&image, &dy], dtype, &w), &want[2], 3000.0 * slack);
}

#[test]
fn convolution_and_its_gradients() {
    let square = |n: usize, k: usize, stride: usize, pad: usize| slide(&[[n, k, stride, pad, 1]; 2]);
    let cases = [
        ([1, 1, 1, 1], square(3, 2, 1, 0)),
        ([2, 3, 4, 1], slide(&[[8, 3, 1, 1, 1], [7, 3, 1, 1, 1]])),
        ([3, 2, 5, 1], square(9, 3, 2, 1)),
        ([2, 4, 3, 1], slide(&[[5, 1, 1, 0, 1], [6, 1, 1, 0, 1]])),
        ([2, 4, 3, 1], square(6, 1, 2, 0)),
        ([2, 2, 3, 1], slide(&[[10, 5, 3, 2, 1], [5, 2, 1, 0, 1]])),
        ([1, 1, 1, 1], slide(&[[1, 1, 1, 3, 1], [3, 1, 1, 3, 1]])),
        ([1, 2, 2, 1], square(2, 5, 1, 2)),
        ([19, 3, 8, 1], square(12, 5, 1, 2)),
        ([5, 16, 24, 1], square(20, 3, 1, 0)),
        // Dilation, and one and three axes.
        ([2, 3, 4, 1], slide(&[[9, 3, 1, 2, 2], [8, 2, 2, 1, 3]])),
        ([3, 4, 6, 1], slide(&[[17, 5, 2, 2, 1]])),
        ([3, 4, 6, 1], slide(&[[40, 3, 1, 4, 4]])),
        ([2, 3, 4, 1], slide(&[[4, 2, 1, 1, 1], [5, 3, 2, 1, 1], [6, 3, 1, 1, 2]])),
        // Kernel gradients from products of rows: more than one piece of a row, odd numbers of rows.
        ([2, 3, 7, 1], slide(&[[37, 3, 1, 1, 1], [41, 3, 1, 0, 1]])),
        ([2, 4, 6, 2], slide(&[[21, 1, 1, 0, 1], [19, 1, 1, 0, 1]])),
        // Rows that fill vectors, and planes that are gone through whole; more filters than a block has, and fewer.
        ([2, 16, 16, 1], square(32, 3, 1, 1)),
        ([9, 8, 17, 1], square(8, 3, 1, 1)),
        ([17, 4, 6, 1], square(16, 3, 2, 1)),
        // Many images and a stride: images side by side, a block of rows and several, taps that reach nothing.
        ([32, 3, 10, 1], square(13, 3, 2, 1)),
        ([30, 40, 9, 1], slide(&[[31, 3, 2, 1, 1], [9, 2, 1, 0, 1]])),
        ([16, 6, 4, 2], slide(&[[7, 1, 2, 0, 1], [8, 1, 3, 1, 1]])),
        ([16, 16, 8, 1], slide(&[[40, 5, 3, 2, 1], [30, 3, 2, 2, 2]])),
        ([2, 3, 9, 1], square(30, 4, 3, 5)),
        ([2, 4, 5, 1], square(8, 2, 3, 0)),
        // Groups; with one channel in each, windows are not unrolled.
        ([2, 6, 4, 2], square(7, 3, 1, 1)),
        ([2, 4, 4, 2], square(7, 1, 1, 0)),
        ([3, 5, 5, 5], square(9, 3, 1, 1)),
        ([3, 4, 8, 4], slide(&[[9, 3, 2, 1, 1], [40, 5, 2, 2, 1]])),
        ([2, 3, 6, 3], slide(&[[9, 3, 1, 2, 2], [35, 3, 1, 2, 2]])),
        ([2, 3, 3, 3], slide(&[[30, 4, 3, 5, 1]])),
        ([2, 2, 4, 2], slide(&[[3, 2, 1, 0, 1], [5, 3, 2, 1, 1], [6, 3, 1, 1, 1]])),
        ([1, 2, 2, 2], square(2, 5, 1, 2)),
    ];
    for dtype in [DType::F32, DType::F64] {
        for (sizes, how) in &cases {
            check_convolution(dtype, *sizes, how, 1.0);
        }
    }
}

/// Many images and windows of 3 x 3: tiles are transformed, which costs some of the last bits.
#[test]
fn convolution_in_transformed_tiles() {
    let square = |n: usize, pad: usize| slide(&[[n, 3, 1, pad, 1]; 2]);
    let cases = [
        // A block of tiles and several, whole tiles and parts, all images of a bundle and some, padding of 0 to 2.
        ([16, 16, 16, 1], square(8, 1)),
        ([32, 3, 8, 1], square(12, 1)),
        ([29, 9, 13, 1], slide(&[[13, 3, 1, 0, 1], [7, 3, 1, 2, 1]])),
        ([32, 12, 40, 1], slide(&[[5, 3, 1, 1, 1], [38, 3, 1, 0, 1]])),
        ([64, 24, 16, 2], slide(&[[10, 3, 1, 2, 1], [9, 3, 1, 1, 1]])),
        ([48, 96, 20, 1], square(9, 1)),
        ([256, 8, 8, 1], square(6, 1)),
        // Few images, whose channels lie side by side where the weights last.
        ([1, 32, 64, 1], square(13, 0)),
        ([2, 17, 20, 1], slide(&[[8, 3, 1, 2, 1], [16, 3, 1, 1, 1]])),
        ([5, 64, 19, 1], slide(&[[9, 3, 1, 0, 1], [30, 3, 1, 1, 1]])),
        ([2, 40, 130, 1], square(20, 2)),
        ([15, 24, 24, 1], slide(&[[4, 3, 1, 1, 1], [70, 3, 1, 1, 1]])),
        ([1, 3, 5, 1], square(16, 1)),
        // Images with more tiles than results have: elements are added up.
        ([32, 12, 24, 1], square(13, 0)),
        ([30, 16, 20, 2], slide(&[[10, 3, 1, 0, 1], [13, 3, 1, 0, 1]])),
    ];
    for (sizes, how) in &cases {
        check_convolution(DType::F32, *sizes, how, 20.0);
    }
}

#[test]
fn pooling_and_its_gradients() {
    let square = |n: usize, size: usize, stride: usize, pad: usize| slide(&[[n, size, stride, pad, 1]; 2]);
    let cases = [
        ([1, 1], slide(&[[2, 2, 1, 0, 1], [3, 2, 1, 0, 1]])),
        ([2, 3], square(6, 2, 2, 0)),
        ([3, 5], square(11, 2, 2, 0)),
        ([2, 2], slide(&[[7, 3, 2, 1, 1], [5, 3, 2, 1, 1]])),
        ([1, 2], square(4, 4, 1, 0)),
        ([64, 9], square(26, 2, 2, 0)),
        ([2, 3], slide(&[[5, 2, 2, 0, 1], [9, 3, 1, 1, 1]])),
        ([2, 3], slide(&[[13, 4, 3, 2, 1]])),
        ([2, 3], slide(&[[13, 2, 2, 0, 1]])),
        ([2, 2], slide(&[[4, 2, 2, 1, 1], [5, 3, 2, 1, 1], [6, 2, 2, 0, 1]])),
        ([2, 2], slide(&[[3, 1, 1, 0, 1], [7, 2, 2, 0, 1], [6, 2, 2, 0, 1]])),
    ];
    for (dtype, (outer, s)) in [DType::F32, DType::F64].into_iter().flat_map(|d| cases.iter().map(move |c| (d, c))) {
        let x = [outer.to_vec(), s.size.clone()].concat();
        let y = [outer.to_vec(), s.out()].concat();
        let mut image = random(dtype, &x, 1);
        if dtype == DType::F32 {
            // Equal neighbours: the first one gets the gradient.
            image.tensor.elements_mut::<f32>().iter_mut().for_each(|x| *x = x.round());
        }
        let (dy, values) = (random(dtype, &y, 2), random(dtype, &x, 3));
        let (xs, gs, vs) = (image.values(), dy.values(), values.values());
        let (mut max, mut picked, mut avg) = (Vec::new(), Vec::new(), Vec::new());
        let (mut max_dx, mut avg_dx) = (vec![0.0; xs.len()], vec![0.0; xs.len()]);
        let share = 1.0 / s.kernel.iter().product::<usize>() as f64;
        for (k, place) in indices(&y).enumerate() {
            let plane = at(&x[..2], &place[..2]) * s.size.iter().product::<usize>();
            let places: Vec<usize> =
                indices(&s.kernel).filter_map(|tap| s.meets(&place[2..], &tap)).map(|p| plane + p).collect();
            let best = places.iter().fold(places[0], |b, &p| if xs[p] > xs[b] { p } else { b });
            max.push(xs[best]);
            picked.push(vs[best]);
            max_dx[best] += gs[k];
            avg.push(places.iter().map(|p| xs[*p]).sum::<f64>() * share);
            places.iter().for_each(|p| avg_dx[*p] += gs[k] * share);
        }
        let how = [ints("size", &s.kernel), ints("stride", &s.stride), ints("pad", &s.pad)];
        close(&apply("max_pool", &how, &[&image], dtype, &y), &max, 0.0);
        close(&apply("max_pool_pick", &how, &[&image, &values], dtype, &y), &picked, 0.0);
        close(&apply("max_pool_gradient", &how, &[&image, &dy], dtype, &x), &max_dx, 20.0);
        close(&apply("avg_pool", &how, &[&image], dtype, &y), &avg, 40.0);
        close(&apply("avg_pool_gradient", &how, &[&dy], dtype, &x), &avg_dx, 40.0);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (x, w) = (random(DType::F32, &[1, 2, 4, 4], 1), random(DType::F32, &[3, 2, 3, 3], 2));
    let message = failure("conv", &[ints("stride", &[0, 0])], &[&x, &w], DType::F32, &[1, 3, 2, 2]);
    assert!(message.contains("f32[1, 2, 4, 4] with f32[3, 2, 3, 3] is not"), "{message}");
    failure("conv", &[ints("stride", &[1, 1])], &[&x, &w], DType::F32, &[1, 3, 4, 4]);
    failure("conv", &[ints("stride", &[1, 1]), ("groups", Value::Int(2))], &[&x, &w], DType::F32, &[1, 3, 2, 2]);
    failure("max_pool", &[ints("size", &[9, 9]), ints("stride", &[1, 1])], &[&x], DType::F32, &[1, 2, 1, 1]);
}
