//! Convolution and its two gradients: each image unrolled into a matrix of its windows, then a matrix product.
//!
//! Images are given out to threads. The gradient in the kernel adds over images: fixed groups of them each into a sum
//! of their own, and these in order.

use super::kernels::{Call, Run, Task, by_dtype, require};
use super::matmul::{Gemm, Matrix, Size};
use super::movement::text;
use std::ops::AddAssign;
use tfm_lowering::plan::View;

/// Multiplications that make a chunk.
const CHUNK: usize = 1 << 21;
/// Groups of images that the kernel's gradient is summed in, at most.
const GROUPS: usize = 16;
/// Bytes that the groups' sums may take.
const GROUP_BYTES: usize = 1 << 26;

/// Sizes of a convolution.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Geometry {
    images: usize,
    channels: usize,
    height: usize,
    width: usize,
    filters: usize,
    /// Of the kernel.
    tall: usize,
    wide: usize,
    /// Of the result.
    rows: usize,
    columns: usize,
    stride: usize,
    pad: usize,
}

impl Geometry {
    /// From the image, the kernel and the result of the convolution, whichever of them is asked for.
    fn new(call: &Call<'_>, x: &View, w: &View, y: &View) -> Result<Geometry, String> {
        let (&[images, channels, height, width], &[filters, c, tall, wide], &[b, o, rows, columns]) =
            (x.shape.as_slice(), w.shape.as_slice(), y.shape.as_slice())
        else {
            return Err(format!("{}, {}, {} should each have 4 axes", text(x), text(w), text(y)));
        };
        let (stride, pad) = (call.size_or("stride", 1)?, call.size_or("pad", 0)?);
        let count = |size: usize, kernel: usize| Some((size + 2 * pad).checked_sub(kernel)? / stride + 1);
        let fits = stride > 0
            && (b, c, o) == (images, channels, filters)
            && (count(height, tall), count(width, wide)) == (Some(rows), Some(columns))
            && [x.dtype, w.dtype] == [y.dtype; 2]
            && [x, w, y].iter().all(|v| v.is_contiguous());
        require(fits, || format!("{} with {} is not {}", text(x), text(w), text(y)))?;
        Ok(Geometry { images, channels, height, width, filters, tall, wide, rows, columns, stride, pad })
    }

    fn image(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Elements of a window, over all channels.
    fn window(&self) -> usize {
        self.channels * self.tall * self.wide
    }

    /// Places of the result in one filter.
    fn places(&self) -> usize {
        self.rows * self.columns
    }

    /// True where the image is its own matrix of windows.
    fn direct(&self) -> bool {
        (self.tall, self.wide, self.stride, self.pad) == (1, 1, 1, 0)
    }

    /// Elements of a thread's matrix of windows, in whole cache lines.
    fn unrolled(&self) -> usize {
        if self.direct() { 0 } else { (self.window() * self.places()).next_multiple_of(16) }
    }

    /// Images of a chunk.
    fn grain(&self) -> usize {
        (CHUNK / (self.window() * self.places() * self.filters).max(1)).max(1)
    }

    /// Groups of images, each with a sum of its own.
    fn groups(&self, bytes: usize) -> usize {
        let room = GROUP_BYTES / (self.weights() * bytes).max(1);
        GROUPS.min(room.max(1)).min(self.images)
    }

    fn weights(&self) -> usize {
        (self.filters * self.window()).next_multiple_of(16)
    }

    /// The columns `from..to` of the result whose window begins inside the image, for a column of the kernel.
    fn inside(&self, column: usize) -> (usize, usize) {
        let first = self.pad.saturating_sub(column).div_ceil(self.stride);
        let reach = self.width + self.pad;
        let last = if reach > column { (reach - column - 1) / self.stride + 1 } else { 0 };
        (first.min(self.columns), last.min(self.columns))
    }

    /// For each element of a window and row of the result: where the row of the image begins, if it is one.
    fn source(&self, element: usize, row: usize) -> Option<usize> {
        let (channel, k) = (element / (self.tall * self.wide), element / self.wide % self.tall);
        let i = (row * self.stride + k).checked_sub(self.pad).filter(|&i| i < self.height)?;
        Some((channel * self.height + i) * self.width)
    }
}

fn of(call: &Call<'_>) -> Result<Geometry, String> {
    let ([x, w], [y]) = call.operands()?;
    Geometry::new(call, x, w, y)
}

fn of_input(call: &Call<'_>) -> Result<Geometry, String> {
    let ([y, w], [x]) = call.operands()?;
    Geometry::new(call, x, w, y)
}

fn of_kernel(call: &Call<'_>) -> Result<Geometry, String> {
    let ([x, y], [w]) = call.operands()?;
    Geometry::new(call, x, w, y)
}

fn windows(call: &Call<'_>, g: Result<Geometry, String>) -> usize {
    g.map_or(0, |g| g.unrolled() * call.threads * call.outputs[0].dtype.bytes())
}

pub(crate) fn scratch(call: &Call<'_>) -> usize {
    windows(call, of(call))
}

pub(crate) fn input_scratch(call: &Call<'_>) -> usize {
    windows(call, of_input(call))
}

pub(crate) fn kernel_scratch(call: &Call<'_>) -> usize {
    let sums = of_kernel(call).map_or(0, |g| {
        let bytes = call.outputs[0].dtype.bytes();
        g.groups(bytes) * g.weights() * bytes
    });
    sums + windows(call, of_kernel(call))
}

pub(crate) fn prepare(call: &Call<'_>) -> Result<Task, String> {
    by_dtype!(call.outputs[0].dtype, float, forward(of(call)?))
}

pub(crate) fn prepare_input(call: &Call<'_>) -> Result<Task, String> {
    by_dtype!(call.outputs[0].dtype, float, input_gradient(of_input(call)?))
}

pub(crate) fn prepare_kernel(call: &Call<'_>) -> Result<Task, String> {
    by_dtype!(call.outputs[0].dtype, float, kernel_gradient(of_kernel(call)?))
}

/// The result of an image is kernel `[O, CKL]` times windows `[CKL, PQ]`.
fn forward<T: Gemm + AddAssign>(g: Geometry) -> Result<Task, String> {
    Ok(Box::new(move |run| {
        let size = Size { m: g.filters, k: g.window(), n: g.places() };
        run.parallel(g.images.div_ceil(g.grain()), |chunk, thread| {
            for image in chunk * g.grain()..g.images.min((chunk + 1) * g.grain()) {
                // SAFETY: the operands have the sizes of the geometry; each image has its own result.
                unsafe {
                    let x = run.input::<T>(0).add(image * g.image());
                    let windows = unroll(&g, x, run.scratch::<T>().add(thread * g.unrolled()));
                    let w: Matrix<T> = (run.input(1), g.window() as isize, 1);
                    let y = run.output::<T>(0).add(image * g.filters * g.places());
                    T::gemm(size, w, windows, T::ZERO, y, g.places() as isize);
                }
            }
        });
        Ok(())
    }))
}

/// The windows of an image are kernel transposed `[CKL, O]` times gradient `[O, PQ]`; then they are rolled up.
fn input_gradient<T: Gemm + AddAssign>(g: Geometry) -> Result<Task, String> {
    Ok(Box::new(move |run| {
        let size = Size { m: g.window(), k: g.filters, n: g.places() };
        run.parallel(g.images.div_ceil(g.grain()), |chunk, thread| {
            for image in chunk * g.grain()..g.images.min((chunk + 1) * g.grain()) {
                // SAFETY: as in `forward`.
                unsafe {
                    let dy: Matrix<T> = (run.input::<T>(0).add(image * g.filters * g.places()), g.places() as isize, 1);
                    let w: Matrix<T> = (run.input(1), 1, g.window() as isize);
                    let x = run.output::<T>(0).add(image * g.image());
                    if g.direct() {
                        T::gemm(size, w, dy, T::ZERO, x, g.places() as isize);
                        continue;
                    }
                    let windows = run.scratch::<T>().add(thread * g.unrolled());
                    T::gemm(size, w, dy, T::ZERO, windows, g.places() as isize);
                    roll_up(&g, windows, x);
                }
            }
        });
        Ok(())
    }))
}

/// The kernel's gradient is the sum over images of gradient `[O, PQ]` times windows transposed `[PQ, CKL]`.
fn kernel_gradient<T: Gemm + AddAssign>(g: Geometry) -> Result<Task, String> {
    let groups = g.groups(size_of::<T>());
    let size = Size { m: g.filters, k: g.places(), n: g.window() };
    Ok(Box::new(move |run| {
        run.parallel(groups, |group, thread| {
            // SAFETY: as in `forward`; each group has its own sum and each thread its own windows.
            unsafe {
                let sum = run.scratch::<T>().add(group * g.weights());
                let own = run.scratch::<T>().add(groups * g.weights() + thread * g.unrolled());
                let mut beta = T::ZERO;
                for image in group * g.images / groups..(group + 1) * g.images / groups {
                    let x = run.input::<T>(0).add(image * g.image());
                    let (windows, row, column) = unroll(&g, x, own);
                    let dy = (run.input::<T>(1).add(image * g.filters * g.places()), g.places() as isize, 1);
                    T::gemm(size, dy, (windows, column, row), beta, sum, g.window() as isize);
                    beta = T::ONE;
                }
            }
        });
        add_groups::<T>(run, groups, g.weights(), g.filters * g.window());
        Ok(())
    }))
}

/// Adds the groups' sums in order.
fn add_groups<T: Gemm + AddAssign>(run: &Run<'_>, groups: usize, apart: usize, n: usize) {
    run.pieces(n, 1 << 13, |first, last| {
        for i in first..last {
            // SAFETY: every group wrote its sum of n elements.
            unsafe {
                let mut sum = *run.scratch::<T>().add(i);
                for group in 1..groups {
                    sum += *run.scratch::<T>().add(group * apart + i);
                }
                *run.output::<T>(0).add(i) = sum;
            }
        }
    });
}

/// The matrix of an image's windows, `[CKL, PQ]`, made in `to` unless the image is it.
///
/// # Safety
/// `x` is an image, and `to` has room for the windows.
unsafe fn unroll<T: Gemm>(g: &Geometry, x: *const T, to: *mut T) -> Matrix<T> {
    if g.direct() {
        return (x, g.places() as isize, 1);
    }
    for element in 0..g.window() {
        let column = element % g.wide;
        let (first, last) = g.inside(column);
        for row in 0..g.rows {
            // SAFETY: the caller's promise; `inside` and `source` keep to the image.
            unsafe {
                let to = to.add(element * g.places() + row * g.columns);
                let line = std::slice::from_raw_parts_mut(to, g.columns);
                let Some(start) = g.source(element, row).filter(|_| first < last) else {
                    line.fill(T::ZERO);
                    continue;
                };
                line[..first].fill(T::ZERO);
                line[last..].fill(T::ZERO);
                let from = x.add(start + first * g.stride + column - g.pad);
                if g.stride == 1 {
                    std::ptr::copy_nonoverlapping(from, to.add(first), last - first);
                } else {
                    (first..last).for_each(|j| *to.add(j) = *from.add((j - first) * g.stride));
                }
            }
        }
    }
    (to, g.places() as isize, 1)
}

/// Adds the elements of windows to the places of the image they came from.
///
/// # Safety
/// `windows` is a matrix as `unroll` makes it, and `x` has room for an image.
unsafe fn roll_up<T: Gemm + AddAssign>(g: &Geometry, windows: *const T, x: *mut T) {
    // SAFETY: the caller's promise; `inside` and `source` keep to the image.
    unsafe {
        std::slice::from_raw_parts_mut(x, g.image()).fill(T::ZERO);
        for element in 0..g.window() {
            let column = element % g.wide;
            let (first, last) = g.inside(column);
            for row in 0..g.rows {
                let Some(start) = g.source(element, row).filter(|_| first < last) else { continue };
                let from = windows.add(element * g.places() + row * g.columns + first);
                let to = x.add(start + first * g.stride + column - g.pad);
                let n = last - first;
                if g.stride == 1 {
                    let (from, to) = (std::slice::from_raw_parts(from, n), std::slice::from_raw_parts_mut(to, n));
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
                } else {
                    (0..n).for_each(|j| *to.add(j * g.stride) += *from.add(j));
                }
            }
        }
    }
}
