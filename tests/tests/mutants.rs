//! A thousand slips of the hand in good programs. Each either checks, and then runs two steps, or is refused
//! with a finding that leads to it.
//!
//! A finding leads to the slip when the first error that is shown has its first label within two lines of the
//! changed token, or points there by another label, or by a line of the history that it prints: then the first
//! label is at a place that disagrees with the slip. Nothing else counts, and nothing may panic.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tfm_lang::check::Options;
use tfm_lang::diagnostic::render::render;
use tfm_lang::diagnostic::{Diagnostic, Severity};
use tfm_lang::source::{Sources, Span};
use tfm_tests::mutate::{Mutant, Random, Slip, mutant};
use tfm_tests::two_steps::{Outcome, two_steps};
use tfm_tests::{check_text, files, read, root};

const MUTANTS: usize = 1000;

/// What became of a mutant.
enum Fate {
    Runs,
    /// It checks, and is too large to be run here.
    Checks,
    /// A kernel refused a value for which no bound is known.
    Value,
    /// The first error leads to the slip; true where all errors do.
    Found(bool),
    /// The first error does not lead to the slip.
    Lost(String),
    /// It checks, and does not run.
    Broken(String),
    Panicked,
}

/// The programs that check and are small enough to be run.
fn programs() -> Vec<(String, String)> {
    let mut out = Vec::new();
    for folder in ["examples", "tests/agree", "cli/bench", "lang/src/syntax/tests/programs"] {
        for path in files(&root().join(folder), "tfm") {
            let text = read(&path);
            let (_, checked) = check_text("program.tfm", &text, Path::new("."), &Options::default());
            if checked.model.is_some_and(|m| !m.trains.is_empty() && matches!(two_steps(&m), Outcome::Ran)) {
                out.push((path.strip_prefix(root()).unwrap_or(&path).display().to_string(), text));
            }
        }
    }
    out
}

fn fate(mutant: &Mutant) -> Fate {
    let (sources, checked) = check_text("mutant.tfm", &mutant.text, Path::new("."), &Options::default());
    let errors: Vec<&Diagnostic> = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    match (checked.model, errors.as_slice()) {
        (Some(model), _) => match two_steps(&model) {
            Outcome::Ran => Fate::Runs,
            Outcome::TooLarge => Fate::Checks,
            Outcome::Value(_) => Fate::Value,
            Outcome::Refused(d) => judge(&sources, &[&d], mutant),
            Outcome::Failed(why) => Fate::Broken(why),
        },
        (None, []) => Fate::Broken("it is refused, and nothing is said".into()),
        (None, errors) => judge(&sources, errors, mutant),
    }
}

fn judge(sources: &Sources, errors: &[&Diagnostic], mutant: &Mutant) -> Fate {
    let lines = lines_of(&mutant.text, mutant.place.start, mutant.place.end);
    if leads(sources, errors[0], lines) {
        return Fate::Found(errors.iter().all(|d| leads(sources, d, lines)));
    }
    Fate::Lost(render(sources, &[errors[0].clone()], false))
}

/// First and last line of a range, from 1.
fn lines_of(text: &str, start: usize, end: usize) -> (usize, usize) {
    let line = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count() + 1;
    (line(start), line(end))
}

fn leads(sources: &Sources, d: &Diagnostic, slip: (usize, usize)) -> bool {
    let near = |(first, last): (usize, usize)| first <= slip.1 + 2 && slip.0 <= last + 2;
    let user = |span: Span| !sources.get(span.file).library;
    let labelled = d
        .labels
        .iter()
        .map(|l| l.span)
        .filter(|s| user(*s))
        .any(|span| near(lines_of(&sources.get(span.file).text, span.start as usize, span.end as usize)));
    // `12 = (26 - 2) / 2 + 1, from `MaxPool2d(2)` (mutant.tfm:14)`
    let told = d.notes.iter().filter_map(|note| note.rsplit_once("mutant.tfm:"));
    let told = told.filter_map(|(_, line)| line.trim_end_matches(')').parse::<usize>().ok());
    labelled || told.into_iter().any(|line| near((line, line)))
}

#[test]
fn a_thousand_slips_are_found_or_harmless() {
    let programs = programs();
    assert!(programs.len() >= 10, "only {} programs are good enough to be spoilt", programs.len());
    let mut random = Random::new(7);
    let mut mutants: Vec<(&str, Mutant)> = Vec::new();
    while mutants.len() < MUTANTS {
        let (name, text) = &programs[mutants.len() % programs.len()];
        if let Some(m) = mutant(text, &mut random)
            && !mutants.iter().any(|(_, other)| other.text == m.text)
        {
            mutants.push((name, m));
        }
    }
    let half = mutants.len() / 2;
    let judged = |part: &[(&str, Mutant)]| -> Vec<Fate> {
        part.iter().map(|(_, m)| catch_unwind(AssertUnwindSafe(|| fate(m))).unwrap_or(Fate::Panicked)).collect()
    };
    let fates: Vec<Fate> = std::thread::scope(|s| {
        let second = s.spawn(|| judged(&mutants[half..]));
        let mut first = judged(&mutants[..half]);
        first.extend(second.join().expect("a panic of a mutant was caught"));
        first
    });
    let (mut table, mut good, mut all_lead, mut failures) = (BTreeMap::<Slip, [usize; 5]>::new(), 0, 0, Vec::new());
    for ((name, m), fate) in mutants.iter().zip(&fates) {
        let line = lines_of(&m.text, m.place.start, m.place.end).0;
        let shown = m.text.lines().nth(line - 1).unwrap_or_default().trim();
        let at = format!("{name}:{line}: {}\n  {shown}", m.what);
        let row = table.entry(m.slip).or_default();
        let column = match fate {
            Fate::Runs => 0,
            Fate::Checks | Fate::Value => 1,
            Fate::Found(all) => {
                all_lead += usize::from(*all);
                2
            }
            Fate::Lost(said) => {
                println!("not found: {at}\n{said}");
                3
            }
            Fate::Broken(why) => {
                failures.push(format!("{at}\n  checks, and does not run: {why}"));
                4
            }
            Fate::Panicked => {
                failures.push(format!("{at}\n  panics"));
                4
            }
        };
        good += usize::from(column < 3);
        row[column] += 1;
    }
    println!("{:<10} {:>6} {:>6} {:>6} {:>6} {:>6}", "slip", "runs", "checks", "found", "lost", "broken");
    for (slip, row) in &table {
        println!("{:<10} {:>6} {:>6} {:>6} {:>6} {:>6}", format!("{slip:?}"), row[0], row[1], row[2], row[3], row[4]);
    }
    let found = table.values().map(|row| row[2]).sum::<usize>();
    println!("{good} of {MUTANTS} are harmless or found; of {found} found, {all_lead} by each of their errors");
    assert!(failures.is_empty(), "{} mutants break what was promised:\n\n{}", failures.len(), failures.join("\n\n"));
    assert!(good * 100 >= MUTANTS * 95, "only {good} of {MUTANTS} are harmless or found");
}
