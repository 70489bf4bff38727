//! What the loop tells while it trains, told on to the board and written into the run's folder.

use super::board::{Board, News};
use super::edit::Edit;
use super::files::milliseconds;
use super::version::Files;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tfm_runtime::run::{About, Event, Folder, Observer, Recorder, RunError};

/// The time between two events about steps that are not shown.
const CALM: Duration = Duration::from_millis(50);

/// What is written once the first step after an edit is done.
pub(super) struct Later {
    pub(super) seen: Option<Instant>,
    pub(super) folder: Folder,
    pub(super) files: Option<Arc<Files>>,
    pub(super) edit: Edit,
}

impl Later {
    /// Keeps the version, and a line about the edit.
    pub(super) fn write(&self) -> Result<(), RunError> {
        if let Some(files) = &self.files {
            for (name, bytes) in files.iter() {
                self.folder.write(name, bytes)?;
                if let Some(name) = name.strip_prefix("source/") {
                    self.folder.write(&format!("edits/{:04}/{name}", self.edit.number), bytes)?;
                }
            }
        }
        let path = self.folder.path().join("edits.jsonl");
        let line = serde_json::to_string(&self.edit).unwrap_or_default() + "\n";
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, line.as_bytes()));
        written.map_err(|e| RunError::File(path, e))
    }
}

/// Tells the board what the loop tells.
pub(super) struct Teller<'a> {
    pub(super) board: &'a Board,
    pub(super) recorder: &'a mut Recorder,
    /// A version that is not yet described in the run's folder.
    pub(super) about: Option<About<'a>>,
    pub(super) names: Vec<String>,
    pub(super) later: &'a mut Option<Later>,
    pub(super) save_soon: &'a mut bool,
    pub(super) last: Option<Instant>,
}

impl Observer for Teller<'_> {
    fn on(&mut self, event: Event<'_>) {
        self.recorder.record(&event);
        if let Some(complaint) = self.recorder.complaint() {
            self.board.tell(News::Note(complaint));
        }
        match event {
            Event::Started(s) => {
                self.names = s.names.clone();
                let (names, steps_per_epoch) = (s.names.clone(), s.epoch.steps);
                self.board.tell(News::Started { step: s.step, total: s.total, steps_per_epoch, names });
            }
            Event::Step(s) => {
                let now = Instant::now();
                let first = self.later.is_some();
                if first || s.values.is_some() || self.last.is_none_or(|last| now.duration_since(last) >= CALM) {
                    self.last = Some(now);
                    let values = s.values.unwrap_or(s.losses);
                    let values = self.names.iter().cloned().zip(values.iter().copied()).collect();
                    let shown = s.values.is_some();
                    let (step, epoch, examples) = (s.step, s.epoch, s.examples);
                    self.board.tell(News::Step { step, epoch, examples, shown, values });
                }
                if let Some(mut later) = self.later.take() {
                    if let Some(seen) = later.seen {
                        let after_ms = milliseconds(now.duration_since(seen));
                        later.edit.after_ms = Some(after_ms);
                        self.board.tell(News::NextStep { number: later.edit.number, after_ms });
                    }
                    if let Err(e) = later.write() {
                        self.board.tell(News::Note(e.to_string()));
                    }
                    if let Some(about) = self.about.take() {
                        self.recorder.describe(s.step, &about);
                    }
                }
            }
            Event::Table { .. } | Event::Variables { .. } => {}
            Event::Evaluating { split, examples } => {
                let now = Instant::now();
                if self.last.is_none_or(|last| now.duration_since(last) >= CALM) {
                    self.last = Some(now);
                    self.board.tell(News::Evaluating { split: split.into(), examples });
                }
            }
            Event::Evaluated { step, epoch, values } => {
                self.board.tell(News::Evaluated { step, epoch, values: values.to_vec() })
            }
            Event::Images { step, path } => self.board.tell(News::Images { step, path: path.into() }),
            Event::Saved { step, path, best } => {
                *self.save_soon = false;
                self.board.tell(News::Checkpoint { step, path: path.into(), best: best.to_vec() });
            }
            Event::Note(text) => self.board.tell(News::Note(text.into())),
        }
    }
}
