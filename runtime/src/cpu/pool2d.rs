//! Pooling over windows of images, and its gradients; planes are given out to threads.

use super::isa::versions;
use super::kernels::{Call, Task, by_dtype, require};
use super::movement::text;
use std::ops::{AddAssign, Div};
use tfm_lowering::plan::View;

/// Elements of a chunk.
const CHUNK: usize = 1 << 15;

/// Sizes of a pooling: planes of an image's size in, planes of a number of windows out.
#[derive(Clone, Copy)]
struct Geometry {
    planes: usize,
    height: usize,
    width: usize,
    rows: usize,
    columns: usize,
    size: usize,
    stride: usize,
    pad: usize,
}

impl Geometry {
    fn new(call: &Call<'_>, x: &View, y: &View) -> Result<Geometry, String> {
        let (&[b, c, height, width], &[b2, c2, rows, columns]) = (x.shape.as_slice(), y.shape.as_slice()) else {
            return Err(format!("{} and {} should have 4 axes", text(x), text(y)));
        };
        let (size, stride) = (call.size_or("size", 0)?, call.size_or("stride", 0)?);
        let pad = call.size_or("pad", 0)?;
        let count = |n: usize| Some((n + 2 * pad).checked_sub(size)? / stride + 1);
        let fits = size > 0
            && stride > 0
            && (b, c) == (b2, c2)
            && (count(height), count(width)) == (Some(rows), Some(columns))
            && x.dtype == y.dtype
            && x.is_contiguous()
            && y.is_contiguous();
        require(fits, || format!("{} to {} by windows of {size}, {stride} apart", text(x), text(y)))?;
        Ok(Geometry { planes: b * c, height, width, rows, columns, size, stride, pad })
    }

    fn grain(&self) -> usize {
        (CHUNK / (self.height * self.width).max(1)).max(1)
    }

    /// The part of a window that is inside the image: from and to, along one axis.
    #[inline(always)]
    fn window(&self, at: usize, n: usize) -> (usize, usize) {
        let first = at * self.stride;
        (first.saturating_sub(self.pad).min(n), (first + self.size).saturating_sub(self.pad).min(n))
    }
}

/// A real number that can be pooled.
trait Pooled: Copy + PartialOrd + AddAssign + Div<Output = Self> + Send + Sync + 'static {
    const ZERO: Self;
    const LEAST: Self;
    fn count(n: usize) -> Self;
}

macro_rules! pooled {
    ($($t:ident),*) => { $(
        impl Pooled for $t {
            const ZERO: $t = 0.0;
            const LEAST: $t = $t::NEG_INFINITY;
            fn count(n: usize) -> $t { n as $t }
        }
    )* };
}
pooled!(f32, f64);

/// Computes one plane from one or two others.
type Plane<T> = fn(super::isa::Path, Geometry, &[T], &[T], &mut [T]);

/// Runs a function for each plane; inputs and output have the given elements in a plane.
fn planes<T: Pooled>(g: Geometry, inputs: &[usize], output: usize, f: Plane<T>) -> Result<Task, String> {
    let (first, second) = (inputs[0], inputs.get(1).copied());
    Ok(Box::new(move |run| {
        run.pieces(g.planes, g.grain(), |from, to| {
            for p in from..to {
                // SAFETY: the operands have that many planes of these sizes, and planes of the output are apart.
                unsafe {
                    let a = std::slice::from_raw_parts(run.input::<T>(0).add(p * first), first);
                    let b = match second {
                        Some(n) => std::slice::from_raw_parts(run.input::<T>(1).add(p * n), n),
                        None => &[],
                    };
                    f(run.path, g, a, b, std::slice::from_raw_parts_mut(run.output::<T>(0).add(p * output), output));
                }
            }
        });
        Ok(())
    }))
}

pub(crate) fn prepare_max(call: &Call<'_>) -> Result<Task, String> {
    fn make<T: Pooled>(g: Geometry) -> Result<Task, String> {
        // SAFETY: the slices are planes.
        planes::<T>(g, &[g.height * g.width], g.rows * g.columns, |path, g, x, _, y| unsafe { max(path, g, x, y) })
    }
    let ([x], [y]) = call.operands()?;
    by_dtype!(y.dtype, float, make(Geometry::new(call, x, y)?))
}

pub(crate) fn prepare_max_gradient(call: &Call<'_>) -> Result<Task, String> {
    fn make<T: Pooled>(g: Geometry) -> Result<Task, String> {
        let (image, windows) = (g.height * g.width, g.rows * g.columns);
        planes::<T>(g, &[image, windows], image, |path, g, x, dy, dx| {
            if (g.size, g.stride, g.pad) == (2, 2, 0) {
                // SAFETY: the slices are planes.
                unsafe { max_gradient_of_pairs(path, g, x, dy, dx) }
            } else {
                max_gradient(g, x, dy, dx);
            }
        })
    }
    let ([x, dy], [dx]) = call.operands()?;
    require(x.shape == dx.shape && x.dtype == dx.dtype && x.is_contiguous(), || text(x))?;
    by_dtype!(dx.dtype, float, make(Geometry::new(call, dx, dy)?))
}

pub(crate) fn prepare_avg(call: &Call<'_>) -> Result<Task, String> {
    fn make<T: Pooled>(g: Geometry) -> Result<Task, String> {
        planes::<T>(g, &[g.height * g.width], g.rows * g.columns, |_, g, x, _, y| avg(g, x, y))
    }
    let ([x], [y]) = call.operands()?;
    by_dtype!(y.dtype, float, make(Geometry::new(call, x, y)?))
}

pub(crate) fn prepare_avg_gradient(call: &Call<'_>) -> Result<Task, String> {
    fn make<T: Pooled>(g: Geometry) -> Result<Task, String> {
        planes::<T>(g, &[g.rows * g.columns], g.height * g.width, |_, g, dy, _, dx| avg_gradient(g, dy, dx))
    }
    let ([dy], [dx]) = call.operands()?;
    by_dtype!(dx.dtype, float, make(Geometry::new(call, dx, dy)?))
}

/// The larger of two, a NaN if there is one.
#[inline(always)]
#[allow(clippy::eq_op)]
fn larger<T: Pooled>(best: T, x: T) -> T {
    if (x > best) | (x != x) { x } else { best }
}

versions! {
    unsafe fn max[T: Pooled](g: Geometry, x: &[T], y: &mut [T]) {
        for (i, line) in y.chunks_exact_mut(g.columns).enumerate() {
            let (top, bottom) = g.window(i, g.height);
            if (g.size, g.stride, g.pad) == (2, 2, 0) {
                let (upper, lower) = (&x[top * g.width..][..g.width], &x[(top + 1) * g.width..][..g.width]);
                let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
                for (y, (u, l)) in line.iter_mut().zip(pairs) {
                    *y = larger(larger(larger(u[0], u[1]), l[0]), l[1]);
                }
                continue;
            }
            for (j, y) in line.iter_mut().enumerate() {
                let (left, right) = g.window(j, g.width);
                *y = T::LEAST;
                for r in top..bottom {
                    for &x in &x[r * g.width + left..r * g.width + right] {
                        *y = larger(*y, x);
                    }
                }
            }
        }
    }
}

/// Each gradient goes to the first largest element of its window; a NaN counts as the largest.
fn max_gradient<T: Pooled>(g: Geometry, x: &[T], dy: &[T], dx: &mut [T]) {
    dx.fill(T::ZERO);
    for (i, line) in dy.chunks_exact(g.columns).enumerate() {
        let (top, bottom) = g.window(i, g.height);
        for (j, &dy) in line.iter().enumerate() {
            let (left, right) = g.window(j, g.width);
            let mut best = None;
            for r in top..bottom {
                for at in r * g.width + left..r * g.width + right {
                    if best.is_none_or(|b: usize| beats(x[at], x[b])) {
                        best = Some(at);
                    }
                }
            }
            if let Some(at) = best {
                dx[at] += dy;
            }
        }
    }
}

/// True where `x` is the largest so far: larger, or the first NaN.
#[inline(always)]
#[allow(clippy::eq_op)]
fn beats<T: Pooled>(x: T, best: T) -> bool {
    (x > best) | ((x != x) & (best == best))
}

versions! {
    /// `max_gradient` for windows of 2 by 2 side by side, without branches.
    unsafe fn max_gradient_of_pairs[T: Pooled](g: Geometry, x: &[T], dy: &[T], dx: &mut [T]) {
        for (i, line) in dy.chunks_exact(g.columns).enumerate() {
            let rows = 2 * i * g.width..2 * (i + 1) * g.width;
            let (upper, lower) = x[rows.clone()].split_at(g.width);
            let (to_upper, to_lower) = dx[rows].split_at_mut(g.width);
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            let to_pairs = to_upper.chunks_exact_mut(2).zip(to_lower.chunks_exact_mut(2));
            for ((&dy, (u, l)), (to_u, to_l)) in line.iter().zip(pairs).zip(to_pairs) {
                // The first largest of each row, then of the two: the same as in order.
                let (right_u, right_l) = (beats(u[1], u[0]), beats(l[1], l[0]));
                let (best_u, best_l) = (if right_u { u[1] } else { u[0] }, if right_l { l[1] } else { l[0] });
                let down = beats(best_l, best_u);
                let part = |here: bool| if here { dy } else { T::ZERO };
                (to_u[0], to_u[1]) = (part(!down & !right_u), part(!down & right_u));
                (to_l[0], to_l[1]) = (part(down & !right_l), part(down & right_l));
            }
            to_upper[2 * g.columns..].fill(T::ZERO);
            to_lower[2 * g.columns..].fill(T::ZERO);
        }
        dx[2 * g.rows * g.width..].fill(T::ZERO);
    }
}

fn avg<T: Pooled>(g: Geometry, x: &[T], y: &mut [T]) {
    for (i, line) in y.chunks_exact_mut(g.columns).enumerate() {
        let (top, bottom) = g.window(i, g.height);
        for (j, y) in line.iter_mut().enumerate() {
            let (left, right) = g.window(j, g.width);
            let mut sum = T::ZERO;
            for r in top..bottom {
                x[r * g.width + left..r * g.width + right].iter().for_each(|&x| sum += x);
            }
            *y = sum / T::count(g.size * g.size);
        }
    }
}

fn avg_gradient<T: Pooled>(g: Geometry, dy: &[T], dx: &mut [T]) {
    dx.fill(T::ZERO);
    for (i, line) in dy.chunks_exact(g.columns).enumerate() {
        let (top, bottom) = g.window(i, g.height);
        for (j, &dy) in line.iter().enumerate() {
            let (left, right) = g.window(j, g.width);
            let share = dy / T::count(g.size * g.size);
            for r in top..bottom {
                dx[r * g.width + left..r * g.width + right].iter_mut().for_each(|x| *x += share);
            }
        }
    }
}
