//! What a step costs before it is run: floating operations, and bytes that are kept for the way back.
//!
//! All is symbolic: polynomials in the unknown sizes, `B` above all. The operations of a primitive are said by its
//! declaration (`rules`); those of a step are of the graph as it is run, after equal nodes were merged.

mod rules;

pub use rules::flops;

use crate::graph::Graph;
use crate::outline::{Flat, Phase, flat};
use tfm_lang::dim::Dim;
use tfm_lang::model::Train;

/// The floating operations of one step; multiplications and additions count as one each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StepCost {
    /// Losses, reports and states.
    pub forward: Dim,
    /// Gradients.
    pub backward: Dim,
    /// The optimizer.
    pub update: Dim,
    /// Bytes of forward results that the way back reads; what is computed again there is not among them.
    pub kept: Dim,
}

impl StepCost {
    /// Of one `train` block. With `micro`, forward and backward are of one part of the batch.
    pub fn of(graph: &Graph, train: &Train) -> StepCost {
        let mut cost = StepCost::default();
        for node in &flat(graph, train, true).nodes {
            let of_phase = match node.phase {
                Phase::Forward => &mut cost.forward,
                Phase::Backward => &mut cost.backward,
                Phase::Update => &mut cost.update,
            };
            *of_phase = of_phase.add(&node.flops);
            cost.kept = cost.kept.add(&kept_bytes(node));
        }
        cost
    }

    /// All of it.
    pub fn flops(&self) -> Dim {
        self.forward.add(&self.backward).add(&self.update)
    }
}

/// The bytes of a result that are kept for the way back.
pub fn kept_bytes(node: &Flat) -> Dim {
    if node.is_kept { node.bytes() } else { Dim::default() }
}
