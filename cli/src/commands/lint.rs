//! `tfm lint`: hazards of numbers, models, training and data.

mod baseline;
mod files;
mod fix;
pub(crate) mod levels;

use crate::failure::Failure;
use crate::output::{Color, complain, say, table};
use crate::report::{self, Finding, Format};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tfm_lang::diagnostic::Severity;

/// Hazards that types and shapes do not show: of numbers, models, training and data. Errors of the checker are shown too. No data is read.
///
/// Exit status: 0 nothing found, 1 something found, 2 wrong usage, a wrong tfm.toml, or a file that cannot be read.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm lint examples/01_digits.tfm\n  tfm lint --fix --deny suspicious .")]
pub struct Lint {
    /// Files, and folders with all `.tfm` files below them; `-` is the standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    levels: levels::Flags,

    /// Apply the edits that keep what the file means
    #[arg(long)]
    fix: bool,

    /// Apply the other edits too
    #[arg(long)]
    unsafe_fixes: bool,

    /// Show what the edits would change, and change nothing
    #[arg(long)]
    diff: bool,

    /// The form of the output [default: TFM_OUTPUT_FORMAT, or full]
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<Format>,

    /// Write the report to a file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Count the findings of each lint in place of showing them
    #[arg(long, conflicts_with = "format")]
    statistics: bool,

    /// From which severity on the exit status is 1
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    fail_on: FailOn,

    /// Leave out the findings of this file
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Write the findings to a file for `--baseline`, and show none
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fix", "unsafe_fixes", "diff"])]
    write_baseline: Option<PathBuf>,

    /// What the standard input is called; its imports and its tfm.toml are looked for there
    #[arg(long, value_name = "FILE", default_value = "stdin.tfm")]
    stdin_filename: PathBuf,

    /// Read this tfm.toml in place of the closest one
    #[arg(long, value_name = "FILE", conflicts_with = "isolated")]
    config: Option<PathBuf>,

    /// Read no tfm.toml
    #[arg(long)]
    isolated: bool,

    /// List the files that would be looked at
    #[arg(long)]
    show_files: bool,
}

/// From which severity on findings are a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum FailOn {
    /// Warnings too.
    #[default]
    Warn,
    /// Errors only.
    Error,
    /// Nothing that is found.
    Never,
}

impl Lint {
    /// Lints all files; fails when something is found.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let format = self.form()?;
        let mut configs = levels::Configs::new(self.config.as_deref(), self.isolated);
        let inputs = files::collect(&self.paths, &self.stdin_filename, &mut configs)?;
        if self.show_files {
            return inputs.iter().try_for_each(|i| say(&report::told(&i.path)));
        }
        let mut findings = Vec::new();
        let mut changes = fix::Changes::default();
        for input in &inputs {
            let settings = configs.settings(&input.folder(), &self.levels)?;
            if self.fix || self.unsafe_fixes || self.diff {
                fix::mend(input, &settings, self.unsafe_fixes, &mut changes)?;
            }
            findings.extend(files::lint(input, &settings, &changes.texts)?);
        }
        report::finish(&mut findings);
        self.take_out_known(&mut findings, &configs)?;
        if let Some(path) = &self.write_baseline {
            baseline::write(path, &findings).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
            complain(&format!("{} findings are written to {}", findings.len(), path.display()));
            return Ok(());
        }
        if self.diff {
            let shown = changes.diff();
            say(shown.trim_end_matches('\n'))?;
            return if changes.is_empty() { Ok(()) } else { Err(Failure::Shown) };
        }
        let mended = changes.write(&inputs)?;
        // An editor that pipes a text through wants the text.
        let piped = inputs.iter().find(|i| i.piped.is_some()).filter(|_| self.fix || self.unsafe_fixes);
        match piped {
            Some(input) => changes.piped(input)?,
            None => self.show(format, &findings, color)?,
        }
        self.sum_up(format, &findings, mended);
        self.verdict(&findings)
    }

    fn form(&self) -> Result<Format, Failure> {
        if let Some(format) = self.format {
            return Ok(format);
        }
        match std::env::var("TFM_OUTPUT_FORMAT") {
            Ok(word) if !word.is_empty() => Format::from_str(&word, true)
                .map_err(|_| Failure::Usage(format!("TFM_OUTPUT_FORMAT: there is no form `{word}`"))),
            _ => Ok(Format::default()),
        }
    }

    fn take_out_known(&self, findings: &mut Vec<Finding>, configs: &levels::Configs) -> Result<(), Failure> {
        if self.write_baseline.is_some() {
            return Ok(());
        }
        for path in self.baseline.iter().cloned().chain(configs.baselines().filter(|_| self.baseline.is_none())) {
            let known = baseline::read(&path).map_err(|e| Failure::Usage(format!("{}: {e}", path.display())))?;
            findings.retain(|f| !known.contains(&f.fingerprint));
        }
        Ok(())
    }

    fn show(&self, format: Format, findings: &[Finding], color: Color) -> Result<(), Failure> {
        let text = match self.statistics {
            true => statistics(findings),
            false => report::render(format, findings, self.output.is_none() && color.wanted(&std::io::stdout())),
        };
        match &self.output {
            Some(path) => std::fs::write(path, text).map_err(|e| Failure::Usage(format!("{}: {e}", path.display()))),
            None if text.is_empty() => Ok(()),
            None => say(text.trim_end_matches('\n')),
        }
    }

    /// A line for people, on the other stream.
    fn sum_up(&self, format: Format, findings: &[Finding], mended: usize) {
        if !matches!(format, Format::Full | Format::Concise) || self.paths.iter().any(|p| p.as_os_str() == "-") {
            return;
        }
        let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let errors = findings.iter().filter(|f| f.diagnostic.severity == Severity::Error).count();
        let safe = findings.iter().filter(|f| f.diagnostic.fixes.iter().any(|x| x.safe)).count();
        let risky = findings.iter().filter(|f| !f.diagnostic.fixes.is_empty()).count() - safe;
        let mut line = match findings.len() {
            0 => "nothing found".to_string(),
            n => format!("{}, {}", count(errors, "error"), count(n - errors, "warning")),
        };
        if mended > 0 {
            line += &format!("; {} mended", count(mended, "finding"));
        }
        if safe > 0 {
            line += &format!("; `--fix` mends {safe}");
        }
        if risky > 0 {
            line += &format!("; `--unsafe-fixes` {risky} more");
        }
        complain(&line);
    }

    fn verdict(&self, findings: &[Finding]) -> Result<(), Failure> {
        let counts = |f: &Finding| match self.fail_on {
            FailOn::Warn => true,
            FailOn::Error => f.diagnostic.severity == Severity::Error,
            FailOn::Never => false,
        };
        if findings.iter().any(counts) { Err(Failure::Shown) } else { Ok(()) }
    }
}

fn statistics(findings: &[Finding]) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for f in findings {
        *counts.entry((f.diagnostic.code, f.name())).or_default() += 1;
    }
    let mut rows: Vec<_> = counts.into_iter().collect();
    rows.sort_by_key(|(key, n)| (std::cmp::Reverse(*n), *key));
    let rows = rows.iter().map(|((code, name), n)| vec![format!("{code} {name}"), n.to_string()]);
    table(&rows.collect::<Vec<_>>())
}
