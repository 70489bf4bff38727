//! The thread that trains: it runs the loop, and between two steps takes over versions, goes back, pauses, restarts.

use super::board::{Activity, Board, News, layers};
use super::edit::{Edit, Facts};
use super::files::milliseconds;
use super::orders::{Order, Orders, QUIT};
use super::teller::{Later, Teller};
use super::version::{Version, warnings};
use crate::commands::train::{self, Running};
use crate::failure::Failure;
use crate::settings::Settings;
use crate::values::count;
use crate::{notes, starts};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tfm_lang::model::Instance;
use tfm_lowering::graph::Variable;
use tfm_runtime::carry::{self, Carry};
use tfm_runtime::checkpoint::{Progress, Store};
use tfm_runtime::run::{self, Ended, Engine, Folder, Job, Outcome, Recorder, Summary};
use tfm_runtime::tensor::Tensor;

/// How many edits can be undone, and the bytes of weights that are kept for that; one always can.
const UNDO: usize = 8;
const UNDO_BYTES: usize = 1 << 29;

/// What the command line says.
pub struct Options {
    /// Where runs are kept.
    pub runs: PathBuf,
    /// `--set` and the like.
    pub settings: Settings,
    /// The block, if one is named.
    pub name: Option<String>,
    /// The folder of the file.
    pub directory: PathBuf,
    /// Whether checksums of all variables are told at each edit.
    pub checksums: bool,
}

/// How the command ends.
pub struct Ending {
    /// What came out.
    pub summary: Summary,
    /// The run.
    pub folder: Folder,
    /// The signal, or [`QUIT`].
    pub signal: usize,
}

/// Weights from before an edit, and what they belong to.
struct Before {
    instances: Vec<Instance>,
    variables: Vec<Variable>,
    tensors: Vec<Tensor>,
    progress: Progress,
    facts: Facts,
}

impl Before {
    fn version(&self) -> carry::Version<'_> {
        carry::Version { instances: &self.instances, variables: &self.variables }
    }

    fn bytes(&self) -> usize {
        self.tensors.iter().map(|t| t.bytes().len()).sum()
    }
}

/// Why there are no steps at the moment.
#[derive(PartialEq)]
enum Rest {
    No,
    Finished,
    Failed,
}

/// The run.
pub struct Runner {
    options: Options,
    orders: Arc<Orders>,
    board: Arc<Board>,
    running: Version,
    block: usize,
    folder: Folder,
    recorder: Option<Recorder>,
    facts: Facts,
    progress: Option<Progress>,
    before: VecDeque<Before>,
    edits: u32,
    save_soon: bool,
    later: Option<Later>,
    rest: Rest,
    paused: bool,
    saved: bool,
    broken: Option<String>,
}

impl Runner {
    /// Begins a run of the first block.
    pub fn begin(options: Options, orders: Arc<Orders>, board: Arc<Board>, first: Version) -> Result<Runner, Failure> {
        let name = |i: usize| options.name.as_ref().is_none_or(|n| *n == first.train(i).name);
        let block = (0..first.compiled.model.trains.len()).find(|&i| name(i)).unwrap_or(0);
        let (facts, folder) = (Facts::of(&first, block), Folder::open(&options.runs));
        let mut runner = Runner {
            options,
            orders,
            board,
            running: first,
            block,
            folder,
            recorder: None,
            facts,
            progress: None,
            before: VecDeque::new(),
            edits: 0,
            save_soon: false,
            later: None,
            rest: Rest::No,
            paused: false,
            saved: false,
            broken: None,
        };
        runner.board.view().warnings = warnings(&runner.running.compiled);
        runner.new_run()?;
        Ok(runner)
    }

    /// Trains and obeys until it is told to end.
    pub fn run(mut self) -> Result<Ending, Failure> {
        loop {
            if self.rest == Rest::No && !self.paused {
                self.train()?;
            }
            for order in self.orders.take() {
                self.obey(order)?;
            }
            let signal = self.orders.stop.load(Ordering::Acquire);
            if signal != 0 {
                return self.end(signal);
            }
            if self.rest != Rest::No || self.paused {
                self.settle();
                self.orders.wait();
            }
        }
    }

    /// A folder for a run of the block at hand, from the weights that there are.
    fn new_run(&mut self) -> Result<(), Failure> {
        let train = self.running.train(self.block).clone();
        self.orders.set_block(&train.name);
        for start in &train.starts {
            let from = starts::begin(start, &self.options.directory, &mut self.running.session)?;
            self.board.tell(News::Note(from));
        }
        self.folder = Folder::create(&self.options.runs, &train.name)?;
        for (name, bytes) in self.running.files.iter() {
            self.folder.write(name, bytes)?;
        }
        let info = train::run_info(&self.running.compiled, &train, &self.options.directory, &self.options.settings);
        self.folder.write_json("run.json", &info)?;
        self.facts = Facts::of(&self.running, self.block);
        (self.progress, self.edits, self.save_soon, self.saved) = (None, 0, false, false);
        self.before.clear();
        (self.rest, self.later) = (Rest::No, None);
        let about = train::about(&self.running.compiled, &train, &self.options.settings);
        let mut recorder = Recorder::open(&self.folder, about.data, None);
        recorder.describe(0, &about);
        self.recorder = Some(recorder);
        self.board.tell(News::Run { train: train.name.clone(), folder: self.folder.path().to_path_buf() });
        self.tell_model();
        notes::of(&self.running.compiled, [&train]).into_iter().for_each(|note| self.board.tell(News::Note(note)));
        Ok(())
    }

    fn greeting(&self) -> String {
        let (model, train) = (&self.running.compiled.model, self.running.train(self.block));
        let (data, epoch) = (&model.data[train.data.data], self.running.epochs[self.block]);
        let threads = self.options.settings.threads();
        format!(
            "{}: {} parameters, {} examples of {}.{}, {} steps per epoch\nseed {}, {threads} {}, {}",
            train.name,
            count(self.running.compiled.parameters()),
            count(epoch.examples),
            data.name,
            data.splits[train.data.split],
            count(epoch.steps),
            train.seed,
            if threads == 1 { "thread" } else { "threads" },
            self.folder.path().display(),
        )
    }

    fn tell_model(&self) {
        let layers = layers(&self.running.compiled.model.instances, &self.running.session.graph().variables);
        let picture = self.running.pictures.get(&self.block).cloned().unwrap_or_default();
        self.board.tell(News::Model { layers, greeting: self.greeting(), picture });
    }

    /// Runs the loop until it ends or someone has an order.
    fn train(&mut self) -> Result<(), Failure> {
        match self.enter() {
            Ok(Outcome { progress, ended, .. }) => {
                self.progress = Some(progress);
                match ended {
                    Ended::HandedOver => {}
                    Ended::Signal(_) => self.saved = true,
                    Ended::Done | Ended::MaxSteps => self.finished("finished".into())?,
                    Ended::Stopped(why) => self.finished(format!("finished: {why}"))?,
                }
            }
            Err(Failure::Message(text)) => {
                self.rest = Rest::Failed;
                let undo = "u goes back to the weights from before the last edit, r starts with new ones; \
                            an edit goes on from before the last edit";
                self.board.tell(News::Activity(Activity::Failed(format!("{text}\n  {undo}"))));
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn enter(&mut self) -> Result<Outcome, Failure> {
        let model = &self.running.compiled.model;
        let train = &model.trains[self.block];
        let feed = train::feed(&self.running.datasets, train, &self.running.session)?;
        let splits: Vec<Vec<String>> = model.data.iter().map(|d| d.splits.clone()).collect();
        let about = |later: &Later| {
            later.files.is_some().then(|| train::about(&self.running.compiled, train, &self.options.settings))
        };
        let mut teller = Teller {
            board: &self.board,
            recorder: self.recorder.as_mut().expect("a run that has begun has one"),
            about: self.later.as_ref().and_then(about),
            names: Vec::new(),
            later: &mut self.later,
            save_soon: &mut self.save_soon,
            last: None,
        };
        let job = Job {
            train,
            splits: &splits,
            folder: &self.folder,
            max_steps: None,
            from: self.progress.clone(),
            stop: &self.orders.stop,
            hand_over: &self.orders.hand_over,
            save_soon: *teller.save_soon,
            sanity: 0,
            trial: None,
        };
        let running = Running::begin(&self.folder)?;
        let outcome = run::train(&mut self.running.session, &feed, job, &mut teller);
        drop(running);
        outcome.map_err(|e| Failure::Message(train::explain(&e, &self.running.compiled.sources)))
    }

    /// The block has come to its end: the next one begins, or an edit is waited for.
    fn finished(&mut self, why: String) -> Result<(), Failure> {
        self.settle();
        self.write_summary(if why == "finished" { "done" } else { &why })?;
        let next = self.block + 1;
        if self.options.name.is_none() && next < self.running.compiled.model.trains.len() {
            self.block = next;
            return self.new_run();
        }
        self.rest = Rest::Finished;
        self.board.tell(News::Activity(Activity::Finished(why)));
        Ok(())
    }

    fn write_summary(&self, ended: &str) -> Result<Summary, Failure> {
        let progress = self.progress.clone().unwrap_or_default();
        let (steps, threads) = (self.running.epochs[self.block].steps, self.options.settings.threads());
        let summary = Summary::new(&progress, ended, steps, self.running.compiled.parameters(), threads);
        self.folder.write_json("summary.json", &summary)?;
        Ok(summary)
    }

    fn obey(&mut self, order: Order) -> Result<(), Failure> {
        match order {
            Order::Version(version) => self.take_over(*version)?,
            Order::Undo => self.undo(),
            Order::Restart => self.restart()?,
            Order::Pause if self.rest != Rest::No => {}
            Order::Pause => {
                self.paused = !self.paused;
                let activity = if self.paused { Activity::Paused } else { Activity::Training };
                self.board.tell(News::Activity(activity));
            }
            Order::Broken(text) => {
                self.broken = Some(text);
                self.orders.stop(QUIT);
            }
        }
        Ok(())
    }

    /// Goes on with another version.
    fn take_over(&mut self, new: Version) -> Result<(), Failure> {
        self.settle();
        let failed = self.rest == Rest::Failed;
        if new.is_same(&self.running) && !failed {
            self.board.tell(News::Mended);
            return Ok(());
        }
        let name = self.running.train(self.block).name.clone();
        // The block of that name was there when the version was made, unless the run has moved on meanwhile.
        let Some(block) = new.block(&name) else {
            self.board.tell(News::Note(format!("there is no `train {name}` in this version; it is not taken over")));
            return Ok(());
        };
        let (seen, checked) = (new.seen, new.checked);
        let mut old = std::mem::replace(&mut self.running, new);
        self.block = block;
        if failed && self.before.is_empty() {
            drop_apart(old);
            self.board.view().warnings = warnings(&self.running.compiled);
            self.board.tell(News::Mended);
            self.board.tell(News::Note("the run had failed: it starts anew".into()));
            return self.new_run();
        }
        if !failed {
            self.remember(&mut old);
        }
        drop_apart(old);
        self.edits += 1;
        self.facts = Facts::of(&self.running, block);
        let mut edit = self.go_on_from_before("edit");
        if failed {
            edit.notes.push("the run had failed: it goes on from before the last edit".into());
        }
        edit.checked_ms = milliseconds(checked);
        (self.rest, self.saved) = (Rest::No, false);
        let warnings = warnings(&self.running.compiled);
        self.board.tell(News::Edited { edit: edit.clone(), warnings });
        self.tell_model();
        let seen = (!self.paused).then_some(seen);
        self.later = Some(Later { seen, folder: self.folder.clone(), files: Some(self.running.files.clone()), edit });
        Ok(())
    }

    /// Keeps the weights of a version that is about to go, to be gone on from and gone back to.
    fn remember(&mut self, old: &mut Version) {
        let take = |t: &mut Tensor| std::mem::replace(t, Tensor::zeros(t.dtype, &[0]));
        self.before.push_back(Before {
            instances: old.compiled.model.instances.clone(),
            variables: old.session.variables().to_vec(),
            tensors: old.session.tensors_mut().iter_mut().map(take).collect(),
            progress: self.progress.clone().unwrap_or_default(),
            facts: self.facts.clone(),
        });
        let bytes = |all: &VecDeque<Before>| all.iter().map(Before::bytes).sum::<usize>();
        while self.before.len() > UNDO || (self.before.len() > 1 && bytes(&self.before) > UNDO_BYTES) {
            self.before.pop_front();
        }
    }

    /// Puts the weights from before the last edit into the version at hand, whose variables have their first values.
    fn go_on_from_before(&mut self, kind: &'static str) -> Edit {
        let before = self.before.back().expect("the caller has seen that there is one");
        let instances = &self.running.compiled.model.instances;
        let variables = self.running.session.variables().to_vec();
        let new = carry::Version { instances, variables: &variables };
        let carry = Carry::plan(before.version(), new);
        let is_same_model = carry.is_identity(before.version(), new);
        let step = before.progress.step;
        if self.options.checksums {
            self.board.tell(checksums("before", step, &before.variables, &before.tensors));
        }
        carry.apply(&before.tensors, self.running.session.tensors_mut());
        if self.options.checksums {
            self.board.tell(checksums("after", step, &variables, self.running.session.tensors()));
        }
        let mut progress = before.progress.clone();
        let mut notes = self.facts.changes(&before.facts, progress.seed);
        self.facts.adapt(&before.facts, &mut progress, is_same_model);
        if !is_same_model {
            // What is due at this step is done again with the new model, at the end of a run too.
            progress.pending = true;
            notes.extend(put_aside(&self.folder, self.edits, &mut progress));
        }
        // The order of the data and the draws go on as they began.
        self.running.compiled.model.trains[self.block].seed = progress.seed;
        let edit = Edit {
            number: self.edits,
            kind,
            step,
            rows: carry.rows(before.version(), new),
            states: carry.states(before.version(), new),
            notes,
            checked_ms: 0.0,
            after_ms: None,
        };
        self.save_soon = self.save_soon || !is_same_model || kind == "undo";
        self.progress = Some(progress);
        edit
    }

    fn undo(&mut self) {
        self.settle();
        if self.before.is_empty() {
            self.board.tell(News::Note("there is no edit of this run to go back behind".into()));
            return;
        }
        let seed = self.progress.as_ref().map_or(0, |p| p.seed);
        if let Err(e) = self.running.session.initialize(seed) {
            self.board.tell(News::Note(e.to_string()));
            return;
        }
        let mut edit = self.go_on_from_before("undo");
        edit.notes.insert(0, "the weights are those from before this edit; the file stays as it is".into());
        self.before.pop_back();
        (self.rest, self.saved) = (Rest::No, false);
        self.board.tell(News::Edited { edit: edit.clone(), warnings: None });
        self.later = Some(Later { seen: None, folder: self.folder.clone(), files: None, edit });
    }

    /// Saves the run, and begins another with new weights.
    fn restart(&mut self) -> Result<(), Failure> {
        let stop = &self.orders.stop;
        if stop.compare_exchange(0, QUIT, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return Ok(());
        }
        if self.rest == Rest::No && !self.saved {
            self.train()?;
        }
        self.settle();
        self.write_summary("restarted")?;
        // A signal that came meanwhile stays.
        let _ = self.orders.stop.compare_exchange(QUIT, 0, Ordering::AcqRel, Ordering::Acquire);
        let name = |i: &usize| self.options.name.as_ref().is_none_or(|n| *n == self.running.train(*i).name);
        self.block = (0..self.running.compiled.model.trains.len()).find(name).unwrap_or(self.block);
        let train = &mut self.running.compiled.model.trains[self.block];
        train.seed = self.options.settings.seed.unwrap_or(self.facts.seed());
        let seed = train.seed;
        self.running.session.initialize(seed)?;
        self.paused = false;
        self.new_run()
    }

    /// Writes what was left for later.
    fn settle(&mut self) {
        if let Some(later) = self.later.take()
            && let Err(e) = later.write()
        {
            self.board.tell(News::Note(e.to_string()));
        }
    }

    /// Saves and ends.
    fn end(mut self, signal: usize) -> Result<Ending, Failure> {
        self.board.tell(News::Activity(Activity::Stopping));
        if self.rest == Rest::No && !self.saved {
            // The loop sees at once that it should stop, and saves.
            self.train()?;
        }
        self.settle();
        let ended = match (&self.rest, signal) {
            (Rest::Finished, _) => "done",
            (Rest::Failed, _) => "failed",
            (Rest::No, QUIT) => "stopped",
            (Rest::No, _) => "interrupted",
        };
        let summary = self.write_summary(ended)?;
        match self.broken {
            Some(text) => Err(Failure::Message(text)),
            None => Ok(Ending { summary, folder: self.folder, signal }),
        }
    }
}

/// Letting go of a version, its threads and its program takes a moment, and nothing waits for it.
fn drop_apart(version: Version) {
    let dropped = std::thread::Builder::new().name("drop".into()).spawn(move || drop(version));
    // Without a thread it was dropped here.
    drop(dropped);
}

/// The best checkpoints are of another model from now on, and no longer to be compared with: they are kept with the edit.
fn put_aside(folder: &Folder, edit: u32, progress: &mut Progress) -> Vec<String> {
    let best = std::mem::take(&mut progress.best);
    let Ok(store) = Store::open(&folder.checkpoints()) else { return Vec::new() };
    let kept = best.iter().filter_map(|(metric, best)| {
        let place = format!("edits/{edit:04}/best-{metric}");
        let to = folder.path().join(&place);
        std::fs::create_dir_all(to.parent()?).ok()?;
        std::fs::rename(store.path(best.step), &to).ok()?;
        Some(format!("the best by {metric} so far, {}, is kept in {place}", crate::values::value(best.value)))
    });
    kept.collect()
}

fn checksums(when: &'static str, step: u64, variables: &[Variable], tensors: &[Tensor]) -> News {
    let sums = variables.iter().zip(tensors).map(|(v, t)| (v.path.clone(), crc32c::crc32c(t.bytes())));
    News::Weights { when, step, sums: sums.collect::<BTreeMap<String, u32>>() }
}
