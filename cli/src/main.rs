//! The `tfm` command.
fn main() {}
