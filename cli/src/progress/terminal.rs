//! One line that moves, on a terminal.

use super::rate::Rate;
use super::{Short, evaluated, pairs, saved};
use crate::output::say;
use crate::values::{count, duration};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::Path;
use std::time::{Duration, Instant};
use tfm_runtime::run::{Event, Observer, Started, Stepped};

/// The time between two drawings.
const PAUSE: Duration = Duration::from_millis(100);

/// Draws on standard error; what stays is written to standard output.
pub struct Terminal {
    runs: Short,
    bar: ProgressBar,
    started: Option<Started>,
    rate: Rate,
    metrics: String,
    last: Option<Instant>,
    seen: (u64, u64),
}

impl Terminal {
    /// Paths are shown as they are from here on.
    pub fn new(runs: &Path) -> Terminal {
        Terminal {
            runs: Short(runs.to_path_buf()),
            bar: ProgressBar::hidden(),
            started: None,
            rate: Rate::new(Instant::now(), 0),
            metrics: String::new(),
            last: None,
            seen: (0, 0),
        }
    }

    /// Writes a line above the one that moves.
    fn keep(&self, line: &str) {
        self.bar.suspend(|| {
            let _ = say(line);
        });
    }

    fn begin(&mut self, started: &Started) {
        let bar = ProgressBar::with_draw_target(started.total, ProgressDrawTarget::stderr_with_hz(10));
        let template = match started.total {
            Some(_) => "{bar:12.cyan/blue} {pos}/{len}  {wide_msg}",
            None => "{spinner} {pos}  {wide_msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_position(started.step);
        self.bar = bar;
        self.started = Some(started.clone());
        (self.rate, self.last) = (Rate::new(Instant::now(), started.step), None);
    }

    fn step(&mut self, stepped: Stepped<'_>) {
        let Some(started) = &self.started else { return };
        self.seen = (stepped.step, stepped.examples);
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return;
        }
        if let Some(values) = stepped.values {
            self.metrics = pairs(started.names.iter().map(String::as_str).zip(values.iter().copied()));
        }
        self.last = Some(now);
        self.rate.read(now, stepped.step, stepped.examples);
        let left = self.rate.left(started.total.map_or(0, |t| t.saturating_sub(stepped.step)));
        // A narrow terminal cuts the end off: what is looked at most comes first.
        let mut line = format!("epoch {:.2}  ", stepped.epoch);
        if let Some(left) = left {
            line += &format!("{} left  ", duration(left));
        }
        line += &self.metrics;
        if let Some(speed) = self.rate.examples() {
            line += &format!("  {} examples/s", count(speed as u64));
        }
        self.bar.set_position(stepped.step);
        self.bar.set_message(line);
    }

    fn evaluating(&mut self, split: &str, examples: u64) {
        let now = Instant::now();
        let (step, seen) = self.seen;
        self.rate.pause(now, step, seen);
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return;
        }
        self.last = Some(now);
        self.bar.set_position(step);
        self.bar.set_message(format!("evaluating {split}: {} examples", count(examples)));
    }
}

impl Observer for Terminal {
    fn on(&mut self, event: Event<'_>) {
        match event {
            Event::Started(started) => self.begin(started),
            Event::Step(stepped) => self.step(stepped),
            Event::Evaluating { split, examples } => self.evaluating(split, examples),
            Event::Evaluated { step, epoch, values } => self.keep(&evaluated(step, epoch, values)),
            Event::Images { path, .. } => self.keep(&format!("images {}", self.runs.path(path).display())),
            Event::Saved { path, best, .. } => self.keep(&saved(self.runs.path(path), best)),
            Event::Note(text) => self.keep(text),
            Event::Table { .. } | Event::Variables { .. } => {}
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
