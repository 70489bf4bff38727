//! What a `train` block is fed, and what a step of it needs.

use crate::failure::Failure;
use std::collections::BTreeMap;
use tfm_lang::model::{Action, Report, Train};
use tfm_lowering::build::{batch_entry, evaluate_entry, every_entry};
use tfm_lowering::plan::Plan;
use tfm_runtime::data::Dataset;
use tfm_runtime::run::{DataFeed, Engine, Feed};
use tfm_runtime::session::{Call, Session};
use tfm_runtime::tensor::Tensor;

/// The plan of a step, of a part where it is done in parts, that gives these reports.
pub fn step_plan<'s>(
    train: &Train,
    feed: &DataFeed<'_>,
    datasets: &BTreeMap<usize, Dataset>,
    session: &'s mut Session,
    shown: &[Report],
) -> Result<&'s Plan, Failure> {
    let epoch = feed.epoch();
    session.set_size("steps_per_epoch", epoch.steps as i64);
    let names = shown.iter().map(|r| r.name.as_str());
    let entry = batch_entry(train);
    // Of a step in parts, what is added up from part to part.
    let sums: Vec<String> = session.outputs(&entry).into_iter().filter(|n| n.starts_with("micro/")).collect();
    let fetches: Vec<&str> = names.chain(sums.iter().map(String::as_str)).collect();
    let split = &datasets[&train.data.data].splits[train.data.split].1;
    let most = train.settings.micro.unwrap_or(train.batch).max(1) as usize;
    let examples = most.min(epoch.examples as usize);
    session.set_size("B", examples as i64);
    let zeros: Vec<(&str, Tensor)> =
        feed.fields().iter().filter_map(|f| Some((f.as_str(), split.tensor(split.field(f)?, examples)))).collect();
    let feeds: Vec<(&str, &Tensor)> = zeros.iter().map(|(n, t)| (*n, t)).collect();
    let call = Call { entry: &entry, feeds: &feeds, fetches: &fetches, assigns: true, ..Call::default() };
    Ok(session.plan_for(&call)?)
}

/// The data of a block, in its batches.
pub fn feed<'a>(
    datasets: &'a BTreeMap<usize, Dataset>,
    train: &'a Train,
    session: &Session,
) -> Result<DataFeed<'a>, Failure> {
    let mut inputs = session.inputs(&batch_entry(train));
    // What is looked at now and then comes with every batch.
    for input in (0..train.periodic.len()).flat_map(|i| session.inputs(&every_entry(&train.name, i))) {
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    Ok(DataFeed::new(datasets, train, &inputs, &session.inputs(&evaluate_entry(&train.name)))?)
}

/// The data sets that some blocks train and are evaluated on, by their index in the model.
pub fn used_data<'a>(trains: impl IntoIterator<Item = &'a Train>) -> impl Iterator<Item = usize> {
    let used = trains.into_iter().flat_map(|train| {
        let actions = train.periodic.iter().flat_map(|p| &p.actions);
        let evaluated = actions.filter_map(|a| if let Action::Evaluate(on) = a { Some(on.data) } else { None });
        std::iter::once(train.data.data).chain(evaluated).collect::<Vec<_>>()
    });
    used.collect::<std::collections::BTreeSet<_>>().into_iter()
}
