//! Movement without work: reshape, broadcast, transpose, slice and reverse as changes of strides.

use super::Value;
use tfm_lang::model::Word;

/// How the elements of a value lie in the memory of the item it is a view of; in elements.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Layout {
    /// The first element.
    pub offset: isize,
    /// Sizes.
    pub shape: Vec<usize>,
    /// Elements between neighbours; 0 along axes of size 1, so that equal layouts are equal values.
    pub strides: Vec<isize>,
}

impl Layout {
    /// Elements one after the other in order.
    pub fn contiguous(shape: &[usize]) -> Layout {
        Layout { offset: 0, strides: row_major(shape), shape: shape.to_vec() }.normal()
    }

    /// True when the elements lie one after the other in order, wherever they start.
    pub fn is_contiguous(&self) -> bool {
        *self.strides == *Layout::contiguous(&self.shape).strides
    }

    /// True when this is all of an item with so many elements, in order.
    pub fn is_whole(&self, size: usize) -> bool {
        self.offset == 0 && self.shape.iter().product::<usize>() == size && self.is_contiguous()
    }

    fn normal(mut self) -> Layout {
        for (stride, _) in self.strides.iter_mut().zip(&self.shape).filter(|(_, n)| **n == 1) {
            *stride = 0;
        }
        self
    }
}

/// Strides of a fresh tensor.
pub fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i] as isize;
    }
    strides
}

/// What a movement makes of a layout, given its attributes and the shape of its result; `None`
/// where only a copy will do.
pub type Movement = fn(&Layout, &[(Word, Value)], &[usize]) -> Option<Layout>;

/// The primitives that only move elements.
const MOVEMENTS: &[(&str, Movement)] = &[
    ("broadcast", |x, _, to| broadcast(x, to)),
    ("reshape", |x, _, to| reshape(x, to)),
    ("transpose", |x, attrs, _| transpose(x, ints(attrs, "order"))),
    ("slice", |x, attrs, to| slice(x, ints(attrs, "starts"), to)),
    ("reverse", |x, attrs, _| reverse(x, ints(attrs, "axis"))),
    ("stop_gradient", |x, _, _| Some(x.clone())),
];

/// The movement that a primitive is, if it is one.
pub fn movement(primitive: &str) -> Option<Movement> {
    MOVEMENTS.iter().find(|(name, _)| *name == primitive).map(|(_, f)| *f)
}

/// An attribute that is a list of numbers; empty where it is missing, one where it is a number.
fn ints<'a>(attrs: &'a [(Word, Value)], name: &str) -> &'a [i64] {
    match attrs.iter().find(|(n, _)| &**n == name) {
        Some((_, Value::Ints(ns))) => ns,
        Some((_, Value::Int(n))) => std::slice::from_ref(n),
        _ => &[],
    }
}

fn axis(n: i64, rank: usize) -> Option<usize> {
    usize::try_from(if n < 0 { n + rank as i64 } else { n }).ok().filter(|n| *n < rank)
}

fn broadcast(x: &Layout, to: &[usize]) -> Option<Layout> {
    let extra = to.len().checked_sub(x.shape.len())?;
    let mut strides = vec![0; to.len()];
    for (i, (n, s)) in x.shape.iter().zip(&x.strides).enumerate() {
        match to[extra + i] {
            m if m == *n => strides[extra + i] = *s,
            _ if *n == 1 => {}
            _ => return None,
        }
    }
    Some(Layout { offset: x.offset, shape: to.to_vec(), strides }.normal())
}

/// Axes that lie in one run are taken as one, and each run is cut into the new axes from its end.
fn reshape(x: &Layout, to: &[usize]) -> Option<Layout> {
    let mut runs: Vec<(usize, isize)> = Vec::new();
    for (n, s) in x.shape.iter().copied().zip(x.strides.iter().copied()).filter(|(n, _)| *n != 1) {
        match runs.last_mut() {
            Some(run) if run.1 == n as isize * s => *run = (run.0 * n, s),
            _ => runs.push((n, s)),
        }
    }
    let mut strides = vec![0; to.len()];
    let (mut left, mut stride) = (1, 0);
    for (i, n) in to.iter().copied().enumerate().rev().filter(|(_, n)| *n != 1) {
        if left == 1 {
            (left, stride) = runs.pop()?;
        }
        if left % n != 0 {
            return None;
        }
        strides[i] = stride;
        stride *= n as isize;
        left /= n;
    }
    (left == 1 && runs.is_empty()).then(|| Layout { offset: x.offset, shape: to.to_vec(), strides }.normal())
}

fn transpose(x: &Layout, order: &[i64]) -> Option<Layout> {
    let rank = x.shape.len();
    let mut axes: Vec<usize> = (0..rank).collect();
    if !order.is_empty() {
        axes = order.iter().map(|n| axis(*n, rank)).collect::<Option<_>>()?;
    } else if let [.., a, b] = axes.as_mut_slice() {
        std::mem::swap(a, b);
    }
    let mut seen = axes.clone();
    seen.sort_unstable();
    if seen.len() != rank || seen.iter().enumerate().any(|(i, a)| i != *a) {
        return None;
    }
    let shape = axes.iter().map(|a| x.shape[*a]).collect();
    Some(Layout { offset: x.offset, shape, strides: axes.iter().map(|a| x.strides[*a]).collect() })
}

fn slice(x: &Layout, starts: &[i64], to: &[usize]) -> Option<Layout> {
    let rank = x.shape.len();
    let fits =
        |a: usize| usize::try_from(starts[a]).is_ok_and(|s| s.checked_add(to[a]).is_some_and(|e| e <= x.shape[a]));
    if starts.len() != rank || to.len() != rank || !(0..rank).all(fits) {
        return None;
    }
    let moved: isize = x.strides.iter().zip(starts).map(|(s, n)| s * *n as isize).sum();
    Some(Layout { offset: x.offset + moved, shape: to.to_vec(), strides: x.strides.clone() }.normal())
}

fn reverse(x: &Layout, axes: &[i64]) -> Option<Layout> {
    let rank = x.shape.len();
    let all: Vec<i64> = (0..rank as i64).collect();
    let mut out = x.clone();
    for n in if axes.is_empty() { &all } else { axes } {
        let a = axis(*n, rank)?;
        out.offset += out.strides[a] * (x.shape[a] as isize - 1);
        out.strides[a] = -out.strides[a];
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(offset: isize, shape: &[usize], strides: &[isize]) -> Layout {
        Layout { offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    #[test]
    fn a_reshape_is_a_view_where_runs_allow() {
        let x = Layout::contiguous(&[2, 3, 4]);
        assert_eq!(reshape(&x, &[6, 4]), Some(layout(0, &[6, 4], &[4, 1])));
        let t = transpose(&x, &[]).unwrap();
        assert_eq!(t, layout(0, &[2, 4, 3], &[12, 1, 4]));
        assert_eq!(reshape(&t, &[2, 12]), None);
        assert_eq!(reshape(&t, &[2, 2, 2, 3]), Some(layout(0, &[2, 2, 2, 3], &[12, 2, 1, 4])));
        let repeated = broadcast(&Layout::contiguous(&[3]), &[2, 4, 3]).unwrap();
        assert_eq!(reshape(&repeated, &[8, 3]), Some(layout(0, &[8, 3], &[0, 1])));
        assert_eq!(reshape(&repeated, &[24]), None);
    }

    #[test]
    fn slices_and_reversals_move_the_start() {
        let x = Layout::contiguous(&[3, 4]);
        let s = slice(&x, &[1, 2], &[2, 2]).unwrap();
        assert_eq!(s, layout(6, &[2, 2], &[4, 1]));
        assert_eq!(reverse(&s, &[-1]), Some(layout(7, &[2, 2], &[4, -1])));
        assert!(x.is_whole(12) && !s.is_contiguous());
    }
}
