//! `tfm graph`: the step of a file as a picture, and the forms between a file and its numbers.

use crate::failure::Failure;
use crate::output::{Color, say};
use crate::picture::{self, Picture};
use crate::pipeline::Compiled;
use crate::settings::Settings;
use crate::target::{block, compile};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tfm_lang::model::Train;
use tfm_lowering::plan::{Request, schedule};
use tfm_runtime::cpu::Cpu;

/// What a step computes: layers in layers, with the shapes that flow between them, parameters and operations.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm graph examples/01_digits.tfm --depth 1\n  \
    tfm graph examples/01_digits.tfm --format html --output digits.html\n  \
    tfm graph examples/01_digits.tfm --train --format svg --output step.svg\n  \
    tfm graph examples/01_digits.tfm --plan B=64 steps_per_epoch=100")]
pub struct Graph {
    /// The file
    file: PathBuf,

    /// The `train` block, when the file has several [default: the first]
    name: Option<String>,

    /// The form
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    format: Form,

    /// How deep layers are opened; 0 shows the outermost only [default: all but those of the library]
    #[arg(long, value_name = "N")]
    depth: Option<usize>,

    /// The whole step: forward, backward and update
    #[arg(long)]
    train: bool,

    /// Write to a file, and not to the terminal
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Print the graph as text: --format text
    #[arg(long, conflicts_with_all = ["format", "plan", "proto"])]
    text: bool,

    /// Write the graph as protobuf: --format proto --output FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "plan"])]
    proto: Option<PathBuf>,

    /// Print the plans of all entries for these sizes
    #[arg(long, value_name = "SIZE=N", num_args = 1.., value_parser = size, conflicts_with = "format")]
    plan: Vec<(String, i64)>,

    #[command(flatten)]
    settings: Settings,
}

/// The forms of a graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum Form {
    /// A tree for the terminal
    #[default]
    Tree,
    /// A drawing, for light and dark pages
    Svg,
    /// A page: layers to fold, search, figures, the source beside it; one file
    Html,
    /// For Graphviz
    Dot,
    /// For pages of text that draw Mermaid
    Mermaid,
    /// Layers, expressions and what flows between, as JSON
    Json,
    /// The JSON that Model Explorer opens
    ModelExplorer,
    /// The whole graph of all blocks, an operation a line
    Text,
    /// The same as protobuf
    Proto,
}

fn size(text: &str) -> Result<(String, i64), String> {
    let (name, n) = text.split_once('=').ok_or("it must be SIZE=N, such as B=128")?;
    match n.trim().parse() {
        Ok(n) if n > 0 => Ok((name.trim().into(), n)),
        _ => Err(format!("`{n}` is no size")),
    }
}

impl Graph {
    /// Prints or writes what was asked for.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let compiled = compile(&self.file, &self.settings.options(), &|m| self.settings.apply(m), color)?;
        if !self.plan.is_empty() {
            return self.plans(&compiled);
        }
        let form = match (self.text, &self.proto) {
            (true, _) => Form::Text,
            (_, Some(_)) => Form::Proto,
            _ => self.format,
        };
        let output = self.output.as_ref().or(self.proto.as_ref());
        let bytes = match form {
            Form::Proto if output.is_none() => {
                return Err(Failure::Usage("protobuf is not for a terminal: add --output FILE".into()));
            }
            Form::Proto => compiled.graph.to_bytes(),
            Form::Text => compiled.graph.to_string().into_bytes(),
            form => self.picture(form, &compiled)?.into_bytes(),
        };
        match output {
            Some(path) => std::fs::write(path, bytes).map_err(Failure::file(path)),
            None => say(&String::from_utf8_lossy(&bytes)),
        }
    }

    fn picture(&self, form: Form, compiled: &Compiled) -> Result<String, Failure> {
        let picture = Picture::of(compiled, self.block(compiled)?, self.train);
        Ok(match form {
            Form::Svg => picture::svg(&picture, self.depth),
            Form::Html => picture::html(&picture),
            Form::Dot => picture::dot(&picture, self.depth),
            Form::Mermaid => picture::mermaid(&picture, self.depth),
            Form::Json => picture::json(&picture).to_string(),
            Form::ModelExplorer => picture::model_explorer(&picture).to_string(),
            Form::Tree | Form::Text | Form::Proto => picture::tree(&picture, self.depth),
        })
    }

    fn block<'a>(&self, compiled: &'a Compiled) -> Result<&'a Train, Failure> {
        let trains = &compiled.model.trains;
        match &self.name {
            Some(name) => Ok(&trains[block(compiled, name)?]),
            None => trains.first().ok_or_else(|| {
                Failure::Message(format!("{} has no `train` block, and so no step to draw", self.file.display()))
            }),
        }
    }

    fn plans(&self, compiled: &Compiled) -> Result<(), Failure> {
        let device = Cpu::new(self.settings.threads());
        let sizes: BTreeMap<String, i64> = self.plan.iter().cloned().collect();
        for entry in &compiled.graph.entries {
            let fetches = entry.outputs.iter().map(|(name, _)| name.clone()).collect();
            let request = Request { entry: entry.name.clone(), fetches, assigns: true, sizes: sizes.clone() };
            let plan = schedule(&compiled.graph, &request, &device)
                .map_err(|e| Failure::Message(format!("no plan for `{}`: {e}", entry.name)))?;
            say(&format!("{}\n{plan}", entry.name))?;
        }
        Ok(())
    }
}
