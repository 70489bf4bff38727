//! Sources whose records are made as they are asked for: a record is a function of (seed, its number) alone.

mod blobs;
mod clicks;
mod reversed;
mod sequences;
mod series;

pub(super) use blobs::open as blobs;
pub(super) use clicks::open as clicks;
pub(super) use reversed::open as reversed;
pub(super) use sequences::open as sequences;
pub(super) use series::open as series;

use super::error::DataError;
use super::open::{Opened, Opening};
use super::split::{Field, Records};
use std::sync::Arc;
use tfm_lang::check::sources::int;
use tfm_lang::types::DType;

/// A bound size.
fn size(o: &Opening, name: &str) -> usize {
    int(&o.args, name) as usize
}

fn field(name: &str, dtype: DType, shape: &[usize]) -> Field {
    Field { name: name.into(), dtype, shape: shape.to_vec() }
}

/// One part with as many records as `examples` says.
fn whole(o: &Opening, fields: Vec<Field>, records: impl Records + 'static) -> Result<Opened, DataError> {
    o.parts(vec![("all".into(), fields, size(o, "examples"), Arc::new(records))])
}
