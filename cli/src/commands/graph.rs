//! `tfm graph`: the forms between a file and its numbers.

use crate::failure::Failure;
use crate::output::{Color, say};
use crate::settings::Settings;
use crate::target::compile;
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tfm_lowering::plan::{Request, schedule};
use tfm_runtime::cpu::Cpu;

/// The graph of all `train` blocks: forward, backward, update, evaluation, initial values.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm graph examples/01_digits.tfm --plan B=64 steps_per_epoch=100")]
pub struct Graph {
    /// The file
    file: PathBuf,

    /// Print the graph as text (the default)
    #[arg(long)]
    text: bool,

    /// Write the graph as protobuf
    #[arg(long, value_name = "FILE")]
    proto: Option<PathBuf>,

    /// Print the plans of all entries for these sizes
    #[arg(long, value_name = "SIZE=N", num_args = 1.., value_parser = size)]
    plan: Vec<(String, i64)>,

    #[command(flatten)]
    settings: Settings,
}

fn size(text: &str) -> Result<(String, i64), String> {
    let (name, n) = text.split_once('=').ok_or("it must be SIZE=N, such as B=128")?;
    match n.trim().parse() {
        Ok(n) if n > 0 => Ok((name.trim().into(), n)),
        _ => Err(format!("`{n}` is no size")),
    }
}

impl Graph {
    /// Prints or writes what was asked for.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let compiled = compile(&self.file, &self.settings.options(), &|m| self.settings.apply(m), color)?;
        if let Some(path) = &self.proto {
            std::fs::write(path, compiled.graph.to_bytes()).map_err(Failure::file(path))?;
        }
        if self.text || (self.proto.is_none() && self.plan.is_empty()) {
            say(&compiled.graph.to_string())?;
        }
        if self.plan.is_empty() {
            return Ok(());
        }
        let device = Cpu::new(self.settings.threads());
        let sizes: BTreeMap<String, i64> = self.plan.iter().cloned().collect();
        for entry in &compiled.graph.entries {
            let fetches = entry.outputs.iter().map(|(name, _)| name.clone()).collect();
            let request = Request { entry: entry.name.clone(), fetches, assigns: true, sizes: sizes.clone() };
            let plan = schedule(&compiled.graph, &request, &device)
                .map_err(|e| Failure::Message(format!("no plan for `{}`: {e}", entry.name)))?;
            say(&format!("{}\n{plan}", entry.name))?;
        }
        Ok(())
    }
}
