//! What data teaches before training: vocabularies, categories, means, deviations; from the training part alone.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that was learned. It is written with a run and given back for `eval` and `predict`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Learned {
    /// The text of each token of a `text`; empty for other sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vocabulary: Vec<String>,
    /// By the names of columns of `words` or `chars`, the texts of their tokens after the marks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vocabularies: BTreeMap<String, Vec<String>>,
    /// What each of the zipped parts taught, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub zipped: BTreeMap<String, Learned>,
    /// By the names of columns of fractions; `load.3` for the fourth number of a column of several.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, LearnedColumn>,
    /// By the names of columns of hashed categories, the numbers of those texts that do not have their hash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub categories: BTreeMap<String, BTreeMap<String, i32>>,
}

/// What was learned of one column.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct LearnedColumn {
    /// One for each `standardize` and `normalize`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub standardize: Vec<Moments>,
    /// What stands for a missing value: the mean of the column after its transforms.
    pub fill: f64,
}

/// What a value is lessened by, and then divided by: a mean and a standard deviation, or a least value and a range.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Moments {
    /// The mean.
    pub mean: f64,
    /// The deviation; 1 for a column that does not vary.
    pub deviation: f64,
}

impl Moments {
    /// The least of some numbers and how far the greatest is from it; 0 and 1 for none.
    pub fn range(values: impl Iterator<Item = f64> + Clone) -> Moments {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let range = values.fold(f64::NEG_INFINITY, f64::max) - least;
        match least.is_finite() {
            true => Moments { mean: least, deviation: if range > 0.0 { range } else { 1.0 } },
            false => Moments { mean: 0.0, deviation: 1.0 },
        }
    }

    /// Those of some numbers; mean 0 and deviation 1 for none.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Moments {
        let n = values.clone().count() as f64;
        if n == 0.0 {
            return Moments { mean: 0.0, deviation: 1.0 };
        }
        let mean = values.clone().sum::<f64>() / n;
        let deviation = (values.map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt();
        Moments { mean, deviation: if deviation > 0.0 { deviation } else { 1.0 } }
    }
}
