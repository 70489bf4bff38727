//! How a command ends when it does not end well.

use tfm_runtime::checkpoint::CheckpointError;
use tfm_runtime::data::DataError;
use tfm_runtime::run::RunError;
use tfm_runtime::session::SessionError;

/// Why a command ends early.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The file has errors, and they have been shown.
    Shown,
    /// Something failed; the text says what.
    Message(String),
    /// The command line asks for something that cannot be.
    Usage(String),
    /// A signal asked to stop; its number.
    Signal(usize),
    /// What went wrong has been said; the exit status.
    Status(u8),
    /// Whoever read the output has gone.
    ClosedPipe,
}

impl Failure {
    /// An error about a file.
    pub fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Failure {
        let path = path.display().to_string();
        move |e| Failure::Message(format!("{path}: {e}"))
    }

    /// The exit status: 1 for errors, 2 for wrong usage, 128 and its number for a signal. A reader that has seen
    /// enough is no error.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Shown | Failure::Message(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Signal(n) => 128u8.saturating_add(*n as u8),
            Failure::Status(code) => *code,
            Failure::ClosedPipe => 0,
        }
    }

    /// What to tell the user.
    pub fn text(&self) -> Option<String> {
        match self {
            Failure::Message(text) | Failure::Usage(text) => Some(format!("error: {text}")),
            _ => None,
        }
    }
}

macro_rules! message_from {
    ($($error:ty),*) => { $(
        impl From<$error> for Failure {
            fn from(e: $error) -> Failure {
                Failure::Message(e.to_string())
            }
        }
    )* };
}
message_from!(RunError, CheckpointError, DataError, SessionError);
