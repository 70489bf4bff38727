//! How long a check takes, from the text to the model with the library included: each example, and a
//! generated file of 10,000 lines; and how long it takes to format that file.
//!
//! `cargo bench -p tfm-lang` prints a table and fails where a promise is broken: 30 ms for an example, 300 ms
//! for the long file, 100 ms to format it. The mean of some runs counts, and where the system tells it the time that the processor
//! worked for this thread, so that what else runs on the machine does not decide.
//! `cargo bench -p tfm-lang -- --lines 20000` shows how the time grows.

mod generate;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tfm_lang::check::{Checked, Options, check};
use tfm_lang::source::Sources;

/// The allocator of the binary `tfm`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXAMPLE: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_millis(300);
const FORMAT: Duration = Duration::from_millis(100);

type Library = Vec<(String, String)>;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let after = |flag: &str| words.iter().position(|w| w == flag).and_then(|i| words.get(i + 1)).cloned();
    let lines = after("--lines").and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let wanted = after("--only").unwrap_or_default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in a folder of the repository");
    let library = texts(&root.join("stdlib"));
    let mut cases: Vec<(String, String, Duration)> = Vec::new();
    for folder in ["examples", "lang/src/syntax/tests/programs"] {
        cases.extend(texts(&root.join(folder)).into_iter().map(|(name, text)| (name, text, EXAMPLE)));
    }
    cases.push((format!("{lines} generated lines"), generate::file(lines, 1), LONG));
    println!("{:<28} {:>7} {:>10}  promised", "file", "lines", "time");
    let mut broken = 0;
    for (name, text, limit) in cases.iter().filter(|(name, ..)| name.contains(&wanted)) {
        let (time, checked) = measure(&library, name, text);
        let errors = match checked.diagnostics.len() {
            0 => String::new(),
            n => format!("  ({n} found: {})", checked.diagnostics[0].message),
        };
        let late = time > *limit;
        broken += usize::from(late);
        let verdict = if late { "  TOO SLOW" } else { "" };
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        println!(
            "{name:<28} {:>7} {:>7.2} ms  {:>5} ms{verdict}{errors}",
            text.lines().count(),
            ms(time),
            limit.as_millis()
        );
    }
    broken += usize::from(format_long(lines));
    if broken > 0 {
        println!("{broken} took longer than promised");
        std::process::exit(1);
    }
}

/// Formats the long file; true when that took too long.
fn format_long(lines: usize) -> bool {
    let mut sources = Sources::default();
    let file = sources.add("generated.tfm", generate::file(lines, 1), false);
    let (start, mut runs) = (Clock::now(), 0);
    let time = loop {
        let made = tfm_lang::format::format(&sources, file);
        assert!(made.is_ok(), "the generated file parses");
        runs += 1;
        if runs >= 5 && start.elapsed() > Duration::from_millis(400) {
            break start.elapsed() / runs;
        }
    };
    let verdict = if time > FORMAT { "  TOO SLOW" } else { "" };
    let name = format!("formatting {lines} lines");
    println!("{name:<28} {lines:>7} {:>7.2} ms  {:>5} ms{verdict}", time.as_secs_f64() * 1e3, FORMAT.as_millis());
    time > FORMAT
}

/// The mean time of some runs, each with everything new, and what the last one found.
fn measure(library: &Library, name: &str, text: &str) -> (Duration, Checked) {
    let files: Vec<(&str, &str)> = library.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let (start, mut runs) = (Clock::now(), 0);
    loop {
        let mut sources = Sources::default();
        let main = sources.add(name, text, false);
        let checked = check(&mut sources, &files, main, &mut |_| None, &Options::default());
        runs += 1;
        // The processor's time is told in steps of some milliseconds.
        let spent = start.elapsed();
        if runs >= 5 && spent > Duration::from_millis(400) {
            return (spent / runs, checked);
        }
    }
}

/// A moment: as the processor counts it for this thread, else as the wall does.
enum Clock {
    Processor(Duration),
    Wall(Instant),
}

impl Clock {
    fn now() -> Clock {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
        let worked = told.and_then(|text| text.split(' ').next()?.parse().ok());
        worked.map_or_else(|| Clock::Wall(Instant::now()), |n| Clock::Processor(Duration::from_nanos(n)))
    }

    fn elapsed(&self) -> Duration {
        match (self, Clock::now()) {
            (Clock::Processor(start), Clock::Processor(now)) => now.saturating_sub(*start),
            (Clock::Wall(start), _) => start.elapsed(),
            (Clock::Processor(_), Clock::Wall(_)) => Duration::ZERO,
        }
    }
}

/// The `.tfm` files below a folder, with their paths in it, sorted.
fn texts(folder: &Path) -> Library {
    let mut found = Vec::new();
    collect(folder, &mut found);
    found.sort();
    let named = |path: PathBuf| {
        let name = path.strip_prefix(folder).expect("found below it").display().to_string();
        (name, std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    };
    found.into_iter().map(named).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "tfm") {
            found.push(path);
        }
    }
}
