//! Convolution where each channel has filters of its own: rows of the image times an element of the kernel, added to
//! rows of the result. Nothing is unrolled.
//!
//! Planes are given out to threads, a filter's for the gradient in the kernel; each sum is in one order.

use super::conv::{CHUNK, Geometry};
use super::gemv::Vector;
use super::isa::versions;
use super::kernels::Task;
use super::windows::Windows;
use std::ops::{AddAssign, Mul};

/// Sums that a product of two rows is split in, whatever the instructions.
const LANES: usize = 16;

/// A real number that is convolved.
pub(crate) trait Real: Vector + AddAssign + Mul<Output = Self> {}
impl<T: Vector + AddAssign + Mul<Output = T>> Real for T {}

impl Geometry {
    /// Filters of each channel.
    fn kinds_of_channel(&self) -> usize {
        self.filters / self.channels
    }

    /// Planes in a chunk.
    fn planes(&self) -> usize {
        (CHUNK / (self.windows.taps() * self.windows.places()).max(1)).max(1)
    }
}

/// Calls `f(image's offset, result's offset, elements)` for each row that an element of the window meets.
#[inline(always)]
fn rows(w: &Windows, tap: usize, mut f: impl FnMut(usize, usize, usize)) {
    let (first, last, column) = w.inside(tap);
    if first == last {
        return;
    }
    w.lines(tap, |row, start| {
        if let Some(start) = start {
            f(start + column, row * w.out[2] + first, last - first);
        }
    });
}

pub(crate) fn forward_depthwise<T: Real>(g: Geometry) -> Result<Task, String> {
    let (area, taps, places) = (g.windows.area(), g.windows.taps(), g.windows.places());
    Ok(Box::new(move |run| {
        run.pieces(g.images * g.filters, g.planes(), |from, to| {
            for plane in from..to {
                let (image, filter) = (plane / g.filters, plane % g.filters);
                let channel = image * g.channels + filter / g.kinds_of_channel();
                // SAFETY: the operands have the sizes of the geometry; each plane of the result is written by itself.
                unsafe {
                    let x = std::slice::from_raw_parts(run.input::<T>(0).add(channel * area), area);
                    let w = std::slice::from_raw_parts(run.input::<T>(1).add(filter * taps), taps);
                    let y = std::slice::from_raw_parts_mut(run.output::<T>(0).add(plane * places), places);
                    spread(run.path, &g.windows, x, w, y);
                }
            }
        });
        Ok(())
    }))
}

pub(crate) fn input_gradient_depthwise<T: Real>(g: Geometry) -> Result<Task, String> {
    let (area, taps, places, kinds) = (g.windows.area(), g.windows.taps(), g.windows.places(), g.kinds_of_channel());
    Ok(Box::new(move |run| {
        run.pieces(g.images * g.channels, g.planes(), |from, to| {
            for plane in from..to {
                let channel = plane % g.channels;
                // SAFETY: as in `forward`.
                unsafe {
                    let dy = std::slice::from_raw_parts(run.input::<T>(0).add(plane * kinds * places), kinds * places);
                    let w = std::slice::from_raw_parts(run.input::<T>(1).add(channel * kinds * taps), kinds * taps);
                    let dx = std::slice::from_raw_parts_mut(run.output::<T>(0).add(plane * area), area);
                    collect(run.path, &g.windows, dy, w, dx);
                }
            }
        });
        Ok(())
    }))
}

pub(crate) fn kernel_gradient_depthwise<T: Real>(g: Geometry) -> Result<Task, String> {
    let (area, taps, places) = (g.windows.area(), g.windows.taps(), g.windows.places());
    Ok(Box::new(move |run| {
        run.parallel(g.filters, |filter, _| {
            // SAFETY: as in `forward`; each filter is written by itself.
            let dw = unsafe { std::slice::from_raw_parts_mut(run.output::<T>(0).add(filter * taps), taps) };
            dw.fill(T::ZERO);
            for image in 0..g.images {
                let channel = image * g.channels + filter / g.kinds_of_channel();
                // SAFETY: as in `forward`.
                unsafe {
                    let x = std::slice::from_raw_parts(run.input::<T>(0).add(channel * area), area);
                    let dy = run.input::<T>(1).add((image * g.filters + filter) * places);
                    products(run.path, &g.windows, x, std::slice::from_raw_parts(dy, places), dw);
                }
            }
        });
        Ok(())
    }))
}

versions! {
    /// `y` is the windows of `x` times `w`.
    unsafe fn spread[T: Real](windows: &Windows, x: &[T], w: &[T], y: &mut [T]) {
        y.fill(T::ZERO);
        let stride = windows.stride[2];
        for (tap, &w) in w.iter().enumerate() {
            rows(windows, tap, |from, to, n| {
                let (x, y) = (&x[from..], &mut y[to..to + n]);
                if stride == 1 {
                    y.iter_mut().zip(x).for_each(|(y, &x)| *y += w * x);
                } else {
                    y.iter_mut().zip(x.iter().step_by(stride)).for_each(|(y, &x)| *y += w * x);
                }
            });
        }
    }
}

versions! {
    /// `dx` is `dy` of each of the channel's filters, brought back through its `w`.
    unsafe fn collect[T: Real](windows: &Windows, dy: &[T], w: &[T], dx: &mut [T]) {
        dx.fill(T::ZERO);
        let (stride, taps, places) = (windows.stride[2], windows.taps(), windows.places());
        for (dy, w) in dy.chunks_exact(places).zip(w.chunks_exact(taps)) {
            for (tap, &w) in w.iter().enumerate() {
                rows(windows, tap, |to, from, n| {
                    let (dy, dx) = (&dy[from..from + n], &mut dx[to..]);
                    if stride == 1 {
                        dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx += w * dy);
                    } else {
                        dx.iter_mut().step_by(stride).zip(dy).for_each(|(dx, &dy)| *dx += w * dy);
                    }
                });
            }
        }
    }
}

versions! {
    /// Adds to `dw` the sums of `dy` times the element of `x` that each met.
    unsafe fn products[T: Real](windows: &Windows, x: &[T], dy: &[T], dw: &mut [T]) {
        let stride = windows.stride[2];
        for (tap, dw) in dw.iter_mut().enumerate() {
            let mut sums = [T::ZERO; LANES];
            rows(windows, tap, |from, to, n| {
                let (x, dy) = (&x[from..], &dy[to..to + n]);
                if stride == 1 {
                    let (blocks, rest) = dy.as_chunks::<LANES>();
                    let (ahead, behind) = x[..n].as_chunks::<LANES>();
                    for (dy, x) in blocks.iter().zip(ahead) {
                        sums.iter_mut().zip(dy.iter().zip(x)).for_each(|(sum, (&dy, &x))| *sum += dy * x);
                    }
                    sums.iter_mut().zip(rest.iter().zip(behind)).for_each(|(sum, (&dy, &x))| *sum += dy * x);
                } else {
                    let met = dy.iter().zip(x.iter().step_by(stride));
                    met.enumerate().for_each(|(i, (&dy, &x))| sums[i % LANES] += dy * x);
                }
            });
            sums.iter().for_each(|&sum| *dw += sum);
        }
    }
}
