//! From a declaration to a data set: the table of readers, and what they share.

use super::arrange::{arrange, numbers_of};
use super::error::DataError;
use super::files::locate;
use super::learned::Learned;
use super::split::{Columns, Field, InMemory, Records, Rows, Split, with_fields};
use super::{cifar, drawn, drawn_digits, drawn_shapes, folders, idx, synthetic, table, text, zip};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfm_lang::check::sources::{self, Args, Operator};
use tfm_lang::model::{DataSpec, Static};

/// How to open data.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where relative paths are looked for, in this order.
    pub roots: Vec<PathBuf>,
    /// What a run learned from its data before; `None` learns anew.
    pub learned: Option<Learned>,
}

impl Options {
    /// Searches the folder of `TFM_DATA`, or `data` where that is not set, the folder of this file, and the working
    /// directory.
    pub fn beside(file: &Path, data: Option<PathBuf>) -> Options {
        let data = std::env::var_os("TFM_DATA").filter(|v| !v.is_empty()).map(PathBuf::from).or(data);
        let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).map(Path::to_path_buf);
        Options { roots: data.into_iter().chain(folder).chain([PathBuf::from(".")]).collect(), learned: None }
    }
}

/// A declaration with its files read. A copy shares what was read.
#[derive(Clone)]
pub struct Dataset {
    /// What a record has.
    pub fields: Vec<Field>,
    /// The parts by name, in the order of the declaration; none is empty.
    pub splits: Vec<(String, Arc<Split>)>,
    /// What its training part (the first) taught.
    pub learned: Learned,
}

impl Dataset {
    /// The bytes of memory that its examples are kept in.
    pub fn bytes(&self) -> usize {
        let mut blocks = BTreeMap::new();
        self.splits.iter().for_each(|(_, split)| split.kept(&mut blocks));
        blocks.values().sum()
    }

    /// The part with this name.
    pub fn split(&self, name: &str) -> Option<&Arc<Split>> {
        self.splits.iter().find(|(n, _)| n == name).map(|(_, s)| s)
    }
}

/// The parts of a source, and what was learned.
pub(super) type Opened = (Vec<(String, Split)>, Learned);

/// A part that a source has by itself: its name, its fields, how many records, and what they are read from.
pub(super) type Part = (String, Vec<Field>, usize, Arc<dyn Records>);

/// What a reader is given.
pub(super) struct Opening<'a> {
    pub(super) spec: &'a DataSpec,
    pub(super) args: Args,
    pub(super) operators: Vec<Operator>,
    pub(super) roots: &'a [PathBuf],
    pub(super) learned: Option<&'a Learned>,
}

/// How a source is read.
pub(super) struct Reader {
    pub(super) name: &'static str,
    open: fn(&Opening) -> Result<Opened, DataError>,
    file: fn(&Opening, &Path) -> Result<Split, DataError>,
}

/// One for each source of the language.
pub(super) static READERS: &[Reader] = &[
    Reader { name: "mnist", open: idx::open_mnist, file: idx::open_digits_file },
    Reader { name: "cifar10", open: cifar::open, file: cifar::open_file },
    Reader { name: "idx", open: idx::open_idx, file: idx::open_idx_file },
    Reader { name: "images", open: folders::open_images, file: folders::given_images },
    Reader { name: "npy", open: table::open_numpy, file: table::given_numpy },
    Reader { name: "wav", open: folders::open_sounds, file: folders::given_sounds },
    Reader { name: "text", open: text::open, file: text::open_file },
    Reader { name: "csv", open: table::open_csv, file: table::given_csv },
    Reader { name: "jsonl", open: table::open_json, file: table::given_json },
    Reader { name: "parquet", open: table::open_parquet, file: table::given_parquet },
    Reader { name: "lines", open: table::open_lines, file: table::given_lines },
    Reader { name: "zip", open: zip::open, file: no_file },
    Reader { name: "drawn_digits", open: drawn_digits::open, file: idx::open_digits_file },
    Reader { name: "synthetic.clicks", open: synthetic::clicks, file: no_file },
    Reader { name: "drawn_shapes", open: drawn_shapes::open, file: no_file },
    Reader { name: "synthetic.blobs", open: synthetic::blobs, file: no_file },
    Reader { name: "synthetic.series", open: synthetic::series, file: no_file },
    Reader { name: "synthetic.sequences", open: synthetic::sequences, file: no_file },
    Reader { name: "synthetic.reversed", open: synthetic::reversed, file: no_file },
    Reader { name: "random", open: drawn::open, file: no_file },
];

/// What a generator draws has no file.
fn no_file(o: &Opening, path: &Path) -> Result<Split, DataError> {
    let message = format!("`{}` reads no file, so there is no form that this file could have", o.spec.source);
    Err(DataError::of(path, message))
}

/// Reads the data of a declaration.
///
/// # Errors
/// When a file is missing, damaged, or not as declared; the error says where and what to do.
pub fn open(spec: &DataSpec, options: &Options) -> Result<Dataset, DataError> {
    let (reader, opening) = prepare(spec, &options.roots, options.learned.as_ref())?;
    let (parts, learned) = (reader.open)(&opening)?;
    if let Some((name, _)) = parts.iter().find(|(_, s)| s.is_empty()) {
        let total: usize = parts.iter().map(|(_, s)| s.len()).sum();
        return Err(DataError::new(format!("`{}.{name}` has no examples; there are {total} in all", spec.name)));
    }
    let fields = parts.first().map(|(_, s)| s.fields().to_vec()).unwrap_or_default();
    Ok(Dataset { fields, splits: parts.into_iter().map(|(n, s)| (n, Arc::new(s))).collect(), learned })
}

/// Reads a user's file in the form of a declaration, with what a run learned: for a CSV, labels may be
/// missing, and are then no field; for image files, an idx file of images (a `.bin` for `cifar10`); for a
/// text, blocks one after the other, the last one ending where the text ends.
///
/// # Errors
/// As [`open`].
pub fn open_file(spec: &DataSpec, path: &Path, learned: &Learned) -> Result<Split, DataError> {
    let (reader, opening) = prepare(spec, &[], Some(learned))?;
    (reader.file)(&opening, path)
}

/// The files and folders that a declaration names: where they are, or, of one that is missing, where it is looked for.
pub fn places(spec: &DataSpec, roots: &[PathBuf]) -> Vec<PathBuf> {
    let Some(source) = sources::source(&spec.source) else { return Vec::new() };
    let is_path = |name: &str| source.params.iter().any(|p| p.name == name && matches!(p.kind, sources::Kind::Text));
    let mut found = Vec::new();
    for (name, value) in &spec.args {
        let Static::Str(text) = value else { continue };
        match locate(roots, text) {
            _ if !is_path(name) => {}
            Ok(path) => found.push(path),
            Err(_) => found.extend(roots.iter().map(|root| root.join(text))),
        }
    }
    found.extend(spec.zipped.iter().flat_map(|z| places(&z.data, roots)));
    found
}

fn prepare<'a>(
    spec: &'a DataSpec,
    roots: &'a [PathBuf],
    learned: Option<&'a Learned>,
) -> Result<(&'static Reader, Opening<'a>), DataError> {
    let row = sources::source(&spec.source).zip(READERS.iter().find(|r| r.name == spec.source));
    let (source, reader) =
        row.ok_or_else(|| DataError::new(format!("there is no data source named `{}`", spec.source)))?;
    let args = sources::bind(source.name, source.params, &spec.args)?;
    let operators = spec.operators.iter().map(sources::operator).collect::<Result<_, _>>()?;
    Ok((reader, Opening { spec, args, operators, roots, learned }))
}

impl Opening<'_> {
    /// The file or folder that an argument names.
    pub(super) fn path(&self, parameter: &str) -> Result<PathBuf, DataError> {
        locate(self.roots, self.text(parameter))
    }

    /// A bound text.
    pub(super) fn text(&self, parameter: &str) -> &str {
        match sources::get(&self.args, parameter) {
            Some(Static::Str(s)) => s,
            _ => "",
        }
    }

    /// Parts that a source has by itself, after the operators.
    pub(super) fn arranged(&self, parts: Vec<(String, Columns)>) -> Result<Opened, DataError> {
        let parts = parts.into_iter().map(|(name, columns)| {
            let n = columns.first().map_or(0, |(_, t)| t.shape[0]);
            let (fields, columns) = with_fields(columns);
            (name, fields, n, Arc::new(InMemory(columns)) as Arc<dyn Records>)
        });
        self.parts(parts.collect())
    }

    /// The same for records of any kind: the fields, how many there are, and what they are read from.
    pub(super) fn parts(&self, parts: Vec<Part>) -> Result<Opened, DataError> {
        let mut splits = Vec::new();
        for (name, fields, n, records) in parts {
            let cell = numbers_of(&self.operators, &fields, &*records, n);
            for part in arrange(vec![(name, Rows::Range(0..n))], &self.operators, &cell)? {
                splits.push((part.name.clone(), part.split(&fields, &records)));
            }
        }
        Ok((splits, Learned::default()))
    }
}
