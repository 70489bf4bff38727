//! `tfm check`: the mistakes in files.

use crate::cost::{Costs, Shown, layers};
use crate::failure::Failure;
use crate::output::{Color, Format, complain, diagnostics_json, say, show_diagnostics};
use crate::pipeline::compile_file;
use crate::settings::Settings;
use crate::target::parent;
use crate::{notes, starts};
use clap::Args;
use std::path::PathBuf;
use tfm_lang::check::Options;

/// Names, types and shapes, for every batch size at once. No data is read.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm check examples/01_digits.tfm")]
pub struct Check {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    settings: Settings,

    /// Show the layers of correct files: shapes, parameters, operations, memory
    #[arg(long)]
    summary: bool,

    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Check {
    /// Checks all files; fails when one has an error.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let mut good = true;
        for file in &self.files {
            let options = Options { tests: true, ..self.settings.options() };
            let result = compile_file(file, &options, &|m| self.settings.apply(m)).map_err(Failure::file(file))?;
            let (sources, mut diagnostics) = match &result {
                Ok(compiled) => (&compiled.sources, compiled.warnings.clone()),
                Err(rejected) => (&rejected.sources, rejected.diagnostics.clone()),
            };
            let unfit = match &result {
                Ok(compiled) => starts::unfit(compiled, &compiled.model.trains, &parent(file), false),
                Err(_) => Vec::new(),
            };
            let is_good = result.is_ok() && unfit.is_empty();
            diagnostics.extend(unfit);
            match self.format {
                Format::Plain => show_diagnostics(sources, &diagnostics, color),
                Format::Json if diagnostics.is_empty() => {}
                Format::Json => say(&diagnostics_json(sources, &diagnostics))?,
            }
            good &= is_good;
            if let (Ok(compiled), Format::Plain, true) = (&result, self.format, is_good) {
                notes::of(compiled, &compiled.model.trains).iter().for_each(|note| complain(note));
                let blocks: Vec<&str> = compiled.model.trains.iter().map(|t| t.name.as_str()).collect();
                let of = if blocks.is_empty() { String::new() } else { format!(": {}", blocks.join(", ")) };
                say(&format!("{} is correct{of}", file.display()))?;
                for train in compiled.model.trains.iter().filter(|_| self.summary) {
                    say(&format!("\n{}", layers(&Costs::of(compiled, train), Shown::Symbolic, usize::MAX)))?;
                }
            }
        }
        if good { Ok(()) } else { Err(Failure::Shown) }
    }
}
