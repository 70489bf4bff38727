//! `tfm init`: from a data file to a `.tfm` file that trains.

mod language;
mod pictures;
mod sketch;
mod tabular;

use crate::failure::Failure;
use crate::output::{Color, complain, say};
use crate::pipeline::compile;
use crate::target::open_data;
use clap::Args;
use sketch::Sketch;
pub use sketch::camel;
use std::path::{Path, PathBuf};
use tfm_lang::check::Options;
use tfm_lang::model::{DataSpec, FieldSpec};
use tfm_lang::types::DType;
use tfm_runtime::data::inspect_for;

/// The declaration of the data, a net that suits its fields, a loss, metrics, an optimizer: to begin with, and to be
/// changed.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "What is to be predicted is the column `--label` names, else one called `label` or the like, else \
    the last one.\n\nExample:\n  tfm init --from people.csv --label income\n  tfm train people.tfm"
)]
pub struct Init {
    /// CSV, JSON lines, text, `.npy`, `.npz`, idx, or a folder of images or sounds
    #[arg(long, value_name = "PATH")]
    from: PathBuf,

    /// The column that is to be predicted
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,

    /// Where to write; `-` is standard output [default: the name of the data with `.tfm`]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Init {
    /// Writes the file.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let to_screen = self.output.as_ref().is_some_and(|o| o.as_os_str() == "-");
        let written = draft(&self.from, self.label.as_deref(), color)?;
        if to_screen {
            return say(&written.text);
        }
        let to = self.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.tfm", written.name)));
        if to.exists() {
            return Err(Failure::Message(format!(
                "{} is there already; name another file with -o, or `-o -` to look at it",
                to.display()
            )));
        }
        std::fs::write(&to, &written.text).map_err(Failure::file(&to))?;
        say(&format!("{}: {}\n  tfm train {}", to.display(), written.summary, to.display()))
    }
}

/// A file that was drafted.
pub struct Draft {
    /// The name of the data.
    pub name: String,
    /// The file.
    pub text: String,
    /// What it does, in a line.
    pub summary: String,
}

/// Drafts a file for data. Relative paths are as they are from here.
pub fn draft(from: &Path, label: Option<&str>, color: Color) -> Result<Draft, Failure> {
    let declaration = inspect_for(from, label)?;
    let (spec, rows) = opened(&declaration, color)?;
    let sketch = match spec.source.as_str() {
        "text" | "lines" => match label {
            Some(label) => return Err(Failure::Message(format!("a text has no column `{label}`"))),
            None => language::sketch(&spec),
        },
        _ => {
            let target = target(&spec, label)?;
            let inputs: Vec<&FieldSpec> =
                spec.fields.iter().filter(|f| f.name != target.name && !is_length(&spec, f)).collect();
            match inputs.as_slice() {
                [] => return Err(Failure::Message(format!("there is nothing to predict `{}` from", target.name))),
                [one] if one.ty.rank() == 3 => pictures::images(&spec, one, target),
                [one] if spec.source == "wav" => pictures::sounds(&spec, one, target),
                many => tabular::sketch(&spec, many, target, rows),
            }
        }
    };
    let text = written(&declaration, &spec, &sketch, rows);
    // What is written must be right, whatever the data: a mistake here is one of this command.
    let checked = compile("draft.tfm", &text, &mut |_| None, &Options::default(), &|_| {});
    if let Err(rejected) = checked {
        complain(&text);
        crate::output::show_diagnostics(&rejected.sources, &rejected.diagnostics, color);
        return Err(Failure::Message("no file could be drafted for this data; the one above has mistakes".into()));
    }
    Ok(Draft { name: spec.name.clone(), text, summary: sketch.summary })
}

/// The declaration as the checker reads it, and how many records the part has that is trained on.
fn opened(declaration: &str, color: Color) -> Result<(DataSpec, usize), Failure> {
    let compiled =
        compile("data.tfm", declaration, &mut |_| None, &Options::default(), &|_| {}).map_err(|rejected| {
            crate::output::show_diagnostics(&rejected.sources, &rejected.diagnostics, color);
            Failure::Message("the declaration that was guessed is not right; write it with `tfm data inspect`".into())
        })?;
    let spec = compiled.model.data.first().cloned();
    let spec = spec.ok_or_else(|| Failure::Message("no declaration could be guessed".into()))?;
    let opened = open_data(&compiled.model, [0], Path::new("."), None)?;
    let rows = opened.get(&0).and_then(|d| d.splits.first()).map_or(0, |(_, split)| split.len());
    Ok((spec, rows))
}

/// True for a field that only says how much of another counts.
fn is_length(spec: &DataSpec, field: &FieldSpec) -> bool {
    spec.source == "wav" && field.name == "length"
}

/// What is to be predicted.
fn target<'a>(spec: &'a DataSpec, label: Option<&str>) -> Result<&'a FieldSpec, Failure> {
    const NAMES: [&str; 8] = ["label", "target", "class", "y", "labels", "targets", "output", "outcome"];
    let named = |name: &str| spec.fields.iter().find(|f| f.name.eq_ignore_ascii_case(name));
    let is_label = |f: &&FieldSpec| {
        let kind = spec.columns.iter().find(|c| c.name == f.name).map(|c| &c.kind);
        matches!(kind, Some(tfm_lang::model::Static::Call(name, _)) if name == "label")
    };
    let names = || spec.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = match label {
        Some(name) => named(name).ok_or_else(|| {
            let skipped = spec.columns.iter().any(|c| c.name == name);
            let why = if skipped { "has nothing in it that could be predicted" } else { "is not there" };
            Failure::Message(format!("the column `{name}` {why}; there are {}", names()))
        })?,
        None => {
            let by_name = || NAMES.into_iter().find_map(named);
            let found = spec.fields.iter().rfind(is_label).or_else(by_name).or(spec.fields.last());
            found.ok_or_else(|| Failure::Message("every column is left out; there is nothing to train on".into()))?
        }
    };
    let ty = &found.ty;
    let is_class = ty.below.is_some() && ty.rank() == 0;
    let is_number = matches!(ty.dtype, DType::F32 | DType::F64 | DType::F16 | DType::Bf16) && ty.rank() <= 1;
    let is_hashed = spec.columns.iter().any(|c| c.name == found.name && format!("{:?}", c.kind).contains("hash"));
    if is_hashed {
        return Err(Failure::Message(format!(
            "`{}` has too many different texts to be classes; name another column with --label",
            found.name
        )));
    }
    if is_class || is_number || ty.dtype == DType::Bool || ty.dtype == DType::U8 && ty.rank() == 0 {
        return Ok(found);
    }
    Err(Failure::Message(format!(
        "`{}`, {ty}, is neither a class nor a number; name what is to be predicted with --label: there are {}",
        found.name,
        names()
    )))
}

/// The whole file.
fn written(declaration: &str, spec: &DataSpec, sketch: &Sketch, rows: usize) -> String {
    let name = &spec.name;
    let batch = (rows / 64).next_power_of_two().clamp(8, sketch.most);
    let epochs = (3000 / (rows / batch).max(1)).clamp(5, 40);
    let length = sketch.steps.map_or(format!("epochs:    {epochs}"), |n| format!("steps:     {n}"));
    let every = if sketch.steps.is_some() { "every 200 steps" } else { "every 1 epoch" };
    let train = spec.splits.first().map_or("all", String::as_str);
    let mut text = format!("// {}\n// Drafted by `tfm init`: to begin with, and to be changed.\n\n", sketch.summary);
    text += &sketch.imports();
    text += &format!("\n{declaration}\n{}\n", sketch.model);
    text += &format!("train {name}_net on {name}.{train} {{\n{}\n", sketch.forward);
    text += &format!("  minimize {}\n  report   {}\n\n", sketch.loss, sketch.reports.join(", "));
    text += &format!("  optimizer: {}\n  batch:     {batch}\n  {length}\n  seed:      1\n", sketch.optimizer);
    if spec.splits.iter().any(|s| s == "test") {
        let best = sketch.best.as_ref().map_or(String::new(), |b| format!("    checkpoint {b}\n"));
        text += &format!("\n  {every} {{\n    evaluate {name}.test\n{best}  }}\n");
        if sketch.steps.is_none() {
            text += "  stop when test.loss stalls for 5 epochs\n";
        }
    }
    text + "}\n"
}

/// The name of the model for data, `PeopleNet`.
fn model_name(spec: &DataSpec) -> String {
    camel(&spec.name) + "Net"
}
