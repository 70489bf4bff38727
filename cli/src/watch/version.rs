//! A version of the file, ready to go on with: checked, lowered, its data open, its variables at their first values,
//! the plans of its steps made.

use crate::commands::train;
use crate::failure::Failure;
use crate::output::diagnostics_json;
use crate::picture::{self, Picture};
use crate::pipeline::{Compiled, compile};
use crate::settings::Settings;
use crate::{starts, target};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tfm_lang::diagnostic::render::render;
use tfm_lang::diagnostic::{Diagnostic, Severity};
use tfm_lang::model::{self, DataSpec, Model};
use tfm_lang::source::{Sources, Span};
use tfm_runtime::cpu::Cpu;
use tfm_runtime::data::{self, Dataset};
use tfm_runtime::run::{self, Engine, Feed, period::Epoch};
use tfm_runtime::session::Session;

/// Names and contents of files in the folder of a run.
pub type Files = Vec<(String, Vec<u8>)>;

/// A version of the file.
pub struct Version {
    /// The checked file.
    pub compiled: Compiled,
    /// Its data, by the index of the declaration.
    pub datasets: BTreeMap<usize, Dataset>,
    /// A number for the files of the data, by the index of the declaration: another number for changed files.
    pub stamps: BTreeMap<usize, u64>,
    /// Its graph, with first values in the variables.
    pub session: Session,
    /// The size of an epoch of each block.
    pub epochs: Vec<Epoch>,
    /// A number for what is computed: equal graphs have equal ones.
    pub digest: u64,
    /// What the folder of a run keeps of it.
    pub files: Arc<Files>,
    /// The graph of each block as a page, by the index of the block.
    pub pictures: BTreeMap<usize, Arc<str>>,
    /// When the save was seen.
    pub seen: Instant,
    /// How long checking took, up to the graph.
    pub checked: Duration,
}

/// Why a version cannot be used.
#[derive(Clone, Debug, Default)]
pub struct Rejection {
    /// For a terminal with colours.
    pub colored: String,
    /// Without.
    pub text: String,
    /// The same as data; empty where the file is well and something else is not.
    pub diagnostics: Vec<serde_json::Value>,
}

/// What came of a look at the files.
pub struct Made {
    /// Every file that was read or looked for, data too.
    pub files: Vec<PathBuf>,
    /// How long checking took.
    pub checked: Duration,
    /// The version.
    pub version: Result<Version, Rejection>,
}

/// Makes versions. Data that is declared as before is not read again.
pub struct Maker {
    /// The main file.
    pub file: PathBuf,
    /// The folder that data is looked for in.
    pub directory: PathBuf,
    /// The block that is meant, if one is named.
    pub name: Option<String>,
    /// `--set` and the like.
    pub settings: Settings,
    opened: Vec<(DataSpec, u64, Dataset)>,
    texts: Vec<(PathBuf, Option<Vec<u8>>)>,
    /// Where the data of the last version lies, whether it could be opened or not, and the number for that.
    places: Vec<PathBuf>,
    stamp: u64,
}

impl Maker {
    /// Of this file.
    pub fn new(file: &Path, name: Option<String>, settings: Settings) -> Result<Maker, Failure> {
        let directory = std::path::absolute(target::parent(file)).map_err(Failure::file(file))?;
        let file = file.to_path_buf();
        Ok(Maker {
            file,
            directory,
            name,
            settings,
            opened: Vec::new(),
            texts: Vec::new(),
            places: Vec::new(),
            stamp: 0,
        })
    }

    fn roots(&self) -> Vec<PathBuf> {
        crate::target::places(&self.directory).roots
    }

    /// True when nothing that the last version was made from has another content.
    pub fn is_current(&self) -> bool {
        let same = |(path, text): &(PathBuf, Option<Vec<u8>>)| std::fs::read(path).ok() == *text;
        !self.texts.is_empty() && self.texts.iter().all(same) && stamp(&self.places) == self.stamp
    }

    /// Reads, checks and makes ready. `running` is the name of the block that trains now.
    pub fn make(&mut self, seen: Instant, running: Option<&str>) -> Made {
        let start = Instant::now();
        let folder = target::parent(&self.file);
        self.look_at(Vec::new());
        // What the file cannot say itself: what else was looked at.
        self.texts =
            ["tfm.toml"].iter().map(|name| folder.join(name)).map(|path| (path.clone(), read(&path))).collect();
        let Some(bytes) = read(&self.file) else {
            self.texts.push((self.file.clone(), None));
            let text = format!("{} is not there; it is waited for\n", self.file.display());
            return self.made(start.elapsed(), Err(Rejection::plain(text)));
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut texts = vec![(self.file.clone(), Some(bytes))];
        let mut load = |name: &str| {
            let path = folder.join(name);
            let bytes = read(&path);
            let text = bytes.as_ref().and_then(|b| String::from_utf8(b.clone()).ok());
            texts.push((path, bytes));
            text
        };
        let name = self.file.display().to_string();
        let adjust = |m: &mut Model| self.settings.apply(m);
        let compiled = compile(&name, &text, &mut load, &self.settings.options(), &adjust);
        self.texts.extend(texts);
        let checked = start.elapsed();
        match compiled {
            Err(rejected) => {
                let rejection = Rejection::of(&rejected.sources, &rejected.diagnostics);
                self.made(checked, Err(rejection))
            }
            Ok(compiled) => {
                let roots = self.roots();
                let places = compiled.model.data.iter().flat_map(|spec| data::places(spec, &roots));
                self.look_at(places.collect());
                let version = self.ready(compiled, seen, checked, running);
                self.made(checked, version)
            }
        }
    }

    /// From here on another content of these files is a change; so they are named before they are read.
    fn look_at(&mut self, places: Vec<PathBuf>) {
        (self.stamp, self.places) = (stamp(&places), places);
    }

    fn made(&self, checked: Duration, version: Result<Version, Rejection>) -> Made {
        let files = self.texts.iter().map(|(path, _)| path.clone()).chain(self.places.iter().cloned()).collect();
        Made { files, checked, version }
    }

    fn ready(
        &mut self,
        compiled: Compiled,
        seen: Instant,
        checked: Duration,
        running: Option<&str>,
    ) -> Result<Version, Rejection> {
        let blocks = self.blocks(&compiled, running)?;
        let trains = || blocks.iter().map(|b| &compiled.model.trains[*b]);
        let unfit = starts::unfit(&compiled, trains(), &self.directory, running.is_none());
        if !unfit.is_empty() {
            return Err(Rejection::of(&compiled.sources, &unfit));
        }
        let (datasets, stamps) = self.data(&compiled.model, train::used_data(trains()))?;
        let failed = |e: Failure| Rejection::plain(e.text().unwrap_or_default());
        let mut session = Session::new(compiled.graph.clone(), Cpu::new(self.settings.threads()));
        let main = running.and_then(|name| blocks.iter().find(|b| compiled.model.trains[**b].name == name));
        let main = *main.unwrap_or(&blocks[0]);
        session.initialize(compiled.model.trains[main].seed).map_err(|e| failed(e.into()))?;
        let mut epochs = vec![Epoch { steps: 1, examples: 1 }; compiled.model.trains.len()];
        for &b in &blocks {
            let train = &compiled.model.trains[b];
            let feed = train::feed(&datasets, train, &session).map_err(failed)?;
            epochs[b] = feed.epoch();
        }
        // The next step should find its plans: with all that is shown, and with the losses alone.
        let block = &compiled.model.trains[main];
        let feed = train::feed(&datasets, block, &session).map_err(failed)?;
        let shown = run::shown(&block.training);
        for shown in [&shown[..], &shown[..block.training.losses.len().min(shown.len())]] {
            train::step_plan(block, &feed, &datasets, &mut session, shown).map_err(failed)?;
        }
        drop(feed);
        let mut hasher = DefaultHasher::new();
        compiled.graph.to_string().hash(&mut hasher);
        let files = Arc::new(train::run_files(&compiled, &datasets, &session));
        let digest = hasher.finish();
        let picture = |b: &usize| picture::html(&Picture::of(&compiled, &compiled.model.trains[*b], false)).into();
        let pictures = blocks.iter().map(|b| (*b, picture(b))).collect();
        Ok(Version { compiled, datasets, stamps, session, epochs, digest, files, pictures, seen, checked })
    }

    /// The blocks that are to be trained; the one that trains now must be among them.
    fn blocks(&self, compiled: &Compiled, running: Option<&str>) -> Result<Vec<usize>, Rejection> {
        if let Some(name) = running.or(self.name.as_deref()) {
            target::block(compiled, name).map_err(|e| Rejection::plain(e.text().unwrap_or_default()))?;
        }
        let trains = &compiled.model.trains;
        let blocks: Vec<usize> =
            (0..trains.len()).filter(|b| self.name.as_ref().is_none_or(|n| *n == trains[*b].name)).collect();
        match blocks.is_empty() {
            true => Err(Rejection::plain(format!("error: {} has no `train` block", self.file.display()))),
            false => Ok(blocks),
        }
    }

    /// Opens data, or finds it as it was opened before.
    #[allow(clippy::type_complexity)] // two maps with the same keys
    fn data(
        &mut self,
        model: &Model,
        indices: impl Iterator<Item = usize>,
    ) -> Result<(BTreeMap<usize, Dataset>, BTreeMap<usize, u64>), Rejection> {
        let (mut datasets, mut stamps, mut opened) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for i in indices {
            let spec = without_places(&model.data[i]);
            let stamp = stamp(&data::places(&spec, &self.roots()));
            let dataset = match self.opened.iter().find(|(s, n, _)| *s == spec && *n == stamp) {
                Some((.., dataset)) => dataset.clone(),
                None => {
                    let found = target::open_data(model, [i], &self.directory, None);
                    let mut found = found.map_err(|e| Rejection::plain(e.text().unwrap_or_default()))?;
                    found.remove(&i).expect("it was asked for")
                }
            };
            opened.push((spec, stamp, dataset.clone()));
            datasets.insert(i, dataset);
            stamps.insert(i, stamp);
        }
        self.opened = opened;
        Ok((datasets, stamps))
    }
}

impl Version {
    /// The texts it was made from.
    pub fn is_same(&self, other: &Version) -> bool {
        self.digest == other.digest && self.stamps == other.stamps && self.files == other.files
    }

    /// The index of a block.
    pub fn block(&self, name: &str) -> Option<usize> {
        self.compiled.model.trains.iter().position(|t| t.name == name)
    }

    /// A block.
    pub fn train(&self, block: usize) -> &model::Train {
        &self.compiled.model.trains[block]
    }
}

impl Rejection {
    fn of(sources: &Sources, diagnostics: &[Diagnostic]) -> Rejection {
        let json = diagnostics_json(sources, diagnostics);
        Rejection {
            colored: render(sources, diagnostics, true),
            text: render(sources, diagnostics, false),
            diagnostics: json.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
        }
    }

    fn plain(text: String) -> Rejection {
        Rejection { colored: text.clone(), text, diagnostics: Vec::new() }
    }

    /// How many errors.
    pub fn errors(&self) -> usize {
        let is_error = |d: &&serde_json::Value| d["severity"] != "warning";
        self.diagnostics.iter().filter(is_error).count().max(1)
    }
}

/// The warnings of a version.
pub fn warnings(compiled: &Compiled) -> Option<Rejection> {
    let warnings = &compiled.warnings;
    let any = warnings.iter().any(|d| d.severity == Severity::Warning);
    any.then(|| Rejection::of(&compiled.sources, warnings))
}

/// A declaration that is equal where the same is declared, wherever in the text.
pub fn without_places(spec: &DataSpec) -> DataSpec {
    let mut spec = spec.clone();
    spec.span = Span::default();
    spec.columns.iter_mut().for_each(|c| c.span = Span::default());
    spec.zipped.iter_mut().for_each(|z| z.data = without_places(&z.data));
    spec
}

fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

/// A number for files and what lies in folders, two levels deep: another one when something was changed.
fn stamp(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        stamp_one(path, 2, &mut hasher);
    }
    hasher.finish()
}

fn stamp_one(path: &Path, depth: usize, hasher: &mut DefaultHasher) {
    path.hash(hasher);
    let Ok(about) = std::fs::metadata(path) else { return };
    (about.len(), about.modified().unwrap_or(SystemTime::UNIX_EPOCH)).hash(hasher);
    if about.is_dir() && depth > 0 {
        let mut inside: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path()).collect();
        inside.sort_unstable();
        inside.iter().for_each(|p| stamp_one(p, depth - 1, hasher));
    }
}
