//! Data in memory: sources read as declared, split, and given out in batches.
//!
//! [`open`] reads what a declaration names and checks what only the files can tell; [`open_file`] reads a
//! user's own file in the same form; a [`Loader`] gives batches of a [`Split`] from another thread.
//! A source is a row of `tfm_lang::check::sources` (its parameters and fields) and a row of
//! `open::READERS` (how its files are read).

mod arrange;
mod cifar;
mod drawn;
mod drawn_digits;
mod drawn_shapes;
mod error;
mod files;
mod folders;
mod idx;
mod inspect;
mod learned;
mod loader;
mod npy;
mod open;
mod pictures;
mod random;
mod split;
mod synthetic;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod wav;
mod zip;

pub use error::{At, DataError};
pub use inspect::{inspect, inspect_for};
pub use learned::{Learned, LearnedColumn, Moments};
pub use loader::{BATCHES_ALIVE, Batch, Loader, Order, Position, batches};
pub use open::{Dataset, Options, open, open_file, places};
pub use split::{Field, Split};
