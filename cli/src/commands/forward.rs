//! Forward passes of one example: what `tfm bench --infer` and `tfm profile --infer` measure.

use crate::failure::Failure;
use tfm_lang::model::Train;
use tfm_lowering::build::evaluate_entry;
use tfm_runtime::data::Batch;
use tfm_runtime::session::{Call, Context, Session};
use tfm_runtime::tensor::Tensor;

/// Examples that are used in turn, at most.
const EXAMPLES: usize = 12;

/// The models of a block, applied to examples one by one, without its losses.
pub struct Forward {
    entry: String,
    outputs: Vec<String>,
    fields: Vec<String>,
    examples: Vec<Vec<Tensor>>,
    context: Context,
    out: Vec<Tensor>,
}

impl Forward {
    /// Of the first examples of a batch that has these fields; the session's batches have one example from now on.
    ///
    /// # Errors
    /// Where the block applies no model.
    pub fn new(session: &mut Session, train: &Train, fields: &[String], batch: &Batch) -> Result<Forward, Failure> {
        let outputs: Vec<String> = train.evaluation.outputs.iter().map(|(name, _)| name.clone()).collect();
        if outputs.is_empty() {
            let message = format!("`train {}` applies no model: there is no forward pass", train.name);
            return Err(Failure::Message(message));
        }
        session.set_size("B", 1);
        let one = |i: usize| batch.tensors.iter().map(|field| field.rows(i, 1)).collect();
        let examples = (0..EXAMPLES.min(batch.examples)).map(one).collect();
        let (entry, context) = (evaluate_entry(&train.name), Context { seed: train.seed, step: 0 });
        Ok(Forward { entry, outputs, fields: fields.to_vec(), examples, context, out: Vec::new() })
    }

    /// The pass with this number, counted from 0.
    pub fn run(&mut self, session: &mut Session, number: usize) -> Result<(), Failure> {
        let example = &self.examples[number % self.examples.len()];
        let feeds: Vec<(&str, &Tensor)> = self.fields.iter().map(String::as_str).zip(example).collect();
        let fetches: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
        let call = Call { entry: &self.entry, feeds: &feeds, fetches: &fetches, assigns: false, context: self.context };
        Ok(session.run_into(&call, &mut self.out)?)
    }
}
