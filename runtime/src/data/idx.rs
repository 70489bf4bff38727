//! The idx format of MNIST: a magic number, sizes, bytes. Plain or gzip.

use super::error::DataError;
use super::files;
use super::open::{Opened, Opening};
use super::split::{Columns, Split};
use crate::tensor::Tensor;
use std::path::{Path, PathBuf};
use tfm_lang::check::sources::{int, ints};
use tfm_lang::types::DType;

/// MNIST's four files.
pub(super) fn open_mnist(o: &Opening) -> Result<Opened, DataError> {
    let folder = o.path("path")?;
    let part = |name: &str, prefix: &str| {
        let images = find(&folder, &format!("{prefix}-images-idx3-ubyte"))?;
        let labels = find(&folder, &format!("{prefix}-labels-idx1-ubyte"))?;
        Ok::<_, DataError>((name.to_string(), pair(&images, &labels, &[1, 28, 28], 10)?))
    };
    o.arranged(vec![part("train", "train")?, part("test", "t10k")?])
}

/// One pair of files.
pub(super) fn open_idx(o: &Opening) -> Result<Opened, DataError> {
    let shape = sizes(&ints(&o.args, "shape"));
    let classes = int(&o.args, "classes");
    o.arranged(vec![("all".into(), pair(&o.path("images")?, &o.path("labels")?, &shape, classes)?)])
}

/// Images alone, in a file that a user gives, of the sizes that MNIST and the drawn digits have.
pub(super) fn open_digits_file(_: &Opening, path: &Path) -> Result<Split, DataError> {
    Ok(Split::of_columns(vec![("image".into(), images(path, &[1, 28, 28])?)]))
}

/// Images alone, in a file that a user gives.
pub(super) fn open_idx_file(o: &Opening, path: &Path) -> Result<Split, DataError> {
    Ok(Split::of_columns(vec![("image".into(), images(path, &sizes(&ints(&o.args, "shape")))?)]))
}

fn sizes(shape: &[i64]) -> Vec<usize> {
    shape.iter().map(|&n| n as usize).collect()
}

fn pair(images_at: &Path, labels_at: &Path, shape: &[usize], classes: i64) -> Result<Columns, DataError> {
    let images = images(images_at, shape)?;
    let (dims, bytes) = read(labels_at)?;
    if dims.len() != 1 || dims[0] != images.shape[0] {
        let n = images.shape[0];
        return Err(DataError::of(labels_at, format!("it has sizes {dims:?}, and the images are {n}"))
            .help(format!("the labels belong to {}", images_at.display())));
    }
    if let Some(i) = bytes.iter().position(|&b| i64::from(b) >= classes) {
        return Err(DataError::of(labels_at, format!("the label is {}, and labels are below {classes}", bytes[i]))
            .record(i as u64 + 1));
    }
    let labels: Vec<i32> = bytes.iter().map(|&b| b.into()).collect();
    Ok(vec![("image".into(), images), ("label".into(), Tensor::of(&[labels.len()], &labels))])
}

fn images(path: &Path, shape: &[usize]) -> Result<Tensor, DataError> {
    let (dims, bytes) = read(path)?;
    // An axis of one channel is not written in the file.
    let of = |s: &[usize]| s.iter().copied().filter(|&n| n != 1).collect::<Vec<_>>();
    if dims.len() < 2 || of(&dims[1..]) != of(shape) {
        return Err(DataError::of(path, format!("an image has sizes {:?}, and {shape:?} is declared", &dims[1..])));
    }
    let whole: Vec<usize> = std::iter::once(dims[0]).chain(shape.iter().copied()).collect();
    let mut t = Tensor::zeros(DType::U8, &whole);
    t.bytes_mut().copy_from_slice(&bytes);
    Ok(t)
}

/// Sizes and bytes.
fn read(path: &Path) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let mut bytes = files::read(path)?;
    let &[0, 0, kind, rank, ..] = &bytes[..] else {
        let start: Vec<String> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
        return Err(DataError::of(path, format!("this is no idx file: it begins with {}, not 00 00", start.join(" "))));
    };
    if kind != 8 {
        return Err(DataError::of(
            path,
            format!("its elements have the type 0x{kind:02x}, and only 0x08, bytes, is read"),
        ));
    }
    let head = 4 + 4 * usize::from(rank);
    let dims: Vec<usize> = match bytes.get(4..head) {
        Some(b) => b.chunks_exact(4).map(|c| u32::from_be_bytes([c[0], c[1], c[2], c[3]]) as usize).collect(),
        None => return Err(DataError::of(path, "the file ends within its sizes")),
    };
    let wanted = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).unwrap_or(usize::MAX);
    let found = bytes.len() - head;
    if found != wanted {
        return Err(DataError::of(path, format!("it says {dims:?}, {wanted} bytes, and has {found}"))
            .help("the file is cut off or damaged; fetch it again"));
    }
    if wanted == 0 {
        return Err(DataError::of(path, "there is nothing in it"));
    }
    bytes.drain(..head);
    Ok((dims, bytes))
}

/// The file in its plain or packed form, or as some copies of MNIST spell it.
fn find(folder: &Path, name: &str) -> Result<PathBuf, DataError> {
    let dotted = name.replace("-idx", ".idx");
    [name.to_string(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")]
        .iter()
        .map(|n| folder.join(n))
        .find(|p| p.exists())
        .ok_or_else(|| DataError::of(folder, format!("there is no `{name}` or `{name}.gz` in this folder")))
}
