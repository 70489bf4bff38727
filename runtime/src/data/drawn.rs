//! `random`: columns of random numbers, for measuring and for trying things out.
//!
//! A number is a function of the seed, its column's place and its own place alone.

use super::error::DataError;
use super::open::{Opened, Opening};
use super::random::{Random, key};
use crate::tensor::Tensor;
use tfm_lang::check::sources::{Drawn, drawn, int};
use tfm_lang::types::DType;

/// Bytes of all records together, at most.
const MOST: u128 = 1 << 36;

/// The columns of the declaration.
pub(super) fn open(o: &Opening) -> Result<Opened, DataError> {
    let (records, seed) = (int(&o.args, "records") as usize, int(&o.args, "seed") as u64);
    let kinds = o.spec.columns.iter().map(drawn).collect::<Result<Vec<_>, _>>()?;
    let sizes = kinds.iter().map(|k| shape(k, records));
    let bytes: u128 = sizes.map(|s| s.iter().map(|&n| n as u128).product::<u128>() * 4).sum();
    if bytes > MOST {
        return Err(DataError::new(format!("{records} records take {} GB", bytes >> 30)).help("draw fewer"));
    }
    let columns = o.spec.columns.iter().zip(&kinds).zip(0u64..).map(|((spec, kind), number)| {
        (spec.name.clone(), column(kind, records, &mut Random::new(key(&[seed, number]))))
    });
    o.arranged(vec![("all".into(), columns.collect())])
}

/// The sizes of a column of so many records.
fn shape(kind: &Drawn, records: usize) -> Vec<usize> {
    let (Drawn::Normal { shape } | Drawn::Uniform { shape } | Drawn::Below { shape, .. }) = kind;
    std::iter::once(records).chain(shape.iter().map(|&n| n as usize)).collect()
}

fn column(kind: &Drawn, records: usize, random: &mut Random) -> Tensor {
    let shape = shape(kind, records);
    let mut out = Tensor::zeros(if matches!(kind, Drawn::Below { .. }) { DType::I32 } else { DType::F32 }, &shape);
    match *kind {
        Drawn::Normal { .. } => out.elements_mut::<f32>().iter_mut().for_each(|x| *x = random.normal()),
        Drawn::Uniform { .. } => out.elements_mut::<f32>().iter_mut().for_each(|x| *x = random.unit()),
        Drawn::Below { count, .. } => {
            out.elements_mut::<i32>().iter_mut().for_each(|x| *x = random.below(count as usize) as i32);
        }
    }
    out
}
