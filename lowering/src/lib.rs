//! From a checked Model to a Graph, and from a Graph to a Plan for given sizes.
//!
//! No I/O and no threads.

pub mod graph;
pub mod plan;
