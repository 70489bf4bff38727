//! The graph for given sizes: what one entry needs, every shape a list of numbers, movement turned
//! into layouts. What is left is leaves, elementwise operations, kernels and copies.

use super::schedule::{PlanError, Request};
use super::views::{Layout, movement};
use super::{Device, KernelFacts, Loop, Value, halves};
use crate::graph::{Entry, Graph, Node, Op, Scan, Value as NodeId, Var, Variable};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, Literal, VariableKind, Word};
use tfm_lang::types::DType;

/// A view of an item.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ref {
    /// Index into [`Items::list`].
    pub item: usize,
    /// Where its elements lie in the item's.
    pub layout: Layout,
}

/// A value with memory of its own, or one inside a fused program.
#[derive(Clone, Debug)]
pub struct Item {
    /// The graph's node.
    pub node: NodeId,
    /// How it comes to be.
    pub work: Work,
    /// What it reads.
    pub inputs: Vec<Ref>,
    /// What an element is.
    pub dtype: DType,
    /// Sizes.
    pub shape: Vec<usize>,
}

/// How an item comes to be.
#[derive(Clone, Debug)]
pub enum Work {
    /// It is fed; index into [`Items::feeds`].
    Feed(u32),
    /// A variable before the step.
    Variable(u32),
    /// A number, of rank 0.
    Number(f64),
    /// Numbers.
    Numbers(Vec<f64>),
    /// One element for each element of its inputs, which have its shape.
    Elementwise(Word, Vec<(Word, Value)>),
    /// A kernel call.
    Kernel(Word, Vec<(Word, Value)>, KernelFacts),
    /// Its input, made contiguous.
    Copy,
    /// A variable of a loop's turns: the loop and its number. The items of one loop stand one after the other
    /// and are computed together.
    Loop(Arc<Loop>, usize),
}

impl Item {
    /// The number of elements.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// The number of bytes.
    pub fn bytes(&self) -> usize {
        self.size() * self.dtype.bytes()
    }

    /// True for what a step of the plan computes.
    pub fn is_computed(&self) -> bool {
        matches!(self.work, Work::Elementwise(..) | Work::Kernel(..) | Work::Copy | Work::Loop(..))
    }

    /// True for operations that may be part of a fused program.
    pub fn is_elementwise(&self) -> bool {
        matches!(self.work, Work::Elementwise(..))
    }

    /// For a reduction that may be part of a fused program: which axes of its input go.
    pub fn reduced(&self) -> Option<Vec<bool>> {
        let Work::Kernel(_, attrs, facts) = &self.work else { return None };
        if !facts.reduction || !matches!(self.dtype, DType::F32 | DType::F64) {
            return None;
        }
        let rank = self.inputs.first()?.layout.shape.len();
        let axes: &[i64] = match attrs.iter().find(|(name, _)| &**name == "axis").map(|(_, v)| v) {
            None => &[],
            Some(Value::Ints(axes)) => axes,
            Some(Value::Int(axis)) => std::slice::from_ref(axis),
            Some(_) => return None,
        };
        let mut reduced = vec![axes.is_empty(); rank];
        for axis in axes {
            *reduced.get_mut(usize::try_from(if *axis < 0 { axis + rank as i64 } else { *axis }).ok()?)? = true;
        }
        Some(reduced)
    }
}

/// What one entry computes, arguments before their uses.
#[derive(Debug, Default)]
pub struct Items {
    /// The items.
    pub list: Vec<Item>,
    /// What is fed.
    pub feeds: Vec<(Word, DType, Vec<usize>)>,
    /// What is fetched; contiguous.
    pub fetches: Vec<Ref>,
    /// Variables and the items they become: computed ones, all of each.
    pub assigns: Vec<(u32, usize)>,
    /// What is known of halves of the values.
    pub halves: halves::Halves,
}

/// Lowers what the request needs of an entry.
pub fn items(graph: &Graph, request: &Request, device: &dyn Device) -> Result<Items, PlanError> {
    let entry = graph.entry(&request.entry).ok_or_else(|| PlanError::Entry(request.entry.clone()))?;
    let fetched = request.fetches.iter().map(|name| fetched(entry, name)).collect::<Result<Vec<_>, _>>()?;
    let assigned = if request.assigns { entry.assigns.as_slice() } else { &[] };
    let roots = || fetched.iter().copied().chain(assigned.iter().map(|(_, v)| *v));
    let needed = graph.needed(roots());
    let mut halves = halves::halves(graph, &needed, roots());
    let mut attrs = std::mem::take(&mut halves.attrs);

    let sizes = Sizes { given: &request.sizes, known: RefCell::default() };
    let out = Items { halves, ..Items::default() };
    let mut lowering = Lowering { device, sizes, out, copies: HashMap::new() };
    let mut refs: Vec<Option<Ref>> = vec![None; graph.nodes.len()];
    let mut results: HashMap<(NodeId, u32), Ref> = HashMap::new();
    for (i, node) in graph.nodes.iter().enumerate().filter(|(i, _)| needed[*i]) {
        let id = NodeId(i as u32);
        let args = node.args.iter().filter_map(|a| refs[a.0 as usize].clone()).collect();
        match &node.op {
            Op::Scan(scan) => {
                let wanted =
                    graph.nodes.iter().zip(&needed).filter(|(n, needed)| **needed && n.args.first() == Some(&id));
                let wanted = wanted.filter_map(|(n, _)| if let Op::Result(k) = n.op { Some(k) } else { None });
                let found = lowering.scan(id, scan, args, &wanted.collect())?;
                results.extend(found.into_iter().map(|(k, r)| ((id, k), r)));
            }
            Op::Result(k) => refs[i] = results.get(&(node.args[0], *k)).cloned(),
            _ => refs[i] = Some(lowering.node(id, node, args, attrs.remove(&id).unwrap_or_default())?),
        }
    }
    let of = |v: NodeId| refs[v.0 as usize].clone().expect("roots are needed");
    let changes = |v: u32| assigned.iter().any(|(var, _)| var.0 == v);
    for v in fetched {
        let fetch = lowering.fetchable(v, of(v), &changes);
        lowering.out.fetches.push(fetch);
    }
    for (var, v) in assigned {
        if let Some(item) = lowering.assignable(var.0, *v, of(*v)) {
            lowering.out.assigns.push((var.0, item));
        }
    }
    Ok(lowering.out)
}

fn fetched(entry: &Entry, name: &str) -> Result<NodeId, PlanError> {
    let found = entry.outputs.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
    found.ok_or_else(|| PlanError::Output { entry: entry.name.clone(), name: name.into() })
}

struct Lowering<'a> {
    device: &'a dyn Device,
    sizes: Sizes<'a>,
    out: Items,
    /// Copies by what they copy.
    copies: HashMap<Ref, usize>,
}

impl Lowering<'_> {
    /// An item for a node, with attributes besides its own.
    fn node(
        &mut self,
        id: NodeId,
        node: &Node,
        mut args: Vec<Ref>,
        more: Vec<(Word, Value)>,
    ) -> Result<Ref, PlanError> {
        let shape = self.sizes.shape(&node.ty.shape)?;
        let work = match &node.op {
            Op::Input(name) => Work::Feed(self.feed(name, node.ty.dtype, &shape)?),
            Op::Read(var) => Work::Variable(var.0),
            Op::Constant(Literal::Number(x)) => Work::Number(*x),
            Op::Constant(Literal::Bool(b)) => Work::Number(f64::from(u8::from(*b))),
            Op::Constant(Literal::Dim(d)) => Work::Number(self.sizes.dim(d)? as f64),
            Op::Constant(Literal::Numbers(xs)) => Work::Numbers(xs.clone()),
            Op::Scan(_) | Op::Result(_) | Op::Gradient(_) => {
                return Err(PlanError::Malformed(id, node.op.to_string()));
            }
            Op::Primitive(name, attrs) => {
                let mut attrs = self.sizes.attrs(attrs)?;
                attrs.extend(more);
                if let Some(movement) = movement(name) {
                    let view = |x: &Layout| movement(x, &attrs, &shape).filter(|l| l.shape == shape);
                    let moved = args.pop().and_then(|x| self.moved(id, x, view));
                    return moved.ok_or_else(|| PlanError::Malformed(id, name.to_string()));
                }
                self.primitive(id, name, attrs, &mut args, &shape)?
            }
        };
        Ok(self.add(Item { node: id, work, inputs: args, dtype: node.ty.dtype, shape }))
    }

    /// A loop: an item for each carried value and each of the wanted outputs; gives them by the number of the
    /// result.
    fn scan(
        &mut self,
        id: NodeId,
        scan: &Scan,
        args: Vec<Ref>,
        wanted: &BTreeSet<u32>,
    ) -> Result<Vec<(u32, Ref)>, PlanError> {
        let carried = scan.turn.variables.len();
        let outputs: Vec<usize> = (carried..scan.results()).filter(|k| wanted.contains(&(*k as u32))).collect();
        let mut turn = scan.turn.clone();
        for k in &outputs {
            let value = scan.of_result(*k).ok_or_else(|| PlanError::Malformed(id, "scan".into()))?;
            let var = Var(turn.variables.len() as u32);
            let ty = turn.ty(value).clone();
            turn.variables.push(Variable { path: format!("o{k}"), kind: VariableKind::State, ty, device: None });
            turn.entries[0].assigns.push((var, value));
        }
        let sizes = self.sizes.given.clone();
        let request = Request { entry: Scan::TURN.into(), fetches: Vec::new(), assigns: true, sizes };
        let plan = super::schedule(&turn, &request, self.device)?;
        let fed: Vec<usize> = plan.feeds.iter().filter_map(|(name, ..)| Scan::input_number(name)).collect();
        let walked = fed.iter().map(|i| scan.walked[*i]).collect();
        let initial = (0..carried).map(|k| scan.walked.len() + k);
        let mut inputs = Vec::new();
        for i in fed.into_iter().chain(initial) {
            let arg = args.get(i).cloned().ok_or_else(|| PlanError::Malformed(id, "scan".into()))?;
            inputs.push(if arg.layout.is_contiguous() { arg } else { self.copy(id, arg) });
        }
        let turns = self.sizes.shape(std::slice::from_ref(&scan.length))?[0];
        let work = Arc::new(Loop { turns, reverse: scan.reverse, walked, carried, plan });
        let mut results = Vec::new();
        for (slot, k) in (0..carried).chain(outputs).enumerate() {
            let ty = scan.result_type(k).ok_or_else(|| PlanError::Malformed(id, "scan".into()))?;
            let shape = self.sizes.shape(&ty.shape)?;
            let work = Work::Loop(work.clone(), slot);
            results.push((k as u32, self.add(Item { node: id, work, inputs: inputs.clone(), dtype: ty.dtype, shape })));
        }
        Ok(results)
    }

    fn add(&mut self, item: Item) -> Ref {
        let layout = Layout::contiguous(&item.shape);
        self.out.list.push(item);
        Ref { item: self.out.list.len() - 1, layout }
    }

    fn feed(&mut self, name: &Word, dtype: DType, shape: &[usize]) -> Result<u32, PlanError> {
        if let Some(i) = self.out.feeds.iter().position(|(n, ..)| n == name) {
            let (_, d, s) = &self.out.feeds[i];
            let same = *d == dtype && *s == shape;
            return if same { Ok(i as u32) } else { Err(PlanError::Feed(name.to_string())) };
        }
        self.out.feeds.push((*name, dtype, shape.to_vec()));
        Ok(self.out.feeds.len() as u32 - 1)
    }

    /// A movement: a view where the strides allow one, else a view of a copy.
    fn moved(&mut self, id: NodeId, x: Ref, view: impl Fn(&Layout) -> Option<Layout>) -> Option<Ref> {
        if let Some(layout) = view(&x.layout) {
            return Some(Ref { item: x.item, layout });
        }
        let copy = self.copy(id, x);
        view(&copy.layout).map(|layout| Ref { item: copy.item, layout })
    }

    fn primitive(
        &mut self,
        id: NodeId,
        name: &Word,
        attrs: Vec<(Word, Value)>,
        args: &mut [Ref],
        shape: &[usize],
    ) -> Result<Work, PlanError> {
        let facts = self.device.kernel(name).ok_or_else(|| PlanError::Kernel(id, name.to_string()))?;
        if facts.elementwise {
            if args.iter().any(|a| a.layout.shape != shape) {
                return Err(PlanError::Malformed(id, name.to_string()));
            }
            return Ok(Work::Elementwise(*name, attrs));
        }
        if !facts.strided {
            for arg in args.iter_mut().filter(|a| !a.layout.is_contiguous()) {
                *arg = self.copy(id, arg.clone());
            }
        }
        Ok(Work::Kernel(*name, attrs, facts))
    }

    fn copy(&mut self, node: NodeId, x: Ref) -> Ref {
        if let Some(item) = self.copies.get(&x) {
            return Ref { item: *item, layout: Layout::contiguous(&x.layout.shape) };
        }
        let dtype = self.out.list[x.item].dtype;
        let shape = x.layout.shape.clone();
        let copy = self.add(Item { node, work: Work::Copy, inputs: vec![x.clone()], dtype, shape });
        self.copies.insert(x, copy.item);
        copy
    }

    /// A fetched value is contiguous, and not in a variable that will have changed.
    fn fetchable(&mut self, v: NodeId, x: Ref, changes: &dyn Fn(u32) -> bool) -> Ref {
        let changed = matches!(self.out.list[x.item].work, Work::Variable(var) if changes(var));
        if changed || !x.layout.is_contiguous() { self.copy(v, x) } else { x }
    }

    /// An item that is all of the value and computed; `None` when the variable stays as it is.
    fn assignable(&mut self, var: u32, v: NodeId, x: Ref) -> Option<usize> {
        let item = &self.out.list[x.item];
        let whole = x.layout.is_whole(item.size());
        match item.work {
            Work::Variable(same) if same == var && whole => None,
            _ if item.is_computed() && whole => Some(x.item),
            _ => Some(self.copy(v, x).item),
        }
    }
}

/// The unknowns' values.
struct Sizes<'a> {
    given: &'a BTreeMap<String, i64>,
    /// Dimensions seen before: most nodes share a few.
    known: RefCell<HashMap<Dim, i64>>,
}

impl Sizes<'_> {
    fn dim(&self, d: &Dim) -> Result<i64, PlanError> {
        if let Some(n) = d.as_constant() {
            return Ok(n);
        }
        if let Some(n) = self.known.borrow().get(d) {
            return Ok(*n);
        }
        if let Some(symbol) = d.symbols().into_iter().find(|s| !self.given.contains_key(&**s)) {
            return Err(PlanError::Size(symbol.to_string()));
        }
        let n = d.evaluate(&|s| self.given.get(s).copied()).ok_or_else(|| PlanError::Size(d.to_string()))?;
        self.known.borrow_mut().insert(d.clone(), n);
        Ok(n)
    }

    /// Sizes of a tensor: each at least 1, all together not more than memory could hold.
    fn shape(&self, dims: &[Dim]) -> Result<Vec<usize>, PlanError> {
        let mut total = 8usize;
        let mut shape = Vec::with_capacity(dims.len());
        for d in dims {
            let n = self.dim(d)?;
            let size = usize::try_from(n).ok().filter(|n| *n > 0);
            let fits = size.and_then(|n| total.checked_mul(n)).filter(|n| isize::try_from(*n).is_ok());
            total = fits.ok_or_else(|| PlanError::Extent(d.to_string(), n))?;
            shape.push(n as usize);
        }
        Ok(shape)
    }

    fn attrs(&self, attrs: &[(Word, Attr)]) -> Result<Vec<(Word, Value)>, PlanError> {
        let value = |attr: &Attr| {
            Ok(match attr {
                Attr::Int(d) => Value::Int(self.dim(d)?),
                Attr::Ints(ds) => Value::Ints(ds.iter().map(|d| self.dim(d)).collect::<Result<_, _>>()?),
                Attr::Float(x) => Value::Float(*x),
                Attr::Bool(b) => Value::Bool(*b),
                Attr::DType(d) => Value::DType(*d),
                Attr::Str(s) => Value::Str(s.clone()),
            })
        };
        attrs.iter().map(|(name, attr)| Ok((*name, value(attr)?))).collect()
    }
}
