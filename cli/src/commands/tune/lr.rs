//! `tfm tune lr`: the rate goes up exponentially, a step each, and the loss tells where it is right.

use super::curve;
use super::edit::{Rate, Text};
use super::{Common, replace};
use crate::failure::Failure;
use crate::feeds::{feed, used_data};
use crate::output::{Color, Format, complain, say, show_diagnostics};
use crate::pipeline::compile;
use crate::signals;
use crate::starts;
use crate::target::{self, open_data, parent};
use crate::values::value;
use clap::Args;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::{self, Engine, json_number};
use tfm_runtime::session::Session;

/// How much of the smoothed loss stays at each step.
const MEMORY: f64 = 0.9;

/// The search ends when the smoothed loss is so many times the best.
const LOST: f64 = 4.0;

/// Steps at the beginning that tell nothing yet, and at the end that tell nothing any more.
const SKIPPED: (usize, usize) = (10, 5);

/// Try rates.
#[derive(Args, Clone, Debug)]
pub struct Lr {
    #[command(flatten)]
    common: Common,

    /// The first rate
    #[arg(long, default_value_t = 1e-8, value_name = "RATE")]
    from: f64,

    /// The last rate
    #[arg(long, default_value_t = 1.0, value_name = "RATE")]
    to: f64,

    /// How many steps, a rate each
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(20..))]
    steps: u64,

    /// Which optimizer, from 1, when the block has several
    #[arg(long, value_name = "N")]
    optimizer: Option<usize>,

    /// Write the curve to a file, `.csv` or `.svg`; may be given several times
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
}

/// A rate, the loss there and what it is smoothed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// The rate.
    pub rate: f64,
    /// The loss of the step.
    pub loss: f64,
    /// Smoothed with those before.
    pub smooth: f64,
}

impl Lr {
    /// Tries, shows the curve, and changes the file where that was asked for.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        if !(self.from > 0.0 && self.to > self.from && self.to.is_finite()) {
            return Err(Failure::Usage("the rates go up, from above 0: `--from 1e-8 --to 1`".into()));
        }
        if let Some(odd) = self.output.iter().find(|o| curve::form(o).is_none()) {
            return Err(Failure::Usage(format!("a curve is written to `.csv` or `.svg`, not to {}", odd.display())));
        }
        let file = &self.common.file;
        let written = std::fs::read_to_string(file).map_err(Failure::file(file))?;
        let settings = &self.common.settings;
        // Its mistakes are shown as they are in the file, before anything is put into it.
        let compiled = target::compile(file, &settings.options(), &|m| settings.apply(m), color)?;
        let train = compiled.model.trains[self.common.block(&compiled)?].name.clone();
        let text = Text::of(&written);
        let rate = self.rate(&text, &train)?;
        let points = self.sweep(&text, &rate, &train, color)?;
        for path in &self.output {
            curve::write(path, &points, suggestion(&points))?;
        }
        let found = suggestion(&points).ok_or_else(|| {
            Failure::Message(format!(
                "the loss does not fall at any rate from {} to {}\n  help: `tfm train {} --overfit 1` says what to look \
                 at",
                short(self.from),
                short(self.to),
                file.display()
            ))
        })?;
        self.tell(&points, found)?;
        if self.common.write {
            let (changed, old) = text.with_rate_literal(&rate, &short(found)).ok_or_else(|| {
                Failure::Message(format!(
                    "the rate of `{}` is not a single number; write {} where it belongs",
                    rate.optimizer,
                    short(found)
                ))
            })?;
            replace(file, &changed)?;
            if self.common.format == Format::Plain {
                let was = if old.is_empty() { "where none was written".into() } else { format!("in place of {old}") };
                say(&format!("{}: {} {was}", file.display(), short(found)))?;
            }
        }
        Ok(())
    }

    /// The optimizer that is meant.
    fn rate(&self, text: &Text, train: &str) -> Result<Rate, Failure> {
        let rates = text.rates_of(train);
        let list = || {
            let lines = rates.iter().enumerate().map(|(i, r)| format!("\n  --optimizer {}: {}", i + 1, r.optimizer));
            lines.collect::<String>()
        };
        match (rates.as_slice(), self.optimizer) {
            ([], _) => Err(Failure::Message(format!("`train {train}` has no optimizer with a rate in this file"))),
            (all, Some(n)) => all
                .get(n.wrapping_sub(1))
                .cloned()
                .ok_or_else(|| Failure::Usage(format!("there is no optimizer {n} in `train {train}`{}", list()))),
            ([one], None) => Ok(one.clone()),
            (_, None) => Err(Failure::Usage(format!("`train {train}` has several optimizers; which one?{}", list()))),
        }
    }

    /// The losses of the steps. The rate is a schedule that is put into the text: what is tried is the file itself.
    fn sweep(&self, text: &Text, rate: &Rate, train: &str, color: Color) -> Result<Vec<Point>, Failure> {
        let (common, file) = (&self.common, &self.common.file);
        let last = self.steps - 1;
        let schedule = format!(
            "\nschedule rates_to_try_()(step: float[], total: float[]) -> float[] {{\n  \
             {:e} * exp({:e} * minimum(1, (step - 1) / {last}))\n}}\n",
            self.from,
            (self.to / self.from).ln()
        );
        let tried = text.with_rate(rate, "rates_to_try_()") + &schedule;
        let folder = parent(file);
        let mut load = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let apply = |m: &mut tfm_lang::model::Model| common.settings.apply(m);
        let compiled = compile(&file.display().to_string(), &tried, &mut load, &common.settings.options(), &apply);
        let compiled = compiled.map_err(|rejected| {
            show_diagnostics(&rejected.sources, &rejected.diagnostics, color);
            Failure::Message(format!("no schedule can stand for the rate of `{}`", rate.optimizer))
        })?;
        let block = &compiled.model.trains[target::block(&compiled, train)?];
        let directory = std::path::absolute(&folder).map_err(Failure::file(file))?;
        let datasets = open_data(&compiled.model, used_data([block]), &directory, None)?;
        let mut session = Session::new(compiled.graph.clone(), Cpu::new(common.settings.threads()));
        session.initialize(block.seed)?;
        for start in &block.starts {
            starts::begin(start, &directory, &mut session)?;
        }
        let feed = feed(&datasets, block, &session)?;
        let stop = signals::listen().map_err(|e| Failure::Message(format!("signals cannot be heard: {e}")))?;
        let losses = block.training.losses.len();
        let mut points: Vec<Point> = Vec::new();
        let (mut mean, mut best) = (0.0, f64::INFINITY);
        run::steps(&mut session, &feed, block, &mut |step, _, values| {
            let loss: f64 = values[..losses].iter().map(|v| f64::from(*v)).sum();
            if !loss.is_finite() {
                return false;
            }
            mean = MEMORY * mean + (1.0 - MEMORY) * loss;
            let smooth = mean / (1.0 - MEMORY.powi(step as i32));
            let rate = self.from * (self.to / self.from).powf((step - 1) as f64 / last as f64);
            points.push(Point { rate, loss, smooth });
            best = f64::min(best, smooth);
            // A loss that may be negative is lost when it has risen by as much as it has fallen, and more.
            let lost = if best > 0.0 { LOST * best } else { best + (points[0].smooth - best).abs() + 1.0 };
            let gone = points.len() > SKIPPED.0 && smooth > lost;
            !gone && step < self.steps && stop.load(Ordering::Relaxed) == 0
        })?;
        match stop.load(Ordering::Relaxed) {
            0 => Ok(points),
            signal => Err(Failure::Signal(signal)),
        }
    }

    fn tell(&self, points: &[Point], found: f64) -> Result<(), Failure> {
        if self.common.format == Format::Json {
            let number = |x: f64| json_number(x as f32);
            let curve: Vec<_> = points
                .iter()
                .map(|p| serde_json::json!({ "lr": p.rate, "loss": number(p.loss), "smooth": number(p.smooth) }))
                .collect();
            let written: f64 = short(found).parse().unwrap_or(found);
            return say(&serde_json::json!({ "lr": written, "curve": curve }).to_string());
        }
        say(&curve::drawn(points, Some(found)))?;
        let best = points.iter().min_by(|a, b| a.smooth.total_cmp(&b.smooth));
        let best = best.map_or(String::new(), |p| format!("; it is least at {}", short(p.rate)));
        say(&format!("the loss falls fastest at {}{best}", short(found)))?;
        if points.len() < self.steps as usize {
            let last = points.last().map_or(0.0, |p| p.rate);
            say(&format!("beyond {} it is lost: {} steps of {}", short(last), points.len(), self.steps))?;
        }
        let end = points.last().map_or(f64::NAN, |p| p.smooth) as f32;
        if points.len() == self.steps as usize && points.iter().all(|p| p.smooth >= f64::from(end)) {
            complain(&format!("note: the loss ({}) still falls at the end; --to may go further", value(end)));
        }
        Ok(())
    }
}

/// A rate in two digits, as one writes it: `3e-3`, `2.5e-4`.
pub fn short(rate: f64) -> String {
    format!("{rate:.1e}").replace(".0e", "e")
}

/// The rate at which the smoothed loss falls fastest, by steps of equal factors; `None` where it does not fall.
fn suggestion(points: &[Point]) -> Option<f64> {
    let (from, to) = (SKIPPED.0.min(points.len() / 4), points.len().saturating_sub(SKIPPED.1));
    let slope = |i: usize| points[i + 1].smooth - points[i - 1].smooth;
    let inside = (from.max(1)..to).filter(|i| i + 1 < points.len());
    let steepest = inside.min_by(|a, b| slope(*a).total_cmp(&slope(*b)))?;
    // At the first rates nothing is learned yet: a fall that is not more than their noise is none.
    let still = &points[..(points.len() / 4).max(1)];
    let mean = still.iter().map(|p| p.loss).sum::<f64>() / still.len() as f64;
    let noise = (still.iter().map(|p| (p.loss - mean).powi(2)).sum::<f64>() / still.len() as f64).sqrt();
    let least = points.iter().map(|p| p.smooth).fold(f64::INFINITY, f64::min);
    (slope(steepest) < 0.0 && mean - least > noise.max(1e-3 * mean.abs())).then(|| points[steepest].rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(loss: impl Fn(f64) -> f64) -> Vec<Point> {
        let rate = |i: usize| 1e-8 * 1e8f64.powf(i as f64 / 99.0);
        (0..100).map(|i| Point { rate: rate(i), loss: loss(rate(i)), smooth: loss(rate(i)) }).collect()
    }

    #[test]
    fn the_steepest_fall_is_suggested() {
        // A fall around 1e-3 by log10, and a rise after 1e-1.
        let falls = |r: f64| 2.0 - (3.0 * (r.log10() + 3.0)).tanh() + if r > 0.1 { 50.0 * (r - 0.1) } else { 0.0 };
        let found = suggestion(&curve(falls)).unwrap();
        assert!((found.log10() + 3.0).abs() < 0.1, "{found}");
        assert_eq!(suggestion(&curve(|_| 2.3)), None);
        assert_eq!(suggestion(&curve(|r| 2.3 + r)), None);
        assert_eq!(suggestion(&[]), None);
        assert_eq!((short(0.003), short(0.000_251), short(1.0)), ("3e-3".into(), "2.5e-4".into(), "1e0".into()));
    }
}
