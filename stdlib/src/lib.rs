//! The library, written in the language and embedded in the binary.
//!
//! `layers/` is the module `std.layers`, `losses/` is `std.losses`; `primitives/` and
//! `functions/` are always in scope.

/// Every file of the library: its path in this folder and its text.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));
