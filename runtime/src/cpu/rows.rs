//! Rows of tables by number: `gather`, `scatter_add`, `pick`, and the sparse updates `unique`, `merge_rows`,
//! `read_rows`, `write_rows`.
//!
//! Sums are made in the order of the ids by one thread per row of the result: threads own ranges of rows.

use super::isa::soon;
use super::kernels::{Call, Run, Task, by_dtype, by_width, require, unsupported};
use super::movement::text;
use super::pool::Shared;
use std::ops::Range;
use tfm_lang::types::DType;
use tfm_lowering::plan::View;

/// Elements moved that make a chunk.
const CHUNK: usize = 1 << 15;
/// Ranges of rows that a sum is given out in.
const RANGES: usize = 8;

/// Numbers of rows, of any integer dtype.
#[derive(Clone, Copy)]
struct Ids {
    input: usize,
    count: usize,
    dtype: DType,
}

impl Ids {
    fn of(call: &Call<'_>, input: usize) -> Result<Ids, String> {
        let v = &call.inputs[input];
        require(v.dtype.is_int(), || unsupported(v.dtype))?;
        require(v.is_contiguous(), || "ids should be contiguous".into())?;
        Ok(Ids { input, count: v.size(), dtype: v.dtype })
    }

    #[inline(always)]
    fn get(&self, run: &Run<'_>, i: usize) -> i64 {
        // SAFETY: the input has `count` elements of the dtype, and callers stay below it.
        unsafe {
            match self.dtype {
                DType::I64 => *run.input::<i64>(self.input).add(i),
                DType::I32 => (*run.input::<i32>(self.input).add(i)).into(),
                DType::I8 => (*run.input::<i8>(self.input).add(i)).into(),
                _ => (*run.input::<u8>(self.input).add(i)).into(),
            }
        }
    }

    /// That all are in the range.
    fn check(&self, run: &Run<'_>, range: Range<i64>) -> Result<(), String> {
        match (0..self.count).map(|i| self.get(run, i)).find(|id| !range.contains(id)) {
            None => Ok(()),
            Some(id) => Err(format!("index {id} is out of range: the table has {} rows", range.end)),
        }
    }
}

/// Rows ahead of the one at work whose memory is asked for: a row of a large table is in no cache.
const AHEAD: usize = 16;

/// The rows of a table: how many, and their elements.
fn table(v: &View, elements: usize) -> Result<(usize, usize), String> {
    require(v.is_contiguous(), || "the table should be contiguous".into())?;
    let rows = *v.shape.first().ok_or("a table has at least one axis")?;
    let width = v.shape[1..].iter().product();
    require(elements.is_multiple_of(usize::max(width, 1)), || {
        format!("rows of {width} do not make {elements} elements")
    })?;
    Ok((rows, width))
}

pub(crate) fn prepare_gather(call: &Call<'_>) -> Result<Task, String> {
    let ([t, _], [y]) = call.operands()?;
    let (rows, width) = table(t, y.size())?;
    let ids = Ids::of(call, 1)?;
    require(y.size() == ids.count * width && y.dtype == t.dtype, || format!("rows of {} to {}", text(t), text(y)))?;
    Ok(by_width!(y.dtype, copy_rows(ids, 0, rows, width)))
}

pub(crate) fn prepare_read_rows(call: &Call<'_>) -> Result<Task, String> {
    let ([t, _], [y]) = call.operands()?;
    let (rows, width) = table(t, y.size())?;
    let ids = Ids::of(call, 1)?;
    require(y.size() == ids.count * width && y.dtype == t.dtype, || format!("rows of {} to {}", text(t), text(y)))?;
    Ok(by_width!(y.dtype, copy_rows(ids, -1, rows, width)))
}

/// Copies rows with numbers from `least`, 0 or -1, up; -1 makes zeros.
fn copy_rows<T: Copy + 'static>(ids: Ids, least: i64, rows: usize, width: usize) -> Task {
    Box::new(move |run| {
        ids.check(run, least..rows as i64)?;
        run.pieces(ids.count, CHUNK / width.max(1), |first, last| {
            for i in first..last {
                if i + AHEAD < last {
                    soon(run.input::<T>(0).wrapping_offset(ids.get(run, i + AHEAD) as isize * width as isize));
                }
                // SAFETY: the ids were checked, and the output has a row for each.
                unsafe {
                    let to = run.output::<T>(0).add(i * width);
                    match usize::try_from(ids.get(run, i)) {
                        Ok(row) => std::ptr::copy_nonoverlapping(run.input::<T>(0).add(row * width), to, width),
                        Err(_) => to.write_bytes(0, width),
                    }
                }
            }
        });
        Ok(())
    })
}

/// Numbers that rows are added up in.
trait Sum: Copy + 'static {
    fn plus(self, other: Self) -> Self;
}

macro_rules! sums {
    ($($t:ty: $plus:expr),*) => { $(
        impl Sum for $t {
            #[inline(always)]
            fn plus(self, other: $t) -> $t { ($plus)(self, other) }
        }
    )* };
}
sums!(f32: |a, b| a + b, f64: |a, b| a + b, i64: i64::wrapping_add, i32: i32::wrapping_add, i8: i8::wrapping_add,
    u8: u8::wrapping_add);

/// Adds a row to a row.
///
/// # Safety
/// Both have so many elements and are apart.
#[inline(always)]
unsafe fn add_row<T: Sum>(from: *const T, to: *mut T, width: usize) {
    for c in 0..width {
        // SAFETY: the caller's promise.
        unsafe { *to.add(c) = (*to.add(c)).plus(*from.add(c)) };
    }
}

/// In how many ranges the rows of a sum are given out: by sizes alone.
fn ranges(work: usize, rows: usize) -> usize {
    if work < 2 * CHUNK { 1 } else { RANGES.min(rows) }
}

pub(crate) fn prepare_scatter_add(call: &Call<'_>) -> Result<Task, String> {
    let ([_, added], [y]) = call.operands()?;
    let (rows, width) = table(y, added.size())?;
    let ids = Ids::of(call, 0)?;
    require(added.is_contiguous() && added.size() == ids.count * width && added.dtype == y.dtype, || {
        format!("{} rows of {} to {}", ids.count, text(added), text(y))
    })?;
    by_dtype!(y.dtype, number, scatter_task(ids, rows, width))
}

fn scatter_task<T: Sum>(ids: Ids, rows: usize, width: usize) -> Result<Task, String> {
    let ranges = ranges(ids.count * width, rows);
    let share = rows.div_ceil(ranges);
    Ok(Box::new(move |run| {
        ids.check(run, 0..rows as i64)?;
        run.parallel(ranges, |range, _| {
            let mine = (range * share).min(rows)..((range + 1) * share).min(rows);
            // SAFETY: the ids were checked; each range writes its own rows; the zero of every dtype is zero bits.
            unsafe {
                run.output::<T>(0).add(mine.start * width).write_bytes(0, mine.len() * width);
                for i in 0..ids.count {
                    let row = ids.get(run, i) as usize;
                    if mine.contains(&row) {
                        add_row(run.input::<T>(1).add(i * width), run.output::<T>(0).add(row * width), width);
                    }
                }
            }
        });
        Ok(())
    }))
}

pub(crate) fn prepare_pick(call: &Call<'_>) -> Result<Task, String> {
    let ([x, _], [y]) = call.operands()?;
    let n = *x.shape.last().ok_or("there is no axis to pick from")?;
    let ids = Ids::of(call, 1)?;
    let fits = x.is_contiguous() && x.size() == ids.count * n && y.size() == ids.count && x.dtype == y.dtype;
    require(fits, || format!("{} ids for {} to {}", ids.count, text(x), text(y)))?;
    Ok(by_width!(y.dtype, pick_task(ids, n)))
}

fn pick_task<T: Copy + 'static>(ids: Ids, n: usize) -> Task {
    Box::new(move |run| {
        for i in 0..ids.count {
            let id = ids.get(run, i);
            let column = usize::try_from(id).ok().filter(|&c| c < n);
            let column = column.ok_or_else(|| format!("index {id} is out of range: a row has {n} elements"))?;
            // SAFETY: the index was checked.
            unsafe { *run.output::<T>(0).add(i) = *run.input::<T>(0).add(i * n + column) };
        }
        Ok(())
    })
}

/// Bits of a number that are sorted by at once: the numbers of rows have few.
const BITS: u32 = 11;
/// Pieces in which many numbers are sorted, and how many those are.
const PIECES: usize = 4;
const MANY: usize = 1 << 14;

/// Bytes of scratch in which numbers are sorted: two places for each number with its position, and counters.
pub(crate) fn sorting_scratch(call: &Call<'_>) -> usize {
    call.inputs.first().map_or(0, |ids| 16 * ids.size() + 8 * (PIECES << BITS))
}

/// The numbers from 0 on with their positions, in rising order and equal ones in that of their positions.
///
/// Radix sort. Of each piece of the numbers it is known how many there are of each digit, and so where they go.
///
/// # Safety
/// The step has [`sorting_scratch`], which nothing else uses.
unsafe fn sorted<'a>(run: &'a Run<'_>, ids: &[i32]) -> &'a [u64] {
    let all = run.scratch::<u64>();
    // SAFETY: the caller's promise.
    let (places, counts) = unsafe {
        let counts = std::slice::from_raw_parts_mut(all.add(2 * ids.len()), PIECES << BITS);
        (std::slice::from_raw_parts_mut(all, 2 * ids.len()), counts)
    };
    let (mut from, mut to) = places.split_at_mut(ids.len());
    let (mut n, mut most) = (0, 0);
    for (i, id) in ids.iter().enumerate().filter(|(_, id)| **id >= 0) {
        from[n] = (*id as u64) << 32 | i as u64;
        most |= *id as u64;
        n += 1;
    }
    let pieces = if n >= MANY { PIECES } else { 1 };
    let part = |piece: usize| piece * n / pieces..(piece + 1) * n / pieces;
    let mut shift = 32;
    while most >> (shift - 32) > 0 {
        let digit = |pair: u64| (pair >> shift) as usize & ((1 << BITS) - 1);
        let (starts, target) = (Shared(counts.as_mut_ptr()), Shared(to.as_mut_ptr()));
        // SAFETY: there are counters for each piece.
        let starts_of =
            |piece: usize| unsafe { std::slice::from_raw_parts_mut(starts.get().add(piece << BITS), 1 << BITS) };
        run.parallel(pieces, |piece, _| {
            let starts = starts_of(piece);
            starts.fill(0);
            from[part(piece)].iter().for_each(|pair| starts[digit(*pair)] += 1);
        });
        let mut next = 0;
        for digit in 0..1 << BITS {
            for piece in 0..pieces {
                next += std::mem::replace(&mut counts[piece << BITS | digit], next);
            }
        }
        run.parallel(pieces, |piece, _| {
            let starts = starts_of(piece);
            for pair in &from[part(piece)] {
                let place = &mut starts[digit(*pair)];
                // SAFETY: each of the numbers has a place of its own below n.
                unsafe { *target.get().add(*place as usize) = *pair };
                *place += 1;
            }
        });
        std::mem::swap(&mut from, &mut to);
        shift += BITS;
    }
    &from[..n]
}

pub(crate) fn prepare_unique(call: &Call<'_>) -> Result<Task, String> {
    let ([ids], [y]) = call.operands()?;
    let n = ids.size();
    let fits = [ids, y].iter().all(|v| v.dtype == DType::I32 && v.size() == n && v.is_contiguous());
    require(fits, || format!("{} to {}", text(ids), text(y)))?;
    Ok(Box::new(move |run| {
        // SAFETY: input and output have n elements of i32 and are apart, the scratch is that for sorting them.
        let (sorted, y) = unsafe {
            let y = std::slice::from_raw_parts_mut(run.output::<i32>(0), n);
            (sorted(run, run.slice::<i32>(0, n)), y)
        };
        let mut kept = 0;
        for pair in sorted {
            let id = (pair >> 32) as i32;
            if kept == 0 || y[kept - 1] != id {
                y[kept] = id;
                kept += 1;
            }
        }
        y[kept..].fill(-1);
        Ok(())
    }))
}

pub(crate) fn prepare_merge_rows(call: &Call<'_>) -> Result<Task, String> {
    let ([ids, unique, rows], [y]) = call.operands()?;
    let (n, width) = table(rows, y.size())?;
    let fits = [ids, unique].iter().all(|v| v.dtype == DType::I32 && v.size() == n && v.is_contiguous());
    require(fits && y.size() == n * width && y.dtype == rows.dtype, || format!("{} to {}", text(rows), text(y)))?;
    by_dtype!(y.dtype, number, merge_task(n, width))
}

fn merge_task<T: Sum>(n: usize, width: usize) -> Result<Task, String> {
    let ranges = ranges(n * width, n);
    Ok(Box::new(move |run| {
        // SAFETY: both inputs have n elements of i32, the scratch is that for sorting them.
        let (sorted, unique) = unsafe { (sorted(run, run.slice::<i32>(0, n)), run.slice::<i32>(1, n)) };
        let unique = &unique[..unique.iter().position(|&u| u < 0).unwrap_or(n)];
        let mut slot = 0;
        for id in sorted.iter().map(|pair| (pair >> 32) as i32) {
            while unique.get(slot).is_some_and(|u| *u < id) {
                slot += 1;
            }
            if unique.get(slot) != Some(&id) {
                return Err(format!("number {id} is not among the unique ones"));
            }
        }
        let share = n.div_ceil(ranges);
        run.parallel(ranges, |range, _| {
            let mine = (range * share).min(n)..((range + 1) * share).min(n);
            let known = &unique[mine.start.min(unique.len())..mine.end.min(unique.len())];
            // SAFETY: each range writes its own rows of the n there are; the zero of every dtype is zero bits.
            unsafe {
                run.output::<T>(0).add(mine.start * width).write_bytes(0, mine.len() * width);
                let Some(&least) = known.first() else { return };
                let mut at = sorted.partition_point(|pair| ((pair >> 32) as i32) < least);
                for (slot, id) in known.iter().enumerate() {
                    let to = run.output::<T>(0).add((mine.start + slot) * width);
                    while let Some(pair) = sorted.get(at).filter(|pair| (**pair >> 32) as i32 == *id) {
                        if let Some(ahead) = sorted.get(at + AHEAD) {
                            soon(run.input::<T>(2).wrapping_add((ahead & 0xffff_ffff) as usize * width));
                        }
                        add_row(run.input::<T>(2).add((pair & 0xffff_ffff) as usize * width), to, width);
                        at += 1;
                    }
                }
            }
        });
        Ok(())
    }))
}

pub(crate) fn prepare_write_rows(call: &Call<'_>) -> Result<Task, String> {
    let ([t, _, added], [y]) = call.operands()?;
    let (rows, width) = table(t, added.size())?;
    let ids = Ids::of(call, 1)?;
    let fits = added.is_contiguous() && added.size() == ids.count * width && t.size() == y.size();
    require(fits && [t.dtype, added.dtype] == [y.dtype; 2], || format!("{} into {}", text(added), text(t)))?;
    Ok(by_width!(y.dtype, write_task(ids, rows, width)))
}

fn write_task<T: Copy + 'static>(ids: Ids, rows: usize, width: usize) -> Task {
    Box::new(move |run| {
        ids.check(run, -1..rows as i64)?;
        // SAFETY: table and result are the same memory or apart; the ids were checked.
        unsafe {
            if run.input::<T>(0) != run.output::<T>(0).cast_const() {
                run.pieces(rows * width, CHUNK, |a, b| {
                    std::ptr::copy_nonoverlapping(run.input::<T>(0).add(a), run.output::<T>(0).add(a), b - a);
                });
            }
        }
        // No number comes twice, so that pieces write apart.
        run.pieces(ids.count, CHUNK / width.max(1), |first, last| {
            for i in first..last {
                if i + AHEAD < last {
                    soon(run.output::<T>(0).wrapping_offset(ids.get(run, i + AHEAD) as isize * width as isize));
                }
                if let Ok(row) = usize::try_from(ids.get(run, i)) {
                    // SAFETY: the ids were checked, and there is a row for each.
                    unsafe {
                        let to = run.output::<T>(0).add(row * width);
                        std::ptr::copy_nonoverlapping(run.input::<T>(2).add(i * width), to, width);
                    }
                }
            }
        });
        Ok(())
    })
}
