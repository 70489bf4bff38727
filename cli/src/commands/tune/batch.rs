//! `tfm tune batch`: what fits, and how fast it is.

use super::edit::Text;
use super::{Common, replace};
use crate::failure::Failure;
use crate::feeds::{feed, step_plan, used_data};
use crate::machine;
use crate::output::{Color, Format, say, table};
use crate::pipeline::Compiled;
use crate::signals;
use crate::target::{compile, open_data, parent};
use crate::values::{bytes, count};
use clap::Args;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tfm_runtime::cpu::Cpu;
use tfm_runtime::data::Dataset;
use tfm_runtime::run::{self, Engine, Feed};
use tfm_runtime::session::Session;

/// The size that is suggested is the smallest that is so much of the fastest.
const NEARLY: f64 = 0.9;

/// How long a size is measured, and after how many steps that begins.
const MEASURE: (Duration, u64) = (Duration::from_millis(600), 2);

/// A size whose step takes longer than this is the last one that is tried.
const SLOW: Duration = Duration::from_secs(4);

/// How many batches are in memory beside the one that is computed on.
const AHEAD: u64 = 4;

/// Try sizes.
#[derive(Args, Clone, Debug)]
pub struct Batch {
    #[command(flatten)]
    common: Common,

    /// The memory that there is, such as 2GB [default: what this machine has free]
    #[arg(long, value_name = "BYTES", value_parser = amount)]
    memory: Option<u64>,

    /// The largest size that is tried
    #[arg(long, value_name = "N", default_value_t = 65_536, value_parser = clap::value_parser!(u64).range(1..))]
    most: u64,
}

/// `2GB`, `500 MB`
fn amount(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no amount of memory; write 2GB or 500MB");
    let at = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let number: f64 = text[..at].trim().parse().map_err(|_| wrong())?;
    let unit = match text[at..].trim().to_uppercase().as_str() {
        "" | "B" => 1.0,
        "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => return Err(wrong()),
    };
    if number > 0.0 && number.is_finite() { Ok((number * unit) as u64) } else { Err(wrong()) }
}

/// A size that was measured.
struct Row {
    batch: u64,
    memory: u64,
    examples_per_second: f64,
    step: Duration,
}

impl Batch {
    /// Tries, shows a table, and changes the file where that was asked for.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let (common, file) = (&self.common, &self.common.file);
        let mut compiled = compile(file, &common.settings.options(), &|m| common.settings.apply(m), color)?;
        let block = common.block(&compiled)?;
        let name = compiled.model.trains[block].name.clone();
        if compiled.model.trains[block].settings.micro.is_some() {
            return Err(Failure::Message(format!(
                "`train {name}` does its steps in parts of `micro` examples, and these decide what fits; leave `micro` \
                 out to find a batch"
            )));
        }
        let directory = std::path::absolute(parent(file)).map_err(Failure::file(file))?;
        let datasets = open_data(&compiled.model, used_data([&compiled.model.trains[block]]), &directory, None)?;
        let mut session = Session::new(compiled.graph.clone(), Cpu::new(common.settings.threads()));
        session.initialize(compiled.model.trains[block].seed)?;
        let examples = feed(&datasets, &compiled.model.trains[block], &session)?.epoch().examples;
        let limit = self.memory.or_else(machine::free_memory).unwrap_or(u64::MAX);
        let most = self.most.min(examples);
        let mut needs = |batch: u64, compiled: &mut Compiled| needs(batch, compiled, block, &datasets, &mut session);
        if needs(1, &mut compiled)? > limit {
            let least = needs(1, &mut compiled)?;
            return Err(Failure::Message(format!(
                "even a batch of 1 does not fit: a step needs {}, and there are {}",
                bytes(least),
                bytes(limit)
            )));
        }
        // The largest that fits: doubled until it does not, then halved in between.
        let (mut fits, mut beyond) = (1, most + 1);
        while fits * 2 <= most && needs(fits * 2, &mut compiled)? <= limit {
            fits *= 2;
        }
        if fits * 2 <= most {
            beyond = fits * 2;
        }
        if beyond > most && needs(most, &mut compiled)? <= limit {
            fits = most;
        }
        while beyond - fits > (fits / 16).max(1) {
            let middle = fits + (beyond - fits) / 2;
            if needs(middle, &mut compiled)? <= limit { fits = middle } else { beyond = middle }
        }
        let largest = fits;
        let stop = signals::listen().map_err(|e| Failure::Message(format!("signals cannot be heard: {e}")))?;
        let mut rows: Vec<Row> = Vec::new();
        let mut sizes: Vec<u64> = (0..).map(|i| 1u64 << i).take_while(|b| *b <= largest).filter(|b| *b >= 8).collect();
        if sizes.is_empty() {
            sizes.push(largest);
        }
        for batch in sizes {
            let memory = needs(batch, &mut compiled)?;
            let row = measure(batch, memory, &compiled, block, &datasets, self.common.settings.threads(), &stop)?;
            let is_slow = row.step > SLOW;
            rows.push(row);
            match stop.load(Ordering::Relaxed) {
                0 if is_slow => break,
                0 => {}
                signal => return Err(Failure::Signal(signal)),
            }
        }
        let fastest = rows.iter().map(|r| r.examples_per_second).fold(0.0, f64::max);
        let found = rows.iter().find(|r| r.examples_per_second >= NEARLY * fastest).map_or(largest, |r| r.batch);
        self.tell(&rows, largest, found, (limit, most, examples))?;
        if common.write {
            let written = std::fs::read_to_string(file).map_err(Failure::file(file))?;
            let (changed, old) = Text::of(&written).with_batch(&name, &found.to_string()).ok_or_else(|| {
                Failure::Message(format!("the batch of `train {name}` is not a number; write {found} where it belongs"))
            })?;
            replace(file, &changed)?;
            if common.format == Format::Plain {
                say(&format!("{}: {found} in place of {old}", file.display()))?;
            }
        }
        Ok(())
    }

    fn tell(
        &self,
        rows: &[Row],
        largest: u64,
        found: u64,
        (limit, most, examples): (u64, u64, u64),
    ) -> Result<(), Failure> {
        if self.common.format == Format::Json {
            let sizes: Vec<_> = rows
                .iter()
                .map(|r| {
                    serde_json::json!({
                        "batch": r.batch, "memory": r.memory, "examples_per_second": r.examples_per_second.round(),
                        "step_seconds": r.step.as_secs_f64(),
                    })
                })
                .collect();
            let value = serde_json::json!({ "batch": found, "largest": largest, "memory": limit, "sizes": sizes });
            return say(&value.to_string());
        }
        let mut lines = vec![["batch", "memory", "examples/s", "step"].map(String::from).to_vec()];
        for r in rows {
            let step = format!("{:.1} ms", r.step.as_secs_f64() * 1e3);
            lines.push(vec![count(r.batch), bytes(r.memory), count(r.examples_per_second as u64), step]);
        }
        say(&table(&lines))?;
        let why = if largest >= most {
            if most == examples { "all of the data".to_string() } else { "as far as was tried (--most)".into() }
        } else {
            format!("in {}", bytes(limit))
        };
        say(&format!("the largest that fits: {}, {why}", count(largest)))?;
        say(&format!(
            "suggested: {}, the smallest that is nearly as fast as any; with another batch another rate may be right \
             (`tfm tune lr`)",
            count(found)
        ))
    }
}

/// The bytes that a step on a batch of this size needs, with variables and the batches that are read ahead.
fn needs(
    batch: u64,
    compiled: &mut Compiled,
    block: usize,
    datasets: &BTreeMap<usize, Dataset>,
    session: &mut Session,
) -> Result<u64, Failure> {
    compiled.model.trains[block].batch = batch as i64;
    let train = &compiled.model.trains[block];
    let feed = feed(datasets, train, session)?;
    let split = &datasets[&train.data.data].splits[train.data.split].1;
    let fields = feed.fields().iter().filter_map(|f| split.field(f));
    let record: usize = fields.map(|f| split.tensor(f, 1).bytes().len()).sum();
    let arena = step_plan(train, &feed, datasets, session, &run::shown(&train.training))?.arena;
    let variables: usize = session.tensors().iter().map(|t| t.bytes().len()).sum();
    Ok((arena + variables) as u64 + AHEAD * batch * record as u64)
}

/// Trains on batches of this size for a moment.
fn measure(
    batch: u64,
    memory: u64,
    compiled: &Compiled,
    block: usize,
    datasets: &BTreeMap<usize, Dataset>,
    threads: usize,
    stop: &std::sync::atomic::AtomicUsize,
) -> Result<Row, Failure> {
    let train = &compiled.model.trains[block];
    let mut session = Session::new(compiled.graph.clone(), Cpu::new(threads));
    session.initialize(train.seed)?;
    let feed = feed(datasets, train, &session)?;
    let (mut began, mut steps, mut seen) = (Instant::now(), 0u32, 0usize);
    run::steps(&mut session, &feed, train, &mut |step, examples, _| {
        if step <= MEASURE.1 {
            began = Instant::now();
            return stop.load(Ordering::Relaxed) == 0;
        }
        (steps, seen) = (steps + 1, seen + examples);
        began.elapsed() < MEASURE.0 && stop.load(Ordering::Relaxed) == 0
    })?;
    let time = began.elapsed();
    let examples_per_second = seen as f64 / time.as_secs_f64().max(1e-9);
    Ok(Row { batch, memory, examples_per_second, step: time / steps.max(1) })
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn memory_is_written_in_several_ways() {
        assert_eq!(
            (amount("2GB"), amount("500 MB"), amount("1.5gb")),
            (Ok(2_000_000_000), Ok(500_000_000), Ok(1_500_000_000))
        );
        assert_eq!(amount("1000"), Ok(1000));
        for wrong in ["", "GB", "-1GB", "2 apples", "inf"] {
            assert!(amount(wrong).is_err(), "{wrong}");
        }
    }
}
