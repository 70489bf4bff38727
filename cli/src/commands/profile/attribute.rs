//! What each kernel of a plan is for: the lines, layers and phases of the operations that it computes.

use super::stepper::{Of, Watched};
use crate::pipeline::Compiled;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use tfm_lang::model::{Train, VariableKind};
use tfm_lang::source::Span;
use tfm_lowering::build::batch_entry;
use tfm_lowering::graph::{Graph, Value};
use tfm_lowering::plan::{Kernel, Step, View, halves};
use tfm_lowering::{cost, micro};
use tfm_runtime::cpu::Timed;

/// The part of a step that an operation belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// Losses, what is reported, states.
    Forward,
    /// Gradients.
    Backward,
    /// The optimizer.
    Update,
}

impl Phase {
    /// All of them, in the order of a step.
    pub const ALL: [Phase; 3] = [Phase::Forward, Phase::Backward, Phase::Update];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Forward => "forward",
            Phase::Backward => "backward",
            Phase::Update => "update",
        }
    }
}

/// An operation that a kernel computes: where it is written, in which layer, for what.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// `examples/01_digits.tfm:12`, and the text of that line.
    pub line: Option<Line>,
    /// `Digits.conv2d_1`; empty outside of layers.
    pub layer: String,
    /// The part of the step.
    pub phase: Phase,
}

/// A line of a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Line {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub number: usize,
    /// Without the space around it.
    pub text: String,
}

/// What a kernel is, does and is for.
pub struct Described {
    /// `matmul`, `fused`.
    pub name: String,
    /// `matmul [128, 784] [784, 512] -> [128, 512]`, `'` where a view is strided.
    pub what: String,
    /// Bytes that it must read and write at least: each element once, however often a view repeats it.
    pub bytes: f64,
    /// Floating operations, as `tfm cost` counts them; half of them where half of a product is left out.
    pub flops: f64,
    /// Its operations, which share its time; at least one.
    pub parts: Vec<Part>,
}

/// Every kernel of the plans of a training step or a forward pass.
pub struct Kernels {
    /// All of them, plan after plan.
    pub all: Vec<Described>,
    /// Of each plan its number in a trace, and where its kernels begin.
    first: Vec<(usize, usize)>,
}

impl Kernels {
    /// Of what was watched.
    pub fn of(compiled: &Compiled, train: &Train, watched: &Watched) -> Kernels {
        let graph = &compiled.graph;
        let phases = match watched.of {
            Of::Training => phases(graph, train),
            Of::Inference => vec![Phase::Forward; graph.nodes.len()],
        };
        let part = |v: &Value| {
            let node = graph.node(*v);
            let line = node.span.map(|span| line(compiled, span));
            Part { line, layer: node.scope.to_string(), phase: phases[v.0 as usize] }
        };
        let described = |step: &Step, sizes: &BTreeMap<String, i64>| {
            let mut parts: Vec<Part> = step.nodes.iter().map(part).collect();
            if parts.is_empty() {
                parts.push(Part { line: None, layer: String::new(), phase: Phase::Forward });
            }
            let (name, what) = (step.kernel.name().to_string(), what(step));
            Described { name, what, bytes: bytes(step) as f64, flops: flops(graph, step, sizes), parts }
        };
        let (mut all, mut first) = (Vec::new(), Vec::new());
        for (number, plan, sizes) in &watched.plans {
            first.push((*number, all.len()));
            all.extend(plan.steps.iter().map(|step| described(step, sizes)));
        }
        Kernels { all, first }
    }

    /// The kernel that ran.
    pub fn number(&self, timed: &Timed) -> usize {
        let plan = self.first.iter().find(|(number, _)| *number == timed.plan);
        plan.map_or(0, |(_, first)| first + timed.step)
    }
}

fn line(compiled: &Compiled, span: Span) -> Line {
    let file = compiled.sources.get(span.file);
    let (number, _) = compiled.sources.line_column(span);
    let text = file.text.lines().nth(number - 1).unwrap_or_default().trim().to_string();
    Line { file: file.name.clone(), number, text }
}

/// Forward is what results and states need, backward what stands at the place of something forward, and update the rest:
/// what the optimizer does stands at the place of the optimizer.
fn phases(graph: &Graph, train: &Train) -> Vec<Phase> {
    let mut phases = vec![Phase::Update; graph.nodes.len()];
    let Some(entry) = graph.entry(&batch_entry(train)) else { return phases };
    let kept = |kind| matches!(kind, VariableKind::State | VariableKind::Metric);
    let states = entry.assigns.iter().filter(|(var, _)| kept(graph.variables[var.0 as usize].kind));
    // A step in parts gives its gradients as outputs.
    let is_sum = |name: &str| [micro::SUM, micro::ROWS].iter().any(|sum| name.starts_with(sum));
    let shown = entry.outputs.iter().filter(|(name, _)| !is_sum(name));
    let mut left: Vec<Value> = shown.map(|(_, v)| *v).chain(states.map(|(_, v)| *v)).collect();
    let mut places = HashSet::new();
    while let Some(v) = left.pop() {
        if std::mem::replace(&mut phases[v.0 as usize], Phase::Forward) != Phase::Forward {
            let node = graph.node(v);
            places.extend(node.span);
            left.extend(&node.args);
        }
    }
    for (phase, node) in phases.iter_mut().zip(&graph.nodes) {
        if *phase != Phase::Forward && node.span.is_some_and(|s| places.contains(&s)) {
            *phase = Phase::Backward;
        }
    }
    phases
}

fn what(step: &Step) -> String {
    let view = |v: &View| format!("{:?}{}", v.shape, if v.is_contiguous() { "" } else { "'" });
    let views = |views: &[View]| views.iter().map(view).collect::<Vec<_>>().join(" ");
    match &step.kernel {
        Kernel::Fused(program) => {
            let ops: Vec<&str> = program.instructions.iter().map(|i| &*i.op).collect();
            format!("fused {:?} {} in, {} out: {}", program.shape, program.inputs, step.outputs.len(), ops.join(" "))
        }
        Kernel::Each(each) => {
            let steps: Vec<&str> = each.plan.steps.iter().map(|s| s.kernel.name()).collect();
            let (inputs, outputs) = (views(&step.inputs), views(&step.outputs));
            format!("each of {:?}: {}, {inputs} -> {outputs}", each.outer, steps.join(" "))
        }
        other => format!("{} {} -> {}", other.name(), views(&step.inputs), views(&step.outputs)),
    }
}

fn flops(graph: &Graph, step: &Step, sizes: &BTreeMap<String, i64>) -> f64 {
    let of = |v: &Value| cost::flops(graph, *v).evaluate(&|s| sizes.get(s).copied()).unwrap_or(0) as f64;
    // A loop stands there once for each of its results.
    let nodes: BTreeSet<&Value> = step.nodes.iter().collect();
    let whole: f64 = nodes.into_iter().map(of).sum();
    match &step.kernel {
        // It is for a node that reads it.
        Kernel::Copy => 0.0,
        Kernel::Each(each) => each.plan.steps.iter().map(|step| flops(graph, step, sizes)).sum(),
        Kernel::Primitive(_, attrs) if attrs.iter().any(|(name, _)| halves::NAMES.contains(&&**name)) => whole / 2.0,
        _ => whole,
    }
}

fn bytes(step: &Step) -> usize {
    let touched = |v: &View| {
        let sizes = v.shape.iter().zip(&v.strides).filter(|(_, stride)| **stride != 0).map(|(n, _)| *n);
        sizes.product::<usize>() * v.dtype.bytes()
    };
    let all = |views: &[View]| views.iter().map(touched).sum::<usize>();
    match (step.kernel.name(), &step.inputs[..]) {
        // Of a table only the rows that are asked for, and no more is written than is given.
        ("gather" | "read_rows" | "pick", [_, ids @ ..]) => all(ids) + 2 * all(&step.outputs),
        ("write_rows", [_, ids, rows]) => touched(ids) + 2 * touched(rows),
        (_, inputs) => all(inputs) + all(&step.outputs),
    }
}
