//! What is done to a column of fractions, and what of it is learned.

use crate::data::error::DataError;
use crate::data::learned::{LearnedColumn, Moments};
use crate::data::split::Rows;
use std::path::Path;
use tfm_lang::model::ColumnSpec;

/// A column of fractions on its way.
pub(super) struct Transforming<'a> {
    pub(super) path: &'a Path,
    pub(super) spec: &'a ColumnSpec,
    pub(super) lines: &'a [u64],
    /// The rows to learn from; `None` where everything must be known.
    pub(super) rows: Option<&'a Rows>,
}

impl Transforming<'_> {
    /// Transforms the values in place, and gives what was learned, or was `known` before.
    pub(super) fn transform(
        &self,
        values: &mut [f64],
        known: Option<&LearnedColumn>,
    ) -> Result<LearnedColumn, DataError> {
        let name = &self.spec.name;
        if known.is_none() && self.rows.is_none() {
            return Err(super::learned_nothing(name));
        }
        let mut learned = LearnedColumn::default();
        for transform in &self.spec.transforms {
            if transform == "log1p" {
                if let Some(i) = values.iter().position(|&x| x <= -1.0) {
                    let message = format!("`{name}` is {}, and `log1p` needs more than -1", values[i]);
                    return Err(DataError::of(self.path, message).line(self.lines[i]));
                }
                values.iter_mut().for_each(|x| *x = x.ln_1p());
                continue;
            }
            let moments = match known {
                Some(l) => l.standardize.get(learned.standardize.len()).copied().ok_or_else(|| {
                    DataError::new(format!("the run has learned no mean of `{name}`"))
                        .help("it was trained with another declaration; train it again")
                })?,
                None => self.moments(values)?,
            };
            values.iter_mut().for_each(|x| *x = (*x - moments.mean) / moments.deviation);
            learned.standardize.push(moments);
        }
        learned.fill = match known {
            Some(l) => l.fill,
            None => self.moments(values)?.mean,
        };
        values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = learned.fill);
        Ok(learned)
    }

    fn moments(&self, values: &[f64]) -> Result<Moments, DataError> {
        let rows = self.rows.into_iter().flat_map(Rows::iter);
        let present: Vec<f64> = rows.map(|i| values[i]).filter(|x| !x.is_nan()).collect();
        // A part without rows is an error of its own, and a better one.
        if present.is_empty() && self.rows.is_some_and(|r| r.len() > 0) {
            let message = format!("`{}` is missing in every row of the training part", self.spec.name);
            return Err(DataError::of(self.path, message).help(format!("declare `{}: skip`", self.spec.name)));
        }
        Ok(Moments::of(present.into_iter()))
    }
}
