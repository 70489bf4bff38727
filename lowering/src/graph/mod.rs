//! The Graph: operations on values, variables, and the entry points that people run.
//!
//! One arena holds the training step (forward, backward, update, metrics), evaluation and the
//! initial values of all variables; an [`Entry`] names what can be fetched and what is assigned, and
//! running one prunes to what was asked for.
//!
//! **Invariants** (the verifier checks them): arguments stand before their node; entries and assigns
//! point at existing nodes of the variable's type; `Read` has its variable's type; literals but
//! `Numbers` have rank 0; elementwise operands agree in shape (broadcasts are nodes of their own). A read is the value
//! before the step: assigns of an entry take effect together, after everything was read.

use tfm_lang::dim::Dim;
use tfm_lang::model::{Attrs, Literal, VariableKind, Word};
use tfm_lang::source::Span;
use tfm_lang::types::DType;

/// A node, which is also its value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Value(pub u32);

/// A variable of the graph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Var(pub u32);

/// Dtype and symbolic shape.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Type {
    /// What an element is.
    pub dtype: DType,
    /// Sizes, outermost first; unknowns are those of the data (`B`, `steps_per_epoch`).
    pub shape: Vec<Dim>,
}

/// What a node does.
#[derive(Clone, PartialEq, Debug)]
pub enum Op {
    /// What is fed: a field of the data, `step`.
    Input(Word),
    /// A literal.
    Constant(Literal),
    /// A variable before the step.
    Read(Var),
    /// A primitive, by its name in the library.
    Primitive(Word, Attrs),
}

/// One operation.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// To what.
    pub args: Vec<Value>,
    /// Its result.
    pub ty: Type,
    /// The path of the instance it came from.
    pub scope: Word,
    /// Its place in the text; not kept by the text form.
    pub span: Option<Span>,
}

/// A tensor that outlives a step.
#[derive(Clone, PartialEq, Debug)]
pub struct Variable {
    /// `ConvNet.conv2d_1.w`
    pub path: String,
    /// What it is for.
    pub kind: VariableKind,
    /// Its type; no unknowns.
    pub ty: Type,
}

/// A named way into the graph.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Entry {
    /// `init`, `convnet.train`, `convnet.evaluate`.
    pub name: String,
    /// What can be fetched, by name: `loss`, `accuracy`, `ConvNet`.
    pub outputs: Vec<(String, Value)>,
    /// What changes, all together, at the end.
    pub assigns: Vec<(Var, Value)>,
}

/// Operations, variables, entries.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Graph {
    /// In topological order.
    pub nodes: Vec<Node>,
    /// All variables.
    pub variables: Vec<Variable>,
    /// All entries.
    pub entries: Vec<Entry>,
}

impl Graph {
    /// The node of a value.
    pub fn node(&self, v: Value) -> &Node {
        &self.nodes[v.0 as usize]
    }

    /// The type of a value.
    pub fn ty(&self, v: Value) -> &Type {
        &self.node(v).ty
    }

    /// Adds a node.
    pub fn push(&mut self, node: Node) -> Value {
        self.nodes.push(node);
        Value(self.nodes.len() as u32 - 1)
    }

    /// The entry with this name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.name == name)
    }
}
