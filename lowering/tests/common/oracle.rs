//! What a graph says: each node computed in its order, with nothing shared.

use super::kernels::{Array, keep, kernel, scalar};
use std::collections::BTreeMap;
use tfm_lang::model::Literal;
use tfm_lowering::graph::{Graph, Op, Value};
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
    for (i, node) in graph.nodes.iter().enumerate().filter(|(i, _)| needed[*i]) {
        let shape: Vec<usize> = node.ty.shape.iter().map(|d| d.evaluate(&size).expect("a size") as usize).collect();
        let args: Vec<&Array> = node.args.iter().map(|a| &done[a]).collect();
        let mut value = match &node.op {
            Op::Input(name) => world.feeds[&**name].clone(),
            Op::Read(var) => world.variables[var.0 as usize].clone(),
            Op::Constant(Literal::Number(x)) => Array::new(&[], vec![*x]),
            Op::Constant(Literal::Bool(b)) => Array::new(&[], vec![f64::from(u8::from(*b))]),
            Op::Constant(Literal::Dim(d)) => Array::new(&[], vec![d.evaluate(&size).expect("a size") as f64]),
            Op::Constant(Literal::Numbers(xs)) => Array::new(&shape, xs.clone()),
            Op::Primitive(name, _) if super::kernels::is_elementwise(name) => {
                let element = |i| scalar(name, &args.iter().map(|a| a.data[i]).collect::<Vec<_>>());
                let n = shape.iter().product();
                Array::new(&shape, (0..n).map(|i| element(i).expect("it is elementwise")).collect())
            }
            Op::Primitive(name, attrs) => {
                let attr = |a| plan::Value::of(a, &size).expect("known attributes");
                let attrs: Vec<_> = attrs.iter().map(|(n, a)| (n.clone(), attr(a))).collect();
                kernel(name, &attrs, &args, &shape)
            }
        };
        assert_eq!(value.shape, shape, "%{i}");
        value.data.iter_mut().for_each(|x| *x = keep(*x, node.ty.dtype));
        done.insert(Value(i as u32), value);
    }
    done
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
