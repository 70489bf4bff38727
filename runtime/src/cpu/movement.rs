//! Elements in other places: copies of strided views, `concat`, `pad`; and `iota`.

use super::kernels::{Call, Run, Task, axis, by_dtype, by_width, require};
use super::view::{collapse, contiguous, place};
use tfm_lowering::plan::View;

/// Elements of a chunk.
const CHUNK: usize = 1 << 15;
/// Rows and columns of a block that is transposed in the cache.
const BLOCK: usize = 32;

/// A prepared copy between two strided layouts of one shape.
pub(crate) struct Copier {
    /// The axes but two: sizes, strides of the source, strides of the destination.
    outer: (Vec<usize>, Vec<isize>, Vec<isize>),
    /// An axis along which blocks are cut: size and strides.
    rows: (usize, isize, isize),
    /// The last axis: size and strides.
    columns: (usize, isize, isize),
    /// Blocks in a chunk.
    grain: usize,
}

impl Copier {
    /// A copy of so many elements from strides to strides.
    pub fn new(shape: &[usize], from: &[isize], to: &[isize]) -> Copier {
        let (mut shape, mut strides) = collapse(shape, &[from, to]);
        let columns = take(&mut shape, &mut strides, None);
        // Where the last axis is not contiguous in the source, the axis that is goes through blocks with it.
        let contiguous_axis = strides[0].iter().position(|&s| s == 1).filter(|_| columns.1 != 1);
        let rows = if shape.is_empty() { (1, 0, 0) } else { take(&mut shape, &mut strides, contiguous_axis) };
        let to = strides.pop().unwrap_or_default();
        let from = strides.pop().unwrap_or_default();
        let grain = (CHUNK / (BLOCK.min(rows.0) * columns.0).max(1)).max(1);
        Copier { outer: (shape, from, to), rows, columns, grain }
    }

    /// Copies.
    ///
    /// # Safety
    /// All places of the shape are inside source and destination, which are apart.
    pub unsafe fn run<T: Copy>(
        &self,
        run: &Run<'_>,
        from: impl Fn() -> *const T + Sync,
        to: impl Fn() -> *mut T + Sync,
    ) {
        if self.outer.0.is_empty() && self.rows.0 == 1 && (self.columns.1, self.columns.2) == (1, 1) {
            run.pieces(self.columns.0, CHUNK, |a, b| {
                // SAFETY: the caller's promise.
                unsafe { std::ptr::copy_nonoverlapping(from().add(a), to().add(a), b - a) };
            });
            return;
        }
        let blocks = self.rows.0.div_ceil(BLOCK);
        let total = self.outer.0.iter().product::<usize>() * blocks;
        run.pieces(total, self.grain, |first, last| {
            for unit in first..last {
                let (outer, row) = (unit / blocks, unit % blocks * BLOCK);
                let source = place(&self.outer.0, &self.outer.1, outer) + row as isize * self.rows.1;
                let target = place(&self.outer.0, &self.outer.2, outer) + row as isize * self.rows.2;
                // SAFETY: the caller's promise.
                unsafe { self.block(from().offset(source), to().offset(target), BLOCK.min(self.rows.0 - row)) };
            }
        });
    }

    /// Copies some rows.
    ///
    /// # Safety
    /// As for `run`, from these first elements on.
    unsafe fn block<T: Copy>(&self, from: *const T, to: *mut T, rows: usize) {
        let (_, row_from, row_to) = self.rows;
        let (n, from_step, to_step) = self.columns;
        // SAFETY: the caller's promise.
        unsafe {
            for first in (0..n).step_by(if from_step == 1 { n } else { BLOCK }) {
                let width = if from_step == 1 { n } else { BLOCK.min(n - first) };
                for r in 0..rows as isize {
                    let from = from.offset(r * row_from + first as isize * from_step);
                    let to = to.offset(r * row_to + first as isize * to_step);
                    if (from_step, to_step) == (1, 1) {
                        std::ptr::copy_nonoverlapping(from, to, width);
                    } else {
                        for c in 0..width as isize {
                            *to.offset(c * to_step) = *from.offset(c * from_step);
                        }
                    }
                }
            }
        }
    }
}

/// Takes an axis out, the last one unless another is named: its size and strides.
fn take(shape: &mut Vec<usize>, strides: &mut [Vec<isize>], axis: Option<usize>) -> (usize, isize, isize) {
    let axis = axis.unwrap_or(shape.len() - 1);
    (shape.remove(axis), strides[0].remove(axis), strides[1].remove(axis))
}

pub(crate) fn prepare_copy(call: &Call<'_>) -> Result<Task, String> {
    let ([x], [y]) = call.operands()?;
    require(x.dtype == y.dtype && x.size() == y.size(), || format!("{} to {}", text(x), text(y)))?;
    let copier = Copier::new(&x.shape, &x.strides, &contiguous(&x.shape));
    Ok(by_width!(x.dtype, copy_task(copier)))
}

fn copy_task<T: Copy + 'static>(copier: Copier) -> Task {
    Box::new(move |run| {
        // SAFETY: the views are inside their spaces and the output is apart from the input.
        unsafe { copier.run::<T>(run, || run.input(0), || run.output(0)) };
        Ok(())
    })
}

pub(crate) fn prepare_concat(call: &Call<'_>) -> Result<Task, String> {
    let [y] = call.outputs else { return Err(format!("{} outputs", call.outputs.len())) };
    let axis = axis(call.int_or("axis", 0)?, y.shape.len())?;
    let strides = contiguous(&y.shape);
    let (mut at, mut parts) = (0, Vec::new());
    for x in call.inputs {
        let fits = x.dtype == y.dtype
            && x.shape.len() == y.shape.len()
            && (0..y.shape.len()).all(|a| a == axis || x.shape[a] == y.shape[a]);
        require(fits && at + x.shape[axis] <= y.shape[axis], || format!("{} does not fit {}", text(x), text(y)))?;
        parts.push((Copier::new(&x.shape, &x.strides, &strides), at * strides[axis] as usize));
        at += x.shape[axis];
    }
    require(at == y.shape[axis], || format!("the parts have {at} of {}", y.shape[axis]))?;
    Ok(by_width!(y.dtype, concat_task(parts)))
}

fn concat_task<T: Copy + 'static>(parts: Vec<(Copier, usize)>) -> Task {
    Box::new(move |run| {
        for (i, (part, at)) in parts.iter().enumerate() {
            // SAFETY: the parts were checked to fill the output, which is apart from them.
            unsafe { part.run::<T>(run, || run.input(i), || run.output::<T>(0).add(*at)) };
        }
        Ok(())
    })
}

pub(crate) fn prepare_pad(call: &Call<'_>) -> Result<Task, String> {
    let ([x], [y]) = call.operands()?;
    let (before, after) = (call.ints("before")?, call.ints("after")?);
    let fits = x.dtype == y.dtype
        && [before.len(), after.len(), y.shape.len()] == [x.shape.len(); 3]
        && (0..x.shape.len())
            .all(|a| before[a] >= 0 && after[a] >= 0 && before[a] + x.shape[a] as i64 + after[a] == y.shape[a] as i64);
    require(fits, || format!("{} with {before:?} before and {after:?} after is not {}", text(x), text(y)))?;
    let strides = contiguous(&y.shape);
    let at = before.iter().zip(&strides).map(|(&b, &s)| b as usize * s as usize).sum();
    let (copier, n) = (Copier::new(&x.shape, &x.strides, &strides), y.size());
    Ok(by_width!(y.dtype, pad_task(copier, at, n)))
}

fn pad_task<T: Copy + 'static>(copier: Copier, at: usize, n: usize) -> Task {
    Box::new(move |run| {
        // SAFETY: the output has n elements, all zero bits are a zero of every dtype, and the input fits from `at` on.
        unsafe {
            run.pieces(n, CHUNK, |a, b| run.output::<T>(0).add(a).write_bytes(0, b - a));
            copier.run::<T>(run, || run.input(0), || run.output::<T>(0).add(at));
        }
        Ok(())
    })
}

pub(crate) fn prepare_iota(call: &Call<'_>) -> Result<Task, String> {
    let ([], [y]) = call.operands()?;
    by_dtype!(y.dtype, int, iota_task(y.size()))
}

fn iota_task<T: 'static + TryFrom<usize> + Default>(n: usize) -> Result<Task, String> {
    require(n == 0 || T::try_from(n - 1).is_ok(), || format!("{} is too large for its dtype", n.saturating_sub(1)))?;
    Ok(Box::new(move |run| {
        // SAFETY: the output has n elements of the type.
        (0..n).for_each(|i| unsafe { *run.output::<T>(0).add(i) = T::try_from(i).unwrap_or_default() });
        Ok(())
    }))
}

/// Dtype and shape, for messages.
pub(crate) fn text(v: &View) -> String {
    format!("{}{:?}", v.dtype, v.shape)
}
