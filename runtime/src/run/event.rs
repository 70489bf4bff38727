//! What a run tells whoever watches it.

use super::period::Epoch;
use crate::tensor::Tensor;
use std::path::Path;
use tfm_lowering::graph::Variable;

/// Someone who watches a run. It is called between steps, on the thread that trains, so it should be quick.
pub trait Observer {
    /// Something happened.
    fn on(&mut self, event: Event<'_>);

    /// Whether to tell [`Event::Variables`] after this step.
    fn wants_variables(&self, _step: u64) -> bool {
        false
    }
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The run begins, or goes on.
    Started(&'a Started),
    /// A step was done.
    Step(Stepped<'a>),
    /// An evaluation has come so far.
    Evaluating {
        /// The part of the data, `test`.
        split: &'a str,
        /// Examples seen.
        examples: u64,
    },
    /// The evaluations of a step are done.
    Evaluated {
        /// The step.
        step: u64,
        /// How many epochs that is.
        epoch: f64,
        /// `test.loss` and so on.
        values: &'a [(String, f32)],
    },
    /// Pictures were written.
    Images {
        /// The step.
        step: u64,
        /// The file.
        path: &'a Path,
    },
    /// An evaluation gave a table of numbers, such as how often each class was taken for each.
    Table {
        /// The step.
        step: u64,
        /// `test.confusion_matrix`
        name: &'a str,
        /// `[N, M]` or `[N]`
        values: &'a Tensor,
    },
    /// All variables after a step, for those who asked.
    Variables {
        /// The step.
        step: u64,
        /// What they are.
        variables: &'a [Variable],
        /// Their values.
        tensors: &'a [Tensor],
    },
    /// A checkpoint is on disk.
    Saved {
        /// Its step.
        step: u64,
        /// Its folder.
        path: &'a Path,
        /// The metrics it is the best by.
        best: &'a [String],
    },
    /// Something worth knowing.
    Note(&'a str),
}

/// How a run begins.
#[derive(Clone, PartialEq, Debug)]
pub struct Started {
    /// The `train` block.
    pub train: String,
    /// The step it begins after; 0 but for a run that goes on.
    pub step: u64,
    /// The steps of the whole run; `None` where the clock ends it.
    pub total: Option<u64>,
    /// The size of an epoch.
    pub epoch: Epoch,
    /// The names of [`Stepped::values`].
    pub names: Vec<String>,
}

/// One step.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stepped<'a> {
    /// Its number, from 1.
    pub step: u64,
    /// How many epochs are done.
    pub epoch: f64,
    /// Examples seen over the whole run.
    pub examples: u64,
    /// The losses of this step; their names are the first of [`Started::names`].
    pub losses: &'a [f32],
    /// Losses and reports of this step; `None` for a step that is not shown.
    pub values: Option<&'a [f32]>,
}
