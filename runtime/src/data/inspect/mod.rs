//! From a file to the declaration that reads it: what it looks like, guessed from what is in it.

mod columns;
mod rows;

use super::error::DataError;
use super::folders::{entries, listed};
use super::npy::{self, Array};
use super::{files, pictures};
use std::path::Path;

/// A data declaration for a file or folder, as it is written in a `.tfm` file. What is guessed is for the reader
/// to correct: which column is the label, which numbers are categories.
///
/// # Errors
/// When the file cannot be read, or has no form that is known.
pub fn inspect(path: &Path) -> Result<String, DataError> {
    inspect_for(path, None)
}

/// [`inspect`] with the column that is to be predicted; without one it is the last, where a file does not say.
///
/// # Errors
/// Those of [`inspect`], and where there is no such column.
pub fn inspect_for(path: &Path, label: Option<&str>) -> Result<String, DataError> {
    let at = quoted(&path.display().to_string());
    let name = name_of(path);
    if path.is_dir() {
        return folder(path, &at, label).map(|source| format!("data {name} = {source}\n"));
    }
    let bytes = files::read(path)?;
    let ending = ending(path);
    let source = if bytes.starts_with(b"\x93NUMPY") || bytes.starts_with(b"PK\x03\x04") {
        arrays(path, &at, label)?
    } else if bytes.starts_with(&[0, 0, 8]) {
        idx(path, &bytes)?
    } else if bytes.starts_with(b"PAR1") {
        return Err(DataError::of(path, "the columns of a Parquet file are not guessed")
            .help(format!("write `parquet({at}) {{ name: f32 }}` with a line for each column")));
    } else if ["jsonl", "ndjson"].contains(&ending.as_str()) {
        rows::json(path, &at, label)?
    } else {
        rows::text(path, &at, label)?
    };
    Ok(format!("data {name} = {source}\n"))
}

/// The ending of a file's name, without that of gzip.
fn ending(path: &Path) -> String {
    let name = path.file_name().map_or(String::new(), |n| n.to_string_lossy().to_lowercase());
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or(String::new(), |(_, e)| e.to_string())
}

/// A name for the data from that of the file.
fn name_of(path: &Path) -> String {
    let stem = path.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned());
    columns::word(stem.split('.').next().unwrap_or_default(), "records")
}

/// A text in quotes.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out + "\""
}

fn folder(path: &Path, at: &str, label: Option<&str>) -> Result<String, DataError> {
    let inside = entries(path)?;
    let begins =
        |with: &str| inside.iter().any(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(with)));
    if begins("train-images-idx3-ubyte") {
        return Ok(format!("mnist({at})"));
    }
    if begins("data_batch") || begins("cifar-10-batches-bin") {
        return Ok(format!("cifar10({at})"));
    }
    if !listed(path, &["npy"])?.is_empty() {
        let arrays = listed(path, &["npy"])?;
        let named = |p: &Path| p.file_stem().map_or(String::new(), |n| n.to_string_lossy().into_owned());
        let arrays = arrays.iter().map(|p| Ok((named(p), npy::read(p)?))).collect::<Result<Vec<_>, DataError>>()?;
        return Ok(array_columns(at, &arrays, label));
    }
    let classes: Vec<_> = inside.iter().filter(|p| p.is_dir()).collect();
    let names: Vec<String> = classes
        .iter()
        .map(|p| quoted(&p.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned())))
        .collect();
    let named = match names.len() {
        0..=20 => format!("[{}]", names.join(", ")),
        n => n.to_string(),
    };
    let first = |endings: &[&str]| -> Result<Option<std::path::PathBuf>, DataError> {
        let folder = classes.first().map_or(path, |p| p.as_path());
        Ok(listed(folder, endings)?.into_iter().next())
    };
    if let Some(picture) = first(&pictures::ENDINGS)?.filter(|_| !classes.is_empty()) {
        let (channels, height, width) = pictures::sizes(&picture)?;
        let channels = if channels < 3 { ", channels: 1" } else { "" };
        return Ok(format!(
            "images({at}, classes: {named}, size: [{height}, {width}]{channels}) |> shuffle(seed: 1) |> split(0.9)"
        ));
    }
    if let Some(sound) = first(&["wav"])? {
        let (rate, samples) = super::wav::sizes(&sound)?;
        let classes = match classes.is_empty() {
            false => named,
            true => {
                let mut begin: Vec<String> = listed(path, &["wav"])?
                    .iter()
                    .filter_map(|p| Some(p.file_name()?.to_string_lossy().split(['_', '.']).next()?.to_string()))
                    .collect();
                begin.sort();
                begin.dedup();
                begin.len().to_string()
            }
        };
        return Ok(format!(
            "wav({at}, classes: {classes}, rate: {rate}, length: {samples}) |> shuffle(seed: 1) |> split(0.9)"
        ));
    }
    Err(DataError::of(path, "there is nothing in this folder that is known")
        .help("a folder for each class with PNG, JPEG or WAV files, `.npy` files, or the files of MNIST or CIFAR-10"))
}

fn arrays(path: &Path, at: &str, label: Option<&str>) -> Result<String, DataError> {
    Ok(match npy::open(path)? {
        npy::Found::Archive(arrays) => array_columns(at, &arrays, label),
        npy::Found::One(array) => array_columns(at, &[("x".to_string(), array)], label),
    })
}

/// A column for each array; where a label is named, other classes are categories.
fn array_columns(at: &str, arrays: &[(String, Array)], label: Option<&str>) -> String {
    let columns: Vec<(String, String)> = arrays
        .iter()
        .map(|(name, array)| {
            let sizes: Vec<String> = array.shape[1..].iter().map(usize::to_string).collect();
            let classes =
                columns::classes((0..array.records()).map(|i| if array.width() == 1 { array.whole(i) } else { None }));
            let kind = match (classes, sizes.is_empty()) {
                (Some(n), _) if label.is_some_and(|l| l != name) => format!("category({n})"),
                (Some(n), _) => format!("label({n})"),
                (None, true) => array.dtype().to_string(),
                (None, false) => format!("{}[{}]", array.dtype(), sizes.join(", ")),
            };
            (name.clone(), kind)
        })
        .collect();
    format!("npy({at}) {} |> shuffle(seed: 1) |> split(0.9)", columns::block(&columns))
}

/// An idx file, with the labels that stand beside it.
fn idx(path: &Path, bytes: &[u8]) -> Result<String, DataError> {
    let rank = usize::from(bytes.get(3).copied().unwrap_or(0));
    let size = |i: usize| bytes.get(4 + 4 * i..8 + 4 * i).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let sizes: Option<Vec<u32>> = (1..rank).map(size).collect();
    let (Some(sizes), true) = (sizes, rank > 1) else {
        return Err(DataError::of(path, "these are labels; name the file of their images"));
    };
    let name = path.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned());
    let labels = path.with_file_name(name.replace("images", "labels").replace("idx3", "idx1"));
    if labels == path || !labels.exists() {
        return Err(DataError::of(
            path,
            format!("the labels of these images are not beside them, at {}", labels.display()),
        ));
    }
    let found = files::read(&labels)?;
    let classes = found.get(8..).and_then(|l| l.iter().max()).map_or(10, |m| u32::from(*m) + 1);
    let shape: Vec<String> = std::iter::once(1).filter(|_| rank == 3).chain(sizes).map(|n| n.to_string()).collect();
    let [images, labels] = [path, &labels].map(|p| quoted(&p.display().to_string()));
    Ok(format!(
        "idx({images}, {labels}, shape: [{}], classes: {classes}) |> shuffle(seed: 1) |> split(0.9)",
        shape.join(", ")
    ))
}
