//! Every transcript in the documentation is run: what stands below `$ tfm …` is what the binary says.
//!
//! A page (`README.md`, `docs/*.md`) is one session in a folder of its own. To write a transcript:
//!
//! - A fence ```` ```console ```` holds commands and what they say, in the order of a terminal:
//!
//!   ```text
//!   $ tfm check digits.tfm
//!   digits.tfm is correct: digits_net
//!   ```
//!
//!   A command goes through `sh`, so pipes, `sed -i` and `cat` work; errors stand with the output. One that ends badly is
//!   followed by a line `(exit status 1)`.
//! - A number with a point fits one that is near it (a fifth, or 0.05): another processor rounds otherwise.
//! - `…` in a line stands for any text, a line `…` for any number of lines: for times, and for what is too long.
//! - A fence of any kind below a line `<!-- file: digits.tfm -->` is written to that file when the page comes to it; the
//!   folder has the `examples` from the start. Blocks of a page go on in the same folder: a run trained above is there.
//! - `UPDATE=1 cargo test -p tfm --test transcripts` writes what was said into the pages, with `…` for times and speeds.
//!   Read the difference before it is kept.
//! - A page is named in a fence `console` only if its commands take seconds, not minutes.
//!
//! This is a runner of our own and not `trycmd`: a page here is one session with files that it shows itself, and it goes
//! through a shell.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap().flatten().map(|e| e.path());
    let mut pages: Vec<PathBuf> = docs.filter(|p| p.extension().is_some_and(|e| e == "md")).collect();
    pages.push(root().join("README.md"));
    pages.sort();
    pages
}

/// What a command says, with a line about its exit status where that is not 0.
fn said(dir: &Path, command: &str) -> Vec<String> {
    let bin = Path::new(env!("CARGO_BIN_EXE_tfm")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("exec 2>&1\n{command}")).current_dir(dir).stdin(Stdio::null()).env("PATH", path);
    shell.env("LC_ALL", "C.UTF-8").env("TERM", "dumb").env_remove("TFM_DATA");
    let output = shell.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // What depends on where the folder is.
    let text = text.replace(&fs::canonicalize(dir).unwrap().display().to_string(), "/home/you");
    let mut lines: Vec<String> = text.lines().map(|l| l.trim_end().to_string()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    if !output.status.success() {
        lines.push(format!("(exit status {})", output.status.code().unwrap_or(-1)));
    }
    lines
}

/// True where a line is as the pattern has it, word by word where there are numbers with a point.
fn line_fits(pattern: &str, line: &str) -> bool {
    let (a, b): (Vec<&str>, Vec<&str>) = (pattern.split_whitespace().collect(), line.split_whitespace().collect());
    text_fits(pattern, line) || a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| text_fits(a, b) || is_near(a, b))
}

/// True for two numbers with a point that are near each other and are set in the same marks.
fn is_near(a: &str, b: &str) -> bool {
    let is_mark = |c: char| "*,;:()".contains(c);
    let bare = |w: &str| w.trim_matches(is_mark).parse::<f64>().ok().filter(|_| w.contains('.'));
    let marks = |w: &str| w.chars().filter(|c| is_mark(*c)).collect::<String>();
    match (bare(a), bare(b)) {
        (Some(x), Some(y)) => marks(a) == marks(b) && (x - y).abs() <= (0.2 * x.abs()).max(0.05),
        _ => false,
    }
}

/// True where a text is as the pattern has it; `…` stands for any text.
fn text_fits(pattern: &str, line: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('…') else { return pattern == line };
    let Some(mut line) = line.strip_prefix(head) else { return false };
    let parts: Vec<&str> = rest.split('…').collect();
    let (last, middle) = parts.split_last().unwrap();
    for part in middle {
        let Some(at) = line.find(part) else { return false };
        line = &line[at + part.len()..];
    }
    line.ends_with(last)
}

/// True where lines are as the patterns have them; a line `…` stands for any number of lines.
fn fits(patterns: &[String], lines: &[String]) -> bool {
    match patterns.split_first() {
        None => lines.is_empty(),
        Some((p, rest)) if p.trim() == "…" => (0..=lines.len()).any(|n| fits(rest, &lines[n..])),
        Some((p, rest)) => {
            let Some((line, more)) = lines.split_first() else { return false };
            // A slow machine says now and then how far it is.
            line_fits(p, line) && fits(rest, more) || is_progress(line) && fits(patterns, more)
        }
    }
}

fn is_progress(line: &str) -> bool {
    line.starts_with("step ") && line.contains(" left")
}

/// A line as it is written into a page: times, speeds, dates and the number of threads are left open.
fn vague(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let is_number = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_digit() || ",.:-".contains(c));
    let is_time = |w: &str| {
        let w = w.trim_end_matches([',', ';']);
        w.len() > 1 && w.ends_with(['s', 'm']) && is_number(&w.trim_end_matches(['s', 'm']).replace(['m', 'h'], ""))
    };
    let is_date = |w: &str| w.len() == 10 && is_number(w) && w.matches('-').count() == 2;
    let is_hour = |w: &str| w.len() == 5 && is_number(w) && w.matches(':').count() == 1;
    let open = |(i, w): (usize, &&str)| {
        let before_unit = words.get(i + 1).is_some_and(|next| {
            ["steps/s", "examples/s", "thread", "threads"].contains(&next.trim_end_matches([',', ';']))
        });
        let ends = if w.ends_with(',') { "," } else { "" };
        if is_time(w) || is_date(w) || is_hour(w) || before_unit && is_number(w) {
            format!("…{ends}")
        } else {
            w.to_string()
        }
    };
    words.iter().enumerate().map(open).collect::<Vec<_>>().join(" ")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Runs the transcripts of a page; gives the page as it should be, and what was otherwise.
fn replay(path: &Path) -> (String, Vec<String>) {
    let text = fs::read_to_string(path).unwrap();
    let (mut out, mut wrong): (Vec<String>, Vec<String>) = Default::default();
    let dir = tempfile::tempdir().unwrap();
    copy(&root().join("examples"), &dir.path().join("examples"));
    let lines: Vec<&str> = text.lines().collect();
    let (mut i, mut file) = (0, None);
    while i < lines.len() {
        out.push(lines[i].into());
        if let Some(name) = lines[i].strip_prefix("<!-- file: ").and_then(|l| l.strip_suffix(" -->")) {
            file = Some(name);
        }
        let Some(info) = lines[i].strip_prefix("```") else {
            i += 1;
            continue;
        };
        let end = (i + 1..lines.len()).find(|&j| lines[j].starts_with("```")).expect("a fence has its end");
        let inside: Vec<String> = lines[i + 1..end].iter().map(|l| l.to_string()).collect();
        if let Some(name) = file.take() {
            let to = dir.path().join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, inside.join("\n") + "\n").unwrap();
        }
        if info.trim() == "console" {
            let mut at = 0;
            while at < inside.len() {
                let command = inside[at]
                    .strip_prefix("$ ")
                    .unwrap_or_else(|| panic!("{}:{}: a transcript begins with `$ `", path.display(), i + at + 2));
                let next = (at + 1..inside.len()).find(|&j| inside[j].starts_with("$ ")).unwrap_or(inside.len());
                // A blank line before the next command is for the eye.
                let blank = next < inside.len() && next > at + 1 && inside[next - 1].is_empty();
                let wanted = &inside[at + 1..next - usize::from(blank)];
                let found = said(dir.path(), command);
                out.push(inside[at].clone());
                if fits(wanted, &found) {
                    out.extend_from_slice(wanted);
                } else {
                    let place = format!("{}:{}", path.file_name().unwrap().to_string_lossy(), i + at + 2);
                    wrong.push(format!("{place}: $ {command}\n{}\n", found.join("\n")));
                    out.extend(found.iter().map(|l| vague(l)));
                }
                out.extend(blank.then(String::new));
                at = next;
            }
        } else {
            out.extend(inside);
        }
        out.push("```".into());
        i = end + 1;
    }
    (out.join("\n") + "\n", wrong)
}

#[test]
fn what_the_pages_show_is_what_is_said() {
    let mut wrong = Vec::new();
    for page in pages() {
        let (text, differences) = replay(&page);
        if !differences.is_empty() && std::env::var_os("UPDATE").is_some() {
            fs::write(&page, text).unwrap();
        } else {
            wrong.extend(differences);
        }
    }
    assert!(wrong.is_empty(), "UPDATE=1 writes these into the pages\n\n{}", wrong.join("\n"));
}

#[test]
fn every_command_is_in_the_tour() {
    let tour = fs::read_to_string(root().join("docs/tour.md")).unwrap();
    for command in tfm::args::command().get_subcommands() {
        let name = command.get_name();
        let told = |line: &&str| line.starts_with("$ ") && format!("{line} ").contains(&format!("tfm {name} "));
        let is_told = tour.lines().any(|line| told(&line));
        assert!(is_told, "docs/tour.md has no transcript of `tfm {name}`");
    }
}

#[test]
fn patterns_fit_what_they_should() {
    let all = |lines: &str| lines.lines().map(String::from).collect::<Vec<_>>();
    for (pattern, line, fit) in [
        ("a … c", "a bb c", true),
        ("a … c", "a bb d", false),
        ("…", "", true),
        ("in …s, … steps/s", "in 1.2s, 40.1 steps/s", true),
        ("x…", "y", false),
        ("a…b…a", "aba", true),
        ("a…a", "a", false),
        ("loss  0.9731, then", "loss 0.9740, then", true),
        ("loss 0.9731", "loss 0.5", false),
        ("loss 3", "loss 4", false),
    ] {
        assert_eq!(line_fits(pattern, line), fit, "{pattern} {line}");
    }
    assert!(fits(&all("a\n…\nd"), &all("a\nb\nc\nd")) && fits(&all("…"), &[]));
    assert!(!fits(&all("a\n…\nd"), &all("a\nb\nc")));
    assert!(fits(&all("a\nb"), &all("a\nstep 7/9  epoch 0.50  loss 1.0  3s left\nb")));
    assert_eq!(vague("net: 57 steps in 1.2s, 41.3 steps/s"), "net: 57 steps in …, … steps/s");
    assert_eq!(vague("seed 1, 2 threads, runs/net/001"), "seed 1, … threads, runs/net/001");
    assert_eq!(vague("net/001  2026-11-29 01:40  57"), "net/001  … …  57");
}
