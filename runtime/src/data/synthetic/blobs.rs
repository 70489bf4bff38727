//! `synthetic.blobs`: points around a middle for each class.

use super::{field, size, whole};
use crate::data::error::DataError;
use crate::data::open::{Opened, Opening};
use crate::data::random::{Random, key};
use crate::data::split::Records;
use crate::tensor::Tensor;
use tfm_lang::check::sources::number;
use tfm_lang::types::DType;

/// The records of the declaration.
pub(crate) fn open(o: &Opening) -> Result<Opened, DataError> {
    let (seed, classes, features) = (size(o, "seed") as u64, size(o, "classes"), size(o, "features"));
    let mut random = Random::new(key(&[seed, 0]));
    // Two such middles are 6 apart on average: each number differs by deviation 3 * sqrt(2 / features) * sqrt(2).
    let reach = 3.0 * (2.0 / features as f32).sqrt();
    let middles = (0..classes * features).map(|_| reach * random.normal()).collect();
    let spread = number(&o.args, "spread") as f32;
    let fields = vec![field("x", DType::F32, &[features]), field("label", DType::I32, &[])];
    whole(o, fields, Blobs { key: key(&[seed, 1]), classes, features, spread, middles })
}

struct Blobs {
    key: u64,
    classes: usize,
    features: usize,
    spread: f32,
    middles: Vec<f32>,
}

impl Blobs {
    fn begin(&self, record: usize) -> (usize, Random) {
        let mut random = Random::new(key(&[self.key, record as u64]));
        (random.below(self.classes), random)
    }
}

impl Records for Blobs {
    fn read(&self, field: usize, rows: &mut dyn Iterator<Item = usize>, out: &mut Tensor) {
        if field == 1 {
            rows.zip(out.elements_mut::<i32>()).for_each(|(row, to)| *to = self.begin(row).0 as i32);
            return;
        }
        for (row, to) in rows.zip(out.elements_mut::<f32>().chunks_exact_mut(self.features)) {
            let (class, mut random) = self.begin(row);
            let middle = &self.middles[class * self.features..(class + 1) * self.features];
            to.iter_mut().zip(middle).for_each(|(x, m)| *x = m + self.spread * random.normal());
        }
    }
}
