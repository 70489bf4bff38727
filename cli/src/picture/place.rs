//! Layered drawing, second part: sizes and coordinates, from the inside of blocks to the outside.
//!
//! In each rank, slots want to stand at the mean of their neighbours, and may not come closer to each other than their
//! widths allow. The nearest such places are an isotonic regression, which is solved exactly by pooling what would
//! overlap. `page.js` does the same in the browser, where blocks are folded and unfolded.

use super::arrange::{Arrangement, Slot};
use tfm_lowering::outline::{Child, End};

/// A point.
pub type Point = (f64, f64);

/// The size of something, and where lines come in and go out, measured from its left.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Size {
    /// From left to right.
    pub width: f64,
    /// From top to bottom.
    pub height: f64,
    /// Where lines come in.
    pub above: f64,
    /// Where lines go out.
    pub below: f64,
}

impl Size {
    /// A box whose lines come and go in its middle.
    pub fn of_box(width: f64, height: f64) -> Size {
        Size { width, height, above: width / 2.0, below: width / 2.0 }
    }
}

/// Where things are in a block, measured from its left top.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Placed {
    /// The whole block.
    pub size: Size,
    /// The left top of each child.
    pub children: Vec<(Child, Point)>,
    /// The points of each line, in the order of the arrangement.
    pub wires: Vec<Vec<Point>>,
}

/// Space around what is in a block.
pub const PADDING: f64 = 14.0;
/// The height of a block's title.
pub const TITLE: f64 = 26.0;
const GAP_X: f64 = 18.0;
const GAP_Y: f64 = 26.0;
const SWEEPS: usize = 40;

/// Places the inside of a block, `title` below its top and no narrower than `least`.
pub fn place(arranged: &Arrangement, title: f64, least: f64, size: &dyn Fn(Child) -> Size) -> Placed {
    let sizes: Vec<Size> = arranged
        .slots
        .iter()
        .map(|slot| match slot {
            Slot::End(End::Child(child)) => size(*child),
            Slot::End(End::Above | End::Below) | Slot::Bend => Size::default(),
        })
        .collect();
    let mut x = columns(arranged, &sizes);
    let left = x.iter().copied().fold(f64::INFINITY, f64::min).min(0.0);
    let right = x.iter().zip(&sizes).map(|(x, s)| x + s.width).fold(0.0, f64::max);
    let width = (right - left + 2.0 * PADDING).max(least);
    let shift = (width - (right - left)) / 2.0 - left;
    x.iter_mut().for_each(|x| *x += shift);

    let mut y = vec![0.0; sizes.len()];
    let mut top = title;
    // From where to where each slot's rank reaches.
    let mut reach = vec![(0.0, 0.0); sizes.len()];
    for (r, ranked) in arranged.ranks.iter().enumerate() {
        let height = ranked.iter().map(|s| sizes[*s].height).fold(0.0, f64::max);
        let is_border = ranked.iter().all(|s| matches!(arranged.slots[*s], Slot::End(End::Above | End::Below)));
        if is_border && r > 0 {
            top += PADDING - GAP_Y;
        }
        ranked.iter().for_each(|s| y[*s] = top + (height - sizes[*s].height) / 2.0);
        ranked.iter().for_each(|s| reach[*s] = (top, top + height));
        top += height + if is_border { 8.0 } else { GAP_Y };
    }
    let ends_below = arranged.slots.contains(&Slot::End(End::Below));
    let height = if ends_below { top - 8.0 } else { top - GAP_Y + PADDING };
    for (slot, y) in arranged.slots.iter().zip(&mut y) {
        match slot {
            Slot::End(End::Above) => *y = 0.0,
            Slot::End(End::Below) => *y = height,
            _ => {}
        }
    }
    for (slot, (reach, y)) in arranged.slots.iter().zip(reach.iter_mut().zip(&y)) {
        if matches!(slot, Slot::End(End::Above | End::Below)) {
            *reach = (*y, *y);
        }
    }
    let port = |end: End| arranged.slots.iter().position(|s| *s == Slot::End(end)).map(|s| x[s]);
    let size = Size {
        width,
        height,
        above: port(End::Above).unwrap_or(width / 2.0),
        below: port(End::Below).unwrap_or(width / 2.0),
    };
    let children = arranged.slots.iter().enumerate().filter_map(|(i, slot)| match slot {
        Slot::End(End::Child(child)) => Some((*child, (x[i], y[i]))),
        _ => None,
    });
    let wires = arranged.wires.iter().map(|w| points(&w.path, &x, &y, &sizes, &reach)).collect();
    Placed { size, children: children.collect(), wires }
}

/// From the lower border of one slot through bends to the upper border of another. A line stays upright as long as it
/// is in a rank, so that it passes what stands there.
fn points(path: &[usize], x: &[f64], y: &[f64], sizes: &[Size], reach: &[(f64, f64)]) -> Vec<Point> {
    let last = path.len() - 1;
    let goes_down = reach[path[0]].0 <= reach[path[last]].0;
    let mut out: Vec<Point> = Vec::new();
    for (i, &s) in path.iter().enumerate() {
        let (top, bottom) = reach[s];
        let (above, below) = (x[s] + sizes[s].above, x[s] + sizes[s].below);
        match i {
            0 => out.extend([(below, y[s] + sizes[s].height), (below, bottom)]),
            _ if i == last => out.extend([(above, top), (above, y[s])]),
            _ if goes_down => out.extend([(x[s], top), (x[s], bottom)]),
            _ => out.extend([(x[s], bottom), (x[s], top)]),
        }
    }
    out.dedup();
    out
}

/// The left of each slot.
fn columns(arranged: &Arrangement, sizes: &[Size]) -> Vec<f64> {
    let n = sizes.len();
    let mut neighbours: Vec<Vec<(usize, f64, f64)>> = vec![Vec::new(); n];
    for pair in arranged.wires.iter().flat_map(|w| w.path.windows(2)) {
        let (a, b) = (pair[0], pair[1]);
        // Straight long lines look best: what is next to a bend counts more.
        let is_bend = |s: usize| arranged.slots[s] == Slot::Bend;
        let weight = f64::from(1 + 3 * u8::from(is_bend(a) && is_bend(b)));
        neighbours[a].push((b, sizes[b].above - sizes[a].below, weight));
        neighbours[b].push((a, sizes[a].below - sizes[b].above, weight));
    }
    let mut x = vec![0.0; n];
    for ranked in &arranged.ranks {
        let total: f64 = ranked.iter().map(|s| sizes[*s].width + GAP_X).sum::<f64>() - GAP_X;
        let mut at = -total / 2.0;
        for s in ranked {
            x[*s] = at;
            at += sizes[*s].width + GAP_X;
        }
    }
    for sweep in 0..SWEEPS {
        let ranks: Vec<usize> = match sweep % 2 {
            0 => (0..arranged.ranks.len()).collect(),
            _ => (0..arranged.ranks.len()).rev().collect(),
        };
        for r in ranks {
            let ranked = &arranged.ranks[r];
            let wanted: Vec<(f64, f64)> = ranked
                .iter()
                .map(|s| {
                    let weight: f64 = neighbours[*s].iter().map(|(.., w)| w).sum();
                    match weight > 0.0 {
                        true => (neighbours[*s].iter().map(|(o, d, w)| (x[*o] + d) * w).sum::<f64>() / weight, weight),
                        false => (x[*s], 0.1),
                    }
                })
                .collect();
            for (s, at) in ranked.iter().zip(apart(&wanted, ranked, sizes)) {
                x[*s] = at;
            }
        }
    }
    x
}

/// The places nearest to what is wanted (with weights) that leave room between neighbours.
fn apart(wanted: &[(f64, f64)], ranked: &[usize], sizes: &[Size]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(ranked.len());
    for s in ranked {
        offsets.push(offset);
        offset += sizes[*s].width + GAP_X;
    }
    // Pools of neighbours that touch: the sum of weighted places, the weight, how many.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for ((at, weight), offset) in wanted.iter().zip(&offsets) {
        let mut pool = ((at - offset) * weight, *weight, 1);
        while let Some(before) = pools.last().copied().filter(|b| b.0 / b.1 > pool.0 / pool.1) {
            pool = (pool.0 + before.0, pool.1 + before.1, pool.2 + before.2);
            pools.pop();
        }
        pools.push(pool);
    }
    let shifts = pools.iter().flat_map(|(sum, weight, n)| std::iter::repeat_n(sum / weight, *n));
    shifts.zip(offsets).map(|(shift, offset)| shift + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_overlap_is_pooled() {
        let sizes = [Size::of_box(10.0, 5.0), Size::of_box(10.0, 5.0), Size::of_box(10.0, 5.0)];
        let places = apart(&[(0.0, 1.0), (0.0, 1.0), (100.0, 1.0)], &[0, 1, 2], &sizes);
        assert_eq!(places, [-14.0, 14.0, 100.0]);
    }
}
