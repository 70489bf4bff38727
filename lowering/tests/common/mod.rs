//! What the tests share: slow kernels, an interpreter of graphs and one of plans.
#![allow(dead_code)]

pub mod kernels;
pub mod machine;
pub mod oracle;
pub mod random;
pub mod rules;

use tfm_lowering::graph::Graph;

/// A graph from its text.
pub fn graph(text: &str) -> Graph {
    let graph: Graph = text.parse().unwrap_or_else(|e| panic!("{e}\n{text}"));
    graph.verify("parsing").unwrap_or_else(|e| panic!("{e}"));
    graph
}
