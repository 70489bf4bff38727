//! What is done to a column of fractions, and what of it is learned.

use super::learned_nothing;
use super::origin::Origin;
use crate::data::error::DataError;
use crate::data::learned::{Learned, LearnedColumn, Moments};
use crate::data::split::Rows;
use tfm_lang::model::ColumnSpec;

/// A column of fractions on its way.
pub(super) struct Transforming<'a> {
    pub(super) origin: &'a Origin,
    pub(super) spec: &'a ColumnSpec,
    /// The rows to learn from; `None` where everything must be known.
    pub(super) rows: Option<&'a Rows>,
}

impl Transforming<'_> {
    /// Transforms the values in place, and keeps what was learned, or was known `before`. Each number of a
    /// column of several is a column of its own.
    pub(super) fn transform(
        &self,
        values: &mut [f64],
        before: Option<&Learned>,
        learned: &mut Learned,
    ) -> Result<(), DataError> {
        let name = &self.spec.name;
        let width = values.len() / self.origin.len().max(1);
        for element in 0..width {
            let key = if width == 1 { name.clone() } else { format!("{name}.{element}") };
            let mut column: Vec<f64> = values.iter().skip(element).step_by(width).copied().collect();
            let known = before.and_then(|l| l.columns.get(&key));
            learned.columns.insert(key, self.column(&mut column, known)?);
            values.iter_mut().skip(element).step_by(width).zip(column).for_each(|(to, x)| *to = x);
        }
        Ok(())
    }

    fn column(&self, values: &mut [f64], known: Option<&LearnedColumn>) -> Result<LearnedColumn, DataError> {
        let name = &self.spec.name;
        if known.is_none() && self.rows.is_none() {
            return Err(learned_nothing(name));
        }
        let mut learned = LearnedColumn::default();
        for transform in &self.spec.transforms {
            if transform == "log1p" {
                if let Some(i) = values.iter().position(|&x| x <= -1.0) {
                    let message = format!("`{name}` is {}, and `log1p` needs more than -1", values[i]);
                    return Err(self.origin.error(i, message));
                }
                values.iter_mut().for_each(|x| *x = x.ln_1p());
                continue;
            }
            let moments = match known {
                Some(l) => l.standardize.get(learned.standardize.len()).copied().ok_or_else(|| {
                    DataError::new(format!("the run has learned no mean of `{name}`"))
                        .help("it was trained with another declaration; train it again")
                })?,
                None if transform == "normalize" => Moments::range(self.present(values)?.into_iter()),
                None => Moments::of(self.present(values)?.into_iter()),
            };
            values.iter_mut().for_each(|x| *x = (*x - moments.mean) / moments.deviation);
            learned.standardize.push(moments);
        }
        learned.fill = match known {
            Some(l) => l.fill,
            None => Moments::of(self.present(values)?.into_iter()).mean,
        };
        values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = learned.fill);
        Ok(learned)
    }

    /// The values of the training part that are not missing.
    fn present(&self, values: &[f64]) -> Result<Vec<f64>, DataError> {
        let rows = self.rows.into_iter().flat_map(Rows::iter);
        let present: Vec<f64> = rows.map(|i| values[i]).filter(|x| !x.is_nan()).collect();
        // A part without rows is an error of its own, and a better one.
        if present.is_empty() && self.rows.is_some_and(|r| r.len() > 0) {
            let message = format!("`{}` is missing in every row of the training part", self.spec.name);
            return Err(self.origin.of_file(message).help(format!("declare `{}: skip`", self.spec.name)));
        }
        Ok(present)
    }
}
