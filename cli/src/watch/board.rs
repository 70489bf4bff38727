//! What is known of a run that is watched: told by who trains and who checks, read by who draws and who serves.

use super::curve::Curve;
use super::edit::Edit;
use super::version::Rejection;
use crate::progress::rate::Rate;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;
use tfm_lang::model::{Instance, VariableKind};
use tfm_lowering::graph::Variable;
use tfm_runtime::carry::type_text;
use tfm_runtime::run::{Summary, json_number};

/// How many edits, notes and images are remembered.
const EDITS: usize = 30;
const NOTES: usize = 6;
const IMAGES: usize = 12;

/// What a run is doing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// There has been no version that could be trained.
    #[default]
    Waiting,
    /// Steps are done.
    Training,
    /// `p` was pressed.
    Paused,
    /// Its length is reached, or something else ended it; why.
    Finished(String),
    /// It failed; how.
    Failed(String),
    /// It is being saved.
    Stopping,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum News {
    /// A run begins, or a block of it.
    Run { train: String, folder: PathBuf },
    /// The model, as it is from now on; what is trained on what; its graph as a page.
    Model { layers: Vec<Layer>, greeting: String, picture: Arc<str> },
    /// The loop begins, or goes on.
    Started { step: u64, total: Option<u64>, steps_per_epoch: u64, names: Vec<String> },
    /// A step. Values are named; those of a step that is not shown are the losses.
    Step { step: u64, epoch: f64, examples: u64, shown: bool, values: Vec<(String, f32)> },
    /// An evaluation has come so far.
    Evaluating { split: String, examples: u64 },
    /// Evaluations are done.
    Evaluated { step: u64, epoch: f64, values: Vec<(String, f32)> },
    /// Pictures were written.
    Images { step: u64, path: PathBuf },
    /// A checkpoint was written.
    Checkpoint { step: u64, path: PathBuf, best: Vec<String> },
    /// Something worth knowing.
    Note(String),
    /// The run does something else now.
    Activity(Activity),
    /// A save was seen. It is looked at, or is no change.
    Saved { checking: bool },
    /// A save has errors; what trained goes on.
    Rejected { rejection: Rejection, checked_ms: f64 },
    /// The files are again as the version that trains.
    Mended,
    /// A version took over, or weights were put back. Warnings are those of the version.
    Edited { edit: Edit, warnings: Option<Rejection> },
    /// The first step after an edit is done.
    NextStep { number: u32, after_ms: f64 },
    /// The run is saved, and the command ends.
    Ended { summary: Box<Summary>, folder: PathBuf },
    /// Checksums of all variables, for tests.
    Weights { when: &'static str, step: u64, sums: BTreeMap<String, u32> },
}

/// A model or layer of the tree.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Layer {
    /// `ConvNet.conv2d_1`
    pub path: String,
    /// Of what it is in.
    pub parent: String,
    /// `Conv2d(channels: 16, kernel: 3)`
    pub made: String,
    /// Its own parameters and states: name, type, what it is.
    pub variables: Vec<(String, String, &'static str)>,
    /// The trained numbers in it and below.
    pub parameters: u64,
}

/// Everything that is known.
#[derive(Debug, Default, Serialize)]
pub struct View {
    /// The file.
    pub file: String,
    /// The block.
    pub train: String,
    /// The folder of the run.
    pub folder: PathBuf,
    /// What is trained on what.
    pub greeting: String,
    /// What the run does.
    pub activity: Activity,
    /// A save is being checked.
    pub checking: bool,
    /// The errors of the last save, where it has some.
    #[serde(skip)]
    pub rejected: Option<Rejection>,
    /// The warnings of the version that trains.
    #[serde(skip)]
    pub warnings: Option<Rejection>,
    /// Steps done.
    pub step: u64,
    /// Steps of the whole run, where that is known.
    pub total: Option<u64>,
    /// Epochs done.
    pub epoch: f64,
    /// Names and last values of what a step and an evaluation give.
    pub last: Vec<(String, Option<f32>)>,
    /// The evaluation at hand.
    pub evaluating: Option<(String, u64)>,
    /// Examples a second.
    pub speed: Option<f64>,
    /// Seconds that are left.
    pub left: Option<f64>,
    /// Each metric over the steps.
    pub curves: BTreeMap<String, Curve>,
    /// The last edits, the newest last.
    pub edits: Vec<Edit>,
    /// The last notes.
    pub notes: Vec<String>,
    /// The last images, as paths in the folder.
    pub images: Vec<PathBuf>,
    /// The model.
    pub model: Vec<Layer>,
    /// Its graph as a page.
    #[serde(skip)]
    pub picture: Arc<str>,
    /// Counts the pictures, so that a reader knows whether to look at another.
    pub pictured: u64,
    /// Counts what was told, so that a reader knows whether to look again.
    #[serde(skip)]
    pub told: u64,
    #[serde(skip)]
    rate: Option<Rate>,
}

/// Someone who is told everything at once.
pub type Listener = Box<dyn FnMut(&News) + Send>;

/// See above.
#[derive(Default)]
pub struct Board {
    view: Mutex<View>,
    listeners: Mutex<Vec<Listener>>,
}

impl Board {
    /// About a file.
    pub fn new(file: String, listeners: Vec<Listener>) -> Board {
        Board { view: Mutex::new(View { file, ..View::default() }), listeners: Mutex::new(listeners) }
    }

    /// What is known.
    pub fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Adds someone who is told.
    pub fn listen(&self, listener: Listener) {
        self.listeners.lock().unwrap_or_else(|e| e.into_inner()).push(listener);
    }

    /// Tells everyone.
    pub fn tell(&self, news: News) {
        self.view().take(&news);
        self.listeners.lock().unwrap_or_else(|e| e.into_inner()).iter_mut().for_each(|l| l(&news));
    }
}

impl View {
    fn take(&mut self, news: &News) {
        self.told += 1;
        match news {
            News::Run { train, folder } => {
                self.curves.clear();
                self.images.clear();
                self.last.clear();
                (self.train, self.folder) = (train.clone(), folder.clone());
                self.step = 0;
            }
            News::Model { layers, greeting, picture } => {
                (self.model, self.greeting) = (layers.clone(), greeting.clone());
                if self.picture != *picture {
                    self.picture = picture.clone();
                    self.pictured += 1;
                }
            }
            News::Started { step, total, names, .. } => {
                if *step < self.step {
                    self.curves.values_mut().for_each(|c| c.cut(*step));
                }
                (self.step, self.total) = (*step, *total);
                self.activity = Activity::Training;
                self.last.retain(|(n, _)| n.contains('.') || names.contains(n));
                self.rate = Some(Rate::new(Instant::now(), *step));
            }
            News::Step { step, epoch, examples, values, .. } => self.stepped(*step, *epoch, *examples, values),
            News::Evaluating { split, examples } => {
                self.evaluating = Some((split.clone(), *examples));
                let step = self.step;
                if let Some(rate) = &mut self.rate {
                    rate.pause(Instant::now(), step, 0);
                }
            }
            News::Evaluated { step, values, .. } => {
                self.evaluating = None;
                values.iter().for_each(|(name, v)| self.value(*step, name, *v));
            }
            News::Images { path, .. } => push(&mut self.images, path.clone(), IMAGES),
            News::Checkpoint { .. } => {}
            News::Note(text) => push(&mut self.notes, text.clone(), NOTES),
            News::Activity(activity) => self.activity = activity.clone(),
            News::Saved { checking } => self.checking = *checking,
            News::Rejected { rejection, .. } => {
                (self.rejected, self.checking) = (Some(rejection.clone()), false);
            }
            News::Mended => (self.rejected, self.checking) = (None, false),
            News::Edited { edit, warnings } => {
                if edit.kind == "edit" {
                    (self.rejected, self.checking, self.warnings) = (None, false, warnings.clone());
                }
                push(&mut self.edits, edit.clone(), EDITS);
            }
            News::NextStep { number, after_ms } => {
                if let Some(edit) = self.edits.iter_mut().rev().find(|e| e.number == *number && e.kind == "edit") {
                    edit.after_ms = Some(*after_ms);
                }
            }
            News::Ended { .. } | News::Weights { .. } => {}
        }
    }

    fn stepped(&mut self, step: u64, epoch: f64, examples: u64, values: &[(String, f32)]) {
        (self.step, self.epoch, self.evaluating) = (step, epoch, None);
        values.iter().for_each(|(name, v)| self.value(step, name, *v));
        if let Some(rate) = &mut self.rate {
            rate.read(Instant::now(), step, examples);
            self.speed = rate.examples();
            self.left = rate.left(self.total.map_or(0, |t| t.saturating_sub(step))).map(|d| d.as_secs_f64());
        }
    }

    fn value(&mut self, step: u64, name: &str, value: f32) {
        self.curves.entry(name.to_string()).or_default().push(step, value);
        let last = value.is_finite().then_some(value);
        match self.last.iter_mut().find(|(n, _)| n == name) {
            Some((_, v)) => *v = last,
            None => self.last.push((name.to_string(), last)),
        }
    }

    /// The one line that says how it is.
    pub fn state(&self) -> String {
        let doing = match &self.activity {
            Activity::Waiting => "waiting for a fix".into(),
            Activity::Training => match &self.evaluating {
                Some((split, examples)) => format!("evaluating {split}: {}", crate::values::count(*examples)),
                None => "training".into(),
            },
            Activity::Paused => "paused".into(),
            Activity::Finished(why) => format!("{why}, waiting for an edit"),
            Activity::Failed(_) => "failed, waiting for a fix".into(),
            Activity::Stopping => "saving".into(),
        };
        let known = self.activity != Activity::Waiting;
        match &self.rejected {
            Some(r) if known => {
                let n = r.errors();
                let s = if n == 1 { "" } else { "s" };
                format!("{doing} · the last save has {n} error{s}: the version before goes on")
            }
            _ if self.checking => format!("{doing} · checking a save"),
            _ => doing,
        }
    }
}

fn push<T>(list: &mut Vec<T>, item: T, most: usize) {
    list.push(item);
    if list.len() > most {
        list.remove(0);
    }
}

/// The tree of a version.
pub fn layers(instances: &[Instance], variables: &[Variable]) -> Vec<Layer> {
    let own = |path: &str| -> Vec<(String, String, &'static str)> {
        let described = variables.iter().filter_map(|v| {
            let (owner, name) = v.path.rsplit_once('.')?;
            let kind = match v.kind {
                VariableKind::Parameter => "parameter",
                VariableKind::State => "state",
                VariableKind::Optimizer | VariableKind::Metric => return None,
            };
            (owner == path).then(|| (name.to_string(), type_text(&v.ty), kind))
        });
        described.collect()
    };
    let below = |path: &str| {
        let inside = variables.iter().filter(|v| v.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')));
        let parameters = inside.filter(|v| v.kind == VariableKind::Parameter);
        parameters.map(|v| v.ty.size().as_constant().unwrap_or(0).max(0) as u64).sum()
    };
    let layer = |i: &Instance| Layer {
        path: i.path.clone(),
        parent: i.parent.clone(),
        made: if i.layer.is_empty() { "model".into() } else { format!("{}({})", i.layer, i.settings) },
        variables: own(&i.path),
        parameters: below(&i.path),
    };
    instances.iter().map(layer).collect()
}

fn pairs(values: &[(String, f32)]) -> Value {
    values.iter().map(|(n, v)| (n.clone(), json_number(*v))).collect::<Map<String, Value>>().into()
}

impl News {
    /// As one JSON object; `None` for what only a screen wants.
    pub fn json(&self) -> Option<Value> {
        Some(match self {
            News::Run { train, folder, .. } => json!({ "event": "run", "train": train, "path": folder }),
            News::Model { layers, .. } => json!({ "event": "model", "layers": layers }),
            News::Started { step, total, steps_per_epoch, names } => json!({
                "event": "started", "step": step, "total": total, "steps_per_epoch": steps_per_epoch, "names": names,
            }),
            News::Step { step, epoch, examples, shown: true, values } => {
                json!({ "event": "step", "step": step, "epoch": epoch, "examples": examples, "values": pairs(values) })
            }
            News::Step { .. } | News::Evaluating { .. } => return None,
            News::Evaluated { step, epoch, values } => {
                json!({ "event": "evaluated", "step": step, "epoch": epoch, "values": pairs(values) })
            }
            News::Images { step, path } => json!({ "event": "images", "step": step, "path": path }),
            News::Checkpoint { step, path, best } => {
                json!({ "event": "saved", "step": step, "path": path, "best": best })
            }
            News::Note(text) => json!({ "event": "note", "text": text }),
            News::Activity(activity) => match activity {
                Activity::Finished(why) => json!({ "event": "state", "state": "finished", "why": why }),
                Activity::Failed(why) => json!({ "event": "state", "state": "failed", "why": why }),
                other => json!({ "event": "state", "state": other }),
            },
            News::Saved { .. } => json!({ "event": "seen" }),
            News::Rejected { rejection, checked_ms } => json!({
                "event": "rejected", "checked_ms": checked_ms, "text": rejection.text,
                "diagnostics": rejection.diagnostics,
            }),
            News::Mended => json!({ "event": "mended" }),
            News::Edited { edit, .. } => {
                let mut value = serde_json::to_value(edit).unwrap_or_default();
                value["event"] = "edited".into();
                value
            }
            News::NextStep { number, after_ms } => {
                json!({ "event": "next_step", "number": number, "after_ms": after_ms })
            }
            News::Ended { summary, folder } => json!({ "event": "ended", "path": folder, "summary": summary }),
            News::Weights { when, step, sums } => {
                json!({ "event": "weights", "when": when, "step": step, "sums": sums })
            }
        })
    }
}
