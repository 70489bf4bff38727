//! Along one axis: `argmax`, `arg_top_k` and `cumsum`.

use super::kernels::{Call, Task, axis, by_dtype, require};
use super::movement::text;
use super::view::{collapse, contiguous, place};
use tfm_lang::types::DType;
use tfm_lowering::plan::View;

/// Elements of a chunk.
const CHUNK: usize = 1 << 15;

/// The lines of a view along an axis.
struct Lines {
    shape: Vec<usize>,
    /// Of the input, then of another view.
    strides: Vec<Vec<isize>>,
    count: usize,
    length: usize,
    step: isize,
}

fn lines(x: &View, other: &[isize], axis: usize) -> Lines {
    let without = |v: &[isize]| v.iter().enumerate().filter(|(a, _)| *a != axis).map(|(_, &s)| s).collect::<Vec<_>>();
    let sizes: Vec<usize> = x.shape.iter().enumerate().filter(|(a, _)| *a != axis).map(|(_, &n)| n).collect();
    let (shape, strides) = collapse(&sizes, &[&without(&x.strides), &without(other)]);
    let count = shape.iter().product();
    Lines { shape, strides, count, length: x.shape[axis], step: x.strides[axis] }
}

pub(crate) fn prepare_argmax(call: &Call<'_>) -> Result<Task, String> {
    let ([x], [y]) = call.operands()?;
    let axis = axis(call.int_or("axis", -1)?, x.shape.len())?;
    let lines = lines(x, &vec![0; x.shape.len()], axis);
    let fits = y.dtype == DType::I32 && y.size() == lines.count && i32::try_from(lines.length).is_ok();
    require(fits, || format!("{} to {}", text(x), text(y)))?;
    by_dtype!(x.dtype, number, argmax_task(lines))
}

#[allow(clippy::eq_op)]
fn argmax_task<T: Copy + PartialOrd + 'static>(lines: Lines) -> Result<Task, String> {
    Ok(Box::new(move |run| {
        run.pieces(lines.count, CHUNK / lines.length.max(1), |first, last| {
            for line in first..last {
                // SAFETY: the view is inside its space, and the output has an element for each line.
                unsafe {
                    let from = run.input::<T>(0).offset(place(&lines.shape, &lines.strides[0], line));
                    let mut best = (0, *from);
                    for i in 1..lines.length {
                        let x = *from.offset(i as isize * lines.step);
                        // A NaN counts as the largest.
                        if x > best.1 || (x != x && best.1 == best.1) {
                            best = (i as i32, x);
                        }
                    }
                    *run.output::<i32>(0).add(line) = best.0;
                }
            }
        });
        Ok(())
    }))
}

pub(crate) fn prepare_arg_top_k(call: &Call<'_>) -> Result<Task, String> {
    let ([x], [y]) = call.operands()?;
    let last = x.shape.len().checked_sub(1).ok_or("`arg_top_k` of a scalar")?;
    let lines = lines(x, &vec![0; x.shape.len()], last);
    let k = y.shape.last().copied().unwrap_or(0);
    let fits = y.dtype == DType::I32 && (1..=lines.length).contains(&k) && y.size() == lines.count * k;
    require(fits && i32::try_from(lines.length).is_ok(), || format!("{} to {}", text(x), text(y)))?;
    by_dtype!(x.dtype, number, arg_top_k_task(lines, k))
}

/// Each element is put in its place among the best so far, after those that are as large: k is small.
#[allow(clippy::eq_op)]
fn arg_top_k_task<T: Copy + PartialOrd + 'static>(lines: Lines, k: usize) -> Result<Task, String> {
    // A NaN counts as the largest, as for `argmax`.
    let before = |a: T, b: T| a > b || (a != a && b == b);
    Ok(Box::new(move |run| {
        run.pieces(lines.count, CHUNK / (lines.length * k).max(1), |first, last| {
            for line in first..last {
                // SAFETY: the view is inside its space, and the output has k elements for each line.
                let (from, best) = unsafe {
                    let from = run.input::<T>(0).offset(place(&lines.shape, &lines.strides[0], line));
                    (from, std::slice::from_raw_parts_mut(run.output::<i32>(0).add(line * k), k))
                };
                // SAFETY: `i` is below the length of the line.
                let at = |i: usize| unsafe { *from.offset(i as isize * lines.step) };
                let mut found = 0;
                for i in 0..lines.length {
                    let x = at(i);
                    let better = best[..found].partition_point(|&j| !before(x, at(j as usize)));
                    if better == k {
                        continue;
                    }
                    found = (found + 1).min(k);
                    best.copy_within(better..found - 1, better + 1);
                    best[better] = i as i32;
                }
            }
        });
        Ok(())
    }))
}

pub(crate) fn prepare_cumsum(call: &Call<'_>) -> Result<Task, String> {
    let ([x], [y]) = call.operands()?;
    let axis = axis(call.int_or("axis", -1)?, x.shape.len())?;
    require(x.dtype == y.dtype && x.size() == y.size(), || format!("{} to {}", text(x), text(y)))?;
    let strides = contiguous(&x.shape);
    let lines = lines(x, &strides, axis);
    by_dtype!(x.dtype, number, cumsum_task(lines, strides[axis], call.flag("backwards")?))
}

/// A number and what sums of it are kept in.
trait Running: Copy + 'static {
    type Acc: Copy + Default;
    fn add(acc: Self::Acc, x: Self) -> Self::Acc;
    fn value(acc: Self::Acc) -> Self;
}

macro_rules! running {
    ($($t:ty => $acc:ty, $plus:expr;)*) => { $(
        impl Running for $t {
            type Acc = $acc;
            fn add(acc: $acc, x: $t) -> $acc { ($plus)(acc, x as $acc) }
            fn value(acc: $acc) -> $t { acc as $t }
        }
    )* };
}
running! {
    f32 => f64, |a, b| a + b;
    f64 => f64, |a, b| a + b;
    i64 => i64, i64::wrapping_add;
    i32 => i64, i64::wrapping_add;
    i8 => i64, i64::wrapping_add;
    u8 => i64, i64::wrapping_add;
}

fn cumsum_task<T: Running>(lines: Lines, step: isize, backwards: bool) -> Result<Task, String> {
    Ok(Box::new(move |run| {
        run.pieces(lines.count, CHUNK / lines.length.max(1), |first, last| {
            for line in first..last {
                // SAFETY: the views are inside their spaces, and lines write apart.
                unsafe {
                    let from = run.input::<T>(0).offset(place(&lines.shape, &lines.strides[0], line));
                    let to = run.output::<T>(0).offset(place(&lines.shape, &lines.strides[1], line));
                    let mut acc = T::Acc::default();
                    for i in 0..lines.length {
                        let i = if backwards { lines.length - 1 - i } else { i } as isize;
                        acc = T::add(acc, *from.offset(i * lines.step));
                        *to.offset(i * step) = T::value(acc);
                    }
                }
            }
        });
        Ok(())
    }))
}
