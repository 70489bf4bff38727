//! Steps that work on matrices one at a time: what is between their products stays in a cache.
//!
//! The scores of attention, what softmax makes of them, and their gradients are matrices for each head of each example.
//! Step after step they are written to memory and read again, all of them. Here steps that go over the same outer axes, and
//! read what the others of them make, become one that does for the first matrices all there is to do, then for the
//! next: [`Each`]. What nobody else reads needs room for one element only.
//!
//! What one such whole makes and only a later one reads, as the weights of attention for its gradient, is made again there
//! where that is cheap: then it is in memory for one element only, forward and backward. Dao and others,
//! "FlashAttention", arXiv 2205.14135, recompute it so.
//!
//! Nothing here knows attention. What may be part: products of matrices, and programs that do not reduce over the outer axes.

use super::items::{Item, Items, Ref, Work};
use super::schedule::{Draft, Output, PlanError, lay_out};
use super::views::{Layout, row_major};
use super::{Device, Each, Fused, Kernel, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tfm_lang::model::Word;

/// Steps behind the first that are looked at.
const WINDOW: usize = 48;
/// Elements of the outer axes, at least: threads share them.
const LEAST: usize = 4;
/// Bytes that the steps touch for one element, at most: they should stay in a cache.
const MOST_BYTES: usize = 3 << 20;
/// Inputs and outputs of the whole, at most; devices may count on fewer than 32.
const MOST_OPERANDS: usize = 24;
/// Bytes from which something is made again in place of being kept: what is smaller may stay in a cache.
const AGAIN_BYTES: usize = 4 << 20;
/// Elements along the sums of a product that is done again, at most: as long as it takes to write and read the result.
const AGAIN_SUM: usize = 128;
/// What is so many times smaller may live longer for it.
const SMALL: usize = 16;

/// Puts steps together where that pays.
pub(super) fn each(
    items: &Items,
    in_place: &BTreeMap<usize, u32>,
    mut drafts: Vec<Draft>,
    device: &dyn Device,
) -> Result<Vec<Draft>, PlanError> {
    let mut wholes: Vec<Whole> = Vec::new();
    let mut at = 0;
    while at < drafts.len() {
        let found = Region::from(items, in_place, &drafts, at);
        let Some(region) = found.filter(|r| r.pays(items, &drafts)) else {
            at += 1;
            continue;
        };
        let (mut whole, place) = region.take_out(items, &mut drafts);
        for earlier in &mut wholes {
            whole.make_again(items, earlier, &mut drafts, place, device)?;
        }
        drafts.insert(place, whole.draft(items, device)?);
        wholes.push(whole);
    }
    Ok(drafts)
}

/// Steps that become one.
struct Region {
    /// The outer axes.
    outer: Vec<usize>,
    /// Numbers of steps, in their order.
    members: Vec<usize>,
}

impl Region {
    /// The steps that belong together with a product of matrices.
    fn from(items: &Items, in_place: &BTreeMap<usize, u32>, drafts: &[Draft], first: usize) -> Option<Region> {
        let outer = outer_of_product(items, &drafts[first])?;
        let free = |d: &Draft| {
            let Output::Items(outputs) = &d.output else { return false };
            let changes =
                |r: &Ref| matches!(items.list[r.item].work, Work::Variable(v) if in_place.values().any(|w| *w == v));
            outputs.iter().all(|o| !in_place.contains_key(o)) && !d.inputs.iter().any(changes)
        };
        if outer.iter().product::<usize>() < LEAST || !free(&drafts[first]) {
            return None;
        }
        let mut region = Region { outer, members: vec![first] };
        let near = first + 1..drafts.len().min(first + WINDOW);
        let near: Vec<usize> =
            near.filter(|i| free(&drafts[*i]) && goes_over(items, &drafts[*i], &region.outer)).collect();
        // Again for those in front of what was taken behind them.
        loop {
            let before = region.members.len();
            for next in &near {
                region.take(items, drafts, *next);
            }
            if region.members.len() == before {
                return (before > 1).then_some(region);
            }
        }
    }

    /// Takes a step that goes over the same axes, if it has something in common with those that are there.
    fn take(&mut self, items: &Items, drafts: &[Draft], next: usize) {
        let Err(place) = self.members.binary_search(&next) else { return };
        let draft = &drafts[next];
        let made: BTreeSet<usize> = self.made(drafts).collect();
        let read = || self.members.iter().flat_map(|m| &drafts[*m].inputs);
        let shares = |r: &Ref| moves(&r.layout, &self.outer) && read().any(|other| other.item == r.item);
        let common = draft.inputs.iter().any(|r| made.contains(&r.item) || shares(r))
            || read().any(|r| draft.made().contains(&r.item));
        if common {
            self.members.insert(place, next);
            if !self.aligned(items, drafts) || self.place(drafts).is_none() {
                self.members.remove(place);
            }
        }
    }

    /// True where an element of what one step makes is all that an element of another one sees of it.
    fn aligned(&self, items: &Items, drafts: &[Draft]) -> bool {
        let made: BTreeSet<usize> = self.made(drafts).collect();
        let reads = self.members.iter().flat_map(|m| &drafts[*m].inputs).filter(|r| made.contains(&r.item));
        reads.into_iter().all(|r| inner_of_made(items, r, self.outer.len()).is_some())
    }

    /// What the steps make.
    fn made<'a>(&'a self, drafts: &'a [Draft]) -> impl Iterator<Item = usize> + 'a {
        self.members.iter().flat_map(|m| drafts[*m].made().iter().copied())
    }

    /// Where the whole can stand: at the place of the last step, if nobody reads what the others make before; or of the
    /// first, if what the others read is there.
    fn place(&self, drafts: &[Draft]) -> Option<usize> {
        let (first, last) = (*self.members.first()?, *self.members.last()?);
        let others = || (first..last).filter(|i| !self.members.contains(i)).map(|i| &drafts[i]);
        let ours: BTreeSet<usize> = self.made(drafts).collect();
        if others().all(|d| d.inputs.iter().all(|r| !ours.contains(&r.item))) {
            return Some(last);
        }
        let theirs: BTreeSet<usize> = others().flat_map(|d| d.made().iter().copied()).collect();
        let ready = |m: &usize| drafts[*m].inputs.iter().all(|r| !theirs.contains(&r.item));
        self.members.iter().all(ready).then_some(first)
    }

    /// What only these steps read.
    fn inside(&self, items: &Items, drafts: &[Draft]) -> BTreeSet<usize> {
        let read: BTreeSet<usize> = (drafts.iter().enumerate().filter(|(i, _)| !self.members.contains(i)))
            .flat_map(|(_, d)| d.inputs.iter().map(|r| r.item))
            .chain(items.fetches.iter().map(|r| r.item))
            .collect();
        self.made(drafts).filter(|i| !read.contains(i)).collect()
    }

    /// True where something stays inside, and one element of everything fits into a cache.
    fn pays(&self, items: &Items, drafts: &[Draft]) -> bool {
        let inside = self.inside(items, drafts);
        !inside.is_empty() && fits(items, &self.outer, self.members.iter().map(|m| &drafts[*m]), &inside)
    }

    /// The steps, taken from the others, and the place among those for what becomes of them.
    fn take_out(self, items: &Items, drafts: &mut Vec<Draft>) -> (Whole, usize) {
        let inside = self.inside(items, drafts);
        let place = self.place(drafts).unwrap_or(self.members[0]);
        let place = place - self.members.iter().filter(|m| **m < place).count();
        let mut number = 0..;
        let members = drafts.extract_if(.., |_| number.next().is_some_and(|n| self.members.contains(&n))).collect();
        (Whole { outer: self.outer, members, inside }, place)
    }
}

/// True where one element of everything fits into a cache, and devices have room for the operands.
fn fits<'a>(
    items: &Items,
    outer: &[usize],
    members: impl Iterator<Item = &'a Draft> + Clone,
    inside: &BTreeSet<usize>,
) -> bool {
    let count: usize = outer.iter().product();
    let made: BTreeSet<usize> = members.clone().flat_map(|d| d.made()).copied().collect();
    let read = members.flat_map(|d| &d.inputs).filter(|r| !made.contains(&r.item));
    let operands = read.clone().collect::<HashSet<_>>().len() + made.len() - inside.len();
    let touched: BTreeSet<usize> = made.iter().copied().chain(read.map(|r| r.item)).collect();
    let bytes: usize = touched.iter().map(|i| items.list[*i].bytes() / count).sum();
    bytes <= MOST_BYTES && operands <= MOST_OPERANDS
}

/// Steps that were put together.
struct Whole {
    /// The outer axes.
    outer: Vec<usize>,
    members: Vec<Draft>,
    /// What nobody else reads.
    inside: BTreeSet<usize>,
}

impl Whole {
    fn made(&self) -> impl Iterator<Item = usize> {
        self.members.iter().flat_map(|d| d.made()).copied()
    }

    fn outputs(&self) -> impl Iterator<Item = usize> {
        self.made().filter(|i| !self.inside.contains(i))
    }

    /// Of what an earlier whole makes for this one alone, makes again what is large and cheap. `drafts` are all other
    /// steps, and this is to stand at `place`.
    fn make_again(
        &mut self,
        items: &Items,
        earlier: &mut Whole,
        drafts: &mut [Draft],
        place: usize,
        device: &dyn Device,
    ) -> Result<(), PlanError> {
        let made = |d: &Draft| earlier.outputs().any(|i| d.made().contains(&i));
        let Some(stands) = drafts[..place].iter().position(made).filter(|_| earlier.outer == self.outer) else {
            return Ok(());
        };
        let before = earlier.inside.len();
        for item in earlier.outputs().collect::<Vec<_>>() {
            let ours: Vec<&Ref> = self.members.iter().flat_map(|d| &d.inputs).filter(|r| r.item == item).collect();
            let sees_one = ours.iter().all(|r| inner_of_made(items, r, self.outer.len()).is_some());
            let others = drafts.iter().flat_map(|d| &d.inputs).chain(&items.fetches).any(|r| r.item == item);
            let bytes = items.list[item].bytes();
            if ours.is_empty() || !sees_one || others || bytes < AGAIN_BYTES || earlier.outputs().count() == 1 {
                continue;
            }
            let Some(steps) = earlier.steps_to(item) else { continue };
            let again: BTreeSet<usize> = steps.iter().flat_map(|d| d.made()).copied().collect();
            // What these steps read should be alive here anyway.
            let read = || self.members.iter().chain(&drafts[place..]).flat_map(|d| &d.inputs);
            let needs = steps.iter().flat_map(|d| &d.inputs).map(|r| r.item).filter(|i| !again.contains(i));
            let longer = needs.filter(|i| items.list[*i].is_computed() && read().all(|r| r.item != *i));
            let longer: usize = longer.collect::<BTreeSet<_>>().into_iter().map(|i| items.list[i].bytes()).sum();
            let inside = self.inside.union(&again).copied().collect();
            if longer * SMALL <= bytes && fits(items, &self.outer, steps.iter().chain(&self.members), &inside) {
                // Some may be here for something else.
                let known: BTreeSet<usize> = self.made().collect();
                let new = steps.into_iter().filter(|d| !d.made().iter().any(|i| known.contains(i)));
                self.members.splice(0..0, new.collect::<Vec<_>>());
                self.inside = inside;
                earlier.inside.insert(item);
            }
        }
        if earlier.inside.len() > before {
            drafts[stands] = earlier.draft(items, device)?;
        }
        Ok(())
    }

    /// The steps that make an item, in their order; `None` where one of them takes long.
    fn steps_to(&self, item: usize) -> Option<Vec<Draft>> {
        let mut needed = BTreeSet::from([item]);
        let mut steps = Vec::new();
        for draft in self.members.iter().rev() {
            if !draft.made().iter().any(|i| needed.contains(i)) {
                continue;
            }
            let short = match &draft.kernel {
                Kernel::Primitive(..) => draft.inputs[0].layout.shape.last().is_some_and(|n| *n <= AGAIN_SUM),
                _ => true,
            };
            if !short {
                return None;
            }
            needed.extend(draft.inputs.iter().map(|r| r.item));
            steps.push(draft.clone());
        }
        steps.reverse();
        Some(steps)
    }

    /// The step that does all of it, with a plan for one element.
    fn draft(&self, items: &Items, device: &dyn Device) -> Result<Draft, PlanError> {
        let axes = self.outer.len();
        let mut one = One { items: Items::default(), numbers: HashMap::new(), fed: Vec::new() };
        let mut inner = Vec::new();
        for draft in &self.members {
            let inputs = draft.inputs.iter().map(|r| one.input(items, r, axes)).collect();
            let outputs = draft.made().iter().map(|i| one.made(items, *i, axes)).collect();
            let (kernel, nodes) = (of_one(&draft.kernel, axes), draft.nodes.clone());
            inner.push(Draft { kernel, inputs, output: Output::Items(outputs), nodes });
        }
        let outputs: Vec<usize> = self.outputs().collect();
        let places = outputs.iter().enumerate().map(|(k, i)| (one.numbers[i], k as u32)).collect();
        let (plan, _) = lay_out(&one.items, &places, inner, device)?;
        let nodes = self.members.iter().flat_map(|d| d.nodes.iter().copied()).collect();
        let each = Each { outer: self.outer.clone(), plan };
        Ok(Draft { kernel: Kernel::Each(Arc::new(each)), inputs: one.fed, output: Output::Items(outputs), nodes })
    }
}

/// The items of one element.
struct One {
    items: Items,
    /// The numbers of what is made in the whole, here.
    numbers: HashMap<usize, usize>,
    /// What is fed, as it is seen in the whole.
    fed: Vec<Ref>,
}

impl One {
    fn add(&mut self, item: Item) -> usize {
        self.items.list.push(item);
        self.items.list.len() - 1
    }

    fn input(&mut self, items: &Items, r: &Ref, axes: usize) -> Ref {
        let item = &items.list[r.item];
        if let Some(number) = self.numbers.get(&r.item) {
            let layout = inner_of_made(items, r, axes).expect("what a region takes is aligned");
            return Ref { item: *number, layout };
        }
        let inner = inner(&r.layout, axes);
        let feed = self.fed.iter().position(|other| other == r).unwrap_or_else(|| {
            let span = inner.shape.iter().zip(&inner.strides).map(|(n, s)| (n - 1) * *s as usize).sum::<usize>() + 1;
            let number = self.fed.len();
            self.fed.push(r.clone());
            self.items.feeds.push((Word::from(format!("x{number}").as_str()), item.dtype, vec![span]));
            number
        });
        let shape = self.items.feeds[feed].2.clone();
        let known = self.items.list.iter().position(|i| matches!(i.work, Work::Feed(f) if f as usize == feed));
        let work = Work::Feed(feed as u32);
        let fed = Item { node: item.node, work, inputs: Vec::new(), dtype: item.dtype, shape };
        Ref { item: known.unwrap_or_else(|| self.add(fed)), layout: inner }
    }

    fn made(&mut self, items: &Items, i: usize, axes: usize) -> usize {
        let item = &items.list[i];
        let shape = item.shape[axes..].to_vec();
        let number = self.add(Item { inputs: Vec::new(), shape, ..item.clone() });
        self.numbers.insert(i, number);
        number
    }
}

/// The outer axes of a product of matrices that come one by one on both sides.
fn outer_of_product(items: &Items, draft: &Draft) -> Option<Vec<usize>> {
    let [out] = draft.made() else { return None };
    let Work::Kernel(_, _, facts) = &items.list[*out].work else { return None };
    let shape = &items.list[*out].shape;
    let outer = &shape[..shape.len().checked_sub(2)?];
    (facts.matrices && goes_over(items, draft, outer)).then(|| outer.to_vec())
}

/// True where a step does the same for each element of these outer axes, whatever it does for the others.
fn goes_over(items: &Items, draft: &Draft, outer: &[usize]) -> bool {
    let axes = outer.len();
    let starts = |shape: &[usize]| shape.len() >= axes && shape[..axes] == *outer;
    let forth = |r: &Ref| r.layout.offset >= 0 && r.layout.strides.iter().all(|s| *s >= 0);
    let fits = draft.made().iter().all(|i| starts(&items.list[*i].shape))
        && draft.inputs.iter().all(|r| starts(&r.layout.shape) && forth(r));
    fits && match &draft.kernel {
        Kernel::Primitive(..) => {
            let matrices = |i: &usize| matches!(&items.list[*i].work, Work::Kernel(_, _, facts) if facts.matrices);
            let exact = |i: &usize| items.list[*i].shape.len() == axes + 2;
            let all = |i| matrices(i) && exact(i);
            draft.made().iter().all(all) && draft.inputs.iter().all(|r| moves(&r.layout, outer))
        }
        Kernel::Fused(fused) => {
            let inside = fused.shape.len() > axes && fused.row <= fused.shape.len() - axes;
            inside && starts(&fused.shape) && fused.totals().next().is_none() && !draws(fused)
        }
        _ => false,
    }
}

/// True where elements of the outer axes are not all the same one.
fn moves(layout: &Layout, outer: &[usize]) -> bool {
    outer.iter().zip(&layout.strides).any(|(n, stride)| *n > 1 && *stride != 0)
}

/// True where what is computed depends on the number of the element.
fn draws(fused: &Fused) -> bool {
    fused.instructions.iter().any(|i| i.attrs.iter().any(|(name, _)| &**name == "key"))
}

fn inner(layout: &Layout, axes: usize) -> Layout {
    Layout { offset: 0, shape: layout.shape[axes..].to_vec(), strides: layout.strides[axes..].to_vec() }
}

/// How one element sees what another step made of it; `None` where it would see more than that.
fn inner_of_made(items: &Items, r: &Ref, axes: usize) -> Option<Layout> {
    let shape = &items.list[r.item].shape;
    let outer = r.layout.strides.get(..axes)?.iter().zip(row_major(shape)).zip(shape);
    let same = outer.clone().count() == axes && outer.clone().all(|((s, t), n)| *n == 1 || *s == t);
    let inner = Layout { offset: r.layout.offset, ..inner(&r.layout, axes) };
    let reach = inner.shape.iter().zip(&inner.strides).map(|(n, s)| (*n as isize - 1) * s).sum::<isize>();
    let room = shape.get(axes..)?.iter().product::<usize>() as isize;
    (same && inner.offset >= 0 && inner.offset + reach < room).then_some(inner)
}

/// A kernel without the outer axes.
fn of_one(kernel: &Kernel, axes: usize) -> Kernel {
    let Kernel::Fused(fused) = kernel else { return kernel.clone() };
    let skips = fused.skips.filter(|_| fused.shape.len() >= axes + 2);
    let mut fused = Fused { shape: fused.shape[axes..].to_vec(), skips, ..fused.clone() };
    for (_, value) in fused.instructions.iter_mut().filter(|i| i.reduced().is_some()).flat_map(|i| &mut i.attrs) {
        if let Value::Ints(reduced) = value {
            reduced.iter_mut().for_each(|a| *a -= axes as i64);
        }
    }
    Kernel::Fused(fused)
}
