//! Which elementwise operations and reductions share a loop.
//!
//! Operations of one iteration space that feed each other become one group: their values stay in
//! registers, and what is needed outside is written once. Reductions end a group, or, along rows that
//! stay in the cache, stand in the middle of it: a softmax and a normalisation are one group each. What makes
//! items one program is said in `crate::plan::form`. A group never depends on itself through
//! another one. A cheap value that several groups need is computed again in each, where that costs
//! no further memory traffic; transcendental functions and random draws are never repeated.

use crate::plan::form::form;
use crate::plan::items::{Item, Items, Work};
use crate::plan::reach::Reach;
use std::collections::{BTreeMap, BTreeSet};

/// The most instructions of a fused program.
const MOST_INSTRUCTIONS: usize = 64;
/// The most inputs.
const MOST_INPUTS: usize = 12;
/// The most values alive at once.
const MOST_LIVE: usize = 32;
/// What is so many times smaller than the value that it helps to compute again costs nothing to keep and to read.
const SMALL: usize = 8;
/// The most operations that are repeated in place of one value.
const MOST_REPEATED: usize = 6;

/// What is as quick as reading its result from memory.
const CHEAP: &[&str] = &[
    "abs",
    "add",
    "cast",
    "equal",
    "floor",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "maximum",
    "minimum",
    "multiply",
    "negate",
    "not_equal",
    "round",
    "sign",
    "subtract",
    "where",
];

/// What one step computes.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Items, arguments first: several elementwise ones and reductions, or one kernel or copy.
    pub items: Vec<usize>,
    /// Those of them that are written to memory, in the order of `items`.
    pub outputs: Vec<usize>,
}

/// Groups all computed items. They are in no particular order; an item may be computed in several.
pub fn fuse(items: &Items) -> Vec<Group> {
    let mut fusion = Fusion::new(items);
    for i in 0..items.list.len() {
        if items.list[i].is_computed() {
            fusion.place(i);
        }
    }
    let stored = fusion.stored();
    let groups = fusion.members.iter().enumerate().filter(|(_, m)| !m.is_empty());
    let groups = groups.map(|(g, members)| fusion.finish(g, members, &stored));
    groups.filter(|g| !g.outputs.is_empty()).collect()
}

struct Fusion<'a> {
    items: &'a Items,
    /// Items by group; empty where a group has become part of another.
    members: Vec<BTreeSet<usize>>,
    /// The group that an item was put in; `usize::MAX` for leaves.
    group: Vec<usize>,
    reach: Reach,
}

impl Fusion<'_> {
    fn new(items: &Items) -> Fusion<'_> {
        let n = items.list.len();
        Fusion { items, members: vec![BTreeSet::new(); n], group: vec![usize::MAX; n], reach: Reach::new(n) }
    }

    /// Puts an item into a group of its own, then joins that with those of its arguments.
    fn place(&mut self, i: usize) {
        if let Work::Loop(_, number) = self.items.list[i].work
            && number > 0
        {
            // The loop's other results are there already.
            let first = self.group[i - number];
            self.group[i] = first;
            self.members[first].insert(i);
            return;
        }
        self.members[i].insert(i);
        self.group[i] = i;
        let before: BTreeSet<usize> = self.items.list[i].inputs.iter().map(|r| self.group[r.item]).collect();
        for g in before.iter().filter(|g| **g != usize::MAX) {
            self.reach.inherit(i, *g);
        }
        if is_fusible(&self.items.list[i]) {
            // The latest argument first: it is the one that is most likely still in registers.
            for g in before.into_iter().rev().filter(|g| *g != usize::MAX) {
                self.join(g, self.group[i]);
            }
        }
    }

    /// Makes two groups one, if that is allowed and small enough.
    fn join(&mut self, a: usize, b: usize) {
        let of = |g: usize| &self.items.list[self.first(g)];
        if a == b || !is_fusible(of(a)) || !is_fusible(of(b)) || self.lies_between(a, b) || self.lies_between(b, a) {
            return;
        }
        let both: BTreeSet<usize> = self.members[a].union(&self.members[b]).copied().collect();
        if !self.is_program(&both) {
            return;
        }
        self.reach.merge(a, b);
        for i in std::mem::take(&mut self.members[b]) {
            self.group[i] = a;
        }
        self.members[a] = both;
    }

    /// True when a third group must come after `first` and before `last`.
    fn lies_between(&self, first: usize, last: usize) -> bool {
        self.reach.depends(last, first) && self.reach.before(last).any(|h| h != first && self.reach.depends(h, first))
    }

    /// True when the items can be one program, and it is small enough.
    fn is_program(&self, members: &BTreeSet<usize>) -> bool {
        fits(&self.items.list, members) && form(&self.items.list, members).is_some()
    }

    /// Decides what is written to memory; cheap values are moved into the groups that need them.
    fn stored(&mut self) -> Vec<bool> {
        let list = &self.items.list;
        let mut stored = vec![false; list.len()];
        // Where an elementwise value is read element by element outside its group.
        let mut outside: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); list.len()];
        for (i, item) in list.iter().enumerate().filter(|(_, item)| item.is_computed()) {
            for r in item.inputs.iter().filter(|r| self.group[r.item] != self.group[i]) {
                let alike = item.shape == list[r.item].shape && list[r.item].is_elementwise();
                if item.is_elementwise() && alike && r.layout.is_whole(list[r.item].size()) {
                    outside[r.item].insert(self.group[i]);
                } else {
                    stored[r.item] = true;
                }
            }
            stored[i] |= !is_fusible(item);
        }
        for i in self.items.fetches.iter().map(|r| r.item).chain(self.items.assigns.iter().map(|(_, i)| *i)) {
            stored[i] = true;
        }
        for i in self.origins(&stored, &outside) {
            stored[i] = true;
        }
        for i in 0..list.len() {
            if list[i].is_elementwise() && !stored[i] && !outside[i].is_empty() {
                let again = self.again(i, &stored);
                let again = again.and_then(|(cone, kept)| Some((self.repeated(&cone, &outside[i])?, kept)));
                match again {
                    Some((changed, kept)) => {
                        changed.into_iter().for_each(|(g, members)| self.members[g] = members);
                        kept.into_iter().for_each(|i| stored[i] = true);
                    }
                    None => stored[i] = true,
                }
            }
        }
        stored
    }

    /// Values that are not cheap, and from which several values that are needed elsewhere are: one is kept in place
    /// of the several.
    fn origins(&self, stored: &[bool], outside: &[BTreeSet<usize>]) -> Vec<usize> {
        let list = &self.items.list;
        let mut wanted: BTreeMap<usize, usize> = BTreeMap::new();
        for i in (0..list.len()).filter(|i| list[*i].is_elementwise() && !stored[*i] && !outside[*i].is_empty()) {
            let (mut left, mut seen, mut origins) = (vec![i], BTreeSet::new(), BTreeSet::new());
            while let Some(at) = left.pop() {
                let cheap = matches!(&list[at].work, Work::Elementwise(name, _) if CHEAP.contains(&&**name));
                if stored[at]
                    || !list[at].is_computed()
                    || list[at].size() * SMALL <= list[i].size()
                    || !seen.insert(at)
                {
                    continue;
                }
                match cheap && seen.len() <= MOST_REPEATED {
                    true => left.extend(list[at].inputs.iter().map(|r| r.item)),
                    false => drop(origins.insert(at)),
                }
            }
            if let (Some(origin), 1) = (origins.first(), origins.len()) {
                *wanted.entry(*origin).or_default() += 1;
            }
        }
        wanted.into_iter().filter(|(_, times)| *times > 1).map(|(i, _)| i).collect()
    }

    /// The operations that compute an item from what is in memory, when they are few and cheap, and what must be
    /// kept for them: numbers of rows, which are few.
    fn again(&self, i: usize, stored: &[bool]) -> Option<(BTreeSet<usize>, BTreeSet<usize>)> {
        let list = &self.items.list;
        let (mut cone, mut kept) = (BTreeSet::new(), BTreeSet::new());
        let mut left = vec![i];
        while let Some(at) = left.pop() {
            match &list[at].work {
                _ if stored[at] || !list[at].is_computed() => {}
                _ if list[at].size() * SMALL <= list[i].size() => {
                    kept.insert(at);
                }
                Work::Elementwise(name, _) if CHEAP.contains(&&**name) => {
                    cone.insert(at);
                    left.extend(list[at].inputs.iter().map(|r| r.item));
                }
                _ => return None,
            }
            if cone.len() > MOST_REPEATED {
                return None;
            }
        }
        Some((cone, kept))
    }

    /// The groups with a cone added to each; `None` when one of them would read more bytes
    /// than before or grow too large.
    fn repeated(&self, cone: &BTreeSet<usize>, groups: &BTreeSet<usize>) -> Option<Vec<(usize, BTreeSet<usize>)>> {
        let list = &self.items.list;
        let extended = |g: &usize| {
            let members: BTreeSet<usize> = self.members[*g].union(cone).copied().collect();
            let space = list[self.first(*g)].size();
            let size = |i: usize| if list[i].size() * SMALL <= space { 0 } else { list[i].dtype.bytes() };
            let weight = |members| inputs(list, members).into_iter().map(|(i, ..)| size(i)).sum::<usize>();
            let (before, after) = (weight(&self.members[*g]), weight(&members));
            (after <= before && self.is_program(&members)).then_some((*g, members))
        };
        groups.iter().map(extended).collect()
    }

    fn first(&self, g: usize) -> usize {
        *self.members[g].first().expect("a group has items")
    }

    /// A group without what nobody needs any more.
    fn finish(&self, g: usize, members: &BTreeSet<usize>, stored: &[bool]) -> Group {
        let outputs: Vec<usize> = members.iter().copied().filter(|i| stored[*i] && self.group[*i] == g).collect();
        let mut needed: BTreeSet<usize> = outputs.iter().copied().collect();
        for i in members.iter().rev() {
            if needed.contains(i) {
                needed.extend(self.items.list[*i].inputs.iter().map(|r| r.item).filter(|r| members.contains(r)));
            }
        }
        Group { items: needed.into_iter().collect(), outputs }
    }
}

/// True for what may be computed together with others.
fn is_fusible(item: &Item) -> bool {
    item.is_elementwise() || item.reduced().is_some()
}

/// What the items read from memory, each view once.
fn inputs<'a>(list: &'a [Item], members: &BTreeSet<usize>) -> BTreeSet<(usize, &'a [isize], isize)> {
    let reads = members.iter().flat_map(|i| &list[*i].inputs);
    let outside = reads.filter(|r| !members.contains(&r.item) && !matches!(list[r.item].work, Work::Number(_)));
    outside.map(|r| (r.item, &*r.layout.strides, r.layout.offset)).collect()
}

/// True when a program of these items keeps the limits.
fn fits(list: &[Item], members: &BTreeSet<usize>) -> bool {
    let numbers = members.iter().flat_map(|i| &list[*i].inputs);
    let numbers: BTreeSet<usize> =
        numbers.map(|r| r.item).filter(|i| matches!(list[*i].work, Work::Number(_))).collect();
    let instructions = members.len() + numbers.len();
    let inputs = inputs(list, members).len();
    instructions <= MOST_INSTRUCTIONS && inputs <= MOST_INPUTS && inputs + most_live(list, members) <= MOST_LIVE
}

/// The most results that are alive at once when the items are computed in their order.
fn most_live(list: &[Item], members: &BTreeSet<usize>) -> usize {
    let mut alive = BTreeSet::new();
    let mut most = 0;
    for i in members.iter().rev() {
        alive.insert(*i);
        most = most.max(alive.len());
        alive.remove(i);
        alive.extend(list[*i].inputs.iter().map(|r| r.item).filter(|r| members.contains(r)));
    }
    most
}
