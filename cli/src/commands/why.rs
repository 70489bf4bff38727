//! `tfm why`: where the dimensions of a value come from.

use crate::failure::Failure;
use crate::output::{Color, say, show_diagnostics};
use crate::settings::Settings;
use clap::Args;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tfm_lang::check::why::{Known, find};
use tfm_lang::check::{Options, check};
use tfm_lang::source::Sources;

/// The type of a parameter, a named value, an input or a field, and the life of each dimension: the declaration that
/// it comes from and each operation that changed it. No data is read.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm why examples/02_mnist_convnet.tfm ConvNet.dense_1.w")]
pub struct Why {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The value: a parameter's path, `ConvNet.dense_1.w`, a name of a training or model, or a field of the data;
    /// without one, all are listed
    #[arg(value_name = "PATH")]
    path: Option<String>,

    #[command(flatten)]
    settings: Settings,
}

impl Why {
    /// Shows the value.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let text = std::fs::read_to_string(&self.file).map_err(Failure::file(&self.file))?;
        let folder = self.file.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut load = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let mut sources = Sources::default();
        let main = sources.add(self.file.display().to_string(), text, false);
        let options = Options { why: true, ..self.settings.options() };
        let checked = check(&mut sources, tfm_stdlib::FILES, main, &mut load, &options);
        let Some(path) = &self.path else {
            let width = checked.known.iter().map(|k| k.path.chars().count()).max().unwrap_or(0);
            let lines: Vec<String> = checked.known.iter().map(|k| format!("{:width$}  {}", k.path, k.ty)).collect();
            return say(&lines.join("\n"));
        };
        let blocks: Vec<&str> = checked.model.iter().flat_map(|m| &m.trains).map(|t| t.name.as_str()).collect();
        match find(&checked.known, &blocks, path) {
            Ok(known) => say(&told(&sources, known)),
            // Of a file with mistakes not every value is known.
            Err(_) if checked.model.is_none() => {
                show_diagnostics(&sources, &checked.diagnostics, color);
                Err(Failure::Shown)
            }
            Err(message) => Err(Failure::Message(message)),
        }
    }
}

/// The value as text: its type, then each dimension with its history and the lines of the file it is from.
fn told(sources: &Sources, known: &Known) -> String {
    let place = |span| {
        let (line, _) = sources.line_column(span);
        (sources.get(span.file).name.clone(), line)
    };
    let (file, line) = place(known.span);
    let mut out = format!("{}: {}, {} ({file}:{line})\n", known.path, known.ty, known.kind);
    if known.axes.is_empty() {
        out.push_str("\nIt has no dimensions: it is one number.\n");
    }
    for (i, (size, steps)) in known.axes.iter().enumerate() {
        let _ = writeln!(out, "\nAxis {i}, of size {size}");
        let mut shown = None;
        for step in steps {
            let (file, line) = place(step.span);
            let text = sources.get(step.span.file).text.lines().nth(line.saturating_sub(1)).unwrap_or("").trim();
            let _ = writeln!(out, "{:indent$}{}", "", step.text, indent = 2 + 2 * step.depth);
            if shown != Some((file.clone(), line)) {
                let _ = writeln!(out, "{:indent$}{file}:{line} │ {text}", "", indent = 6 + 2 * step.depth);
                shown = Some((file, line));
            }
        }
        if steps.is_empty() {
            out.push_str("  written there\n");
        }
    }
    out.trim_end().to_string()
}
