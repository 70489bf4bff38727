//! `tfm eval`: the metrics of a trained run.

use crate::failure::Failure;
use crate::output::{Color, Format, say, table};
use crate::settings::Settings;
use crate::target::{Trained, open_data, trained};
use crate::values::{count, value};
use clap::Args;
use std::path::PathBuf;
use tfm_lang::model::{Action, DataRef};
use tfm_lowering::build::{batch_entry, evaluate_entry};
use tfm_runtime::checkpoint::{Which, load_model};
use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::{DataFeed, Engine, Evaluation, Feed, Table, evaluate_with_tables, json_number, shown, tables};
use tfm_runtime::session::Session;

/// Losses and reports over a part of the data, with the weights of a checkpoint.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm eval runs/digits_net/001 --checkpoint best --on test")]
pub struct Eval {
    /// A file, for its newest run, or the folder of a run
    #[arg(value_name = "FILE|RUN")]
    target: PathBuf,

    /// The `train` block, when the file has several
    name: Option<String>,

    /// Which checkpoint: last, best, or its folder
    #[arg(long, default_value = "last", value_name = "last|best|PATH")]
    checkpoint: String,

    /// Which part of the data [default: what the file evaluates]
    #[arg(long, value_name = "SPLIT")]
    on: Option<String>,

    /// Where the runs are
    #[arg(long, default_value = crate::config::RUNS, value_name = "DIR")]
    runs: PathBuf,

    #[command(flatten)]
    settings: Settings,

    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Eval {
    /// Evaluates and prints a line per metric.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let which = Which::from(self.checkpoint.as_str());
        let run = trained(&self.target, self.name.as_deref(), &self.runs, &which, &self.settings, color)?;
        let train = &run.compiled.model.trains[run.train];
        let parts = self.parts(&run)?;
        let indices = parts.iter().map(|p| p.data).chain([train.data.data]);
        let datasets = open_data(&run.compiled.model, indices, &run.directory, Some(&run.learned))?;
        let mut session = Session::new(run.compiled.graph.clone(), Cpu::new(self.settings.threads()));
        session.initialize(train.seed)?;
        let variables = session.variables().to_vec();
        let manifest = load_model(&run.checkpoint, &variables, session.tensors_mut())?;
        let entry = evaluate_entry(&train.name);
        let inputs = [session.inputs(&batch_entry(train)), session.inputs(&entry)];
        let feed = DataFeed::new(&datasets, train, &inputs[0], &inputs[1])?;
        session.set_size("steps_per_epoch", feed.epoch().steps as i64);
        let reports = shown(&train.evaluation);
        let (mut rows, mut found_tables) = (Vec::new(), Vec::new());
        let wanted = tables(&train.evaluation);
        for on in &parts {
            let what = Evaluation { entry: &entry, reports: &reports, on, seed: manifest.progress.seed, most: None };
            let all = evaluate_with_tables(&mut session, &feed, what, &wanted, &mut |_| true)?;
            let (found, of_tables) = all.unwrap_or_default();
            let split = &run.compiled.model.data[on.data].splits[on.split];
            rows.extend(reports.iter().zip(found).map(|(r, v)| (format!("{split}.{}", r.name), v)));
            let data = &run.compiled.model.data[train.data.data];
            let named = wanted.iter().zip(&of_tables);
            found_tables.extend(named.map(|(r, t)| Table::of(&format!("{split}.{}", r.name), t, data)));
        }
        match self.format {
            Format::Json => {
                let values: serde_json::Map<_, _> = rows.into_iter().map(|(n, v)| (n, json_number(v))).collect();
                let checkpoint = run.checkpoint.display().to_string();
                let step = manifest.progress.step;
                let mut object = serde_json::json!({ "checkpoint": checkpoint, "step": step, "values": values });
                for table in &found_tables {
                    object["tables"][&table.name] = serde_json::json!({ "names": table.names, "rows": table.rows });
                }
                say(&object.to_string())
            }
            Format::Plain => {
                let step = count(manifest.progress.step);
                let head = format!("{} of {}, step {step}", train.name, run.folder.path().display());
                let rows: Vec<Vec<String>> = rows.into_iter().map(|(n, v)| vec![n, value(v)]).collect();
                say(&format!("{head}\n{}", table(&rows)))?;
                found_tables.iter().try_for_each(|t| say(&format!("\n{}", crate::plot::confusion(t))))
            }
        }
    }

    /// The parts of the data to evaluate on.
    fn parts(&self, run: &Trained) -> Result<Vec<DataRef>, Failure> {
        let model = &run.compiled.model;
        let train = &model.trains[run.train];
        if let Some(name) = &self.on {
            let splits = &model.data[train.data.data].splits;
            let split = splits.iter().position(|s| s == name).ok_or_else(|| {
                Failure::Message(format!("the data has no part `{name}`; it has {}", splits.join(", ")))
            })?;
            return Ok(vec![DataRef { data: train.data.data, split, operators: Vec::new() }]);
        }
        let mut parts: Vec<DataRef> = Vec::new();
        for action in train.periodic.iter().flat_map(|p| &p.actions) {
            if let Action::Evaluate(on) = action
                && !parts.iter().any(|p| (p.data, p.split) == (on.data, on.split))
            {
                parts.push(on.clone());
            }
        }
        if parts.is_empty() {
            parts.push(train.data.clone());
        }
        Ok(parts)
    }
}
