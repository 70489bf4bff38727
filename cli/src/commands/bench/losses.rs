//! The losses of the first steps, from given weights and on one given batch: what a comparison with others needs.

use super::measure::Trainee;
use crate::failure::Failure;
use serde_json::json;
use std::path::Path;
use tfm_runtime::checkpoint::{Wanted, Weights};
use tfm_runtime::run::Engine;
use tfm_runtime::session::{Call, Context};
use tfm_runtime::tensor::Tensor;

/// A JSON object with the losses of so many steps, each before its update.
pub fn losses(trainee: &mut Trainee, steps: u64, from: Option<&Path>) -> Result<String, Failure> {
    let mut batch = std::mem::take(&mut trainee.batches[0].tensors);
    if let Some(path) = from {
        let weights = Weights::open(path)?;
        let variables = trainee.session.variables().to_vec();
        let named = |name: &String| weights.names().contains(name);
        let wanted: Vec<Wanted> =
            variables.iter().map(|v| v.path.clone()).enumerate().filter(|(_, n)| named(n)).collect();
        weights.set(&wanted, &variables, trainee.session.tensors_mut())?;
        for (field, tensor) in trainee.fields.iter().zip(&mut batch) {
            *tensor = weights.tensor(&format!("batch.{field}"), tensor.dtype)?;
        }
        let unused: Vec<String> =
            weights.unused(&wanted, "").into_iter().filter(|n| !n.starts_with("batch.")).collect();
        if !unused.is_empty() {
            return Err(Failure::Message(format!("{}: nothing takes {}", path.display(), unused.join(", "))));
        }
    }
    let shown = trainee.shown().to_string();
    let examples = batch.first().and_then(|t| t.shape.first()).copied().unwrap_or(1);
    trainee.session.set_size("B", examples as i64);
    let feeds: Vec<(&str, &Tensor)> = trainee.fields.iter().map(String::as_str).zip(&batch).collect();
    let (mut out, mut losses) = (Vec::new(), Vec::new());
    for step in 1..=steps {
        let context = Context { seed: trainee.train.seed, step };
        let call = Call { entry: &trainee.entry, feeds: &feeds, fetches: &[&shown], assigns: true, context };
        trainee.session.run_into(&call, &mut out)?;
        losses.push(out[0].elements::<f32>()[0]);
    }
    Ok(json!({ "peer": "tfm", "threads": trainee.threads, "losses": losses }).to_string())
}
