//! `tfm watch` in a real terminal, by way of tmux: a session of edits as a person would make them, seen on the screen
//! and checked bit by bit.

mod common;

use common::good;
use common::watching::{Events, NET, PARTS, bench, has, last, rows, save_by_renaming, sums};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A terminal that nobody sits at.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn open(dir: &Path, line: &str) -> Terminal {
        static OPENED: AtomicU32 = AtomicU32::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let terminal = Terminal { socket: format!("tfm-{}-{number}", std::process::id()) };
        let program = env!("CARGO_BIN_EXE_tfm");
        // The shell must outlive the Ctrl-C that is meant for the command.
        let shell =
            format!("trap : INT; {program} {line}; echo ended $?; stty -a | tr ' ;' '\\n\\n' | grep icanon; sleep 600");
        let dir = dir.display().to_string();
        let new = ["-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "44", "-c", &dir, "sh", "-c", &shell];
        terminal.tmux(&new);
        terminal
    }

    fn tmux(&self, words: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket]).args(words).env_remove("TMUX").env_remove("NO_COLOR");
        let output = command.output().unwrap();
        assert!(output.status.success(), "tmux {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Waits until the screen shows all of these.
    fn shows(&self, parts: &[&str]) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if parts.iter().all(|p| screen.contains(p)) {
                return screen;
            }
            assert!(start.elapsed() < Duration::from_secs(40), "{parts:?} is not all on the screen:\n{screen}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It is gone already when its command has ended.
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
    }
}

/// Training goes on: a later step comes.
fn goes_on(events: &mut Events) {
    events.wait("step");
    events.wait("step");
}

#[test]
fn a_session_of_edits_in_a_terminal() {
    if !has("tmux", "-V") {
        return;
    }
    let dir = bench();
    let file = dir.path().join("net.tfm");
    let line = "watch net.tfm --threads 1 --checksums --events events.jsonl";
    let terminal = Terminal::open(dir.path(), line);
    let mut events = Events::of(dir.path().join("events.jsonl"));
    events.wait("evaluated");
    terminal.shows(&["tfm watch net.tfm", "training", "loss 0.", "accuracy", "q stop", "/1,000,000", "\u{2809}"]);

    // The learning rate: from the next step on, and every bit stays.
    let text = NET.replace("lr: 0.01", "lr: 0.005");
    save_by_renaming(&file, &text);
    let told = events.wait("next_step");
    let (before, after) = sums(&told);
    assert_eq!((before, rows(last(&told, "edited"))), (after, vec!["kept".to_string()]));
    terminal.shows(&["edit 1 after step", "checked in", "next step after", "Adam: lr 0.01 to 0.005", "kept"]);

    // The size of a head: what both sizes have is copied, and the moments with it.
    let text = text.replace("Dense(16, relu)", "Dense(18, relu)");
    fs::write(&file, &text).unwrap();
    let told = events.wait("next_step");
    let resized = ["resized Net.dense_1.w", "resized Net.dense_1.b", "resized Net.dense_2.w"];
    assert_eq!(rows(last(&told, "edited"))[1..], resized);
    assert_eq!(last(&told, "edited")["states"]["new"], 0);
    let (before, after) = sums(&told);
    for path in ["Net.hidden.w", "Net.hidden.w/adam.m", "Net.norm_1.scale", "Net.norm_1.seen", "Net.dense_2.b"] {
        assert_eq!(before[path], after[path], "{path}");
    }
    terminal.shows(&["resized  Net.dense_1.w", "f32[24, 16] to f32[24, 18]", "384 values kept, 48 start anew"]);

    // Another name for a layer.
    let text = text.replace("hidden", "trunk");
    save_by_renaming(&file, &text);
    let told = events.wait("next_step");
    assert_eq!(rows(last(&told, "edited")), ["kept", "renamed Net.trunk"]);
    let (before, after) = sums(&told);
    let renamed = |path: &str| path.replace("trunk", "hidden");
    assert!(after.iter().all(|(path, sum)| before[&renamed(path)] == *sum), "{before:?} {after:?}");
    terminal.shows(&["renamed  Net.trunk", "was Net.hidden"]);

    // A syntax error is shown, and the last good version trains on.
    fs::write(&file, text.replace("|> relu", "|> relu )")).unwrap();
    events.wait("rejected");
    terminal.shows(&["Error[", "the version before goes on", "the last save has", "training"]);
    goes_on(&mut events);
    fs::write(&file, &text).unwrap();
    events.wait("mended");

    // What is imported is deleted, and comes back.
    fs::remove_file(dir.path().join("parts.tfm")).unwrap();
    events.wait("rejected");
    terminal.shows(&["parts", "the version before goes on"]);
    goes_on(&mut events);
    fs::write(dir.path().join("parts.tfm"), PARTS).unwrap();
    events.wait("mended");
    let start = Instant::now();
    while terminal.screen().contains("goes on") {
        assert!(start.elapsed() < Duration::from_secs(10), "{}", terminal.screen());
    }

    // Twenty saves in a second: the last one counts, and none is taken over half.
    for i in 1..=20 {
        let text = text.replace("lr: 0.005", &format!("lr: 0.0{}", 10 + i));
        if i % 2 == 0 {
            fs::write(&file, text).unwrap()
        } else {
            save_by_renaming(&file, &text)
        }
        std::thread::sleep(Duration::from_millis(40));
    }
    let told = events.until("the last of the saves", |v| {
        v["notes"].to_string().contains("to 0.03\"") || v["notes"].to_string().contains("to 0.03,")
    });
    assert!(told.iter().all(|v| v["event"] != "rejected"), "a file was read in the middle of a save");
    let (before, after) = sums(&told);
    assert_eq!(before, after);
    let weights_then = before.clone();
    let step_then = last(&told, "edited")["step"].as_u64().unwrap();
    goes_on(&mut events);

    // Back to the weights from before that edit, and to its step.
    terminal.press("u");
    let told = events.until("the undo", |v| v["kind"] == "undo");
    assert_eq!(*sums(&told).1, weights_then);
    assert_eq!(last(&told, "edited")["step"].as_u64(), Some(step_then));
    terminal.shows(&["undo", "the file stays as it is"]);

    // A pause, in which nothing is done.
    terminal.press("p");
    terminal.shows(&["paused"]);
    let step = |screen: String| screen.lines().nth(1).unwrap().to_string();
    let paused = step(terminal.screen());
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(step(terminal.screen()), paused);
    terminal.press("p");
    terminal.shows(&["training"]);
    goes_on(&mut events);
    // Another metric, on another scale.
    terminal.press("m");
    terminal.press("l");
    terminal.shows(&["accuracy, logarithmic"]);
    terminal.press("?");
    terminal.shows(&["u  go back to the weights"]);

    // Ctrl-C saves; the terminal is as it was, and the run can be gone on with.
    terminal.press("C-c");
    let screen = terminal.shows(&["interrupted", "--resume", "ended 130", "icanon"]);
    assert!(!screen.contains("-icanon"), "{screen}");
    fs::write(&file, fs::read_to_string(dir.path().join("runs/net/001/source/net.tfm")).unwrap()).unwrap();
    let out = good(dir.path(), "train net.tfm --resume --threads 1 --max-steps 1");
    assert!(out.contains("going on after step"), "{out}");
}

#[test]
fn a_restart_saves_the_run_and_begins_another() {
    if !has("tmux", "-V") {
        return;
    }
    let dir = bench();
    let terminal = Terminal::open(dir.path(), "watch net.tfm --threads 1 --events events.jsonl");
    let mut events = Events::of(dir.path().join("events.jsonl"));
    let first = last(&events.wait("step"), "step").clone();
    events.wait("evaluated");
    terminal.press("r");
    let told = events.until("another run", |v| v["event"] == "run");
    assert!(last(&told, "saved")["step"].as_u64() > Some(0), "{told:?}");
    let again = events.wait("step");
    let again = last(&again, "step");
    assert_eq!(again["step"], 1);
    // The same seed draws the same weights and the same order.
    assert_eq!(again["values"], first["values"]);
    terminal.shows(&["runs/net/002", "training"]);
    let summary = fs::read_to_string(dir.path().join("runs/net/001/summary.json")).unwrap();
    assert!(summary.contains("restarted"), "{summary}");
    goes_on(&mut events);
    terminal.press("q");
    terminal.shows(&["ended 0", "icanon"]);
    assert!(dir.path().join("runs/net/002/summary.json").exists());
}

#[test]
fn lines_where_the_screen_is_not_wanted() {
    if !has("tmux", "-V") {
        return;
    }
    let dir = bench();
    let calm = NET.replace("every 40 steps", "every 100_000 steps");
    fs::write(dir.path().join("net.tfm"), &calm).unwrap();
    let terminal = Terminal::open(dir.path(), "watch net.tfm --threads 1 --no-clear");
    terminal.shows(&["parameters", "step 1 "]);
    fs::write(dir.path().join("net.tfm"), calm.replace("0.01", "0.02")).unwrap();
    terminal.shows(&["edit 1 after step", "Adam: lr 0.01 to 0.02", "edit 1: next step after"]);
    terminal.press("C-c");
    terminal.shows(&["interrupted", "ended 130"]);
}

#[test]
fn a_terminal_that_is_closed_saves_the_run_and_ends_it() {
    if !has("tmux", "-V") {
        return;
    }
    let dir = bench();
    let terminal = Terminal::open(dir.path(), "watch net.tfm --threads 1 --events events.jsonl");
    let mut events = Events::of(dir.path().join("events.jsonl"));
    events.wait("evaluated");
    drop(terminal);
    events.until("the end", |v| v["event"] == "ended");
    assert!(dir.path().join("runs/net/001/summary.json").exists());
}
