//! One block of `tfm train`: its folder, what is said of it, its end.

use super::{Resumed, Train};
use crate::failure::Failure;
use crate::feeds::{feed, step_plan};
use crate::output::{Format, complain, say, table};
use crate::pipeline::Compiled;
use crate::scratch::Scratch;
use crate::settings::Settings;
use crate::target::LearnedByName;
use crate::values::{bytes, count, duration, value};
use crate::{progress, signals, starts};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tfm_lang::model::{self, VarId, VariableKind};
use tfm_lang::source::Sources;
use tfm_lowering::build::step_entry;
use tfm_runtime::checkpoint::{Progress, Store, Which, read_manifest};
use tfm_runtime::data::Dataset;
use tfm_runtime::run::{
    self, About, DataFeed, Ended, Engine, Event, Feed, Folder, Job, Outcome, RUNNING, Recorder, RunError, RunInfo,
    Summary,
};
use tfm_runtime::session::Session;

/// How many batches of each evaluation are tried before the first step.
const SANITY: u64 = 2;

/// One block of a command.
pub struct Block<'a> {
    /// Its index in the file.
    pub train: usize,
    /// What was asked for.
    pub command: &'a Train,
    /// The file.
    pub compiled: &'a Compiled,
    /// Its path.
    pub file: &'a Path,
    /// The folder that it is in.
    pub directory: &'a Path,
}

impl Block<'_> {
    /// Trains it, from its beginning or from where a run stood.
    pub fn run(
        &self,
        datasets: &BTreeMap<usize, Dataset>,
        session: &mut Session,
        resumed: Option<Resumed>,
    ) -> Result<(), Failure> {
        let (command, train) = (self.command, &self.compiled.model.trains[self.train]);
        let feed = feed(datasets, train, session)?;
        let stop = signals::listen().map_err(|e| Failure::Message(format!("signals cannot be heard: {e}")))?;
        let scratch = command.fast_dev_run.map(|_| Scratch::new()).transpose()?;
        let (folder, from) = match resumed {
            Some(r) => (r.folder, Some(r.progress)),
            None => {
                self.start(session)?;
                let runs = scratch.as_ref().map_or(command.runs.as_path(), Scratch::path);
                (self.new_folder(runs, datasets, session)?, None)
            }
        };
        let running = Running::begin(&folder)?;
        self.greet(&feed, &folder, from.as_ref())?;
        let memory = self.memory_note(&feed, datasets, session)?;
        let runs = scratch.as_ref().map_or(command.runs.as_path(), Scratch::path);
        let mut observer = progress::observer(command.format, command.quiet, runs);
        if let Some(note) = memory {
            observer.on(Event::Note(&note));
        }
        if let Some(progress) = from.as_ref().filter(|p| p.seed != train.seed) {
            let note = format!("going on with seed {}, with which this run began", progress.seed);
            observer.on(Event::Note(&note));
        }
        let goes_on = from.is_some();
        let splits: Vec<Vec<String>> = self.compiled.model.data.iter().map(|d| d.splits.clone()).collect();
        let trial = command.fast_dev_run;
        let max_steps = trial.or(command.max_steps);
        let sanity = if command.no_sanity || trial.is_some() { 0 } else { SANITY };
        let (splits, stop, hand_over) = (&splits, &*stop, &AtomicBool::new(false));
        let save_soon = false;
        let job = Job { train, splits, folder: &folder, max_steps, from, stop, hand_over, save_soon, sanity, trial };
        let about = about(self.compiled, train, &command.settings);
        let mut recorder = Recorder::open(&folder, about.data, command.histograms);
        if !goes_on {
            recorder.describe(0, &about);
        }
        let outcome = run::train(session, &feed, job, &mut recorder.before(&mut *observer));
        drop(recorder);
        drop(observer);
        drop(running);
        match outcome {
            Ok(outcome) => self.finish(outcome, &folder),
            Err(e) => {
                self.fail(&e, &folder, feed.epoch().steps);
                Err(Failure::Message(explain(&e, &self.compiled.sources)))
            }
        }
    }

    /// Notes in the run's folder that it failed. What failed is told in any case.
    fn fail(&self, error: &RunError, folder: &Folder, steps_per_epoch: u64) {
        let train = &self.compiled.model.trains[self.train];
        let saved = Store::open(&folder.checkpoints()).and_then(|s| read_manifest(&s.find(&Which::Last)?));
        let new = |_| Progress { train: train.name.clone(), seed: train.seed, ..Progress::default() };
        let mut progress = saved.map_or_else(new, |m| m.progress);
        if let RunError::NotFinite { step, .. } = error {
            progress.step = *step;
        }
        let ended = format!("failed: {}", first_line(&error.to_string()));
        let threads = self.command.settings.threads();
        let summary = Summary::new(&progress, &ended, steps_per_epoch, self.compiled.parameters(), threads);
        let _ = folder.write_json("summary.json", &summary);
    }

    /// What was done for a step to need no more than `memory` allows, and whether it was enough.
    fn memory_note(
        &self,
        feed: &DataFeed<'_>,
        datasets: &BTreeMap<usize, Dataset>,
        session: &mut Session,
    ) -> Result<Option<String>, Failure> {
        let train = &self.compiled.model.trains[self.train];
        let Some(limit) = train.settings.memory else { return Ok(None) };
        let arena = step_plan(train, feed, datasets, session, &run::shown(&train.training))?.arena;
        let variables: usize = session.tensors().iter().map(|t| t.bytes().len()).sum();
        let needed = (arena + variables) as u64;
        let again = session.recomputed(&step_entry(&train.name)).map(|r| {
            let all = bytes((r.before + variables) as u64);
            format!("computes {} operations again and needs {} in place of {all}", r.operations, bytes(needed))
        });
        let (name, limit_text) = (&train.name, bytes(limit));
        Ok(match again {
            Some(again) if needed <= limit => Some(format!("note: a step of `train {name}` {again}")),
            Some(again) => Some(format!(
                "note: a step of `train {name}` {again}, which is still above the {limit_text} of `memory`: a smaller \
                 `batch`, or `micro`, needs less"
            )),
            None if needed > limit => Some(format!(
                "note: a step of `train {name}` needs {}, and `memory` says {limit_text}; nothing in it can be computed \
                 again to save memory: a smaller `batch`, or `micro`, needs less",
                bytes(needed)
            )),
            None => None,
        })
    }

    /// Reads what the block starts from.
    pub fn start(&self, session: &mut Session) -> Result<(), Failure> {
        let is_quiet = self.command.quiet || self.command.format == Format::Json;
        for start in &self.compiled.model.trains[self.train].starts {
            let from = starts::begin(start, self.directory, session)?;
            if !is_quiet {
                let _ = say(&from);
            }
        }
        Ok(())
    }

    /// Makes the folder of a run, with everything that says what is run.
    fn new_folder(
        &self,
        runs: &Path,
        datasets: &BTreeMap<usize, Dataset>,
        session: &Session,
    ) -> Result<Folder, Failure> {
        let train = &self.compiled.model.trains[self.train];
        let folder = Folder::create(runs, &train.name)?;
        for (name, bytes) in run_files(self.compiled, datasets, session) {
            folder.write(&name, &bytes)?;
        }
        let info = run_info(self.compiled, train, self.directory, &self.command.settings);
        folder.write_json("run.json", &info)?;
        Ok(folder)
    }

    /// What is trained, on what, where it goes.
    fn greet(&self, feed: &DataFeed<'_>, folder: &Folder, from: Option<&Progress>) -> Result<(), Failure> {
        if self.command.quiet || self.command.format == Format::Json {
            return Ok(());
        }
        let train = &self.compiled.model.trains[self.train];
        let data = &self.compiled.model.data[train.data.data];
        let epoch = feed.epoch();
        let seed = from.map_or(train.seed, |p| p.seed);
        let threads = self.command.settings.threads();
        let on = format!("{}.{}", data.name, data.splits[train.data.split]);
        let text = format!(
            "{}: {}, {} examples of {on}, {} steps per epoch\nseed {seed}, {threads} {}, {}{}",
            train.name,
            self.parameters(),
            count(epoch.examples),
            count(epoch.steps),
            if threads == 1 { "thread" } else { "threads" },
            match self.command.fast_dev_run {
                Some(n) => format!("a trial of {n} step{}, nothing is kept", if n == 1 { "" } else { "s" }),
                None => folder.path().display().to_string(),
            },
            from.map(|p| format!(", going on after step {}", p.step)).unwrap_or_default(),
        );
        // The run does not depend on who listens.
        let _ = say(&text);
        Ok(())
    }

    /// How many numbers the block trains, and how many it keeps as they are.
    fn parameters(&self) -> String {
        let (model, train) = (&self.compiled.model, &self.compiled.model.trains[self.train]);
        let size = |ids: &mut dyn Iterator<Item = &VarId>| -> u64 {
            let variables = ids.map(|id| &model.variables[id.0 as usize]);
            let parameters = variables.filter(|v| v.kind == VariableKind::Parameter);
            parameters.map(|v| v.ty.size().as_constant().unwrap_or(0).max(0) as u64).sum()
        };
        let moved = count(size(&mut train.minimize.iter().flat_map(|m| &m.parameters)));
        match size(&mut train.frozen.iter()) {
            0 => format!("{moved} parameters"),
            frozen => format!("{moved} parameters, {} frozen", count(frozen)),
        }
    }

    /// Writes the summary and says how it went.
    fn finish(&self, outcome: Outcome, folder: &Folder) -> Result<(), Failure> {
        let (progress, epoch) = (&outcome.progress, outcome.epoch);
        let ended = match &outcome.ended {
            Ended::Done => "done".into(),
            Ended::MaxSteps => "stopped by --max-steps".to_string(),
            Ended::Stopped(why) => format!("stopped: {why}"),
            Ended::Signal(_) | Ended::HandedOver => "interrupted".to_string(),
        };
        let (parameters, threads) = (self.compiled.parameters(), self.command.settings.threads());
        let summary = Summary::new(progress, &ended, epoch.steps, parameters, threads);
        folder.write_json("summary.json", &summary)?;
        let is_trial = self.command.fast_dev_run.is_some();
        if self.command.format == Format::Json {
            let mut value = serde_json::to_value(&summary).unwrap_or_default();
            if let Some(object) = value.as_object_mut() {
                object.insert("event".into(), "ended".into());
                if !is_trial {
                    object.insert("path".into(), folder.path().display().to_string().into());
                }
            }
            let _ = say(&value.to_string());
        } else if is_trial {
            let steps = if summary.steps == 1 { "1 step".into() } else { format!("{} steps", count(summary.steps)) };
            let _ = say(&format!("{}: everything was done once, {steps}; nothing was kept", summary.train));
        } else {
            let _ = say(&ending(&summary, folder));
        }
        let Ended::Signal(signal) = outcome.ended else { return Ok(()) };
        if is_trial {
            return Err(Failure::Signal(signal));
        }
        let command = format!("tfm train {} {} --resume", self.file.display(), progress.train);
        let runs = &self.command.runs;
        let runs = if runs == Path::new("runs") { String::new() } else { format!(" --runs {}", runs.display()) };
        complain(&format!("interrupted at step {}; go on with: {command}{runs}", progress.step));
        Err(Failure::Signal(signal))
    }
}

/// A run's error in words, with the place in the file where there is one.
pub fn explain(error: &RunError, sources: &Sources) -> String {
    let span = match error {
        RunError::NotFinite { cause: Some((_, cause)), .. } => cause.span,
        RunError::Session(tfm_runtime::session::SessionError::Kernel { cause: Some(cause), .. }) => cause.span,
        _ => None,
    };
    let mut text = error.to_string();
    if let Some(span) = span {
        let (line, column) = sources.line_column(span);
        text += &format!("\n  at {}:{line}:{column}: {}", sources.get(span.file).name, first_line(sources.text(span)));
    }
    if matches!(error, RunError::NotFinite { .. }) {
        text += "\n  help: a smaller learning rate, or `|> clip_norm(1.0)` after the optimizer, often mends this; \
                 nothing was saved after the last good checkpoint";
    }
    text
}

/// The files that keep, in the folder of a run, what is run: the sources, the graph, what the data taught.
pub fn run_files(
    compiled: &Compiled,
    datasets: &BTreeMap<usize, Dataset>,
    session: &Session,
) -> Vec<(String, Vec<u8>)> {
    let sources = compiled.source_files().into_iter();
    let mut files: Vec<(String, Vec<u8>)> =
        sources.map(|(name, text)| (format!("source/{}", name.display()), text.as_bytes().to_vec())).collect();
    files.push(("graph.pb".into(), session.graph().to_bytes()));
    let learned: LearnedByName =
        datasets.iter().map(|(i, d)| (compiled.model.data[*i].name.clone(), d.learned.clone())).collect();
    let learned = serde_json::to_string_pretty(&learned).expect("texts and numbers under texts are JSON") + "\n";
    files.push(("data.json".into(), learned.into_bytes()));
    files
}

/// What a run is about, for who looks at it in a viewer.
pub fn about<'a>(compiled: &'a Compiled, train: &'a model::Train, settings: &Settings) -> About<'a> {
    let fenced = |text: &str| text.lines().map(|l| format!("    {l}\n")).collect::<String>();
    let sources = compiled.source_files();
    let mut texts: Vec<(String, String)> =
        sources.iter().map(|(name, text)| (format!("source/{}", name.display()), fenced(text))).collect();
    let set = settings.set.iter().map(|(name, value)| format!("| {name} | {value} |\n"));
    let table = format!(
        "| setting | value |\n|---|---|\n| seed | {} |\n| batch | {} |\n| threads | {} |\n| parameters | {} |\n{}",
        train.seed,
        train.batch,
        settings.threads(),
        count(compiled.parameters()),
        set.collect::<String>()
    );
    texts.push(("settings".into(), table));
    About { train, data: &compiled.model.data[train.data.data], graph: &compiled.graph, texts }
}

/// `run.json` of a run that begins now.
pub fn run_info(compiled: &Compiled, train: &model::Train, directory: &Path, settings: &Settings) -> RunInfo {
    let files = compiled.source_files();
    RunInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        file: files.first().map(|(n, _)| n.display().to_string()).unwrap_or_default(),
        directory: directory.to_path_buf(),
        train: train.name.clone(),
        overrides: settings.set.clone(),
        seed: train.seed,
        threads: settings.threads(),
        started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs()),
    }
}

/// The file `running` in a run's folder, with the number of the process: it is there while the run goes on, and after
/// the process was killed.
pub struct Running(Folder);

impl Running {
    /// Writes it.
    pub fn begin(folder: &Folder) -> Result<Running, Failure> {
        folder.write(RUNNING, std::process::id().to_string().as_bytes())?;
        Ok(Running(folder.clone()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // At worst the run is taken for one that was killed.
        let _ = std::fs::remove_file(self.0.path().join(RUNNING));
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}

/// The table of metrics, and where the run is.
pub fn ending(summary: &Summary, folder: &Folder) -> String {
    let mut rows = vec![["metric", "last", "best", "at step"].map(String::from).to_vec()];
    let cell = |x: Option<f32>| x.map_or("-".into(), value);
    for (name, series) in &summary.metrics {
        rows.push(vec![name.clone(), cell(series.last), cell(series.best), count(series.best_step)]);
    }
    let time = duration(Duration::from_secs_f64(summary.wall_seconds.max(0.0)));
    format!(
        "{}: {} steps in {time}, {:.1} steps/s\n{}\n{}",
        summary.ended,
        count(summary.steps),
        summary.steps_per_second,
        table(&rows),
        folder.path().display(),
    )
}
