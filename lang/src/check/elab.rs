//! The elaborator's state, and what everything else here is written with: reporting, emitting
//! nodes, constants, broadcasting.
//!
//! Elaboration evaluates a file with static values known and tensors symbolic. Applying a function
//! or a layer evaluates its body, so that each application is checked with its actual values; what
//! comes out is a flat [`Body`] of primitives.

use super::history::{History, Text};
use super::program::Program;
use super::value::{CallableId, Value};
use crate::device::Device;
use crate::diagnostic::{Diagnostic, Label};
use crate::dim::{Dim, Facts, Symbol};
use crate::model::{Attrs, Body, Instance, Literal, Node, Op, ValueId, VarId, Variable, Word};
use crate::source::Span;
use crate::types::{Axis, DType, OriginId, Shape, TensorType};
use crate::word::word;
use std::collections::HashMap;
use std::sync::Arc;

/// The error was reported; nothing more is to be said about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed;

/// What elaborating gives, or silence after a report.
pub(super) type Res<T> = Result<T, Failed>;

/// One application in progress.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// What is applied; `None` for a function on the spot and for the body of `train`.
    pub callable: Option<CallableId>,
    /// Where it is applied.
    pub call: Span,
    /// The dtype that new tensors have in it.
    pub float: DType,
    /// Its dimension variables, with their history.
    pub dims: Vec<(Word, Axis)>,
    /// Its tensors: parameter and type.
    pub tensors: Vec<(Word, TensorType)>,
}

/// An instance whose body is being evaluated: where its parameters and layers get their paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// `ConvNet.conv2d_1`; empty at the top.
    pub path: Word,
    /// How many unnamed layers of each kind it has so far.
    pub counters: HashMap<String, u32>,
    /// Which instance has which name.
    pub used: HashMap<String, u64>,
}

impl Scope {
    pub fn new(path: impl Into<Word>) -> Scope {
        Scope { path: path.into(), ..Scope::default() }
    }
}

/// The sums over all parameters that an update asks for; see `update.rs`.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    /// Known sums, by the place that asks.
    pub known: HashMap<String, ValueId>,
    /// What this round adds up.
    pub parts: Vec<(String, ValueId)>,
    /// How often each place asked, for the parameter at hand.
    pub asked: HashMap<String, u32>,
}

/// What an optimizer's body works on.
#[derive(Clone, Debug)]
pub(super) struct UpdateTarget {
    /// The parameter's path, `ConvNet.dense_1.w`.
    pub path: String,
    /// The parameter's type, all rows.
    pub full: TensorType,
    /// The type the body works on: the touched rows, or all.
    pub rows: Option<Dim>,
    /// States made or found so far: path, the input for the value before, the value now.
    pub states: Vec<(String, ValueId, ValueId, bool)>,
    /// In a test or an example: one parameter by itself, whose states have their first values.
    pub alone: bool,
}

impl UpdateTarget {
    /// A parameter by itself, with no states yet.
    pub fn alone(path: String, full: TensorType) -> UpdateTarget {
        UpdateTarget { path, full, rows: None, states: Vec::new(), alone: true }
    }
}

#[derive(Clone)]
pub(super) struct Elab {
    pub program: Arc<Program>,
    pub body: Body,
    pub diagnostics: Vec<Diagnostic>,
    pub history: History,
    pub training: bool,
    /// The text is a test or an example: schedules may be applied.
    pub testing: bool,
    /// A body is checked by itself: what is undecided is no error.
    pub generic: bool,
    /// In a body by itself: the unknown sizes that stand for static parameters, which may have any value.
    pub open: Vec<Symbol>,
    pub variables: Vec<Variable>,
    pub by_path: HashMap<String, VarId>,
    /// What each variable is worth at this point of the text.
    pub current: HashMap<VarId, ValueId>,
    /// What has been assigned, in order of first assignment.
    pub assigned: Vec<VarId>,
    pub frames: Vec<Frame>,
    pub scopes: Vec<Scope>,
    /// The paths of instances that were applied, and the names that `let` gave.
    pub paths: HashMap<u64, String>,
    pub hints: HashMap<u64, String>,
    /// What was applied so far.
    pub instances: Vec<Instance>,
    pub next_id: u64,
    /// Dtype and shape of the variable whose first value is being evaluated.
    pub expected: Option<(DType, Shape)>,
    pub draws: HashMap<String, u32>,
    /// What the models gave, for `predict`.
    pub outputs: Vec<(String, ValueId)>,
    /// `train`, `evaluate`, `every_1`: which set of metric states.
    pub phase: String,
    /// The paths that `freeze` names: inside, `training` is false.
    pub frozen: Vec<String>,
    /// The device hints around what is evaluated.
    pub device: Option<Arc<Device>>,
    pub update: Option<UpdateTarget>,
    pub totals: Totals,
    /// What schedules go by, while an update is written.
    pub clock: Option<super::schedules::Clock>,
    /// The scans whose bodies are being evaluated, innermost last.
    pub scans: Vec<super::scan::Turn>,
    /// How many `grad` blocks are being evaluated.
    pub in_grad: u32,
    /// How deep expressions are nested at the moment.
    pub depth: u32,
    /// How many expressions were evaluated.
    pub effort: usize,
    /// A statement of `train` did not parse, or was refused: nothing is reported as missing there.
    pub holes: bool,
    /// Every declaration that was applied.
    pub applied: std::collections::HashSet<CallableId>,
    /// What conditions that were not decided say about sizes, in the block at hand.
    pub facts: Facts,
    /// Whether named values are kept for `tfm why`, and those kept so far: path, kind, type, place.
    pub keep_names: bool,
    pub named: Vec<(String, &'static str, TensorType, Span)>,
    /// Whether applications are kept for lints, and those kept so far in the body that is written.
    pub keep_trace: bool,
    pub applications: Vec<super::trace::Application>,
    pub traced: Vec<super::trace::TracedTrain>,
    /// What expressions are worth, for an editor.
    pub record: Option<Box<super::record::Record>>,
    /// The `train` block at hand.
    pub block: String,
}

impl Elab {
    pub fn new(program: Arc<Program>) -> Elab {
        Elab {
            program,
            body: Body::default(),
            diagnostics: Vec::new(),
            history: History::default(),
            training: true,
            testing: false,
            generic: false,
            open: Vec::new(),
            variables: Vec::new(),
            by_path: HashMap::new(),
            current: HashMap::new(),
            assigned: Vec::new(),
            frames: Vec::new(),
            scopes: vec![Scope::new("")],
            paths: HashMap::new(),
            hints: HashMap::new(),
            instances: Vec::new(),
            next_id: 0,
            expected: None,
            draws: HashMap::new(),
            outputs: Vec::new(),
            phase: "train".into(),
            frozen: Vec::new(),
            device: None,
            update: None,
            totals: Totals::default(),
            clock: None,
            scans: Vec::new(),
            in_grad: 0,
            depth: 0,
            effort: 0,
            holes: false,
            applied: Default::default(),
            facts: Facts::default(),
            keep_names: false,
            named: Vec::new(),
            keep_trace: false,
            applications: Vec::new(),
            traced: Vec::new(),
            record: None,
            block: String::new(),
        }
    }

    pub fn in_library(&self, span: Span) -> bool {
        self.program.sources.get(span.file).library
    }

    /// The place in the user's text that a place belongs to: itself, or the innermost application
    /// in the user's text that led into the library.
    pub fn user_span(&self, span: Span) -> Span {
        if !self.in_library(span) {
            return span;
        }
        self.frames.iter().rev().map(|f| f.call).find(|c| !self.in_library(*c)).unwrap_or(span)
    }

    /// For a place in the library, what the user applied that led there: its name and the application.
    pub fn applied_at(&self, span: Span) -> Option<(Word, Frame)> {
        let frame = self.frames.iter().rev().find(|f| self.in_library(span) && !self.in_library(f.call))?;
        let name = self.program.callable(frame.callable?).callable.name.text;
        Some((name, frame.clone()))
    }

    /// Reports an error. One that was found inside the library is shown at the application in the
    /// user's text that led there. The same error is reported once, however often its place is
    /// evaluated.
    pub fn fail(&mut self, mut d: Diagnostic) -> Failed {
        let inner = d.span();
        let outer = self.user_span(inner);
        if outer != inner {
            // A label at that place already says why it matters.
            let told = d.labels.iter().position(|l| l.span == outer).map(|i| d.labels.remove(i).text);
            // A place in the library that says nothing is no help.
            if d.labels[0].text.is_empty() {
                d.labels.remove(0);
            }
            let text = told.unwrap_or_else(|| "in this application".into());
            d.labels.insert(0, Label { span: outer, text });
        }
        let seen = self.diagnostics.iter().any(|o| o.span() == d.span() && (o.code == d.code || outer != inner));
        if !seen {
            let d = self.with_applications(d);
            self.diagnostics.push(d);
        }
        Failed
    }

    pub fn error<T>(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> Res<T> {
        Err(self.fail(Diagnostic::error(code, span, message)))
    }

    pub fn ty(&self, v: ValueId) -> &TensorType {
        self.body.ty(v)
    }

    pub fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The dtype that new tensors have here.
    pub fn float(&self) -> DType {
        self.frames.last().map_or(DType::F32, |f| f.float)
    }

    /// Text of a place, on one line and not too long, for messages.
    pub fn quote(&self, span: Span) -> String {
        super::history::quote(&self.program.sources, span)
    }

    pub fn push(&mut self, op: Op, args: Vec<ValueId>, ty: TensorType, span: Span) -> ValueId {
        self.effort_later(super::expr::NODE);
        let span = self.user_span(span);
        let scope = self.scopes.last().map_or_else(Word::default, |s| s.path);
        let device = match op {
            Op::Read(id) => self.variables[id.0 as usize].device.clone(),
            _ => self.device.clone(),
        };
        self.body.push(Node { op, args, ty, span, scope, device })
    }

    pub fn primitive(
        &mut self,
        name: impl Into<Word>,
        attrs: Attrs,
        args: Vec<ValueId>,
        ty: TensorType,
        span: Span,
    ) -> ValueId {
        self.push(Op::Primitive(name.into(), attrs), args, ty, span)
    }

    pub fn number(&mut self, x: f64, dtype: DType, span: Span) -> ValueId {
        let literal = if dtype == DType::Bool { Literal::Bool(x != 0.0) } else { Literal::Number(x) };
        let mut ty = TensorType::new(dtype, []);
        if dtype.is_int() && x >= 0.0 {
            ty.below = Some(Dim::constant(x as i64 + 1));
        }
        self.push(Op::Constant(literal), Vec::new(), ty, span)
    }

    /// A static number as a tensor of rank 0. `None` when it is not a number, an error when a
    /// fraction meets an integer.
    pub fn scalar(&mut self, value: &Value, dtype: DType, span: Span) -> Option<Res<ValueId>> {
        Some(match value {
            Value::Int(d) => match d.as_constant() {
                Some(n) => Ok(self.number(n as f64, dtype, span)),
                None => {
                    let ty = TensorType::new(dtype, []);
                    Ok(self.push(Op::Constant(Literal::Dim(d.clone())), Vec::new(), ty, span))
                }
            },
            Value::Float(x) if !dtype.is_float() && x.fract() != 0.0 => {
                let d = Diagnostic::error("E0403", span, format!("the fraction {x} meets a tensor of {dtype}"))
                    .says(format!("{x} cannot be {dtype}"))
                    .help("convert the tensor first, `f32(x)`, or write a whole number");
                Err(self.fail(d))
            }
            Value::Float(x) => Ok(self.number(*x, dtype, span)),
            Value::Bool(b) => {
                let ty = TensorType::new(DType::Bool, []);
                Ok(self.push(Op::Constant(Literal::Bool(*b)), Vec::new(), ty, span))
            }
            Value::Duration(count, unit) => self.duration_steps(*count, *unit, dtype, span),
            _ => return None,
        })
    }

    /// A duration as a number of steps; epochs are so many times the steps of one.
    fn duration_steps(&mut self, count: f64, unit: crate::syntax::ast::Unit, dtype: DType, span: Span) -> Res<ValueId> {
        use crate::syntax::ast::Unit;
        match unit {
            Unit::Steps => Ok(self.number(count, dtype, span)),
            Unit::Epochs => {
                let steps = Value::Int(Dim::var(super::STEPS_PER_EPOCH));
                let ty = TensorType::new(dtype, []);
                let one = self.scalar(&steps, dtype, span).unwrap_or(Err(Failed))?;
                let n = self.number(count, dtype, span);
                Ok(self.primitive("multiply", Vec::new(), vec![n, one], ty, span))
            }
            _ => {
                let d = Diagnostic::error("E0503", span, "this duration has no number of steps")
                    .help("write it in `steps` or `epochs`");
                Err(self.fail(d))
            }
        }
    }

    /// A value as a tensor: itself, a number of rank 0, or a list of numbers.
    pub fn tensor(&mut self, value: &Value, dtype: Option<DType>, span: Span) -> Res<ValueId> {
        match value {
            Value::Tensor(v) => Ok(*v),
            Value::Unknown | Value::Opaque => Err(Failed),
            Value::List(items) => self.literal_list(items, dtype, span),
            Value::Named(items) if items.len() == 1 => {
                let inner = items[0].1.clone();
                self.tensor(&inner, dtype, span)
            }
            other => {
                let dtype = dtype.unwrap_or_else(|| match other {
                    Value::Bool(_) => DType::Bool,
                    _ => self.float(),
                });
                match self.scalar(other, dtype, span) {
                    Some(result) => result,
                    None => {
                        let told = self.describe(other);
                        let mut d = Diagnostic::error("E0402", span, format!("a tensor is wanted, this is {told}"));
                        d = match other {
                            Value::Bound(_) => d.help(format!("apply it: `x |> {}`", self.quote(span))),
                            Value::Tuple(items) => d.help(format!(
                                "it has {} parts: `let (a, b) = …` names them; in a `fold` each carried value has a name",
                                items.len()
                            )),
                            _ => d,
                        };
                        Err(self.fail(d))
                    }
                }
            }
        }
    }

    fn literal_list(&mut self, items: &[Value], dtype: Option<DType>, span: Span) -> Res<ValueId> {
        let (mut numbers, mut shape) = (Vec::new(), Vec::new());
        let mut bools = false;
        if !flatten_numbers(items, 0, &mut numbers, &mut shape, &mut bools) {
            let d = Diagnostic::error("E0402", span, "a tensor is wanted, this is a list")
                .help("`stack([…], axis: 0)` makes one tensor of several; a list of numbers is a tensor by itself");
            return Err(self.fail(d));
        }
        let dtype = dtype.unwrap_or(if bools { DType::Bool } else { self.float() });
        let mut ty = TensorType::new(dtype, shape.iter().map(|&n| Dim::constant(n as i64)));
        if dtype.is_int() && numbers.iter().all(|x| *x >= 0.0) {
            ty.below = numbers.iter().map(|x| *x as i64 + 1).max().map(Dim::constant);
        }
        Ok(self.push(Op::Constant(Literal::Numbers(numbers)), Vec::new(), ty, span))
    }

    /// Repeats a tensor to a shape that it is known to broadcast to.
    pub fn broadcast(&mut self, v: ValueId, shape: &Shape, span: Span) -> ValueId {
        if self.ty(v).shape == *shape {
            return v;
        }
        let ty = self.ty(v).clone();
        let to = crate::model::Attr::Ints(shape.iter().map(|a| a.dim.clone()).collect());
        let result = TensorType { dtype: ty.dtype, shape: shape.clone(), below: ty.below };
        self.primitive(word!("broadcast"), vec![(word!("to"), to)], vec![v], result, span)
    }

    /// Evaluates something into a body of its own and gives that body with the result.
    pub fn in_fresh_body<T>(&mut self, f: impl FnOnce(&mut Elab) -> T) -> (Body, T) {
        let outer = std::mem::take(&mut self.body);
        let applications = std::mem::take(&mut self.applications);
        let (current, assigned) = (std::mem::take(&mut self.current), std::mem::take(&mut self.assigned));
        let result = f(self);
        self.current = current;
        self.assigned = assigned;
        self.applications = applications;
        (std::mem::replace(&mut self.body, outer), result)
    }

    /// What happened to a dimension, in words.
    pub fn told(&self, text: &Text) -> String {
        text.told(&self.program.sources)
    }

    /// The life of a dimension, as lines for a diagnostic.
    pub fn story(&self, origin: OriginId) -> Vec<String> {
        let lines: Vec<(String, Span)> =
            self.history.lines(origin, 4).into_iter().map(|o| (self.told(&o.text), o.span)).collect();
        let place = |span: Span| {
            let file = self.program.sources.get(span.file);
            let (line, _) = self.program.sources.line_column(span);
            format!("{}:{line}", file.name)
        };
        lines.into_iter().map(|(text, span)| format!("{text} ({})", place(span))).collect()
    }
}

/// Numbers of a nested list, row by row, and its sizes; false when it is not one.
fn flatten_numbers(
    items: &[Value],
    level: usize,
    numbers: &mut Vec<f64>,
    shape: &mut Vec<usize>,
    bools: &mut bool,
) -> bool {
    match shape.get(level) {
        None => shape.push(items.len()),
        Some(n) if *n == items.len() => {}
        Some(_) => return false,
    }
    items.iter().all(|item| match item {
        Value::List(inner) => flatten_numbers(inner, level + 1, numbers, shape, bools),
        Value::Bool(b) if shape.len() == level + 1 => {
            *bools = true;
            numbers.push(f64::from(u8::from(*b)));
            true
        }
        other => match other.as_f64() {
            Some(x) if shape.len() == level + 1 => {
                numbers.push(x);
                true
            }
            _ => false,
        },
    })
}
