//! Weights alone, from a file that any program may have written: where `--start` begins.

use super::folder::{CheckpointError, compare, is_model, report_others};
use crate::tensor::Tensor;
use safetensors::SafeTensors;
use std::path::Path;
use tfm_lowering::graph::Variable;

/// Sets parameters and states of layers from a safetensors file, matched by path, as `export` writes it. The
/// states of optimizers and metrics stay as they are.
///
/// Every one must be there with its type and nothing else may be; otherwise nothing changes and the error lists
/// what does not fit.
pub fn load_weights(file: &Path, variables: &[Variable], tensors: &mut [Tensor]) -> Result<(), CheckpointError> {
    let bytes = std::fs::read(file).map_err(|e| CheckpointError::new(file, e))?;
    let saved = SafeTensors::deserialize(&bytes).map_err(|e| CheckpointError::new(file, e))?;
    let wanted: Vec<usize> = (0..variables.len()).filter(|&i| is_model(&variables[i])).collect();
    let mut problems = Vec::new();
    compare(&saved, variables, tensors, &wanted, &mut problems);
    report_others(&saved, variables, &wanted, &mut problems);
    if !problems.is_empty() {
        return Err(CheckpointError { path: file.to_path_buf(), problems });
    }
    for i in wanted {
        let view = saved.tensor(&variables[i].path).map_err(|e| CheckpointError::new(file, e))?;
        tensors[i].bytes_mut().copy_from_slice(view.data());
    }
    Ok(())
}
