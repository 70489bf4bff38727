//! The operations of a step in one list, those of scans among them.

use crate::build::{batch_entry, step_entry};
use crate::cost::flops;
use crate::graph::{Entry, Graph, Op, Scan, Type, Value, Var};
use crate::{micro, update};
use std::collections::HashMap;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Train, VariableKind, Word};
use tfm_lang::source::Span;

/// When in a step something is computed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Losses, reports and the states of layers.
    Forward,
    /// Gradients.
    Backward,
    /// The optimizer.
    Update,
}

/// What an operation is.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// A field of the data, or `step`.
    Input(Word),
    /// A number written into the program.
    Literal,
    /// A variable before the step.
    Variable(Var),
    /// A primitive.
    Primitive(Word),
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Flat {
    /// What it is.
    pub kind: Kind,
    /// What it reads, and the type it has there: a result of a scan is stacked.
    pub args: Vec<(usize, Type)>,
    /// Its result; in a scan that of one turn.
    pub ty: Type,
    /// How often it is computed in a step, where it stands in a scan.
    pub turns: Option<Dim>,
    /// The path of the instance.
    pub scope: Word,
    /// Its place in the text.
    pub span: Option<Span>,
    /// Floating operations in all turns.
    pub flops: Dim,
    /// When it is computed.
    pub phase: Phase,
    /// True when it is a forward result that the way back reads.
    pub is_kept: bool,
}

impl Flat {
    /// True for what moves or repeats elements and computes nothing: a view, mostly.
    pub fn is_view(&self) -> bool {
        matches!(&self.kind, Kind::Primitive(name) if VIEWS.contains(&&**name))
    }

    /// The bytes of its result over all turns.
    pub fn bytes(&self) -> Dim {
        let one = self.ty.size().scale(self.ty.dtype.bytes() as i64);
        self.turns.as_ref().map_or(one.clone(), |turns| turns.mul(&one))
    }
}

/// The primitives that the planner makes views of.
const VIEWS: [&str; 5] = ["broadcast", "reshape", "transpose", "slice", "stop_gradient"];

/// The operations of a step, arguments first.
#[derive(Clone, Debug, Default)]
pub struct Flats {
    /// All of them.
    pub nodes: Vec<Flat>,
    /// Losses and reports by name.
    pub outputs: Vec<(String, usize)>,
    /// The results of the optimizer; empty without `training`.
    pub assigned: Vec<usize>,
}

/// The step of a `train` block, whole or, without `training`, its forward part only. The graph is one that all
/// passes have been over.
pub fn flat(graph: &Graph, train: &Train, training: bool) -> Flats {
    let batch = graph.entry(&batch_entry(train));
    let step = graph.entry(&step_entry(&train.name)).filter(|_| train.settings.micro.is_some());
    let entries: Vec<&Entry> = batch.into_iter().chain(step).collect();
    let is_sum = |name: &str| [micro::SUM, micro::LOSS, micro::ROWS].iter().any(|sum| name.starts_with(sum));
    let outputs = || entries[..entries.len().min(1)].iter().flat_map(|e| &e.outputs);
    // What models gave is there for `predict`.
    let is_given = |name: &str| train.training.outputs.iter().any(|(n, _)| n == name);
    let shown = || outputs().filter(|(name, _)| !is_sum(name) && !is_given(name));
    let assigns = || entries.iter().flat_map(|e| &e.assigns);
    let kept = |var: &Var| matches!(graph.variables[var.0 as usize].kind, VariableKind::State | VariableKind::Metric);
    let forward_roots = shown().map(|(_, v)| *v).chain(assigns().filter(|(var, _)| kept(var)).map(|(_, v)| *v));
    let forward = graph.needed(forward_roots);
    let needed = graph.needed(outputs().map(|(_, v)| *v).chain(assigns().map(|(_, v)| *v)));
    let mut writer = Writer { nodes: Vec::new() };
    let phase = |i: usize| match () {
        () if forward[i] => Phase::Forward,
        () if &*graph.nodes[i].scope == update::SCOPE => Phase::Update,
        () => Phase::Backward,
    };
    let places = writer.walk(graph, &needed, &phase, &Turn::default());
    writer.mark_kept();
    let outputs = shown().filter_map(|(name, v)| Some((name.clone(), places[v.0 as usize]?))).collect();
    let assigned = assigns().filter(|(var, _)| training && !kept(var)).filter_map(|(_, v)| places[v.0 as usize]);
    let all = Flats { outputs, assigned: assigned.collect(), nodes: writer.nodes };
    if training { all } else { all.forward() }
}

impl Flats {
    /// Without the way back and the update, which nothing in the forward part reads.
    fn forward(self) -> Flats {
        let mut moved = vec![0; self.nodes.len()];
        let mut nodes: Vec<Flat> = Vec::new();
        for (i, mut node) in self.nodes.into_iter().enumerate().filter(|(_, n)| n.phase == Phase::Forward) {
            node.args.iter_mut().for_each(|(a, _)| *a = moved[*a]);
            moved[i] = nodes.len();
            nodes.push(node);
        }
        let outputs = self.outputs.into_iter().map(|(name, v)| (name, moved[v])).collect();
        Flats { nodes, outputs, assigned: Vec::new() }
    }
}

struct Writer {
    nodes: Vec<Flat>,
}

/// The turn of a scan that is being written out: what its inputs and carried values are outside.
#[derive(Default)]
struct Turn {
    inputs: HashMap<Word, usize>,
    carried: Vec<usize>,
    turns: Option<Dim>,
}

impl Writer {
    fn walk(
        &mut self,
        graph: &Graph,
        needed: &[bool],
        phase: &dyn Fn(usize) -> Phase,
        turn: &Turn,
    ) -> Vec<Option<usize>> {
        let mut places: Vec<Option<usize>> = vec![None; graph.nodes.len()];
        let mut results: HashMap<usize, Vec<Option<usize>>> = HashMap::new();
        for (i, node) in graph.nodes.iter().enumerate().filter(|(i, _)| needed[*i]) {
            let kind = match &node.op {
                Op::Input(name) => match turn.inputs.get(name) {
                    Some(outside) => {
                        places[i] = Some(*outside);
                        continue;
                    }
                    None => Kind::Input(*name),
                },
                Op::Read(var) => match turn.carried.get(var.0 as usize) {
                    Some(outside) => {
                        places[i] = Some(*outside);
                        continue;
                    }
                    None => Kind::Variable(*var),
                },
                Op::Constant(_) => Kind::Literal,
                Op::Primitive(name, _) => Kind::Primitive(*name),
                Op::Scan(scan) => {
                    let args: Vec<Option<usize>> = node.args.iter().map(|a| places[a.0 as usize]).collect();
                    results.insert(i, self.scan(scan, &args, phase(i), turn));
                    continue;
                }
                Op::Result(k) => {
                    let of = results.get(&(node.args[0].0 as usize));
                    places[i] = of.and_then(|r| r.get(*k as usize).copied().flatten());
                    continue;
                }
                Op::Gradient(_) => continue,
            };
            let arg = |a: &Value| Some((places[a.0 as usize]?, graph.ty(*a).clone()));
            let args = node.args.iter().filter_map(arg).collect();
            let flops = flops(graph, Value(i as u32));
            let flops = turn.turns.as_ref().map_or(flops.clone(), |turns| turns.mul(&flops));
            self.nodes.push(Flat {
                kind,
                args,
                ty: node.ty.clone(),
                turns: turn.turns.clone(),
                scope: node.scope,
                span: node.span,
                flops,
                phase: phase(i),
                is_kept: false,
            });
            places[i] = Some(self.nodes.len() - 1);
        }
        places
    }

    /// Writes one turn in place of the scan; gives what its results are.
    fn scan(&mut self, scan: &Scan, args: &[Option<usize>], phase: Phase, outer: &Turn) -> Vec<Option<usize>> {
        let (inputs, carried) = args.split_at(scan.walked.len().min(args.len()));
        let named = inputs.iter().enumerate().filter_map(|(i, a)| Some((Scan::input(i), (*a)?)));
        let turns = outer.turns.as_ref().map_or(scan.length.clone(), |t| t.mul(&scan.length));
        let turn =
            Turn { inputs: named.collect(), carried: carried.iter().filter_map(|c| *c).collect(), turns: Some(turns) };
        let roots = (0..scan.results()).filter_map(|k| scan.of_result(k));
        let needed = scan.turn.needed(roots);
        let places = self.walk(&scan.turn, &needed, &|_| phase, &turn);
        (0..scan.results()).map(|k| scan.of_result(k).and_then(|v| places[v.0 as usize])).collect()
    }

    /// Finds the forward results that the way back reads, through views.
    fn mark_kept(&mut self) {
        let read = self.nodes.iter().filter(|n| n.phase == Phase::Backward).flat_map(|n| &n.args).map(|(a, _)| *a);
        for mut at in read.collect::<Vec<_>>() {
            while self.nodes[at].phase == Phase::Forward {
                match (self.nodes[at].is_view(), self.nodes[at].args.first()) {
                    (true, Some((base, _))) => at = *base,
                    _ => {
                        self.nodes[at].is_kept = matches!(self.nodes[at].kind, Kind::Primitive(_));
                        break;
                    }
                }
            }
        }
    }
}
