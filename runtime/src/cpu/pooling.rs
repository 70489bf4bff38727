//! Pooling over windows of one to three axes, and its gradients; planes are given out to threads.

#[cfg(target_arch = "x86_64")]
mod lines;

use super::isa::{Path, versions};
use super::kernels::{Call, Task, by_dtype, require};
use super::movement::text;
use super::windows::{Windows, sizes};
use std::ops::{AddAssign, Div};
use tfm_lowering::plan::View;

/// Elements of a chunk.
const CHUNK: usize = 1 << 12;

/// Sizes of a pooling: planes of an image's size in, planes of a number of windows out.
#[derive(Clone, Copy)]
struct Geometry {
    planes: usize,
    windows: Windows,
    /// True for windows of 2 by 2 side by side.
    pairs: bool,
}

impl Geometry {
    fn new(call: &Call<'_>, x: &View, y: &View) -> Result<Geometry, String> {
        let ([b, c, size @ ..], [b2, c2, out @ ..]) = (x.shape.as_slice(), y.shape.as_slice()) else {
            return Err(format!("{} and {} should have 3 axes or more", text(x), text(y)));
        };
        let kernel = sizes(call, "size", size.len(), 0)?;
        let fits = (b, c) == (b2, c2) && x.dtype == y.dtype && x.is_contiguous() && y.is_contiguous();
        require(fits, || format!("{} to {}", text(x), text(y)))?;
        let windows = Windows::new(call, size, &kernel, out).map_err(|e| format!("{} to {}: {e}", text(x), text(y)))?;
        let pairs = (windows.kernel, windows.stride, windows.pad) == ([1, 2, 2], [1, 2, 2], [0; 3]);
        Ok(Geometry { planes: b * c, windows, pairs })
    }

    fn grain(&self) -> usize {
        (CHUNK / self.windows.area().max(1)).max(1)
    }

    /// Calls `f(window, from, to)` for each row of the image in each window, in order.
    #[inline(always)]
    fn rows(&self, mut f: impl FnMut(usize, usize, usize)) {
        let w = &self.windows;
        for row in 0..w.rows() {
            let (front, back) = w.span(0, row / w.out[1]);
            let (top, bottom) = w.span(1, row % w.out[1]);
            for column in 0..w.out[2] {
                let (left, right) = w.span(2, column);
                for (plane, line) in (front..back).flat_map(|p| (top..bottom).map(move |l| (p, l))) {
                    let start = (plane * w.size[1] + line) * w.size[2];
                    f(row * w.out[2] + column, start + left, start + right);
                }
            }
        }
    }
}

/// A real number that can be pooled.
trait Pooled: Copy + PartialOrd + AddAssign + Div<Output = Self> + Send + Sync + 'static {
    const ZERO: Self;
    const LEAST: Self;
    fn count(n: usize) -> Self;

    /// The largest of each window of 2 by 2 of a plane with so many columns; false where there are no vectors for it.
    #[inline(always)]
    fn max_plane(_: Path, _x: (&[Self], usize), _y: (&mut [Self], usize)) -> bool {
        false
    }

    /// What the windows of a plane send back to it, but for what lies in none; false where there are no vectors for it.
    #[inline(always)]
    fn gradient_plane(_: Path, _x: (&[Self], usize), _dy: (&[Self], usize), _dx: &mut [Self]) -> bool {
        false
    }
}

impl Pooled for f64 {
    const ZERO: f64 = 0.0;
    const LEAST: f64 = f64::NEG_INFINITY;
    fn count(n: usize) -> f64 {
        n as f64
    }
}

impl Pooled for f32 {
    const ZERO: f32 = 0.0;
    const LEAST: f32 = f32::NEG_INFINITY;
    fn count(n: usize) -> f32 {
        n as f32
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn max_plane(path: Path, (x, width): (&[f32], usize), (y, columns): (&mut [f32], usize)) -> bool {
        let rows = y.len() / columns;
        let fits = width >= 2 * columns && x.len() >= 2 * rows * width;
        let (x, y) = ((x.as_ptr(), width), (y.as_mut_ptr(), columns));
        // SAFETY: a path is chosen where the processor has it, and the planes are large enough.
        unsafe {
            match path {
                Path::Avx512 if fits => lines::max_wide(rows, x, y),
                Path::Avx2 if fits => lines::max_narrow(rows, x, y),
                _ => return false,
            }
        }
        true
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn gradient_plane(path: Path, (x, width): (&[f32], usize), (dy, columns): (&[f32], usize), dx: &mut [f32]) -> bool {
        let rows = dy.len() / columns;
        let fits = width >= 2 * columns && x.len().min(dx.len()) >= 2 * rows * width;
        let (x, dy) = ((x.as_ptr(), width), (dy.as_ptr(), columns));
        // SAFETY: a path is chosen where the processor has it, and the planes are large enough.
        unsafe {
            match path {
                Path::Avx512 if fits => lines::gradient_wide(rows, x, dy, dx.as_mut_ptr()),
                Path::Avx2 if fits => lines::gradient_narrow(rows, x, dy, dx.as_mut_ptr()),
                _ => return false,
            }
        }
        true
    }
}

/// Computes one plane from one or two others.
type Plane<T> = fn(Path, Geometry, &[T], &[T], &mut [T]);

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
        planes::<T>(g, &[g.windows.area()], g.windows.places(), |path, g, x, _, y| {
            if g.pairs {
                // SAFETY: the slices are planes.
                unsafe { max_of_pairs(path, path, g, x, y) }
            } else {
                max(g, x, y);
            }
        })
    }
    let ([x], [y]) = call.operands()?;
    by_dtype!(y.dtype, float, make(Geometry::new(call, x, y)?))
}

pub(crate) fn prepare_max_gradient(call: &Call<'_>) -> Result<Task, String> {
    fn make<T: Pooled>(g: Geometry) -> Result<Task, String> {
        let (image, windows) = (g.windows.area(), g.windows.places());
        planes::<T>(g, &[image, windows], image, |path, g, x, dy, dx| {
            if g.pairs {
                // SAFETY: the slices are planes.
                unsafe { max_gradient_of_pairs(path, path, g, x, dy, dx) }
            } else {
                dx.fill(T::ZERO);
                largest(&g, x, |window, at| dx[at] += dy[window]);
            }
        })
    }
    let ([x, dy], [dx]) = call.operands()?;
    require(x.shape == dx.shape && x.dtype == dx.dtype && x.is_contiguous(), || text(x))?;
    by_dtype!(dx.dtype, float, make(Geometry::new(call, dx, dy)?))
}

pub(crate) fn prepare_max_pick(call: &Call<'_>) -> Result<Task, String> {
    fn make<T: Pooled>(g: Geometry) -> Result<Task, String> {
        let (image, windows) = (g.windows.area(), g.windows.places());
        planes::<T>(g, &[image, image], windows, |_, g, x, values, y| {
            largest(&g, x, |window, at| y[window] = values[at]);
        })
    }
    let ([x, values], [y]) = call.operands()?;
    require(x.shape == values.shape && x.dtype == values.dtype && x.is_contiguous(), || text(x))?;
    by_dtype!(y.dtype, float, make(Geometry::new(call, values, y)?))
}

pub(crate) fn prepare_avg(call: &Call<'_>) -> Result<Task, String> {
    fn make<T: Pooled>(g: Geometry) -> Result<Task, String> {
        planes::<T>(g, &[g.windows.area()], g.windows.places(), |_, g, x, _, y| {
            y.fill(T::ZERO);
            g.rows(|window, from, to| x[from..to].iter().for_each(|&x| y[window] += x));
            y.iter_mut().for_each(|y| *y = *y / T::count(g.windows.taps()));
        })
    }
    let ([x], [y]) = call.operands()?;
    by_dtype!(y.dtype, float, make(Geometry::new(call, x, y)?))
}

pub(crate) fn prepare_avg_gradient(call: &Call<'_>) -> Result<Task, String> {
    fn make<T: Pooled>(g: Geometry) -> Result<Task, String> {
        planes::<T>(g, &[g.windows.places()], g.windows.area(), |_, g, dy, _, dx| {
            dx.fill(T::ZERO);
            let share = |dy: T| dy / T::count(g.windows.taps());
            g.rows(|window, from, to| dx[from..to].iter_mut().for_each(|x| *x += share(dy[window])));
        })
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

/// True where `x` is the largest so far: larger, or the first NaN.
#[inline(always)]
#[allow(clippy::eq_op)]
fn beats<T: Pooled>(x: T, best: T) -> bool {
    (x > best) | ((x != x) & (best == best))
}

fn max<T: Pooled>(g: Geometry, x: &[T], y: &mut [T]) {
    y.fill(T::LEAST);
    g.rows(|window, from, to| y[window] = x[from..to].iter().fold(y[window], |best, &x| larger(best, x)));
}

/// Calls `f(window, place)` with the first largest element of each window; a NaN counts as the largest.
fn largest<T: Pooled>(g: &Geometry, x: &[T], mut f: impl FnMut(usize, usize)) {
    let mut best: Option<(usize, usize)> = None;
    g.rows(|window, from, to| {
        if let Some((before, at)) = best.filter(|(before, _)| *before != window) {
            f(before, at);
            best = None;
        }
        for place in from..to {
            if best.is_none_or(|(_, b)| beats(x[place], x[b])) {
                best = Some((window, place));
            }
        }
    });
    if let Some((window, at)) = best {
        f(window, at);
    }
}

versions! {
    /// `max` for windows of 2 by 2 side by side.
    unsafe fn max_of_pairs[T: Pooled](best: Path, g: Geometry, x: &[T], y: &mut [T]) {
        let w = &g.windows;
        let (width, columns) = (w.size[2], w.out[2]);
        let planes = x.chunks_exact(w.size[1] * width).zip(y.chunks_exact_mut(w.out[1] * columns));
        for (x, y) in planes {
            if T::max_plane(best, (x, width), (&mut *y, columns)) {
                continue;
            }
            for (rows, line) in x.chunks_exact(2 * width).zip(y.chunks_exact_mut(columns)) {
                let (upper, lower) = rows.split_at(width);
                let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
                for (y, (u, l)) in line.iter_mut().zip(pairs) {
                    *y = larger(larger(larger(u[0], u[1]), l[0]), l[1]);
                }
            }
        }
    }
}

versions! {
    /// The gradient of `max` for windows of 2 by 2 side by side, without branches.
    unsafe fn max_gradient_of_pairs[T: Pooled](best: Path, g: Geometry, x: &[T], dy: &[T], dx: &mut [T]) {
        let w = &g.windows;
        let (width, columns) = (w.size[2], w.out[2]);
        let (plane, windows) = (w.size[1] * width, w.out[1] * columns);
        let planes = x.chunks_exact(plane).zip(dx.chunks_exact_mut(plane)).zip(dy.chunks_exact(windows));
        for ((x, dx), dy) in planes {
            let done = T::gradient_plane(best, (x, width), (dy, columns), dx);
            for (i, line) in dy.chunks_exact(columns).enumerate() {
                let rows = 2 * i * width..2 * (i + 1) * width;
                let (upper, lower) = x[rows.clone()].split_at(width);
                let (to_upper, to_lower) = dx[rows].split_at_mut(width);
                if !done {
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
                }
                to_upper[2 * columns..].fill(T::ZERO);
                to_lower[2 * columns..].fill(T::ZERO);
            }
            dx[2 * w.out[1] * width..].fill(T::ZERO);
        }
    }
}
