//! The tables and the JSON object of a profile.

use super::attribute::{Described, Kernels, Line, Phase};
use super::stepper::{Of, Watched};
use crate::output::table;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tfm_lang::model::Train;
use tfm_runtime::cpu::peak;

/// Where the time of a step goes. All times are in milliseconds, means over the watched steps.
pub struct Report {
    train: String,
    of: Of,
    threads: usize,
    steps: usize,
    /// A whole step, and its kernels.
    step: f64,
    kernels: f64,
    /// The time that threads worked, of all the time that they could have.
    busy: f64,
    /// Bytes that the machine copies in a second, and floating operations that it does.
    peak_bytes: f64,
    peak_flops: f64,
    /// By the kind of kernel, then kernel by kernel.
    kinds: Vec<Cost>,
    operations: Vec<Cost>,
    lines: Vec<(Option<Line>, Phases)>,
    layers: Vec<(String, Phases)>,
}

/// What kernels of one kind take together in a step.
#[derive(Clone, Default)]
struct Cost {
    name: String,
    calls: f64,
    ms: f64,
    bytes: f64,
    flops: f64,
}

/// Milliseconds of a step by its phases.
#[derive(Clone, Copy, Default)]
struct Phases([f64; 3]);

impl Phases {
    fn total(&self) -> f64 {
        self.0.iter().sum()
    }

    fn of(&self, phase: Phase) -> f64 {
        self.0[phase as usize]
    }
}

impl Report {
    /// Adds up what was watched.
    pub fn new(train: &Train, all: &Kernels, watched: &Watched, threads: usize) -> Report {
        let described = &all.all;
        let steps = watched.steps.len().max(1);
        let ms = |d: Duration| d.as_secs_f64() * 1e3 / steps as f64;
        let (mut spent, mut calls) = (vec![0.0; described.len()], vec![0; described.len()]);
        let mut worked = Duration::ZERO;
        for timed in &watched.trace.steps {
            let number = all.number(timed);
            (spent[number], calls[number]) = (spent[number] + ms(timed.took), calls[number] + 1);
            worked += if timed.lanes.is_empty() { timed.took } else { timed.lanes.iter().map(|l| l.busy).sum() };
        }
        let kernels = spent.iter().sum();
        let per_step: Vec<f64> = calls.iter().map(|n| *n as f64 / steps as f64).collect();
        let step = watched.steps.iter().map(|(_, took)| ms(*took)).sum::<f64>();
        let (mut lines, mut layers) = (BTreeMap::<Option<Line>, Phases>::new(), BTreeMap::<String, Phases>::new());
        for (kernel, &spent) in described.iter().zip(&spent) {
            let share = spent / kernel.parts.len() as f64;
            for part in &kernel.parts {
                lines.entry(part.line.clone()).or_default().0[part.phase as usize] += share;
                layers.entry(part.layer.clone()).or_default().0[part.phase as usize] += share;
            }
        }
        Report {
            train: train.name.clone(),
            of: watched.of,
            threads,
            steps,
            step,
            kernels,
            busy: ms(worked) / (step * threads as f64).max(f64::MIN_POSITIVE),
            peak_bytes: peak::copied_bytes(threads),
            peak_flops: peak::flops(threads),
            kinds: costs(described, &spent, &per_step, |d| &d.name),
            operations: costs(described, &spent, &per_step, |d| &d.what),
            lines: slowest(lines.into_iter().collect(), |(_, p)| p.total()),
            layers: slowest(layers.into_iter().collect(), |(_, p)| p.total()),
        }
    }

    /// For people; each table has so many rows at most, and says what the others take.
    pub fn tables(&self, rows: usize) -> String {
        let calls: f64 = self.kinds.iter().map(|k| k.calls).sum();
        let head = format!(
            "{}: {:.3} ms a {}, the mean of {} {} on {} {}\n{calls} kernels take {}, what is around them {}; \
             threads work {} of their time; this machine does {:.1} GFLOP/s and copies {:.1} GB/s",
            self.train,
            self.step,
            self.of.name(),
            self.steps,
            plural(self.steps, self.of.name()),
            self.threads,
            plural(self.threads, "thread"),
            self.share(self.kernels),
            self.share((self.step - self.kernels).max(0.0)),
            percent(self.busy),
            self.peak_flops / 1e9,
            self.peak_bytes / 1e9,
        );
        let cost = |c: &Cost| {
            let seconds = (c.ms * 1e-3).max(f64::MIN_POSITIVE);
            let (flops, bytes) = (c.flops / seconds, c.bytes / seconds);
            let of_peak = percent((flops / self.peak_flops.max(1.0)).max(bytes / self.peak_bytes.max(1.0)));
            let spent = vec![shortened(&c.name), c.calls.to_string(), format!("{:.3}", c.ms), self.share(c.ms)];
            [spent, vec![format!("{:.1}", flops / 1e9), format!("{:.1}", bytes / 1e9), of_peak]].concat()
        };
        let shown = self.of.phases();
        let share = match self.of {
            Of::Training => "of the step",
            Of::Inference => "of the pass",
        };
        let phases = |name: String, p: &Phases| {
            let each = shown.iter().map(|phase| format!("{:.3}", p.of(*phase))).collect();
            [vec![name], each, vec![format!("{:.3}", p.total()), self.share(p.total())]].concat()
        };
        let costs = |first: &str, all: &[Cost]| {
            let rest = all.iter().skip(rows).map(|c| (c.calls, c.ms)).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
            let mut lines = vec![words(&[first, "calls", "ms", share, "GFLOP/s", "GB/s", "of peak"])];
            lines.extend(all.iter().take(rows).map(cost));
            if rest.0 > 0.0 {
                lines.push(vec!["the others".into(), rest.0.to_string(), format!("{:.3}", rest.1), self.share(rest.1)]);
            }
            table(&lines)
        };
        let by = |first: &str, all: Vec<(String, Phases)>| {
            let names: Vec<&str> = shown.iter().map(|phase| phase.name()).collect();
            let mut lines = vec![words(&[&[first], &names[..], &["ms", share]].concat())];
            let mut rest = Phases::default();
            for (i, (name, p)) in all.into_iter().enumerate() {
                if i < rows {
                    lines.push(phases(name, &p));
                } else {
                    rest.0.iter_mut().zip(p.0).for_each(|(sum, ms)| *sum += ms);
                }
            }
            if rest.total() > 0.0 {
                lines.push(phases("the others".into(), &rest));
            }
            table(&lines)
        };
        let lines = self.lines.iter().map(|(line, p)| (told(line.as_ref()), *p)).collect();
        let layer = |name: &String| if name.is_empty() { "outside of layers".to_string() } else { name.clone() };
        let layers = self.layers.iter().map(|(name, p)| (layer(name), *p)).collect();
        [head, costs("kind", &self.kinds), costs("kernel", &self.operations), by("line", lines), by("layer", layers)]
            .join("\n\n")
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let cost =
            |c: &Cost| json!({ "name": c.name, "calls": c.calls, "ms": c.ms, "bytes": c.bytes, "flops": c.flops });
        let phases = |p: &Phases| {
            let mut all = json!({ "ms": p.total() });
            Phase::ALL.into_iter().for_each(|phase| all[format!("{}_ms", phase.name())] = p.of(phase).into());
            all
        };
        let line = |(line, p): &(Option<Line>, Phases)| {
            let mut all = phases(p);
            if let Some(line) = line {
                (all["file"], all["line"], all["text"]) =
                    (line.file.clone().into(), line.number.into(), line.text.clone().into());
            }
            all
        };
        let layer = |(name, p): &(String, Phases)| {
            let mut all = phases(p);
            all["layer"] = name.clone().into();
            all
        };
        json!({
            "train": self.train, "infer": self.of == Of::Inference, "threads": self.threads, "steps": self.steps,
            "step_ms": self.step, "kernels_ms": self.kernels, "busy": self.busy,
            "peak_bytes_per_s": self.peak_bytes, "peak_flops_per_s": self.peak_flops,
            "kinds": self.kinds.iter().map(cost).collect::<Vec<_>>(),
            "kernels": self.operations.iter().map(cost).collect::<Vec<_>>(),
            "lines": self.lines.iter().map(line).collect::<Vec<_>>(),
            "layers": self.layers.iter().map(layer).collect::<Vec<_>>(),
        })
    }

    fn share(&self, ms: f64) -> String {
        percent(ms / self.step.max(f64::MIN_POSITIVE))
    }
}

/// Kernels added up by what they are called, those that take longest first.
fn costs(described: &[Described], spent: &[f64], calls: &[f64], name: impl Fn(&Described) -> &String) -> Vec<Cost> {
    let mut all: BTreeMap<&String, Cost> = BTreeMap::new();
    for ((kernel, &ms), &calls) in described.iter().zip(spent).zip(calls) {
        let name = name(kernel);
        let cost = all.entry(name).or_insert_with(|| Cost { name: name.clone(), ..Cost::default() });
        cost.calls += calls;
        cost.ms += ms;
        cost.bytes += calls * kernel.bytes;
        cost.flops += calls * kernel.flops;
    }
    slowest(all.into_values().collect(), |c| c.ms)
}

fn slowest<T>(mut all: Vec<T>, ms: impl Fn(&T) -> f64) -> Vec<T> {
    all.sort_by(|a, b| ms(b).total_cmp(&ms(a)));
    all
}

/// `12  image |> Dense(10)`
fn told(line: Option<&Line>) -> String {
    match line {
        Some(line) => shortened(&format!("{:>4}  {}", line.number, line.text)),
        None => "      no line of the file".into(),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into(),
    }
}

fn plural(n: usize, of: &str) -> String {
    match n {
        1 => of.into(),
        _ if of.ends_with('s') => format!("{of}es"),
        _ => format!("{of}s"),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|w| w.to_string()).collect()
}
