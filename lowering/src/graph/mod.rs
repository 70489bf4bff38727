//! The Graph: operations on values, variables, and the entry points that people run.
//!
//! One arena holds the training step (forward, backward, update, metrics), evaluation and the
//! initial values of all variables; an [`Entry`] names what can be fetched and what is assigned, and
//! running one prunes to what was asked for.
//!
//! **Invariants** (the verifier checks them): arguments stand before their node; entries and assigns
//! point at existing nodes of the variable's type; `Read` has its variable's type; literals but
//! `Numbers` have rank 0; elementwise operands agree in shape (broadcasts are nodes of their own);
//! paths of variables and names of entries are unique; a read has its variable's device hint. A read is the value before the step: assigns
//! of an entry take effect together, after everything was read.

pub mod make;
pub mod parse;
pub mod proto;
pub mod prune;
pub mod scan;
pub mod splice;
pub mod text;
pub mod verify;

pub use scan::Scan;

use std::collections::BTreeMap;
use std::sync::Arc;
use tfm_lang::device::Device;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attrs, GradientRule, Literal, VariableKind, Word};
use tfm_lang::source::Span;
use tfm_lang::types::{DType, TensorType};

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

impl Type {
    /// A type from its parts.
    pub fn new(dtype: DType, shape: Vec<Dim>) -> Type {
        Type { dtype, shape }
    }

    /// A number's type.
    pub fn scalar(dtype: DType) -> Type {
        Type { dtype, shape: Vec::new() }
    }

    /// The number of elements.
    pub fn size(&self) -> Dim {
        self.shape.iter().fold(Dim::constant(1), |n, d| n.mul(d))
    }

    /// The same as the checker writes it, without bounds or history.
    pub fn tensor(&self) -> TensorType {
        TensorType::new(self.dtype, self.shape.iter().cloned())
    }
}

impl From<&TensorType> for Type {
    fn from(t: &TensorType) -> Type {
        Type { dtype: t.dtype, shape: t.dims() }
    }
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
    /// Runs a graph turn after turn; `Result` nodes take its values. Its own type, `bool[]`, says nothing.
    Scan(Arc<Scan>),
    /// Of the scan that is the argument: a carried value after the last turn, or, behind those, an output of
    /// all turns along axis 0.
    Result(u32),
    /// The gradient of argument 0, a scalar, in the argument with this number. Only until
    /// [`crate::differentiate()`] has written it out.
    Gradient(u32),
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
    /// The hint where to compute it; a read has that of its variable.
    pub device: Option<Arc<Device>>,
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
    /// The hint where to keep it.
    pub device: Option<Arc<Device>>,
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
    /// What `build` leaves for `differentiate` and `update`; empty once they have run, and in no
    /// text or protobuf form.
    pub pending: Pending,
}

/// Training that is not yet written out as operations.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// The rule of each `custom_gradient` node: its value is that of argument 0, its gradient goes
    /// to the other arguments.
    pub rules: BTreeMap<Value, Arc<GradientRule>>,
    /// One per `train` block, in their order.
    pub trains: Vec<PendingTrain>,
}

/// Rules are the same when they are one object.
impl PartialEq for Pending {
    fn eq(&self, other: &Pending) -> bool {
        self.trains == other.trains
            && self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(|(a, b)| a.0 == b.0 && Arc::ptr_eq(a.1, b.1))
    }
}

/// What is to be descended in one `train` block.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PendingTrain {
    /// The values of `Program::losses`.
    pub losses: Vec<Value>,
    /// For each `minimize` the gradient of each of its parameters, in their order.
    pub gradients: Vec<Vec<(Var, Gradient)>>,
}

/// The gradient of a variable.
#[derive(Clone, PartialEq, Debug)]
pub enum Gradient {
    /// Of the variable's type.
    Dense(Value),
    /// Rows of it and where they belong, to be added up; numbers may repeat.
    Sparse(Vec<SparseRows>),
}

/// Rows of a table, `rows[..I, ..R]` at `ids[..I]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SparseRows {
    /// Which.
    pub ids: Value,
    /// What is added to them.
    pub rows: Value,
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

    /// The variable with this path.
    pub fn variable(&self, path: &str) -> Option<Var> {
        self.variables.iter().position(|v| v.path == path).map(|i| Var(i as u32))
    }

    /// The entry with this name, to be changed.
    pub fn entry_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|e| e.name == name)
    }

    /// The entry with this name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.name == name)
    }
}
