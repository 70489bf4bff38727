//! `tfm watch`: training while the file is edited.

use super::train::ending;
use crate::failure::Failure;
use crate::output::{Color, complain, say};
use crate::settings::Settings;
use crate::watch::board::{Activity, Board, News};
use crate::watch::files::{self, milliseconds};
use crate::watch::orders::{Order, Orders, QUIT};
use crate::watch::run::{Ending, Options, Runner};
use crate::watch::version::{Maker, Version};
use crate::watch::{lines, page, screen};
use clap::Args;
use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Each save is checked while the training goes on. With errors, they are shown, and the last good version trains on;
/// without, the new version goes on at the next step, with every parameter that is still the same one.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Keys: u undo, p pause, r restart, q stop, ? help. A run of `tfm watch` is one of `tfm train`: \
    its folder is as usual, and --resume goes on with it.\n\nExample:\n  tfm watch examples/01_digits.tfm --ui"
)]
pub struct Watch {
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The `train` block, when the file has several; otherwise one is trained after the other
    pub name: Option<String>,

    #[command(flatten)]
    pub settings: Settings,

    /// Where the folders of runs are made
    #[arg(long, default_value = crate::config::RUNS, value_name = "DIR")]
    pub runs: PathBuf,

    /// Serve a page with curves, errors and edits, for a browser on this machine
    #[arg(long)]
    pub ui: bool,

    /// The port of the page [default: any that is free]
    #[arg(long, value_name = "N", requires = "ui")]
    pub port: Option<u16>,

    /// Write lines below each other, and do not take the whole terminal
    #[arg(long)]
    pub no_clear: bool,

    /// Write every event as a line of JSON, for programs
    #[arg(long, conflicts_with = "no_clear")]
    pub json: bool,

    /// Write every event as a line of JSON into this file too
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,

    /// Tell checksums of all variables at each edit, as events
    #[arg(long, hide = true)]
    pub checksums: bool,
}

impl Watch {
    /// Watches.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        if !self.file.is_file() {
            return Err(Failure::Message(format!("{}: there is no such file", self.file.display())));
        }
        let listener = match self.json {
            true => Some(lines::json()),
            false if self.takes_the_screen() => None,
            false => Some(lines::plain(color.wanted(&std::io::stderr()))),
        };
        let logged = self.events.as_ref().map(|path| lines::log(path).map_err(Failure::file(path))).transpose()?;
        let listeners = listener.into_iter().chain(logged).collect();
        let board = Arc::new(Board::new(self.file.display().to_string(), listeners));
        let orders = Arc::new(Orders::default());
        listen_to_signals(orders.clone()).map_err(|e| Failure::Message(format!("signals cannot be heard: {e}")))?;
        let address = match self.ui {
            true => Some(page::serve(self.port.unwrap_or(0), board.clone(), orders.clone())?),
            false => None,
        };
        if let Some(address) = address {
            board.tell(News::Note(format!("page: http://{address}")));
        }
        let screen = match self.takes_the_screen() {
            true => Some(screen::Screen::open(board.clone(), orders.clone(), address, color)?),
            false => None,
        };
        let ending = self.train(&board, &orders);
        // What is said from here on stays on the terminal.
        drop(screen);
        if let Ok(Some(ending)) = &ending {
            board.tell(News::Ended { summary: Box::new(ending.summary.clone()), folder: ending.folder.path().into() });
        }
        match (ending?, orders.stop.load(Ordering::Acquire)) {
            (Some(ending), _) => self.say_farewell(&ending),
            (None, QUIT) => Ok(()),
            (None, signal) => Err(Failure::Signal(signal)),
        }
    }

    fn takes_the_screen(&self) -> bool {
        let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        terminal && !self.no_clear && !self.json && std::env::var_os("TERM").is_some_and(|t| t != "dumb")
    }

    /// Trains until it is told to end; nothing when it never began.
    fn train(&self, board: &Arc<Board>, orders: &Arc<Orders>) -> Result<Option<Ending>, Failure> {
        let mut maker = Maker::new(&self.file, self.name.clone(), self.settings.clone())?;
        let Some((first, watched)) = first_version(&mut maker, board, orders) else { return Ok(None) };
        let options = Options {
            runs: self.runs.clone(),
            settings: self.settings.clone(),
            name: self.name.clone(),
            directory: maker.directory.clone(),
            checksums: self.checksums,
        };
        let runner = Runner::begin(options, orders.clone(), board.clone(), first)?;
        let (board, orders) = (board.clone(), orders.clone());
        let look = move || {
            let watching = || files::watch(maker, watched, orders.clone(), board.clone());
            if catch_unwind(AssertUnwindSafe(watching)).is_err() {
                orders.push(Order::Broken("the file is not watched any more".into()));
            }
        };
        std::thread::Builder::new()
            .name("watch".into())
            .spawn(look)
            .map_err(|e| Failure::Message(format!("the files cannot be watched: {e}")))?;
        runner.run().map(Some)
    }

    /// How it went, and how to go on.
    fn say_farewell(&self, ending: &Ending) -> Result<(), Failure> {
        let (summary, folder) = (&ending.summary, &ending.folder);
        if !self.json {
            let _ = say(&self::ending(summary, folder));
        }
        if summary.ended == "stopped" || summary.ended == "interrupted" {
            let runs = match self.runs == Path::new("runs") {
                true => String::new(),
                false => format!(" --runs {}", self.runs.display()),
            };
            let command = format!("tfm train {} {} --resume{runs}", self.file.display(), summary.train);
            complain(&format!("{} at step {}; go on with: {command}", summary.ended, summary.steps));
        }
        match ending.signal {
            QUIT => Ok(()),
            signal => Err(Failure::Signal(signal)),
        }
    }
}

/// The first version without an error, and the files it was made from. Until there is one, errors are shown.
fn first_version(maker: &mut Maker, board: &Board, orders: &Orders) -> Option<(Version, Vec<PathBuf>)> {
    let mut seen = Instant::now();
    loop {
        let made = maker.make(seen, None);
        match made.version {
            Ok(version) => return Some((version, made.files)),
            Err(rejection) => {
                board.tell(News::Rejected { rejection, checked_ms: milliseconds(made.checked) });
                board.tell(News::Activity(Activity::Waiting));
            }
        }
        seen = files::wait(maker, made.files, &|| orders.stop.load(Ordering::Acquire) != 0)?;
        board.tell(News::Mended);
    }
}

/// The first signal asks to save and end; the second ends at once, and leaves the terminal as it was. One that says that
/// the terminal is gone never does: it comes from the system and from whoever kept the terminal, and the run is to be saved.
#[cfg(unix)]
fn listen_to_signals(orders: Arc<Orders>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            if asked && signal != SIGHUP {
                screen::restore();
                std::process::exit(128 + signal);
            }
            asked = true;
            orders.stop(signal as usize);
        }
    })?;
    Ok(())
}

/// A signal asks to save and end; a second one ends at once.
#[cfg(not(unix))]
fn listen_to_signals(orders: Arc<Orders>) -> std::io::Result<()> {
    let number = crate::signals::listen()?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        while number.load(Ordering::Acquire) == 0 {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        orders.stop(number.load(Ordering::Acquire));
    })?;
    Ok(())
}
