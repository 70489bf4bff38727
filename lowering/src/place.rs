//! Which device computes what.

use crate::graph::{Graph, Value};

/// A device for every node of a graph.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    device: String,
    nodes: usize,
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
}

/// Places a graph on the devices there are; `None` when there is none.
///
/// It guarantees that an operation, its arguments and the variables it reads are on one device: all
/// are on the first of the list, and the others stay idle.
pub fn place(graph: &Graph, devices: &[String]) -> Option<Placement> {
    Some(Placement { device: devices.first()?.clone(), nodes: graph.nodes.len() })
}
