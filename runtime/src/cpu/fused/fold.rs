//! Reductions inside programs, of registers of floating numbers.
//!
//! A row is put together in the lanes of [`super::super::reduce`], whether it comes in one piece or in several, so that
//! its sum has the same bits as that of the kernel. Totals are kept in sums of eight bytes per result.

#[cfg(target_arch = "x86_64")]
use super::extreme::{self, Extreme};
use crate::cpu::isa::{Path, versions};
use crate::cpu::kernels::unsupported;
use crate::cpu::reduce::{Fold, Lanes, Max, Min, Sum};
use tfm_lang::types::DType;

/// Bytes of a row that is put together piece by piece.
pub(super) const STATE: usize = 192;

/// The functions of a reduction for one dtype. Pointers are to elements, to [`STATE`] bytes, or to sums.
#[derive(Clone, Copy)]
pub(super) struct Folder {
    /// Begins a row.
    pub start: unsafe fn(state: *mut u8),
    /// Goes on with `n` elements; all but the last piece of a row are a multiple of 16.
    pub take: unsafe fn(path: Path, state: *mut u8, from: *const u8, n: usize),
    /// Ends a row.
    pub finish: unsafe fn(state: *mut u8, to: *mut u8),
    /// Whole rows of `n` elements.
    pub rows: unsafe fn(path: Path, from: *const u8, rows: usize, n: usize, to: *mut u8),
    /// Begins so many totals.
    pub clear: unsafe fn(sums: *mut u8, count: usize),
    /// Puts `n` elements into one total.
    pub into_one: unsafe fn(path: Path, from: *const u8, n: usize, sums: *mut u8),
    /// Puts `n` elements into a total each.
    pub into_each: unsafe fn(path: Path, from: *const u8, n: usize, sums: *mut u8),
    /// Puts the sums of `pieces`, `apart` from each other, together into elements.
    pub merge: unsafe fn(path: Path, sums: *const u8, apart: usize, pieces: usize, count: usize, to: *mut u8),
}

/// The reduction that a primitive is.
pub(super) fn folder(name: &str, dtype: DType) -> Result<Folder, String> {
    match (name, dtype) {
        ("sum", DType::F32) => Ok(of::<f32, Sum>()),
        ("sum", DType::F64) => Ok(of::<f64, Sum>()),
        ("max", DType::F32) => Ok(by_vectors::<Max>()),
        ("max", DType::F64) => Ok(of::<f64, Max>()),
        ("min", DType::F32) => Ok(by_vectors::<Min>()),
        ("min", DType::F64) => Ok(of::<f64, Min>()),
        ("sum" | "max" | "min", other) => Err(unsupported(other)),
        (name, _) => Err(format!("`{name}` is no reduction")),
    }
}

fn of<T: Copy + 'static, F: Fold<T> + Default>() -> Folder {
    const { assert!(size_of::<Lanes<F::Acc>>() <= STATE && size_of::<F::Acc>() <= 8) };
    Folder {
        start: start::<T, F>,
        // SAFETY: as the fields say.
        take: |path, state, from, n| unsafe { take(path, F::default(), state.cast(), from.cast::<T>(), n) },
        finish: finish::<T, F>,
        // SAFETY: as the fields say.
        rows: |path, from, rows, n, to| unsafe { whole_rows(path, F::default(), from.cast::<T>(), rows, n, to.cast()) },
        clear: clear::<T, F>,
        // SAFETY: as the fields say.
        into_one: |path, from, n, sums| unsafe { into_one(path, F::default(), from.cast::<T>(), n, sums.cast()) },
        // SAFETY: as the fields say.
        into_each: |path, from, n, sums| unsafe { into_each(path, F::default(), from.cast::<T>(), n, sums.cast()) },
        // SAFETY: as the fields say.
        merge: |path, sums, apart, pieces, count, to| unsafe {
            merge(path, F::default(), sums.cast::<Slot<F::Acc>>(), apart, pieces, count, to.cast::<T>());
        },
    }
}

/// With vectors of our own, where the processor has them.
#[cfg(target_arch = "x86_64")]
fn by_vectors<E: Extreme + Default>() -> Folder {
    Folder {
        // SAFETY: as the fields say.
        take: |path, state, from, n| unsafe {
            if !extreme::took::<E>(path, state.cast(), from.cast(), n) {
                take(path, E::default(), state.cast(), from.cast::<f32>(), n);
            }
        },
        // SAFETY: as the fields say.
        rows: |path, from, rows, n, to| unsafe {
            if !extreme::folded::<E>(path, from.cast(), rows, n, to.cast()) {
                whole_rows(path, E::default(), from.cast::<f32>(), rows, n, to.cast());
            }
        },
        ..of::<f32, E>()
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn by_vectors<E: Fold<f32, Acc = f32> + Default>() -> Folder {
    of::<f32, E>()
}

/// A sum of eight bytes, whatever it is kept in.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Slot<A>(A);

/// # Safety
/// There are [`STATE`] bytes.
unsafe fn start<T, F: Fold<T>>(state: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { state.cast::<Lanes<F::Acc>>().write(Lanes::new(F::START)) };
}

/// # Safety
/// A row was begun there, and there is room for an element.
unsafe fn finish<T: Copy, F: Fold<T> + Default>(state: *mut u8, to: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { to.cast::<T>().write(F::finish(state.cast::<Lanes<F::Acc>>().read().merge(F::default()))) };
}

/// # Safety
/// There is room for so many sums.
unsafe fn clear<T, F: Fold<T>>(sums: *mut u8, count: usize) {
    // SAFETY: the caller's promise.
    (0..count).for_each(|i| unsafe { sums.cast::<Slot<F::Acc>>().add(i).write(Slot(F::START)) });
}

versions! {
    unsafe fn take[T: Copy, F: Fold<T>](fold: F, state: *mut Lanes<F::Acc>, from: *const T, n: usize) {
        // SAFETY: the caller's promise.
        unsafe { (*state).take(fold, from, n, 1) }
    }
}

versions! {
    unsafe fn whole_rows[T: Copy, F: Fold<T>](fold: F, from: *const T, rows: usize, n: usize, to: *mut T) {
        for row in 0..rows {
            let mut lanes = Lanes::new(F::START);
            // SAFETY: the caller's promise.
            unsafe {
                lanes.take(fold, from.add(row * n), n, 1);
                *to.add(row) = F::finish(lanes.merge(fold));
            }
        }
    }
}

versions! {
    unsafe fn into_one[T: Copy, F: Fold<T>](fold: F, from: *const T, n: usize, sum: *mut Slot<F::Acc>) {
        let mut lanes = Lanes::new(F::START);
        // SAFETY: the caller's promise.
        unsafe {
            lanes.take(fold, from, n, 1);
            (*sum).0 = F::merge((*sum).0, lanes.merge(fold));
        }
    }
}

versions! {
    unsafe fn into_each[T: Copy, F: Fold<T>](_fold: F, from: *const T, n: usize, sums: *mut Slot<F::Acc>) {
        for i in 0..n {
            // SAFETY: the caller's promise.
            unsafe { (*sums.add(i)).0 = F::step((*sums.add(i)).0, *from.add(i)) };
        }
    }
}

versions! {
    unsafe fn merge[T: Copy, F: Fold<T>](
        _fold: F, sums: *const Slot<F::Acc>, apart: usize, pieces: usize, count: usize, to: *mut T
    ) {
        for i in 0..count {
            // SAFETY: the caller's promise.
            unsafe {
                let part = |piece: usize| (*sums.add(piece * apart + i)).0;
                *to.add(i) = F::finish((1..pieces).fold(part(0), |acc, piece| F::merge(acc, part(piece))));
            }
        }
    }
}
