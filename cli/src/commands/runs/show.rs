//! `tfm runs show`: everything a run's folder says.

use super::{list::to_json, readable};
use crate::failure::Failure;
use crate::output::{say, table};
use crate::runs::{Run, best_checkpoint, settings, time};
use crate::values::{bytes, count, duration, value};
use std::path::Path;
use std::time::Duration;

/// Shows a run.
pub fn run(run: &Run, as_json: bool) -> Result<(), Failure> {
    let found = readable(run)?;
    let settings = settings(run);
    if as_json {
        let mut json = to_json(run);
        json["settings"] = serde_json::to_value(&settings).unwrap_or_default();
        return say(&json.to_string());
    }
    let ended = if found.ended.is_empty() { found.state.word().to_string() } else { found.ended.clone() };
    let mut text = format!("{}\n\n", run.path.display());
    let line = |name: &str, value: String| vec![name.to_string(), value];
    let mut rows = vec![
        line("state", ended),
        line("started", time(found.started)),
        line("steps", count(found.steps)),
        line("time", duration(Duration::from_secs_f64(found.seconds.max(0.0)))),
        line("in", found.info.directory.display().to_string()),
        line("size", bytes(size(&run.path))),
    ];
    rows.extend(settings.iter().map(|(n, v)| line(n, v.split_whitespace().collect::<Vec<_>>().join(" "))));
    text += &plain(&rows);
    if !found.metrics.is_empty() {
        let mut rows = vec![["metric", "last", "best", "at step"].map(String::from).to_vec()];
        let cell = |x: Option<f32>| x.map_or("-".into(), value);
        for (name, s) in &found.metrics {
            rows.push(vec![name.clone(), cell(s.last), cell(s.best), count(s.best_step)]);
        }
        text += &format!("\n{}\n", table(&rows));
    }
    if !found.checkpoints.is_empty() {
        let steps: Vec<String> = found.checkpoints.iter().map(|s| count(*s)).collect();
        text += &format!("\ncheckpoints after steps {}", steps.join(", "));
        let best = best_checkpoint(run).and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
        text += &best.map(|b| format!("; the best is {b}\n")).unwrap_or_else(|| "\n".into());
    }
    say(&text)
}

/// Names and texts, both set to the left.
fn plain(rows: &[Vec<String>]) -> String {
    let width = rows.iter().map(|r| r[0].chars().count()).max().unwrap_or(0);
    rows.iter().map(|r| format!("{:<width$}  {}\n", r[0], r[1])).collect()
}

/// The bytes in a folder.
fn size(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let of = |e: std::fs::DirEntry| match e.metadata() {
        Ok(m) if m.is_dir() => size(&e.path()),
        Ok(m) => m.len(),
        Err(_) => 0,
    };
    entries.map(of).sum()
}
