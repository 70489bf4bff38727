//! What a run shows while it runs: one line that moves on a terminal, plain lines elsewhere, or JSON.

mod json;
mod plain;
pub(crate) mod rate;
mod terminal;

use crate::output::Format;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use tfm_runtime::run::Observer;

/// Who watches a run.
pub fn observer(format: Format, quiet: bool, runs: &Path) -> Box<dyn Observer> {
    match format {
        Format::Json => Box::new(json::Json),
        Format::Plain if quiet => Box::new(Quiet),
        Format::Plain if std::io::stderr().is_terminal() => Box::new(terminal::Terminal::new(runs)),
        Format::Plain => Box::new(plain::Plain::new(runs)),
    }
}

/// Says nothing.
struct Quiet;

impl Observer for Quiet {
    fn on(&mut self, _: tfm_runtime::run::Event<'_>) {}
}

/// Names and values in a row, `loss 0.3124  accuracy 0.9062`.
fn pairs<'a>(values: impl Iterator<Item = (&'a str, f32)>) -> String {
    values.map(|(name, x)| format!("{name} {}", crate::values::value(x))).collect::<Vec<_>>().join("  ")
}

/// A line about an evaluation.
fn evaluated(step: u64, epoch: f64, values: &[(String, f32)]) -> String {
    format!("step {step}  epoch {epoch:.2}  {}", pairs(values.iter().map(|(n, v)| (n.as_str(), *v))))
}

/// A line about a checkpoint.
fn saved(path: &Path, best: &[String]) -> String {
    let why = if best.is_empty() { String::new() } else { format!(", the best by {}", best.join(", ")) };
    format!("saved {}{why}", path.display())
}

/// Where the runs are, to shorten paths in lines.
#[derive(Clone, Debug)]
struct Short(PathBuf);

impl Short {
    fn path<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.0).unwrap_or(path)
    }
}
