//! How the inputs of a program reach its registers.

use crate::cpu::isa::{Path, versions};
use crate::cpu::view::{MAX_RANK, Walk, contiguous, coordinates};

/// How an input reaches its register.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Load {
    /// Contiguous: the register points into it.
    Direct,
    /// One element, repeated.
    Scalar,
    /// One row, repeated, and a tile is a number of whole rows: every tile is the same.
    Row,
    /// Numbers that are each repeated, and all of them again and again: so many elements, of which a tile is a part, are
    /// laid out once.
    Period(usize),
    /// Pointed into where a tile lies in one run, else copied run by run.
    Strided,
}

/// No place of an element: offsets are within a space.
pub(super) const NOTHING: isize = isize::MIN;

/// Bytes that are laid out at most: some inputs of a program fit in the second cache.
const PERIOD: usize = 1 << 16;

/// An input of a program: one number for each element, or for each row.
pub(super) struct Input {
    pub load: Load,
    pub bytes: usize,
    /// What it is walked over, axes merged; and its steps.
    pub shape: Vec<usize>,
    pub strides: Vec<isize>,
    /// Where its buffer is in the thread's memory; none where it is read where it lies.
    pub buffer: usize,
}

impl Input {
    /// An input that is walked over `shape` in tiles of `tile` elements.
    pub fn new(shape: &[usize], strides: Vec<isize>, bytes: usize, tile: usize) -> Input {
        let inner = shape[shape.len() - 1];
        let load = if contiguous(shape) == strides {
            Load::Direct
        } else if strides.iter().all(|&s| s == 0) && shape.iter().product::<usize>() > 1 {
            Load::Scalar
        } else if tile.is_multiple_of(inner) && strides[..shape.len() - 1].iter().all(|&s| s == 0) {
            Load::Row
        } else {
            Load::Strided
        };
        Input { load, bytes, shape: shape.to_vec(), strides, buffer: 0 }
    }

    /// Lays out what repeats, where every tile begins at a multiple of its size.
    pub fn lay_out(&mut self, tile: usize) {
        if self.load == Load::Strided
            && let Some(period) = period(&self.shape, &self.strides, tile).filter(|n| n * self.bytes <= PERIOD)
        {
            self.load = Load::Period(period);
        }
    }

    /// Elements that are laid out once.
    pub fn period(&self) -> Option<usize> {
        match self.load {
            Load::Period(n) => Some(n),
            _ => None,
        }
    }

    /// The elements from number `start` on: where they lie in order, or a copy of them in `buffer`. `filled` is the
    /// place of the one element that fills the buffer, [`NOTHING`] where it holds something else.
    ///
    /// # Safety
    /// The view is inside its space, the buffer has room for `room` elements, no less than `n`, and the coordinates are
    /// those of the first element.
    #[inline]
    pub unsafe fn at(
        &self,
        path: Path,
        from: *const u8,
        (start, n): (usize, usize),
        coordinates: &[usize; MAX_RANK],
        (buffer, room, filled): (*mut u8, usize, &mut isize),
    ) -> *mut u8 {
        let last = self.shape.len() - 1;
        // SAFETY: the caller's promise.
        unsafe {
            if self.load == Load::Direct {
                return from.add(start * self.bytes).cast_mut();
            }
            if let Load::Period(period) = self.load {
                return buffer.add(start % period * self.bytes);
            }
            let step = self.strides[last];
            if (step == 0 || step == 1) && coordinates[last] + n <= self.shape[last] {
                let place = offset(&self.strides, coordinates);
                let first = from.offset(place * self.bytes as isize);
                if step == 1 {
                    return first.cast_mut();
                }
                if *filled != place {
                    repeat(path, first, self.bytes, 1, room, buffer);
                    *filled = place;
                }
                return buffer;
            }
            *filled = NOTHING;
            self.copy(from, start, n, buffer);
        }
        buffer
    }

    /// As [`Input::at`], for the numbers of rows.
    ///
    /// # Safety
    /// The view is inside its space, and the buffer has room.
    pub unsafe fn rows(&self, path: Path, from: *const u8, start: usize, n: usize, buffer: *mut u8) -> *mut u8 {
        let at = coordinates(&self.shape, start);
        // SAFETY: the caller's promise.
        unsafe { self.at(path, from, (start, n), &at, (buffer, n, &mut { NOTHING })) }
    }

    /// Copies `n` elements from number `start` on.
    ///
    /// # Safety
    /// As for [`Input::rows`].
    pub unsafe fn copy(&self, from: *const u8, start: usize, n: usize, to: *mut u8) {
        let (shape, strides) = (&self.shape, &self.strides);
        // SAFETY: the caller's promise.
        unsafe {
            match self.bytes {
                1 => copy(from, shape, strides, start, n, to),
                2 => copy(from.cast::<u16>(), shape, strides, start, n, to.cast()),
                4 => copy(from.cast::<u32>(), shape, strides, start, n, to.cast()),
                _ => copy(from.cast::<u64>(), shape, strides, start, n, to.cast()),
            }
        }
    }
}

/// After how many elements numbers that are each repeated come again, where tiles are parts of that.
fn period(shape: &[usize], strides: &[isize], tile: usize) -> Option<usize> {
    let outer = strides.iter().take_while(|s| **s == 0).count();
    let period = shape[outer..].iter().product::<usize>();
    let repeats = outer > 0 && strides[strides.len() - 1] == 0;
    (repeats && period > tile && period.is_multiple_of(tile)).then_some(period)
}

/// Where the element with these coordinates lies, in elements from the first.
#[inline]
pub(super) fn offset(strides: &[isize], coordinates: &[usize; MAX_RANK]) -> isize {
    strides.iter().zip(coordinates).map(|(s, c)| *c as isize * s).sum()
}

/// Repeats each of `rows` elements `n` times.
///
/// # Safety
/// There are so many elements of so many bytes, and room.
pub(super) unsafe fn repeat(path: Path, from: *const u8, bytes: usize, rows: usize, n: usize, to: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        match bytes {
            1 => repeat_each(path, from, rows, n, to),
            2 => repeat_each(path, from.cast::<u16>(), rows, n, to.cast()),
            4 => repeat_each(path, from.cast::<u32>(), rows, n, to.cast()),
            _ => repeat_each(path, from.cast::<u64>(), rows, n, to.cast()),
        }
    }
}

versions! {
    /// As [`repeat`].
    unsafe fn repeat_each[T: Copy](from: *const T, rows: usize, n: usize, to: *mut T) {
        for row in 0..rows {
            // SAFETY: the caller's promise; a literal may lie anywhere.
            unsafe {
                let x = from.add(row).read_unaligned();
                std::slice::from_raw_parts_mut(to.add(row * n), n).fill(x);
            }
        }
    }
}

/// Copies `n` elements of a strided view, from number `start` on.
///
/// # Safety
/// The view is inside its space, and there is room.
unsafe fn copy<T: Copy>(from: *const T, shape: &[usize], strides: &[isize], start: usize, n: usize, to: *mut T) {
    let last = shape.len() - 1;
    let (inner, step) = (shape[last], strides[last]);
    let mut row = Walk::from(&shape[..last], &strides[..last], start / inner);
    let (mut column, mut done) = (start % inner, 0);
    while done < n {
        let run = (inner - column).min(n - done);
        // SAFETY: the caller's promise.
        unsafe {
            let (from, to) = (from.offset(row.offset + column as isize * step), to.add(done));
            match step {
                0 => std::slice::from_raw_parts_mut(to, run).fill(*from),
                1 => (0..run).for_each(|i| *to.add(i) = *from.add(i)),
                _ => (0..run).for_each(|i| *to.add(i) = *from.offset(i as isize * step)),
            }
        }
        done += run;
        column = 0;
        row.advance();
    }
}
