//! Weights alone, from a file that any program may have written: where `start … from` and `--start` begin.

use super::folder::{self, CheckpointError, compare, is_model, report_others};
use super::store::{Store, Which};
use crate::tensor::Tensor;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use tfm_lang::types::DType;
use tfm_lowering::graph::Variable;

/// Tensors by name, with the place they are from.
pub struct Weights {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// The name in the file of a variable, by the variable's index.
pub type Wanted = (usize, String);

impl Weights {
    /// Reads a safetensors file; or what `export` writes of a checkpoint folder, or of the best checkpoint of a
    /// run's folder (the last, where the run keeps no best).
    pub fn open(path: &Path) -> Result<Weights, CheckpointError> {
        let checkpoint = match path {
            run if run.join("checkpoints").is_dir() => {
                let store = Store::open(&run.join("checkpoints"))?;
                store.find(&Which::Best).or_else(|_| store.find(&Which::Last))?
            }
            path => path.to_path_buf(),
        };
        let bytes = match checkpoint.is_dir() {
            true => folder::exported(&checkpoint)?,
            false => std::fs::read(&checkpoint).map_err(|e| CheckpointError::new(&checkpoint, e))?,
        };
        SafeTensors::deserialize(&bytes)
            .map_err(|e| CheckpointError::new(&checkpoint, format!("is not a safetensors file: {e}")))?;
        Ok(Weights { path: checkpoint, bytes })
    }

    /// Where they are from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors.
    pub fn names(&self) -> Vec<String> {
        self.tensors().map_or_else(|_| Vec::new(), |saved| saved.names().into_iter().map(str::to_string).collect())
    }

    /// A tensor by its name, of any shape.
    ///
    /// # Errors
    /// When it is missing or of another dtype.
    pub fn tensor(&self, name: &str, dtype: DType) -> Result<Tensor, CheckpointError> {
        let saved = self.tensors()?;
        let view = saved.tensor(name).map_err(|e| CheckpointError::new(&self.path, e))?;
        let mut tensor = Tensor::zeros(dtype, view.shape());
        if tensor.bytes().len() != view.data().len() {
            return Err(CheckpointError::new(&self.path, format!("`{name}` is {:?}, not {dtype}", view.dtype())));
        }
        tensor.bytes_mut().copy_from_slice(view.data());
        Ok(tensor)
    }

    fn tensors(&self) -> Result<SafeTensors<'_>, CheckpointError> {
        SafeTensors::deserialize(&self.bytes).map_err(|e| CheckpointError::new(&self.path, e))
    }

    fn refuse(&self, problems: Vec<String>) -> Result<(), CheckpointError> {
        if problems.is_empty() { Ok(()) } else { Err(CheckpointError { path: self.path.clone(), problems }) }
    }

    /// Whether each variable is there under its name, with its type.
    ///
    /// # Errors
    /// What does not fit, a line each.
    pub fn fit(&self, wanted: &[Wanted], variables: &[Variable]) -> Result<(), CheckpointError> {
        let saved = self.tensors()?;
        let mut problems = Vec::new();
        compare(&saved, variables, wanted, &mut problems);
        self.refuse(problems)
    }

    /// The names that nobody wants, of those that lie below a path.
    pub fn unused(&self, wanted: &[Wanted], below: &str) -> Vec<String> {
        let Ok(saved) = self.tensors() else { return Vec::new() };
        let inside = |n: &str| below.is_empty() || n.strip_prefix(below).is_some_and(|rest| rest.starts_with('.'));
        let names = saved.names().into_iter().filter(|n| inside(n) && wanted.iter().all(|(_, w)| w != n));
        let mut names: Vec<String> = names.map(str::to_string).collect();
        names.sort_unstable();
        names
    }

    /// Sets variables from the tensors of their names.
    ///
    /// # Errors
    /// Those of [`Weights::fit`]; nothing has changed then.
    pub fn set(
        &self,
        wanted: &[Wanted],
        variables: &[Variable],
        tensors: &mut [Tensor],
    ) -> Result<(), CheckpointError> {
        self.fit(wanted, variables)?;
        let saved = self.tensors()?;
        for (i, name) in wanted {
            let view = saved.tensor(name).map_err(|e| CheckpointError::new(&self.path, e))?;
            tensors[*i].bytes_mut().copy_from_slice(view.data());
        }
        Ok(())
    }

    /// Sets all parameters and states of layers, matched by path, as `export` writes them. The states of
    /// optimizers and metrics stay as they are.
    ///
    /// # Errors
    /// When one is missing or has another type, or the file has others; nothing has changed then.
    pub fn set_all(&self, variables: &[Variable], tensors: &mut [Tensor]) -> Result<(), CheckpointError> {
        let wanted: Vec<Wanted> = own_names(variables, (0..variables.len()).filter(|&i| is_model(&variables[i])));
        let saved = self.tensors()?;
        let mut problems = Vec::new();
        compare(&saved, variables, &wanted, &mut problems);
        report_others(&saved, &wanted, &mut problems);
        self.refuse(problems)?;
        self.set(&wanted, variables, tensors)
    }
}

/// Variables under the names that checkpoints give them: their paths.
pub(super) fn own_names(variables: &[Variable], indices: impl Iterator<Item = usize>) -> Vec<Wanted> {
    indices.map(|i| (i, variables[i].path.clone())).collect()
}
