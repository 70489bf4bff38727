//! `tfm cost`: what a file costs, before it is run.

use crate::cost::memory::{Memory, Planner, resident};
use crate::cost::{Costs, Shown, at, layers, symbolic};
use crate::failure::Failure;
use crate::output::{Color, complain, say};
use crate::pipeline::Compiled;
use crate::settings::Settings;
use crate::target::{block, compile, open_data, parent};
use crate::values::{bytes, count, si};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tfm_lang::model::{Action, Train};
use tfm_runtime::data::{Dataset, batches};

/// Layers with their shapes, parameters, floating operations and memory, before any run. Operations are multiplications
/// and additions, and one for each element of an elementwise function. Memory is that of the plans a run would make;
/// data is opened for it, where it is there.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm cost examples/02_mnist_convnet.tfm --memory 2GB")]
pub struct Cost {
    /// The file
    file: PathBuf,

    /// The `train` block, when the file has several
    name: Option<String>,

    /// Numbers for this batch, in place of polynomials in B
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=1 << 24))]
    batch: Option<i64>,

    /// Find the largest batch with which a run fits in this much memory
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,

    /// How deep layers in layers are listed
    #[arg(long, value_name = "N", default_value_t = 99)]
    depth: usize,

    /// Everything as one JSON object per block
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    settings: Settings,
}

/// `2GB`, `512 MB`, `1.5GiB`
fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let factor = match text[unit..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err("it must be a size such as 2GB, 512MB or 1.5GiB".into()),
    };
    match text[..unit].parse::<f64>() {
        Ok(n) if n > 0.0 && n * factor < 1e18 => Ok((n * factor) as u64),
        _ => Err("it must be a size such as 2GB, 512MB or 1.5GiB".into()),
    }
}

impl Cost {
    /// Prints the table of each block.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let compiled = compile(&self.file, &self.settings.options(), &|m| self.settings.apply(m), color)?;
        let blocks: Vec<usize> = match &self.name {
            Some(name) => vec![block(&compiled, name)?],
            None if compiled.model.trains.is_empty() => {
                return Err(Failure::Message(format!("{} has no `train` block", self.file.display())));
            }
            None => (0..compiled.model.trains.len()).collect(),
        };
        for (i, &b) in blocks.iter().enumerate() {
            if i > 0 && !self.json {
                say("")?;
            }
            self.block(&compiled, &compiled.model.trains[b])?;
        }
        Ok(())
    }

    fn block(&self, compiled: &Compiled, train: &Train) -> Result<(), Failure> {
        let costs = Costs::of(compiled, train);
        let batch = self.batch.unwrap_or(costs.batch);
        // With the plans made and kept for a moment, the process holds what a run does before it trains.
        let planner = Planner::new(compiled, train, self.settings.threads(), None);
        let before = resident();
        let first = planner.memory(batch, None)?;
        let ready = planner.ready(batch)?;
        let process = resident().or(before);
        drop(ready);
        let (datasets, unopened) = match self.open(compiled, train) {
            Ok(datasets) => (Some(datasets), None),
            Err(failure) => (None, failure.text()),
        };
        let mut memory = planner.memory(batch, datasets.as_ref())?;
        memory.process = process;
        let twice = planner.memory(batch * 2, datasets.as_ref())?;
        let per_example = (twice.arena as f64 - first.arena as f64) / batch as f64;
        let largest = match self.memory {
            Some(limit) => Some((limit, planner.largest_batch(limit, process.unwrap_or(0), datasets.as_ref())?)),
            None => None,
        };
        if self.json {
            let mut object = costs.json(train, batch);
            object["memory"] = json!({
                "variables": memory.variables, "arena": memory.arena, "arena_per_example": per_example,
                "threads": memory.threads, "literals": memory.literals, "data": memory.data, "batches": memory.batches, "copies": memory.copies,
                "checkpoint": memory.checkpoint, "process": memory.process,
                "peak_of_steps": memory.step(), "peak": memory.run(),
            });
            if let Some((limit, largest)) = largest {
                object["largest_batch"] = json!({ "memory": limit, "batch": largest });
            }
            return say(&object.to_string());
        }
        say(&head(compiled, train, &datasets))?;
        let shown = self.batch.map_or(Shown::Symbolic, Shown::For);
        say(&format!("\n{}\n", layers(&costs, shown, self.depth)))?;
        say(&totals(&costs, shown, batch))?;
        say(&format!("\n{}", of_memory(&memory, batch, per_example)))?;
        if let Some(why) = unopened {
            complain(&format!(
                "note: the data was not opened, and is not counted: {}",
                why.trim_start_matches("error: ")
            ));
        }
        if let Some((limit, largest)) = largest {
            let text = match largest {
                Some(n) if n >= 1 << 24 => format!("any batch fits in {}", bytes(limit)),
                Some(n) => format!("the largest batch that fits in {} is {}", bytes(limit), count(n as u64)),
                None => format!("a run does not fit in {}, even with a batch of 1", bytes(limit)),
            };
            say(&format!("\n{text}"))?;
        }
        Ok(())
    }

    /// Opens what the block trains and evaluates on.
    fn open(&self, compiled: &Compiled, train: &Train) -> Result<BTreeMap<usize, Dataset>, Failure> {
        let actions = train.periodic.iter().flat_map(|p| &p.actions);
        let evaluated = actions.filter_map(|a| if let Action::Evaluate(on) = a { Some(on.data) } else { None });
        let indices = std::iter::once(train.data.data).chain(evaluated);
        let directory = std::path::absolute(parent(&self.file)).map_err(Failure::file(&self.file))?;
        open_data(&compiled.model, indices, &directory, None)
    }
}

/// `convnet on digits.train: batch 128, 469 steps per epoch`
fn head(compiled: &Compiled, train: &Train, datasets: &Option<BTreeMap<usize, Dataset>>) -> String {
    let data = &compiled.model.data[train.data.data];
    let split = &data.splits[train.data.split];
    let examples = datasets.as_ref().and_then(|d| Some(d.get(&train.data.data)?.splits.get(train.data.split)?.1.len()));
    let steps = examples.map(|n| {
        let steps = batches(n, train.batch.max(1) as usize);
        format!(", {} examples, {} steps per epoch", count(n as u64), count(steps))
    });
    let micro = train.settings.micro.map_or(String::new(), |m| format!(" in parts of {m}"));
    format!("{} on {}.{split}: batch {}{micro}{}", train.name, data.name, train.batch, steps.unwrap_or_default())
}

fn totals(costs: &Costs, shown: Shown, batch: i64) -> String {
    let whole = &costs.outline.blocks[0].figures;
    let mut parts = vec![format!("{} trained", count(whole.trained))];
    let others = [(whole.frozen, "frozen"), (whole.state, "of states"), (costs.optimizer, "of the optimizer")];
    parts.extend(others.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))));
    let step = &costs.step;
    let mut rows = vec![vec!["parameters".to_string(), parts.join(", ")]];
    let figures =
        [("forward", &step.forward), ("backward", &step.backward), ("update", &step.update), ("step", &step.flops())]
            .map(|(name, d)| (name, d.clone()));
    for (name, d) in figures {
        let number = match (shown, at(&d, batch)) {
            (Shown::Symbolic, Some(n)) => format!(" = {}FLOP for B = {batch}", si(n as f64)),
            _ => "FLOP".into(),
        };
        let text = match shown {
            Shown::Symbolic => symbolic(&d) + &number,
            Shown::For(_) => shown.flops(&d) + &number,
        };
        rows.push(vec![name.to_string(), text]);
    }
    left(rows)
}

/// Two columns, both set to the left.
fn left(rows: Vec<Vec<String>>) -> String {
    let width = rows.iter().map(|r| r[0].chars().count()).max().unwrap_or(0);
    rows.iter().map(|r| format!("{:<width$}  {}", r[0], r[1])).collect::<Vec<_>>().join("\n")
}

fn of_memory(memory: &Memory, batch: i64, per_example: f64) -> String {
    let fixed = memory.arena as f64 - per_example * batch as f64;
    let about = format!("{} + {} * B", bytes(fixed.max(0.0) as u64), bytes(per_example.max(0.0) as u64));
    let mut rows = vec![vec![format!("memory for B = {batch}"), String::new(), String::new()]];
    let mut row = |name: &str, value: String, note: &str| rows.push(vec![format!("  {name}"), value, note.to_string()]);
    row("variables", bytes(memory.variables), "parameters, states, optimizer");
    row("arena", bytes(memory.arena), &format!("what steps compute with, about {about}"));
    row("threads", bytes(memory.threads), "what each computes with beside, and packed weights");
    match memory.data {
        Some(data) => row("data", bytes(data), "examples kept in memory"),
        None => row("data", "?".into(), "not opened"),
    }
    row("batches", bytes(memory.batches), "at hand and read ahead");
    row("copies", bytes(memory.copies), "to find what was not finite");
    row("checkpoint", bytes(memory.checkpoint), "while it is written");
    match memory.process {
        Some(process) => row("process", bytes(process + memory.literals), "program, checked file, graph, plans"),
        None => row("process", "?".into(), "this system does not say"),
    }
    row("peak", bytes(memory.run()), "of a whole run");
    let width = |c: usize| rows.iter().map(|r| r[c].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let line = |r: &Vec<String>| format!("{:<first$}  {:>second$}  {}", r[0], r[1], r[2]).trim_end().to_string();
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units() {
        assert_eq!(
            (size("2GB"), size("512 MB"), size("1.5GiB")),
            (Ok(2_000_000_000), Ok(512_000_000), Ok(1_610_612_736))
        );
        for wrong in ["", "GB", "2 XB", "-1GB", "0", "1e30GB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
