//! `tfm data`: from a file to its declaration, and from a declaration to its records.

use crate::failure::Failure;
use crate::output::{Color, say, table};
use crate::settings::Settings;
use crate::target::{compile, open_data, parent};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use tfm_lang::check::sources::{self, Column};
use tfm_lang::model::DataSpec;
use tfm_lang::types::DType;
use tfm_runtime::data::{Dataset, Split, inspect};

/// Look at data before a model is written for it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm data inspect people.csv")]
pub struct Data {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone, Debug)]
enum What {
    /// Write the declaration that reads a file or folder
    #[command(after_help = "Example:\n  tfm data inspect people.csv >> income.tfm")]
    Inspect {
        /// CSV, JSON lines, text, `.npy`, `.npz`, idx, or a folder of images or sounds
        #[arg(value_name = "PATH")]
        path: PathBuf,
    },
    /// Show the first records of a declaration as the model will see them
    #[command(after_help = "Example:\n  tfm data show examples/01_digits.tfm digits")]
    Show(Show),
}

#[derive(Args, Clone, Debug)]
struct Show {
    /// The file with the declaration
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The data; all of the file when none is named
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// How many records of each part
    #[arg(short = 'n', long, default_value_t = 5, value_name = "N")]
    records: usize,

    #[command(flatten)]
    settings: Settings,
}

impl Data {
    /// Runs what was asked for.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        match &self.what {
            What::Inspect { path } => say(&inspect(path)?),
            What::Show(show) => show.run(color),
        }
    }
}

impl Show {
    fn run(&self, color: Color) -> Result<(), Failure> {
        let compiled = compile(&self.file, &self.settings.options(), &|m| self.settings.apply(m), color)?;
        let data = &compiled.model.data;
        let wanted: Vec<usize> =
            (0..data.len()).filter(|i| self.name.as_ref().is_none_or(|n| data[*i].name == *n)).collect();
        if wanted.is_empty() {
            let names: Vec<&str> = data.iter().map(|d| d.name.as_str()).collect();
            return Err(Failure::Message(match (&self.name, names.as_slice()) {
                (Some(name), [_, ..]) => format!("there is no `data {name}`; there is {}", names.join(", ")),
                _ => "the file declares no data".into(),
            }));
        }
        for i in wanted {
            let opened = open_data(&compiled.model, [i], &parent(&self.file), None)?;
            say(&shown(&data[i], &opened[&i], self.records))?;
        }
        Ok(())
    }
}

/// Each part with its first records.
fn shown(spec: &DataSpec, data: &Dataset, records: usize) -> String {
    let mut out = String::new();
    for (name, split) in &data.splits {
        let n = split.len();
        out.push_str(&format!("{}.{name}: {n} record{}\n", spec.name, if n == 1 { "" } else { "s" }));
        let mut rows = vec![split.fields().iter().map(|f| f.name.clone()).collect::<Vec<_>>()];
        rows.push(spec.fields.iter().map(|f| f.ty.to_string()).collect());
        for i in 0..records.min(n) {
            rows.push((0..split.fields().len()).map(|f| value(spec, split, f, i)).collect());
        }
        out.push_str(&table(&rows));
        out.push_str("\n\n");
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// One field of one record: a number, a category's text, a few numbers, or the range of many.
fn value(spec: &DataSpec, split: &Split, field: usize, record: usize) -> String {
    const FEW: usize = 6;
    let f = &split.fields()[field];
    let values = split.get(field, &[record]).to_f64();
    let number = |x: &f64| if f.dtype == DType::F32 { ((*x * 1e4).round() / 1e4).to_string() } else { x.to_string() };
    let column = spec.columns.iter().find(|c| c.name == f.name).and_then(|c| sources::column(c).ok());
    match (&values[..], column) {
        ([x], Some(Column::Names { names, .. })) => names.get(*x as usize).cloned().unwrap_or_else(|| number(x)),
        ([x], _) => number(x),
        (few, _) if few.len() <= FEW => few.iter().map(number).collect::<Vec<_>>().join(" "),
        (many, _) if f.dtype == DType::I32 && f.shape.len() == 1 => {
            format!("{} …", many.iter().take(2 * FEW).map(number).collect::<Vec<_>>().join(" "))
        }
        (many, _) => {
            let least = many.iter().copied().fold(f64::INFINITY, f64::min);
            let most = many.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mean = many.iter().sum::<f64>() / many.len() as f64;
            format!("{} to {}, mean {}", number(&least), number(&most), (mean * 1e4).round() / 1e4)
        }
    }
}
