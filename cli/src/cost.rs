//! What a `train` block costs, before it is run: a table of its layers, and what a run needs.
//!
//! The figures of layers are polynomials in `B`; memory is of real plans, for a batch that is given.

pub mod memory;
mod table;

pub use table::{Shown, layers, symbolic};

use crate::pipeline::Compiled;
use serde_json::{Value, json};
use tfm_lang::dim::Dim;
use tfm_lang::model::{Train, VariableKind};
use tfm_lowering::cost::StepCost;
use tfm_lowering::outline::{Outline, outline};

/// The layers of a block and the operations of its step.
pub struct Costs {
    /// The forward part as layers.
    pub outline: Outline,
    /// The whole step.
    pub step: StepCost,
    /// Numbers of the optimizer's states.
    pub optimizer: u64,
    /// Examples that forward and backward are computed on together: the batch, or its parts.
    pub batch: i64,
}

impl Costs {
    /// Of one block.
    pub fn of(compiled: &Compiled, train: &Train) -> Costs {
        let optimizer = compiled.graph.variables.iter().filter(|v| v.kind == VariableKind::Optimizer);
        Costs {
            outline: outline(&compiled.graph, &compiled.model, train, &compiled.sources, false),
            step: StepCost::of(&compiled.graph, train),
            optimizer: optimizer.map(|v| v.ty.size().as_constant().unwrap_or(0).max(0) as u64).sum(),
            batch: train.settings.micro.unwrap_or(train.batch).max(1),
        }
    }

    /// As JSON: every figure as a polynomial, and as a number for this batch.
    pub fn json(&self, train: &Train, batch: i64) -> Value {
        let both = |d: &Dim| json!({ "symbolic": d.to_string(), "value": at(d, batch) });
        let layers: Vec<Value> = self
            .outline
            .blocks
            .iter()
            .map(|b| {
                let types = |list: &[tfm_lowering::graph::Type]| list.iter().map(|t| t.to_string()).collect::<Vec<_>>();
                json!({
                    "path": b.path, "kind": b.kind, "inputs": types(&b.inputs), "outputs": types(&b.outputs),
                    "trained": b.figures.trained, "frozen": b.figures.frozen, "state": b.figures.state,
                    "flops": both(&b.figures.flops), "kept_bytes": both(&b.figures.kept),
                })
            })
            .collect();
        let whole = &self.outline.blocks[0].figures;
        json!({
            "train": train.name, "batch": batch, "layers": layers,
            "parameters": { "trained": whole.trained, "frozen": whole.frozen, "state": whole.state, "optimizer": self.optimizer },
            "flops": {
                "forward": both(&self.step.forward), "backward": both(&self.step.backward),
                "update": both(&self.step.update), "step": both(&self.step.flops()),
            },
            "kept_bytes": both(&self.step.kept),
        })
    }
}

/// The number that a figure is for this batch, where it depends on nothing else.
pub fn at(figure: &Dim, batch: i64) -> Option<i64> {
    figure.evaluate(&|name| (name == "B").then_some(batch))
}
