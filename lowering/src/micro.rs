//! `micro: 32`: a step in parts, each with some of the batch's examples.
//!
//! The step becomes two entries. [`part_entry`] takes a part of the batch and what was added up so far, and gives the
//! sums with its own share; the step's entry takes the sums where it had the gradients. With `share` the part of the
//! batch's examples that are in a part:
//!
//! ```text
//! part: sum' = sum + share * gradient      step: p' = update(p, sum)
//! ```
//!
//! A sparse gradient is not added up: rows times `share` and their numbers are given, for whoever runs the parts to
//! put one after the other. Needs: gradients pending. Guarantees: no gradient of such a block is made from a batch in
//! the step's entry.

use crate::build::{part_entry, step_entry};
use crate::graph::make::Site;
use crate::graph::{Entry, Gradient, Graph, Op, SparseRows, Type, Value, Var};
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attrs, Model};
use tfm_lang::types::DType;

/// The input with the share of the batch that a part is, `f32[]`.
pub const SHARE: &str = "micro/share";

/// What every name of a sum begins with: input and output of the part, input of the step.
pub const SUM: &str = "micro/sum/";

/// What the names of the block's losses begin with, which are added up likewise: a schedule may go by them. f32.
pub const LOSS: &str = "micro/loss/";

/// What the names of rows and of their numbers begin with: outputs of the part, inputs of the step.
pub const ROWS: &str = "micro/rows/";

/// Splits the step of each block with `micro`.
pub fn micro(graph: &mut Graph, model: &Model) {
    for (t, train) in model.trains.iter().enumerate().filter(|(_, train)| train.settings.micro.is_some()) {
        let Some(at) = graph.entries.iter().position(|e| e.name == step_entry(&train.name)) else { continue };
        let step = Entry { name: step_entry(&train.name), ..Entry::default() };
        let mut part = std::mem::replace(&mut graph.entries[at], step);
        part.name = part_entry(&train.name);
        let mut gradients = std::mem::take(&mut graph.pending.trains[t].gradients);
        for (var, gradient) in gradients.iter_mut().flatten() {
            split(graph, &mut part, *var, gradient);
        }
        graph.pending.trains[t].gradients = gradients;
        for i in 0..graph.pending.trains[t].losses.len() {
            let loss = graph.pending.trains[t].losses[i];
            let site = Site::of(graph.node(loss));
            let loss = graph.cast(loss, DType::F32, &site);
            graph.pending.trains[t].losses[i] = summed(graph, &mut part, format!("{LOSS}{i}"), loss, &site);
        }
        graph.entries.insert(at, part);
    }
    graph.debug_verify("micro");
}

/// Gives a gradient to the part, and puts an input in its place.
fn split(graph: &mut Graph, part: &mut Entry, var: Var, gradient: &mut Gradient) {
    let path = graph.variables[var.0 as usize].path.clone();
    match gradient {
        Gradient::Dense(value) => {
            let site = Site::of(graph.node(*value));
            *value = summed(graph, part, format!("{SUM}{path}"), *value, &site);
        }
        Gradient::Sparse(rows) => {
            for (i, rows) in rows.iter_mut().enumerate() {
                let (ids, values) = (format!("{ROWS}{path}/{i}/ids"), format!("{ROWS}{path}/{i}/values"));
                let site = Site::of(graph.node(rows.rows));
                let count = graph.ty(rows.ids).size();
                let numbers = graph.reshape(rows.ids, vec![count.clone()], &site);
                let mut ty = graph.variables[var.0 as usize].ty.clone();
                ty.shape[0] = count;
                let own = graph.reshape(rows.rows, ty.shape.clone(), &site);
                let own = shared(graph, own, &site);
                part.outputs.extend([(ids.clone(), numbers), (values.clone(), own)]);
                let all = Dim::var(format!("micro_rows_{}_{i}", var.0).as_str());
                ty.shape[0] = all.clone();
                let of_ids = Type::new(graph.ty(numbers).dtype, vec![all]);
                *rows = SparseRows { ids: input(graph, &ids, of_ids, &site), rows: input(graph, &values, ty, &site) };
            }
        }
    }
}

/// Makes the part add its share of a value to the sum so far. Gives the input, which stands for both: in the part for the
/// sum before, in the step for the whole.
fn summed(graph: &mut Graph, part: &mut Entry, name: String, value: Value, site: &Site) -> Value {
    let before = input(graph, &name, graph.ty(value).clone(), site);
    let own = shared(graph, value, site);
    part.outputs.push((name, graph.add(before, own, site)));
    before
}

fn input(graph: &mut Graph, name: &str, ty: Type, site: &Site) -> Value {
    graph.push(site.node(Op::Input(name.into()), Vec::new(), ty))
}

/// `share * x`
fn shared(graph: &mut Graph, x: Value, site: &Site) -> Value {
    let ty = graph.ty(x).clone();
    let share = input(graph, SHARE, Type::scalar(DType::F32), site);
    let share = graph.cast(share, ty.dtype, site);
    let share = graph.broadcast(share, ty.shape.clone(), site);
    graph.primitive("multiply", vec![share, x], Attrs::new(), ty, site)
}
