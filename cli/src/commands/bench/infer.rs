//! Inference: the forward pass of one example, each run timed by itself.

use super::Work;
use super::measure::{Measured, Trainee, peak_memory, since_start};
use crate::commands::forward::Forward;
use crate::failure::Failure;
use serde_json::json;
use std::time::Instant;

/// Runs before the first that counts.
const WARM: usize = 50;
/// The least number of runs.
const RUNS: usize = 200;

/// The median and the 99th percentile of the time from feeding one example to its outputs.
pub fn measure(work: &Work, trainee: &mut Trainee, seconds: f64) -> Result<Measured, Failure> {
    let mut forward = Forward::new(&mut trainee.session, &trainee.train, &trainee.fields, &trainee.batches[0])?;
    let mut run = |i: usize| -> Result<f64, Failure> {
        let start = Instant::now();
        forward.run(&mut trainee.session, i)?;
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
