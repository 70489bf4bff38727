//! Walking strided views: merging axes, coordinates, places of elements.

/// The most axes a view may have.
pub(crate) const MAX_RANK: usize = 16;

/// Merges neighbouring axes that every operand walks as one, and drops those of size 1.
///
/// The result has at least one axis; a lone axis of size 1 gets stride 1.
pub(crate) fn collapse(shape: &[usize], strides: &[&[isize]]) -> (Vec<usize>, Vec<Vec<isize>>) {
    let mut sizes: Vec<usize> = Vec::new();
    let mut steps: Vec<Vec<isize>> = vec![Vec::new(); strides.len()];
    for axis in (0..shape.len()).filter(|&a| shape[a] != 1) {
        let n = shape[axis];
        let merges = !sizes.is_empty()
            && steps.iter().zip(strides).all(|(done, s)| done.last() == Some(&(s[axis] * n as isize)));
        if merges {
            if let Some(last) = sizes.last_mut() {
                *last *= n;
            }
            steps.iter_mut().zip(strides).for_each(|(done, s)| {
                done.pop();
                done.push(s[axis]);
            });
        } else {
            sizes.push(n);
            steps.iter_mut().zip(strides).for_each(|(done, s)| done.push(s[axis]));
        }
    }
    if sizes.is_empty() {
        sizes.push(1);
        steps.iter_mut().for_each(|s| s.push(1));
    }
    (sizes, steps)
}

/// The strides of contiguous elements.
pub(crate) fn contiguous(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// The coordinates of the element with this number in row-major order.
#[inline]
pub(crate) fn coordinates(shape: &[usize], mut index: usize) -> [usize; MAX_RANK] {
    let mut at = [0; MAX_RANK];
    for axis in (0..shape.len()).rev() {
        at[axis] = index % shape[axis];
        index /= shape[axis];
    }
    at
}

/// Where the element with this number in row-major order lies, in elements from the first.
#[inline]
pub(crate) fn place(shape: &[usize], strides: &[isize], mut index: usize) -> isize {
    let mut offset = 0;
    for axis in (0..shape.len()).rev() {
        offset += (index % shape[axis]) as isize * strides[axis];
        index /= shape[axis];
    }
    offset
}

/// Walks coordinates in row-major order and keeps the place of the element.
pub(crate) struct Walk<'a> {
    shape: &'a [usize],
    strides: &'a [isize],
    at: [usize; MAX_RANK],
    /// The present element's place, in elements from the first.
    pub offset: isize,
}

impl<'a> Walk<'a> {
    /// Begins at the element with this number.
    pub fn from(shape: &'a [usize], strides: &'a [isize], index: usize) -> Walk<'a> {
        Walk { shape, strides, at: coordinates(shape, index), offset: place(shape, strides, index) }
    }

    /// Goes to the next element; after the last one comes the first.
    #[inline]
    pub fn advance(&mut self) {
        for axis in (0..self.shape.len()).rev() {
            self.at[axis] += 1;
            self.offset += self.strides[axis];
            if self.at[axis] < self.shape[axis] {
                return;
            }
            self.offset -= self.strides[axis] * self.shape[axis] as isize;
            self.at[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_merge_where_all_agree() {
        let (shape, strides) = collapse(&[2, 3, 4], &[&[12, 4, 1], &[0, 4, 1]]);
        assert_eq!((shape, strides), (vec![2, 12], vec![vec![12, 1], vec![0, 1]]));
        assert_eq!(collapse(&[1, 1], &[&[5, 0]]), (vec![1], vec![vec![1]]));
        assert_eq!(collapse(&[3, 1, 2], &[&[-2, 9, -1]]), (vec![6], vec![vec![-1]]));
        assert_eq!(collapse(&[3, 2], &[&[1, 3]]), (vec![3, 2], vec![vec![1, 3]]));
    }

    #[test]
    fn a_walk_visits_places_in_order() {
        let (shape, strides) = ([2, 3], [1, -2]);
        let mut walk = Walk::from(&shape, &strides, 1);
        for index in 1..6 {
            assert_eq!(walk.offset, place(&shape, &strides, index));
            walk.advance();
        }
        assert_eq!(walk.offset, 0);
    }
}
