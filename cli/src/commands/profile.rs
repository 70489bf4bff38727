//! `tfm profile`: where the time of a training step, or of a forward pass, goes: by operation, by line and by layer.

mod attribute;
mod chrome;
mod report;
mod stepper;

use super::bench;
use crate::failure::Failure;
use crate::output::{Color, complain, say};
use crate::pipeline;
use crate::settings::Settings;
use crate::target::{compile, parent};
use attribute::Kernels;
use clap::Args;
use report::Report;
use std::path::{Path, PathBuf};
use stepper::{Of, Stepper};

/// Some steps are made to warm up, then so many are watched: when each kernel ran, and what each thread did of it.
/// Times are means over the watched steps. A kernel that computes several operations of the file has its time shared
/// evenly among them; what the library does counts to the line that applied it. Nothing is written but the trace,
/// and the weights are thrown away.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm profile examples/01_digits.tfm --trace digits.json")]
pub struct Profile {
    /// The file
    #[arg(value_name = "FILE", required_unless_present = "work", conflicts_with = "work")]
    file: Option<PathBuf>,

    /// The `train` block, when the file has several [default: the first]
    #[arg(conflicts_with = "work")]
    name: Option<String>,

    /// A workload of `tfm bench` in place of a file
    #[arg(long, value_name = "NAME")]
    work: Option<String>,

    #[command(flatten)]
    settings: Settings,

    /// Watch inference in place of training: a forward pass of one example
    #[arg(long)]
    infer: bool,

    /// How many steps are watched
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    steps: u32,

    /// Rows of each table
    #[arg(long, default_value_t = 16, value_name = "N")]
    rows: usize,

    /// Also write what happened when, for chrome://tracing or ui.perfetto.dev
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// One JSON object in place of the tables
    #[arg(long)]
    json: bool,
}

impl Profile {
    /// Measures.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let adjust = |m: &mut tfm_lang::model::Model| self.settings.apply(m);
        let (compiled, directory) = match (&self.file, &self.work) {
            (Some(file), _) => (compile(file, &self.settings.options(), &adjust, color)?, parent(file)),
            (None, Some(name)) => {
                let work = bench::find(name)?;
                let file = format!("{}.tfm", work.name);
                let compiled = pipeline::compile(&file, work.text, &mut |_| None, &self.settings.options(), &adjust);
                let compiled = compiled.map_err(|rejected| {
                    crate::output::show_diagnostics(&rejected.sources, &rejected.diagnostics, color);
                    Failure::Shown
                })?;
                (compiled, PathBuf::from("."))
            }
            (None, None) => return Err(Failure::Usage("which file? `tfm profile FILE.tfm`".into())),
        };
        let train = match &self.name {
            Some(name) => crate::target::block(&compiled, name)?,
            None if compiled.model.trains.is_empty() => {
                return Err(Failure::Message("the file has no `train` block to profile".into()));
            }
            None => 0,
        };
        let threads = self.settings.threads();
        let block = &compiled.model.trains[train];
        let of = if self.infer { Of::Inference } else { Of::Training };
        let watched = Stepper::new(&compiled, block, &directory, threads, of)?.watch(self.steps)?;
        let kernels = Kernels::of(&compiled, block, &watched);
        let report = Report::new(block, &kernels, &watched, threads);
        if let Some(file) = &self.trace {
            std::fs::write(file, chrome::trace(&block.name, &kernels, &watched)).map_err(Failure::file(file))?;
            self.tell_trace(file);
        }
        match self.json {
            true => say(&report.json().to_string()),
            false => say(&report.tables(self.rows.max(1))),
        }
    }

    fn tell_trace(&self, file: &Path) {
        if !self.json {
            complain(&format!("{}: open it with ui.perfetto.dev or chrome://tracing", file.display()));
        }
    }
}
