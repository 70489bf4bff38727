//! `tfm runs list`: a line for each run.

use crate::failure::Failure;
use crate::output::{say, table};
use crate::runs::{Found, Run, all, time};
use crate::values::{count, value};
use serde_json::{Value, json};
use std::path::Path;
use tfm_runtime::run::json_number;

/// Lists the runs in a folder, or those of one block.
pub fn run(runs: &Path, train: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let mut found = all(runs);
    if let Some(train) = train {
        found.retain(|r| r.train == train);
    }
    if as_json {
        return found.iter().try_for_each(|run| say(&to_json(run).to_string()));
    }
    if found.is_empty() {
        let of = train.map(|t| format!(" of `train {t}`")).unwrap_or_default();
        return say(&format!("there are no runs{of} in {}", runs.display()));
    }
    let mut rows = vec![["run", "started", "steps", "state", "best", "seed"].map(String::from).to_vec()];
    for run in &found {
        rows.push(match &run.found {
            Ok(f) => vec![
                run.name(),
                time(f.started),
                count(f.steps),
                f.state.word().into(),
                best(f).unwrap_or_else(|| "-".into()),
                f.info.seed.to_string(),
            ],
            Err(_) => vec![run.name(), "-".into(), "-".into(), "broken".into(), "-".into(), "-".into()],
        });
    }
    say(&table(&rows))?;
    for run in &found {
        if let Err(why) = &run.found {
            say(&format!("{} is broken: {}", run.name(), why.lines().next().unwrap_or_default()))?;
        }
    }
    Ok(())
}

/// `test.loss 0.3124`
fn best(found: &Found) -> Option<String> {
    let name = found.headline.as_ref()?;
    Some(format!("{name} {}", value(found.metrics.get(name)?.best?)))
}

/// A run as JSON.
pub fn to_json(run: &Run) -> Value {
    let path = run.path.display().to_string();
    let f = match &run.found {
        Ok(f) => f,
        Err(why) => return json!({ "run": run.name(), "path": path, "state": "broken", "error": why }),
    };
    let number = |x: Option<f32>| x.map_or(Value::Null, json_number);
    let series = |s: &tfm_runtime::checkpoint::Series| json!({ "last": number(s.last), "best": number(s.best), "best_step": s.best_step });
    let metrics: serde_json::Map<_, _> = f.metrics.iter().map(|(n, s)| (n.clone(), series(s))).collect();
    json!({
        "run": run.name(), "path": path, "train": f.info.train, "number": run.number, "started": f.started,
        "state": f.state.word(), "ended": f.ended, "steps": f.steps, "seconds": f.seconds, "seed": f.info.seed,
        "headline": f.headline, "metrics": metrics, "checkpoints": f.checkpoints, "version": f.info.version,
        "set": f.info.overrides,
    })
}
