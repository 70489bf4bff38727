//! From a checked Model to a Graph, and from a Graph to a Plan for given sizes.
//!
//! No I/O and no threads. The passes, in the order in which they run:
//!
//! ```text
//! build → differentiate → precision → micro → update → simplify → place → partition → schedule (which calls fuse)
//! ```

pub mod build;
pub mod cost;
pub mod differentiate;
pub mod fuse;
pub mod graph;
pub mod micro;
pub mod outline;
pub mod partition;
pub mod place;
pub mod plan;
pub mod precision;
pub mod simplify;
pub mod update;

pub use build::{build, build_body, build_gradients};
pub use differentiate::differentiate;
pub use fuse::fuse;
pub use micro::micro;
pub use partition::partition;
pub use place::place;
pub use plan::schedule::schedule;
pub use precision::precision;
pub use simplify::simplify;
pub use update::update;
