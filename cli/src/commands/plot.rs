//! `tfm plot`: the curves of runs.

use crate::failure::Failure;
use crate::output::{Color, say};
use crate::plot::{self, Over, Run};
use clap::Args;
use std::path::{Path, PathBuf};
use tfm_runtime::run::Table;

/// Losses and metrics of runs, each with its like: `loss` and `test.loss` of all runs share their axes.
#[derive(Args, Clone, Debug)]
#[command(after_help = "A run is its folder, NAME for the newest run of that name, or NAME/001.\n\n\
    Example:\n  tfm plot digits_net/001 digits_net/002 --metric loss,accuracy --svg curves.svg")]
pub struct Plot {
    /// The runs
    #[arg(required = true, value_name = "RUN")]
    of: Vec<String>,

    /// Only these metrics, by their names or last words
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    metric: Vec<String>,

    /// Write a drawing, and nothing to the terminal
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// What stands along the axis below
    #[arg(long, value_enum, default_value_t)]
    x: Over,

    /// Show running means: how much of the last mean stays in the next one, from 0 to 0.999
    #[arg(long, value_name = "PART", default_value_t = 0.0, num_args = 0..=1, default_missing_value = "0.9", value_parser = part)]
    smooth: f64,

    /// Logarithms at the left
    #[arg(long)]
    log: bool,

    /// The newest confusion matrix of each run, in place of curves
    #[arg(long, conflicts_with_all = ["metric", "x", "smooth", "log"])]
    confusion: bool,

    /// Where the folders of runs are
    #[arg(long, default_value = crate::config::RUNS, value_name = "DIR")]
    runs: PathBuf,
}

fn part(text: &str) -> Result<f64, String> {
    let read = text.parse().ok().filter(|s| (0.0..=0.999).contains(s));
    read.ok_or_else(|| "it must be a number from 0 to 0.999".into())
}

impl Plot {
    /// Draws.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let runs = self.of.iter().map(|word| Run::find(word, &self.runs)).collect::<Result<Vec<_>, _>>()?;
        if self.confusion {
            return self.tables(&runs);
        }
        let mut curves = Vec::new();
        for run in &runs {
            curves.extend(plot::curves(run, &self.metric, self.x)?);
        }
        let charts = plot::charts(curves);
        if charts.is_empty() {
            return Err(Failure::Message("there is nothing to draw yet: no metric has a value".into()));
        }
        if let Some(path) = &self.svg {
            let drawing = plot::svg(&charts, self.x, self.log, self.smooth);
            return std::fs::write(path, drawing).map_err(Failure::file(path));
        }
        let wanted = color.wanted(&std::io::stdout());
        let width = crossterm::terminal::size().map_or(80, |(w, _)| usize::from(w)).clamp(40, 120);
        let drawn = charts.iter().map(|c| plot::braille(c, self.x, (width, 12), self.log, self.smooth, wanted));
        say(&drawn.collect::<Vec<_>>().join("\n\n"))
    }

    fn tables(&self, runs: &[Run]) -> Result<(), Failure> {
        for (i, run) in runs.iter().enumerate() {
            for (j, table) in newest(&run.folder)?.into_iter().enumerate() {
                match &self.svg {
                    Some(path) if (i, j) == (0, 0) => std::fs::write(path, table.svg()).map_err(Failure::file(path))?,
                    Some(_) => {}
                    None => {
                        say(&format!("{}{}: {}", if i + j > 0 { "\n" } else { "" }, run.name, plot::confusion(&table)))?
                    }
                }
            }
        }
        Ok(())
    }
}

/// The last table of each name in a run's folder.
fn newest(folder: &Path) -> Result<Vec<Table>, Failure> {
    let of = folder.join("confusion");
    let none = || {
        Failure::Message(format!(
            "{} has no confusion matrix: `report confusion_matrix(logits, label)` in the file writes one at each evaluation",
            folder.display()
        ))
    };
    let mut found: Vec<(String, u64, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(&of).map_err(|_| none())?.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let Some((name, step)) = file.strip_suffix(".csv").and_then(|f| f.rsplit_once("-step-")) else { continue };
        let Ok(step) = step.parse() else { continue };
        match found.iter_mut().find(|(n, ..)| n == name) {
            Some(old) if old.1 > step => {}
            Some(old) => *old = (name.into(), step, entry.path()),
            None => found.push((name.into(), step, entry.path())),
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(none());
    }
    let read = |(name, step, path): &(String, u64, PathBuf)| {
        let text = std::fs::read_to_string(path).map_err(Failure::file(path))?;
        let table = Table::read(&format!("{name} at step {step}"), &text);
        table.ok_or_else(|| Failure::Message(format!("{}: it is no table of numbers", path.display())))
    };
    found.iter().map(read).collect()
}
