//! The library behind the `tfm` command.
