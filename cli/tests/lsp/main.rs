//! The language server as an editor meets it: the real process, spoken to through pipes.

mod client;
mod fuzz;
mod neovim;
mod session;
