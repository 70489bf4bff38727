//! Training while the file is edited.
//!
//! Four threads. One trains ([`run`]), and between two steps obeys the [`orders`] that the others leave. One looks at the
//! files ([`files`]), and on a save makes a [`version`] ready, up to the plan of its next step, while the old one
//! trains. One draws on the terminal and hears keys ([`screen`]); one serves the page ([`page`]). What happens is told
//! to the [`board`], which the last two read. What an edit means is decided in [`edit`], by comparing two versions.
//!
//! **Invariants.** The training thread never waits for a check. A version that has an error never replaces one that
//! trains. Nothing grows with the number of edits: versions are dropped when they are replaced, and what can be undone
//! is bounded.

pub mod board;
mod curve;
mod edit;
pub mod files;
pub mod lines;
pub mod orders;
pub mod page;
pub mod run;
pub mod screen;
mod teller;
pub mod version;
