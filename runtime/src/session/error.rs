//! Why an entry could not be run.

use std::fmt;
use tfm_lang::types::DType;

/// Why an entry could not be run. Nothing has changed, except after `Kernel`.
#[derive(Clone, PartialEq, Debug)]
pub enum SessionError {
    /// The graph has no such entry.
    UnknownEntry(String),
    /// The entry has no such output.
    UnknownFetch {
        /// The entry.
        entry: String,
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Something that is needed was not fed.
    MissingFeed {
        /// The entry.
        entry: String,
        /// The input.
        name: String,
    },
    /// A feed has another dtype or number of axes than the graph's input.
    FeedType {
        /// The input.
        name: String,
        /// The type of the graph's input.
        expected: String,
        /// That of the feed.
        got: String,
    },
    /// A size of a feed contradicts the graph or another feed.
    FeedSize {
        /// The input.
        name: String,
        /// The axis, from 0.
        axis: usize,
        /// The size as the graph has it, `B` or `28`.
        dimension: String,
        /// Its value.
        expected: i64,
        /// The feed's size.
        got: usize,
    },
    /// No plan could be made for these sizes.
    Plan(String),
    /// A kernel refused its data.
    Kernel {
        /// Why.
        message: String,
        /// The operation, where it is known.
        cause: Option<Box<crate::run::Cause>>,
    },
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::UnknownEntry(name) => write!(f, "the graph has no entry `{name}`"),
            SessionError::UnknownFetch { entry, name, known } => {
                write!(f, "`{entry}` gives no `{name}`; it gives {}", known.join(", "))
            }
            SessionError::MissingFeed { entry, name } => write!(f, "`{entry}` needs `{name}`, which was not fed"),
            SessionError::FeedType { name, expected, got } => {
                write!(f, "`{name}` is fed as {got}, and the graph takes {expected}")
            }
            SessionError::FeedSize { name, axis, dimension, expected, got } => {
                write!(f, "`{name}` is fed with size {got} on axis {axis}, where {expected} is expected")?;
                if dimension.parse::<i64>().is_err() { write!(f, " (`{dimension}`)") } else { Ok(()) }
            }
            SessionError::Plan(message) => f.write_str(message),
            SessionError::Kernel { message, cause } => {
                f.write_str(message)?;
                match cause {
                    Some(cause) if !cause.scope.is_empty() => write!(f, " (in {})", cause.scope),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for SessionError {}

/// A type as the language writes it.
pub(super) fn type_text(dtype: DType, sizes: impl Iterator<Item = String>) -> String {
    format!("{dtype}[{}]", sizes.collect::<Vec<_>>().join(", "))
}
