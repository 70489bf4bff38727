//! Running entries of a graph: feeds in, fetches out, variables kept.

mod error;

pub use error::SessionError;

/// What random draws depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Context {
    /// The run's seed.
    pub seed: u64,
    /// The step's number, from 1; 0 in evaluation and for initial values.
    pub step: u64,
}
