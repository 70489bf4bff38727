//! `precision: bf16`: products and convolutions round what they multiply.
//!
//! ```text
//! matmul(x, w) → matmul(f32(bf16(x)), f32(bf16(w)))
//! ```
//!
//! A product of two rounded numbers is exact in f32, and they are added in f32. Needs: gradients written out, and
//! each entry's nodes its own. Guarantees: the backward products of a block round as the forward ones do; types,
//! parameters and updates stay as they were.

use crate::build::{evaluate_entry, every_entry, step_entry};
use crate::graph::make::Site;
use crate::graph::{Gradient, Graph, Op, PendingTrain, Value};
use std::collections::HashMap;
use std::sync::Arc;
use tfm_lang::model::{Model, Train};
use tfm_lang::types::DType;

/// Rounds what the products of each block with `precision: bf16` multiply.
pub fn precision(graph: &mut Graph, model: &Model) {
    let mut rounded = vec![false; graph.nodes.len()];
    for (t, train) in model.trains.iter().enumerate().filter(|(_, train)| train.settings.rounds_to_bf16) {
        let roots = roots(graph, train, &graph.pending.trains[t]);
        rounded.iter_mut().zip(graph.needed(roots)).for_each(|(r, needed)| *r |= needed);
    }
    if rounded.iter().any(|r| *r) {
        round(graph, &rounded);
        graph.debug_verify("precision");
    }
}

/// Everything that a block computes but its updates, which are not written yet.
fn roots(graph: &Graph, train: &Train, pending: &PendingTrain) -> Vec<Value> {
    let glances = (0..train.periodic.len()).map(|i| every_entry(&train.name, i));
    let names = [step_entry(&train.name), evaluate_entry(&train.name)].into_iter().chain(glances);
    let entries: Vec<_> = names.filter_map(|name| graph.entry(&name)).collect();
    let mut roots: Vec<Value> = pending.losses.clone();
    for entry in entries {
        roots.extend(entry.outputs.iter().map(|(_, v)| *v).chain(entry.assigns.iter().map(|(_, v)| *v)));
    }
    for (_, gradient) in pending.gradients.iter().flatten() {
        match gradient {
            Gradient::Dense(v) => roots.push(*v),
            Gradient::Sparse(parts) => roots.extend(parts.iter().flat_map(|p| [p.ids, p.rows])),
        }
    }
    roots
}

/// True for the primitives that multiply and add up.
fn is_product(primitive: &str) -> bool {
    primitive == "matmul" || primitive == "conv" || primitive.starts_with("conv_")
}

/// Writes the graph anew with casts before the products among the chosen nodes, and in the turns of their scans.
fn round(graph: &mut Graph, chosen: &[bool]) {
    let nodes = std::mem::take(&mut graph.nodes);
    let mut moved: Vec<Value> = Vec::with_capacity(nodes.len());
    let mut casts: HashMap<Value, Value> = HashMap::new();
    for (mut node, chosen) in nodes.into_iter().zip(chosen) {
        node.args.iter_mut().for_each(|a| *a = moved[a.0 as usize]);
        if *chosen && matches!(&node.op, Op::Primitive(name, _) if is_product(name)) {
            let site = Site::of(&node);
            for arg in &mut node.args {
                if graph.ty(*arg).dtype != DType::F32 {
                    continue;
                }
                *arg = *casts.entry(*arg).or_insert_with(|| {
                    let short = graph.cast(*arg, DType::Bf16, &site);
                    graph.cast(short, DType::F32, &site)
                });
            }
        }
        if *chosen && let Op::Scan(scan) = &mut node.op {
            let turn = &mut Arc::make_mut(scan).turn;
            round(turn, &vec![true; turn.nodes.len()]);
        }
        moved.push(graph.push(node));
    }
    graph.for_each_root(|v| *v = moved[v.0 as usize]);
}
