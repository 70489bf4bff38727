//! Files whose class is the name of their folder, or the beginning of their own.

use super::error::DataError;
use super::files::unreadable;
use super::open::Opening;
use super::pictures;
use super::split::{Columns, Split};
use super::{open::Opened, wav};
use crate::tensor::Tensor;
use std::path::{Path, PathBuf};
use tfm_lang::check::sources::{classes, int, ints};

/// Files with their classes.
type Labelled = Vec<(PathBuf, i32)>;

/// A folder of images for each class.
pub(super) fn open_images(o: &Opening) -> Result<Opened, DataError> {
    parts(o, |folder| {
        let (files, labels): (Vec<PathBuf>, Vec<i32>) =
            labelled(o, folder, &pictures::ENDINGS, false)?.into_iter().unzip();
        Ok(vec![("image".into(), images(o, &files)?), ("label".into(), Tensor::of(&[labels.len()], &labels))])
    })
}

/// An image that a user gives, or a folder of them, in the order of their names.
pub(super) fn given_images(o: &Opening, path: &Path) -> Result<Split, DataError> {
    let files = if path.is_dir() { nonempty(path, listed(path, &pictures::ENDINGS)?)? } else { vec![path.into()] };
    Ok(Split::of_columns(vec![("image".into(), images(o, &files)?)]))
}

/// A folder of sounds.
pub(super) fn open_sounds(o: &Opening) -> Result<Opened, DataError> {
    parts(o, |folder| {
        let (files, labels): (Vec<PathBuf>, Vec<i32>) = labelled(o, folder, &["wav"], true)?.into_iter().unzip();
        let mut columns = sounds(o, &files)?;
        columns.push(("label".into(), Tensor::of(&[labels.len()], &labels)));
        Ok(columns)
    })
}

/// A sound that a user gives, or a folder of them, in the order of their names.
pub(super) fn given_sounds(o: &Opening, path: &Path) -> Result<Split, DataError> {
    let files = if path.is_dir() { nonempty(path, listed(path, &["wav"])?)? } else { vec![path.into()] };
    Ok(Split::of_columns(sounds(o, &files)?))
}

fn sounds(o: &Opening, files: &[PathBuf]) -> Result<Columns, DataError> {
    wav::all(files, int(&o.args, "rate") as u32, int(&o.args, "length") as usize)
}

fn images(o: &Opening, files: &[PathBuf]) -> Result<Tensor, DataError> {
    let size = ints(&o.args, "size");
    let shape = [int(&o.args, "channels") as usize, size[0] as usize, size[1] as usize];
    pictures::all(files, shape).map_err(|(_, e)| e)
}

/// The parts that the arguments `path` and `test` give.
fn parts(o: &Opening, columns: impl Fn(&Path) -> Result<Columns, DataError>) -> Result<Opened, DataError> {
    let first = columns(&o.path("path")?)?;
    match o.text("test") {
        "" => o.arranged(vec![("all".into(), first)]),
        _ => o.arranged(vec![("train".into(), first), ("test".into(), columns(&o.path("test")?)?)]),
    }
}

/// The files of a folder with their classes, class by class and then by name.
fn labelled(o: &Opening, folder: &Path, endings: &[&str], by_name: bool) -> Result<Labelled, DataError> {
    let mut groups: Vec<(String, Vec<PathBuf>)> = Vec::new();
    for entry in entries(folder)?.into_iter().filter(|p| p.is_dir()) {
        groups.push((name_of(&entry), nonempty(&entry, listed(&entry, endings)?)?));
    }
    if groups.is_empty() && by_name {
        for file in listed(folder, endings)? {
            let name = name_of(&file);
            let class = name.split(['_', '.']).next().unwrap_or_default().to_string();
            match groups.iter_mut().find(|(c, _)| *c == class) {
                Some((_, files)) => files.push(file),
                None => groups.push((class, vec![file])),
            }
        }
        groups.sort();
    }
    if groups.is_empty() {
        let what = if by_name { "no `.wav` file and no folder of them" } else { "no folder in it" };
        return Err(DataError::of(folder, format!("there is {what}"))
            .help("the files of each class stand in a folder with the name of the class"));
    }
    let found: Vec<&str> = groups.iter().map(|(c, _)| c.as_str()).collect();
    let names = match classes(&o.args, "classes") {
        (_, Some(names)) => names,
        (n, None) if n as usize == found.len() => found.iter().map(|s| s.to_string()).collect(),
        (n, None) => {
            let message = format!("there are {} classes, and {n} are declared: {}", found.len(), shown(&found));
            return Err(DataError::of(folder, message).help(format!("write `classes: {}`", found.len())));
        }
    };
    if let Some(extra) = found.iter().find(|c| !names.iter().any(|n| n == *c)) {
        return Err(DataError::of(folder, format!("`{extra}` is not one of the classes {}", shown(&names)))
            .help("add it to `classes`, or take it out of the folder"));
    }
    if let Some(absent) = names.iter().find(|n| !found.contains(&n.as_str())) {
        return Err(DataError::of(
            folder,
            format!("there is nothing of the class `{absent}`; there are {}", shown(&found)),
        )
        .help("take it out of `classes`, or add its files"));
    }
    let number = |class: &str| names.iter().position(|n| n == class).unwrap_or_default() as i32;
    let mut out = Labelled::new();
    for (class, files) in &groups {
        out.extend(files.iter().map(|f| (f.clone(), number(class))));
    }
    Ok(out)
}

fn shown<S: AsRef<str>>(names: &[S]) -> String {
    let some: Vec<&str> = names.iter().take(12).map(AsRef::as_ref).collect();
    let more = if names.len() > 12 { format!(" and {} more", names.len() - 12) } else { String::new() };
    format!("{}{more}", some.join(", "))
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned())
}

/// What is in a folder, by name, without what is hidden.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let all = std::fs::read_dir(folder).map_err(|e| match folder.is_file() {
        true => DataError::of(folder, "this is a file, and a folder is wanted"),
        false => unreadable(folder, &e),
    })?;
    let mut found: Vec<PathBuf> =
        all.filter_map(|e| Some(e.ok()?.path())).filter(|p| !name_of(p).starts_with('.')).collect();
    found.sort();
    Ok(found)
}

/// The files of a folder with one of these endings.
pub(super) fn listed(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    let fits =
        |p: &PathBuf| p.extension().is_some_and(|e| endings.iter().any(|w| e.eq_ignore_ascii_case(w))) && p.is_file();
    Ok(entries(folder)?.into_iter().filter(fits).collect())
}

fn nonempty(folder: &Path, files: Vec<PathBuf>) -> Result<Vec<PathBuf>, DataError> {
    match files.is_empty() {
        true => Err(DataError::of(folder, "there is no file in it that can be read")),
        false => Ok(files),
    }
}
