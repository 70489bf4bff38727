//! `tfm train --overfit N`: can the net learn a few batches by heart? One that cannot has a fault that no amount of
//! data will mend.

use super::Train;
use crate::failure::Failure;
use crate::feeds::feed;
use crate::output::{Format, say};
use crate::values::{count, value};
use crate::{progress, signals};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use tfm_lang::model;
use tfm_runtime::data::Dataset;
use tfm_runtime::run::{self, Event, Feed, Started, Stepped, json_number, shown};
use tfm_runtime::session::Session;

/// No more steps than this, unless `--max-steps` says so.
const STEPS: u64 = 1000;

/// What is left of the first loss when a batch is known by heart, and when it is worth to go on.
const BY_HEART: f32 = 0.1;
const HALFWAY: f32 = 0.6;

/// The loss is looked at no more when so little of it is left.
const NOTHING: f32 = 0.01;

/// How a loss went.
struct Course {
    name: String,
    /// The means over the first and the last turn through the batches.
    first: f32,
    last: f32,
}

impl Course {
    /// What is left of a loss; one that is below zero at first has no part left to compare.
    fn left(&self) -> f32 {
        if self.first > 0.0 {
            self.last / self.first
        } else {
            1.0 + (self.last - self.first) / self.first.abs().max(1e-6)
        }
    }
}

/// Trains a block on its first `batches` and says how it went; fails when the loss did not fall.
pub fn run(
    command: &Train,
    (file, train): (&Path, &model::Train),
    datasets: &BTreeMap<usize, Dataset>,
    session: &mut Session,
    batches: u64,
) -> Result<(), Failure> {
    let whole = feed(datasets, train, session)?;
    let of_file = run::period::total_steps(train.length, whole.epoch()).unwrap_or(STEPS);
    let few = whole.overfit(batches);
    let steps = command.max_steps.unwrap_or(of_file.min(STEPS)).max(1);
    let stop = signals::listen().map_err(|e| Failure::Message(format!("signals cannot be heard: {e}")))?;
    let mut observer = progress::observer(command.format, command.quiet, &command.runs);
    let names: Vec<String> = shown(&train.training).into_iter().map(|r| r.name).collect();
    let losses = train.training.losses.len();
    let epoch = few.epoch();
    if !command.quiet && command.format == Format::Plain {
        let n = epoch.steps;
        let batches = if n == 1 { "batch".into() } else { format!("{} batches", count(n)) };
        let _ = say(&format!(
            "{}: the first {batches} ({} examples) again and again, for {} steps or until the loss is gone; nothing \
             is kept",
            train.name,
            count(epoch.examples),
            count(steps)
        ));
    }
    let started = Started { train: train.name.clone(), step: 0, total: Some(steps), epoch, names: names.clone() };
    observer.on(Event::Started(&started));
    let (mut seen, mut all, mut spoilt) = (0u64, Vec::<Vec<f32>>::new(), None);
    let turn = epoch.steps as usize;
    run::steps(session, &few, train, &mut |step, examples, values| {
        seen += examples as u64;
        let at = step as f64 / epoch.steps as f64;
        observer.on(Event::Step(Stepped {
            step,
            epoch: at,
            examples: seen,
            losses: &values[..losses],
            values: Some(values),
        }));
        all.push(values[..losses].to_vec());
        spoilt = values[..losses].iter().position(|v| !v.is_finite()).map(|i| (step, i));
        let gone =
            step as usize > turn && courses(&names, &all, turn).iter().all(|c| c.first > 0.0 && c.left() < NOTHING);
        spoilt.is_none() && !gone && step < steps && stop.load(Ordering::Relaxed) == 0
    })?;
    drop(observer);
    if let Some((step, loss)) = spoilt {
        return Err(Failure::Message(format!(
            "`{}` is not finite at step {step}\n  help: `tfm train {} --max-steps {step}` finds the operation behind it",
            names[loss],
            file.display()
        )));
    }
    let signal = stop.load(Ordering::Relaxed);
    if signal != 0 {
        return Err(Failure::Signal(signal));
    }
    verdict(command, (file, train), &courses(&names, &all, turn), all.len())
}

fn courses(names: &[String], all: &[Vec<f32>], turn: usize) -> Vec<Course> {
    let turn = turn.min(all.len()).max(1);
    let mean = |rows: &[Vec<f32>], i: usize| rows.iter().map(|r| r[i]).sum::<f32>() / rows.len() as f32;
    let losses = all.first().map_or(0, Vec::len);
    let course = |i: usize| Course {
        name: names[i].clone(),
        first: mean(&all[..turn], i),
        last: mean(&all[all.len() - turn..], i),
    };
    (0..losses).map(course).collect()
}

fn verdict(
    command: &Train,
    (file, train): (&Path, &model::Train),
    courses: &[Course],
    steps: usize,
) -> Result<(), Failure> {
    let worst = courses.iter().map(Course::left).fold(0.0f32, f32::max);
    let (word, good) = match worst {
        w if w <= BY_HEART => ("as it should", true),
        w if w <= HALFWAY => ("but it is not gone", true),
        _ => ("and that is not as it should be", false),
    };
    if command.format == Format::Json {
        let losses: serde_json::Map<_, _> = courses
            .iter()
            .map(|c| {
                (c.name.clone(), serde_json::json!({ "first": json_number(c.first), "last": json_number(c.last) }))
            })
            .collect();
        let value = serde_json::json!({
            "event": "overfit", "train": train.name, "steps": steps, "losses": losses, "left": json_number(worst),
            "fell": good,
        });
        say(&value.to_string())?;
        return if good { Ok(()) } else { Err(Failure::Shown) };
    }
    let fell = |c: &Course| {
        let how = if c.last < c.first { "fell" } else { "went" };
        format!("{} {how} from {} to {}", c.name, value(c.first), value(c.last))
    };
    let text = courses.iter().map(fell).collect::<Vec<_>>().join(", ");
    let text = format!("{}: {text} in {} steps, {word}", train.name, count(steps as u64));
    let file = file.display();
    if !good {
        let several =
            if courses.len() > 1 { "\n    - of losses against each other, as in a GAN, none need fall" } else { "" };
        return Err(Failure::Message(format!(
            "{text}\n  help: a net that works learns a few batches by heart; look at\n    \
             - the rate: `tfm tune lr {file}`\n    \
             - the data as the net sees it: `tfm data show {file}`; are labels and inputs of one record?\n    \
             - the loss and what goes into it: logits or probabilities, the order of the arguments\n    \
             - what does not learn: `freeze`, `stop_gradient`, an activation after the head\n    \
             - inputs that are not scaled: `f32(image) / 255`, `|> standardize`{several}"
        )));
    }
    say(&text)?;
    if worst > BY_HEART && !command.quiet {
        say(&format!(
            "  more steps (--max-steps), a larger rate (`tfm tune lr {file}`) or less dropout and decay would show \
             whether it can"
        ))?;
    }
    Ok(())
}
