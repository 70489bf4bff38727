//! What a `train` block is fed, and what a step of it needs.

use crate::failure::Failure;
use crate::pipeline::Compiled;
use crate::target::block;
use std::collections::BTreeMap;
use tfm_lang::model::{Action, Train};
use tfm_lowering::build::{batch_entry, evaluate_entry, every_entry};
use tfm_runtime::data::Dataset;
use tfm_runtime::run::{self, DataFeed, Engine, Feed};
use tfm_runtime::session::{Call, Session};
use tfm_runtime::tensor::Tensor;

/// The indices of the data that blocks train on and evaluate.
pub fn data_of<'a>(trains: impl IntoIterator<Item = &'a Train>) -> Vec<usize> {
    let of = |train: &'a Train| {
        let actions = train.periodic.iter().flat_map(|p| &p.actions);
        let evaluated = actions.filter_map(|a| if let Action::Evaluate(on) = a { Some(on.data) } else { None });
        std::iter::once(train.data.data).chain(evaluated)
    };
    trains.into_iter().flat_map(of).collect()
}

/// The kernels of a step and the bytes it uses beside the variables; of a part, where it is done in parts.
pub fn step_plan(
    train: &Train,
    feed: &DataFeed<'_>,
    datasets: &BTreeMap<usize, Dataset>,
    session: &mut Session,
) -> Result<(usize, usize), Failure> {
    let epoch = feed.epoch();
    session.set_size("steps_per_epoch", epoch.steps as i64);
    let names: Vec<String> = run::shown(&train.training).into_iter().map(|r| r.name).collect();
    let entry = batch_entry(train);
    // Of a step in parts, what is added up from part to part.
    let sums: Vec<String> = session.outputs(&entry).into_iter().filter(|n| n.starts_with("micro/")).collect();
    let fetches: Vec<&str> = names.iter().chain(&sums).map(String::as_str).collect();
    let split = &datasets[&train.data.data].splits[train.data.split].1;
    let most = train.settings.micro.unwrap_or(train.batch).max(1) as usize;
    let examples = most.min(epoch.examples as usize);
    session.set_size("B", examples as i64);
    let zeros: Vec<(&str, Tensor)> =
        feed.fields().iter().filter_map(|f| Some((f.as_str(), split.tensor(split.field(f)?, examples)))).collect();
    let feeds: Vec<(&str, &Tensor)> = zeros.iter().map(|(n, t)| (*n, t)).collect();
    let call = Call { entry: &entry, feeds: &feeds, fetches: &fetches, assigns: true, ..Call::default() };
    let plan = session.plan_for(&call)?;
    Ok((plan.steps.len(), plan.arena))
}

/// The data of a block, with the fields that its step, its evaluation and its periodic parts read.
pub fn feed<'a>(
    datasets: &'a BTreeMap<usize, Dataset>,
    compiled: &'a Compiled,
    name: &str,
    session: &Session,
) -> Result<DataFeed<'a>, Failure> {
    let train = &compiled.model.trains[block(compiled, name)?];
    let mut inputs = session.inputs(&batch_entry(train));
    // What is looked at now and then comes with every batch.
    for input in (0..train.periodic.len()).flat_map(|i| session.inputs(&every_entry(name, i))) {
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    Ok(DataFeed::new(datasets, train, &inputs, &session.inputs(&evaluate_entry(name)))?)
}
