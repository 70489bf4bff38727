//! Random graphs, made from a list of numbers so that they shrink.

use super::kernels::Array;
use super::oracle::World;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, Attrs, VariableKind, Word};
use tfm_lang::types::DType;
use tfm_lowering::graph::make::Site;
use tfm_lowering::graph::{Entry, Graph, Node, Op, Scan, Type, Value, Var, Variable};

struct Maker<'a> {
    graph: Graph,
    /// With casts to integers and back.
    casts: bool,
    choices: std::slice::Iter<'a, u16>,
}

const B: i64 = 3;

fn dims(shape: &[i64]) -> Vec<Dim> {
    shape.iter().map(|n| Dim::constant(*n)).collect()
}

impl Maker<'_> {
    /// A number below `n`; 0 when the list has run out.
    fn choose(&mut self, n: usize) -> usize {
        self.choices.next().map_or(0, |c| *c as usize % n)
    }

    fn push(&mut self, name: &str, args: Vec<Value>, attrs: Vec<(&str, Attr)>, ty: Type) -> Value {
        let attrs: Attrs = attrs.into_iter().map(|(n, a)| (Word::from(n), a)).collect();
        self.graph.primitive(name, args, attrs, ty, &Site::default())
    }

    fn like(&mut self, name: &str, args: Vec<Value>) -> Value {
        let ty = self.graph.ty(*args.last().expect("arguments")).clone();
        self.push(name, args, Vec::new(), ty)
    }

    fn shape(&self, v: Value) -> Vec<Dim> {
        self.graph.ty(v).shape.clone()
    }

    fn floats(&self) -> Vec<Value> {
        let all = (0..self.graph.nodes.len()).map(|i| Value(i as u32));
        all.filter(|v| self.graph.ty(*v).dtype == DType::F64).collect()
    }

    /// A floating value, most often one of the last.
    fn any(&mut self) -> Value {
        let all = self.floats();
        let back = match self.choose(3) {
            0 => self.choose(all.len()),
            _ => self.choose(all.len().min(6)),
        };
        all[all.len() - 1 - back]
    }

    /// A value of the same shape.
    fn same(&mut self, v: Value) -> Value {
        let shape = self.shape(v);
        let all: Vec<Value> = self.floats().into_iter().filter(|o| self.shape(*o) == shape).collect();
        all[self.choose(all.len())]
    }

    fn matrix(&mut self) -> Value {
        let all: Vec<Value> = self.floats().into_iter().filter(|o| self.shape(*o).len() == 2).collect();
        all[all.len() - 1 - self.choose(all.len().min(8))]
    }

    fn grow(&mut self) {
        let x = self.any();
        let shape = self.shape(x);
        match self.choose(24) {
            0 => self.like("tanh", vec![x]),
            1 => self.like("negate", vec![x]),
            2 => self.like("sin", vec![x]),
            3..=7 => {
                let y = self.same(x);
                let name = ["add", "subtract", "multiply", "maximum", "minimum"][self.choose(5)];
                self.like(name, vec![x, y])
            }
            8 => {
                let (y, z) = (self.same(x), self.same(x));
                let mask = self.push("greater", vec![x, y], vec![], Type { dtype: DType::Bool, shape });
                self.like("where", vec![mask, y, z])
            }
            9 => {
                let number = [0.0, 1.0, 2.0, 0.5, -1.0][self.choose(5)];
                let filled = self.graph.filled(number, self.graph.ty(x).clone(), &Site::default());
                let name = ["add", "multiply", "subtract"][self.choose(3)];
                if self.choose(2) == 0 { self.like(name, vec![x, filled]) } else { self.like(name, vec![filled, x]) }
            }
            10 => {
                let shape = [dims(&[B]), shape].concat();
                if shape.len() > 3 {
                    return;
                }
                self.graph.broadcast(x, shape, &Site::default())
            }
            11 => {
                let size = self.graph.ty(x).size();
                let pairs = [vec![size.clone()], vec![Dim::constant(1), size], shape.iter().rev().cloned().collect()];
                let to = pairs[self.choose(3)].clone();
                self.graph.reshape(x, to, &Site::default())
            }
            12 | 13 if shape.len() >= 2 => {
                let mut to = shape;
                let n = to.len();
                to.swap(n - 1, n - 2);
                self.push("transpose", vec![x], vec![], Type { dtype: DType::F64, shape: to })
            }
            14 if !shape.is_empty() => {
                let sizes: Vec<i64> = shape.iter().filter_map(Dim::as_constant).collect();
                let starts: Vec<i64> = sizes.iter().map(|n| self.choose(*n as usize) as i64).collect();
                let to: Vec<i64> = sizes.iter().zip(&starts).map(|(n, s)| n - s).collect();
                let attrs = vec![("starts", Attr::Ints(dims(&starts))), ("stops", Attr::Ints(shape))];
                self.push("slice", vec![x], attrs, Type { dtype: DType::F64, shape: dims(&to) })
            }
            15 if !shape.is_empty() => {
                let axis = Attr::Ints(dims(&[self.choose(shape.len()) as i64]));
                self.push("reverse", vec![x], vec![("axis", axis)], Type { dtype: DType::F64, shape })
            }
            16 | 17 if !shape.is_empty() => {
                let axis = self.choose(shape.len());
                let mut to = shape;
                to.remove(axis);
                let attrs = vec![("axis", Attr::Ints(dims(&[axis as i64])))];
                let name = if self.choose(3) == 0 { "max" } else { "sum" };
                let narrow = self.push(name, vec![x], attrs, Type { dtype: DType::F64, shape: to });
                // Mostly what was reduced meets its result again, as in a softmax or a normalisation.
                if self.choose(3) == 0 {
                    return;
                }
                let narrow = if self.choose(2) == 0 { narrow } else { self.like("tanh", vec![narrow]) };
                let whole = self.shape(x);
                let mut kept = whole.clone();
                kept[axis] = Dim::constant(1);
                let kept = self.graph.reshape(narrow, kept, &Site::default());
                let wide = self.graph.broadcast(kept, whole, &Site::default());
                let name = ["subtract", "multiply", "maximum"][self.choose(3)];
                self.like(name, vec![x, wide])
            }
            18 => {
                let (a, b) = (self.matrix(), self.matrix());
                let (sa, sb) = (self.shape(a), self.shape(b));
                if sa[1] != sb[0] {
                    return;
                }
                let shape = vec![sa[0].clone(), sb[1].clone()];
                self.push("matmul", vec![a, b], vec![], Type { dtype: DType::F64, shape })
            }
            19 if !shape.is_empty() => self.like("cumsum", vec![x]),
            20 if self.casts => {
                let whole = self.graph.cast(x, DType::I32, &Site::default());
                self.graph.cast(whole, DType::F64, &Site::default())
            }
            21 if !shape.is_empty() => {
                let key = self.choose(3) as i64;
                let attrs = vec![("shape", Attr::Ints(shape.clone())), ("key", Attr::Int(Dim::constant(key)))];
                self.push("random_uniform", vec![], attrs, Type { dtype: DType::F64, shape })
            }
            22 | 23 if !shape.is_empty() => self.scan(x),
            _ => return,
        };
    }

    /// A scan over the first axis, that carries and stacks what is made of a few operations.
    fn scan(&mut self, x: Value) -> Value {
        let (walked, shape) = (self.same(x), self.shape(x));
        let element = Type { dtype: DType::F64, shape: shape[1..].to_vec() };
        let starts = self.floats().into_iter().filter(|v| self.shape(*v) == element.shape).collect::<Vec<_>>();
        let zero = self.graph.filled(0.5, element.clone(), &Site::default());
        let start = starts.last().copied().unwrap_or(zero);
        let mut turn = Graph::default();
        for k in 0..2 {
            turn.variables.push(Variable {
                path: format!("c{k}"),
                kind: VariableKind::State,
                ty: element.clone(),
                device: None,
            });
        }
        let leaf = |op| Site::default().node(op, Vec::new(), element.clone());
        let mut values = vec![
            turn.push(leaf(Op::Input(Scan::input(0)))),
            turn.push(leaf(Op::Input(Scan::input(1)))),
            turn.push(leaf(Op::Input(Scan::input(2)))),
            turn.push(leaf(Op::Read(Var(0)))),
            turn.push(leaf(Op::Read(Var(1)))),
        ];
        for _ in 0..1 + self.choose(6) {
            let (a, b) = (values[self.choose(values.len())], values[values.len() - 1 - self.choose(3)]);
            let name = ["add", "multiply", "subtract", "minimum"][self.choose(4)];
            let v = turn.primitive(name, vec![a, b], Attrs::new(), element.clone(), &Site::default());
            values.push(turn.primitive("tanh", vec![v], Attrs::new(), element.clone(), &Site::default()));
        }
        let mut entry = Entry { name: Scan::TURN.into(), ..Entry::default() };
        entry.assigns = (0..2).map(|k| (Var(k), values[self.choose(values.len())])).collect();
        entry.outputs = (0..2).map(|k| (format!("y{k}"), values[self.choose(values.len())])).collect();
        turn.entries.push(entry);
        let (length, reverse) = (shape[0].clone(), self.choose(2) == 1);
        let scan = Scan { length, reverse, walked: vec![true, true, false], turn };
        let op = Op::Scan(std::sync::Arc::new(scan));
        let ty = Type { dtype: DType::Bool, shape: Vec::new() };
        let args = vec![x, walked, start, start, zero];
        let node = self.graph.push(Site::default().node(op, args, ty));
        let mut last = x;
        for (k, ty) in
            [(0, element.clone()), (1, element.clone()), (2, self.graph.ty(x).clone()), (3, self.graph.ty(x).clone())]
        {
            if self.choose(3) > 0 {
                let op = Op::Result(k);
                last = self.graph.push(Site::default().node(op, vec![node], ty));
            }
        }
        last
    }
}

/// A graph with one entry, `e`, and what to run it on.
pub fn random_graph(choices: &[u16], casts: bool) -> (Graph, World) {
    let shapes: [&[i64]; 6] = [&[B, 4], &[4, B], &[4], &[B, 4], &[], &[B, B]];
    let mut maker = Maker { graph: Graph::default(), casts, choices: choices.iter() };
    let mut world = World::default();
    let mut fill = 0.3f64;
    let mut array = |shape: &[i64]| {
        let shape: Vec<usize> = shape.iter().map(|n| *n as usize).collect();
        Array::from_fn(&shape, |_| {
            fill = (fill * 37.7 + 0.123).fract();
            (fill * 4.0 - 2.0) * 0.9
        })
    };
    let leaf = |op, shape: &[i64]| Node {
        op,
        args: Vec::new(),
        ty: Type { dtype: DType::F64, shape: dims(shape) },
        scope: "".into(),
        span: None,
        device: None,
    };
    for (i, shape) in shapes.iter().enumerate() {
        let ty = Type { dtype: DType::F64, shape: dims(shape) };
        maker.graph.variables.push(Variable { path: format!("v{i}"), kind: VariableKind::Parameter, ty, device: None });
        maker.graph.push(leaf(Op::Read(Var(i as u32)), shape));
        world.variables.push(array(shape));
    }
    for (name, shape) in [("x", &[B, 4]), ("y", &[4, 4])] {
        maker.graph.push(leaf(Op::Input(name.into()), shape));
        world.feeds.insert(name.into(), array(shape));
    }
    let nodes = 8 + maker.choose(50);
    for _ in 0..nodes {
        maker.grow();
    }
    let mut entry = Entry { name: "e".into(), ..Entry::default() };
    for i in 0..1 + maker.choose(3) {
        entry.outputs.push((format!("o{i}"), maker.any()));
    }
    for (i, _) in shapes.iter().enumerate() {
        let value = maker.same(Value(i as u32));
        if maker.choose(4) > 0 {
            entry.assigns.push((Var(i as u32), value));
        }
    }
    maker.graph.entries.push(entry);
    maker.graph.verify("the generator").unwrap_or_else(|e| panic!("{e}"));
    (maker.graph, world)
}
