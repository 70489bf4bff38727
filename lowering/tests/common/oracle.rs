//! What a graph says: each node computed in its order, with nothing shared.

use super::kernels::{Array, keep, kernel, scalar};
use std::collections::BTreeMap;
use tfm_lang::model::Literal;
use tfm_lowering::graph::{Graph, Node, Op, Scan, Value};
use tfm_lowering::plan;

/// Sizes, what is fed, and the variables.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub sizes: BTreeMap<String, i64>,
    pub feeds: BTreeMap<String, Array>,
    pub variables: Vec<Array>,
}

impl World {
    pub fn size(&self, name: &str) -> Option<i64> {
        self.sizes.get(name).copied()
    }
}

/// All nodes' values that the entry needs.
pub fn values(graph: &Graph, world: &World, roots: &[Value]) -> BTreeMap<Value, Array> {
    let needed = graph.needed(roots.iter().copied());
    let size = |s: &str| world.size(s);
    let mut done: BTreeMap<Value, Array> = BTreeMap::new();
    let mut scans: BTreeMap<Value, Vec<Array>> = BTreeMap::new();
    for (i, node) in graph.nodes.iter().enumerate().filter(|(i, _)| needed[*i]) {
        let shape: Vec<usize> = node.ty.shape.iter().map(|d| d.evaluate(&size).expect("a size") as usize).collect();
        let mut value = match &node.op {
            Op::Scan(turns) => {
                let args = node.args.iter().map(|a| done[a].clone()).collect();
                scans.insert(Value(i as u32), scan(turns, args, world));
                continue;
            }
            Op::Result(k) => scans[&node.args[0]][*k as usize].clone(),
            _ => {
                let args: Vec<&Array> = node.args.iter().map(|a| &done[a]).collect();
                value(node, &args, &shape, world)
            }
        };
        assert_eq!(value.shape, shape, "%{i}");
        value.data.iter_mut().for_each(|x| *x = keep(*x, node.ty.dtype));
        done.insert(Value(i as u32), value);
    }
    done
}

fn value(node: &Node, args: &[&Array], shape: &[usize], world: &World) -> Array {
    let size = |s: &str| world.size(s);
    match &node.op {
        Op::Input(name) => world.feeds[&**name].clone(),
        Op::Read(var) => world.variables[var.0 as usize].clone(),
        Op::Constant(Literal::Number(x)) => Array::new(&[], vec![*x]),
        Op::Constant(Literal::Bool(b)) => Array::new(&[], vec![f64::from(u8::from(*b))]),
        Op::Constant(Literal::Dim(d)) => Array::new(&[], vec![d.evaluate(&size).expect("a size") as f64]),
        Op::Constant(Literal::Numbers(xs)) => Array::new(shape, xs.clone()),
        Op::Primitive(name, _) if super::kernels::is_elementwise(name) => {
            let element = |i| scalar(name, &args.iter().map(|a| a.data[i]).collect::<Vec<_>>());
            let n = shape.iter().product();
            Array::new(shape, (0..n).map(|i| element(i).expect("it is elementwise")).collect())
        }
        Op::Primitive(name, attrs) => {
            let attr = |a| plan::Value::of(a, &size).expect("known attributes");
            let attrs: Vec<_> = attrs.iter().map(|(n, a)| (*n, attr(a))).collect();
            kernel(name, &attrs, args, shape)
        }
        Op::Scan(_) | Op::Result(_) | Op::Gradient(_) => unreachable!("{} is no operation of its own", node.op),
    }
}

/// The results of a scan: what is carried at the end, then the outputs of all turns.
fn scan(turns: &Scan, mut args: Vec<Array>, world: &World) -> Vec<Array> {
    let length = turns.length.evaluate(&|s| world.size(s)).expect("a size") as usize;
    let mut carried = args.split_off(turns.walked.len());
    let roots: Vec<Value> = (0..turns.results()).filter_map(|k| turns.of_result(k)).collect();
    let mut outputs: Vec<Vec<Option<Array>>> = vec![vec![None; length]; turns.results() - carried.len()];
    for turn in 0..length {
        let element = if turns.reverse { length - 1 - turn } else { turn };
        let part = |(i, a): (usize, &Array)| {
            let rest: usize = a.shape.iter().skip(1).product();
            let fed = match turns.walked[i] {
                true => Array::new(&a.shape[1..], a.data[element * rest..(element + 1) * rest].to_vec()),
                false => a.clone(),
            };
            (Scan::input(i).to_string(), fed)
        };
        let feeds = args.iter().enumerate().map(part).collect();
        let inner = World { sizes: world.sizes.clone(), feeds, variables: carried.clone() };
        let values = values(&turns.turn, &inner, &roots);
        for (k, root) in roots.iter().enumerate() {
            match k.checked_sub(carried.len()) {
                None => carried[k] = values[root].clone(),
                Some(output) => outputs[output][element] = Some(values[root].clone()),
            }
        }
    }
    let stacked = outputs.into_iter().map(|parts| {
        let parts: Vec<Array> = parts.into_iter().flatten().collect();
        let shape = [&[length], &parts[0].shape[..]].concat();
        Array::new(&shape, parts.into_iter().flat_map(|p| p.data).collect())
    });
    carried.clone().into_iter().chain(stacked).collect()
}

/// The outputs of an entry by name, and the variables after it.
pub fn run(graph: &Graph, entry: &str, world: &World) -> (BTreeMap<String, Array>, Vec<Array>) {
    let entry = graph.entry(entry).expect("an entry");
    let outputs = entry.outputs.iter().map(|(_, v)| *v);
    let roots: Vec<Value> = outputs.chain(entry.assigns.iter().map(|(_, v)| *v)).collect();
    let values = values(graph, world, &roots);
    let mut variables = world.variables.clone();
    for (var, v) in &entry.assigns {
        variables[var.0 as usize] = values[v].clone();
    }
    (entry.outputs.iter().map(|(n, v)| (n.clone(), values[v].clone())).collect(), variables)
}
