//! What an edit means for a run: the settings that have changed, and where the run stands under the new ones.

use super::version::{Version, without_places};
use serde::Serialize;
use tfm_lang::model::{Action, DataRef, DataSpec, Period, Settings, Stop};
use tfm_runtime::carry::{Row, States};
use tfm_runtime::checkpoint::{Progress, Stall};
use tfm_runtime::run::period::{self, Epoch, Progressed};

/// What is compared of a block. It is small, so that a few old ones can be kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Facts {
    digest: u64,
    data: (DataSpec, Option<u64>, DataRef),
    batch: i64,
    epoch: Epoch,
    length: Period,
    seed: u64,
    settings: Settings,
    optimizers: Vec<String>,
    reports: Vec<String>,
    periodic: Vec<(Option<Period>, Vec<Action>, Vec<String>)>,
    stop: Vec<Stop>,
}

/// One edit, as it is told and kept.
#[derive(Clone, Debug, Serialize)]
pub struct Edit {
    /// From 1.
    pub number: u32,
    /// `edit`, `undo`.
    pub kind: &'static str,
    /// The step after which it was done.
    pub step: u64,
    /// What became of parameters and states of layers.
    pub rows: Vec<Row>,
    /// What became of the states of optimizers.
    pub states: States,
    /// Settings and all else.
    pub notes: Vec<String>,
    /// How long checking took.
    pub checked_ms: f64,
    /// The time from the save to the end of the first step with the new version; once it is done.
    pub after_ms: Option<f64>,
}

impl Facts {
    /// Of a block of a version.
    pub fn of(version: &Version, block: usize) -> Facts {
        let train = version.train(block);
        let glance = |p: &tfm_lang::model::Periodic| {
            let reports = p.glance.reports.iter().map(|r| r.name.clone());
            reports.chain(p.glance.images.iter().map(|i| format!("images {}", i.name))).collect()
        };
        Facts {
            digest: version.digest,
            data: (
                without_places(&version.compiled.model.data[train.data.data]),
                version.stamps.get(&train.data.data).copied(),
                train.data.clone(),
            ),
            batch: train.batch,
            epoch: version.epochs[block],
            length: train.length,
            seed: train.seed,
            settings: train.settings.clone(),
            optimizers: train.minimize.iter().map(|m| m.written.clone()).collect(),
            reports: train.training.reports.iter().map(|r| r.name.clone()).collect(),
            periodic: train.periodic.iter().map(|p| (p.every, p.actions.clone(), glance(p))).collect(),
            stop: train.stop.clone(),
        }
    }

    /// The seed of the file.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn has_other_data(&self, old: &Facts) -> bool {
        // The index of a declaration may have moved; the part and what is applied to it may not.
        let part = |facts: &Facts| (facts.data.2.split, facts.data.2.operators.clone());
        (&old.data.0, old.data.1, part(old)) != (&self.data.0, self.data.1, part(self))
    }

    /// What has changed, a line each; `run_seed` is the seed that the run keeps.
    pub fn changes(&self, old: &Facts, run_seed: u64) -> Vec<String> {
        let mut out = Vec::new();
        let data = &self.data.0.name;
        if self.has_other_data(old) {
            out.push(format!("data `{data}` has changed: the loader starts anew with this epoch"));
        } else if self.batch != old.batch {
            out.push(format!(
                "batch {} to {}: the loader starts anew, at the same place in the epoch",
                old.batch, self.batch
            ));
        }
        if self.length != old.length {
            out.push(format!("length {} to {}", period::text(old.length), period::text(self.length)));
        }
        if self.seed != old.seed && self.seed != run_seed {
            out.push(format!("seed {}: the run keeps {run_seed}; a restart takes the new one", self.seed));
        }
        match (old.optimizers.as_slice(), self.optimizers.as_slice()) {
            (before, after) if before == after => {}
            ([before], [after]) => out.push(format!("{}, from the next step", argument_changes(before, after))),
            _ => out.push("the optimizers have changed, from the next step".into()),
        }
        if self.settings != old.settings {
            out.push("settings of how a step is done have changed".into());
        }
        let (more, less) = (missing(&self.reports, &old.reports), missing(&old.reports, &self.reports));
        if !more.is_empty() || !less.is_empty() {
            let words = [("reports", &more), ("no longer reports", &less)];
            let words = words.iter().filter(|(_, names)| !names.is_empty());
            out.push(words.map(|(word, names)| format!("{word} {}", names.join(", "))).collect::<Vec<_>>().join("; "));
        }
        if self.periodic != old.periodic {
            out.push("what is done every so often has changed".into());
        }
        if self.stop != old.stop {
            out.push("when to stop has changed, and is counted from here".into());
        }
        if self.digest == old.digest {
            out.push("what is computed in a step is the same as before".into());
        }
        out
    }

    /// Where a run stands under this block that stood at `progress` under the old one. `is_same_model` says that every
    /// variable goes on as it was.
    pub fn adapt(&self, old: &Facts, progress: &mut Progress, is_same_model: bool) {
        let now = Progressed { steps: progress.step, examples: progress.examples, seconds: progress.seconds };
        if self.has_other_data(old) {
            progress.position.batch = 0;
        } else if self.batch != old.batch {
            let examples = progress.position.batch * old.batch.max(1) as u64;
            progress.position.batch = (examples / self.batch.max(1) as u64).min(self.epoch.steps - 1);
        }
        let rounds = self.periodic.iter().enumerate().map(|(i, part)| {
            // A part that was there is due when it was; one that is new, or is counted in other epochs, from here on.
            let known = old.periodic.get(i).is_some_and(|o| o.0 == part.0) && self.epoch == old.epoch;
            let here = part.0.map_or(0, |every| period::rounds(every, self.epoch, now));
            if known { progress.rounds.get(i).copied().unwrap_or(here) } else { here }
        });
        progress.rounds = rounds.collect();
        let stalls = self.stop.iter().enumerate().map(|(i, stop)| match old.stop.get(i) {
            Some(before) if before == stop && is_same_model => progress.stalls.get(i).copied().unwrap_or_default(),
            _ => Stall::default(),
        });
        progress.stalls = stalls.collect();
        if self.stop != old.stop || !is_same_model {
            progress.stopped = None;
        }
    }
}

/// Those of the first list that the second has not.
fn missing(of: &[String], other: &[String]) -> Vec<String> {
    of.iter().filter(|name| !other.contains(name)).cloned().collect()
}

/// `Adam: lr 0.002 to 0.001`; both as wholes where more than arguments of one thing differ.
fn argument_changes(before: &str, after: &str) -> String {
    let (Some((name, old)), Some((other, new))) = (taken_apart(before), taken_apart(after)) else {
        return format!("{before} to {after}");
    };
    if name != other || old.len() != new.len() {
        return format!("optimizer {before} to {after}");
    }
    let changed = old.iter().zip(&new).filter(|(a, b)| a != b);
    let told = changed.map(|(a, b)| match (a.split_once(": "), b.split_once(": ")) {
        // An optimizer in an optimizer.
        (Some((word, a)), Some((_, b))) if taken_apart(a).is_some_and(|(n, _)| !n.is_empty()) => {
            match taken_apart(a).map(|x| x.0) == taken_apart(b).map(|x| x.0) {
                true => argument_changes(a, b),
                false => format!("{word} {a} to {b}"),
            }
        }
        (Some((word, a)), Some((_, b))) => format!("{word} {a} to {b}"),
        _ => format!("{a} to {b}"),
    });
    format!("{name}: {}", told.collect::<Vec<_>>().join(", "))
}

/// `Adam(lr: 0.1, beta: 0.9)` as a name and arguments.
fn taken_apart(text: &str) -> Option<(&str, Vec<&str>)> {
    let (name, rest) = text.split_once('(')?;
    let inside = rest.strip_suffix(')')?;
    let (mut depth, mut start, mut parts) = (0i32, 0, Vec::new());
    for (i, c) in inside.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(inside[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(inside[start..].trim());
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    plain.then_some((name, parts))
}

impl Edit {
    /// The table for people.
    pub fn lines(&self) -> Vec<String> {
        let count = |n: u64| crate::values::count(n);
        let mut rows: Vec<[String; 4]> = Vec::new();
        for row in &self.rows {
            let amount = match row.variables {
                1 => format!("{} numbers", count(row.numbers)),
                n => format!("{n} variables, {} numbers", count(row.numbers)),
            };
            let path = if row.path.is_empty() { amount.clone() } else { row.path.clone() };
            let how = match (row.how.is_empty(), row.what) {
                (true, _) if row.path.is_empty() => String::new(),
                (true, _) => amount,
                (false, "resized") => row.how.clone(),
                (false, _) => format!("{}, {amount}", row.how),
            };
            rows.push([row.what.into(), path, how, row.why.clone()]);
        }
        let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1)];
        let line = |r: &[String; 4]| {
            let [what, path, how, why] = r;
            let told = format!("  {what:<0$}  {path:<1$}  {how}  {why}", widths[0], widths[1]);
            told.trim_end().to_string()
        };
        let mut out: Vec<String> = rows.iter().map(line).collect();
        let States { kept, resized, new, dropped } = self.states;
        let parts = [(kept, "kept"), (resized, "resized"), (new, "new"), (dropped, "dropped")];
        let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        if !parts.is_empty() {
            let all_new = kept + resized == 0 && new > 0 && dropped > 0;
            let why = if all_new { ": another optimizer has states of its own" } else { "" };
            out.push(format!("  optimizer state  {}{why}", parts.join(", ")));
        }
        out.extend(self.notes.iter().map(|note| format!("  {note}")));
        out
    }

    /// `edit 3 after step 120: checked in 12 ms, next step after 43 ms`
    pub fn title(&self) -> String {
        let step = crate::values::count(self.step);
        if self.kind == "undo" {
            return format!("undo of edit {}, back to step {step}", self.number);
        }
        let mut title = format!("edit {} after step {step}: checked in {:.0} ms", self.number, self.checked_ms);
        if let Some(after) = self.after_ms {
            title += &format!(", next step after {after:.0} ms");
        }
        title
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfm_lang::model::StopRule;
    use tfm_lang::source::Span;
    use tfm_lang::syntax::ast::Unit;
    use tfm_runtime::checkpoint::Position;

    fn facts(batch: i64) -> Facts {
        let spec = DataSpec {
            name: "d".into(),
            source: "csv".into(),
            args: Vec::new(),
            columns: Vec::new(),
            operators: Vec::new(),
            fields: Vec::new(),
            splits: vec!["train".into()],
            zipped: Vec::new(),
            span: Span::default(),
        };
        Facts {
            digest: 1,
            data: (spec, Some(1), DataRef { data: 0, split: 0, operators: Vec::new() }),
            batch,
            epoch: Epoch { steps: 128 / batch as u64, examples: 128 },
            length: Period { count: 9.0, unit: Unit::Epochs },
            seed: 1,
            settings: Settings::default(),
            optimizers: vec!["Adam(lr: 0.1)".into()],
            reports: vec!["loss".into()],
            periodic: Vec::new(),
            stop: vec![Stop {
                metric: "loss".into(),
                highest: None,
                rule: StopRule::Stalls { patience: Period { count: 2.0, unit: Unit::Epochs }, by: 0.0 },
            }],
        }
    }

    #[test]
    fn a_run_stands_at_the_same_place_of_its_data() {
        let at = |batch| Progress { step: 37, position: Position { epoch: 2, batch }, ..Progress::default() };
        let place = |old: &Facts, new: &Facts, batch: u64| {
            let mut progress = at(batch);
            new.adapt(old, &mut progress, true);
            (progress.step, progress.position.epoch, progress.position.batch)
        };
        let (small, large) = (facts(8), facts(32));
        assert_eq!(place(&small, &small, 5), (37, 2, 5));
        assert_eq!(place(&small, &large, 5), (37, 2, 1), "40 examples are behind");
        assert_eq!(place(&large, &small, 3), (37, 2, 12));
        let mut other = facts(8);
        other.data.1 = Some(2);
        assert_eq!(place(&small, &other, 5), (37, 2, 0), "the files have changed");
        assert!(other.changes(&small, 1)[0].contains("the loader starts anew"));
    }

    #[test]
    fn what_is_new_comes_round_from_here_and_what_was_due_still_is() {
        let every = |n: f64| (Some(Period { count: n, unit: Unit::Steps }), Vec::new(), Vec::new());
        let (mut old, mut new) = (facts(8), facts(8));
        old.periodic = vec![every(10.0)];
        new.periodic = vec![every(10.0), every(5.0)];
        let mut progress = Progress { step: 30, rounds: vec![2], stopped: Some("x".into()), ..Progress::default() };
        progress.stalls = vec![Stall { best: Some(1.0), ..Stall::default() }];
        new.adapt(&old, &mut progress, true);
        assert_eq!(progress.rounds, [2, 6], "the first is due at step 30");
        assert!(progress.stopped.is_some() && progress.stalls[0].best == Some(1.0));
        new.adapt(&old, &mut progress, false);
        assert!(progress.stopped.is_none() && progress.stalls[0].best.is_none(), "another model is judged anew");
    }

    #[test]
    fn changes_are_told_one_by_one() {
        let (old, mut new) = (facts(8), facts(16));
        new.digest = 2;
        new.length.count = 12.0;
        new.seed = 5;
        new.optimizers = vec!["Adam(lr: 0.2)".into()];
        new.reports = vec!["loss".into(), "auc".into()];
        assert_eq!(
            new.changes(&old, 1),
            [
                "batch 8 to 16: the loader starts anew, at the same place in the epoch",
                "length 9 epochs to 12 epochs",
                "seed 5: the run keeps 1; a restart takes the new one",
                "Adam: lr 0.1 to 0.2, from the next step",
                "reports auc",
            ]
        );
        assert_eq!(old.changes(&old, 1), ["what is computed in a step is the same as before"]);
    }

    #[test]
    fn of_an_optimizer_what_differs_is_told() {
        let check = |before: &str, after: &str, expected: &str| assert_eq!(argument_changes(before, after), expected);
        check("Adam(lr: 0.1, b: 0.9)", "Adam(lr: 0.2, b: 0.9)", "Adam: lr 0.1 to 0.2");
        check("Adam(lr: 0.1)", "Sgd(lr: 0.1)", "optimizer Adam(lr: 0.1) to Sgd(lr: 0.1)");
        check(
            "clip_norm(inner: Adam(lr: 0.1, b: [1, 2]), norm: 1)",
            "clip_norm(inner: Adam(lr: 0.3, b: [1, 2]), norm: 2)",
            "clip_norm: Adam: lr 0.1 to 0.3, norm 1 to 2",
        );
        check("Adam(lr: cosine(top: 1))", "Adam(lr: cosine(top: 2))", "Adam: cosine: top 1 to 2");
        check("Adam(lr: cosine(top: 1))", "Adam(lr: 0.1)", "Adam: lr cosine(top: 1) to 0.1");
    }
}
