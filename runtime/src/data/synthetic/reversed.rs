//! `synthetic.reversed`: sequences and the same backwards, with the marks of `words(…, marks: true)`.

use super::{field, size, whole};
use crate::data::error::DataError;
use crate::data::open::{Opened, Opening};
use crate::data::random::{Random, key};
use crate::data::split::Records;
use crate::tensor::Tensor;
use tfm_lang::types::DType;

const START: i32 = 2;
const END: i32 = 3;

/// The tokens below this are marks.
const MARKS: usize = 4;

/// The records of the declaration.
pub(crate) fn open(o: &Opening) -> Result<Opened, DataError> {
    let length = size(o, "length");
    let fields = vec![
        field("source", DType::I32, &[length]),
        field("given", DType::I32, &[length + 1]),
        field("target", DType::I32, &[length + 1]),
    ];
    whole(o, fields, Reversed { key: key(&[size(o, "seed") as u64]), length, vocabulary: size(o, "vocabulary") })
}

struct Reversed {
    key: u64,
    length: usize,
    vocabulary: usize,
}

impl Reversed {
    fn tokens(&self, record: usize) -> Vec<i32> {
        let mut random = Random::new(key(&[self.key, record as u64]));
        let shortest = self.length.div_ceil(3);
        let length = shortest + random.below(self.length - shortest + 1);
        (0..length).map(|_| (MARKS + random.below(self.vocabulary - MARKS)) as i32).collect()
    }
}

impl Records for Reversed {
    fn read(&self, field: usize, rows: &mut dyn Iterator<Item = usize>, out: &mut Tensor) {
        let width = self.length + usize::from(field > 0);
        for (row, to) in rows.zip(out.elements_mut::<i32>().chunks_exact_mut(width)) {
            let mut tokens = self.tokens(row);
            match field {
                0 => {}
                1 => {
                    tokens.push(START);
                    tokens.reverse();
                }
                _ => {
                    tokens.reverse();
                    tokens.push(END);
                }
            }
            to[..tokens.len()].copy_from_slice(&tokens);
            to[tokens.len()..].fill(0);
        }
    }
}
