//! Which items can be one program: what they read of each other, and how far reductions reach.
//!
//! A program runs over one space. Beside operations on its elements it may have reductions of them. One over the last
//! axes, the row, gives a number per row, with which the program may go on: all of a row lies in the cache. One over
//! other axes is complete only when the program has run, and is an output.

use super::items::{Item, Ref, Work};
use super::views::{Layout, row_major};
use std::collections::BTreeSet;

/// The longest row that a program goes through more than once: a few of its registers must stay in the cache.
const LONGEST_ROW: usize = 1 << 15;
/// As many rows, or so few elements in all, are needed for threads not to wait for one another.
const FEWEST_ROWS: usize = 8;
const FEW_ELEMENTS: usize = 1 << 14;
/// Each result that is not complete before the end takes at least so many elements, where there are more than a few:
/// every piece of the work has sums of its own.
const LEAST_FOLDED: usize = 32;

/// The form of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Form {
    /// Its iteration space.
    pub(crate) shape: Vec<usize>,
    /// How many of the last axes make a row; 0 where nothing is done by rows.
    pub(crate) row: usize,
}

impl Form {
    /// Sizes of the axes before the row.
    pub(crate) fn outer(&self) -> &[usize] {
        &self.shape[..self.shape.len() - self.row]
    }

    /// The number of rows.
    fn rows(&self) -> usize {
        self.outer().iter().product()
    }

    /// What an item is in a program of this form.
    pub(crate) fn level(&self, item: &Item) -> Level {
        match item.reduced() {
            Some(axes) if self.row > 0 && trailing(&axes) == Some(self.row) => Level::Row,
            Some(_) => Level::Total,
            None if item.shape == self.shape => Level::Element,
            None => Level::Row,
        }
    }

    /// The view of one number per row as a tensor of the axes before the row.
    pub(crate) fn by_row(&self, layout: &Layout) -> Option<Layout> {
        let outer = self.outer();
        let alike = layout.shape.starts_with(outer) && layout.shape[outer.len()..].iter().all(|n| *n == 1);
        let n = outer.len();
        let part = || Layout { offset: layout.offset, shape: outer.to_vec(), strides: layout.strides[..n].to_vec() };
        alike.then(part)
    }
}

/// How often there is a value in a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// For each element of the space.
    Element,
    /// For each row.
    Row,
    /// Only when the program has run: a reduction over other axes than the row.
    Total,
}

/// What a program that computes this item by itself runs over.
fn space(item: &Item) -> &[usize] {
    if item.reduced().is_some() { &item.inputs[0].layout.shape } else { &item.shape }
}

/// The number of axes that are reduced, when they are the last ones.
fn trailing(axes: &[bool]) -> Option<usize> {
    let kept = axes.iter().take_while(|reduced| !**reduced).count();
    axes[kept..].iter().all(|reduced| *reduced).then_some(axes.len() - kept)
}

/// The form of a program of these items; `None` when they cannot be one.
pub(crate) fn form(list: &[Item], members: &BTreeSet<usize>) -> Option<Form> {
    let items = || members.iter().map(|i| &list[*i]);
    let shape = items().map(space).max_by_key(|s| s.iter().product::<usize>())?.to_vec();
    let reductions = items().filter_map(|item| item.reduced());
    let mut rows: Vec<usize> =
        reductions.filter_map(|axes| trailing(&axes).filter(|row| suits(&shape, *row))).collect();
    rows.push(0);
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(*row));
    rows.dedup();
    rows.into_iter().find_map(|row| {
        let form = Form { row, shape: shape.clone() };
        let sound = items().all(|item| stands(list, members, &form, item)) && varies(list, members, &form);
        sound.then_some(form)
    })
}

/// True when what is computed of numbers of rows for each element differs from element to element: registers are as
/// wide as what they are computed from.
fn varies(list: &[Item], members: &BTreeSet<usize>, form: &Form) -> bool {
    let mut varied = BTreeSet::new();
    members.iter().filter(|i| list[**i].is_elementwise() && form.level(&list[**i]) == Level::Element).all(|i| {
        let inputs = || list[*i].inputs.iter().filter(|r| !matches!(list[r.item].work, Work::Number(_)));
        let by_row = |r: &Ref| members.contains(&r.item) && form.level(&list[r.item]) != Level::Element;
        let differs = inputs().any(|r| !members.contains(&r.item) || varied.contains(&r.item));
        if differs {
            varied.insert(*i);
        }
        differs || !inputs().any(by_row)
    })
}

/// True when rows of so many axes are short enough, and many enough.
fn suits(shape: &[usize], row: usize) -> bool {
    if row > shape.len() {
        return false;
    }
    let (outer, inner) = shape.split_at(shape.len() - row);
    let (rows, length): (usize, usize) = (outer.iter().product(), inner.iter().product());
    row > 0 && length <= LONGEST_ROW && (rows >= FEWEST_ROWS || rows * length <= FEW_ELEMENTS)
}

/// True when an item can be computed in a program of this form.
fn stands(list: &[Item], members: &BTreeSet<usize>, form: &Form, item: &Item) -> bool {
    let fits = |level: Level, r: &Ref| {
        let Some(of) = members.contains(&r.item).then(|| form.level(&list[r.item])) else {
            return level != Level::Row || form.by_row(&r.layout).is_some();
        };
        match (level, of) {
            (Level::Element, Level::Element) => r.layout.is_whole(list[r.item].size()),
            (Level::Element, Level::Row) => is_repeated(form, &r.layout),
            (Level::Row, Level::Row) => r.layout.is_whole(list[r.item].size()),
            _ => false,
        }
    };
    match form.level(item) {
        Level::Element => item.inputs.iter().all(|r| fits(Level::Element, r)),
        Level::Row if item.is_elementwise() => {
            let known = |r: &Ref| matches!(list[r.item].work, Work::Number(_));
            let whole = Layout::contiguous(&item.shape);
            form.row > 0
                && item.size() == form.rows()
                && form.by_row(&whole).is_some()
                && !item.inputs.iter().all(known)
                && item.inputs.iter().all(|r| known(r) || fits(Level::Row, r))
        }
        level => {
            let (each, total) = (item.size(), form.shape.iter().product::<usize>());
            let worth = level == Level::Row || total >= LEAST_FOLDED * each || total <= FEW_ELEMENTS;
            let input = &item.inputs[0];
            worth && input.layout.shape == form.shape && fits(Level::Element, input)
        }
    }
}

/// True when a view repeats one number per row along the row.
fn is_repeated(form: &Form, layout: &Layout) -> bool {
    let outer = form.outer();
    let mut strides = row_major(outer);
    strides.resize(form.shape.len(), 0);
    strides.iter_mut().zip(&form.shape).filter(|(_, n)| **n == 1).for_each(|(s, _)| *s = 0);
    layout.offset == 0 && layout.shape == form.shape && layout.strides == strides
}
