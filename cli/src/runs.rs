//! The runs that are there: what their folders say of them. A folder that cannot be read is one that is broken, and
//! never an error of the command that looks at all of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tfm_lang::source::Sources;
use tfm_lang::syntax::ast::{ItemKind, StmtKind};
use tfm_lang::syntax::parse;
use tfm_runtime::checkpoint::{Progress, Series, Store, Which, read_manifest};
use tfm_runtime::run::{Folder, RUNNING, RunInfo, Summary};

/// A run's folder.
pub struct Run {
    /// Where it is.
    pub path: PathBuf,
    /// The `train` block, by the name of the folder above.
    pub train: String,
    /// Its number.
    pub number: u32,
    /// What stands in it, or why it cannot be read.
    pub found: Result<Found, String>,
}

/// What a run's folder says.
pub struct Found {
    /// How it was started.
    pub info: RunInfo,
    /// How it stands.
    pub state: State,
    /// Why it ended, in the words of the run.
    pub ended: String,
    /// When it was started, in seconds since 1970.
    pub started: u64,
    /// Steps done.
    pub steps: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Each metric's last and best value.
    pub metrics: BTreeMap<String, Series>,
    /// The metric that tells how good it is.
    pub headline: Option<String>,
    /// The steps that have a checkpoint.
    pub checkpoints: Vec<u64>,
    /// Trained numbers, once known.
    pub parameters: Option<u64>,
}

/// How a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It reached its length or a bound.
    Done,
    /// A `stop when` ended it.
    Stopped,
    /// A signal ended it.
    Interrupted,
    /// An error ended it.
    Failed,
    /// Its process is gone and did not say why.
    Killed,
    /// It goes on.
    Running,
}

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            State::Done => "done",
            State::Stopped => "stopped",
            State::Interrupted => "interrupted",
            State::Failed => "failed",
            State::Killed => "killed",
            State::Running => "running",
        }
    }
}

impl Run {
    /// `net/001`
    pub fn name(&self) -> String {
        format!("{}/{:03}", self.train, self.number)
    }

    /// A run by its folder.
    pub fn open(path: &Path) -> Run {
        let part = |p: Option<&std::ffi::OsStr>| p.map_or(String::new(), |n| n.to_string_lossy().into_owned());
        let train = part(path.parent().and_then(Path::file_name));
        let number = part(path.file_name()).parse().unwrap_or(0);
        let found = if path.is_dir() { read(path) } else { Err("it is not a folder".into()) };
        Run { path: path.to_path_buf(), train, number, found }
    }
}

/// All runs in a folder of runs, by block and number.
pub fn all(runs: &Path) -> Vec<Run> {
    let inside = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|e| e.path()).filter(|p| p.is_dir()).collect()
    };
    let is_numbered = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().parse::<u32>().is_ok());
    let mut found: Vec<Run> =
        inside(runs).iter().flat_map(|block| inside(block)).filter(is_numbered).map(|p| Run::open(&p)).collect();
    found.sort_by(|a, b| (&a.train, a.number).cmp(&(&b.train, b.number)));
    found
}

/// The run that is meant by a word: its folder, `net/001`, `net` for the newest of a block, or `1` where there is one
/// block.
///
/// # Errors
/// When there is none, or more than one could be meant; the text says which there are.
pub fn find(runs: &Path, word: &str) -> Result<Run, String> {
    let path = Path::new(word);
    if path.join("run.json").is_file() {
        return Ok(Run::open(path));
    }
    let mut all = all(runs);
    let fits = |r: &Run| {
        let (train, number) = word.trim_end_matches('/').rsplit_once('/').unwrap_or(("", word));
        let of_block = train.is_empty() || r.train == train;
        of_block && number.parse() == Ok(r.number)
    };
    if let Some(i) = all.iter().rposition(|r| r.train == word) {
        return Ok(all.swap_remove(i));
    }
    let meant: Vec<usize> = (0..all.len()).filter(|&i| fits(&all[i])).collect();
    match meant.as_slice() {
        [one] => Ok(all.swap_remove(*one)),
        [] => {
            let names: Vec<String> = all.iter().rev().take(8).map(Run::name).collect();
            Err(match names.as_slice() {
                [] => format!("there is no run `{word}`, nor any other in {}", runs.display()),
                _ => format!("there is no run `{word}` in {}; there is {}", runs.display(), names.join(", ")),
            })
        }
        several => {
            let names: Vec<String> = several.iter().map(|i| all[*i].name()).collect();
            Err(format!("`{word}` may be {}", names.join(" or ")))
        }
    }
}

fn read(path: &Path) -> Result<Found, String> {
    let folder = Folder::open(path);
    let info = folder.info().map_err(|e| e.to_string())?;
    let summary: Option<Summary> = match folder.read("summary.json") {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).map_err(|e| format!("summary.json: {e}"))?),
        Err(_) => None,
    };
    // Looking at a run that goes on must not put anything right in it: no `Store::open`.
    let steps = checkpoint_steps(path);
    let progress = steps.last().and_then(|step| {
        let folder = path.join("checkpoints").join(format!("step-{step:06}"));
        read_manifest(&folder).ok().map(|m| m.progress)
    });
    let state = state(path, summary.as_ref());
    let metrics = match (&summary, &progress) {
        (Some(s), _) if state != State::Running => s.metrics.clone(),
        (_, Some(p)) => p.metrics.clone(),
        (Some(s), None) => s.metrics.clone(),
        _ => BTreeMap::new(),
    };
    let noted = fs::metadata(path.join("run.json")).and_then(|m| m.modified()).ok();
    let noted = noted.and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |t| t.as_secs());
    Ok(Found {
        started: if info.started > 0 { info.started } else { noted },
        state,
        ended: summary.as_ref().map_or(String::new(), |s| s.ended.clone()),
        steps: last_row(path).max(summary.as_ref().map_or(0, |s| s.steps)),
        seconds: summary.as_ref().map(|s| s.wall_seconds).or(progress.as_ref().map(|p| p.seconds)).unwrap_or(0.0),
        headline: headline(&metrics, progress.as_ref()),
        metrics,
        checkpoints: steps,
        parameters: summary.as_ref().map(|s| s.parameters),
        info,
    })
}

fn state(path: &Path, summary: Option<&Summary>) -> State {
    if let Ok(process) = fs::read_to_string(path.join(RUNNING)) {
        // Where the system does not say, the run is taken at its word.
        let is_there = !Path::new("/proc/self").exists() || Path::new("/proc").join(process.trim()).exists();
        return if is_there { State::Running } else { State::Killed };
    }
    match summary.map(|s| s.ended.as_str()) {
        None => State::Killed,
        Some("interrupted") => State::Interrupted,
        Some(why) if why.starts_with("failed: ") => State::Failed,
        Some(why) if why.starts_with("stopped: ") => State::Stopped,
        Some(_) => State::Done,
    }
}

fn checkpoint_steps(path: &Path) -> Vec<u64> {
    let entries = fs::read_dir(path.join("checkpoints")).into_iter().flatten().flatten();
    let mut steps: Vec<u64> =
        entries.filter_map(|e| e.file_name().to_str()?.strip_prefix("step-")?.parse().ok()).collect();
    steps.sort_unstable();
    steps
}

/// The step of the last whole row of `metrics.csv`.
fn last_row(path: &Path) -> u64 {
    let text = fs::read_to_string(path.join("metrics.csv")).unwrap_or_default();
    let whole = &text[..text.rfind('\n').map_or(0, |i| i + 1)];
    whole.lines().last().and_then(|l| l.split(',').next()?.parse().ok()).unwrap_or(0)
}

/// What a checkpoint is the best by, else the loss of an evaluation, else any metric of one, else the loss.
fn headline(metrics: &BTreeMap<String, Series>, progress: Option<&Progress>) -> Option<String> {
    let kept = progress.and_then(|p| p.best.keys().find(|k| metrics.contains_key(*k)));
    let evaluated = || metrics.keys().filter(|n| n.contains('.'));
    let loss = || evaluated().find(|n| n.ends_with(".loss"));
    let found = kept.or_else(loss).or_else(|| evaluated().next());
    found.or_else(|| metrics.keys().find(|n| *n == "loss")).or_else(|| metrics.keys().next()).cloned()
}

/// What a run was given, by name: settings of its block and `const`s as written, with what `--set` put in their place,
/// the seed, the threads and the version.
pub fn settings(run: &Run) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let Ok(found) = &run.found else { return out };
    let info = &found.info;
    let text = fs::read_to_string(run.path.join("source").join(&info.file)).unwrap_or_default();
    let mut sources = Sources::default();
    let id = sources.add(info.file.clone(), text, false);
    let (file, _) = parse(&sources, id);
    for item in &file.items {
        match &item.kind {
            ItemKind::Const(name, value) => {
                out.insert(format!("const {}", name.text), sources.text(value.span).to_string());
            }
            ItemKind::Train { name, data, body } if name.text == info.train => {
                out.insert("data".into(), sources.text(data.span).to_string());
                for statement in &body.statements {
                    if let StmtKind::Setting(name, value) = &statement.kind {
                        out.insert(name.text.to_string(), sources.text(value.span).to_string());
                    }
                }
            }
            _ => {}
        }
    }
    for (name, value) in &info.overrides {
        let constant = format!("const {name}");
        let key = if out.contains_key(&constant) { constant } else { name.clone() };
        out.insert(key, value.clone());
    }
    out.insert("file".into(), info.file.clone());
    out.insert("seed".into(), info.seed.to_string());
    out.insert("threads".into(), info.threads.to_string());
    out.insert("version".into(), info.version.clone());
    if let Some(n) = found.parameters {
        out.insert("parameters".into(), crate::values::count(n));
    }
    out
}

/// The checkpoint of a run that would be used: its best, where it has one.
pub fn best_checkpoint(run: &Run) -> Option<PathBuf> {
    let store = Store::open(&run.path.join("checkpoints")).ok()?;
    store.find(&Which::Best).or_else(|_| store.find(&Which::Last)).ok()
}

/// A time in seconds since 1970 as `2026-11-29 01:40`, in UTC.
pub fn time(seconds: u64) -> String {
    let (days, rest) = ((seconds / 86_400) as i64, seconds % 86_400);
    // Howard Hinnant's civil_from_days: eras of 400 years that begin in March.
    let z = days + 719_468;
    let (era, doe) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", rest / 3600, rest / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_of_the_calendar() {
        assert_eq!(time(0), "1970-01-01 00:00");
        assert_eq!(time(951_782_400), "2000-02-29 00:00");
        assert_eq!(time(1_795_916_399), "2026-11-29 01:39");
        assert_eq!(time(4_107_542_399), "2100-02-28 23:59");
    }
}
