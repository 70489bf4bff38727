//! An evaluation: a part of the data once, in order, every report over all of it.

use super::{Call, Context, Engine, Feed, RunError};
use crate::data::Batch;
use crate::tensor::Tensor;
use tfm_lang::model::{DataRef, Glance, Program, Report, VariableKind};
use tfm_lowering::build::images_output;

/// What a program shows: its losses under the names of the graph, then its reports.
pub fn shown(program: &Program) -> Vec<Report> {
    let mut all: Vec<Report> = Vec::new();
    for (i, &value) in program.losses.iter().enumerate() {
        let reported = program.reports.iter().find(|r| r.value == value).map(|r| r.name.clone());
        let name = if program.losses.len() == 1 { Some("loss".into()) } else { reported };
        let name = name.unwrap_or_else(|| format!("loss_{}", i + 1));
        all.push(Report { name, value, accumulated: false, sizes: Vec::new() });
    }
    for report in program.reports.iter().filter(|r| r.sizes.is_empty()) {
        if all.iter().all(|r| r.name != report.name) {
            all.push(report.clone());
        }
    }
    all
}

/// What an evaluation of a program gives beside numbers: tables, such as a confusion matrix.
pub fn tables(program: &Program) -> Vec<Report> {
    program.reports.iter().filter(|r| !r.sizes.is_empty()).cloned().collect()
}

/// What is evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation<'a> {
    /// The entry, `convnet.evaluate`.
    pub entry: &'a str,
    /// What is reported.
    pub reports: &'a [Report],
    /// On what.
    pub on: &'a DataRef,
    /// The seed of the run.
    pub seed: u64,
    /// No more batches than this.
    pub most: Option<u64>,
}

/// The reports over all of the data, in their order; `None` when `go_on`, which is asked before each batch
/// with the number of examples seen, said no.
///
/// A report that is a mean over a batch counts by the number of examples; of one that is made from states the
/// last value counts. The states of metrics are as before when this returns.
pub fn evaluate(
    engine: &mut dyn Engine,
    feed: &dyn Feed,
    what: Evaluation<'_>,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<Vec<f32>>, RunError> {
    Ok(evaluate_with_tables(engine, feed, what, &[], go_on)?.map(|(values, _)| values))
}

/// What an evaluation found: the reports in their order, and the tables.
pub type Found = (Vec<f32>, Vec<Tensor>);

/// The same, with these tables.
pub fn evaluate_with_tables(
    engine: &mut dyn Engine,
    feed: &dyn Feed,
    what: Evaluation<'_>,
    tables: &[Report],
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<Found>, RunError> {
    apart(engine, |engine| all_batches(engine, feed, what, tables, go_on))
}

/// What a periodic part looks at: its reports and its images on one batch, with `training` false. The states
/// of metrics are as before when this returns.
pub fn look(
    engine: &mut dyn Engine,
    entry: &str,
    glance: &Glance,
    batch: &[(&str, &Tensor)],
    seed: u64,
) -> Result<(Vec<f32>, Vec<Tensor>), RunError> {
    let images = glance.images.iter().map(|i| images_output(&i.name));
    let names: Vec<String> = glance.reports.iter().map(|r| r.name.clone()).chain(images).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    apart(engine, |engine| {
        let mut out = Vec::new();
        // As in an evaluation, the same random numbers each time.
        let context = Context { seed, step: 0 };
        engine.run(&Call { entry, feeds: batch, fetches: &names, assigns: true, context }, &mut out)?;
        let images = out.split_off(glance.reports.len());
        Ok((out.iter().map(scalar).collect(), images))
    })
}

/// Runs something with the states of metrics begun anew, and puts them back as they were.
fn apart<T>(engine: &mut dyn Engine, run: impl FnOnce(&mut dyn Engine) -> Result<T, RunError>) -> Result<T, RunError> {
    let kept = metric_states(engine);
    engine.reset_metrics()?;
    let result = run(engine);
    for (i, tensor) in kept {
        engine.tensors_mut()[i] = tensor;
    }
    result
}

fn all_batches(
    engine: &mut dyn Engine,
    feed: &dyn Feed,
    what: Evaluation<'_>,
    tables: &[Report],
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<Found>, RunError> {
    let names: Vec<&str> = what.reports.iter().chain(tables).map(|r| r.name.as_str()).collect();
    let mut sums = vec![0.0f64; what.reports.len()];
    let (mut seen, mut out) = (0u64, Vec::new());
    let (fields, batches) = feed.evaluation(what.on)?;
    let most = what.most.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    for batch in batches.take(most) {
        if !go_on(seen) {
            return Ok(None);
        }
        let batch = batch?;
        engine.set_size("B", batch.examples as i64);
        // A step of 0: evaluation draws the same random numbers each time.
        let context = Context { seed: what.seed, step: 0 };
        let feeds = feeds(&fields, &batch);
        engine.run(&Call { entry: what.entry, feeds: &feeds, fetches: &names, assigns: true, context }, &mut out)?;
        seen += batch.examples as u64;
        for ((sum, value), report) in sums.iter_mut().zip(&out).zip(what.reports) {
            let value = f64::from(scalar(value));
            *sum = if report.accumulated { value } else { *sum + value * batch.examples as f64 };
        }
    }
    let mean = |(sum, report): (f64, &Report)| if report.accumulated { sum } else { sum / seen as f64 };
    let values = sums.into_iter().zip(what.reports).map(|pair| mean(pair) as f32).collect();
    // Tables are made from states that go on from batch to batch: the last one counts.
    let last = if out.len() > what.reports.len() { out.split_off(what.reports.len()) } else { Vec::new() };
    Ok(Some((values, last)))
}

/// The states of metrics, by their index.
fn metric_states(engine: &dyn Engine) -> Vec<(usize, Tensor)> {
    let variables = engine.variables().iter().enumerate();
    variables.filter(|(_, v)| v.kind == VariableKind::Metric).map(|(i, _)| (i, engine.tensors()[i].clone())).collect()
}

/// A batch as feeds.
pub(super) fn feeds<'a>(fields: &'a [String], batch: &'a Batch) -> Vec<(&'a str, &'a Tensor)> {
    fields.iter().map(String::as_str).zip(&batch.tensors).collect()
}

/// The value of a fetched scalar.
pub(super) fn scalar(tensor: &Tensor) -> f32 {
    match tensor.dtype {
        tfm_lang::types::DType::F32 => tensor.elements::<f32>().first().copied().unwrap_or(f32::NAN),
        _ => tensor.to_f64().first().map_or(f32::NAN, |x| *x as f32),
    }
}
