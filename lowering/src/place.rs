//! Which device computes what.
//!
//! Hints stay on the nodes; a hint that no device here can honour is a fallback, which whoever runs the graph
//! should tell the user. None changes a result.

use crate::graph::{Graph, Op, Value};
use std::collections::{BTreeMap, BTreeSet};
use tfm_lang::device::{Device, DeviceKind};

/// A device for every node of a graph.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    device: String,
    nodes: usize,
    fallbacks: Vec<Fallback>,
}

/// Hints of one kind that are not honoured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fallback {
    /// As the language writes them: `job("ps", …)`.
    pub hint: String,
    /// How many different ones there are.
    pub count: usize,
    /// True when it names a machine of a cluster, and not a device of this one.
    pub is_cluster: bool,
}

impl Placement {
    /// The device of a node; `None` for a value that the placed graph does not have.
    pub fn device(&self, value: Value) -> Option<&str> {
        ((value.0 as usize) < self.nodes).then_some(&*self.device)
    }

    /// The devices that have work, each once.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.device)
    }

    /// The hints that are not honoured, by kind.
    pub fn fallbacks(&self) -> &[Fallback] {
        &self.fallbacks
    }
}

/// Places a graph on the devices there are; `None` when there is none.
///
/// It guarantees that an operation, its arguments and the variables it reads are on one device: all
/// are on the first of the list, and the others stay idle.
pub fn place(graph: &Graph, devices: &[String]) -> Option<Placement> {
    Some(Placement { device: devices.first()?.clone(), nodes: graph.nodes.len(), fallbacks: fallbacks(graph) })
}

fn fallbacks(graph: &Graph) -> Vec<Fallback> {
    let mut families: BTreeMap<String, BTreeSet<&Device>> = BTreeMap::new();
    for hint in hints(graph).into_iter().filter(|h| !is_here(h)) {
        families.entry(hint.family()).or_default().insert(hint);
    }
    let fallback = |(hint, devices): (String, BTreeSet<&Device>)| Fallback {
        hint,
        count: devices.len(),
        is_cluster: devices.iter().any(|d| d.job.is_some()),
    };
    families.into_iter().map(fallback).collect()
}

/// Every hint in a graph and in what its scans run.
fn hints(graph: &Graph) -> Vec<&Device> {
    let variables = graph.variables.iter().filter_map(|v| v.device.as_deref());
    let mut found: Vec<&Device> = graph.nodes.iter().filter_map(|n| n.device.as_deref()).chain(variables).collect();
    for node in &graph.nodes {
        if let Op::Scan(scan) = &node.op {
            found.extend(hints(&scan.turn));
        }
    }
    found
}

/// True for a hint that one CPU honours.
fn is_here(hint: &Device) -> bool {
    hint.job.is_none() && hint.kind == Some(DeviceKind::Cpu) && matches!(hint.index, None | Some(0))
}
