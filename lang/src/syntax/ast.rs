//! The syntax tree: what the text says, before any name is looked up.
//!
//! Every node has its span. A chunk of text that does not parse leaves an `Error` node that keeps the
//! names it would have bound, so that the rest of the file is checked without follow-up errors.

use crate::source::{FileId, Span};
use crate::word::Word;

/// A word with its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Name {
    /// The word.
    pub text: Word,
    /// Its place.
    pub span: Span,
}

/// One parsed file.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct File {
    /// Which one.
    pub id: FileId,
    /// Its declarations in the order of the text.
    pub items: Vec<Item>,
}

/// A declaration at the top of a file.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// The lines of `///` above it, without the slashes and one space.
    pub doc: Vec<String>,
    /// All of it, without the doc comment.
    pub span: Span,
    /// What it declares.
    pub kind: ItemKind,
}

/// What an item declares.
#[derive(Clone, PartialEq, Debug)]
pub enum ItemKind {
    /// `import std.layers.{Dense, Conv2d}` or `import std.losses.cross_entropy`.
    Import {
        /// `std`, `layers`; for the form without braces all but the last word.
        path: Vec<Name>,
        /// What is brought in; empty for `import helpers` (the module itself).
        names: Vec<Name>,
    },
    /// `dim T = 64`
    Dim(Name, Expr),
    /// `const width = 128`
    Const(Name, Expr),
    /// `require a == b: "text"`
    Require(Expr, Option<StringLit>),
    /// `data digits = mnist("mnist") { … } |> split(0.9)`
    Data {
        /// Its name.
        name: Name,
        /// The call of the source.
        source: Expr,
        /// The columns, where there is a schema.
        columns: Vec<Column>,
        /// What stands after each `|>`: a name or a call.
        operators: Vec<Expr>,
    },
    /// Everything that can be applied.
    Callable(Callable),
    /// `train NAME on DATA { … }`
    Train {
        /// Its name.
        name: Name,
        /// The data.
        data: Expr,
        /// The body.
        body: Block,
    },
    /// `test "…" { … }`
    Test(StringLit, Block),
    /// Text that did not parse, with the names it would have declared.
    Error(Vec<Name>),
}

/// A text in quotes, unescaped.
#[derive(Clone, PartialEq, Debug)]
pub struct StringLit {
    /// The text.
    pub text: String,
    /// Its place, quotes included.
    pub span: Span,
}

/// A column of a schema: `age: f32 |> standardize`.
#[derive(Clone, PartialEq, Debug)]
pub struct Column {
    /// The name, a word or a quoted text.
    pub name: Name,
    /// Kind and transforms, as an expression.
    pub value: Expr,
}

/// Which word introduced a callable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CallableKind {
    /// `fn`
    Function,
    /// `layer`
    Layer,
    /// `model`
    Model,
    /// `loss`
    Loss,
    /// `metric`
    Metric,
    /// `optimizer`
    Optimizer,
    /// `schedule`
    Schedule,
    /// `primitive`
    Primitive,
}

/// A function, layer, model, loss, metric, optimizer, schedule or primitive.
#[derive(Clone, PartialEq, Debug)]
pub struct Callable {
    /// Which of them.
    pub kind: CallableKind,
    /// Its name.
    pub name: Name,
    /// The first list of a layer, optimizer or schedule (`None` for the others, which have one list).
    pub statics: Option<Vec<Param>>,
    /// The list it is applied to.
    pub inputs: Vec<Param>,
    /// What it gives.
    pub result: Option<ResultType>,
    /// The body; `None` for a primitive.
    pub body: Option<Block>,
    /// `grad { … }`.
    pub grad: Option<Block>,
    /// `where CONDITION` of a primitive.
    pub condition: Option<Expr>,
    /// Name up to the result: what an error points at when it means the declaration.
    pub head: Span,
}

/// A parameter of a callable: `units: int = 3`.
#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    /// Its name.
    pub name: Name,
    /// Its type; `None` for an untyped input.
    pub ty: Option<TypeExpr>,
    /// What it is when it is not given.
    pub default: Option<Expr>,
}

/// What stands after `->`.
#[derive(Clone, PartialEq, Debug)]
pub enum ResultType {
    /// One type.
    One(TypeExpr),
    /// `(mu: f32[B, 20], log_var: f32[B, 20])`, or `(f32[B], f32[B])` with empty names.
    Named(Vec<Param>),
}

/// A type as written.
#[derive(Clone, PartialEq, Debug)]
pub struct TypeExpr {
    /// Its place.
    pub span: Span,
    /// What it is.
    pub kind: TypeKind,
}

/// The forms of a type.
#[derive(Clone, PartialEq, Debug)]
pub enum TypeKind {
    /// `f32[B, 10] below N`
    Tensor {
        /// The dtype's or class's name.
        dtype: Name,
        /// The axes.
        axes: Vec<AxisExpr>,
        /// `below N`.
        below: Option<Box<Expr>>,
    },
    /// `int`, `schedule`, `fn`.
    Word(Word),
    /// `[int]`
    List(Box<TypeExpr>),
}

/// One axis of a tensor type.
#[derive(Clone, PartialEq, Debug)]
pub enum AxisExpr {
    /// `..S`: any number of axes. Also `..` followed by a call, a shape rule: `..reduced(S, axis, keep)`.
    /// `..` alone is the name `_`.
    Rest(Expr),
    /// A dimension.
    Dim(Expr),
}

/// Statements between braces. The value is the last statement, when that is an expression.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Block {
    /// The statements.
    pub statements: Vec<Stmt>,
    /// Braces included.
    pub span: Span,
}

/// A statement.
#[derive(Clone, PartialEq, Debug)]
pub struct Stmt {
    /// Its place.
    pub span: Span,
    /// What it is.
    pub kind: StmtKind,
}

/// What a `let` binds.
#[derive(Clone, PartialEq, Debug)]
pub enum Pattern {
    /// One name, perhaps with a type; `_` is a name too.
    Name(Name, Option<TypeExpr>),
    /// `(q, k, v)`
    Tuple(Vec<Name>, Span),
}

/// What of a metric ends a run.
#[derive(Clone, PartialEq, Debug)]
pub enum StopRule {
    /// `stalls for 3 epochs by 0.001`
    Stalls {
        /// `3 epochs`
        patience: Expr,
        /// The least change that counts.
        by: Option<Expr>,
    },
    /// `above 10`, `below 0.01`
    Passes {
        /// True for `above`.
        above: bool,
        /// `10`
        bound: Expr,
    },
}

/// The forms of a statement.
#[derive(Clone, PartialEq, Debug)]
pub enum StmtKind {
    /// `let p = e`
    Let(Pattern, Expr),
    /// `param w: T = e`, `state m: T = e`
    Variable {
        /// True for `param`.
        trained: bool,
        /// Its name.
        name: Name,
        /// Its type.
        ty: Option<TypeExpr>,
        /// How it starts.
        init: Option<Expr>,
    },
    /// `require c: "text"`
    Require(Expr, Option<StringLit>),
    /// `m <- e`
    Assign(Name, Expr),
    /// `yield e`
    Yield(Expr),
    /// `batch: 128`
    Setting(Name, Expr),
    /// `minimize e over a, b with o`
    Minimize {
        /// The loss.
        loss: Expr,
        /// What it trains.
        over: Vec<Expr>,
        /// The optimizer.
        with: Option<Expr>,
    },
    /// `report a, b`
    Report(Vec<Expr>),
    /// `every 5 epochs { … }`
    Every(Expr, Block),
    /// `at end { … }`
    AtEnd(Block),
    /// `stop when test.loss stalls for 3 epochs by 0.001`, `stop when test.loss above 10`
    Stop {
        /// `highest` or `lowest`, where it is said which way is better: true for the first.
        highest: Option<bool>,
        /// `test.loss`
        metric: Vec<Name>,
        /// What ends the run.
        rule: StopRule,
    },
    /// `start Encoder from "file" at path`
    Start {
        /// What starts; empty: everything.
        target: Vec<Name>,
        /// The file.
        file: StringLit,
        /// Where in the file.
        at: Vec<Name>,
    },
    /// `freeze a, b`
    Freeze(Vec<Expr>),
    /// `evaluate digits.test`
    Evaluate(Expr),
    /// `checkpoint keep 3`
    CheckpointKeep(Expr),
    /// `checkpoint highest test.accuracy`; true for highest
    CheckpointBest(bool, Vec<Name>),
    /// `save images e`
    Save(Expr),
    /// `expect e { … }`
    Expect(Expr, Option<Block>),
    /// A value.
    Expr(Expr),
    /// Text that did not parse, with the names it would have bound.
    Error(Vec<Name>),
}

/// An expression.
#[derive(Clone, PartialEq, Debug)]
pub struct Expr {
    /// Its place.
    pub span: Span,
    /// What it is.
    pub kind: Box<ExprKind>,
}

/// A binary operator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    MatMul,
    Pow,
}

/// A unary operator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum UnaryOp {
    Neg,
    Not,
}

/// The unit of a duration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Unit {
    Steps,
    Epochs,
    Examples,
    Minutes,
    Hours,
}

/// An argument of a call.
#[derive(Clone, PartialEq, Debug)]
pub struct Arg {
    /// `kernel:`, when it is given by name.
    pub name: Option<Name>,
    /// Its value.
    pub value: Expr,
}

/// One item between the brackets of an index.
#[derive(Clone, PartialEq, Debug)]
pub enum IndexItem {
    /// `0`, `ids`
    At(Expr),
    /// `a:b`, `:b`, `a:`, `:`
    Slice(Option<Expr>, Option<Expr>, Span),
    /// `..`
    Rest(Span),
}

/// A pattern in backticks: inputs, and the output where there is `->`.
#[derive(Clone, PartialEq, Debug)]
pub struct Einops {
    /// Backticks included.
    pub span: Span,
    /// What stands before `->`, split at commas.
    pub inputs: Vec<Vec<EinTerm>>,
    /// What stands after it.
    pub output: Option<Vec<EinTerm>>,
}

/// One term of a pattern.
#[derive(Clone, PartialEq, Debug)]
pub enum EinTerm {
    /// `b`
    Axis(Name),
    /// `1` or another number
    Size(i64, Span),
    /// `(h d)`
    Group(Vec<EinTerm>, Span),
    /// `..`
    Rest(Span),
}

/// How a `fold`, `scan` or comprehension goes on: `i in 0..12`, `x_t in x axis 1`, `(a, b) in …`.
#[derive(Clone, PartialEq, Debug)]
pub struct Each {
    /// The names bound in each turn.
    pub names: Vec<Name>,
    /// The start of a range, or the thing walked over.
    pub over: Expr,
    /// The end of a range, not included.
    pub until: Option<Expr>,
    /// The axis of a `scan`.
    pub axis: Option<Expr>,
}

/// The forms of an expression.
#[derive(Clone, PartialEq, Debug)]
pub enum ExprKind {
    /// `3`
    Int(i64),
    /// `1e-3`
    Float(f64),
    /// `"text"`
    Str(String),
    /// `true`
    Bool(bool),
    /// `5 epochs`
    Duration(f64, Unit),
    /// `2 GB`
    Bytes(u64),
    /// `x`
    Name(Word),
    /// `digits.train`
    Field(Expr, Name),
    /// `f(a, b: c)`
    Call(Expr, Vec<Arg>),
    /// `x[:, 0]`
    Index(Expr, Vec<IndexItem>),
    /// `-x`
    Unary(UnaryOp, Expr),
    /// `a + b`, with the operator's place
    Binary(BinaryOp, Span, Expr, Expr),
    /// `x |> f(a)`: the right side is a name, a path or a call
    Pipe(Expr, Expr),
    /// `if c { } else { }`
    If {
        /// The condition.
        condition: Expr,
        /// The first branch.
        then: Block,
        /// The other; `else if` is a block of one expression.
        otherwise: Option<Block>,
    },
    /// `fold h = x for i in 0..12 { … }`; `scan` when `scan` is true
    Loop {
        /// True for `scan`.
        scan: bool,
        /// The carried names with their first values.
        carries: Vec<(Name, Expr)>,
        /// What it runs over.
        each: Box<Each>,
        /// The body.
        body: Block,
    },
    /// `on gpu(0) { … }`
    Placed(Expr, Block),
    /// `fn(y) { … }`
    Lambda(Vec<Param>, Block),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `[e for i in 0..n]`
    ListFor(Expr, Box<Each>),
    /// `(a, b)`; a group of one is its expression itself
    Tuple(Vec<Expr>),
    /// A pattern in backticks
    Einops(Einops),
    /// `f32[B, 3]`
    Type(TypeExpr),
}
