//! One step on a batch: as a whole, or in parts (`micro: 32`).

use super::evaluate::{feeds, scalar};
use super::{Call, Cause, Context, Engine, RunError};
use crate::data::Batch;
use crate::tensor::Tensor;
use tfm_lang::model::{Report, Train};
use tfm_lang::types::DType;
use tfm_lowering::build::{part_entry, step_entry};
use tfm_lowering::micro::{LOSS, ROWS, SHARE, SUM};

/// How a block does its steps.
pub struct Step {
    entry: String,
    parts: Option<Parts>,
    out: Vec<Tensor>,
}

/// See [`tfm_lowering::micro()`].
struct Parts {
    entry: String,
    /// Examples in a part; the last one of a batch may have fewer.
    examples: usize,
    /// What is added up from part to part, and zeros of its types.
    sums: Vec<String>,
    zeros: Vec<Tensor>,
    /// What is put one after the other.
    rows: Vec<String>,
}

impl Step {
    /// The steps of a block.
    pub fn of(train: &Train, engine: &dyn Engine) -> Step {
        let parts = train.settings.micro.map(|examples| {
            let entry = part_entry(&train.name);
            let (mut sums, mut zeros, mut rows) = (Vec::new(), Vec::new(), Vec::new());
            for name in engine.outputs(&entry) {
                let of = name.strip_prefix(SUM).and_then(|p| engine.variables().iter().position(|v| v.path == p));
                if let Some(variable) = of {
                    let tensor = &engine.tensors()[variable];
                    zeros.push(Tensor::zeros(tensor.dtype, &tensor.shape));
                    sums.push(name);
                } else if name.starts_with(LOSS) {
                    zeros.push(Tensor::zeros(DType::F32, &[]));
                    sums.push(name);
                } else if name.starts_with(ROWS) {
                    rows.push(name);
                }
            }
            Parts { entry, examples: examples.max(1) as usize, sums, zeros, rows }
        });
        Step { entry: step_entry(&train.name), parts, out: Vec::new() }
    }

    /// Does a step; the values of `shown` are put into `values`.
    pub fn run(
        &mut self,
        engine: &mut dyn Engine,
        (fields, batch): (&[String], &Batch),
        shown: &[Report],
        context: Context,
        values: &mut Vec<f32>,
    ) -> Result<(), RunError> {
        values.clear();
        let names: Vec<&str> = shown.iter().map(|r| r.name.as_str()).collect();
        let Some(parts) = &self.parts else {
            engine.set_size("B", batch.examples as i64);
            let feeds = feeds(fields, batch);
            let call = Call { entry: &self.entry, feeds: &feeds, fetches: &names, assigns: true, context };
            engine.run(&call, &mut self.out)?;
            values.extend(self.out.iter().map(scalar));
            return Ok(());
        };
        let fetches: Vec<&str> = names.into_iter().chain(parts.names()).collect();
        let mut sums = parts.zeros.clone();
        let mut rows: Vec<Vec<Tensor>> = vec![Vec::new(); parts.rows.len()];
        values.resize(shown.len(), 0.0);
        for part in parts.of(batch, context) {
            engine.set_size("B", part.examples as i64);
            let inputs = part.feeds(fields, &parts.sums, &sums);
            engine.run(&part.call(&parts.entry, &inputs, &fetches), &mut self.out)?;
            for ((value, report), found) in values.iter_mut().zip(shown).zip(self.out.iter().map(scalar)) {
                *value = if report.accumulated { found } else { *value + part.share.elements::<f32>()[0] * found };
            }
            let rest = &mut self.out[shown.len()..];
            sums.iter_mut().zip(rest.iter_mut()).for_each(|(sum, found)| std::mem::swap(sum, found));
            for (rows, found) in rows.iter_mut().zip(&rest[parts.sums.len()..]) {
                rows.push(found.clone());
            }
        }
        engine.set_size("B", batch.examples as i64);
        let rows: Vec<Tensor> = rows.iter().map(|parts| Tensor::joined(parts)).collect();
        let inputs: Vec<(&str, &Tensor)> = parts.names().zip(sums.iter().chain(&rows)).collect();
        let call = Call { entry: &self.entry, feeds: &inputs, fetches: &[], assigns: true, context };
        engine.run(&call, &mut self.out)
    }

    /// True where [`Step::search`] does the whole step.
    pub fn is_whole(&self) -> bool {
        self.parts.is_none()
    }

    /// Does a step on a batch (of one in parts, all but the updates) kernel by kernel, and says what gave the first
    /// number that is not finite.
    pub fn search(
        &self,
        engine: &mut dyn Engine,
        (fields, batch): (&[String], &Batch),
        shown: &[&str],
        context: Context,
    ) -> Result<Option<Cause>, RunError> {
        let Some(parts) = &self.parts else {
            engine.set_size("B", batch.examples as i64);
            let feeds = feeds(fields, batch);
            let call = Call { entry: &self.entry, feeds: &feeds, fetches: shown, assigns: true, context };
            return engine.first_not_finite(&call);
        };
        let fetches: Vec<&str> = shown.iter().copied().chain(parts.names()).collect();
        for part in parts.of(batch, context) {
            engine.set_size("B", part.examples as i64);
            let inputs = part.feeds(fields, &parts.sums, &parts.zeros);
            let cause = engine.first_not_finite(&part.call(&parts.entry, &inputs, &fetches))?;
            if cause.is_some() {
                return Ok(cause);
            }
        }
        Ok(None)
    }
}

/// A part of a batch.
struct Part {
    tensors: Vec<Tensor>,
    examples: usize,
    /// Its part of the batch's examples.
    share: Tensor,
    context: Context,
}

impl Part {
    fn call<'a>(&self, entry: &'a str, feeds: &'a [(&'a str, &'a Tensor)], fetches: &'a [&'a str]) -> Call<'a> {
        Call { entry, feeds, fetches, assigns: true, context: self.context }
    }

    fn feeds<'a>(
        &'a self,
        fields: &'a [String],
        names: &'a [String],
        sums: &'a [Tensor],
    ) -> Vec<(&'a str, &'a Tensor)> {
        let own = fields.iter().map(String::as_str).zip(&self.tensors);
        own.chain(names.iter().map(String::as_str).zip(sums)).chain([(SHARE, &self.share)]).collect()
    }
}

impl Parts {
    /// Sums and rows, in the order in which they are fetched.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.sums.iter().chain(&self.rows).map(String::as_str)
    }

    /// The parts of a batch. Each draws random numbers of its own.
    fn of<'a>(&'a self, batch: &'a Batch, context: Context) -> impl Iterator<Item = Part> + 'a {
        (0..batch.examples).step_by(self.examples).map(move |start| {
            let examples = self.examples.min(batch.examples - start);
            let turn = (start / self.examples) as u64;
            // Any odd number does: parts of one batch must differ, and the first be as in a step without parts.
            let seed = context.seed.wrapping_add(turn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            Part {
                tensors: batch.tensors.iter().map(|t| t.rows(start, examples)).collect(),
                examples,
                share: Tensor::of(&[], &[examples as f32 / batch.examples as f32]),
                context: Context { seed, ..context },
            }
        })
    }
}
