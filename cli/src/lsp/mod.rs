//! The language server: the editor's protocol around `tfm_lang::editor`.
//!
//! One thread reads messages, one checks, and the server between them owns all texts. What needs only the text is
//! answered at once; what needs a check waits for that of the newest text, and can be cancelled. *Invariants:* a
//! request is answered exactly once; a panic inside one is an answer too; diagnostics that are published last are those
//! of the newest text.

mod answers;
mod place;
mod position;
mod requests;
mod server;
mod worker;

pub use server::serve;
