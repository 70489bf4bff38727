//! Why a run failed.

use crate::checkpoint::CheckpointError;
use crate::session::SessionError;
use std::fmt;
use std::path::{Path, PathBuf};
use tfm_lang::source::Span;

/// The operation that gave the first value that is not finite.
#[derive(Clone, PartialEq, Debug)]
pub struct Cause {
    /// The primitive's name, or what stands in its place: `parameter ConvNet.dense_1.w`.
    pub operation: String,
    /// The instance it stands in, `ConvNet.dense_1`; empty at the top.
    pub scope: String,
    /// Its place in the text.
    pub span: Option<Span>,
}

/// Why a run failed.
#[derive(Debug)]
pub enum RunError {
    /// A plan could not be made or run.
    Session(SessionError),
    /// The data could not be read.
    Data(String),
    /// A checkpoint could not be written or used.
    Checkpoint(CheckpointError),
    /// A file of the run folder could not be written or read.
    File(PathBuf, std::io::Error),
    /// A loss or a parameter was not finite.
    NotFinite {
        /// The step, from 1.
        step: u64,
        /// The loss's name, or the parameter's path.
        name: String,
        /// Its value: NaN or an infinity.
        value: f32,
        /// The operation that gave the first value that is not finite, and the step it was run in,
        /// where the search found it.
        cause: Option<(u64, Cause)>,
    },
}

impl RunError {
    /// A file error, with its path.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> RunError {
        let path = path.to_path_buf();
        move |e| RunError::File(path, e)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Session(e) => e.fmt(f),
            RunError::Data(e) => f.write_str(e),
            RunError::Checkpoint(e) => e.fmt(f),
            RunError::File(path, e) => write!(f, "{}: {e}", path.display()),
            RunError::NotFinite { step, name, value, cause } => {
                let word = if value.is_nan() { "not a number" } else { "infinite" };
                write!(f, "`{name}` is {word} at step {step}")?;
                let Some((at, cause)) = cause else { return Ok(()) };
                write!(f, "; the first value that is not finite comes from `{}`", cause.operation)?;
                if !cause.scope.is_empty() {
                    write!(f, " in {}", cause.scope)?;
                }
                if at != step { write!(f, " at step {at}") } else { Ok(()) }
            }
        }
    }
}

impl std::error::Error for RunError {}

impl From<SessionError> for RunError {
    fn from(e: SessionError) -> RunError {
        RunError::Session(e)
    }
}

impl From<CheckpointError> for RunError {
    fn from(e: CheckpointError) -> RunError {
        RunError::Checkpoint(e)
    }
}
