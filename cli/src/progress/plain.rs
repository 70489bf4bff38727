//! Plain lines at a calm rate, for logs and pipes.

use super::rate::Rate;
use super::{Short, evaluated, pairs, saved};
use crate::output::say;
use crate::values::{count, duration};
use std::path::Path;
use std::time::{Duration, Instant};
use tfm_runtime::run::{Event, Observer, Started, Stepped};

/// The time between two lines about steps.
const PAUSE: Duration = Duration::from_secs(5);

/// Writes lines to standard output. If nobody reads them the run goes on.
pub struct Plain {
    runs: Short,
    started: Option<Started>,
    rate: Rate,
    last: Option<Instant>,
    /// The last step, and the examples seen by then.
    seen: (u64, u64),
}

impl Plain {
    /// Paths are shown as they are from here on.
    pub fn new(runs: &Path) -> Plain {
        let runs = Short(runs.to_path_buf());
        Plain { runs, started: None, rate: Rate::new(Instant::now(), 0), last: None, seen: (0, 0) }
    }
}

impl Observer for Plain {
    fn on(&mut self, event: Event<'_>) {
        let line = match event {
            Event::Started(started) => {
                self.started = Some(started.clone());
                (self.rate, self.last) = (Rate::new(Instant::now(), started.step), None);
                return;
            }
            Event::Evaluating { .. } => return self.pause(),
            Event::Table { .. } | Event::Variables { .. } => return,
            Event::Step(stepped) => match self.step(stepped) {
                Some(line) => line,
                None => return,
            },
            Event::Evaluated { step, epoch, values } => {
                self.pause();
                evaluated(step, epoch, values)
            }
            Event::Images { path, .. } => {
                self.pause();
                format!("images {}", self.runs.path(path).display())
            }
            Event::Saved { path, best, .. } => {
                self.pause();
                saved(self.runs.path(path), best)
            }
            Event::Note(text) => text.to_string(),
        };
        let _ = say(&line);
    }
}

impl Plain {
    fn pause(&mut self) {
        self.rate.pause(Instant::now(), self.seen.0, self.seen.1);
    }

    fn step(&mut self, stepped: Stepped<'_>) -> Option<String> {
        self.seen = (stepped.step, stepped.examples);
        let (started, values) = (self.started.as_ref()?, stepped.values?);
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) && started.total != Some(stepped.step) {
            return None;
        }
        self.last = Some(now);
        self.rate.read(now, stepped.step, stepped.examples);
        let names = started.names.iter().map(String::as_str);
        let of = started.total.map(|t| format!("/{t}")).unwrap_or_default();
        let mut line = format!("step {}{of}  epoch {:.2}  ", stepped.step, stepped.epoch);
        line += &pairs(names.zip(values.iter().copied()));
        if let Some(speed) = self.rate.examples() {
            line += &format!("  {} examples/s", count(speed as u64));
        }
        if let Some(left) = self.rate.left(started.total.map_or(0, |t| t.saturating_sub(stepped.step))) {
            line += &format!("  {} left", duration(left));
        }
        Some(line)
    }
}
