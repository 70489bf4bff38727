//! Inference: the forward pass of one example, each run timed by itself.

use super::Work;
use super::measure::{Measured, Trainee, peak_memory, since_start};
use crate::failure::Failure;
use serde_json::json;
use std::time::Instant;
use tfm_runtime::session::{Call, Context};
use tfm_runtime::tensor::Tensor;

/// Examples that are used in turn, and runs before the first that counts.
const EXAMPLES: usize = 12;
const WARM: usize = 50;
/// The least number of runs.
const RUNS: usize = 200;

/// The median and the 99th percentile of the time from feeding one example to its outputs.
pub fn measure(work: &Work, trainee: &mut Trainee, seconds: f64) -> Result<Measured, Failure> {
    if trainee.outputs.is_empty() {
        return Err(Failure::Message(format!("the workload {} applies no model", work.name)));
    }
    let batch = &trainee.batches[0];
    let examples: Vec<Vec<Tensor>> = (0..EXAMPLES.min(batch.examples))
        .map(|i| batch.tensors.iter().map(|field| field.rows(i, 1)).collect())
        .collect();
    let outputs: Vec<&str> = trainee.outputs.iter().map(String::as_str).collect();
    let context = Context { seed: trainee.seed, step: 0 };
    trainee.session.set_size("B", 1);
    let mut out = Vec::new();
    let mut run = |i: usize| -> Result<f64, Failure> {
        let start = Instant::now();
        let example = &examples[i % examples.len()];
        let feeds: Vec<(&str, &Tensor)> = trainee.fields.iter().map(String::as_str).zip(example).collect();
        let call = Call { entry: &trainee.evaluate, feeds: &feeds, fetches: &outputs, assigns: false, context };
        trainee.session.run_into(&call, &mut out)?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    run(0)?;
    let first = since_start();
    (0..WARM).try_for_each(|i| run(i).map(|_| ()))?;
    let (mut times, start) = (Vec::new(), Instant::now());
    while times.len() < RUNS || start.elapsed().as_secs_f64() < seconds {
        times.push(run(times.len())?);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    Ok(Measured(json!({
        "peer": "tfm", "version": env!("CARGO_PKG_VERSION"), "mode": "infer", "work": work.name, "infer": true,
        "threads": trainee.threads, "batch": 1, "p50_ms": at(0.5), "p99_ms": at(0.99), "runs": times.len(),
        "first_step_s": first, "max_rss_mb": peak_memory(),
    })))
}
