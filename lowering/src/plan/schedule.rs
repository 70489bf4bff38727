//! Graph → Plan: what one entry does for given sizes, in order, with all memory laid out.

use super::each::each;
use super::items::{Item, Items, Ref, Work, items};
use super::memory::{ALIGNMENT, Buffer, offsets};
use super::order::{Order, order};
use super::program::program;
use super::views::{Layout, row_major};
use super::{Device, Kernel, Plan, Space, Step, View};
use crate::fuse::{Group, fuse};
use crate::graph::{Graph, Value as NodeId};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use tfm_lang::types::DType;

/// What is asked of a graph.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    /// The entry.
    pub entry: String,
    /// The names of the outputs that are wanted, in the order of [`Plan::fetches`].
    pub fetches: Vec<String>,
    /// True when the variables are to change.
    pub assigns: bool,
    /// The unknown sizes: `B`, `steps_per_epoch`.
    pub sizes: BTreeMap<String, i64>,
}

/// Why there is no plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlanError {
    /// The graph has no such entry.
    Entry(String),
    /// The entry has no such output.
    #[allow(missing_docs)]
    Output { entry: String, name: String },
    /// An unknown size that was not given.
    Size(String),
    /// A dimension, and the size it would have, which no tensor can.
    Extent(String, i64),
    /// The device has no kernel for a primitive.
    Kernel(NodeId, String),
    /// A field that is fed with two different types.
    Feed(String),
    /// A primitive whose arguments do not fit it; the checker lets none through.
    Malformed(NodeId, String),
    /// A dtype that a literal cannot have.
    Literal(NodeId, DType),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Entry(name) => write!(f, "the graph has no entry `{name}`"),
            PlanError::Output { entry, name } => write!(f, "`{entry}` has no output `{name}`"),
            PlanError::Size(symbol) => write!(f, "the size `{symbol}` is not known"),
            PlanError::Extent(dim, n) => write!(f, "the dimension `{dim}` would be {n}, which is no size of a tensor"),
            PlanError::Kernel(node, name) => write!(f, "the device has no kernel for `{name}` ({node})"),
            PlanError::Feed(name) => write!(f, "`{name}` is used with two different types"),
            PlanError::Malformed(node, name) => write!(f, "`{name}` does not fit its arguments ({node})"),
            PlanError::Literal(node, dtype) => write!(f, "a literal cannot be {dtype} ({node})"),
        }
    }
}

impl std::error::Error for PlanError {}

/// Makes the plan of an entry for given sizes.
///
/// Only what is fetched is computed, and with `assigns` what the variables become. Assigns take
/// effect together: a variable is written in place only where nothing reads its old value after.
/// What is fetched is contiguous and stays until the plan runs again.
pub fn schedule(graph: &Graph, request: &Request, device: &dyn Device) -> Result<Plan, PlanError> {
    planned(graph, request, device).map(|(plan, _)| plan)
}

/// A plan, and how long its values live.
pub(crate) fn planned(graph: &Graph, request: &Request, device: &dyn Device) -> Result<(Plan, Lives), PlanError> {
    let items = items(graph, request, device)?;
    let order = order(&items, fuse(&items));
    let drafts = each(&items, &order.in_place, drafts(&items, &order), device)?;
    let (plan, lives) = lay_out(&items, &order.in_place, drafts, device)?;
    debug_assert_eq!(plan.check(), Ok(()), "{plan}");
    Ok((plan, lives))
}

/// How long the values of a plan's arena live.
#[derive(Default)]
pub(crate) struct Lives {
    pub(crate) values: Vec<Live>,
    /// The step at which the most bytes are alive.
    pub(crate) peak: usize,
}

/// A value in the arena.
pub(crate) struct Live {
    pub(crate) node: NodeId,
    pub(crate) bytes: usize,
    /// The step that writes it, the last that reads it, and all that do.
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) uses: Vec<usize>,
    /// It is there when the plan has run.
    pub(crate) fetched: bool,
}

impl Lives {
    fn of(items: &Items, drafts: &[Draft], places: &Places) -> Lives {
        let mut uses: HashMap<usize, Vec<usize>> = HashMap::new();
        for (at, draft) in drafts.iter().enumerate() {
            draft.inputs.iter().for_each(|r| uses.entry(r.item).or_default().push(at));
        }
        let mut values = Vec::new();
        for (at, draft) in drafts.iter().enumerate() {
            let Output::Items(outputs) = &draft.output else { continue };
            for item in outputs.iter().filter(|i| places.buffer.contains_key(i)) {
                let (node, bytes) = (items.list[*item].node, items.list[*item].bytes());
                let uses = uses.remove(item).unwrap_or_default();
                let fetched = items.fetches.iter().any(|r| r.item == *item);
                let last = if fetched { drafts.len() } else { uses.last().copied().unwrap_or(at) };
                values.push(Live { node, bytes, first: at, last, uses, fetched });
            }
        }
        let mut change = vec![0isize; drafts.len() + 2];
        for buffer in &places.buffers {
            change[buffer.first] += buffer.bytes as isize;
            change[buffer.last + 1] -= buffer.bytes as isize;
        }
        let (mut alive, mut most, mut peak) = (0, 0, 0);
        for (at, change) in change.into_iter().enumerate() {
            alive += change;
            if alive > most {
                (most, peak) = (alive, at);
            }
        }
        Lives { values, peak }
    }
}

/// A step before its operands have places.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) kernel: Kernel,
    pub(super) inputs: Vec<Ref>,
    pub(super) output: Output,
    pub(super) nodes: Vec<NodeId>,
}

impl Draft {
    /// The items that it makes.
    pub(super) fn made(&self) -> &[usize] {
        if let Output::Items(items) = &self.output { items } else { &[] }
    }
}

#[derive(Clone)]
pub(super) enum Output {
    Items(Vec<usize>),
    /// At the end an item is copied to a variable that could not be written in place.
    Variable(u32),
}

fn drafts(items: &Items, order: &Order) -> Vec<Draft> {
    let steps = order.groups.iter().map(|group| {
        let last = &items.list[*group.items.last().expect("a group has items")];
        let (kernel, inputs) = match &last.work {
            _ if group.items.len() > 1 && !matches!(last.work, Work::Loop(..)) => fused(items, group),
            Work::Kernel(name, attrs, _) => (Kernel::Primitive(*name, attrs.clone()), last.inputs.clone()),
            Work::Copy => (Kernel::Copy, last.inputs.clone()),
            Work::Loop(turns, _) => (Kernel::Loop(turns.clone()), last.inputs.clone()),
            _ => fused(items, group),
        };
        let nodes = group.items.iter().map(|i| items.list[*i].node).collect();
        Draft { kernel, inputs, output: Output::Items(group.outputs.clone()), nodes }
    });
    let copies = order.copied.iter().map(|(var, i)| {
        let item = &items.list[*i];
        let input = Ref { item: *i, layout: Layout::contiguous(&item.shape) };
        let output = Output::Variable(*var);
        Draft { kernel: Kernel::Copy, inputs: vec![input], output, nodes: vec![item.node] }
    });
    steps.chain(copies).collect()
}

fn fused(items: &Items, group: &Group) -> (Kernel, Vec<Ref>) {
    let (fused, inputs) = program(items, group);
    (Kernel::Fused(fused), inputs)
}

/// Where items are: buffers of the arena, and what has a place already.
struct Places {
    /// The buffer of an item.
    buffer: HashMap<usize, usize>,
    buffers: Vec<Buffer>,
    fixed: HashMap<usize, (Space, usize)>,
    constants: Vec<u8>,
}

/// Gives everything a place; some items are written into variables.
pub(super) fn lay_out(
    items: &Items,
    in_place: &BTreeMap<usize, u32>,
    drafts: Vec<Draft>,
    device: &dyn Device,
) -> Result<(Plan, Lives), PlanError> {
    let mut places =
        Places { buffer: HashMap::new(), buffers: Vec::new(), fixed: HashMap::new(), constants: Vec::new() };
    places.fixed.extend(in_place.iter().map(|(i, var)| (*i, (Space::Variable(*var), 0))));
    places.fix_leaves(items, &drafts)?;
    places.ahead(items, &drafts);
    places.lend(items, &drafts);

    let scratch: Vec<usize> = drafts.iter().map(|d| scratch(items, d, device)).collect();
    let first_scratch = places.buffers.len();
    let wanted = scratch.iter().enumerate().filter(|(_, bytes)| **bytes > 0);
    places.buffers.extend(wanted.map(|(at, bytes)| Buffer { bytes: *bytes, first: at, last: at }));
    let lives = Lives::of(items, &drafts, &places);
    let (offsets, arena) = offsets(&places.buffers);

    let place = |item: usize| match places.fixed.get(&item) {
        Some(fixed) => *fixed,
        None => (Space::Arena, offsets[places.buffer[&item]]),
    };
    let view = |r: &Ref| view(items, r, place(r.item));
    let mut next_scratch = first_scratch;
    let mut steps = Vec::with_capacity(drafts.len());
    for (draft, bytes) in drafts.into_iter().zip(scratch) {
        let inputs: Vec<View> = draft.inputs.iter().map(view).collect();
        let outputs = match &draft.output {
            Output::Items(outputs) => outputs.iter().map(|i| fresh(&items.list[*i], place(*i))).collect(),
            Output::Variable(var) => vec![fresh(&items.list[draft.inputs[0].item], (Space::Variable(*var), 0))],
        };
        let scratch = if bytes == 0 { (0, 0) } else { (offsets[next_scratch], bytes) };
        next_scratch += (bytes > 0) as usize;
        steps.push(Step { kernel: draft.kernel, inputs, outputs, scratch, nodes: draft.nodes });
    }
    let fetches = items.fetches.iter().map(view).collect();
    Ok((Plan { steps, arena, constants: places.constants, feeds: items.feeds.clone(), fetches }, lives))
}

fn scratch(items: &Items, draft: &Draft, device: &dyn Device) -> usize {
    let (name, attrs) = match &draft.kernel {
        Kernel::Primitive(name, attrs) => (name, attrs),
        Kernel::Loop(turns) => return turns.plan.arena,
        // Threads have its arena in memory of their own.
        Kernel::Each(_) => return 0,
        Kernel::Fused(fused) => return fused.scratch(),
        Kernel::Copy => return 0,
    };
    // The kernel sees sizes and strides; offsets come later.
    let inputs: Vec<View> = draft.inputs.iter().map(|r| view(items, r, (Space::Arena, 0))).collect();
    let outputs: Vec<View> = match &draft.output {
        Output::Items(outputs) => outputs.iter().map(|i| fresh(&items.list[*i], (Space::Arena, 0))).collect(),
        Output::Variable(_) => Vec::new(),
    };
    device.scratch(name, attrs, &inputs, &outputs)
}

fn fresh(item: &Item, (space, offset): (Space, usize)) -> View {
    View { space, offset, dtype: item.dtype, shape: item.shape.clone(), strides: row_major(&item.shape) }
}

fn view(items: &Items, r: &Ref, (space, base): (Space, usize)) -> View {
    let dtype = items.list[r.item].dtype;
    let shape = r.layout.shape.clone();
    let strides = if r.layout.is_contiguous() { row_major(&shape) } else { r.layout.strides.clone() };
    let offset = base.wrapping_add_signed(r.layout.offset * dtype.bytes() as isize);
    View { space, offset, dtype, shape, strides }
}

impl Places {
    /// Feeds and variables are where they are; literals that a program does not hold become bytes.
    fn fix_leaves(&mut self, items: &Items, drafts: &[Draft]) -> Result<(), PlanError> {
        for r in drafts.iter().flat_map(|d| &d.inputs).chain(&items.fetches) {
            if self.fixed.contains_key(&r.item) {
                continue;
            }
            let item = &items.list[r.item];
            let place = match &item.work {
                Work::Feed(i) => (Space::Feed(*i), 0),
                Work::Variable(var) => (Space::Variable(*var), 0),
                Work::Number(x) => (Space::Constant, self.literal(item, std::slice::from_ref(x))?),
                Work::Numbers(xs) => (Space::Constant, self.literal(item, xs)?),
                _ => continue,
            };
            self.fixed.insert(r.item, place);
        }
        Ok(())
    }

    fn literal(&mut self, item: &Item, xs: &[f64]) -> Result<usize, PlanError> {
        self.constants.resize(self.constants.len().next_multiple_of(ALIGNMENT), 0);
        let start = self.constants.len();
        for x in xs {
            write_number(*x, item.dtype, &mut self.constants).ok_or(PlanError::Literal(item.node, item.dtype))?;
        }
        Ok(start)
    }

    /// What a variable's new value is made of, element by element, stands where that will be, if nobody reads the old
    /// value: a table is drawn, scaled and shifted where it lies.
    fn ahead(&mut self, items: &Items, drafts: &[Draft]) {
        let mut last: HashMap<usize, usize> = HashMap::new();
        for (at, draft) in drafts.iter().enumerate() {
            last.extend(draft.inputs.iter().map(|r| (r.item, at)));
        }
        let read = drafts.iter().flat_map(|d| &d.inputs).chain(&items.fetches);
        let read: Vec<u32> =
            read.filter_map(|r| if let Work::Variable(v) = items.list[r.item].work { Some(v) } else { None }).collect();
        for (at, draft) in drafts.iter().enumerate().rev() {
            let Output::Items(outputs) = &draft.output else { continue };
            for (o, item) in outputs.iter().enumerate() {
                let Some((Space::Variable(var), 0)) = self.fixed.get(item).copied() else { continue };
                let fetched = |i: usize| items.fetches.iter().any(|r| r.item == i);
                let free = |r: &&Ref| {
                    let made = items.list[r.item].is_computed() && !matches!(items.list[r.item].work, Work::Loop(..));
                    made && last.get(&r.item) == Some(&at) && !fetched(r.item) && !self.fixed.contains_key(&r.item)
                };
                let heir = heirs(items, draft, o, *item).find(free).map(|r| r.item);
                if let Some(heir) = heir.filter(|_| !read.contains(&var)) {
                    self.fixed.insert(heir, (Space::Variable(var), 0));
                }
            }
        }
    }

    /// Gives every item a buffer for as long as it is read; an output takes over the memory of an
    /// input that is read for the last time, where the kernel allows it.
    fn lend(&mut self, items: &Items, drafts: &[Draft]) {
        let mut last: HashMap<usize, usize> = HashMap::new();
        for (at, draft) in drafts.iter().enumerate() {
            last.extend(draft.inputs.iter().map(|r| (r.item, at)));
        }
        last.extend(items.fetches.iter().map(|r| (r.item, drafts.len())));
        for (at, draft) in drafts.iter().enumerate() {
            let Output::Items(outputs) = &draft.output else { continue };
            let mut taken = Vec::new();
            for (o, item) in outputs.iter().enumerate().filter(|(_, i)| !self.fixed.contains_key(i)) {
                let end = last.get(item).copied().unwrap_or(at);
                let dying = |r: &Ref| last[&r.item] == at && self.buffer.contains_key(&r.item);
                let heir = heirs(items, draft, o, *item).find(|r| dying(r) && !taken.contains(&r.item));
                let buffer = match heir {
                    Some(r) => {
                        taken.push(r.item);
                        self.buffer[&r.item]
                    }
                    None => {
                        self.buffers.push(Buffer { bytes: items.list[*item].bytes(), first: at, last: at });
                        self.buffers.len() - 1
                    }
                };
                self.buffers[buffer].last = end;
                self.buffer.insert(*item, buffer);
            }
        }
    }
}

/// The inputs of a step whose memory output `o` may take over.
fn heirs<'a>(items: &'a Items, draft: &'a Draft, o: usize, output: usize) -> impl Iterator<Item = &'a Ref> {
    let allowed = move |j: usize, r: &Ref| {
        let item = &items.list[r.item];
        let lies_on = r.layout.is_whole(item.size())
            && item.size() == items.list[output].size()
            && item.dtype.bytes() == items.list[output].dtype.bytes();
        let alone = draft.inputs.iter().enumerate().all(|(k, other)| k == j || other.item != r.item);
        lies_on && alone && may_overwrite(items, draft, j, o, output)
    };
    draft.inputs.iter().enumerate().filter(move |(j, r)| allowed(*j, r)).map(|(_, r)| r)
}

fn may_overwrite(items: &Items, draft: &Draft, input: usize, o: usize, output: usize) -> bool {
    match (&draft.kernel, &items.list[output].work) {
        (Kernel::Fused(fused), _) => fused.may_overwrite(input, o),
        (Kernel::Primitive(..), Work::Kernel(_, _, facts)) => facts.in_place == Some(input),
        _ => false,
    }
}

/// A number's bytes, as the machine has them; `None` for the dtypes that no literal has.
fn write_number(x: f64, dtype: DType, out: &mut Vec<u8>) -> Option<()> {
    match dtype {
        DType::F64 => out.extend(x.to_ne_bytes()),
        DType::F32 => out.extend((x as f32).to_ne_bytes()),
        DType::Bf16 => {
            // Round to the nearest, halves to even; a NaN keeps its highest bit and stays one.
            let bits = (x as f32).to_bits();
            let rounded = if x.is_nan() { bits | 1 << 16 } else { bits.wrapping_add(0x7fff + (bits >> 16 & 1)) };
            out.extend(((rounded >> 16) as u16).to_ne_bytes());
        }
        DType::F16 => return None,
        DType::I64 => out.extend((x as i64).to_ne_bytes()),
        DType::I32 => out.extend((x as i32).to_ne_bytes()),
        DType::I8 => out.extend((x as i8).to_ne_bytes()),
        DType::U8 => out.push(x as u8),
        DType::Bool => out.push((x != 0.0).into()),
    }
    Some(())
}
