//! `tfm predict`: a model's outputs for a file of inputs.

use crate::failure::Failure;
use crate::output::{Color, complain};
use crate::settings::Settings;
use crate::target::trained;
use clap::{Args, ValueEnum};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use tfm_lowering::build::evaluate_entry;
use tfm_runtime::checkpoint::{Which, load_model};
use tfm_runtime::cpu::{Context, Cpu};
use tfm_runtime::data::{self, Loader, Order, Position};
use tfm_runtime::run::Engine;
use tfm_runtime::session::{Call, Session};
use tfm_runtime::tensor::Tensor;

/// A row for each example, with the outputs of the file's models.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  tfm predict runs/income/001 people.csv -o logits.csv")]
pub struct Predict {
    /// A file, for its newest run, or the folder of a run
    #[arg(value_name = "FILE|RUN")]
    target: PathBuf,

    /// Examples, in the format of the data declaration; a label may be missing
    #[arg(value_name = "INPUT")]
    input: PathBuf,

    /// The `train` block, when the file has several
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Where to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The form of the rows
    #[arg(long, value_enum, default_value_t)]
    format: Rows,

    /// Which checkpoint: last, best, or its folder
    #[arg(long, default_value = "last", value_name = "last|best|PATH")]
    checkpoint: String,

    /// Where the runs are
    #[arg(long, default_value = crate::config::RUNS, value_name = "DIR")]
    runs: PathBuf,

    #[command(flatten)]
    settings: Settings,
}

/// The form of the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum Rows {
    /// Numbers with commas between them, names in the first line
    #[default]
    Csv,
    /// A JSON object per line
    Jsonl,
}

impl Predict {
    /// Computes and writes all rows.
    pub fn run(&self, color: Color) -> Result<(), Failure> {
        let which = Which::from(self.checkpoint.as_str());
        let run = trained(&self.target, self.name.as_deref(), &self.runs, &which, &self.settings, color)?;
        let train = &run.compiled.model.trains[run.train];
        let spec = &run.compiled.model.data[train.data.data];
        let learned = run.learned.get(&spec.name).cloned().unwrap_or_default();
        let split = Arc::new(data::open_file(spec, &self.input, &learned)?);
        let mut session = Session::new(run.compiled.graph.clone(), Cpu::new(self.settings.threads()));
        session.initialize(train.seed)?;
        let variables = session.variables().to_vec();
        let manifest = load_model(&run.checkpoint, &variables, session.tensors_mut())?;

        let entry = evaluate_entry(&train.name);
        let outputs: Vec<&str> = train.evaluation.outputs.iter().map(|(n, _)| n.as_str()).collect();
        if outputs.is_empty() {
            return Err(Failure::Message(format!("`train {}` applies no model, so there is no output", train.name)));
        }
        let inputs = session.inputs(&entry);
        let (names, numbers): (Vec<String>, Vec<usize>) =
            inputs.into_iter().filter_map(|n| Some((n.clone(), split.field(&n)?))).unzip();
        let batch = train.batch.max(1) as usize;
        let mut writer = Writer::open(self)?;
        let context = Context { seed: manifest.progress.seed, step: 0 };
        let mut out = Vec::new();
        for batch in Loader::new(split.clone(), numbers, Order::InOrder, batch, Position::default()) {
            let batch = batch?;
            let feeds: Vec<(&str, &Tensor)> = names.iter().map(String::as_str).zip(&batch.tensors).collect();
            session.set_size("B", batch.examples as i64);
            let call = Call { entry: &entry, feeds: &feeds, fetches: &outputs, assigns: false, context };
            session.run_into(&call, &mut out)?;
            writer.write(&outputs, &out, batch.examples)?;
        }
        writer.finish()
    }
}

/// Writes rows.
struct Writer {
    to: BufWriter<Box<dyn Write>>,
    name: String,
    format: Rows,
    begun: bool,
}

impl Writer {
    fn open(command: &Predict) -> Result<Writer, Failure> {
        let (to, name): (Box<dyn Write>, _) = match &command.output {
            Some(path) => (Box::new(File::create(path).map_err(Failure::file(path))?), path.display().to_string()),
            None => (Box::new(io::stdout()), "the output".into()),
        };
        Ok(Writer { to: BufWriter::new(to), name, format: command.format, begun: false })
    }

    fn failed(&self, e: io::Error) -> Failure {
        match e.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Message(format!("{}: {e}", self.name)),
        }
    }

    /// A row per example; an output that has no row for each example is left out.
    fn write(&mut self, names: &[&str], outputs: &[Tensor], examples: usize) -> Result<(), Failure> {
        let by_example = |t: &Tensor| t.shape.first() == Some(&examples);
        let columns: Vec<(&str, &Tensor, Vec<f64>)> =
            names.iter().zip(outputs).filter(|(_, t)| by_example(t)).map(|(n, t)| (*n, t, t.to_f64())).collect();
        let mut text = String::new();
        if !self.begun {
            self.begun = true;
            names.iter().zip(outputs).filter(|(_, t)| !by_example(t)).for_each(|(name, _)| {
                complain(&format!("note: `{name}` has no row for each example and is left out"));
            });
            if self.format == Rows::Csv {
                text = csv_head(&columns, examples);
            }
        }
        for row in 0..examples {
            match self.format {
                Rows::Csv => text.push_str(&csv_row(&columns, row, examples)),
                Rows::Jsonl => text.push_str(&json_row(&columns, row, examples)),
            }
            text.push('\n');
        }
        self.to.write_all(text.as_bytes()).map_err(|e| self.failed(e))
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|e| self.failed(e))
    }
}

type Column<'a> = (&'a str, &'a Tensor, Vec<f64>);

fn of_row(values: &[f64], row: usize, examples: usize) -> &[f64] {
    let n = values.len() / examples.max(1);
    &values[row * n..(row + 1) * n]
}

/// `Net` where an example has one number, else `Net.0`, `Net.1`.
fn csv_head(columns: &[Column<'_>], examples: usize) -> String {
    let of_column = |(name, _, values): &Column<'_>| {
        let n = values.len() / examples.max(1);
        if n == 1 { vec![name.to_string()] } else { (0..n).map(|i| format!("{name}.{i}")).collect() }
    };
    columns.iter().flat_map(of_column).collect::<Vec<_>>().join(",") + "\n"
}

/// Outputs are f32 or integers: both are exact as f32's shortest text, and as short as can be.
fn number(x: f64) -> String {
    if f64::from(x as f32) == x || x.is_nan() { (x as f32).to_string() } else { x.to_string() }
}

fn csv_row(columns: &[Column<'_>], row: usize, examples: usize) -> String {
    let numbers = columns.iter().flat_map(|(_, _, values)| of_row(values, row, examples));
    numbers.map(|x| number(*x)).collect::<Vec<_>>().join(",")
}

fn json_row(columns: &[Column<'_>], row: usize, examples: usize) -> String {
    let object = columns.iter().map(|(name, tensor, values)| {
        let values: Vec<serde_json::Value> = of_row(values, row, examples).iter().map(|x| json_number(*x)).collect();
        (name.to_string(), nested(&tensor.shape[1..], &values))
    });
    serde_json::Value::Object(object.collect()).to_string()
}

fn json_number(x: f64) -> serde_json::Value {
    if f64::from(x as f32) == x { tfm_runtime::run::json_number(x as f32) } else { serde_json::json!(x) }
}

/// Values in row-major order as lists in lists.
fn nested(shape: &[usize], values: &[serde_json::Value]) -> serde_json::Value {
    match shape {
        [] => values.first().cloned().unwrap_or_default(),
        [_] => values.to_vec().into(),
        [n, rest @ ..] => {
            let size = values.len() / (*n).max(1);
            values.chunks(size.max(1)).map(|part| nested(rest, part)).collect::<Vec<_>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_one_example_each() {
        let two = Tensor::of::<f32>(&[2, 2], &[0.1, 2.0, 3.0, f32::NAN]);
        let one = Tensor::of::<i32>(&[2], &[5, 6]);
        let columns = [("Net.mu", &two, two.to_f64()), ("Top", &one, one.to_f64())];
        assert_eq!(csv_head(&columns, 2), "Net.mu.0,Net.mu.1,Top\n");
        assert_eq!(csv_row(&columns, 0, 2), "0.1,2,5");
        assert_eq!(csv_row(&columns, 1, 2), "3,NaN,6");
        assert_eq!(json_row(&columns, 1, 2), r#"{"Net.mu":[3.0,null],"Top":6.0}"#);
        let deep = Tensor::of::<f32>(&[1, 2, 1], &[1.0, 2.0]);
        let columns = [("D", &deep, deep.to_f64())];
        assert_eq!(json_row(&columns, 0, 1), r#"{"D":[[1.0],[2.0]]}"#);
    }
}
