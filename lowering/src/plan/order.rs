//! The order of the steps, and which variables can be written where they are.
//!
//! A variable's old value may be read by many steps. The step that computes its new value may write
//! it in place when it can come after all of them, and, where it reads the old value itself, reads
//! each element before it writes it. Otherwise the new value is kept in the arena and copied at the
//! end, when everything has been read.

use super::items::{Items, Work};
use super::program::program;
use super::reach::Reach;
use crate::fuse::Group;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Steps in order.
pub(crate) struct Order {
    /// One step each.
    pub(crate) groups: Vec<Group>,
    /// Items that are written into variables.
    pub(crate) in_place: BTreeMap<usize, u32>,
    /// Variables and the items that are copied to them at the end.
    pub(crate) copied: Vec<(u32, usize)>,
}

pub(crate) fn order(items: &Items, groups: Vec<Group>) -> Order {
    let mut ordering = Ordering::new(items, groups);
    let (mut in_place, mut copied) = (BTreeMap::new(), Vec::new());
    for (var, item) in &items.assigns {
        let writer = ordering.writer[item];
        if !in_place.contains_key(item) && ordering.may_write(writer, *item, *var) {
            ordering.after_readers(writer, *var);
            in_place.insert(*item, *var);
        } else {
            copied.push((*var, *item));
        }
    }
    let order = ordering.sorted(&in_place);
    let mut groups: Vec<Option<Group>> = ordering.groups.into_iter().map(Some).collect();
    let groups = order.into_iter().filter_map(|g| groups[g].take()).collect();
    Order { groups, in_place, copied }
}

struct Ordering<'a> {
    items: &'a Items,
    groups: Vec<Group>,
    /// The group that writes an item.
    writer: BTreeMap<usize, usize>,
    /// The groups that read a variable's old value.
    readers: BTreeMap<u32, BTreeSet<usize>>,
    /// What comes directly before each group.
    before: Vec<BTreeSet<usize>>,
    reach: Reach,
}

impl Ordering<'_> {
    fn new(items: &Items, groups: Vec<Group>) -> Ordering<'_> {
        let writes = groups.iter().enumerate().flat_map(|(g, group)| group.outputs.iter().map(move |i| (*i, g)));
        let writer: BTreeMap<usize, usize> = writes.collect();
        let mut readers: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
        let mut before = vec![BTreeSet::new(); groups.len()];
        for (g, group) in groups.iter().enumerate() {
            for r in group.items.iter().flat_map(|i| &items.list[*i].inputs) {
                match items.list[r.item].work {
                    Work::Variable(var) => {
                        readers.entry(var).or_default().insert(g);
                    }
                    _ if group.items.contains(&r.item) => {}
                    _ => before[g].extend(writer.get(&r.item)),
                }
            }
        }
        let reach = Reach::of(&before);
        Ordering { items, groups, writer, readers, before, reach }
    }

    /// True when the group may write the item over the variable.
    fn may_write(&self, writer: usize, item: usize, var: u32) -> bool {
        let readers = self.readers.get(&var).into_iter().flatten();
        let others_first = readers.clone().all(|r| *r == writer || !self.reach.depends(*r, writer));
        let reads_it = readers.clone().any(|r| *r == writer);
        others_first && (!reads_it || self.reads_before_writing(writer, item, var))
    }

    fn reads_before_writing(&self, writer: usize, item: usize, var: u32) -> bool {
        let list = &self.items.list;
        let is_old = |i: usize| matches!(list[i].work, Work::Variable(v) if v == var);
        let group = &self.groups[writer];
        let whole = |i: usize, layout: &super::views::Layout| layout.is_whole(list[i].size());
        match &list[item].work {
            Work::Kernel(_, _, facts) if group.items.len() == 1 => {
                let old = |(j, r): (usize, &super::items::Ref)| {
                    !is_old(r.item) || (facts.in_place == Some(j) && whole(r.item, &r.layout))
                };
                list[item].inputs.iter().enumerate().all(old)
            }
            Work::Elementwise(..) | Work::Kernel(..) => {
                let (fused, inputs) = program(self.items, group);
                let output = group.outputs.iter().position(|i| *i == item);
                let old = |(j, r): (usize, &super::items::Ref)| {
                    !is_old(r.item) || (whole(r.item, &r.layout) && output.is_some_and(|o| fused.may_overwrite(j, o)))
                };
                inputs.iter().enumerate().all(old)
            }
            _ => false,
        }
    }

    fn after_readers(&mut self, writer: usize, var: u32) {
        for r in self.readers.get(&var).into_iter().flatten().filter(|r| **r != writer) {
            self.before[writer].insert(*r);
            self.reach.add(writer, *r);
        }
    }

    /// Groups in an order that respects `before`: what writes variables as soon as it can, since that frees gradients;
    /// then what frees more than it makes, as the gradient of a weight does that is the last to read an activation; else
    /// as in the graph.
    fn sorted(&self, in_place: &BTreeMap<usize, u32>) -> Vec<usize> {
        let mut memory = Frees::new(self, in_place);
        let rank = |g: usize, memory: &Frees| {
            let group = &self.groups[g];
            let writes = group.outputs.iter().any(|i| in_place.contains_key(i));
            let level = if writes { 0 } else { 2 - usize::from(memory.freed[g] > memory.made[g]) };
            std::cmp::Reverse((level, group.items.last().copied(), g))
        };
        let mut after = vec![Vec::new(); self.groups.len()];
        let mut missing: Vec<usize> = self.before.iter().map(BTreeSet::len).collect();
        for (g, before) in self.before.iter().enumerate() {
            before.iter().for_each(|b| after[*b].push(g));
        }
        let ready = (0..self.groups.len()).filter(|g| missing[*g] == 0);
        let mut ready: BinaryHeap<_> = ready.map(|g| (rank(g, &memory), g)).collect();
        let mut order = Vec::with_capacity(self.groups.len());
        let mut done = vec![false; self.groups.len()];
        while let Some((_, g)) = ready.pop() {
            // What became more urgent is there twice.
            if std::mem::replace(&mut done[g], true) {
                continue;
            }
            order.push(g);
            for h in &after[g] {
                missing[*h] -= 1;
                if missing[*h] == 0 {
                    ready.push((rank(*h, &memory), *h));
                }
            }
            for last in memory.has_read(g, &done) {
                if missing[last] == 0 {
                    ready.push((rank(last, &memory), last));
                }
            }
        }
        debug_assert_eq!(order.len(), self.groups.len(), "groups depend on each other in a circle");
        order
    }
}

/// What running a group frees and takes, in bytes of the arena.
struct Frees {
    /// The items that each group reads, and the groups that read each item.
    reads: Vec<Vec<usize>>,
    readers: BTreeMap<usize, Vec<usize>>,
    /// How many of those are still to run.
    left: BTreeMap<usize, usize>,
    bytes: BTreeMap<usize, usize>,
    /// Of what each group is the last to read, and of what it makes.
    freed: Vec<usize>,
    made: Vec<usize>,
}

impl Frees {
    fn new(ordering: &Ordering, in_place: &BTreeMap<usize, u32>) -> Frees {
        let list = &ordering.items.list;
        let stays = |i: &usize| in_place.contains_key(i) || ordering.items.fetches.iter().any(|r| r.item == *i);
        let bytes: BTreeMap<usize, usize> =
            ordering.writer.keys().filter(|i| !stays(i)).map(|i| (*i, list[*i].bytes())).collect();
        let mut reads = Vec::with_capacity(ordering.groups.len());
        let mut readers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (g, group) in ordering.groups.iter().enumerate() {
            let read = group.items.iter().flat_map(|i| &list[*i].inputs).map(|r| r.item);
            let read: BTreeSet<usize> = read.filter(|i| bytes.contains_key(i) && ordering.writer[i] != g).collect();
            read.iter().for_each(|i| readers.entry(*i).or_default().push(g));
            reads.push(read.into_iter().collect::<Vec<_>>());
        }
        let made = |group: &Group| group.outputs.iter().filter_map(|i| bytes.get(i)).sum();
        let made = ordering.groups.iter().map(made).collect();
        let left = readers.iter().map(|(i, groups)| (*i, groups.len())).collect();
        let mut frees = Frees { reads, readers, left, bytes, freed: vec![0; ordering.groups.len()], made };
        for (item, groups) in frees.readers.iter().filter(|(_, groups)| groups.len() == 1) {
            frees.freed[groups[0]] += frees.bytes[item];
        }
        frees
    }

    /// A group has run; gives those that are now the last to read something.
    fn has_read(&mut self, g: usize, done: &[bool]) -> Vec<usize> {
        let mut last = Vec::new();
        for item in &self.reads[g] {
            let left = self.left.get_mut(item).expect("it is read");
            *left -= 1;
            if let Some(reader) = self.readers[item].iter().find(|r| !done[**r]).filter(|_| *left == 1) {
                self.freed[*reader] += self.bytes[item];
                last.push(*reader);
            }
        }
        last
    }
}
