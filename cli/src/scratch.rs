//! A folder for the time of a command.

use crate::failure::Failure;
use std::path::{Path, PathBuf};

/// A new folder among the system's temporary ones; it goes with the value.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes one.
    pub fn new() -> Result<Scratch, Failure> {
        let parent = std::env::temp_dir();
        for turn in 0..u32::MAX {
            let path = parent.join(format!("tfm-{}-{turn}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Scratch { path }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Failure::file(&path)(e)),
            }
        }
        Err(Failure::Message(format!("there is no room for a folder in {}", parent.display())))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
