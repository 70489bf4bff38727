//! `tfm train`: what the file says, from data to checkpoints.

use crate::failure::Failure;
use crate::output::{Color, Format, complain, say, show_diagnostics, table};
use crate::pipeline::Compiled;
use crate::settings::Settings;
use crate::target::{LearnedByName, block, compile, open_data, parent};
use crate::values::{bytes, count, duration, value};
use crate::{notes, progress, signals, starts};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tfm_lang::model::{Action, Report, VarId, VariableKind};
use tfm_lang::source::Sources;
use tfm_lowering::build::{batch_entry, evaluate_entry, every_entry};
use tfm_lowering::plan::Plan;
use tfm_runtime::checkpoint::{Progress, Store, Weights, Which};
use tfm_runtime::cpu::Cpu;
use tfm_runtime::data::Dataset;
use tfm_runtime::run::{self, DataFeed, Ended, Engine, Event, Feed, Folder, Job, Outcome, RunError, RunInfo, Summary};
use tfm_runtime::session::{Call, Session};
use tfm_runtime::tensor::Tensor;

/// Every `train` block of the file in order, weights carried over; or the one that is named.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "Ctrl-C saves and stops; --resume goes on where the run was, bit for bit.\n\n\
    Example:\n  tfm train examples/01_digits.tfm --set epochs=1 --seed 7")]
pub struct Train {
    /// The file
    #[arg(value_name = "FILE", required_unless_present = "resume")]
    pub file: Option<PathBuf>,

    /// The `train` block, when the file has several
    pub name: Option<String>,

    #[command(flatten)]
    pub settings: Settings,

    /// Stop after so many steps, counted from the beginning of the run
    #[arg(long, value_name = "N")]
    pub max_steps: Option<u64>,

    /// Check, plan and open the data; train nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Where the folders of runs are made
    #[arg(long, default_value = "runs", value_name = "DIR")]
    pub runs: PathBuf,

    /// Go on with the newest run: from its last or best checkpoint, or the folder of one
    #[arg(long, num_args = 0..=1, default_missing_value = "last", value_name = "last|best|PATH")]
    pub resume: Option<String>,

    /// Start from these weights, as `export` writes them: safetensors, matched by path
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub start: Option<PathBuf>,

    /// Show nothing but errors and the end
    #[arg(long, short)]
    pub quiet: bool,

    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Where a run goes on.
struct Resumed {
    /// The index of its block.
    train: usize,
    folder: Folder,
    progress: Progress,
}

impl Train {
    /// What to resume, and the file: `--resume FILE.tfm` is `--resume` and a file.
    pub fn resume(&self) -> (Option<String>, Option<PathBuf>) {
        match (&self.resume, &self.file) {
            (Some(word), None) if word.ends_with(".tfm") => (Some("last".into()), Some(word.into())),
            (resume, file) => (resume.clone(), file.clone()),
        }
    }

    /// Trains.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let (resume, file) = self.resume();
        let file = file.ok_or_else(|| Failure::Usage("which file? `tfm train FILE.tfm --resume`".into()))?;
        let options = self.settings.options();
        let compiled = compile(&file, &options, &|m| self.settings.apply(m), color)?;
        let blocks = self.blocks(&compiled, &file)?;
        self.notes(&compiled, &blocks);
        let directory = std::path::absolute(parent(&file)).map_err(Failure::file(&file))?;
        let datasets = self.open_data(&compiled, &blocks, &directory)?;
        let mut session = Session::new(compiled.graph.clone(), Cpu::new(self.settings.threads()));
        session.initialize(compiled.model.trains[blocks[0]].seed)?;
        if let Some(file) = &self.start {
            let variables = session.variables().to_vec();
            Weights::open(file)?.set_all(&variables, session.tensors_mut())?;
        }
        let mut resumed = match resume {
            Some(word) => Some(self.find(&compiled, &blocks, &Which::from(word.as_str()), &mut session)?),
            None => None,
        };
        let first = resumed.as_ref().map_or(0, |r| blocks.iter().position(|b| *b == r.train).unwrap_or(0));
        // The block that goes on has read its weights when it began.
        let begin = &blocks[first + usize::from(resumed.is_some())..];
        let unfit = starts::unfit(&compiled, begin.iter().map(|b| &compiled.model.trains[*b]), &directory, true);
        if !unfit.is_empty() {
            show_diagnostics(&compiled.sources, &unfit, color);
            return Err(Failure::Shown);
        }
        if self.dry_run {
            return self.describe(&compiled, &blocks, &datasets, &mut session);
        }
        for &train in &blocks[first..] {
            let going_on = resumed.take().filter(|r| r.train == train);
            let block = Block { train, command: self, compiled: &compiled, file: &file, directory: &directory };
            block.run(&datasets, &mut session, going_on)?;
        }
        Ok(())
    }

    /// Says what is run otherwise than the file has it.
    fn notes(&self, compiled: &Compiled, blocks: &[usize]) {
        if self.quiet {
            return;
        }
        let notes = notes::of(compiled, blocks.iter().map(|b| &compiled.model.trains[*b]));
        match self.format {
            Format::Plain => notes.iter().for_each(|note| complain(note)),
            Format::Json => {
                let mut observer = progress::observer(self.format, false, &self.runs);
                notes.iter().for_each(|note| observer.on(Event::Note(note)));
            }
        }
    }

    /// The indices of the blocks to be run.
    fn blocks(&self, compiled: &Compiled, file: &Path) -> Result<Vec<usize>, Failure> {
        match &self.name {
            Some(name) => Ok(vec![block(compiled, name)?]),
            None if compiled.model.trains.is_empty() => {
                Err(Failure::Message(format!("{} has no `train` block", file.display())))
            }
            None => Ok((0..compiled.model.trains.len()).collect()),
        }
    }

    fn open_data(
        &self,
        compiled: &Compiled,
        blocks: &[usize],
        directory: &Path,
    ) -> Result<BTreeMap<usize, Dataset>, Failure> {
        let indices = used_data(blocks.iter().map(|b| &compiled.model.trains[*b]));
        open_data(&compiled.model, indices, directory, None)
    }

    /// The run to go on with: of those of the blocks, the one that was saved last, or the one that a checkpoint
    /// folder belongs to. The session's variables are set.
    fn find(
        &self,
        compiled: &Compiled,
        blocks: &[usize],
        which: &Which,
        session: &mut Session,
    ) -> Result<Resumed, Failure> {
        let name = |b: usize| compiled.model.trains[b].name.as_str();
        let (train, folder) = if let Which::At(path) = which {
            let manifest = tfm_runtime::checkpoint::read_manifest(path)?;
            let train = blocks.iter().copied().find(|b| name(*b) == manifest.progress.train);
            let train = train.ok_or_else(|| {
                Failure::Message(format!("{} is of `train {}`", path.display(), manifest.progress.train))
            })?;
            // runs/convnet/001/checkpoints/step-000500
            let absolute = std::path::absolute(path).map_err(Failure::file(path))?;
            let run = absolute.parent().and_then(Path::parent);
            (train, Folder::open(run.unwrap_or(&absolute)))
        } else {
            let saved = |folder: &Folder| {
                let newest = Store::open(&folder.checkpoints()).ok()?.find(&Which::Last).ok()?;
                std::fs::metadata(newest).ok()?.modified().ok()
            };
            let runs = blocks.iter().filter_map(|b| {
                let folder = Folder::newest(&self.runs, name(*b))?;
                Some((saved(&folder)?, *b, folder))
            });
            let last = runs.max_by_key(|(time, b, _)| (*time, *b)).map(|(_, b, folder)| (b, folder));
            last.ok_or_else(|| {
                Failure::Message(format!(
                    "there is no checkpoint of this file in {} to go on from",
                    self.runs.display()
                ))
            })?
        };
        let store = Store::open(&folder.checkpoints())?;
        let variables = session.variables().to_vec();
        let (manifest, passed_over) = store.restore(which, &variables, session.tensors_mut())?;
        passed_over.iter().for_each(|e| complain(&format!("warning: {e}; an earlier one is used")));
        Ok(Resumed { train, folder, progress: manifest.progress })
    }

    /// `--dry-run`: what would be trained.
    fn describe(
        &self,
        compiled: &Compiled,
        blocks: &[usize],
        datasets: &BTreeMap<usize, Dataset>,
        session: &mut Session,
    ) -> Result<(), Failure> {
        for train in blocks.iter().map(|b| &compiled.model.trains[*b]) {
            let feed = feed(datasets, train, session)?;
            let epoch = feed.epoch();
            let plan = step_plan(train, &feed, datasets, session, &run::shown(&train.training))?;
            let (kernels, arena) = (plan.steps.len(), plan.arena);
            let total = run::period::total_steps(train.length, epoch).map_or("by the clock".into(), count);
            let rows = [
                ("parameters", count(compiled.parameters())),
                ("examples", count(epoch.examples)),
                ("batch", count(train.batch.max(0) as u64)),
                ("steps per epoch", count(epoch.steps)),
                ("steps", total),
                ("kernels per step", count(kernels as u64)),
                ("memory of a step", bytes(arena as u64)),
            ];
            let rows: Vec<Vec<String>> = rows.into_iter().map(|(n, v)| vec![n.to_string(), v]).collect();
            say(&format!("{}\n{}", train.name, table(&rows)))?;
        }
        Ok(())
    }
}

/// The plan of a step, of a part where it is done in parts, that gives these reports.
pub(crate) fn step_plan<'s>(
    train: &tfm_lang::model::Train,
    feed: &DataFeed<'_>,
    datasets: &BTreeMap<usize, Dataset>,
    session: &'s mut Session,
    shown: &[Report],
) -> Result<&'s Plan, Failure> {
    let epoch = feed.epoch();
    session.set_size("steps_per_epoch", epoch.steps as i64);
    let names = shown.iter().map(|r| r.name.as_str());
    let entry = batch_entry(train);
    // Of a step in parts, what is added up from part to part.
    let sums: Vec<String> = session.outputs(&entry).into_iter().filter(|n| n.starts_with("micro/")).collect();
    let fetches: Vec<&str> = names.chain(sums.iter().map(String::as_str)).collect();
    let split = &datasets[&train.data.data].splits[train.data.split].1;
    let most = train.settings.micro.unwrap_or(train.batch).max(1) as usize;
    let examples = most.min(epoch.examples as usize);
    session.set_size("B", examples as i64);
    let zeros: Vec<(&str, Tensor)> =
        feed.fields().iter().filter_map(|f| Some((f.as_str(), split.tensor(split.field(f)?, examples)))).collect();
    let feeds: Vec<(&str, &Tensor)> = zeros.iter().map(|(n, t)| (*n, t)).collect();
    let call = Call { entry: &entry, feeds: &feeds, fetches: &fetches, assigns: true, ..Call::default() };
    Ok(session.plan_for(&call)?)
}

/// The data of a block, in its batches.
pub(crate) fn feed<'a>(
    datasets: &'a BTreeMap<usize, Dataset>,
    train: &'a tfm_lang::model::Train,
    session: &Session,
) -> Result<DataFeed<'a>, Failure> {
    let mut inputs = session.inputs(&batch_entry(train));
    // What is looked at now and then comes with every batch.
    for input in (0..train.periodic.len()).flat_map(|i| session.inputs(&every_entry(&train.name, i))) {
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    Ok(DataFeed::new(datasets, train, &inputs, &session.inputs(&evaluate_entry(&train.name)))?)
}

/// The data sets that some blocks train and are evaluated on, by their index in the model.
pub(crate) fn used_data<'a>(
    trains: impl IntoIterator<Item = &'a tfm_lang::model::Train>,
) -> impl Iterator<Item = usize> {
    let used = trains.into_iter().flat_map(|train| {
        let actions = train.periodic.iter().flat_map(|p| &p.actions);
        let evaluated = actions.filter_map(|a| if let Action::Evaluate(on) = a { Some(on.data) } else { None });
        std::iter::once(train.data.data).chain(evaluated).collect::<Vec<_>>()
    });
    used.collect::<std::collections::BTreeSet<_>>().into_iter()
}

/// The files that keep, in the folder of a run, what is run: the sources, the graph, what the data taught.
pub(crate) fn run_files(
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

/// `run.json` of a run that begins now.
pub(crate) fn run_info(
    compiled: &Compiled,
    train: &tfm_lang::model::Train,
    directory: &Path,
    settings: &Settings,
) -> RunInfo {
    let files = compiled.source_files();
    RunInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        file: files.first().map(|(n, _)| n.display().to_string()).unwrap_or_default(),
        directory: directory.to_path_buf(),
        train: train.name.clone(),
        overrides: settings.set.clone(),
        seed: train.seed,
        threads: settings.threads(),
    }
}

/// One block of a command.
struct Block<'a> {
    train: usize,
    command: &'a Train,
    compiled: &'a Compiled,
    file: &'a Path,
    directory: &'a Path,
}

impl Block<'_> {
    fn run(
        &self,
        datasets: &BTreeMap<usize, Dataset>,
        session: &mut Session,
        resumed: Option<Resumed>,
    ) -> Result<(), Failure> {
        let (command, train) = (self.command, &self.compiled.model.trains[self.train]);
        let feed = feed(datasets, train, session)?;
        let stop = signals::listen().map_err(|e| Failure::Message(format!("signals cannot be heard: {e}")))?;
        let (folder, from) = match resumed {
            Some(r) => (r.folder, Some(r.progress)),
            None => {
                self.start(session)?;
                (self.new_folder(datasets, session)?, None)
            }
        };
        self.greet(&feed, &folder, from.as_ref())?;
        let memory = self.memory_note(&feed, datasets, session)?;
        let mut observer = progress::observer(command.format, command.quiet, &command.runs);
        if let Some(note) = memory {
            observer.on(Event::Note(&note));
        }
        if let Some(progress) = from.as_ref().filter(|p| p.seed != train.seed) {
            let note = format!("going on with seed {}, with which this run began", progress.seed);
            observer.on(Event::Note(&note));
        }
        let splits: Vec<Vec<String>> = self.compiled.model.data.iter().map(|d| d.splits.clone()).collect();
        let (max_steps, hand_over) = (command.max_steps, &AtomicBool::new(false));
        let (splits, folder_) = (&splits, &folder);
        let job = Job { train, splits, folder: folder_, max_steps, from, stop: &stop, hand_over, save_soon: false };
        let outcome = run::train(session, &feed, job, &mut *observer);
        drop(observer);
        self.finish(outcome.map_err(|e| self.explain(e))?, &folder)
    }

    /// What there is to say when a step needs more than `memory` allows.
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
        Ok((needed > limit).then(|| {
            format!(
                "note: a step of `train {}` needs {}, and `memory` says {}; nothing is computed again to save memory \
                 yet: a smaller `batch`, or `micro`, needs less",
                train.name,
                bytes(needed),
                bytes(limit)
            )
        }))
    }

    /// Reads what the block starts from.
    fn start(&self, session: &mut Session) -> Result<(), Failure> {
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
    fn new_folder(&self, datasets: &BTreeMap<usize, Dataset>, session: &Session) -> Result<Folder, Failure> {
        let train = &self.compiled.model.trains[self.train];
        let folder = Folder::create(&self.command.runs, &train.name)?;
        for (name, bytes) in run_files(self.compiled, datasets, session) {
            folder.write(&name, &bytes)?;
        }
        folder.write_json("run.json", &run_info(self.compiled, train, self.directory, &self.command.settings))?;
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
            folder.path().display(),
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
            Ended::MaxSteps => "stopped by --max-steps".into(),
            Ended::Stalled(why) => format!("stopped: {why}"),
            Ended::Signal(_) | Ended::HandedOver => "interrupted".to_string(),
        };
        let (parameters, threads) = (self.compiled.parameters(), self.command.settings.threads());
        let summary = Summary::new(progress, &ended, epoch.steps, parameters, threads);
        folder.write_json("summary.json", &summary)?;
        if self.command.format == Format::Json {
            let mut value = serde_json::to_value(&summary).unwrap_or_default();
            if let Some(object) = value.as_object_mut() {
                object.insert("event".into(), "ended".into());
                object.insert("path".into(), folder.path().display().to_string().into());
            }
            let _ = say(&value.to_string());
        } else {
            let _ = say(&ending(&summary, folder));
        }
        let Ended::Signal(signal) = outcome.ended else { return Ok(()) };
        let command = format!("tfm train {} {} --resume", self.file.display(), progress.train);
        let runs = &self.command.runs;
        let runs = if runs == Path::new("runs") { String::new() } else { format!(" --runs {}", runs.display()) };
        complain(&format!("interrupted at step {}; go on with: {command}{runs}", progress.step));
        Err(Failure::Signal(signal))
    }

    /// A run's error, with the place in the file where there is one.
    fn explain(&self, error: RunError) -> Failure {
        Failure::Message(explain(&error, &self.compiled.sources))
    }
}

/// A run's error in words, with the place in the file where there is one.
pub(crate) fn explain(error: &RunError, sources: &Sources) -> String {
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

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}

/// The table of metrics, and where the run is.
pub(crate) fn ending(summary: &Summary, folder: &Folder) -> String {
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
