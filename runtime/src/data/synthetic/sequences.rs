//! `synthetic.sequences`: padded sequences of the class of their last sign.

use super::{field, size, whole};
use crate::data::error::DataError;
use crate::data::open::{Opened, Opening};
use crate::data::random::{Random, key};
use crate::data::split::Records;
use crate::tensor::Tensor;
use tfm_lang::types::DType;

/// The records of the declaration.
pub(crate) fn open(o: &Opening) -> Result<Opened, DataError> {
    let length = size(o, "length");
    let fields =
        vec![field("tokens", DType::I32, &[length]), field("length", DType::I32, &[]), field("label", DType::I32, &[])];
    let key = key(&[size(o, "seed") as u64]);
    whole(o, fields, Sequences { key, length, vocabulary: size(o, "vocabulary"), classes: size(o, "classes") })
}

struct Sequences {
    key: u64,
    length: usize,
    vocabulary: usize,
    classes: usize,
}

/// One sequence.
struct Sequence {
    length: usize,
    label: usize,
    /// Where its last sign stands.
    last: usize,
    random: Random,
}

impl Sequences {
    fn begin(&self, record: usize) -> Sequence {
        let mut random = Random::new(key(&[self.key, record as u64]));
        let shortest = self.length.div_ceil(3);
        let length = shortest + random.below(self.length - shortest + 1);
        let label = random.below(self.classes);
        // The last sign stands in the latter three quarters, so that others may come before it.
        let last = length / 4 + random.below(length - length / 4);
        Sequence { length, label, last, random }
    }

    fn tokens(&self, record: usize, out: &mut [i32]) {
        let Sequence { length, label, last, mut random } = self.begin(record);
        let nothing = self.vocabulary - self.classes - 1;
        out.fill(0);
        for (i, token) in out[..length].iter_mut().enumerate() {
            let sign = i < last && random.below(4) == 0;
            *token = match i == last {
                true => 1 + label,
                false if sign => 1 + random.below(self.classes),
                false => 1 + self.classes + random.below(nothing),
            } as i32;
        }
    }
}

impl Records for Sequences {
    fn read(&self, field: usize, rows: &mut dyn Iterator<Item = usize>, out: &mut Tensor) {
        let out = out.elements_mut::<i32>();
        match field {
            0 => rows.zip(out.chunks_exact_mut(self.length)).for_each(|(row, to)| self.tokens(row, to)),
            1 => rows.zip(out).for_each(|(row, to)| *to = self.begin(row).length as i32),
            _ => rows.zip(out).for_each(|(row, to)| *to = self.begin(row).label as i32),
        }
    }
}
