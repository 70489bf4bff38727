//! `tfm train`: what the file says, from data to checkpoints.

mod block;
mod overfit;

use crate::failure::Failure;
pub(crate) use crate::feeds::{feed, step_plan, used_data};
use crate::output::{Color, Format, complain, say, show_diagnostics, table};
use crate::pipeline::Compiled;
use crate::settings::Settings;
use crate::target::{block, compile, open_data, parent};
use crate::values::{bytes, count};
use crate::{notes, progress, starts};
use block::Block;
pub(crate) use block::{Running, about, ending, explain, run_files, run_info};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tfm_lowering::build::step_entry;
use tfm_runtime::checkpoint::{Progress, Store, Weights, Which};
use tfm_runtime::cpu::Cpu;
use tfm_runtime::data::Dataset;
use tfm_runtime::run::{self, Engine, Event, Feed, Folder};
use tfm_runtime::session::Session;

/// Every `train` block of the file in order, weights carried over; or the one that is named.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "Ctrl-C saves and stops; --resume goes on where the run was, bit for bit.\n\n\
    Example:\n  tfm train examples/01_digits.tfm --set epochs=1 --seed 7\n  \
    tfm train examples/01_digits.tfm --fast-dev-run\n  tfm train examples/01_digits.tfm --overfit 1")]
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

    /// Try everything on little: N steps (1 where none is said), N batches of each evaluation, every periodic part
    /// once; nothing is kept
    #[arg(long, num_args = 0..=1, default_missing_value = "1", value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["resume", "max_steps", "dry_run"])]
    pub fast_dev_run: Option<u64>,

    /// Train on the first N batches again and again, unshuffled, and say whether the loss falls as it should; nothing
    /// is kept
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
        conflicts_with_all = ["resume", "fast_dev_run", "dry_run"])]
    pub overfit: Option<u64>,

    /// Do not try two batches of each evaluation before the first step
    #[arg(long)]
    pub no_sanity: bool,

    /// Where the folders of runs are made
    #[arg(long, default_value = crate::config::RUNS, value_name = "DIR")]
    pub runs: PathBuf,

    /// Go on with the newest run: from its last or best checkpoint, or the folder of one
    #[arg(long, num_args = 0..=1, default_missing_value = "last", value_name = "last|best|PATH")]
    pub resume: Option<String>,

    /// Start from these weights, as `export` writes them: safetensors, matched by path
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub start: Option<PathBuf>,

    /// Write histograms of the parameters for TensorBoard, every so many steps
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "100", value_name = "STEPS",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub histograms: Option<u64>,

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
        let indices = used_data(blocks.iter().map(|b| &compiled.model.trains[*b]));
        let datasets = open_data(&compiled.model, indices, &directory, None)?;
        let mut session = Session::new(compiled.graph.clone(), Cpu::new(self.settings.threads()));
        session.initialize(compiled.model.trains[blocks[0]].seed)?;
        for train in blocks.iter().map(|b| &compiled.model.trains[*b]) {
            if let Some(limit) = train.settings.memory {
                session.set_memory(&step_entry(&train.name), usize::try_from(limit).unwrap_or(usize::MAX));
            }
        }
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
            match self.overfit {
                Some(batches) => {
                    block.start(&mut session)?;
                    let of = (file.as_path(), &compiled.model.trains[train]);
                    overfit::run(self, of, &datasets, &mut session, batches)?;
                }
                None => block.run(&datasets, &mut session, going_on)?,
            }
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
