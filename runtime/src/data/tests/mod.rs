//! Data from small files made on the spot, from files gone wrong, and from real data where it is at hand.

mod arrays;
mod batches;
mod drawn;
mod garbage;
mod images;
mod inspected;
mod made;
mod real;
mod rows;
mod tables;
mod texts;

use super::open::READERS;
use super::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tfm_lang::check::sources;
use tfm_lang::dim::Dim;
use tfm_lang::model::{ColumnSpec, DataSpec, Static};
use tfm_lang::source::Span;

type Args<'a> = &'a [(&'a str, Static)];

pub(super) fn text(s: &str) -> Static {
    Static::Str(s.into())
}

pub(super) fn texts(items: &[&str]) -> Static {
    Static::List(items.iter().map(|s| text(s)).collect())
}

pub(super) fn call(name: &str, args: Args) -> Static {
    Static::Call(name.into(), args.iter().map(|(n, v)| (n.to_string(), v.clone())).collect())
}

pub(super) fn column(name: &str, kind: Static, transforms: &[&str]) -> ColumnSpec {
    let transforms = transforms.iter().map(|t| t.to_string()).collect();
    ColumnSpec { name: name.into(), kind, transforms, span: Span::default() }
}

/// A declaration as the checker would hand it on.
pub(super) fn spec(source: &str, args: Args, columns: Vec<ColumnSpec>, operators: &[Static]) -> DataSpec {
    let Static::Call(_, given) = call(source, args) else { unreachable!("call makes a call") };
    let row = sources::source(source).expect("a source");
    let args = sources::bind(row.name, row.params, &given).expect("its arguments");
    let mut schema = row.schema(&args, &columns).expect("a schema");
    for o in operators {
        schema = row.apply(schema, &sources::operator(o).expect("an operator"), &columns).expect("an operator for it");
    }
    DataSpec {
        name: "d".into(),
        source: source.into(),
        args,
        columns,
        operators: operators.to_vec(),
        fields: schema.fields,
        splits: schema.splits,
        zipped: Vec::new(),
        span: Span::default(),
    }
}

/// Opens a declaration whose files are in a folder, and checks that it is what the schema promised.
pub(super) fn open_in(folder: &Path, spec: &DataSpec) -> Result<Dataset, DataError> {
    let data = open(spec, &Options { roots: vec![folder.to_path_buf()], learned: None })?;
    let promised: Vec<Field> = spec
        .fields
        .iter()
        .map(|f| Field {
            name: f.name.clone(),
            dtype: f.ty.dtype,
            shape: f.ty.dims().iter().map(|d| d.as_constant().expect("a number") as usize).collect(),
        })
        .collect();
    assert_eq!(data.fields, promised);
    assert_eq!(data.splits.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>(), spec.splits);
    for (name, split) in &data.splits {
        let all: Vec<usize> = (0..split.len()).collect();
        for (i, f) in spec.fields.iter().enumerate() {
            let Some(below) = f.ty.below.as_ref().and_then(Dim::as_constant) else { continue };
            let values = split.get(i, &all).to_f64();
            assert!(values.iter().all(|&v| v >= 0.0 && v < below as f64), "`{}` of {name} is below {below}", f.name);
        }
    }
    Ok(data)
}

/// The message of the error, on one line with where and what to do.
pub(super) fn error_of<T>(result: Result<T, DataError>) -> String {
    match result {
        Ok(_) => panic!("no error"),
        Err(e) => e.to_string(),
    }
}

/// A folder with these files in it.
pub(super) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).expect("a file in it");
    }
    dir
}

pub(super) fn numbers(split: &Split, field: &str) -> Vec<f64> {
    let all: Vec<usize> = (0..split.len()).collect();
    split.get(split.field(field).expect("the field"), &all).to_f64()
}

#[test]
fn every_source_has_a_reader() {
    let readers: Vec<&str> = READERS.iter().map(|r| r.name).collect();
    assert_eq!(readers, sources::names());
}

#[test]
fn missing_files_say_where_they_were_looked_for() {
    let (a, b) = (folder(&[]), folder(&[]));
    let spec = spec("mnist", &[("", text("no/mnist"))], vec![], &[]);
    let roots = vec![a.path().to_path_buf(), b.path().to_path_buf()];
    let message = error_of(open(&spec, &Options { roots, learned: None }));
    for part in ["cannot find the data `no/mnist`", &a.path().display().to_string(), &b.path().display().to_string()] {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert!(message.contains("set TFM_DATA to the folder that holds `no/mnist`"), "{message}");
}

#[test]
fn the_first_folder_that_has_a_file_wins() {
    let (a, b) = (folder(&[]), folder(&[("t", b"aab")]));
    let tokens = call("chars", &[("", Static::Int(2))]);
    let spec = spec("text", &[("", text("t")), ("tokens", tokens), ("block", Static::Int(2))], vec![], &[]);
    let roots = vec![a.path().to_path_buf(), b.path().to_path_buf()];
    assert_eq!(open(&spec, &Options { roots: roots.clone(), learned: None }).unwrap().learned.vocabulary, ["a", "b"]);
    std::fs::write(a.path().join("t"), "xyx").unwrap();
    assert_eq!(open(&spec, &Options { roots, learned: None }).unwrap().learned.vocabulary, ["x", "y"]);
}

#[test]
fn options_search_beside_the_file() {
    let options = Options::beside(Path::new("some/where/net.tfm"), None);
    assert!(options.roots.ends_with(&[PathBuf::from("some/where"), PathBuf::from(".")]));
    assert!(Options::beside(Path::new("net.tfm"), None).roots.ends_with(&[PathBuf::from(".")]));
}
