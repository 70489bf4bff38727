//! One checkpoint folder: written whole, read with every check.

use super::manifest::{FORMAT, FileSum, Manifest, Progress, VariableSignature};
use super::weights::{Wanted, own_names};
use crate::tensor::Tensor;
use flate2::Crc;
use safetensors::{SafeTensors, tensor::TensorView};
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use tfm_lang::model::VariableKind;
use tfm_lang::types::DType;
use tfm_lowering::graph::Variable;

const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const MANIFEST: &str = "manifest.json";

/// The end of the path of a variable that evaluation reads in place of a parameter.
const AVERAGE: &str = "/average";

/// Why a checkpoint could not be written or used.
#[derive(Clone, PartialEq, Debug)]
pub struct CheckpointError {
    /// The folder or file.
    pub path: PathBuf,
    /// What is wrong, a line each; variables by their paths.
    pub problems: Vec<String>,
}

impl CheckpointError {
    pub(super) fn new(path: &Path, problem: impl fmt::Display) -> CheckpointError {
        CheckpointError { path: path.to_path_buf(), problems: vec![problem.to_string()] }
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        write!(f, "the checkpoint {}", self.path.display())?;
        if let [one] = self.problems.as_slice() {
            return write!(f, ": {one}");
        }
        write!(f, " does not fit:")?;
        for problem in self.problems.iter().take(SHOWN) {
            write!(f, "\n  {problem}")?;
        }
        match self.problems.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl std::error::Error for CheckpointError {}

/// Which of the two files a variable goes to.
fn file_of(kind: VariableKind) -> &'static str {
    match kind {
        VariableKind::Parameter | VariableKind::State => MODEL,
        VariableKind::Optimizer | VariableKind::Metric => OPTIMIZER,
    }
}

/// True for what a model is: parameters and states of layers.
pub(super) fn is_model(variable: &Variable) -> bool {
    file_of(variable.kind) == MODEL
}

/// Writes a complete checkpoint to the folder `to`, which must not exist. Every file, and the folder
/// itself, is on disk when this returns.
///
/// `variables` and `tensors` go together, index by index.
pub fn write(
    to: &Path,
    progress: &Progress,
    variables: &[Variable],
    tensors: &[Tensor],
) -> Result<(), CheckpointError> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |e: std::io::Error| CheckpointError::new(&path, e)
    };
    fs::create_dir_all(to).map_err(io(to))?;
    let mut files = Vec::new();
    for name in [MODEL, OPTIMIZER] {
        let mut views = Vec::new();
        for (variable, tensor) in variables.iter().zip(tensors).filter(|(v, _)| file_of(v.kind) == name) {
            let view = TensorView::new(dtype_out(tensor.dtype), tensor.shape.clone(), tensor.bytes())
                .map_err(|e| CheckpointError::new(to, format!("{}: {e}", variable.path)))?;
            views.push((variable.path.as_str(), view));
        }
        let bytes = safetensors::serialize(views, None).map_err(|e| CheckpointError::new(to, e))?;
        files.push(FileSum { name: name.into(), bytes: bytes.len() as u64, crc32: crc(&bytes) });
        write_synced(&to.join(name), &bytes).map_err(io(&to.join(name)))?;
    }
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        progress: progress.clone(),
        variables: variables.iter().zip(tensors).map(|(v, t)| signature(&v.path, t.dtype, &t.shape)).collect(),
        files,
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|e| CheckpointError::new(to, e))?;
    write_synced(&to.join(MANIFEST), &text).map_err(io(&to.join(MANIFEST)))?;
    sync_folder(to).map_err(io(to))
}

/// Writes a file and waits until it is on disk.
pub(super) fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until a folder's list of names is on disk. Only Unix lets a folder be opened for that.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Reads the manifest of a checkpoint, and nothing else.
pub fn read_manifest(folder: &Path) -> Result<Manifest, CheckpointError> {
    let path = folder.join(MANIFEST);
    let text = fs::read(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            CheckpointError::new(folder, format!("has no {MANIFEST}: it is not a checkpoint"))
        }
        _ => CheckpointError::new(&path, e),
    })?;
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|e| CheckpointError::new(&path, format!("cannot be read: {e}")))?;
    match value.get("format").and_then(|f| f.as_u64()) {
        Some(n) if n == u64::from(FORMAT) => {}
        n => {
            let n = n.map_or("?".into(), |n| n.to_string());
            return Err(CheckpointError::new(&path, format!("has format {n}; this version of tfm reads {FORMAT}")));
        }
    }
    serde_json::from_value(value).map_err(|e| CheckpointError::new(&path, format!("cannot be read: {e}")))
}

/// Sets all variables from a checkpoint, and returns its manifest.
///
/// Every variable must be there with its type and nothing else may be; otherwise nothing changes and
/// the error lists what does not fit.
pub fn load(folder: &Path, variables: &[Variable], tensors: &mut [Tensor]) -> Result<Manifest, CheckpointError> {
    restore(folder, variables, tensors, false)
}

/// Sets what evaluation reads from a checkpoint: parameters, states of layers, and averages of parameters
/// where an optimizer keeps them. Other states of optimizers, and metrics, stay as they are.
pub fn load_model(folder: &Path, variables: &[Variable], tensors: &mut [Tensor]) -> Result<Manifest, CheckpointError> {
    restore(folder, variables, tensors, true)
}

fn is_read_by_evaluation(variable: &Variable) -> bool {
    is_model(variable) || variable.path.ends_with(AVERAGE)
}

/// Writes what the model is, for others to read: `model.safetensors` with averages in place of the
/// parameters that have one.
pub fn export(folder: &Path, to: &Path) -> Result<(), CheckpointError> {
    let bytes = exported(folder)?;
    let mut new = to.to_path_buf().into_os_string();
    new.push(".new");
    let written = write_synced(Path::new(&new), &bytes).and_then(|()| fs::rename(&new, to));
    written.map_err(|e| CheckpointError::new(to, e))
}

/// What [`export`] writes.
pub(super) fn exported(folder: &Path) -> Result<Vec<u8>, CheckpointError> {
    let manifest = read_manifest(folder)?;
    let read = |name| read_verified(folder, name, &manifest).map_err(|e| CheckpointError::new(folder, e));
    let (model, optimizer) = (read(MODEL)?, read(OPTIMIZER)?);
    let bad = |e| CheckpointError::new(folder, e);
    let (model, optimizer) =
        (SafeTensors::deserialize(&model).map_err(bad)?, SafeTensors::deserialize(&optimizer).map_err(bad)?);
    let mut tensors = model.tensors();
    for (path, view) in &mut tensors {
        if let Ok(average) = optimizer.tensor(&format!("{path}{AVERAGE}")) {
            *view = average;
        }
    }
    safetensors::serialize(tensors, None).map_err(bad)
}

fn restore(
    folder: &Path,
    variables: &[Variable],
    tensors: &mut [Tensor],
    model_only: bool,
) -> Result<Manifest, CheckpointError> {
    let manifest = read_manifest(folder)?;
    let mut problems = Vec::new();
    let mut files = Vec::new();
    let is_wanted = |v: &Variable| !model_only || is_read_by_evaluation(v);
    let some_of = |name: &str| variables.iter().any(|v| file_of(v.kind) == name && is_wanted(v));
    for name in [MODEL, OPTIMIZER].into_iter().filter(|n| *n == MODEL || some_of(n)) {
        match read_verified(folder, name, &manifest) {
            Ok(bytes) => files.push((name, bytes)),
            Err(problem) => problems.push(format!("{name}: {problem}")),
        }
    }
    if !problems.is_empty() {
        return Err(CheckpointError { path: folder.to_path_buf(), problems });
    }
    let mut found = Vec::new();
    for (name, bytes) in &files {
        let saved = SafeTensors::deserialize(bytes).map_err(|e| CheckpointError::new(&folder.join(name), e))?;
        let here = (0..variables.len()).filter(|&i| file_of(variables[i].kind) == *name);
        let wanted = own_names(variables, here.filter(|&i| is_wanted(&variables[i])));
        compare(&saved, variables, &wanted, &mut problems);
        if *name == MODEL || !model_only {
            report_others(&saved, &wanted, &mut problems);
        }
        found.push((saved, wanted));
    }
    if !problems.is_empty() {
        return Err(CheckpointError { path: folder.to_path_buf(), problems });
    }
    for (saved, wanted) in found {
        for (i, name) in wanted {
            let view = saved.tensor(&name).map_err(|e| CheckpointError::new(folder, e))?;
            tensors[i].bytes_mut().copy_from_slice(view.data());
        }
    }
    Ok(manifest)
}

/// The bytes of a file, when its length and checksum are those of the manifest.
fn read_verified(folder: &Path, name: &str, manifest: &Manifest) -> Result<Vec<u8>, String> {
    let sum = manifest.files.iter().find(|f| f.name == name).ok_or("is not in the manifest")?;
    let bytes = fs::read(folder.join(name)).map_err(|e| e.to_string())?;
    if bytes.len() as u64 != sum.bytes {
        let word = if (bytes.len() as u64) < sum.bytes { "truncated" } else { "too long" };
        return Err(format!("is {word}: {} bytes, {} expected", bytes.len(), sum.bytes));
    }
    if crc(&bytes) != sum.crc32 {
        return Err("is damaged: its checksum differs from the manifest's".into());
    }
    Ok(bytes)
}

/// What a file has and nobody wants.
pub(super) fn report_others(saved: &SafeTensors<'_>, wanted: &[Wanted], problems: &mut Vec<String>) {
    let is_wanted = |name: &str| wanted.iter().any(|(_, w)| w == name);
    let mut others: Vec<_> = saved.names().into_iter().filter(|n| !is_wanted(n)).collect();
    others.sort_unstable();
    problems.extend(others.iter().map(|n| format!("{n}: in the checkpoint, not in the model")));
}

/// What differs between a file and the variables that should be in it.
pub(super) fn compare(saved: &SafeTensors<'_>, variables: &[Variable], wanted: &[Wanted], problems: &mut Vec<String>) {
    for (i, name) in wanted {
        let (path, dtype) = (&variables[*i].path, variables[*i].ty.dtype);
        let shape: Vec<usize> = variables[*i].ty.shape.iter().map(|d| d.as_constant().unwrap_or(0) as usize).collect();
        let here = type_text(dtype.name(), &shape);
        let under = if path == name { String::new() } else { format!(" as {path}") };
        let Ok(view) = saved.tensor(name) else {
            problems.push(format!("{name}: missing; the model has {here}{under}"));
            continue;
        };
        if view.dtype() != dtype_out(dtype) || view.shape() != shape {
            let there = type_text(dtype_name(view.dtype()), view.shape());
            problems.push(format!("{name}: {there} in the checkpoint, {here} in the model{under}"));
        }
    }
}

fn signature(path: &str, dtype: DType, shape: &[usize]) -> VariableSignature {
    VariableSignature { path: path.into(), dtype: dtype.name().into(), shape: shape.to_vec() }
}

fn type_text(dtype: &str, shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("{dtype}[{}]", sizes.join(", "))
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

const DTYPES: [(DType, safetensors::Dtype); 9] = [
    (DType::F64, safetensors::Dtype::F64),
    (DType::F32, safetensors::Dtype::F32),
    (DType::Bf16, safetensors::Dtype::BF16),
    (DType::F16, safetensors::Dtype::F16),
    (DType::I64, safetensors::Dtype::I64),
    (DType::I32, safetensors::Dtype::I32),
    (DType::I8, safetensors::Dtype::I8),
    (DType::U8, safetensors::Dtype::U8),
    (DType::Bool, safetensors::Dtype::BOOL),
];

fn dtype_out(dtype: DType) -> safetensors::Dtype {
    DTYPES.iter().find(|(d, _)| *d == dtype).map_or(safetensors::Dtype::U8, |(_, s)| *s)
}

fn dtype_name(dtype: safetensors::Dtype) -> &'static str {
    DTYPES.iter().find(|(_, s)| *s == dtype).map_or("another dtype", |(d, _)| d.name())
}
