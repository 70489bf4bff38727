//! What a file asks for and this machine does otherwise, without changing what is computed.

use crate::pipeline::Compiled;
use tfm_lang::model::Train;

/// The notes on some blocks of a file, a line each.
pub fn of<'a>(compiled: &Compiled, trains: impl IntoIterator<Item = &'a Train>) -> Vec<String> {
    let hints = compiled.fallbacks.iter().map(|f| {
        let hints = if f.count == 1 { "1 hint".into() } else { format!("{} hints", f.count) };
        let why = if f.is_cluster { "no cluster is given" } else { "there is no such device here" };
        format!("note: `on {}`: {hints}; {why}, everything runs on this CPU", f.hint)
    });
    let mut notes: Vec<String> = hints.collect();
    for train in trains {
        let settings = &train.settings;
        if let Some(replicas) = settings.parallel {
            let how = if replicas.is_async {
                "in one process, step after step: no update is made from values that are out of date"
            } else {
                "in one process, with the whole batch of the file in each step"
            };
            notes.push(format!(
                "note: `parallel: replicas({}…)` of `train {}`: no cluster is given; it is trained {how}",
                replicas.count, train.name
            ));
        }
        if let Some(job) = settings.parameters.as_ref().and_then(|d| d.job.as_ref()) {
            notes.push(format!(
                "note: `parameters: job(\"{job}\")` of `train {}`: no cluster is given; they are kept in this process",
                train.name
            ));
        }
    }
    notes
}
