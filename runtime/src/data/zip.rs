//! `zip`: parts of other data sets, record by record.

use super::error::DataError;
use super::learned::Learned;
use super::open::{Opened, Opening, Options, open as open_data};
use super::split::{Field, Records, Split};
use crate::tensor::Tensor;
use std::sync::Arc;

/// The parts of the declaration.
pub(super) fn open(o: &Opening) -> Result<Opened, DataError> {
    let (mut parts, mut fields, mut places) = (Vec::new(), Vec::new(), Vec::new());
    let mut learned = Learned::default();
    for z in &o.spec.zipped {
        let before = o.learned.and_then(|l| l.zipped.get(&z.name)).cloned();
        let options = Options { roots: o.roots.to_vec(), learned: before };
        let data = open_data(&z.data, &options)?;
        let split = data.splits.get(z.split).map(|(_, split)| split.apply(&z.operators));
        let split = split.ok_or_else(|| DataError::new(format!("`{}` has no such part", z.data.name)))??;
        for (i, field) in split.fields().iter().enumerate() {
            fields.push(Field { name: format!("{}.{}", z.name, field.name), ..field.clone() });
            places.push((parts.len(), i));
        }
        parts.push(split);
        learned.zipped.insert(z.name.clone(), data.learned);
    }
    let records = parts.iter().map(Split::len).min().unwrap_or(0);
    let (splits, _) = o.parts(vec![("all".into(), fields, records, Arc::new(Zip { parts, places }))])?;
    Ok((splits, learned))
}

struct Zip {
    parts: Vec<Split>,
    /// The part of each field, and the field in it.
    places: Vec<(usize, usize)>,
}

impl Records for Zip {
    fn read(&self, field: usize, rows: &mut dyn Iterator<Item = usize>, out: &mut Tensor) {
        let (part, field) = self.places[field];
        self.parts[part].read_rows(field, rows, out);
    }

    fn kept(&self, blocks: &mut std::collections::BTreeMap<usize, usize>) {
        self.parts.iter().for_each(|part| part.kept(blocks));
    }
}
