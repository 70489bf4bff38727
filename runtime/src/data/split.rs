//! A part of a data set: what its records are read from, and which of them it has.

use super::arrange::{Part, on_part};
use super::error::DataError;
use super::random::{Permutation, key};
use crate::tensor::Tensor;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use tfm_lang::model::Static;
use tfm_lang::types::DType;

/// A field of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its dtype.
    pub dtype: DType,
    /// The sizes of one record's value.
    pub shape: Vec<usize>,
}

/// Tensors with the names of their fields, records along the first axis.
pub(super) type Columns = Vec<(String, Tensor)>;

/// What records are read from. A record is a function of its number alone.
pub(super) trait Records: Send + Sync {
    /// Writes one field of these records, one after the other, into `out`, which has room for them.
    fn read(&self, field: usize, rows: &mut dyn Iterator<Item = usize>, out: &mut Tensor);

    /// Adds the blocks of memory that records are kept in, by their addresses; none for what is made when it is
    /// asked for.
    fn kept(&self, _blocks: &mut BTreeMap<usize, usize>) {}
}

/// Notes that a column is kept.
pub(super) fn keep<T>(blocks: &mut BTreeMap<usize, usize>, kept: &[T]) {
    blocks.insert(kept.as_ptr() as usize, std::mem::size_of_val(kept));
}

/// One tensor per field, records along the first axis.
pub(super) struct InMemory(pub(super) Vec<Tensor>);

impl Records for InMemory {
    fn read(&self, field: usize, rows: &mut dyn Iterator<Item = usize>, out: &mut Tensor) {
        let column = &self.0[field];
        let size = column.dtype.bytes() * column.shape[1..].iter().product::<usize>();
        let bytes = column.bytes();
        for (i, to) in rows.zip(out.bytes_mut().chunks_exact_mut(size)) {
            to.copy_from_slice(&bytes[i * size..(i + 1) * size]);
        }
    }

    fn kept(&self, blocks: &mut BTreeMap<usize, usize>) {
        self.0.iter().for_each(|column| keep(blocks, column.bytes()));
    }
}

/// Blocks of tokens: number `i` begins at `first + i * stride`, but no later than `last`. Field 0 is a block,
/// field 1 the same one token later.
pub(super) struct Blocks {
    pub(super) tokens: Arc<Vec<i32>>,
    pub(super) first: usize,
    pub(super) stride: usize,
    pub(super) last: usize,
    pub(super) block: usize,
}

impl Records for Blocks {
    fn read(&self, field: usize, rows: &mut dyn Iterator<Item = usize>, out: &mut Tensor) {
        for (i, to) in rows.zip(out.elements_mut::<i32>().chunks_exact_mut(self.block)) {
            let at = (self.first + i * self.stride).min(self.last) + field;
            to.copy_from_slice(&self.tokens[at..at + self.block]);
        }
    }

    fn kept(&self, blocks: &mut BTreeMap<usize, usize>) {
        keep(blocks, &self.tokens);
    }
}

/// Which records, in which order.
#[derive(Clone)]
pub(super) enum Rows {
    /// These, in their order.
    Range(Range<usize>),
    /// These.
    List(Arc<[u32]>),
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        match self {
            Rows::Range(r) => r.len(),
            Rows::List(l) => l.len(),
        }
    }

    pub(super) fn get(&self, i: usize) -> usize {
        match self {
            Rows::Range(r) => {
                assert!(i < r.len(), "example {i} of {}", r.len());
                r.start + i
            }
            Rows::List(l) => l[i] as usize,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).map(|i| self.get(i))
    }

    pub(super) fn slice(&self, part: Range<usize>) -> Rows {
        match self {
            Rows::Range(r) => Rows::Range(r.start + part.start..r.start + part.end),
            Rows::List(l) => Rows::List(l[part].into()),
        }
    }

    pub(super) fn take(&self, n: usize) -> Rows {
        self.slice(0..n.min(self.len()))
    }

    pub(super) fn skip(&self, n: usize) -> Rows {
        self.slice(n.min(self.len())..self.len())
    }

    pub(super) fn shuffled(&self, seed: u64) -> Rows {
        let order = Permutation::new(self.len(), key(&[seed, self.len() as u64]));
        Rows::List((0..self.len()).map(|i| self.get(order.at(i)) as u32).collect())
    }
}

/// A part of a data set.
#[derive(Clone)]
pub struct Split {
    fields: Vec<Field>,
    rows: Rows,
    records: Arc<dyn Records>,
}

impl Split {
    /// These records.
    pub(super) fn new(fields: Vec<Field>, rows: Rows, records: Arc<dyn Records>) -> Split {
        Split { fields, rows, records }
    }

    /// All records of these columns.
    pub(super) fn of_columns(columns: Columns) -> Split {
        let n = columns.first().map_or(0, |(_, t)| t.shape[0]);
        let (fields, columns) = with_fields(columns);
        Split::new(fields, Rows::Range(0..n), Arc::new(InMemory(columns)))
    }

    /// What a record of this part has.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The number of a field, by its name.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True where there is no example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `n` examples, or all where there are fewer.
    pub fn take(&self, n: usize) -> Split {
        Split { rows: self.rows.take(n), ..self.clone() }
    }

    /// What operators on a part make of it, `shakespeare.test |> take(240)`.
    pub fn apply(&self, operators: &[Static]) -> Result<Split, DataError> {
        let part = Part::new(String::new(), self.rows.clone());
        Ok(Split { rows: on_part(part, operators)?.rows, ..self.clone() })
    }

    /// Writes one field of these examples, in their order, into `out`.
    ///
    /// # Panics
    /// When there is no such field or example, or `out` is not of the field's dtype and of shape
    /// `[indices.len(), ..field.shape]`.
    pub fn read(&self, field: usize, indices: &[usize], out: &mut Tensor) {
        let spec = &self.fields[field];
        assert_eq!(out.dtype, spec.dtype, "`{}` read as another dtype", spec.name);
        assert_eq!(out.shape.first(), Some(&indices.len()), "`{}` read into another number of examples", spec.name);
        assert_eq!(out.shape[1..], spec.shape, "`{}` read into another shape", spec.name);
        self.read_rows(field, &mut indices.iter().copied(), out);
    }

    /// Writes one field of these examples into a tensor with room for them, whatever its sizes.
    pub(super) fn read_rows(&self, field: usize, indices: &mut dyn Iterator<Item = usize>, out: &mut Tensor) {
        self.records.read(field, &mut indices.map(|i| self.rows.get(i)), out);
    }

    /// One field of these examples; see [`Split::read`].
    pub fn get(&self, field: usize, indices: &[usize]) -> Tensor {
        let mut out = self.tensor(field, indices.len());
        self.read(field, indices, &mut out);
        out
    }

    /// Adds the blocks of memory that its records are kept in, by their addresses: parts share them.
    pub(super) fn kept(&self, blocks: &mut BTreeMap<usize, usize>) {
        self.records.kept(blocks);
        if let Rows::List(list) = &self.rows {
            keep(blocks, list);
        }
    }

    /// Room for one field of so many examples.
    pub fn tensor(&self, field: usize, examples: usize) -> Tensor {
        let spec = &self.fields[field];
        let shape: Vec<usize> = std::iter::once(examples).chain(spec.shape.iter().copied()).collect();
        Tensor::zeros(spec.dtype, &shape)
    }
}

/// The fields of columns, and the columns without their names.
pub(super) fn with_fields(columns: Columns) -> (Vec<Field>, Vec<Tensor>) {
    columns.into_iter().map(|(name, t)| (Field { name, dtype: t.dtype, shape: t.shape[1..].to_vec() }, t)).unzip()
}
