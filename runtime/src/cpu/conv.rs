//! Convolution over one to three axes and its two gradients. Groups of one channel are [`super::depthwise`]; f32 where
//! the processor has AVX2 or AVX-512 is [`super::winograd`] for windows of 3 x 3 over many images, or over few with weights
//! that last from run to run, and else [`super::direct`]. Otherwise each group of channels of each image is unrolled into a
//! matrix of its windows, then a matrix product.
//!
//! Of weights that last, few images keep what the kernel makes of them: packing takes longer than a small image.
//!
//! Images are given out to threads. The gradient in the kernel adds over images: fixed parts of them each into a sum
//! of their own, and these in order.

use super::depthwise::{Real, forward_depthwise, input_gradient_depthwise, kernel_gradient_depthwise};
#[cfg(target_arch = "x86_64")]
use super::direct;
use super::dots::add_products;
#[cfg(target_arch = "x86_64")]
use super::gemm::Tiles;
use super::keep::Keeps;
use super::kernels::{Call, Run, Task, by_dtype, require};
use super::matmul::{Gemm, Matrix, Size};
use super::movement::text;
use super::windows::Windows;
#[cfg(target_arch = "x86_64")]
use super::winograd;
use std::ops::AddAssign;
#[cfg(target_arch = "x86_64")]
use tfm_lang::types::DType;
use tfm_lowering::plan::View;

/// Multiplications that make a chunk.
pub(crate) const CHUNK: usize = 1 << 21;
/// Parts of the batch that the kernel's gradient is summed in, at most.
const PARTS: usize = 16;
/// The weights among the inputs of the convolution.
const WEIGHTS: usize = 1;
/// Bytes that the parts' sums may take.
const PART_BYTES: usize = 1 << 26;

/// Sizes of a convolution.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Geometry {
    pub images: usize,
    /// Channels of the image and of the result, over all groups.
    pub channels: usize,
    pub filters: usize,
    pub groups: usize,
    pub windows: Windows,
}

impl Geometry {
    /// From the image, the kernel and the result of the convolution, whichever of them is asked for.
    fn new(call: &Call<'_>, x: &View, w: &View, y: &View) -> Result<Geometry, String> {
        let ([images, channels, size @ ..], [filters, own, kernel @ ..], [b, o, out @ ..]) =
            (x.shape.as_slice(), w.shape.as_slice(), y.shape.as_slice())
        else {
            return Err(format!("{}, {}, {} should each have 3 axes or more", text(x), text(w), text(y)));
        };
        let groups = call.size_or("groups", 1)?;
        let fits = groups > 0
            && (b, o) == (images, filters)
            && (filters % groups, own * groups) == (0, *channels)
            && [x.dtype, w.dtype] == [y.dtype; 2]
            && [x, w, y].iter().all(|v| v.is_contiguous());
        require(fits, || format!("{} with {} is not {}", text(x), text(w), text(y)))?;
        let windows = Windows::new(call, size, kernel, out)
            .map_err(|e| format!("{} with {} is not {}: {e}", text(x), text(w), text(y)))?;
        Ok(Geometry { images: *images, channels: *channels, filters: *filters, groups, windows })
    }

    /// True where each channel has filters of its own and no matrix would have more than a few columns.
    pub fn depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.channels
    }

    /// Channels of the image in a group.
    pub fn own(&self) -> usize {
        self.channels / self.groups
    }

    /// Filters of a group.
    pub fn kinds(&self) -> usize {
        self.filters / self.groups
    }

    /// Elements of a window, over the channels of a group.
    pub fn window(&self) -> usize {
        self.own() * self.windows.taps()
    }

    /// True where the kernel's gradient is made from products of rows: few of them, and long.
    fn by_rows(&self) -> bool {
        self.kinds() <= 64 && self.windows.places() >= 128
    }

    /// Elements of the kernels of a group.
    fn weights(&self) -> usize {
        self.kinds() * self.window()
    }

    /// Elements from a row of the matrix of windows to the next. Between rows of a power of two, which all lie in the
    /// same places of the cache, there is a gap: columns are read when the matrix is packed.
    fn row(&self) -> usize {
        let places = self.windows.places();
        if self.windows.is_identity() { places } else { places.next_multiple_of(16) + 16 }
    }

    /// Elements of a thread's matrix of windows, in whole cache lines.
    fn unrolled(&self) -> usize {
        let none = self.windows.is_identity() || self.depthwise();
        if none { 0 } else { self.window() * self.row() }
    }

    /// Images of a chunk.
    fn grain(&self) -> usize {
        (CHUNK / (self.window() * self.windows.places() * self.filters).max(1)).max(1)
    }

    /// Parts of the batch, each with a sum of its own of so many bytes.
    pub fn parts(&self, bytes: usize) -> usize {
        PARTS.min((PART_BYTES / bytes.max(1)).max(1)).min(self.images)
    }

    /// Elements of a part's sum.
    fn sums(&self) -> usize {
        (self.groups * self.weights()).next_multiple_of(16)
    }

    /// Where a group of an image begins, and the same in the result.
    pub fn group(&self, image: usize, group: usize) -> (usize, usize) {
        let n = image * self.groups + group;
        (n * self.own() * self.windows.area(), n * self.kinds() * self.windows.places())
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

/// Bytes of scratch, bytes to keep, and the task.
type Made = (usize, usize, Task);

/// One of the three: what makes its task without a matrix of windows, with fewer multiplications where that can be done and
/// pays; for so many threads, and for weights that last or not.
#[cfg(target_arch = "x86_64")]
type Direct = fn(&Geometry, Tiles, usize, bool) -> direct::Made;

#[cfg(target_arch = "x86_64")]
const FORWARD: Direct = |g, tiles, threads, lasts| {
    let few = || if lasts { winograd::few(g, tiles, threads) } else { None };
    winograd::forward(g, tiles, threads, lasts)
        .or_else(few)
        .unwrap_or_else(|| direct::forward(g, tiles, threads, lasts))
};
#[cfg(target_arch = "x86_64")]
const BY_INPUT: Direct =
    |g, tiles, threads, _| winograd::by_input(g, tiles, threads).unwrap_or_else(|| direct::by_input(g, tiles, threads));
#[cfg(target_arch = "x86_64")]
const BY_KERNEL: Direct = |g, tiles, threads, _| {
    winograd::by_kernel(g, tiles, threads).unwrap_or_else(|| direct::by_kernel(g, tiles, threads))
};

/// The task, where there need not be a matrix of windows.
#[cfg(target_arch = "x86_64")]
fn made(call: &Call<'_>, g: &Geometry, how: Direct, lasts: bool) -> Option<Made> {
    let tiles = Tiles::of(call.path).filter(|_| call.outputs[0].dtype == DType::F32 && !g.depthwise())?;
    let made = how(g, tiles, call.threads, lasts);
    Some((made.scratch * size_of::<f32>(), made.kept * size_of::<f32>(), made.task))
}

// There are no such tasks on other processors.
#[cfg(not(target_arch = "x86_64"))]
const FORWARD: () = ();
#[cfg(not(target_arch = "x86_64"))]
const BY_INPUT: () = ();
#[cfg(not(target_arch = "x86_64"))]
const BY_KERNEL: () = ();

#[cfg(not(target_arch = "x86_64"))]
fn made(_: &Call<'_>, _: &Geometry, _: (), _: bool) -> Option<Made> {
    None
}

fn unrolled(call: &Call<'_>, g: &Geometry) -> usize {
    g.unrolled() * call.threads * call.outputs[0].dtype.bytes()
}

pub(crate) fn scratch(call: &Call<'_>) -> usize {
    let Ok(g) = of(call) else { return 0 };
    let bytes = |lasts: bool| made(call, &g, FORWARD, lasts).map_or_else(|| unrolled(call, &g), |made| made.0);
    call.may_last(WEIGHTS).iter().map(|&lasts| bytes(lasts)).max().unwrap_or(0)
}

pub(crate) fn keeps(call: &Call<'_>) -> Option<Keeps> {
    let (_, bytes, _) = made(call, &of(call).ok()?, FORWARD, call.lasts(WEIGHTS))?;
    (bytes > 0).then_some(Keeps { input: WEIGHTS, bytes })
}

pub(crate) fn input_scratch(call: &Call<'_>) -> usize {
    let Ok(g) = of_input(call) else { return 0 };
    made(call, &g, BY_INPUT, false).map_or_else(|| unrolled(call, &g), |made| made.0)
}

pub(crate) fn kernel_scratch(call: &Call<'_>) -> usize {
    let Ok(g) = of_kernel(call) else { return 0 };
    let bytes = call.outputs[0].dtype.bytes();
    let sums = if g.depthwise() { 0 } else { g.parts(g.sums() * bytes) * g.sums() * bytes };
    made(call, &g, BY_KERNEL, false).map_or_else(|| sums + unrolled(call, &g), |made| made.0)
}

pub(crate) fn prepare(call: &Call<'_>) -> Result<Task, String> {
    let g = of(call)?;
    if let Some((_, _, task)) = made(call, &g, FORWARD, call.lasts(WEIGHTS)) {
        return Ok(task);
    }
    match g.depthwise() {
        true => by_dtype!(call.outputs[0].dtype, float, forward_depthwise(g)),
        false => by_dtype!(call.outputs[0].dtype, float, forward(g)),
    }
}

pub(crate) fn prepare_input(call: &Call<'_>) -> Result<Task, String> {
    let g = of_input(call)?;
    if let Some((_, _, task)) = made(call, &g, BY_INPUT, false) {
        return Ok(task);
    }
    match g.depthwise() {
        true => by_dtype!(call.outputs[0].dtype, float, input_gradient_depthwise(g)),
        false => by_dtype!(call.outputs[0].dtype, float, input_gradient(g)),
    }
}

pub(crate) fn prepare_kernel(call: &Call<'_>) -> Result<Task, String> {
    let g = of_kernel(call)?;
    if let Some((_, _, task)) = made(call, &g, BY_KERNEL, false) {
        return Ok(task);
    }
    match g.depthwise() {
        true => by_dtype!(call.outputs[0].dtype, float, kernel_gradient_depthwise(g)),
        false => by_dtype!(call.outputs[0].dtype, float, kernel_gradient(g)),
    }
}

/// Calls `f(image, group, thread)` for each group of each image.
fn each_group(run: &Run<'_>, g: &Geometry, f: impl Fn(usize, usize, usize) + Sync) {
    run.parallel(g.images.div_ceil(g.grain()), |chunk, thread| {
        for image in chunk * g.grain()..g.images.min((chunk + 1) * g.grain()) {
            (0..g.groups).for_each(|group| f(image, group, thread));
        }
    });
}

/// The result of a group is kernel `[O, CKL]` times windows `[CKL, PQ]`.
fn forward<T: Gemm + AddAssign>(g: Geometry) -> Result<Task, String> {
    let places = g.windows.places();
    Ok(Box::new(move |run| {
        let size = Size { m: g.kinds(), k: g.window(), n: places };
        each_group(run, &g, |image, group, thread| {
            let (from, to) = g.group(image, group);
            // SAFETY: the operands have the sizes of the geometry; each group of an image has its own result.
            unsafe {
                let own = run.scratch::<T>().add(thread * g.unrolled());
                let windows = unroll(&g, run.input::<T>(0).add(from), own);
                let w: Matrix<T> = (run.input::<T>(1).add(group * g.weights()), g.window() as isize, 1);
                T::gemm(size, w, windows, T::ZERO, run.output::<T>(0).add(to), places as isize);
            }
        });
        Ok(())
    }))
}

/// The windows of a group are kernel transposed `[CKL, O]` times gradient `[O, PQ]`; then they are rolled up.
fn input_gradient<T: Gemm + AddAssign>(g: Geometry) -> Result<Task, String> {
    let places = g.windows.places();
    Ok(Box::new(move |run| {
        let size = Size { m: g.window(), k: g.kinds(), n: places };
        each_group(run, &g, |image, group, thread| {
            let (to, from) = g.group(image, group);
            // SAFETY: as in `forward`.
            unsafe {
                let dy: Matrix<T> = (run.input::<T>(0).add(from), places as isize, 1);
                let w: Matrix<T> = (run.input::<T>(1).add(group * g.weights()), 1, g.window() as isize);
                let x = run.output::<T>(0).add(to);
                if g.windows.is_identity() {
                    T::gemm(size, w, dy, T::ZERO, x, places as isize);
                    return;
                }
                let windows = run.scratch::<T>().add(thread * g.unrolled());
                T::gemm(size, w, dy, T::ZERO, windows, g.row() as isize);
                roll_up(&g, windows, x);
            }
        });
        Ok(())
    }))
}

/// The kernel's gradient is the sum over images of gradient `[O, PQ]` times windows transposed `[PQ, CKL]`.
fn kernel_gradient<T: Gemm + Real>(g: Geometry) -> Result<Task, String> {
    let (parts, places) = (g.parts(g.sums() * size_of::<T>()), g.windows.places());
    let size = Size { m: g.kinds(), k: places, n: g.window() };
    Ok(Box::new(move |run| {
        run.parallel(parts, |part, thread| {
            let images = part * g.images / parts..(part + 1) * g.images / parts;
            let first = images.start;
            for (image, group) in images.flat_map(|i| (0..g.groups).map(move |group| (i, group))) {
                let (x, dy) = g.group(image, group);
                let beta = if image == first { T::ZERO } else { T::ONE };
                // SAFETY: as in `forward`; each part has its own sum and each thread its own windows.
                unsafe {
                    let sum = run.scratch::<T>().add(part * g.sums() + group * g.weights());
                    let own = run.scratch::<T>().add(parts * g.sums() + thread * g.unrolled());
                    let (windows, row, column) = unroll(&g, run.input::<T>(0).add(x), own);
                    if g.by_rows() {
                        if image == first {
                            std::slice::from_raw_parts_mut(sum, g.weights()).fill(T::ZERO);
                        }
                        let dy = (run.input::<T>(1).add(dy), places);
                        add_products(run.path, size, dy, (windows, g.row()), sum);
                        continue;
                    }
                    let dy = (run.input::<T>(1).add(dy), places as isize, 1);
                    T::gemm(size, dy, (windows, column, row), beta, sum, g.window() as isize);
                }
            }
        });
        add_parts::<T>(run, parts, g.sums(), g.groups * g.weights());
        Ok(())
    }))
}

/// Adds the parts' sums in order.
fn add_parts<T: Gemm + AddAssign>(run: &Run<'_>, parts: usize, apart: usize, n: usize) {
    run.pieces(n, 1 << 13, |first, last| {
        for i in first..last {
            // SAFETY: every part wrote its sum of n elements.
            unsafe {
                let mut sum = *run.scratch::<T>().add(i);
                for part in 1..parts {
                    sum += *run.scratch::<T>().add(part * apart + i);
                }
                *run.output::<T>(0).add(i) = sum;
            }
        }
    });
}

/// The matrix of a group's windows, `[CKL, PQ]`, made in `to` unless the image is it.
///
/// # Safety
/// `x` is a group of an image, and `to` has room for the windows.
unsafe fn unroll<T: Gemm>(g: &Geometry, x: *const T, to: *mut T) -> Matrix<T> {
    let w = &g.windows;
    if w.is_identity() {
        return (x, g.row() as isize, 1);
    }
    let (taps, columns, stride) = (w.taps(), w.out[2], w.stride[2]);
    for element in 0..g.window() {
        let (channel, tap) = (element / taps, element % taps);
        let (first, last, column) = w.inside(tap);
        w.lines(tap, |row, start| {
            // SAFETY: the caller's promise; `inside` and `lines` keep to the image.
            unsafe {
                let to = to.add(element * g.row() + row * columns);
                let line = std::slice::from_raw_parts_mut(to, columns);
                let Some(start) = start.filter(|_| first < last) else {
                    line.fill(T::ZERO);
                    return;
                };
                line[..first].fill(T::ZERO);
                line[last..].fill(T::ZERO);
                let from = x.add(channel * w.area() + start + column);
                if stride == 1 {
                    std::ptr::copy_nonoverlapping(from, to.add(first), last - first);
                } else {
                    (first..last).for_each(|j| *to.add(j) = *from.add((j - first) * stride));
                }
            }
        });
    }
    (to, g.row() as isize, 1)
}

/// Adds the elements of windows to the places of the image they came from.
///
/// # Safety
/// `windows` is a matrix as `unroll` makes it, and `x` has room for a group of an image.
unsafe fn roll_up<T: Gemm + AddAssign>(g: &Geometry, windows: *const T, x: *mut T) {
    let w = &g.windows;
    let (taps, stride) = (w.taps(), w.stride[2]);
    // SAFETY: the caller's promise; `inside` and `lines` keep to the image.
    unsafe {
        std::slice::from_raw_parts_mut(x, g.own() * w.area()).fill(T::ZERO);
        for element in 0..g.window() {
            let (channel, tap) = (element / taps, element % taps);
            let (first, last, column) = w.inside(tap);
            let n = last - first;
            w.lines(tap, |row, start| {
                let Some(start) = start.filter(|_| first < last) else { return };
                let from = windows.add(element * g.row() + row * w.out[2] + first);
                let to = x.add(channel * w.area() + start + column);
                if stride == 1 {
                    let (from, to) = (std::slice::from_raw_parts(from, n), std::slice::from_raw_parts_mut(to, n));
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
                } else {
                    (0..n).for_each(|j| *to.add(j * stride) += *from.add(j));
                }
            });
        }
    }
}
