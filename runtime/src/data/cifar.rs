//! CIFAR-10 in its binary form: records of a label and three planes of 32 x 32 bytes.

use super::error::DataError;
use super::files::{read, unreadable};
use super::open::{Opened, Opening};
use super::split::{Columns, Split};
use crate::tensor::Tensor;
use std::path::{Path, PathBuf};
use tfm_lang::types::DType;

const IMAGE: usize = 3 * 32 * 32;

/// All training files, and all test files.
pub(super) fn open(o: &Opening) -> Result<Opened, DataError> {
    let mut folder = o.path("path")?;
    // The archive unpacks into a folder of this name.
    let inner = folder.join("cifar-10-batches-bin");
    if inner.is_dir() {
        folder = inner;
    }
    let part = |name: &str, prefix: &str| Ok::<_, DataError>((name.to_string(), records(&files(&folder, prefix)?)?));
    o.arranged(vec![part("train", "data_batch")?, part("test", "test_batch")?])
}

/// A file that a user gives.
pub(super) fn open_file(_: &Opening, path: &Path) -> Result<Split, DataError> {
    Ok(Split::of_columns(records(&[path.to_path_buf()])?))
}

fn files(folder: &Path, prefix: &str) -> Result<Vec<PathBuf>, DataError> {
    let entries = std::fs::read_dir(folder).map_err(|e| unreadable(folder, &e))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix)))
        .filter(|p| p.extension().is_some_and(|e| e == "bin"))
        .collect();
    found.sort();
    match found.is_empty() {
        true => Err(DataError::of(folder, format!("there is no `{prefix}*.bin` in this folder"))
            .help("CIFAR-10 is read in its binary version, `cifar-10-binary.tar.gz`, unpacked")),
        false => Ok(found),
    }
}

fn records(paths: &[PathBuf]) -> Result<Columns, DataError> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for path in paths {
        let bytes = read(path)?;
        if bytes.len() % (IMAGE + 1) != 0 {
            let message = format!("its {} bytes are no whole number of records of {}", bytes.len(), IMAGE + 1);
            return Err(DataError::of(path, message).help("the file is cut off, or not CIFAR-10; fetch it again"));
        }
        for (i, record) in bytes.chunks_exact(IMAGE + 1).enumerate() {
            if record[0] >= 10 {
                let message = format!("the label is {}, and labels are below 10", record[0]);
                return Err(DataError::of(path, message).record(i as u64 + 1));
            }
            labels.push(i32::from(record[0]));
            images.extend_from_slice(&record[1..]);
        }
    }
    let mut image = Tensor::zeros(DType::U8, &[labels.len(), 3, 32, 32]);
    image.bytes_mut().copy_from_slice(&images);
    Ok(vec![("image".into(), image), ("label".into(), Tensor::of(&[labels.len()], &labels))])
}
