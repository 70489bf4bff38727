//! The whole terminal: one line that says how it is, the metrics, a curve, the last edit, the errors of the last save.
//!
//! Lines that have not changed are not written again, so nothing flickers. However the command ends, [`restore`] has
//! been called: it can be called from anywhere and at any time, and does its work once.

use super::board::{Activity, Board, View};
use super::curve;
use super::orders::{Order, Orders, QUIT};
use crate::failure::Failure;
use crate::output::Color;
use crate::values::{count, duration, value};
use crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::{cursor, execute, queue, style, terminal};
use signal_hook::consts::SIGINT;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The time between two pictures.
const TICK: Duration = Duration::from_millis(80);
/// How long the thread that draws is waited for at the end.
const PARTING: Duration = Duration::from_millis(500);

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back as it was found.
pub fn restore() {
    if TAKEN.swap(false, Ordering::AcqRel) {
        // Nobody can be told if this fails.
        let _ = execute!(io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

/// The terminal, while it is taken.
pub struct Screen {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Screen {
    /// Takes the terminal, draws, and hears keys, until it is dropped.
    pub fn open(
        board: Arc<Board>,
        orders: Arc<Orders>,
        page: Option<SocketAddr>,
        color: Color,
    ) -> Result<Screen, Failure> {
        let failed = |e: io::Error| Failure::Message(format!("the terminal cannot be drawn on: {e}; try --no-clear"));
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            report(info);
        }));
        TAKEN.store(true, Ordering::Release);
        let taken = terminal::enable_raw_mode()
            .and_then(|()| execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide));
        if let Err(e) = taken {
            restore();
            return Err(failed(e));
        }
        let done = Arc::new(AtomicBool::new(false));
        let color = color.wanted(&io::stdout());
        let mut picture = Picture { color, page, help: false, metric: 0, logarithmic: false, shown: Vec::new() };
        let is_done = done.clone();
        let draw = move || {
            let mut told = u64::MAX;
            while !is_done.load(Ordering::Acquire) {
                let pressed = picture.keys(&orders);
                let view = board.view();
                if pressed || view.told != told {
                    told = view.told;
                    let (width, height) = terminal::size().unwrap_or((80, 24));
                    let lines = picture.lines(&view, width.into(), height.into());
                    drop(view);
                    // A terminal that is gone ends the command by a signal.
                    let _ = picture.write(lines, height.into());
                }
            }
        };
        let thread = std::thread::Builder::new().name("screen".into()).spawn(draw).map_err(failed)?;
        Ok(Screen { done, thread: Some(thread) })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // Reading from a terminal that is gone may never come back, and must not keep the command.
            let start = Instant::now();
            while !thread.is_finished() && start.elapsed() < PARTING {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        restore();
    }
}

struct Picture {
    color: bool,
    page: Option<SocketAddr>,
    help: bool,
    /// Which metric is drawn.
    metric: usize,
    logarithmic: bool,
    /// What stands on the terminal.
    shown: Vec<String>,
}

impl Picture {
    /// Waits a moment for a key, and does what it says; true when something is to be drawn anew.
    fn keys(&mut self, orders: &Orders) -> bool {
        let mut pressed = false;
        let mut wait = TICK;
        while event::poll(wait).unwrap_or(false) {
            wait = Duration::ZERO;
            match event::read() {
                Ok(event::Event::Key(key)) if key.kind == KeyEventKind::Press => self.key(key, orders),
                Ok(event::Event::Resize(..)) => self.shown.clear(),
                Ok(_) => continue,
                // A terminal that is gone has something to read for ever; the signal that comes with that ends the run.
                Err(_) => {
                    std::thread::sleep(TICK);
                    return true;
                }
            }
            pressed = true;
        }
        pressed
    }

    fn key(&mut self, key: KeyEvent, orders: &Orders) {
        match (key.code, key.modifiers.contains(KeyModifiers::CONTROL)) {
            (KeyCode::Char('c'), true) if orders.stop.load(Ordering::Acquire) != 0 => {
                restore();
                std::process::exit(128 + SIGINT);
            }
            (KeyCode::Char('c'), true) => orders.stop(SIGINT as usize),
            (KeyCode::Char('q'), _) => orders.stop(QUIT),
            (KeyCode::Char('u'), _) => orders.push(Order::Undo),
            (KeyCode::Char('p'), _) => orders.push(Order::Pause),
            (KeyCode::Char('r'), _) => orders.push(Order::Restart),
            (KeyCode::Char('m'), _) => self.metric += 1,
            (KeyCode::Char('l'), _) => self.logarithmic = !self.logarithmic,
            (KeyCode::Char('?' | 'h'), _) => self.help = !self.help,
            (KeyCode::Esc, _) => self.help = false,
            _ => {}
        }
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }

    /// The picture: what matters most comes first, and is there on a small terminal too.
    fn lines(&self, view: &View, width: usize, height: usize) -> Vec<String> {
        let mut lines = vec![self.head(view)];
        lines.push(self.progress(view));
        lines.push(metrics(view));
        let mut below: Vec<String> = Vec::new();
        if let Activity::Failed(why) = &view.activity {
            below.extend(why.lines().map(|l| self.paint(l, "31")));
        }
        if let Some(rejected) = &view.rejected {
            let text = if self.color { &rejected.colored } else { &rejected.text };
            below.extend(text.lines().map(str::to_string));
        } else if let Some(warnings) = &view.warnings {
            let text = if self.color { &warnings.colored } else { &warnings.text };
            below.extend(text.lines().map(str::to_string));
        }
        if let Some(edit) = view.edits.last() {
            if !below.is_empty() {
                below.push(String::new());
            }
            below.push(self.paint(&edit.title(), "1"));
            below.extend(edit.lines());
        }
        if !view.notes.is_empty() {
            below.push(String::new());
            below.extend(view.notes.iter().flat_map(|n| n.lines()).map(str::to_string));
        }
        if self.help {
            below = HELP.iter().map(|l| l.to_string()).collect();
        }
        // The curve has what is left, and gives way to what is below it down to a few lines.
        let left = height.saturating_sub(lines.len() + 2);
        let rows = left.saturating_sub(below.len() + 1).clamp(6, 16).min(left);
        // In the order in which they are told: losses come first.
        let names: Vec<&String> = view.last.iter().map(|(n, _)| n).filter(|n| view.curves.contains_key(*n)).collect();
        if let Some(name) = names.get(self.metric % names.len().max(1)) {
            let scale = if self.logarithmic { ", logarithmic" } else { "" };
            let drawn = curve::draw(
                &view.curves[name.as_str()].points,
                width.min(110),
                rows.saturating_sub(1),
                self.logarithmic,
            );
            if !drawn.is_empty() {
                lines.push(self.paint(&format!("{name}{scale}"), "2"));
                lines.extend(drawn.iter().map(|l| self.paint(l, "36")));
            }
        }
        lines.extend(below);
        lines.truncate(height.saturating_sub(1));
        lines.resize(height.saturating_sub(1), String::new());
        let page = self.page.map(|p| format!("  ·  http://{p}")).unwrap_or_default();
        lines.push(self.paint(&format!("u undo  p pause  r restart  m metric  l log  q stop  ? help{page}"), "2"));
        lines.into_iter().map(|l| fit(&l, width)).collect()
    }

    fn head(&self, view: &View) -> String {
        let state = view.state();
        let shade = match (&view.activity, &view.rejected) {
            (_, Some(_)) | (Activity::Failed(_) | Activity::Waiting, _) => "31",
            (Activity::Training, _) => "32",
            _ => "33",
        };
        let name = if view.train.is_empty() { String::new() } else { format!("  {}", view.train) };
        format!("{}{name}  {}", self.paint(&format!("tfm watch {}", view.file), "1"), self.paint(&state, shade))
    }

    fn progress(&self, view: &View) -> String {
        let of = view.total.map(|t| format!("/{}", count(t))).unwrap_or_default();
        let mut line = format!("step {}{of}  epoch {:.2}", count(view.step), view.epoch);
        if let Some(speed) = view.speed.filter(|_| view.activity == Activity::Training) {
            line += &format!("  {} examples/s", count(speed as u64));
        }
        if let Some(left) = view.left.filter(|_| view.activity == Activity::Training) {
            line += &format!("  {} left", duration(Duration::from_secs_f64(left)));
        }
        line += &format!("  {}", view.folder.display());
        line
    }

    /// Writes the lines that differ from those that stand there.
    fn write(&mut self, lines: Vec<String>, height: usize) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.shown.is_empty() {
            queue!(out, terminal::Clear(terminal::ClearType::All))?;
        }
        for (row, line) in lines.iter().enumerate().take(height) {
            if self.shown.get(row) != Some(line) {
                queue!(out, cursor::MoveTo(0, row as u16), terminal::Clear(terminal::ClearType::CurrentLine))?;
                queue!(out, style::Print(line))?;
            }
        }
        self.shown = lines;
        out.flush()
    }
}

const HELP: [&str; 9] = [
    "u  go back to the weights from before the last edit, and to the step of then; the file stays as it is",
    "p  pause between two steps, and go on; edits are taken over meanwhile",
    "r  save this run, and begin another in a new folder with new weights",
    "m  draw the next metric",
    "l  draw on a logarithmic scale",
    "q  save and stop; Ctrl-C does too, and a second one stops at once without saving",
    "",
    "A save is checked while the training goes on. With errors the version before goes on; without, every",
    "parameter that is still the same one keeps its values and the state of its optimizer.",
];

fn metrics(view: &View) -> String {
    let shown = |(name, v): &(String, Option<f32>)| format!("{name} {}", v.map_or("-".into(), value));
    view.last.iter().map(shown).collect::<Vec<_>>().join("  ")
}

/// The first characters of a line, so many as fit; colours count nothing.
fn fit(line: &str, width: usize) -> String {
    let (mut out, mut used, mut escape) = (String::new(), 0, false);
    for c in line.chars() {
        if escape {
            escape = !c.is_ascii_alphabetic();
        } else if c == '\u{1b}' {
            escape = true;
        } else if c.is_control() {
            continue;
        } else if used == width {
            // The rest of the colours still counts.
            continue;
        } else {
            used += 1;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::board::News;
    use super::super::version::Rejection;
    use super::*;

    fn picture() -> Picture {
        Picture { color: false, page: None, help: false, metric: 0, logarithmic: false, shown: Vec::new() }
    }

    #[test]
    fn lines_are_cut_by_what_is_seen() {
        assert_eq!(fit("abcdef", 3), "abc");
        assert_eq!(fit("\u{1b}[31mab\u{1b}[0mcd", 3), "\u{1b}[31mab\u{1b}[0mc");
        assert_eq!(fit("a\tb\rc", 9), "abc");
    }

    #[test]
    fn the_first_line_says_how_it_is_and_the_picture_is_as_large_as_the_terminal() {
        let board = Board::new("net.tfm".into(), Vec::new());
        let first = |board: &Board| picture().lines(&board.view(), 90, 24)[0].clone();
        assert_eq!(first(&board), "tfm watch net.tfm  waiting for a fix");
        board.tell(News::Run { train: "net".into(), folder: "runs/net/001".into() });
        let names = vec!["loss".to_string()];
        board.tell(News::Started { step: 0, total: Some(9), steps_per_epoch: 3, names });
        for step in 1..=5u64 {
            let values = vec![("loss".to_string(), 1.0 / step as f32)];
            board.tell(News::Step { step, epoch: step as f64 / 3.0, examples: step * 4, shown: true, values });
        }
        assert_eq!(first(&board), "tfm watch net.tfm  net  training");
        let rejection = Rejection { text: "Error[E0301]: no".into(), ..Rejection::default() };
        board.tell(News::Rejected { rejection, checked_ms: 3.0 });
        assert!(first(&board).ends_with("training · the last save has 1 error: the version before goes on"));
        for (width, height) in [(90, 24), (20, 5), (3, 2), (200, 60), (0, 0)] {
            let lines = picture().lines(&board.view(), width, height);
            assert!(
                lines.len() <= height.max(1) && lines.iter().all(|l| l.chars().count() <= width),
                "{width} {height}"
            );
        }
        let all = picture().lines(&board.view(), 90, 24).join("\n");
        for part in ["step 5/9  epoch 1.67", "loss 0.2000", "Error[E0301]: no", "⠑", "q stop"] {
            assert!(all.contains(part), "{part} in\n{all}");
        }
        board.tell(News::Mended);
        board.tell(News::Activity(Activity::Finished("finished".into())));
        assert!(first(&board).ends_with("finished, waiting for an edit"));
    }
}
