//! Layered drawing, first part: for each block the rank of what is in it and the order in each rank, so that few lines
//! cross. It is the method of Sugiyama, Tagawa and Toda (1981), block by block; where things stand is decided later,
//! since that depends on what is folded.

use std::collections::{BTreeMap, BTreeSet};
use tfm_lowering::graph::Type;
use tfm_lowering::outline::{Child, End, Outline};

/// What stands in a rank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// A child of the block, or the place where lines come in or go out.
    End(End),
    /// Where a line passes by.
    Bend,
}

/// A line from one slot to another, through bends.
#[derive(Clone, PartialEq, Debug)]
pub struct Wire {
    /// Slots from the one it comes from to the one it goes to.
    pub path: Vec<usize>,
    /// What flows.
    pub ty: Type,
}

/// The inside of a block.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Arrangement {
    /// All slots.
    pub slots: Vec<Slot>,
    /// Slots by rank, from left to right.
    pub ranks: Vec<Vec<usize>>,
    /// All lines.
    pub wires: Vec<Wire>,
}

/// How often each rank is ordered by its neighbours.
const SWEEPS: usize = 12;

/// The arrangement of every block.
pub fn arrange(outline: &Outline) -> Vec<Arrangement> {
    let flows = outline.flows();
    flows.iter().enumerate().map(|(b, flows)| inside(&outline.blocks[b].children, flows)).collect()
}

fn inside(children: &[Child], flows: &BTreeMap<(End, End), Type>) -> Arrangement {
    let mut ends: Vec<End> = Vec::new();
    let has = |end: End| flows.keys().any(|(from, to)| *from == end || *to == end);
    ends.extend(Some(End::Above).filter(|e| has(*e)));
    ends.extend(children.iter().map(|c| End::Child(*c)));
    ends.extend(Some(End::Below).filter(|e| has(*e)));
    let number: BTreeMap<End, usize> = ends.iter().enumerate().map(|(i, e)| (*e, i)).collect();
    let edges: Vec<(usize, usize, &Type)> =
        flows.iter().map(|((from, to), ty)| (number[from], number[to], ty)).collect();
    let rank = ranks(&ends, &edges);

    let mut made = Arrangement { slots: ends.iter().map(|e| Slot::End(*e)).collect(), ..Arrangement::default() };
    made.ranks = vec![Vec::new(); rank.iter().max().map_or(0, |r| r + 1)];
    for (i, r) in rank.iter().enumerate() {
        made.ranks[*r].push(i);
    }
    for (from, to, ty) in edges {
        let (low, high) = (rank[from].min(rank[to]), rank[from].max(rank[to]));
        let mut bends: Vec<usize> = Vec::new();
        for ranked in made.ranks.iter_mut().take(high).skip(low + 1) {
            made.slots.push(Slot::Bend);
            ranked.push(made.slots.len() - 1);
            bends.push(made.slots.len() - 1);
        }
        if rank[from] > rank[to] {
            bends.reverse();
        }
        let path = std::iter::once(from).chain(bends).chain([to]).collect();
        made.wires.push(Wire { path, ty: ty.clone() });
    }
    order(&mut made);
    made
}

/// The longest way from above; what has nothing before it stands just above what it is for.
fn ranks(ends: &[End], edges: &[(usize, usize, &Type)]) -> Vec<usize> {
    let n = ends.len();
    // A line against the order of computation comes from a block that is applied twice; it does not count.
    let forward: Vec<(usize, usize)> = edges.iter().filter(|(a, b, _)| a < b).map(|(a, b, _)| (*a, *b)).collect();
    let mut rank = vec![0; n];
    // Ends are in the order of computation, so that one pass is enough.
    for b in 0..n {
        let before = forward.iter().filter(|(_, to)| *to == b).map(|(from, _)| rank[*from] + 1);
        rank[b] = before.max().unwrap_or(0);
    }
    if ends.first() == Some(&End::Above) {
        for (r, end) in rank.iter_mut().zip(ends) {
            *r += usize::from(*end != End::Above && *r == 0);
        }
        for b in 1..n {
            let before = forward.iter().filter(|(_, to)| *to == b).map(|(from, _)| rank[*from] + 1);
            rank[b] = rank[b].max(before.max().unwrap_or(0));
        }
    }
    for a in (0..n).rev().filter(|a| ends[*a] != End::Above) {
        let is_fed = forward.iter().any(|(_, to)| *to == a);
        let first = forward.iter().filter(|(from, _)| *from == a).map(|(_, to)| rank[*to]).min();
        if let (false, Some(first)) = (is_fed, first) {
            rank[a] = first.saturating_sub(1).max(rank[a]);
        }
    }
    let lowest = rank.iter().zip(ends).filter(|(_, e)| **e != End::Below).map(|(r, _)| *r).max().unwrap_or(0);
    for (r, end) in rank.iter_mut().zip(ends) {
        if *end == End::Below {
            *r = lowest + 1;
        }
    }
    // Ranks that are empty now are left out.
    let used: BTreeSet<usize> = rank.iter().copied().collect();
    rank.iter().map(|r| used.range(..r).count()).collect()
}

/// Orders ranks by the means of their neighbours, down and up in turn, and keeps the order with the fewest crossings.
fn order(made: &mut Arrangement) {
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); made.slots.len()];
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); made.slots.len()];
    let mut rank = vec![0; made.slots.len()];
    for (r, ranked) in made.ranks.iter().enumerate() {
        ranked.iter().for_each(|s| rank[*s] = r);
    }
    for pair in made.wires.iter().flat_map(|w| w.path.windows(2)) {
        let (a, b) = if rank[pair[0]] < rank[pair[1]] { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
        below[a].push(b);
        above[b].push(a);
    }
    let (mut best, mut fewest) = (made.ranks.clone(), crossings(&made.ranks, &below));
    let mut ranks = made.ranks.clone();
    for sweep in 0..SWEEPS {
        if fewest == 0 {
            break;
        }
        let down = sweep % 2 == 0;
        let neighbours = if down { &above } else { &below };
        let mut place = vec![0.0; made.slots.len()];
        let note = |ranks: &[Vec<usize>], r: usize, place: &mut Vec<f64>| {
            ranks[r].iter().enumerate().for_each(|(i, s)| place[*s] = i as f64);
        };
        (0..ranks.len()).for_each(|r| note(&ranks, r, &mut place));
        for step in 1..ranks.len() {
            let r = if down { step } else { ranks.len() - 1 - step };
            let mean = |s: &usize| match neighbours[*s].len() {
                0 => place[*s],
                n => neighbours[*s].iter().map(|o| place[*o]).sum::<f64>() / n as f64,
            };
            let mut keyed: Vec<(f64, usize)> = ranks[r].iter().map(|s| (mean(s), *s)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            ranks[r] = keyed.into_iter().map(|(_, s)| s).collect();
            note(&ranks, r, &mut place);
        }
        let found = crossings(&ranks, &below);
        if found < fewest {
            (best, fewest) = (ranks.clone(), found);
        }
    }
    made.ranks = best;
}

/// How many pairs of lines between neighbouring ranks cross.
fn crossings(ranks: &[Vec<usize>], below: &[Vec<usize>]) -> usize {
    let mut count = 0;
    for pair in ranks.windows(2) {
        let place: BTreeMap<usize, usize> = pair[1].iter().enumerate().map(|(i, s)| (*s, i)).collect();
        let ends: Vec<Vec<usize>> =
            pair[0].iter().map(|s| below[*s].iter().filter_map(|b| place.get(b).copied()).collect()).collect();
        for (i, left) in ends.iter().enumerate() {
            for right in &ends[i + 1..] {
                count += left.iter().map(|l| right.iter().filter(|r| *r < l).count()).sum::<usize>();
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfm_lang::types::DType;

    fn made(n: usize, edges: &[(usize, usize)]) -> Arrangement {
        let children: Vec<Child> = (0..n).map(Child::Step).collect();
        let end = |i: usize| End::Child(Child::Step(i));
        let flows = edges.iter().map(|(a, b)| ((end(*a), end(*b)), Type::scalar(DType::F32))).collect();
        inside(&children, &flows)
    }

    #[test]
    fn lines_go_down_and_pass_through_bends() {
        let a = made(4, &[(0, 1), (1, 2), (2, 3), (0, 3)]);
        assert_eq!(a.ranks.len(), 4);
        let long = a.wires.iter().find(|w| w.path[0] == 0 && w.path.last() == Some(&3)).unwrap();
        assert_eq!(long.path.len(), 4);
        assert!(long.path[1..3].iter().all(|s| a.slots[*s] == Slot::Bend));
    }

    #[test]
    fn a_source_stands_above_its_reader_and_crossings_go() {
        // 0 is read by 4 only.
        let a = made(5, &[(1, 2), (2, 3), (3, 4), (0, 4)]);
        assert_eq!(a.ranks.iter().position(|r| r.contains(&0)), Some(2));
        let b = made(4, &[(0, 3), (1, 2)]);
        let below = |s: usize| b.wires.iter().filter(|w| w.path[0] == s).map(|w| w.path[1]).collect::<Vec<_>>();
        let below: Vec<Vec<usize>> = (0..b.slots.len()).map(below).collect();
        assert_eq!(crossings(&b.ranks, &below), 0);
    }

    #[test]
    fn a_block_that_is_applied_twice_makes_a_line_that_goes_up() {
        let a = made(3, &[(0, 1), (1, 2), (2, 1)]);
        assert_eq!((a.ranks.len(), a.wires.len()), (3, 3));
    }
}
