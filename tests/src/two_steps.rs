//! Runs a checked file for two steps and an evaluation, on made-up records of the declared types: whether
//! what the checker promises about shapes holds, without the data. What the models give in the evaluation must
//! have the shapes that the checker wrote down, at the size of the batch.

use crate::mutate::Random;
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::model::{FieldSpec, Model};
use tfm_lang::types::DType;
use tfm_lowering::build::{evaluate_entry, step_entry};
use tfm_lowering::{build, differentiate, simplify, update};
use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::Engine;
use tfm_runtime::session::{Context, Session, SessionError};
use tfm_runtime::tensor::Tensor;

/// What came of it.
pub enum Outcome {
    /// Both steps and the evaluation ran.
    Ran,
    /// Lowering refused the file, as `tfm check` does.
    Refused(Box<Diagnostic>),
    /// A value, and no shape, was refused by a kernel: an index that no bound is known for.
    Value(String),
    /// It failed while it ran: what the checker should have found.
    Failed(String),
    /// Too large to be tried here.
    TooLarge,
}

/// More numbers than this are not trained here.
const MOST: i64 = 6_000_000;

/// Two steps of each `train` block, with batches of 3 and of 2 records, and an evaluation of 2.
pub fn two_steps(model: &Model) -> Outcome {
    let sizes = model.variables.iter().map(|v| v.ty.size().as_constant().unwrap_or(i64::MAX));
    if sizes.fold(0i64, i64::saturating_add) > MOST {
        return Outcome::TooLarge;
    }
    let mut graph = build(model);
    if let Err(d) = differentiate(&mut graph, model).and_then(|()| update(&mut graph, model)) {
        return Outcome::Refused(Box::new(d));
    }
    simplify(&mut graph);
    let mut session = Session::new(graph, Cpu::new(1));
    session.set_size("steps_per_epoch", 7);
    if let Err(e) = session.initialize(1) {
        return Outcome::Failed(format!("its variables do not start: {e}"));
    }
    for train in &model.trains {
        let fields = &model.data[train.data.data].fields;
        for (step, records, entry) in
            [(1, 3, step_entry(&train.name)), (2, 2, step_entry(&train.name)), (0, 2, evaluate_entry(&train.name))]
        {
            let batch: Vec<(&str, Tensor)> = match fields.iter().map(|f| made_up(f, records)).collect() {
                Some(batch) => batch,
                None => return Outcome::TooLarge,
            };
            let feeds: Vec<(&str, &Tensor)> = batch.iter().map(|(n, t)| (*n, t)).collect();
            let outputs: Vec<String> = match session.graph().entries.iter().find(|e| e.name == entry) {
                Some(e) => e.outputs.iter().map(|(name, _)| name.clone()).collect(),
                None => return Outcome::Failed(format!("there is no entry {entry}")),
            };
            let wanted: Vec<&str> = outputs.iter().map(String::as_str).collect();
            match session.run(&entry, &feeds, &wanted, true, Context { seed: 1, step }) {
                Ok(values) => {
                    let outputs = if step == 0 { &train.evaluation.outputs } else { &Vec::new() };
                    for (name, v) in outputs {
                        let said = train.evaluation.body.ty(*v).shape.iter();
                        let size = |name: &str| (name == "B").then_some(records as i64);
                        let said: Option<Vec<i64>> = said.map(|axis| axis.dim.evaluate(&size)).collect();
                        let got = wanted.iter().position(|w| w == name).and_then(|i| values.get(i));
                        let got = got.map(|t| t.shape.iter().map(|n| *n as i64).collect());
                        if said.is_none() || said != got {
                            return Outcome::Failed(format!("{name} is {got:?} where the checker said {said:?}"));
                        }
                    }
                }
                Err(SessionError::Kernel { message, .. }) => return Outcome::Value(message),
                Err(e) => return Outcome::Failed(format!("{entry} with {records} records: {e}")),
            }
        }
    }
    Outcome::Ran
}

/// So many records of a field; `None` where they are too many numbers.
fn made_up(field: &FieldSpec, records: usize) -> Option<(&str, Tensor)> {
    let record: Vec<i64> = field.ty.shape.iter().map(|a| a.dim.as_constant()).collect::<Option<_>>()?;
    let count = record.iter().try_fold(records as i64, |n, size| n.checked_mul(*size))?;
    if !(0..=MOST).contains(&count) {
        return None;
    }
    let shape: Vec<usize> = std::iter::once(records).chain(record.iter().map(|n| *n as usize)).collect();
    let below = field.ty.below.as_ref().and_then(|d| d.as_constant()).unwrap_or(200).clamp(1, 1 << 20) as usize;
    let mut random = Random::new(count as u64 + field.name.len() as u64);
    let mut tensor = Tensor::zeros(field.ty.dtype, &shape);
    let mut whole = || random.below(below);
    match field.ty.dtype {
        DType::F64 => tensor.elements_mut::<f64>().iter_mut().for_each(|x| *x = whole() as f64 / below as f64),
        DType::F32 => tensor.elements_mut::<f32>().iter_mut().for_each(|x| *x = whole() as f32 / below as f32),
        DType::I64 => tensor.elements_mut::<i64>().iter_mut().for_each(|x| *x = whole() as i64),
        DType::I32 => tensor.elements_mut::<i32>().iter_mut().for_each(|x| *x = whole() as i32),
        DType::U8 => tensor.elements_mut::<u8>().iter_mut().for_each(|x| *x = whole() as u8),
        DType::I8 => tensor.elements_mut::<i8>().iter_mut().for_each(|x| *x = whole() as i8),
        // Zeros, which are numbers of every dtype.
        DType::Bool | DType::Bf16 | DType::F16 => {}
    }
    Some((&field.name, tensor))
}
