//! Writing the turn of a backward scan: which values of the forward turn it is given, and how.

use crate::graph::make::Site;
use crate::graph::{Entry, Graph, Node, Op, Scan, Type, Value, Var, Variable};
use crate::plan::views::movement;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tfm_lang::model::VariableKind;

/// A scan in the other direction while it is written. Values are those of the forward turn and of what was
/// appended to it, unless it is said otherwise.
pub(super) struct Turned {
    /// The forward scan's node, and what it will become: it gives more results.
    node: Value,
    forward: Scan,
    /// Its arguments.
    args: Vec<Value>,
    /// The number of nodes of the forward turn; what is behind them was appended.
    first: usize,
    /// What is carried: the input that stands for it, its value outside before the first turn, its next value.
    carried: Vec<(Value, Value, Option<Value>)>,
    /// Inputs that stand for elements of values outside.
    walked: HashMap<Value, Value>,
    /// What is stacked.
    stacked: Vec<Value>,
}

/// What a backward scan gives, outside.
pub(super) struct Results {
    /// Of what is carried, in the order of [`Turned::carry`].
    pub carried: Vec<Value>,
    /// Of what is stacked, by the value of the turn.
    pub stacked: BTreeMap<Value, Value>,
}

impl Turned {
    pub fn new(node: Value, forward: Scan, args: &[Value]) -> Turned {
        let first = forward.turn.nodes.len();
        let (carried, walked, stacked) = (Vec::new(), HashMap::new(), Vec::new());
        Turned { node, forward, args: args.to_vec(), first, carried, walked, stacked }
    }

    /// A carried value of this type with its first value outside.
    pub fn carry(&mut self, work: &mut Graph, ty: Type, initial: Value) -> Value {
        let input = placeholder(work, ty);
        self.carried.push((input, initial, None));
        input
    }

    /// An element of a value outside.
    pub fn walk(&mut self, work: &mut Graph, ty: Type, outside: Value) -> Value {
        let input = placeholder(work, ty);
        self.walked.insert(input, outside);
        input
    }

    /// Says what a carried value is in the next turn.
    pub fn next(&mut self, carried: usize, next: Value) {
        self.carried[carried].2 = Some(next);
    }

    /// The same for the one that was carried last; gives its number.
    pub fn next_of_last(&mut self, next: Value) -> usize {
        let last = self.carried.len() - 1;
        self.next(last, next);
        last
    }

    /// Asks for a value of every turn.
    pub fn stack(&mut self, v: Value) {
        if !self.stacked.contains(&v) {
            self.stacked.push(v);
        }
    }

    /// True for what the forward turn computes: its nodes, and further results of scans among them.
    pub fn is_forward(&self, work: &Graph, v: Value) -> bool {
        let node = work.node(v);
        (v.0 as usize) < self.first || matches!(node.op, Op::Result(_)) && (node.args[0].0 as usize) < self.first
    }

    /// Writes the scan into the graph outside, and what the forward scan must give for it.
    pub fn write(mut self, graph: &mut Graph, work: &Graph, site: &Site) -> Results {
        // The scans of the forward turn may have been given more results.
        self.forward.turn.nodes = work.nodes[..self.first].to_vec();
        let alike = alike(work, self.first);
        let roots = self.carried.iter().filter_map(|(_, _, next)| *next);
        let behind = self.stacked.iter().copied().filter(|v| !self.is_forward(work, *v));
        let roots: Vec<Value> = roots.chain(behind).collect();
        let mut needed = vec![false; work.nodes.len()];
        roots.iter().for_each(|v| needed[v.0 as usize] = true);
        let given: Vec<bool> = (0..work.nodes.len()).map(|i| self.is_given(work, Value(i as u32), &alike)).collect();
        for i in (0..work.nodes.len()).rev() {
            if needed[i] && !given[i] {
                work.nodes[i].args.iter().for_each(|a| needed[a.0 as usize] = true);
            }
        }

        let mut turn = Graph::default();
        for (k, (input, ..)) in self.carried.iter().enumerate() {
            let ty = work.ty(*input).clone();
            turn.variables.push(Variable { path: format!("c{k}"), kind: VariableKind::State, ty, device: None });
        }
        let mut inputs: Vec<(Value, bool)> = Vec::new();
        let mut moved: HashMap<Value, Value> = HashMap::new();
        for i in (0..work.nodes.len()).filter(|i| needed[*i]) {
            let v = Value(i as u32);
            let node = work.node(v).clone();
            let inner = if let Some(k) = self.carried.iter().position(|(input, ..)| *input == v) {
                turn.push(Node { op: Op::Read(Var(k as u32)), args: Vec::new(), ..node })
            } else if given[i] {
                let (outside, walked) = self.outside(graph, work, v, site);
                let op = Op::Input(Scan::input(inputs.len()));
                inputs.push((outside, walked));
                turn.push(Node { op, args: Vec::new(), ..node })
            } else {
                let args = node.args.iter().map(|a| moved[a]).collect();
                let inner = turn.push(Node { args, ..node });
                if let Some(rule) = work.pending.rules.get(&v) {
                    turn.pending.rules.insert(inner, rule.clone());
                }
                inner
            };
            moved.insert(v, inner);
        }
        let behind: Vec<Value> = self.stacked.iter().copied().filter(|v| !self.is_forward(work, *v)).collect();
        let next = self.carried.iter().enumerate();
        turn.entries.push(Entry {
            name: Scan::TURN.into(),
            outputs: behind.iter().enumerate().map(|(k, v)| (format!("y{k}"), moved[v])).collect(),
            assigns: next.map(|(k, (input, _, next))| (Var(k as u32), moved_or_same(&moved, *next, *input))).collect(),
        });
        let mut stacked = BTreeMap::new();
        let ahead: Vec<Value> = self.stacked.iter().copied().filter(|v| self.is_forward(work, *v)).collect();
        for v in ahead {
            stacked.insert(v, self.stacked_outside(graph, work, v, site));
        }
        let walked = inputs.iter().map(|(_, walked)| *walked).collect();
        let scan = Scan { length: self.forward.length.clone(), reverse: !self.forward.reverse, walked, turn };
        let args = inputs.iter().map(|(v, _)| *v).chain(self.carried.iter().map(|(_, initial, _)| *initial)).collect();
        let results = push_scan(graph, scan, args, site);
        let (carried, behind_results) = results.split_at(self.carried.len());
        stacked.extend(behind.into_iter().zip(behind_results.iter().copied()));
        Results { carried: carried.to_vec(), stacked }
    }

    /// True for what a turn is given; anything else it computes itself: gradients, views, and what is alike
    /// in all turns.
    fn is_given(&self, work: &Graph, v: Value, alike: &[bool]) -> bool {
        let node = work.node(v);
        if !self.is_forward(work, v) {
            return self.walked.contains_key(&v);
        }
        match &node.op {
            Op::Input(_) | Op::Read(_) => true,
            Op::Primitive(name, _) => !alike.get(v.0 as usize).is_some_and(|a| *a) && movement(name).is_none(),
            Op::Constant(_) => false,
            Op::Scan(_) | Op::Result(_) | Op::Gradient(_) => true,
        }
    }

    /// The value outside that a turn is given for this one, and whether it is walked.
    fn outside(&mut self, graph: &mut Graph, work: &Graph, v: Value, site: &Site) -> (Value, bool) {
        if let Some(outside) = self.walked.get(&v) {
            return (*outside, true);
        }
        if let Op::Input(name) = &work.node(v).op
            && let Some(i) = Scan::input_number(name)
        {
            return (self.args[i], self.forward.walked[i]);
        }
        (self.stacked_outside(graph, work, v, site), true)
    }

    /// A value of the forward turn, of all turns.
    fn stacked_outside(&mut self, graph: &mut Graph, work: &Graph, v: Value, site: &Site) -> Value {
        if let Op::Input(name) = &work.node(v).op
            && let Some(i) = Scan::input_number(name)
            && self.forward.walked[i]
        {
            return self.args[i];
        }
        let turn = &mut self.forward.turn;
        let known = |v: Value| if (v.0 as usize) < self.first { Some(v) } else { None };
        let value = known(v).unwrap_or_else(|| {
            let node = work.node(v).clone();
            let same = turn.nodes.iter().position(|n| n.op == node.op && n.args == node.args);
            same.map_or_else(|| turn.push(node), |i| Value(i as u32))
        });
        let outputs = &mut turn.entries[0].outputs;
        let output = outputs.iter().position(|(_, v)| *v == value).unwrap_or_else(|| {
            outputs.push((format!("y{}", outputs.len()), value));
            outputs.len() - 1
        });
        let k = turn.variables.len() + output;
        let ty = self.forward.stacked(work.ty(v));
        graph.nodes[self.node.0 as usize].op = Op::Scan(Arc::new(self.forward.clone()));
        push_result(graph, self.node, k, ty, site)
    }
}

fn moved_or_same(moved: &HashMap<Value, Value>, next: Option<Value>, input: Value) -> Value {
    moved[&next.unwrap_or(input)]
}

fn placeholder(work: &mut Graph, ty: Type) -> Value {
    let op = Op::Input("dy".into());
    work.push(Site::default().node(op, Vec::new(), ty))
}

/// Which nodes of the forward turn are the same in every turn.
fn alike(work: &Graph, first: usize) -> Vec<bool> {
    let mut alike = vec![false; first];
    for (i, node) in work.nodes[..first].iter().enumerate() {
        alike[i] = match &node.op {
            Op::Constant(_) => true,
            Op::Primitive(_, attrs) => {
                attrs.iter().all(|(n, _)| &**n != "key") && node.args.iter().all(|a| alike[a.0 as usize])
            }
            _ => false,
        };
    }
    alike
}

fn push_scan(graph: &mut Graph, scan: Scan, args: Vec<Value>, site: &Site) -> Vec<Value> {
    let types: Vec<Type> = (0..scan.results()).filter_map(|k| scan.result_type(k)).collect();
    let op = Op::Scan(Arc::new(scan));
    let ty = Type::scalar(tfm_lang::types::DType::Bool);
    let node = graph.push(site.node(op, args, ty));
    types.into_iter().enumerate().map(|(k, ty)| push_result(graph, node, k, ty, site)).collect()
}

fn push_result(graph: &mut Graph, scan: Value, k: usize, ty: Type, site: &Site) -> Value {
    graph.push(site.node(Op::Result(k as u32), vec![scan], ty))
}
