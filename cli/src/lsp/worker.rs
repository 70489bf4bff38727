//! Checks, in a thread of their own: the server goes on answering what needs none.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tfm_lang::editor::{Analysis, Library};
use tfm_lang::lint::Settings;

use super::server::Event;
use crate::commands::lint::levels::{Configs, Flags};

/// Deep nesting is walked by recursion.
const STACK: usize = 64 << 20;

/// The texts of the files that are open, by their paths.
pub type Open = HashMap<PathBuf, String>;

/// A text to check.
pub struct Job {
    /// The document.
    pub uri: String,
    /// Which state of all texts it is of.
    pub state: u64,
    /// Its name for diagnostics.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// It.
    pub text: String,
    /// What is open beside it.
    pub open: Arc<Open>,
}

/// Starts the thread; it ends with the last sender.
pub fn start(library: Arc<Library>, events: Sender<Event>) -> std::io::Result<Sender<Job>> {
    let (sender, jobs) = channel();
    std::thread::Builder::new().name("check".into()).stack_size(STACK).spawn(move || run(&library, &jobs, &events))?;
    Ok(sender)
}

fn run(library: &Library, jobs: &Receiver<Job>, events: &Sender<Event>) {
    let mut waiting: Vec<Job> = Vec::new();
    while let Ok(job) = jobs.recv() {
        waiting.push(job);
        while !waiting.is_empty() {
            waiting.extend(jobs.try_iter());
            let job = waiting.remove(0);
            // A newer state of the same document makes this one pointless.
            if waiting.iter().any(|other| other.uri == job.uri) {
                continue;
            }
            let made = catch_unwind(AssertUnwindSafe(|| {
                let mut load = |name: &str| load(&job.folder, name, &job.open);
                Arc::new(Analysis::new(&job.name, &job.text, library, &lints(&job.folder), &mut load))
            }));
            // A panic was told by its hook.
            if events.send(Event::Checked(job.uri, job.state, made.ok())).is_err() {
                return;
            }
        }
    }
}

/// What `tfm.toml` says of lints; one that is wrong says nothing here, and `tfm lint` tells why.
fn lints(folder: &Path) -> Settings {
    Configs::new(None, false).settings(folder, &Flags::default()).unwrap_or_default()
}

/// A file beside another: as it is in the editor, else as it is on disk.
pub fn load(folder: &Path, name: &str, open: &Open) -> Option<String> {
    let path = folder.join(name);
    match open.get(&path) {
        Some(text) => Some(text.clone()),
        None => std::fs::read_to_string(path).ok(),
    }
}
