//! Reductions over axes: `sum`, `sum_to`, `max`, `min`.
//!
//! Sums of f32 are made in f64, those of integers in i64. Elements are taken in a fixed order into a fixed number of
//! lanes, and a large reduction into few results is cut into segments that depend only on sizes.

use super::isa::versions;
use super::kernels::{Call, Run, Task, axis, by_dtype, require};
use super::movement::text;
use super::view::{Walk, collapse, place};
use tfm_lang::types::DType;

/// Elements of a chunk.
const CHUNK: usize = 1 << 15;
/// Fewer results, or blocks of columns, than this are given out in segments.
const FEW: usize = 8;
/// Sums made side by side along a row.
pub(super) const LANES: usize = 16;
/// Columns added at once.
const BLOCK: usize = 256;

/// How elements are put together.
pub(super) trait Fold<T>: Copy + Send + Sync + 'static {
    type Acc: Copy;
    const START: Self::Acc;
    fn step(acc: Self::Acc, x: T) -> Self::Acc;
    fn merge(a: Self::Acc, b: Self::Acc) -> Self::Acc;
    fn finish(acc: Self::Acc) -> T;
}

#[derive(Clone, Copy, Default)]
pub(super) struct Sum;
#[derive(Clone, Copy, Default)]
pub(super) struct Max;
#[derive(Clone, Copy, Default)]
pub(super) struct Min;

macro_rules! sums {
    ($($t:ty => $acc:ty, $plus:expr;)*) => { $(
        impl Fold<$t> for Sum {
            type Acc = $acc;
            const START: $acc = 0 as $acc;
            #[inline(always)]
            fn step(acc: $acc, x: $t) -> $acc { ($plus)(acc, x as $acc) }
            #[inline(always)]
            fn merge(a: $acc, b: $acc) -> $acc { ($plus)(a, b) }
            #[inline(always)]
            fn finish(acc: $acc) -> $t { acc as $t }
        }
    )* };
}
sums! {
    f32 => f64, |a, b| a + b;
    f64 => f64, |a, b| a + b;
    i64 => i64, i64::wrapping_add;
    i32 => i64, i64::wrapping_add;
    i8 => i64, i64::wrapping_add;
    u8 => i64, i64::wrapping_add;
}

macro_rules! extremes {
    ($fold:ident, $op:tt, $($t:ty: $start:expr),*) => { $(
        impl Fold<$t> for $fold {
            type Acc = $t;
            const START: $t = $start;
            /// A NaN stays.
            #[inline(always)]
            #[allow(clippy::eq_op)]
            fn step(acc: $t, x: $t) -> $t { if (x $op acc) | (x != x) { x } else { acc } }
            #[inline(always)]
            fn merge(a: $t, b: $t) -> $t { Self::step(a, b) }
            #[inline(always)]
            fn finish(acc: $t) -> $t { acc }
        }
    )* };
}
extremes!(Max, >, f32: f32::NEG_INFINITY, f64: f64::NEG_INFINITY, i64: i64::MIN, i32: i32::MIN, i8: i8::MIN, u8: 0);
extremes!(Min, <, f32: f32::INFINITY, f64: f64::INFINITY, i64: i64::MAX, i32: i32::MAX, i8: i8::MAX, u8: u8::MAX);

/// A reduction's axes, the kept and the reduced ones apart, and how it is cut.
struct Plan {
    kept: (Vec<usize>, Vec<isize>),
    reduced: (Vec<usize>, Vec<isize>),
    results: usize,
    each: usize,
    /// True: the last kept axis is contiguous, and whole rows are added. False: each result by itself.
    columns: bool,
    /// Pieces that the reduced elements are cut into.
    segments: usize,
}

impl Plan {
    fn new(shape: &[usize], strides: &[isize], reduced: &[bool]) -> Plan {
        let part = |which: bool| {
            let axes = || (0..shape.len()).filter(|&a| reduced[a] == which);
            let (sizes, steps): (Vec<usize>, Vec<isize>) = axes().map(|a| (shape[a], strides[a])).unzip();
            let (sizes, mut steps) = collapse(&sizes, &[&steps]);
            (sizes, steps.pop().unwrap_or_default())
        };
        let (kept, reduced) = (part(false), part(true));
        let (results, each): (usize, usize) = (kept.0.iter().product(), reduced.0.iter().product());
        let runs = |axes: &(Vec<usize>, Vec<isize>)| axes.1.last() == Some(&1) && axes.0.last() > Some(&1);
        let columns = runs(&kept) && !runs(&reduced);
        let mut plan = Plan { kept, reduced, results, each, columns, segments: 1 };
        if plan.units() < FEW && results * each > 2 * CHUNK {
            plan.segments = (results * each / CHUNK).min(16).min(each);
        }
        plan
    }

    /// Columns of a unit: blocks do not go beyond the last kept axis.
    fn width(&self) -> usize {
        if self.columns { BLOCK.min(self.kept.0[self.kept.0.len() - 1]) } else { 1 }
    }

    /// What can be given out: results, or blocks of columns.
    fn units(&self) -> usize {
        if self.columns {
            let inner = self.kept.0[self.kept.0.len() - 1];
            self.results / inner * inner.div_ceil(BLOCK)
        } else {
            self.results
        }
    }

    /// Units in a chunk: enough work, but not so many that threads go without.
    fn grain(&self) -> usize {
        let grain = CHUNK / (self.width() * self.each.div_ceil(self.segments)).max(1);
        let share = if self.results * self.each > 2 * CHUNK { self.units().div_ceil(FEW) } else { grain };
        grain.min(share).max(1)
    }

    fn scratch(&self) -> usize {
        if self.segments > 1 { self.segments * self.results * 8 } else { 0 }
    }
}

/// Which axes go: those of `axis`, or for `sum_to` those that the target shape does not have.
fn plan(call: &Call<'_>) -> Result<Plan, String> {
    let ([x], [y]) = call.operands()?;
    let rank = x.shape.len();
    let mut reduced = vec![false; rank];
    if call.attrs.iter().any(|(name, _)| &**name == "shape") {
        let target = call.ints("shape")?;
        let lead = rank.checked_sub(target.len()).ok_or_else(|| format!("{} has too few axes", text(x)))?;
        for a in 0..rank {
            reduced[a] = a < lead || (target[a - lead] == 1 && x.shape[a] != 1);
        }
    } else {
        let axes = call.ints("axis")?;
        reduced.fill(axes.is_empty());
        for a in axes {
            reduced[axis(a, rank)?] = true;
        }
    }
    let kept: usize = (0..rank).filter(|&a| !reduced[a]).map(|a| x.shape[a]).product();
    require(kept == y.size() && x.dtype == y.dtype, || format!("{} to {}", text(x), text(y)))?;
    Ok(Plan::new(&x.shape, &x.strides, &reduced))
}

pub(crate) fn scratch(call: &Call<'_>) -> usize {
    plan(call).map_or(0, |p| p.scratch())
}

pub(crate) fn prepare_sum(call: &Call<'_>) -> Result<Task, String> {
    let plan = plan(call)?;
    by_dtype!(dtype(call), number, task(plan, Sum))
}

pub(crate) fn prepare_sum_to(call: &Call<'_>) -> Result<Task, String> {
    prepare_sum(call)
}

pub(crate) fn prepare_max(call: &Call<'_>) -> Result<Task, String> {
    let plan = plan(call)?;
    by_dtype!(dtype(call), number, task(plan, Max))
}

pub(crate) fn prepare_min(call: &Call<'_>) -> Result<Task, String> {
    let plan = plan(call)?;
    by_dtype!(dtype(call), number, task(plan, Min))
}

fn dtype(call: &Call<'_>) -> DType {
    call.inputs[0].dtype
}

fn task<T: Copy + 'static>(plan: Plan, fold: impl Fold<T>) -> Result<Task, String> {
    Ok(Box::new(move |run| {
        reduce(&plan, fold, run);
        Ok(())
    }))
}

fn reduce<T: Copy, F: Fold<T>>(plan: &Plan, fold: F, run: &Run<'_>) {
    let (units, grain, segments) = (plan.units(), plan.grain(), plan.segments);
    let chunks = units.div_ceil(grain);
    run.parallel(chunks * segments, |chunk, _| {
        let (segment, first) = (chunk / chunks, chunk % chunks * grain);
        let elements = (segment * plan.each / segments, (segment + 1) * plan.each / segments);
        let sink = if segments > 1 {
            Sink::Parts(run.scratch::<F::Acc>().wrapping_add(segment * plan.results))
        } else {
            Sink::Results(run.output::<T>(0))
        };
        // SAFETY: the view is inside its space; units write apart; the scratch has room for all segments.
        unsafe {
            let units = (first, units.min(first + grain));
            if plan.columns {
                columns(run.path, plan, fold, run.input::<T>(0), units, elements, sink);
            } else {
                rows(run.path, plan, fold, run.input::<T>(0), units, elements, sink);
            }
        }
    });
    if segments > 1 {
        for i in 0..plan.results {
            let part = |s: usize| run.scratch::<F::Acc>().wrapping_add(s * plan.results + i);
            // SAFETY: every part was written above.
            unsafe {
                let acc = (1..segments).fold(*part(0), |acc, s| F::merge(acc, *part(s)));
                *run.output::<T>(0).add(i) = F::finish(acc);
            }
        }
    }
}

/// Where results go.
#[derive(Clone, Copy)]
enum Sink<T, A> {
    Results(*mut T),
    Parts(*mut A),
}

impl<T, A: Copy> Sink<T, A> {
    /// # Safety
    /// There is room for this many results.
    #[inline(always)]
    unsafe fn put<F: Fold<T, Acc = A>>(&self, _: F, i: usize, acc: A) {
        // SAFETY: the caller's promise.
        unsafe {
            match *self {
                Sink::Results(y) => *y.add(i) = F::finish(acc),
                Sink::Parts(parts) => *parts.add(i) = acc,
            }
        }
    }
}

/// The elements of one result that have been put together.
#[derive(Clone, Copy)]
pub(super) struct Lanes<A> {
    lanes: [A; LANES],
    tail: A,
}

impl<A: Copy> Lanes<A> {
    /// Nothing yet.
    #[inline(always)]
    pub fn new(start: A) -> Lanes<A> {
        Lanes { lanes: [start; LANES], tail: start }
    }

    /// The lanes of whole groups, and what came behind them.
    pub fn parts(&mut self) -> (&mut [A; LANES], &mut A) {
        (&mut self.lanes, &mut self.tail)
    }

    /// Takes `n` elements: whole groups into the lanes, the rest one by one.
    ///
    /// # Safety
    /// The elements are in memory.
    #[inline(always)]
    pub unsafe fn take<T: Copy, F: Fold<T, Acc = A>>(&mut self, _: F, from: *const T, n: usize, step: isize) {
        let whole = n / LANES * LANES;
        // SAFETY: the caller's promise.
        unsafe {
            if step == 1 {
                // Whole arrays, so that they stay in registers.
                let mut lanes = self.lanes;
                for i in (0..whole).step_by(LANES) {
                    let x = from.add(i).cast::<[T; LANES]>().read();
                    let mut next = lanes;
                    for lane in 0..LANES {
                        next[lane] = F::step(lanes[lane], x[lane]);
                    }
                    lanes = next;
                }
                self.lanes = lanes;
            } else {
                for i in (0..whole).step_by(LANES) {
                    for (lane, acc) in self.lanes.iter_mut().enumerate() {
                        *acc = F::step(*acc, *from.offset((i + lane) as isize * step));
                    }
                }
            }
            for i in whole..n {
                self.tail = F::step(self.tail, *from.offset(i as isize * step));
            }
        }
    }

    /// Halves onto halves, then the rest.
    #[inline(always)]
    pub fn merge<T, F: Fold<T, Acc = A>>(mut self, _: F) -> A {
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                self.lanes[i] = F::merge(self.lanes[i], self.lanes[i + width]);
            }
        }
        F::merge(self.lanes[0], self.tail)
    }
}

versions! {
    /// Each result by itself: its elements in order, along the last reduced axis in lanes.
    unsafe fn rows[T: Copy, F: Fold<T>](
        plan: &Plan, fold: F, x: *const T, units: (usize, usize), elements: (usize, usize), sink: Sink<T, F::Acc>
    ) {
        let (sizes, steps) = (&plan.reduced.0, &plan.reduced.1);
        let last = sizes.len() - 1;
        let (inner, step) = (sizes[last], steps[last]);
        let mut result = Walk::from(&plan.kept.0, &plan.kept.1, units.0);
        for unit in units.0..units.1 {
            let mut lanes = Lanes::new(F::START);
            // SAFETY: the caller's promise.
            unsafe {
                let x = x.offset(result.offset);
                if last == 0 {
                    lanes.take(fold, x.offset(elements.0 as isize * step), elements.1 - elements.0, step);
                } else {
                    let mut row = Walk::from(&sizes[..last], &steps[..last], elements.0 / inner);
                    let (mut at, mut left) = (elements.0 % inner, elements.1 - elements.0);
                    while left > 0 {
                        let n = (inner - at).min(left);
                        lanes.take(fold, x.offset(row.offset + at as isize * step), n, step);
                        left -= n;
                        at = 0;
                        row.advance();
                    }
                }
                sink.put(fold, unit, lanes.merge(fold));
            }
            result.advance();
        }
    }
}

versions! {
    /// A block of neighbouring results at once: rows are added to it one after the other.
    unsafe fn columns[T: Copy, F: Fold<T>](
        plan: &Plan, fold: F, x: *const T, units: (usize, usize), elements: (usize, usize), sink: Sink<T, F::Acc>
    ) {
        let last = plan.kept.0.len() - 1;
        let inner = plan.kept.0[last];
        let blocks = inner.div_ceil(BLOCK);
        for unit in units.0..units.1 {
            let (outer, first) = (unit / blocks, unit % blocks * BLOCK);
            let width = BLOCK.min(inner - first);
            let base = place(&plan.kept.0[..last], &plan.kept.1[..last], outer) + first as isize;
            let mut acc = [F::START; BLOCK];
            let mut row = Walk::from(&plan.reduced.0, &plan.reduced.1, elements.0);
            for _ in elements.0..elements.1 {
                // SAFETY: the caller's promise.
                let from = unsafe { x.offset(base + row.offset) };
                for (i, acc) in acc[..width].iter_mut().enumerate() {
                    // SAFETY: the caller's promise.
                    *acc = F::step(*acc, unsafe { *from.add(i) });
                }
                row.advance();
            }
            for (i, &acc) in acc[..width].iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { sink.put(fold, outer * inner + first + i, acc) };
            }
        }
    }
}
