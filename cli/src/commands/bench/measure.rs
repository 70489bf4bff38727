//! One measurement: a workload trained in this process, timed in blocks of steps.

use super::Work;
use crate::failure::Failure;
use crate::output::table;
use crate::pipeline::compile;
use crate::target::open_data;
use serde_json::{Value, json};
use std::fmt;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tfm_lang::check::Options;
use tfm_lang::model::Train;
use tfm_lowering::build::step_entry;
use tfm_runtime::cpu::Cpu;
use tfm_runtime::data::Batch;
use tfm_runtime::run::{DataFeed, Feed, shown};
use tfm_runtime::session::{Call, Context, Session};
use tfm_runtime::tensor::Tensor;

/// When this process began, where the system does not say.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A workload that is ready to be trained, step by step.
pub struct Trainee {
    pub(super) session: Session,
    pub(super) threads: usize,
    pub(super) train: Train,
    pub(super) entry: String,
    losses: Vec<String>,
    /// What is reported besides the loss.
    reported: Option<String>,
    pub(super) fields: Vec<String>,
    pub(super) batches: Vec<Batch>,
    done: u64,
    out: Vec<Tensor>,
}

impl Trainee {
    /// Checks, lowers and initializes a workload and draws its batches. `set` changes values of `const`.
    pub fn new(work: &Work, set: &[(String, String)], threads: usize) -> Result<Trainee, Failure> {
        LazyLock::force(&BEGAN);
        let mut nothing = |_: &str| None;
        let options = Options { overrides: set.to_vec(), ..Options::default() };
        let compiled = compile(work.name, work.text, &mut nothing, &options, &|_| {}).map_err(|rejected| {
            let found: Vec<_> = rejected.diagnostics.iter().map(|d| d.message.as_str()).collect();
            Failure::Message(format!("the workload {} is not accepted: {}", work.name, found.join("; ")))
        })?;
        let train = &compiled.model.trains[0];
        let mut session = Session::new(compiled.graph.clone(), Cpu::new(threads));
        session.run(tfm_lowering::build::INIT, &[], &[], true, Context { seed: train.seed, step: 0 })?;
        let entry = step_entry(&train.name);
        let inputs = session.inputs(&entry);
        let datasets = open_data(&compiled.model, [train.data.data], Path::new("."), None)?;
        let feed = DataFeed::new(&datasets, train, &inputs, &inputs)?;
        session.set_size("steps_per_epoch", feed.epoch().steps as i64);
        let (fields, batches) = feed.evaluation(&train.data)?;
        let batches = batches.collect::<Result<Vec<Batch>, _>>()?;
        let losses = shown(&train.training).into_iter().take(train.training.losses.len()).map(|r| r.name).collect();
        let reported = train.training.reports.first().map(|r| r.name.clone());
        let (train, done, out) = (train.clone(), 0, Vec::new());
        Ok(Trainee { session, threads, train, entry, losses, reported, fields, batches, done, out })
    }

    /// One step, just as `tfm train` makes it: the loss is looked at after each.
    pub fn step(&mut self) -> Result<(), Failure> {
        let batch = &self.batches[self.done as usize % self.batches.len()];
        self.done += 1;
        let context = Context { seed: self.train.seed, step: self.done };
        self.session.set_size("B", batch.examples as i64);
        let feeds: Vec<(&str, &Tensor)> = self.fields.iter().map(String::as_str).zip(&batch.tensors).collect();
        let losses: Vec<&str> = self.losses.iter().map(String::as_str).collect();
        let call = Call { entry: &self.entry, feeds: &feeds, fetches: &losses, assigns: true, context };
        self.session.run_into(&call, &mut self.out)?;
        Ok(())
    }

    /// What the workload calls its loss: what it reports, or else what it minimizes.
    pub(super) fn shown(&self) -> &str {
        self.reported.as_deref().or(self.losses.first().map(String::as_str)).unwrap_or_default()
    }

    fn loss(&self) -> f32 {
        self.out.first().and_then(|t| t.elements::<f32>().first().copied()).unwrap_or(f32::NAN)
    }

    /// Milliseconds per step over so many steps.
    fn block(&mut self, steps: usize) -> Result<f64, Failure> {
        let start = Instant::now();
        (0..steps).try_for_each(|_| self.step())?;
        Ok(start.elapsed().as_secs_f64() * 1e3 / steps as f64)
    }
}

/// Warms up and measures.
pub fn measure(work: &Work, trainee: &mut Trainee, seconds: f64) -> Result<Measured, Failure> {
    trainee.step()?;
    let first = since_start();
    let warm_until = Instant::now() + Duration::from_secs_f64((seconds / 2.0).min(3.0));
    let mut warm = Vec::new();
    while warm.len() < 4 || Instant::now() < warm_until {
        warm.push(trainee.block(1)?);
    }
    let steps = ((seconds * 1e3 / 30.0 / median(&mut warm)).round() as usize).max(1);
    let (mut blocks, start, busy) = (Vec::new(), Instant::now(), processor_seconds());
    while blocks.len() < 3 || start.elapsed().as_secs_f64() < seconds {
        blocks.push(trainee.block(steps)?);
    }
    let busy = processor_seconds().zip(busy).map(|(now, before)| (now - before) / start.elapsed().as_secs_f64());
    let (count, middle) = (blocks.len() * steps, median(&mut blocks));
    let (items, item) = work.items;
    Ok(Measured(json!({
        "peer": "tfm", "version": env!("CARGO_PKG_VERSION"), "mode": "train", "work": work.name,
        "threads": trainee.threads, "steps_per_s": 1e3 / middle, "step_ms_median": middle, "step_ms_min": blocks[0],
        "items_per_s": f64::from(items) * 1e3 / middle, "item": item, "steps": count, "cores_busy": busy,
        "first_step_s": first, "final_loss": trainee.loss(), "max_rss_mb": peak_memory(),
    })))
}

/// The middle number, or the mean of the two in the middle; they are sorted then.
fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let n = numbers.len();
    (numbers[(n - 1) / 2] + numbers[n / 2]) / 2.0
}

/// Clock ticks of Linux, per second, as `/proc` counts them on every architecture.
const TICKS: f64 = 100.0;

/// Fields of `/proc/self/stat` from the third on, which is number 0 here.
fn stat() -> Option<Vec<f64>> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(|f| f.parse().unwrap_or(0.0)).collect())
}

/// Seconds since this process was made; on other systems than Linux, since the measurement began.
pub fn since_start() -> f64 {
    let linux = || {
        let up = std::fs::read_to_string("/proc/uptime").ok()?;
        let up: f64 = up.split_whitespace().next()?.parse().ok()?;
        Some(up - stat()?.get(19)? / TICKS)
    };
    linux().unwrap_or_else(|| BEGAN.elapsed().as_secs_f64())
}

/// Seconds that processors worked for this process, where the system says.
fn processor_seconds() -> Option<f64> {
    let stat = stat()?;
    Some((stat.get(11)? + stat.get(12)?) / TICKS)
}

/// The most memory this process ever had, in MB, where the system says.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

/// A result, ours or a peer's: the same JSON object.
pub struct Measured(pub(super) Value);

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Measured {
    /// Reads the line that a process printed.
    pub fn read(line: &str) -> Result<Measured, String> {
        let read = serde_json::from_str(line).ok().map(Measured);
        read.filter(|m| m.median_ms() > 0.0).ok_or_else(|| format!("it printed no result but `{line}`"))
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.0[name].as_f64()
    }

    /// The median of a step or of a forward pass, in milliseconds.
    pub fn median_ms(&self) -> f64 {
        self.number("step_ms_median").or(self.number("p50_ms")).unwrap_or(0.0)
    }

    /// `tfm`, `torch/eager`.
    pub fn who(&self) -> String {
        match (self.0["peer"].as_str(), self.0["mode"].as_str()) {
            (Some("tfm"), _) | (None, _) => "tfm".into(),
            (Some(peer), mode) => format!("{peer}/{}", mode.unwrap_or_default()),
        }
    }

    /// Its line in the table, beside ours.
    pub fn row(&self, ours: &Measured) -> Vec<String> {
        let cell = |name: &str| self.number(name).map_or("-".into(), short);
        let per_second = |name| self.number(name).map_or_else(|| short(1e3 / self.median_ms()), short);
        let items = format!("{} {}", per_second("items_per_s"), self.0["item"].as_str().unwrap_or("samples"));
        let ratio =
            if self.who() == ours.who() { "".into() } else { format!("{:.2}x", self.median_ms() / ours.median_ms()) };
        let work = format!("{:4} {}", self.0["work"].as_str().unwrap_or_default(), self.who());
        let ms = |name: &str| self.number(name).map_or("-".into(), milliseconds);
        let second = if self.number("p99_ms").is_some() { "p99_ms" } else { "step_ms_min" };
        let (median, second) = (milliseconds(self.median_ms()), ms(second));
        let (threads, first, peak) = (cell("threads"), ms("first_step_s"), cell("max_rss_mb"));
        vec![work, threads, per_second("steps_per_s"), median, second, items, first, peak, ratio]
    }
}

/// The run in the middle of several, by its median; of an even number the quicker of two.
pub fn middle(mut runs: Vec<Measured>) -> Option<Measured> {
    runs.sort_by(|a, b| a.median_ms().total_cmp(&b.median_ms()));
    let at = runs.len().checked_sub(1)? / 2;
    Some(runs.swap_remove(at))
}

/// A number with three digits or more.
fn short(x: f64) -> String {
    match x {
        _ if x.fract() == 0.0 || x >= 1000.0 => format!("{x:.0}"),
        _ if x >= 100.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

/// Milliseconds, or seconds, to a thousandth; of less than a tenth there is a digit more.
fn milliseconds(x: f64) -> String {
    if x < 0.1 { format!("{x:.4}") } else { format!("{x:.3}") }
}

/// A table with its head.
pub fn with_head<const N: usize>(head: [&str; N], rows: Vec<Vec<String>>) -> String {
    let head = std::iter::once(head.map(String::from).to_vec());
    table(&head.chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables that a test can train.
    fn small(work: &Work) -> Vec<(String, String)> {
        if work.name == "recsys" { vec![("rows".into(), "1000".into())] } else { Vec::new() }
    }

    #[test]
    fn every_workload_trains() {
        for work in super::super::WORKS {
            let mut trainee = Trainee::new(work, &small(work), 2).unwrap_or_else(|e| panic!("{}: {e:?}", work.name));
            assert_eq!(trainee.batches.len(), 16, "{}", work.name);
            // A step of the largest takes seconds where nothing is optimized.
            trainee.batches.truncate(if work.name == "gpt_mid" { 3 } else { 16 });
            let mut pass = || -> f64 {
                let steps = 0..trainee.batches.len();
                steps.map(|_| trainee.block(1).map(|_| f64::from(trainee.loss())).unwrap()).sum()
            };
            let (first, second) = (pass(), pass());
            assert!(second < first && first.is_finite(), "{}: {first} then {second}", work.name);
        }
    }

    #[test]
    fn medians() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        let runs = |all: &[f64]| all.iter().map(|ms| Measured(json!({ "step_ms_median": ms }))).collect();
        let of = |all: &[f64]| middle(runs(all)).map(|m| m.median_ms());
        assert_eq!(
            (of(&[]), of(&[5.0]), of(&[9.0, 1.0, 4.0]), of(&[2.0, 1.0])),
            (None, Some(5.0), Some(4.0), Some(1.0))
        );
        assert_eq!((short(12.0), short(1234.5), short(3.456)), ("12".into(), "1234".into(), "3.46".into()));
    }

    #[test]
    fn results_are_read_back() {
        let line = r#"{"peer":"torch","mode":"eager","work":"mlp","threads":2,"step_ms_median":4.0,"item":"samples"}"#;
        let theirs = Measured::read(line).unwrap();
        let ours = Measured(json!({"peer": "tfm", "mode": "train", "step_ms_median": 2.0}));
        assert_eq!((theirs.who(), ours.who()), ("torch/eager".into(), "tfm".into()));
        assert_eq!(theirs.row(&ours).last().unwrap(), "2.00x");
        assert!(Measured::read("Traceback").is_err() && Measured::read("{}").is_err());
    }
}
