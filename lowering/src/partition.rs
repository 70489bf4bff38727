//! Cutting a placed graph into one part per device.

use crate::graph::Graph;
use crate::place::Placement;

/// What one device runs.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// Its name.
    pub device: String,
    /// Its operations, with every variable and entry they belong to.
    pub graph: Graph,
}

/// One part for each device that has work. A placement has one such device, so the part is the
/// whole graph and no value travels.
pub fn partition(graph: &Graph, placement: &Placement) -> Vec<Part> {
    placement.devices().map(|device| Part { device: device.into(), graph: graph.clone() }).collect()
}
