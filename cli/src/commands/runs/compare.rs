//! `tfm runs compare`: a column for each run.

use super::{list::to_json, readable};
use crate::failure::Failure;
use crate::output::{say, table};
use crate::runs::{Run, settings};
use crate::values::{count, duration, value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tfm_runtime::run::is_lower_better;

/// The longest text of a setting that a column shows.
const WIDEST: usize = 40;

/// Shows how runs went and in which settings they differ.
pub fn run(runs: &[Run], as_json: bool) -> Result<(), Failure> {
    let found = runs.iter().map(readable).collect::<Result<Vec<_>, _>>()?;
    let given: Vec<BTreeMap<String, String>> = runs.iter().map(settings).collect();
    let names: BTreeSet<&String> = given.iter().flat_map(BTreeMap::keys).collect();
    let differs = |name: &&&String| given.iter().any(|g| g.get(**name) != given[0].get(**name));
    let different: Vec<&String> = names.iter().filter(differs).copied().collect();
    if as_json {
        let runs: Vec<_> = runs.iter().map(to_json).collect();
        let differ: serde_json::Map<_, _> = different
            .iter()
            .map(|n| ((*n).clone(), given.iter().map(|g| g.get(*n).cloned()).collect::<Vec<_>>().into()))
            .collect();
        return say(&serde_json::json!({ "runs": runs, "settings": differ }).to_string());
    }
    let row = |name: &str, cells: Vec<String>| std::iter::once(name.to_string()).chain(cells).collect::<Vec<_>>();
    let mut rows = vec![row("", runs.iter().map(Run::name).collect())];
    rows.push(row("state", found.iter().map(|f| f.state.word().into()).collect()));
    rows.push(row("steps", found.iter().map(|f| count(f.steps)).collect()));
    let time = |s: f64| duration(Duration::from_secs_f64(s.max(0.0)));
    rows.push(row("time", found.iter().map(|f| time(f.seconds)).collect()));
    let metrics: BTreeSet<&String> = found.iter().flat_map(|f| f.metrics.keys()).collect();
    for name in metrics {
        let values: Vec<Option<f32>> = found.iter().map(|f| f.metrics.get(name).and_then(|s| s.best)).collect();
        let better = |a: &f32, b: &f32| if is_lower_better(name) { b.total_cmp(a) } else { a.total_cmp(b) };
        let best = values.iter().flatten().copied().max_by(better);
        let alone = values.iter().flatten().filter(|v| Some(**v) == best).count() == 1 && values.len() > 1;
        let cell = |v: &Option<f32>| match v {
            None => "-".into(),
            Some(v) if alone && Some(*v) == best => format!("*{}", value(*v)),
            Some(v) => value(*v),
        };
        rows.push(row(&format!("best {name}"), values.iter().map(cell).collect()));
    }
    for name in &different {
        let cell = |g: &BTreeMap<String, String>| g.get(*name).map_or("-".into(), |v| short(v));
        rows.push(row(name, given.iter().map(cell).collect()));
    }
    let end = if different.is_empty() { "\nno setting differs" } else { "" };
    say(&format!("{}{end}", table(&rows)))
}

fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() {
        n if n <= WIDEST => line,
        _ => line.chars().take(WIDEST - 1).chain(['…']).collect(),
    }
}
