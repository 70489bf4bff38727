//! The Model: what the checker hands to lowering.
//!
//! It is complete: every application has been checked with its actual static values and
//! dimensions and written out, so that a body is a list of primitives on values, each with a type
//! and the place in the text it came from. No later stage can find a user's mistake.
//!
//! **Invariants.** A node's arguments stand before it. Every node has one result. Broadcasting is
//! explicit (`broadcast` nodes), dtypes agree, sizes of one name are one size. A body reads every
//! variable at its value before the step; what changes is in `assigns`.
//!
//! Sizes known only when data is opened are symbols: `B` (batch), `steps_per_epoch`.

mod data;

mod instance;

pub use data::{ColumnSpec, DataRef, DataSpec, FieldSpec, Static, Zipped};
pub use instance::Instance;

use crate::device::Device;
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::source::Span;
use crate::types::{DType, TensorType};
use std::sync::Arc;

pub use crate::word::Word;

/// A node of a [`Body`], which is also its value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ValueId(pub u32);

/// A variable of the [`Model`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct VarId(pub u32);

/// A static value that a primitive was given.
#[derive(Clone, PartialEq, Debug)]
pub enum Attr {
    /// A size or another whole number, perhaps with unknowns.
    Int(Dim),
    /// A list of them.
    Ints(Vec<Dim>),
    /// A number.
    Float(f64),
    /// A truth.
    Bool(bool),
    /// A dtype.
    DType(DType),
    /// A text.
    Str(String),
}

/// The static values of one application, in the order of the declaration.
pub type Attrs = Vec<(Word, Attr)>;

/// A value written into the program; of rank 0 but for `Numbers`.
#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    /// A number, in the dtype of its node.
    Number(f64),
    /// A list of numbers, row by row in the shape of its node.
    Numbers(Vec<f64>),
    /// A size, known when the plan is made.
    Dim(Dim),
    /// A truth.
    Bool(bool),
}

/// What a node does.
#[derive(Clone, Debug)]
pub enum Op {
    /// What the body is given: a field of the data, an argument of a fragment, `step`.
    Input(Word),
    /// A literal.
    Constant(Literal),
    /// The value of a variable before the step.
    Read(VarId),
    /// A primitive of the library.
    Primitive(Word, Attrs),
    /// The value of argument 0; its gradient goes to the other arguments by this rule, and not to
    /// argument 0. The rule's inputs are the other arguments, the value and its gradient; its
    /// outputs one gradient per other argument (`None` where that has none).
    CustomGradient(Arc<GradientRule>),
    /// Runs a body turn after turn. `Result` nodes take its values; its own type says nothing.
    Scan(Arc<Scan>),
    /// Of the scan that is argument 0: what is carried in this place, after the last turn; or, from
    /// `carried.len()` on, what was yielded in the place behind, turn after turn along axis 0.
    Result(u32),
    /// The gradient of argument 0, a scalar, in the argument with this number. Lowering writes it out.
    Gradient(u32),
}

/// A body that is run once per element of an axis, each turn with what the one before gave.
///
/// The arguments of its node are what `captured` stands for, what `walked` stands for (with a leading axis
/// of `length`), and what is carried into the first turn, in this order.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The number of turns.
    pub length: Dim,
    /// One turn.
    pub body: Body,
    /// `Input` nodes: what every turn sees alike.
    pub captured: Vec<ValueId>,
    /// `Input` nodes: one element of axis 0 of an argument.
    pub walked: Vec<ValueId>,
    /// `Input` nodes: what the turn before gave.
    pub carried: Vec<ValueId>,
    /// What the next turn is given, of the types of `carried`.
    pub next: Vec<ValueId>,
    /// What is kept of each turn.
    pub yields: Vec<ValueId>,
}

impl Scan {
    /// Which of the node's arguments a result depends on.
    pub fn reached(&self, result: usize) -> Vec<bool> {
        let inputs: Vec<ValueId> = [&self.captured[..], &self.walked, &self.carried].concat();
        let mut seen = vec![false; self.body.nodes.len()];
        let mut left = vec![match result.checked_sub(self.carried.len()) {
            Some(yielded) => self.yields[yielded],
            None => self.next[result],
        }];
        while let Some(v) = left.pop() {
            if !std::mem::replace(&mut seen[v.0 as usize], true) {
                left.extend(&self.body.node(v).args);
                left.extend(self.carried.iter().position(|c| *c == v).map(|i| self.next[i]));
            }
        }
        let initial = self.captured.len() + self.walked.len();
        let reached = inputs.iter().enumerate();
        reached.map(|(i, v)| seen[v.0 as usize] || i == initial + result && result < self.carried.len()).collect()
    }
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// To what.
    pub args: Vec<ValueId>,
    /// Its result.
    pub ty: TensorType,
    /// The place in the user's file it came from.
    pub span: Span,
    /// The path of the instance it stands in, `ConvNet.conv2d_1`; empty at the top.
    pub scope: Word,
    /// The hint it stands under, `on gpu(0) { … }`; a read has that of its variable.
    pub device: Option<Arc<Device>>,
}

/// Operations in topological order.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// The nodes; a [`ValueId`] is an index into them.
    pub nodes: Vec<Node>,
}

impl Body {
    /// The node of a value.
    pub fn node(&self, id: ValueId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The type of a value.
    pub fn ty(&self, id: ValueId) -> &TensorType {
        &self.node(id).ty
    }

    /// Adds a node.
    pub fn push(&mut self, node: Node) -> ValueId {
        self.nodes.push(node);
        ValueId(self.nodes.len() as u32 - 1)
    }
}

/// How gradients go through one application: inputs are the arguments, the result `y`, its gradient
/// `dy`; outputs one gradient per argument, `None` for those that are not floating.
#[derive(Clone, Debug)]
pub struct GradientRule {
    /// The operations.
    pub body: Body,
    /// `Input` nodes for each argument, then `y`, then `dy`.
    pub inputs: Vec<ValueId>,
    /// One per argument.
    pub outputs: Vec<Option<ValueId>>,
}

/// What a variable is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VariableKind {
    /// Trained: `param`.
    Parameter,
    /// Kept and saved, not trained: `state` of a layer.
    State,
    /// State of an optimizer.
    Optimizer,
    /// State of a metric: starts anew at each evaluation or report, never saved.
    Metric,
}

/// A tensor that outlives a step.
#[derive(Clone, Debug)]
pub struct Variable {
    /// `ConvNet.conv2d_1.w`; for an optimizer `ConvNet.conv2d_1.w/adam_1.m`.
    pub path: String,
    /// What it is for.
    pub kind: VariableKind,
    /// Its type; no unknowns.
    pub ty: TensorType,
    /// How it starts: a body without inputs, and its result.
    pub init: (Body, ValueId),
    /// Its declaration.
    pub span: Span,
    /// The hint it was made under.
    pub device: Option<Arc<Device>>,
}

/// A checked file.
pub struct Model {
    /// Every variable that the `train` blocks use, in order of first use.
    pub variables: Vec<Variable>,
    /// What the variables belong to, in order of first application; what is applied in another stands behind it.
    pub instances: Vec<Instance>,
    /// The data declarations.
    pub data: Vec<DataSpec>,
    /// The `train` blocks.
    pub trains: Vec<Train>,
    /// How to ask the checker for gradients and updates.
    pub rules: Arc<dyn Rules + Send + Sync>,
}

/// What lowering asks of the checked program while it builds the graph.
pub trait Rules {
    /// The gradient of one application of a primitive, as the library declares it.
    fn gradient(
        &self,
        primitive: &str,
        attrs: &Attrs,
        args: &[TensorType],
        result: &TensorType,
    ) -> Result<GradientRule, Diagnostic>;

    /// One optimizer step over these parameters together.
    fn update(
        &self,
        optimizer: OptimizerId,
        parameters: &[UpdateParameter],
        settings: &UpdateSettings,
    ) -> Result<Update, Diagnostic>;
}

/// An optimizer value of the checked program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OptimizerId(pub u32);

/// A parameter to be updated.
#[derive(Clone, Debug)]
pub struct UpdateParameter {
    /// Its path.
    pub path: String,
    /// Its type.
    pub ty: TensorType,
    /// When its gradient is sparse: how many rows the step touches at most. The update is then
    /// written on those rows.
    pub rows: Option<Dim>,
}

/// What an update needs to know of the run.
#[derive(Clone, Debug)]
pub struct UpdateSettings {
    /// The number of steps of the whole run, `epochs * steps_per_epoch` or a number.
    pub total_steps: Dim,
}

/// One optimizer step. The body's inputs are `Input` nodes; lowering binds them.
#[derive(Clone, Debug)]
pub struct Update {
    /// The operations.
    pub body: Body,
    /// The step's number, `f32[]`, from 1.
    pub step: ValueId,
    /// The loss of the step, `f32[]`, which a schedule may go by.
    pub loss: ValueId,
    /// One per parameter, in the order asked.
    pub parameters: Vec<ParameterUpdate>,
    /// The states it keeps, with full types; [`StateUpdate::variable`] indexes this list.
    pub variables: Vec<Variable>,
}

/// What happens to one parameter.
#[derive(Clone, Debug)]
pub struct ParameterUpdate {
    /// The input for the value before (rows of it when sparse).
    pub value: ValueId,
    /// The input for the gradient (rows, without repeats, when sparse).
    pub gradient: ValueId,
    /// The value after.
    pub new_value: ValueId,
    /// What evaluation uses in place of the parameter, when the optimizer's body ends with a value.
    pub average: Option<ValueId>,
    /// Its states.
    pub states: Vec<StateUpdate>,
}

/// A state of an optimizer for one parameter.
#[derive(Clone, Debug)]
pub struct StateUpdate {
    /// Index into [`Update::variables`].
    pub variable: usize,
    /// The input for the value before.
    pub value: ValueId,
    /// The value after.
    pub new_value: ValueId,
    /// True when value and new value are the touched rows only.
    pub by_rows: bool,
}

/// A body with the values that can be fetched from it.
#[derive(Clone, Debug)]
pub struct Program {
    /// The operations. `Input` nodes are named after fields of the data (batched: a leading `B`) and `step` (`f32[]`).
    pub body: Body,
    /// What is minimized, one per `minimize`; rank 0.
    pub losses: Vec<ValueId>,
    /// What is shown.
    pub reports: Vec<Report>,
    /// What each model of the file gave, by the model's name (`Encoder.mu` for named results).
    pub outputs: Vec<(String, ValueId)>,
    /// States that change: the variable and its value after the step.
    pub assigns: Vec<(VarId, ValueId)>,
}

/// A reported value.
#[derive(Clone, Debug)]
pub struct Report {
    /// `accuracy`; the loss is reported as `loss` (or its `let` name when several are minimized).
    pub name: String,
    /// Rank 0, f32; or a table of [`Report::sizes`], which only evaluations give.
    pub value: ValueId,
    /// False: averaged over batches by their size. True: it is made from metric states that go on
    /// from batch to batch, and the last value counts.
    pub accumulated: bool,
    /// Empty for a number; of a table, which is always accumulated, one or two sizes.
    pub sizes: Vec<i64>,
}

/// How long, or how often.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Period {
    /// How many.
    pub count: f64,
    /// Of what.
    pub unit: crate::syntax::ast::Unit,
}

/// `stop when test.loss stalls for 3 epochs`
#[derive(Clone, PartialEq, Debug)]
pub struct Stop {
    /// `test.loss`
    pub metric: String,
    /// Which way is better, where the text says so: true for `highest`.
    pub highest: Option<bool>,
    /// What ends the run.
    pub rule: StopRule,
}

/// What ends a run early.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum StopRule {
    /// The metric has not got better by more than `by` for this long.
    Stalls {
        /// How long.
        patience: Period,
        /// The least change that counts.
        by: f32,
    },
    /// The metric is beyond a bound: a run that has got where it should, or never will.
    Passes {
        /// Above it; below it otherwise.
        above: bool,
        /// The bound.
        bound: f32,
    },
}

/// A `train` block.
#[derive(Clone, Debug)]
pub struct Train {
    /// Its name.
    pub name: String,
    /// What it trains on.
    pub data: DataRef,
    /// Examples in a batch.
    pub batch: i64,
    /// How long.
    pub length: Period,
    /// The seed.
    pub seed: u64,
    /// How it is run, where the file says more than that.
    pub settings: Settings,
    /// The step's forward part, with `training` true.
    pub training: Program,
    /// The same with `training` false.
    pub evaluation: Program,
    /// What descends what.
    pub minimize: Vec<Minimize>,
    /// `every … { … }` and `at end { … }`, in the order of the text.
    pub periodic: Vec<Periodic>,
    /// `stop when …`, in the order of the text.
    pub stop: Vec<Stop>,
    /// `start … from …`, in the order of the text.
    pub starts: Vec<Start>,
    /// Parameters and states that `freeze` keeps as they are.
    pub frozen: Vec<VarId>,
    /// The block's head.
    pub span: Span,
}

/// Settings that say how a block is run. None of them changes what it computes but by rounding.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Settings {
    /// `micro: 32`: gradients are averaged over parts of a batch with so many examples.
    pub micro: Option<i64>,
    /// `precision: bf16`: products and convolutions round what they multiply to bf16, and add in f32.
    pub rounds_to_bf16: bool,
    /// `parallel: replicas(4)`.
    pub parallel: Option<Replicas>,
    /// `parameters: job("ps")`: where parameters are kept.
    pub parameters: Option<Device>,
    /// `memory: 2 GB`: the bytes that a step may use.
    pub memory: Option<u64>,
}

/// `replicas(50, backup: 2)`, `replicas(8, async: true)`, `replicas(16, groups: 4)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replicas {
    /// How many.
    pub count: i64,
    /// How many of them are not waited for.
    pub backup: i64,
    /// Each updates the parameters by itself.
    pub is_async: bool,
    /// How many groups they are in.
    pub groups: i64,
}

/// `start Encoder from "base.safetensors" at vit.encoder`.
#[derive(Clone, PartialEq, Debug)]
pub struct Start {
    /// The path of what starts, `Encoder`; empty: everything.
    pub target: String,
    /// The file, or the folder of a run or of a checkpoint.
    pub file: String,
    /// The path in the file that stands for the target's.
    pub at: String,
    /// Parameters and states of layers below the target.
    pub variables: Vec<VarId>,
    /// The statement.
    pub span: Span,
}

impl Start {
    /// The name in the file of a variable.
    pub fn name_of(&self, path: &str) -> String {
        let below = path.strip_prefix(&self.target).unwrap_or(path).trim_start_matches('.');
        match (self.at.as_str(), below) {
            ("", below) => below.into(),
            (at, "") => at.into(),
            (at, below) => format!("{at}.{below}"),
        }
    }
}

/// One `minimize`.
#[derive(Clone, Debug)]
pub struct Minimize {
    /// Index into [`Program::losses`].
    pub loss: usize,
    /// The parameters it moves.
    pub parameters: Vec<VarId>,
    /// How.
    pub optimizer: OptimizerId,
    /// The optimizer with its arguments, `Adam(lr: 0.002, beta1: 0.9)`; the same text for equal ones.
    pub written: String,
}

/// Something done now and then.
#[derive(Clone, Debug, Default)]
pub struct Periodic {
    /// `None`: at the end.
    pub every: Option<Period>,
    /// What is done.
    pub actions: Vec<Action>,
    /// What is looked at.
    pub glance: Glance,
}

/// What a periodic part computes of the last batch with `training` false. The values are of the body of
/// [`Train::evaluation`].
#[derive(Clone, Debug, Default)]
pub struct Glance {
    /// `report`.
    pub reports: Vec<Report>,
    /// `save images`.
    pub images: Vec<Images>,
    /// The states of its metrics, which start anew each time.
    pub assigns: Vec<(VarId, ValueId)>,
}

impl Glance {
    /// True when there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.images.is_empty()
    }
}

/// `save images fake`.
#[derive(Clone, PartialEq, Debug)]
pub struct Images {
    /// `fake`; the files are `images/fake-step-004690.png`.
    pub name: String,
    /// `[N, H, W]`, or `[N, C, H, W]` with 1 or 3 for C; floating, or u8.
    pub value: ValueId,
}

/// One periodic action.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// Evaluate on this data; gives `test.loss` and so on, under the split's name.
    Evaluate(DataRef),
    /// Keep the last so many.
    CheckpointKeep(u32),
    /// Keep the best by this metric; true when the highest is best.
    CheckpointBest {
        /// Highest or lowest.
        highest: bool,
        /// `test.accuracy`
        metric: String,
    },
}
