//! Running a compiled program.

use super::load::{Load, NOTHING, offset, repeat};
use super::{LINE, Micro, Op, Phase, Program, STEP, Total};
use crate::cpu::isa::soon;
use crate::cpu::kernels::Run;
use crate::cpu::view::{MAX_RANK, Walk, coordinates};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tfm_lowering::plan::halves::Half;

/// What a thread works with.
struct Local {
    /// Where each register is.
    table: *mut *mut u8,
    base: *mut u8,
}

/// A part of the iteration space.
#[derive(Clone, Copy)]
struct Part {
    start: usize,
    n: usize,
}

/// The number of the name of the operation that could not be done.
type Failed = usize;

impl Program {
    pub fn run(&self, run: &Run<'_>) -> Result<(), String> {
        let failed = AtomicUsize::new(usize::MAX);
        let blocks = self.total.div_ceil(self.block);
        let chunks = if self.totals.is_empty() { blocks.div_ceil(self.chunk) } else { self.pieces };
        run.parallel(chunks, |chunk, thread| {
            let blocks = match self.totals.is_empty() {
                true => (chunk * self.chunk)..blocks.min((chunk + 1) * self.chunk),
                false => (chunk * blocks / chunks)..((chunk + 1) * blocks / chunks),
            };
            let (first, last) = (blocks.start * self.block, self.total.min(blocks.end * self.block));
            // SAFETY: the step was checked, and the thread's memory is as large as `prepare` asked.
            if let Err(op) = unsafe { self.chunk(run, chunk, thread, first, last) } {
                failed.fetch_min(op, Relaxed);
            }
        });
        if let Some(name) = self.names.get(failed.into_inner()) {
            return Err(format!("`{name}` of a whole number by zero"));
        }
        for total in &self.totals {
            run.pieces(total.results, 1 << 12, |from, to| {
                // SAFETY: every piece was cleared, and the output has room for all results.
                unsafe {
                    let sums = run.scratch::<u8>().add(total.scratch + 8 * from);
                    let out = run.output::<u8>(total.output).add(from * total.bytes);
                    (total.folder.merge)(run.path, sums, total.results, self.pieces, to - from, out);
                }
            });
        }
        Ok(())
    }

    /// Computes a chunk.
    ///
    /// # Safety
    /// Registers have an entry in the thread's table, buffers hold a tile of any dtype, views are inside their spaces,
    /// the scratch has room for the sums of each piece.
    unsafe fn chunk(
        &self,
        run: &Run<'_>,
        chunk: usize,
        thread: usize,
        first: usize,
        last: usize,
    ) -> Result<(), Failed> {
        let base = run.local(thread);
        let local = Local { table: base.cast(), base };
        // SAFETY: the caller's promise.
        unsafe {
            for &(register, offset) in &self.buffers {
                *local.register(register) = base.add(offset);
            }
            for total in &self.totals {
                (total.folder.clear)(total.sums(run, chunk), total.results);
            }
            for (register, bytes, size) in &self.constants {
                repeat(run.path, bytes.as_ptr(), *size, 1, self.tile, *local.register(*register));
            }
            for (i, input) in self.inputs.iter().enumerate() {
                *local.filled(self, i) = NOTHING;
                match input.load {
                    Load::Scalar => repeat(run.path, run.input(i), input.bytes, 1, self.tile, *local.table.add(i)),
                    Load::Row => input.copy(run.input(i), 0, self.tile, *local.table.add(i)),
                    Load::Period(n) => input.copy(run.input(i), 0, n, base.add(input.buffer)),
                    Load::Direct | Load::Strided => {}
                }
            }
            for op in &self.fixed {
                op.call(&local, self.tile)?;
            }
            for start in (first..last).step_by(self.block) {
                self.block(run, chunk, &local, Part { start, n: self.block.min(last - start) })?;
            }
        }
        Ok(())
    }

    /// Computes a block: all phases of its rows, or of a tile where there are no rows.
    ///
    /// # Safety
    /// As for `chunk`, which has filled what is the same everywhere.
    #[inline]
    unsafe fn block(&self, run: &Run<'_>, chunk: usize, local: &Local, block: Part) -> Result<(), Failed> {
        let rows = Part { start: block.start / self.length, n: block.n / self.length };
        let (first, last) = self.needed(rows.start, block.n);
        // SAFETY: the caller's promise; what is needed is inside the block.
        unsafe {
            for phase in &self.phases {
                self.begin(run, local, phase, rows, self.length.min(self.tile).min(last - first))?;
                for at in (first..last).step_by(self.tile) {
                    let tile = Part { start: block.start + at, n: self.tile.min(last - at) };
                    self.tile(run, chunk, local, phase, tile, at)?;
                }
                if self.tile < self.block {
                    for (folder, state, to) in phase.row_folds() {
                        (folder.finish)(local.base.add(state), *local.register(to));
                    }
                }
            }
            for (from, to) in [(0, first), (last, block.n)].into_iter().filter(|(from, to)| from < to) {
                for output in &self.outputs {
                    let start = run.output::<u8>(output.output).add((block.start + from) * output.bytes);
                    start.write_bytes(0, (to - from) * output.bytes);
                }
            }
            for narrow in &self.narrow_outputs {
                let to = run.output::<u8>(narrow.output).add(rows.start * narrow.bytes);
                std::ptr::copy(*local.register(narrow.register), to, rows.n * narrow.bytes);
            }
        }
        Ok(())
    }

    /// From where to where a block is computed: all of it, or a row without what is left out.
    #[inline]
    fn needed(&self, row: usize, n: usize) -> (usize, usize) {
        match self.skips {
            None => (0, n),
            Some((Half::After, rows)) => (0, (row % rows + 1).next_multiple_of(STEP).min(n)),
            Some((Half::Before, rows)) => ((row % rows / STEP * STEP).min(n), n),
        }
    }

    /// What a phase does by rows, before it goes through their elements, of which a tile has so many of each.
    ///
    /// # Safety
    /// As for `block`.
    #[inline]
    unsafe fn begin(
        &self,
        run: &Run<'_>,
        local: &Local,
        phase: &Phase,
        rows: Part,
        length: usize,
    ) -> Result<(), Failed> {
        // SAFETY: the caller's promise.
        unsafe {
            for &i in &phase.row_loads {
                let input = &self.inputs[i];
                *local.table.add(i) =
                    input.rows(run.path, run.input(i), rows.start, rows.n, local.base.add(input.buffer));
            }
            for op in &phase.by_row {
                op.call(local, rows.n)?;
            }
            for &(from, to, bytes) in &phase.repeats {
                repeat(run.path, *local.register(from), bytes, rows.n, length, *local.register(to));
            }
            if self.tile < self.block {
                for (folder, state, _) in phase.row_folds() {
                    (folder.start)(local.base.add(state));
                }
            }
        }
        Ok(())
    }

    /// Computes a tile, which begins `at` elements behind the start of its block.
    ///
    /// # Safety
    /// As for `block`.
    #[inline]
    unsafe fn tile(
        &self,
        run: &Run<'_>,
        chunk: usize,
        local: &Local,
        phase: &Phase,
        tile: Part,
        at: usize,
    ) -> Result<(), Failed> {
        // SAFETY: the caller's promise.
        unsafe {
            let first = if self.strided { coordinates(&self.shape, tile.start) } else { [0; MAX_RANK] };
            for &i in &phase.loads {
                let input = &self.inputs[i];
                let buffer = (local.base.add(input.buffer), self.tile, &mut *local.filled(self, i));
                *local.table.add(i) = input.at(run.path, run.input(i), (tile.start, tile.n), &first, buffer);
            }
            for &(register, offset, bytes) in &self.whole_rows {
                *local.register(register) = local.base.add(offset + at * bytes);
            }
            for output in self.outputs.iter().filter(|o| o.direct) {
                *local.register(output.register) = run.output::<u8>(output.output).add(tile.start * output.bytes);
            }
            for (step, micro) in phase.micros.iter().enumerate() {
                for &(i, lines) in &phase.streams {
                    ask_ahead(run.input(i), self.inputs[i].bytes, tile, (step * lines, lines));
                }
                match micro {
                    Micro::Op(op) => op.call(local, tile.n)?,
                    #[cfg(target_arch = "x86_64")]
                    Micro::Native(native) => native.call(local.table.cast_const(), tile.n),
                    Micro::Row { folder, from, state, .. } if self.tile < self.block => {
                        (folder.take)(run.path, local.base.add(*state), *local.register(*from), tile.n);
                    }
                    Micro::Row { folder, from, to, .. } => {
                        // A part of a row is one.
                        let length = self.length.min(tile.n);
                        (folder.rows)(run.path, *local.register(*from), tile.n / length, length, *local.register(*to));
                    }
                    Micro::Total { from, total } => {
                        self.totals[*total].take(run, chunk, &self.shape, *local.register(*from), (tile, &first));
                    }
                }
            }
            for output in phase.copies.iter().map(|o| &self.outputs[*o]) {
                let to = run.output::<u8>(output.output).add(tile.start * output.bytes);
                std::ptr::copy(*local.register(output.register), to, tile.n * output.bytes);
            }
        }
        Ok(())
    }
}

/// Asks for some lines of the tile behind this one, from one of them on: all at once would stop the loops.
#[inline(always)]
fn ask_ahead(input: *const u8, bytes: usize, tile: Part, (first, lines): (usize, usize)) {
    let next = input.wrapping_add((tile.start + tile.n) * bytes + first * LINE);
    for line in 0..lines {
        soon(next.wrapping_add(line * LINE));
    }
}

impl Local {
    /// # Safety
    /// The table has an entry for the register.
    #[inline(always)]
    unsafe fn register(&self, register: u16) -> *mut *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.table.add(register.into()) }
    }

    /// What fills the buffer of an input, behind the table.
    ///
    /// # Safety
    /// There is room behind the table for each input.
    #[inline(always)]
    unsafe fn filled(&self, program: &Program, input: usize) -> *mut isize {
        // SAFETY: the caller's promise.
        unsafe { self.table.add(program.registers + input).cast() }
    }
}

impl Op {
    /// # Safety
    /// The table points at `n` elements for each argument and the result.
    #[inline]
    unsafe fn call(&self, local: &Local, n: usize) -> Result<(), Failed> {
        // SAFETY: the caller's promise.
        unsafe {
            let args = self.args.map(|a| (*local.register(a)).cast_const());
            if (self.tile)(n, args, *local.register(self.out)) { Ok(()) } else { Err(self.name) }
        }
    }
}

impl Total {
    /// The sums of a piece.
    fn sums(&self, run: &Run<'_>, piece: usize) -> *mut u8 {
        run.scratch::<u8>().wrapping_add(self.scratch + 8 * piece * self.results)
    }

    /// Puts the elements of a tile into the sums they belong to.
    ///
    /// # Safety
    /// The register holds the tile, which begins at these coordinates, and the scratch has room for the sums of the
    /// piece.
    unsafe fn take(
        &self,
        run: &Run<'_>,
        piece: usize,
        shape: &[usize],
        from: *const u8,
        (tile, first): (Part, &[usize; MAX_RANK]),
    ) {
        let sums = self.sums(run, piece);
        let last = shape.len() - 1;
        let (inner, each) = (shape[last], self.strides[last] != 0);
        let (mut column, mut done) = (first[last], 0);
        if !each && column + tile.n <= inner {
            let to = sums.wrapping_offset(8 * offset(&self.strides, first));
            // SAFETY: the caller's promise.
            return unsafe { (self.folder.into_one)(run.path, from, tile.n, to) };
        }
        let mut row = Walk::from(&shape[..last], &self.strides[..last], tile.start / inner);
        while done < tile.n {
            let n = (inner - column).min(tile.n - done);
            // SAFETY: the caller's promise.
            unsafe {
                let from = from.add(done * self.bytes);
                let to = sums.add(8 * row.offset as usize);
                match each {
                    true => (self.folder.into_each)(run.path, from, n, to.add(8 * column)),
                    false => (self.folder.into_one)(run.path, from, n, to),
                }
            }
            done += n;
            column = 0;
            row.advance();
        }
    }
}
