//! Looking at the files of the last check, and making a version when one of them changes.
//!
//! The folders that the files lie in are watched, not the files: an editor that saves by renaming puts another file in
//! the old one's place. What the system does not tell of (a folder that is not there yet, a network) is seen by looking
//! now and then. Events are only a reason to look: what counts is whether a content has changed.

use super::board::{Board, News};
use super::orders::{Order, Orders};
use super::version::{Made, Maker};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::ModifyKind};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

/// A burst of saves has ended when nothing happened for so long.
const QUIET: Duration = Duration::from_millis(25);
/// It is not waited for longer than this.
const LONGEST: Duration = Duration::from_millis(120);
/// The time between two looks without an event.
const LOOK: Duration = Duration::from_millis(300);
/// How often a file that has vanished, or is empty, is looked at again before that is told: an editor may be about to put
/// it back, or to write it.
const PATIENCE: u32 = 4;

/// Looks at files until `orders` has nobody who takes them: until the process ends.
pub fn watch(mut maker: Maker, first: Vec<PathBuf>, orders: Arc<Orders>, board: Arc<Board>) {
    let (send, events) = channel();
    let mut watched = Watched::new(send);
    watched.set(first);
    // What changed while a version was made, or before its files were watched, is found by looking once more.
    let mut again = true;
    loop {
        let seen = if again { Some(Instant::now()) } else { watched.changed(&events) };
        again = false;
        let Some(seen) = seen else { continue };
        if maker.is_current() {
            watched.note();
            continue;
        }
        for _ in 0..PATIENCE {
            if watched.has_lost() {
                std::thread::sleep(QUIET);
            }
        }
        let running = orders.block();
        board.tell(News::Saved { checking: true });
        let Made { files, checked, version } = maker.make(seen, running.as_deref());
        watched.set(files);
        again = true;
        match version {
            Ok(version) => orders.push(Order::Version(Box::new(version))),
            // A text that stands there no more was read in the middle of a save.
            Err(_) if !maker.is_current() => {}
            Err(rejection) => board.tell(News::Rejected { rejection, checked_ms: milliseconds(checked) }),
        }
    }
}

/// Waits for the first change after a version that cannot be used; gives the time it was seen.
pub fn wait(maker: &Maker, files: Vec<PathBuf>, is_over: &dyn Fn() -> bool) -> Option<Instant> {
    let (send, events) = channel();
    let mut watched = Watched::new(send);
    watched.set(files);
    while !is_over() {
        if !maker.is_current() {
            return Some(Instant::now());
        }
        let _ = watched.changed(&events);
    }
    None
}

/// A time in milliseconds, to a tenth.
pub fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

type Stamp = Option<(u64, SystemTime)>;

struct Watched {
    watcher: Option<RecommendedWatcher>,
    /// The folders with what tells them from others of their name.
    folders: BTreeMap<PathBuf, u64>,
    /// The files as the system names them in events.
    files: BTreeMap<PathBuf, Stamp>,
    /// Folders of data: all that lies in them counts.
    whole: BTreeSet<PathBuf>,
}

impl Watched {
    fn new(send: Sender<notify::Result<notify::Event>>) -> Watched {
        // Without a watcher all is seen by looking.
        let watcher = notify::recommended_watcher(move |event| drop(send.send(event))).ok();
        Watched { watcher, folders: BTreeMap::new(), files: BTreeMap::new(), whole: BTreeSet::new() }
    }

    /// Watches these, and nothing else.
    fn set(&mut self, files: Vec<PathBuf>) {
        let (mut wanted, mut named) = (BTreeSet::new(), BTreeSet::new());
        self.whole.clear();
        for file in files {
            let parent = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let Some(name) = file.file_name() else { continue };
            if file.is_dir()
                && let Ok(folder) = file.canonicalize()
            {
                self.whole.insert(folder.clone());
                wanted.insert(folder);
            }
            match parent.canonicalize() {
                Ok(folder) => {
                    named.insert(folder.join(name));
                    wanted.insert(folder);
                }
                Err(_) => drop(named.insert(file)),
            }
        }
        self.files = named.into_iter().map(|f| (f.clone(), stamp(&f))).collect();
        self.watch_folders(wanted);
    }

    fn watch_folders(&mut self, wanted: BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        let gone: Vec<PathBuf> = self.folders.keys().filter(|f| !wanted.contains(*f)).cloned().collect();
        for folder in gone {
            // A folder that was removed is watched no more by itself.
            let _ = watcher.unwatch(&folder);
            self.folders.remove(&folder);
        }
        for folder in wanted {
            let number = number(&folder);
            if self.folders.get(&folder) != Some(&number) {
                let _ = watcher.unwatch(&folder);
                if watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok() {
                    self.folders.insert(folder, number);
                }
            }
        }
    }

    /// Waits a moment. When something may have changed, waits for the end of the burst, and gives the time it began.
    fn changed(&mut self, events: &Receiver<notify::Result<notify::Event>>) -> Option<Instant> {
        let first = match events.recv_timeout(LOOK) {
            Ok(event) if self.matters(&event) => Instant::now(),
            Ok(_) => return None,
            Err(RecvTimeoutError::Timeout) => {
                let folders = self.folders.keys().cloned().collect();
                self.watch_folders(folders);
                return self.files.iter().any(|(f, s)| stamp(f) != *s).then(Instant::now);
            }
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(LOOK);
                return self.files.iter().any(|(f, s)| stamp(f) != *s).then(Instant::now);
            }
        };
        let mut last = first;
        while let Some(left) = (last + QUIET).min(first + LONGEST).checked_duration_since(Instant::now()) {
            match events.recv_timeout(left) {
                Ok(event) if self.matters(&event) => last = Instant::now(),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        Some(first)
    }

    fn matters(&self, event: &notify::Result<notify::Event>) -> bool {
        let Ok(event) = event else { return true };
        let only_looked_at = matches!(event.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)));
        let ours = |path: &PathBuf| {
            self.files.contains_key(path)
                || self.folders.contains_key(path)
                || path.parent().is_some_and(|p| self.whole.contains(p))
        };
        !only_looked_at && event.paths.iter().any(ours)
    }

    /// The files as they are now are those that are known.
    fn note(&mut self) {
        self.files.iter_mut().for_each(|(file, known)| *known = stamp(file));
    }

    /// True when a file that was there is not, or one that had a text has none: a save that is not written yet.
    fn has_lost(&self) -> bool {
        let bytes = |stamp: Stamp| stamp.map_or(0, |(bytes, _)| bytes);
        self.files.iter().any(|(file, known)| match stamp(file) {
            None => known.is_some(),
            now => bytes(*known) > 0 && bytes(now) == 0,
        })
    }
}

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.len(), about.modified().unwrap_or(SystemTime::UNIX_EPOCH)))
}

/// A number that another folder of the same name has not.
fn number(folder: &Path) -> u64 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(folder).map_or(0, |about| about.ino())
    }
    #[cfg(not(unix))]
    {
        u64::from(folder.exists())
    }
}
