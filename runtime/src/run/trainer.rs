//! The loop itself: steps, and what is due between them.

use super::cause::{self, Failed, Snapshot};
use super::engine::{Batches, Context, Engine, Feed};
use super::evaluate::{Evaluation, evaluate_with_tables, feeds, look, shown, tables};
use super::event::{Event, Observer, Started, Stepped};
use super::metrics::{self, Rows};
use super::period::{self, Epoch, Progressed};
use super::step::Step;
use super::{Folder, RunError, images, stops};
use crate::checkpoint::{Best, Position, Progress, Retention, Stall, Store};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;
use tfm_lang::model::{Action, DataRef, Report, Train, VariableKind};
use tfm_lang::types::DType;
use tfm_lowering::build::{evaluate_entry, every_entry};

/// A run to be done.
pub struct Job<'a> {
    /// The `train` block.
    pub train: &'a Train,
    /// The names of its data's splits, by index of the data and of the split.
    pub splits: &'a [Vec<String>],
    /// Where it writes.
    pub folder: &'a Folder,
    /// `--max-steps`: no more steps than this, counted from the beginning of the run.
    pub max_steps: Option<u64>,
    /// Where it stood; `None` for a new run. The engine's variables are those of that moment.
    pub from: Option<Progress>,
    /// The number of a signal that asks to stop; 0 while there is none.
    pub stop: &'a AtomicUsize,
    /// How many batches of each part that is evaluated are tried before the first step of a new run. It changes no
    /// number of the run.
    pub sanity: u64,
    /// A trial: no evaluation takes more batches than this, and at the end every periodic part has its turn.
    pub trial: Option<u64>,
    /// True when someone wants the engine back: the run ends where it is, saves nothing, and goes on later from the
    /// progress it gives.
    pub hand_over: &'a AtomicBool,
    /// True to save after the first step, whatever is due: when the checkpoints that there are fit the file no more.
    pub save_soon: bool,
}

/// Why a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It reached its length.
    Done,
    /// It reached `--max-steps`.
    MaxSteps,
    /// A `stop when` said so, in words.
    Stopped(String),
    /// A signal came, by its number.
    Signal(usize),
    /// [`Job::hand_over`] asked for it.
    HandedOver,
}

/// What came out of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Where it stands.
    pub progress: Progress,
    /// Why it ended.
    pub ended: Ended,
    /// The size of an epoch.
    pub epoch: Epoch,
}

/// Trains one block, from its beginning or from where it stood.
pub fn train(
    engine: &mut dyn Engine,
    feed: &dyn Feed,
    job: Job<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome, RunError> {
    let train = job.train;
    let epoch = feed.epoch();
    engine.set_size("steps_per_epoch", feed.schedule_steps() as i64);
    let from = job.from.clone();
    let evaluated = evaluation_names(&job);
    let every_step = shown(&train.training);
    let names: Vec<String> = every_step.iter().map(|r| r.name.clone()).collect();
    let rows = Rows::open(job.folder.path(), &names, &evaluated, from.as_ref())?;
    let store = Store::open(&job.folder.checkpoints())?;
    if let Some(progress) = &from {
        store.remove_after(progress.step)?;
    }
    let new = from.is_none();
    let mut progress =
        from.unwrap_or_else(|| Progress { train: train.name.clone(), seed: train.seed, ..Progress::default() });
    // A file that was edited in between may have other parts.
    progress.rounds.resize(train.periodic.len(), 0);
    progress.stalls.resize(train.stop.len(), Stall::default());
    let mut trainer = Trainer {
        total: period::total_steps(train.length, epoch),
        started: Instant::now(),
        seconds_before: progress.seconds,
        batches: None,
        taken: progress.position,
        snapshot: Snapshot::default(),
        values: Vec::new(),
        steps: Step::of(train, engine),
        engine,
        feed,
        observer,
        epoch,
        shown: every_step,
        losses: train.training.losses.len(),
        reports: shown(&train.evaluation),
        unsaid: unsaid(&job),
        tables: tables(&train.evaluation),
        rows,
        store,
        progress,
        job,
    };
    let ended = trainer.run(new)?;
    trainer.progress.seconds = trainer.now().seconds;
    Ok(Outcome { progress: trainer.progress, ended, epoch })
}

/// The columns that periodic parts fill, each once.
fn evaluation_names(job: &Job<'_>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for part in &job.train.periodic {
        for action in &part.actions {
            let Action::Evaluate(on) = action else { continue };
            let split = split_name(job, on);
            all.extend(shown(&job.train.evaluation).iter().map(|report| format!("{split}.{}", report.name)));
        }
        all.extend(part.glance.reports.iter().map(|report| report.name.clone()));
    }
    let mut names = Vec::new();
    all.into_iter().for_each(|name| {
        if !names.contains(&name) {
            names.push(name)
        }
    });
    names
}

/// What is done with each evaluation where the file says nothing of checkpoints: the last one is kept, and the one
/// with the least loss.
fn unsaid(job: &Job<'_>) -> Vec<Action> {
    let mut actions = job.train.periodic.iter().flat_map(|p| &p.actions);
    let is_said = |a: &Action| matches!(a, Action::CheckpointKeep(_) | Action::CheckpointBest { .. });
    if actions.clone().any(is_said) {
        return Vec::new();
    }
    let on = actions.find_map(|a| if let Action::Evaluate(on) = a { Some(on) } else { None });
    let loss = shown(&job.train.evaluation).into_iter().next();
    let (Some(on), Some(loss)) = (on, loss) else { return Vec::new() };
    let metric = format!("{}.{}", split_name(job, on), loss.name);
    vec![Action::CheckpointKeep(1), Action::CheckpointBest { highest: false, metric }]
}

fn split_name<'a>(job: &'a Job<'_>, on: &DataRef) -> &'a str {
    job.splits.get(on.data).and_then(|s| s.get(on.split)).map_or("test", String::as_str)
}

struct Trainer<'a> {
    engine: &'a mut dyn Engine,
    feed: &'a dyn Feed,
    observer: &'a mut dyn Observer,
    job: Job<'a>,
    epoch: Epoch,
    total: Option<u64>,
    steps: Step,
    /// What a step shows, losses first.
    shown: Vec<Report>,
    /// How many of them are losses.
    losses: usize,
    /// What an evaluation reports.
    reports: Vec<Report>,
    /// What goes with an evaluation though the file does not say it.
    unsaid: Vec<Action>,
    /// The tables that it gives beside.
    tables: Vec<Report>,
    rows: Rows,
    store: Store,
    progress: Progress,
    started: Instant,
    seconds_before: f64,
    batches: Option<Batches<'a>>,
    /// Where the last step's batch was.
    taken: Position,
    snapshot: Snapshot,
    values: Vec<f32>,
}

impl Trainer<'_> {
    fn run(&mut self, new: bool) -> Result<Ended, RunError> {
        let limit = self.job.max_steps.unwrap_or(u64::MAX);
        let started = Started {
            train: self.job.train.name.clone(),
            step: self.progress.step,
            total: self.total.map(|t| t.min(limit)).or(self.job.max_steps),
            epoch: self.epoch,
            names: self.shown.iter().map(|r| r.name.clone()).collect(),
        };
        self.observer.on(Event::Started(&started));
        let mut soon = std::mem::take(&mut self.job.save_soon);
        if let Some(why) = &self.progress.stopped {
            return Ok(Ended::Stopped(why.clone()));
        }
        if self.progress.pending {
            self.progress.pending = false;
            if let Some(ended) = self.between_steps()? {
                return Ok(ended);
            }
        }
        if new && self.job.sanity > 0 {
            self.sanity()?;
        }
        match self.over() {
            Some(_) if new => return Ok(self.between_steps()?.unwrap_or(Ended::Done)),
            Some(ended) => return Ok(ended),
            None => {}
        }
        loop {
            self.step()?;
            self.job.save_soon = std::mem::take(&mut soon);
            if let Some(ended) = self.between_steps()? {
                return Ok(ended);
            }
        }
    }

    /// What happens between steps, on a few batches and without a trace: what would fail late fails now.
    fn sanity(&mut self) -> Result<(), RunError> {
        let train = self.job.train;
        let actions: Vec<&Action> = train.periodic.iter().flat_map(|p| &p.actions).collect();
        let all: Vec<usize> = (0..train.periodic.len()).collect();
        let mut values = Vec::new();
        let tried = match self.evaluate_all(&actions, &mut values, Some(self.job.sanity)) {
            Ok(true) => self.look_at(&all, &mut values, false),
            other => other.map(|_| ()),
        };
        if tried.is_err() {
            self.observer.on(Event::Note("what is done between steps was tried before the first one, and fails:"));
        }
        if let Some((name, value)) = values.iter().find(|(_, v)| !v.is_finite()) {
            let text = format!("warning: `{name}` is {value} on the first batches, before any step");
            self.observer.on(Event::Note(&text));
        }
        self.started = Instant::now();
        tried
    }

    fn now(&self) -> Progressed {
        Progressed {
            steps: self.progress.step,
            examples: self.progress.examples,
            seconds: self.seconds_before + self.started.elapsed().as_secs_f64(),
        }
    }

    /// How many epochs are done.
    fn epochs(&self) -> f64 {
        self.progress.step as f64 / self.epoch.steps as f64
    }

    /// Why the run leaves off here, if someone asks for it.
    fn asked(&self) -> Option<Ended> {
        match self.job.stop.load(Ordering::Relaxed) {
            0 => self.job.hand_over.load(Ordering::Acquire).then_some(Ended::HandedOver),
            signal => Some(Ended::Signal(signal)),
        }
    }

    /// Why no further step is done, if so.
    fn over(&self) -> Option<Ended> {
        let step = self.progress.step;
        if self.total.is_some_and(|t| step >= t) || period::is_over(self.job.train.length, self.now()) {
            return Some(Ended::Done);
        }
        self.job.max_steps.is_some_and(|m| step >= m).then_some(Ended::MaxSteps)
    }

    fn step(&mut self) -> Result<(), RunError> {
        let before = self.progress.position;
        self.snapshot.take(self.engine, self.progress.step, before);
        if self.batches.is_none() {
            self.batches = Some(self.feed.training(before)?);
        }
        let batch = match self.batches.as_mut().and_then(Iterator::next) {
            Some(batch) => batch?,
            None => return Err(RunError::Data("the training data has no more batches".into())),
        };
        let step = self.progress.step + 1;
        let shown = period::is_shown(step, self.total);
        let fetched = &self.shown[..if shown { self.shown.len() } else { self.losses }];
        let context = Context { seed: self.progress.seed, step };
        self.steps.run(self.engine, (self.feed.fields(), &batch), fetched, context, &mut self.values)?;
        self.progress.step = step;
        self.progress.examples += batch.examples as u64;
        (self.taken, self.progress.position) = (before, next(before, self.epoch));
        if let Some(loss) = (0..self.losses).find(|&i| !self.values[i].is_finite()) {
            let (name, value) = (self.shown[loss].name.clone(), self.values[loss]);
            return Err(self.not_finite(name, value));
        }
        let epoch = self.epochs();
        if shown {
            for (report, &value) in self.shown.iter().zip(&self.values) {
                metrics::note(&mut self.progress, &report.name, value);
            }
            self.rows.training(step, epoch, self.now().seconds, &self.values)?;
            self.engine.reset_metrics()?;
        }
        let (values, losses) = (shown.then_some(self.values.as_slice()), &self.values[..self.losses]);
        self.observer.on(Event::Step(Stepped { step, epoch, examples: self.progress.examples, losses, values }));
        if self.observer.wants_variables(step) {
            let (variables, tensors) = (self.engine.variables(), self.engine.tensors());
            self.observer.on(Event::Variables { step, variables, tensors });
        }
        Ok(())
    }

    fn not_finite(&mut self, name: String, value: f32) -> RunError {
        let step = self.progress.step;
        self.observer.on(Event::Note(&format!("`{name}` is {value} at step {step}; looking for where that came from")));
        let (position, seed) = (self.taken, self.progress.seed);
        let failed = Failed { step, position, seed, shown: &self.shown };
        // What went wrong first is the error to show, even if the search fails.
        let cause = cause::find(self.engine, self.feed, &mut self.steps, &self.snapshot, &failed).unwrap_or_else(|e| {
            self.observer.on(Event::Note(&format!("the search failed: {e}")));
            None
        });
        RunError::NotFinite { step, name, value, cause }
    }

    /// What is due after a step: evaluations, the end, checkpoints. `Some` when the run is over.
    fn between_steps(&mut self) -> Result<Option<Ended>, RunError> {
        if let Some(ended) = self.asked() {
            return self.leave(ended);
        }
        let train = self.job.train;
        let now = self.now();
        let rounds: Vec<u64> =
            train.periodic.iter().map(|p| p.every.map_or(0, |every| period::rounds(every, self.epoch, now))).collect();
        let all = self.job.trial.is_some() && self.over().is_some();
        let is_due = |&i: &usize| rounds[i] > self.progress.rounds[i] || all && train.periodic[i].every.is_some();
        let due: Vec<usize> = (0..rounds.len()).filter(is_due).collect();
        let mut actions: Vec<&Action> = due.iter().flat_map(|&i| &train.periodic[i].actions).collect();
        let mut values = Vec::new();
        if !self.evaluate_all(&actions, &mut values, self.job.trial)? {
            return self.leave(self.asked().unwrap_or(Ended::Done));
        }
        self.look_at(&due, &mut values, true)?;
        let mut stalls = self.progress.stalls.clone();
        let is_lower_better = |metric: &str| self.is_lower_better(metric);
        let stopped = stops::reached(&train.stop, &mut stalls, &values, self.epoch, now, &is_lower_better);
        let ended = stopped.map(Ended::Stopped).or_else(|| self.over());
        if ended.is_some() {
            let at_end: Vec<usize> = (0..rounds.len()).filter(|&i| train.periodic[i].every.is_none()).collect();
            let last: Vec<&Action> = at_end.iter().flat_map(|&i| &train.periodic[i].actions).collect();
            if !self.evaluate_all(&last, &mut values, self.job.trial)? {
                return self.leave(self.asked().unwrap_or(Ended::Done));
            }
            self.look_at(&at_end, &mut values, true)?;
            actions.extend(last);
        }
        let evaluates = actions.iter().any(|a| matches!(a, Action::Evaluate(_)));
        let unsaid = if evaluates { self.unsaid.clone() } else { Vec::new() };
        actions.extend(&unsaid);
        (self.progress.rounds, self.progress.stalls) = (rounds, stalls);
        self.tell(&values)?;
        self.save(&actions, ended.as_ref())?;
        Ok(ended)
    }

    /// Does the evaluations among the actions; false when someone asked to leave off. Data that was evaluated at this step is
    /// not evaluated again.
    fn evaluate_all(
        &mut self,
        actions: &[&Action],
        values: &mut Vec<(String, f32)>,
        most: Option<u64>,
    ) -> Result<bool, RunError> {
        for action in actions {
            let Action::Evaluate(on) = action else { continue };
            let split = split_name(&self.job, on).to_string();
            let reports = &self.reports;
            let name = |i: usize| format!("{split}.{}", reports[i].name);
            let is_done = |(n, _): &(String, f32)| reports.first().is_some_and(|_| *n == name(0));
            if reports.is_empty() && self.tables.is_empty() || values.iter().any(is_done) {
                continue;
            }
            let (entry, seed) = (evaluate_entry(&self.job.train.name), self.progress.seed);
            let what = Evaluation { entry: &entry, reports, on, seed, most };
            let (stop, hand_over, observer) = (self.job.stop, self.job.hand_over, &mut *self.observer);
            let mut go_on = |examples| {
                observer.on(Event::Evaluating { split: &split, examples });
                stop.load(Ordering::Relaxed) == 0 && !hand_over.load(Ordering::Acquire)
            };
            let found = evaluate_with_tables(self.engine, self.feed, what, &self.tables, &mut go_on)?;
            let Some((found, tables)) = found else { return Ok(false) };
            values.extend(found.into_iter().enumerate().map(|(i, v)| (name(i), v)));
            let step = self.progress.step;
            // A trial on a few batches says nothing of all examples.
            for (table, found) in self.tables.iter().zip(&tables).filter(|_| most.is_none()) {
                let name = format!("{split}.{}", table.name);
                self.observer.on(Event::Table { step, name: &name, values: found });
            }
        }
        Ok(true)
    }

    /// What some periodic parts look at: reports are added to `values`, pictures are written unless nothing may be.
    fn look_at(&mut self, parts: &[usize], values: &mut Vec<(String, f32)>, write: bool) -> Result<(), RunError> {
        let train = self.job.train;
        let parts: Vec<usize> = parts.iter().copied().filter(|&i| !train.periodic[i].glance.is_empty()).collect();
        if parts.is_empty() {
            return Ok(());
        }
        // It is read again and not kept, so that a run that goes on from here sees the same one.
        let last = previous(self.progress.position, self.epoch);
        let batch = self.feed.training(last)?.next();
        let batch = batch.ok_or_else(|| RunError::Data("the training data has no batches".into()))??;
        self.engine.set_size("B", batch.examples as i64);
        let inputs = feeds(self.feed.fields(), &batch);
        let step = self.progress.step;
        for i in parts {
            let (glance, entry) = (&train.periodic[i].glance, every_entry(&train.name, i));
            let (reports, pictures) = look(self.engine, &entry, glance, &inputs, self.progress.seed)?;
            for (report, value) in glance.reports.iter().zip(reports) {
                if values.iter().all(|(name, _)| *name != report.name) {
                    values.push((report.name.clone(), value));
                }
            }
            for (images, tensor) in glance.images.iter().zip(&pictures).filter(|_| write) {
                let file = format!("images/{}-step-{step:06}.png", images.name);
                self.job.folder.write(&file, &images::png(tensor))?;
                self.observer.on(Event::Images { step, path: &self.job.folder.path().join(file) });
            }
        }
        Ok(())
    }

    /// Writes down the results of evaluations.
    fn tell(&mut self, values: &[(String, f32)]) -> Result<(), RunError> {
        if values.is_empty() {
            return Ok(());
        }
        for (name, value) in values {
            metrics::note(&mut self.progress, name, *value);
        }
        let (step, epoch) = (self.progress.step, self.epochs());
        self.rows.evaluation(step, epoch, self.now().seconds, values)?;
        self.observer.on(Event::Evaluated { step, epoch, values });
        Ok(())
    }

    /// What the file says of a metric (`stop when highest`, `checkpoint highest`, that it is a loss) goes before its
    /// name.
    fn is_lower_better(&self, metric: &str) -> bool {
        let actions = self.job.train.periodic.iter().flat_map(|p| &p.actions);
        let said = actions.clone().find_map(|a| match a {
            Action::CheckpointBest { highest, metric: m } if m == metric => Some(!highest),
            _ => None,
        });
        let stops = self.job.train.stop.iter().filter(|s| s.metric == metric);
        let said = stops.filter_map(|s| s.highest).next().map(|highest| !highest).or(said);
        let is_loss = || {
            let name = metric.rsplit('.').next().unwrap_or(metric);
            self.shown[..self.losses].iter().any(|l| l.name == name)
        };
        said.unwrap_or_else(|| is_loss() || metrics::is_lower_better(metric))
    }

    /// Saves a checkpoint if an action or the end asks for one.
    fn save(&mut self, actions: &[&Action], ended: Option<&Ended>) -> Result<(), RunError> {
        let mut best_by = Vec::new();
        for action in actions {
            let Action::CheckpointBest { highest, metric } = action else { continue };
            let Some(value) = self.progress.metrics.get(metric).and_then(|s| s.last) else { continue };
            let before = self.progress.best.get(metric).map(|b| b.value);
            if metrics::is_better(!highest, value, before) {
                self.progress.best.insert(metric.clone(), Best { value, step: self.progress.step });
                best_by.push(metric.clone());
            }
        }
        let periodic = ended.is_some() || actions.iter().any(|a| matches!(a, Action::CheckpointKeep(_)));
        let soon = std::mem::take(&mut self.job.save_soon);
        if !periodic && best_by.is_empty() && !soon {
            return Ok(());
        }
        if let Some(Ended::Stopped(why)) = ended {
            self.progress.stopped = Some(why.clone());
        }
        self.progress.periodic = periodic;
        self.write_checkpoint(&best_by)
    }

    /// Stops where the run is, with what is due at this step still to be done.
    fn leave(&mut self, ended: Ended) -> Result<Option<Ended>, RunError> {
        (self.progress.pending, self.progress.periodic) = (true, true);
        if ended != Ended::HandedOver {
            self.write_checkpoint(&[])?;
        }
        Ok(Some(ended))
    }

    fn write_checkpoint(&mut self, best: &[String]) -> Result<(), RunError> {
        if let Some((path, value)) = spoilt(self.engine) {
            return Err(self.not_finite(path, value));
        }
        self.rows.sync()?;
        self.progress.seconds = self.now().seconds;
        let actions = self.job.train.periodic.iter().flat_map(|p| &p.actions);
        let keeps = actions.filter_map(|a| if let Action::CheckpointKeep(n) = a { Some(*n) } else { None });
        let retention = Retention { keep: keeps.max().unwrap_or(1) };
        let saved = self.store.save(&self.progress, retention, self.engine.variables(), self.engine.tensors())?;
        self.observer.on(Event::Saved { step: self.progress.step, path: &saved, best });
        Ok(())
    }
}

/// A parameter with a value that is not finite, as an update can leave it while the loss still looks well.
fn spoilt(engine: &dyn Engine) -> Option<(String, f32)> {
    let variables = engine.variables().iter().zip(engine.tensors());
    variables.filter(|(v, t)| v.kind == VariableKind::Parameter && t.dtype == DType::F32).find_map(|(v, t)| {
        let value = t.elements::<f32>().iter().find(|x| !x.is_finite())?;
        Some((v.path.clone(), *value))
    })
}

/// The batch before this one; the first has none and is itself.
fn previous(position: Position, epoch: Epoch) -> Position {
    match (position.epoch, position.batch) {
        (0, 0) => position,
        (epochs, 0) => Position { epoch: epochs - 1, batch: epoch.steps - 1 },
        (epochs, batch) => Position { epoch: epochs, batch: batch - 1 },
    }
}

/// The batch after this one.
fn next(position: Position, epoch: Epoch) -> Position {
    match position.batch + 1 {
        n if n >= epoch.steps => Position { epoch: position.epoch + 1, batch: 0 },
        n => Position { epoch: position.epoch, batch: n },
    }
}
