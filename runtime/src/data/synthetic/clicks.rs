//! `synthetic.clicks`: click-through records, made as they are asked for.
//!
//! Every number is a function of (seed, record, column), so that a field is read without the others
//! and a batch costs what its numbers cost.

use crate::data::error::DataError;
use crate::data::open::{Opened, Opening};
use crate::data::random::{Random, key};
use crate::data::split::{Field, Records};
use crate::tensor::Tensor;
use std::sync::Arc;
use tfm_lang::check::sources::int;
use tfm_lang::types::DType;

/// How many categories and how many numbers the label depends on.
const TELLING: usize = 4;

/// The records of the declaration.
pub(crate) fn open(o: &Opening) -> Result<Opened, DataError> {
    let size = |name: &str| int(&o.args, name) as usize;
    let clicks = Clicks::new(size("seed") as u64, size("dense"), size("categories"), size("rows"));
    let field = |name: &str, dtype, shape: &[usize]| Field { name: name.into(), dtype, shape: shape.to_vec() };
    let fields = vec![
        field("dense", DType::F32, &[clicks.dense]),
        field("category", DType::I32, &[clicks.categories]),
        field("clicked", DType::F32, &[]),
    ];
    o.parts(vec![("all".into(), fields, size("examples"), Arc::new(clicks))])
}

struct Clicks {
    dense: usize,
    categories: usize,
    /// How many values a category has, and the logarithm of one more.
    rows: usize,
    log_rows: f64,
    /// One for the numbers, the categories, the values' weights and the chance of a click.
    keys: [u64; 4],
    /// What the telling numbers weigh.
    weights: [f32; TELLING],
}

impl Clicks {
    fn new(seed: u64, dense: usize, categories: usize, rows: usize) -> Clicks {
        let keys = std::array::from_fn(|i| key(&[seed, i as u64]));
        let mut random = Random::new(key(&[seed, 4]));
        let weights = std::array::from_fn(|_| random.between(0.35, 0.7) * if random.unit() < 0.5 { -1.0 } else { 1.0 });
        Clicks { dense, categories, rows, log_rows: (rows as f64 + 1.0).ln(), keys, weights }
    }

    fn numbers(&self, record: usize) -> Random {
        Random::new(key(&[self.keys[0], record as u64]))
    }

    /// The values of a record's categories: v with a probability of about 1 / (v + 1), as the logarithm of
    /// v + 1 is even.
    fn values(&self, record: usize) -> impl Iterator<Item = i32> + '_ {
        let mut random = Random::new(key(&[self.keys[1], record as u64]));
        std::iter::repeat_with(move || {
            let even = (random.bits() >> 11) as f64 / (1u64 << 53) as f64;
            ((even * self.log_rows).exp() as usize).clamp(1, self.rows) as i32 - 1
        })
    }

    fn clicked(&self, record: usize) -> f32 {
        let mut numbers = self.numbers(record);
        let x: [f32; TELLING] = std::array::from_fn(|i| if i < self.dense { numbers.normal() } else { 0.0 });
        let mut logit: f32 = -1.3 + x.iter().zip(&self.weights).map(|(x, w)| x * w).sum::<f32>() + 0.5 * x[0] * x[1];
        for (table, value) in self.values(record).take(self.categories.min(TELLING)).enumerate() {
            logit += 0.7 * Random::new(key(&[self.keys[2], table as u64, value as u64])).normal();
        }
        let chance = Random::new(key(&[self.keys[3], record as u64])).unit();
        // The logistic function's inverse: clicked with probability sigmoid(logit).
        f32::from(u8::from(chance < 1.0 / (1.0 + (-logit).exp())))
    }
}

impl Records for Clicks {
    fn read(&self, field: usize, rows: &mut dyn Iterator<Item = usize>, out: &mut Tensor) {
        match field {
            0 => {
                for (row, to) in rows.zip(out.elements_mut::<f32>().chunks_exact_mut(self.dense)) {
                    let mut numbers = self.numbers(row);
                    to.iter_mut().for_each(|x| *x = numbers.normal());
                }
            }
            1 => {
                for (row, to) in rows.zip(out.elements_mut::<i32>().chunks_exact_mut(self.categories)) {
                    to.iter_mut().zip(self.values(row)).for_each(|(to, value)| *to = value);
                }
            }
            _ => rows.zip(out.elements_mut::<f32>()).for_each(|(row, to)| *to = self.clicked(row)),
        }
    }
}
