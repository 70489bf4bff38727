//! `tfm test`: the tests of files, of folders, and of the library.

use crate::failure::Failure;
use crate::files::collect;
use crate::output::{Color, say, show_diagnostics};
use crate::testing::{Form, failures, tests_of_file, tests_of_library};
use crate::values::duration;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tfm_lang::check::testing::Test as Declared;
use tfm_lang::diagnostic::Severity;
use tfm_lang::source::Sources;

/// Runs `test "…" { … }` declarations, and the lines `/// example: f(x) is y` of doc comments.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm test\n  tfm test net.tfm --filter softmax\n  tfm test std.losses")]
pub struct Test {
    /// Files, folders with all that is in them, or `std` and its modules for the library
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// Only tests with this text in their name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Show the names of the tests and run none
    #[arg(long)]
    list: bool,

    /// Show the names of tests that pass, too
    #[arg(short, long)]
    verbose: bool,
}

/// What came of all tests.
#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
    /// Files with mistakes, whose tests were not run.
    refused: usize,
}

impl Test {
    /// Runs the tests; fails when one fails.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let begin = Instant::now();
        let mut count = Count::default();
        for path in &self.paths {
            let word = path.to_string_lossy();
            if (word == "std" || word.starts_with("std.")) && !path.exists() {
                let (sources, tests) = tests_of_library();
                let module = |t: &Declared| module_of(&sources.get(t.span.file).name);
                if !tests.iter().any(|t| word == "std" || module(t) == *word) {
                    return Err(Failure::Message(format!("there is no module `{word}`, or it has no tests")));
                }
                let of: Vec<&Declared> = tests.iter().filter(|t| word == "std" || module(t) == *word).collect();
                self.run_all(&word, &sources, &of, &mut count, color)?;
            } else if path.is_dir() {
                let mut files = Vec::new();
                collect(path, &mut files).map_err(Failure::file(path))?;
                for file in files {
                    let text = std::fs::read(&file).map_err(Failure::file(&file))?;
                    if mentions_tests(&String::from_utf8_lossy(&text)) {
                        self.file(&file, &mut count, color)?;
                    }
                }
            } else {
                self.file(path, &mut count, color)?;
            }
        }
        if self.list {
            return Ok(());
        }
        let mut summary = format!("{} passed, {} failed", count.passed, count.failed);
        if count.refused > 0 {
            let files = if count.refused == 1 { "file" } else { "files" };
            summary += &format!(", {} {files} with mistakes", count.refused);
        }
        say(&format!("{summary} in {}", duration(begin.elapsed())))?;
        if count.failed + count.refused > 0 { Err(Failure::Shown) } else { Ok(()) }
    }

    fn file(&self, path: &Path, count: &mut Count, color: Color) -> Result<(), Failure> {
        let (sources, checked) = tests_of_file(path).map_err(Failure::file(path))?;
        if checked.diagnostics.iter().any(|d| d.severity == Severity::Error) {
            count.refused += 1;
            say(&format!("{}: not run", path.display()))?;
            show_diagnostics(&sources, &checked.diagnostics, color);
            return Ok(());
        }
        let tests: Vec<&Declared> = checked.tests.iter().collect();
        self.run_all(&path.display().to_string(), &sources, &tests, count, color)
    }

    fn run_all(
        &self,
        title: &str,
        sources: &Sources,
        tests: &[&Declared],
        count: &mut Count,
        color: Color,
    ) -> Result<(), Failure> {
        let wanted = |name: &String| self.filter.as_ref().is_none_or(|f| name.contains(f.as_str()));
        let named: Vec<(String, &Declared)> =
            tests.iter().map(|t| (name(t), *t)).filter(|(name, _)| wanted(name)).collect();
        if self.list {
            return named.iter().try_for_each(|(name, _)| say(&format!("{title}: {name}")));
        }
        if named.is_empty() && self.filter.is_some() {
            return Ok(());
        }
        let (mut passed, mut failed) = (Vec::new(), Vec::new());
        for (name, test) in named {
            let found = failures(test, Form::Simplified);
            if found.is_empty() { passed.push(name) } else { failed.push((name, found)) }
        }
        count.passed += passed.len();
        count.failed += failed.len();
        let mut head = format!("{title}: {} passed", passed.len());
        if !failed.is_empty() {
            head += &format!(", {} failed", failed.len());
        }
        say(&head)?;
        if self.verbose {
            passed.iter().try_for_each(|name| say(&format!("  passed  {name}")))?;
        }
        for (name, found) in failed {
            say(&format!("  failed  {name}"))?;
            show_diagnostics(sources, &found, color);
        }
        Ok(())
    }
}

/// The name that a test is listed and filtered by.
fn name(test: &Declared) -> String {
    match &test.example {
        Some(text) => format!("{}, example: {text}", test.name),
        None => test.name.clone(),
    }
}

/// `std/layers/dense.tfm` is of the module `std.layers`.
fn module_of(file: &str) -> String {
    let mut parts = file.split('/');
    let (root, folder) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("{root}.{}", folder.trim_end_matches(".tfm"))
}

/// Whether a file can have tests; others need not be read closely.
fn mentions_tests(text: &str) -> bool {
    text.lines().map(str::trim_start).any(|l| l.starts_with("test ") || l.starts_with("///") && l.contains("example:"))
}
