//! What a command is about: a file, or the folder of a run.

use crate::config::{self, Config};
use crate::failure::Failure;
use crate::output::{Color, show_diagnostics};
use crate::pipeline::{Compiled, compile_file};
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tfm_lang::check;
use tfm_lang::model::Model;
use tfm_runtime::checkpoint::{Store, Which};
use tfm_runtime::data::{self, Dataset, Learned, Options};
use tfm_runtime::run::Folder;

/// What the data taught, by the name of the declaration: `data.json`.
pub type LearnedByName = BTreeMap<String, Learned>;

/// Compiles a file; its errors are shown.
pub fn compile(
    file: &Path,
    options: &check::Options,
    adjust: &dyn Fn(&mut Model),
    color: Color,
) -> Result<Compiled, Failure> {
    match compile_file(file, options, adjust).map_err(Failure::file(file))? {
        Ok(compiled) => {
            show_diagnostics(&compiled.sources, &compiled.warnings, color);
            Ok(compiled)
        }
        Err(rejected) => {
            show_diagnostics(&rejected.sources, &rejected.diagnostics, color);
            if !rejected.has_errors() {
                return Err(Failure::Message(format!("{} could not be checked", file.display())));
            }
            Err(Failure::Shown)
        }
    }
}

/// A trained run and its file.
pub struct Trained {
    /// The file.
    pub compiled: Compiled,
    /// The index of the `train` block.
    pub train: usize,
    /// The run.
    pub folder: Folder,
    /// The checkpoint that is meant.
    pub checkpoint: PathBuf,
    /// What the data taught.
    pub learned: LearnedByName,
    /// Where relative data paths start.
    pub directory: PathBuf,
}

/// Finds the run that is meant: a folder `runs/convnet/001`, or a file, which means the newest run of its last block
/// that has one, or of the block that is named.
pub fn trained(
    target: &Path,
    name: Option<&str>,
    runs: &Path,
    which: &Which,
    settings: &Settings,
    color: Color,
) -> Result<Trained, Failure> {
    let adjust = |m: &mut Model| settings.apply(m);
    let (compiled, train, folder, directory) = if target.is_dir() {
        let folder = Folder::open(target);
        let info = folder.info().map_err(|e| Failure::Message(format!("this is not the folder of a run: {e}")))?;
        let mut options = check::Options { overrides: info.overrides.clone(), ..Default::default() };
        options.overrides.extend(settings.set.iter().cloned());
        let compiled = compile(&target.join("source").join(&info.file), &options, &adjust, color)?;
        let train = block(&compiled, &info.train)?;
        (compiled, train, folder, info.directory)
    } else {
        let compiled = compile(target, &settings.options(), &adjust, color)?;
        let (train, folder) = newest(&compiled, name, runs)?;
        (compiled, train, folder, parent(target))
    };
    let store = Store::open(&folder.checkpoints())?;
    let checkpoint = store.find(which)?;
    let learned = serde_json::from_slice(&folder.read("data.json")?);
    let learned =
        learned.map_err(|e| Failure::Message(format!("{}: {e}", folder.path().join("data.json").display())))?;
    Ok(Trained { compiled, train, folder, checkpoint, learned, directory })
}

/// The index of a `train` block.
pub fn block(compiled: &Compiled, name: &str) -> Result<usize, Failure> {
    let trains = &compiled.model.trains;
    trains.iter().position(|t| t.name == name).ok_or_else(|| {
        let names: Vec<&str> = trains.iter().map(|t| t.name.as_str()).collect();
        Failure::Message(match names.as_slice() {
            [] => format!("there is no `train {name}`; the file has no `train` block"),
            _ => format!("there is no `train {name}`; the file has {}", names.join(", ")),
        })
    })
}

fn newest(compiled: &Compiled, name: Option<&str>, runs: &Path) -> Result<(usize, Folder), Failure> {
    let trains = &compiled.model.trains;
    let wanted = |i: &usize| name.is_none_or(|n| trains[*i].name == n);
    if let Some(name) = name {
        block(compiled, name)?;
    }
    let found = (0..trains.len()).rev().filter(wanted).find_map(|i| Some((i, Folder::newest(runs, &trains[i].name)?)));
    found.ok_or_else(|| Failure::Message(format!("there is no run of this file in {}; train it first", runs.display())))
}

/// The folder a file is in.
pub fn parent(file: &Path) -> PathBuf {
    file.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where relative paths of data start for a file in this folder: at `TFM_DATA`, else `data` of its settings, beside it,
/// here. Settings that are wrong name no folder: whoever reads the command line, or opens the data, tells of them.
pub fn places(directory: &Path) -> Options {
    beside(directory, &config::closest(directory).unwrap_or_default())
}

fn beside(directory: &Path, config: &Config) -> Options {
    Options::beside(&directory.join("file.tfm"), config.train.data.as_ref().map(|d| config.folder.join(d)))
}

/// Opens data declarations by their index. Relative paths start at the [`places`] of the folder.
pub fn open_data(
    model: &Model,
    indices: impl IntoIterator<Item = usize>,
    directory: &Path,
    learned: Option<&LearnedByName>,
) -> Result<BTreeMap<usize, Dataset>, Failure> {
    let mut opened = BTreeMap::new();
    let config = config::closest(directory).map_err(Failure::Usage)?;
    for i in indices {
        let spec = &model.data[i];
        if opened.contains_key(&i) {
            continue;
        }
        let mut options = beside(directory, &config);
        options.learned = learned.and_then(|l| l.get(&spec.name)).cloned();
        let dataset = data::open(spec, &options).map_err(|e| Failure::Message(format!("data {}: {e}", spec.name)))?;
        opened.insert(i, dataset);
    }
    Ok(opened)
}
