//! What is wrong with data: what, in which file, where in it, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a file, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// A line of a text.
    Line(u64),
    /// A record of a binary file.
    Record(u64),
}

/// Data that cannot be used as declared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataError {
    /// What is wrong, in one line.
    pub message: String,
    /// The file, where it is about one.
    pub file: Option<PathBuf>,
    /// The place in the file.
    pub at: Option<At>,
    /// What to do.
    pub help: Option<String>,
}

impl DataError {
    /// An error without a file.
    pub fn new(message: impl Into<String>) -> DataError {
        DataError { message: message.into(), file: None, at: None, help: None }
    }

    /// An error about a file.
    pub fn of(file: &Path, message: impl Into<String>) -> DataError {
        DataError { file: Some(file.to_path_buf()), ..DataError::new(message) }
    }

    /// Adds the line.
    pub fn line(mut self, line: u64) -> DataError {
        self.at = Some(At::Line(line));
        self
    }

    /// Adds the record.
    pub fn record(mut self, record: u64) -> DataError {
        self.at = Some(At::Record(record));
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> DataError {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            match self.at {
                Some(At::Line(n)) => write!(f, ", line {n}: ")?,
                Some(At::Record(n)) => write!(f, ", record {n}: ")?,
                None => f.write_str(": ")?,
            }
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DataError {}

/// A wrong declaration, which the checker would have refused.
impl From<tfm_lang::check::sources::Problem> for DataError {
    fn from((message, help): tfm_lang::check::sources::Problem) -> DataError {
        DataError { help, ..DataError::new(message) }
    }
}
