//! Which operations are shown as one step.

use super::{Block, Flats, Kind, Phase};
use tfm_lang::source::Span;

/// Operations by step.
pub(super) struct Groups {
    /// The members of each group, in their order.
    pub members: Vec<Vec<usize>>,
    /// The group that shows an operation; `None` for what has none.
    pub of: Vec<Option<usize>>,
}

impl Groups {
    /// True when a group is named by its text: it is an expression of the user's, not a part of a layer of the
    /// library, and the text is not that of a larger thing.
    pub(super) fn is_expression(&self, flats: &Flats, members: &[usize], block: &Block) -> bool {
        let own = |span: Option<Span>| span.is_some_and(|s| block.span.is_none_or(|b| s != b));
        !block.library && own(flats.nodes[members[0]].span)
    }
}

/// Groups all operations. Those with one place in the text are one group, and so is an expression with what stands in it
/// and is read by it alone, unless another group would have to come between them; where `expands` says so of a block,
/// each stands alone.
pub(super) fn groups(flats: &Flats, blocks: &[usize], expands: &dyn Fn(usize) -> bool) -> Groups {
    let n = flats.nodes.len();
    let mut grouping = Grouping { flats, members: vec![Vec::new(); n], of: vec![None; n] };
    let mut update = None;
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); n];
    for (i, node) in flats.nodes.iter().enumerate() {
        node.args.iter().for_each(|(a, _)| readers[*a].push(i));
    }
    // An output is read by who asks for it.
    flats.outputs.iter().for_each(|(_, v)| readers[*v].push(usize::MAX));
    for (i, node) in flats.nodes.iter().enumerate() {
        match &node.kind {
            Kind::Literal | Kind::Variable(_) => continue,
            Kind::Input(_) => {
                grouping.put(i, i);
                continue;
            }
            Kind::Primitive(_) => {}
        }
        if node.phase == Phase::Update {
            // The optimizer is one step: nothing comes after it.
            let group = *update.get_or_insert(i);
            grouping.put(i, group);
            continue;
        }
        let holds = |a: usize| match (node.span, flats.nodes[a].span) {
            (Some(all), Some(part)) => all.file == part.file && all.start <= part.start && part.end <= all.end,
            _ => false,
        };
        let within = |a: usize| {
            let alike = blocks[a] == blocks[i] && flats.nodes[a].turns == node.turns;
            alike && holds(a) && grouping.of[a].is_some_and(|g| grouping.is_read_by(g, i, &readers))
        };
        let same =
            |a: usize| blocks[a] == blocks[i] && flats.nodes[a].span == node.span && flats.nodes[a].turns == node.turns;
        let before = node.args.iter().filter_map(|(a, _)| Some((*a, grouping.of[*a]?)));
        if expands(blocks[i]) {
            // A repeated value is shown as what it repeats.
            let shown = before.clone().next().filter(|(a, _)| is_hidden(&node.kind) && blocks[*a] == blocks[i]);
            let base = shown.filter(|(a, _)| matches!(flats.nodes[*a].kind, Kind::Primitive(_))).map(|(_, g)| g);
            grouping.put(i, base.unwrap_or(i));
            continue;
        }
        let candidates: Vec<usize> = before
            .filter(|(a, _)| (same(*a) || within(*a)) && matches!(flats.nodes[*a].kind, Kind::Primitive(_)))
            .map(|(_, g)| g)
            .collect();
        let mut joined: Option<usize> = None;
        for group in candidates {
            if joined == Some(group) || !grouping.may_join(i, group, joined) {
                continue;
            }
            joined = Some(match joined {
                Some(first) => grouping.merge(first, group),
                None => group,
            });
        }
        grouping.put(i, joined.unwrap_or(i));
    }
    grouping.finish()
}

fn is_hidden(kind: &Kind) -> bool {
    matches!(kind, Kind::Primitive(name) if &**name == "broadcast" || &**name == "stop_gradient")
}

struct Grouping<'a> {
    flats: &'a Flats,
    members: Vec<Vec<usize>>,
    of: Vec<Option<usize>>,
}

impl Grouping<'_> {
    fn put(&mut self, i: usize, group: usize) {
        self.members[group].push(i);
        self.of[i] = Some(group);
    }

    fn merge(&mut self, a: usize, b: usize) -> usize {
        for i in std::mem::take(&mut self.members[b]) {
            self.members[a].push(i);
            self.of[i] = Some(a);
        }
        self.members[a].sort_unstable();
        a
    }

    /// True when what a group gives is read by one operation, and by nobody else outside of it.
    fn is_read_by(&self, group: usize, reader: usize, readers: &[Vec<usize>]) -> bool {
        let members = &self.members[group];
        let inside = |r: &usize| *r == reader || members.contains(r);
        members.iter().flat_map(|m| &readers[*m]).all(inside)
    }

    /// True when nothing outside stands between the group, the operation, and the group that it has joined already.
    fn may_join(&self, i: usize, group: usize, joined: Option<usize>) -> bool {
        let mut of_groups: Vec<usize> = self.members[group].clone();
        of_groups.extend(joined.iter().flat_map(|j| &self.members[*j]));
        let first = of_groups.iter().copied().min().unwrap_or(i);
        of_groups.push(i);
        let inside = |a: usize| a == i || self.of[a] == Some(group) || (joined.is_some() && self.of[a] == joined);
        let outside =
            of_groups.iter().flat_map(|m| &self.flats.nodes[*m].args).map(|(a, _)| *a).filter(|a| !inside(*a));
        let mut left: Vec<usize> = outside.collect();
        let mut seen = std::collections::HashSet::new();
        while let Some(a) = left.pop() {
            if a < first || !seen.insert(a) {
                continue;
            }
            // What is in a group waits for all of it.
            let with = self.of[a].map_or_else(|| vec![a], |g| self.members[g].clone());
            for member in with {
                for (arg, _) in &self.flats.nodes[member].args {
                    if inside(*arg) {
                        return false;
                    }
                    left.push(*arg);
                }
            }
        }
        true
    }

    fn finish(self) -> Groups {
        let mut members: Vec<Vec<usize>> = self.members.into_iter().filter(|m| !m.is_empty()).collect();
        // In the order in which they are done.
        members.sort_by_key(|m| m.last().copied());
        let mut of = vec![None; self.of.len()];
        for (g, group) in members.iter().enumerate() {
            group.iter().for_each(|i| of[*i] = Some(g));
        }
        Groups { members, of }
    }
}
