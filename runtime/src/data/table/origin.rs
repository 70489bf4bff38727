//! Where the rows of a table came from: files and lines.

use crate::data::error::DataError;
use std::path::{Path, PathBuf};

/// The files of a table, and the line of each row.
#[derive(Default)]
pub(super) struct Origin {
    /// Each file with its first row.
    files: Vec<(PathBuf, usize)>,
    lines: Vec<u64>,
    /// Whether these are numbers of records, for files without lines.
    records: bool,
}

impl Origin {
    /// The rows that follow are of this file.
    pub(super) fn begin(&mut self, path: &Path) {
        self.files.push((path.to_path_buf(), self.lines.len()));
    }

    /// The file has records and no lines.
    pub(super) fn count_records(&mut self) {
        self.records = true;
    }

    /// Adds a row.
    pub(super) fn push(&mut self, line: u64) {
        self.lines.push(line);
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    fn file(&self, row: usize) -> &Path {
        self.files.iter().rev().find(|(_, first)| *first <= row).map_or(Path::new(""), |(path, _)| path)
    }

    /// An error about a row.
    pub(super) fn error(&self, row: usize, message: impl Into<String>) -> DataError {
        let (error, number) = (DataError::of(self.file(row), message), self.lines.get(row).copied().unwrap_or(0));
        if self.records { error.record(number) } else { error.line(number) }
    }

    /// An error about the whole table.
    pub(super) fn of_file(&self, message: impl Into<String>) -> DataError {
        DataError::of(self.file(0), message)
    }

    /// A path that a row gives, which begins at the folder of the row's file.
    pub(super) fn beside(&self, row: usize, path: &str) -> PathBuf {
        self.file(row).parent().unwrap_or(Path::new("")).join(path)
    }

    /// An error about another file that a row names.
    pub(super) fn within(&self, row: usize, column: &str, e: DataError) -> DataError {
        let file = e.file.as_ref().map_or(String::new(), |f| format!("{}: ", f.display()));
        DataError { help: e.help, ..self.error(row, format!("`{column}`: {file}{}", e.message)) }
    }
}
