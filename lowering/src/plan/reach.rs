//! What depends on what, closed under "and what that depends on"; kept while edges are added.

/// For each of `n` things the set of those that must come before it.
pub(crate) struct Reach {
    words: usize,
    bits: Vec<u64>,
}

impl Reach {
    /// No dependencies.
    pub(crate) fn new(n: usize) -> Reach {
        let words = n.div_ceil(64);
        Reach { words, bits: vec![0; n * words] }
    }

    fn row(&self, a: usize) -> &[u64] {
        &self.bits[a * self.words..(a + 1) * self.words]
    }

    /// True when `a` must come after `b`.
    pub(crate) fn depends(&self, a: usize, b: usize) -> bool {
        self.row(a)[b / 64] >> (b % 64) & 1 == 1
    }

    /// All that `a` must come after.
    pub(crate) fn before(&self, a: usize) -> impl Iterator<Item = usize> {
        let bits = |(w, word): (usize, &u64)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(w * 64 + bit)
            })
        };
        self.row(a).iter().enumerate().flat_map(bits)
    }

    /// Makes `a` come after `b`. The caller has seen that `b` does not depend on `a`.
    pub(crate) fn add(&mut self, a: usize, b: usize) {
        if a == b || self.depends(a, b) {
            return;
        }
        let mut more = self.row(b).to_vec();
        more[b / 64] |= 1 << (b % 64);
        let n = self.bits.len() / self.words;
        for k in 0..n {
            if k == a || self.depends(k, a) {
                let row = &mut self.bits[k * self.words..(k + 1) * self.words];
                row.iter_mut().zip(&more).for_each(|(w, m)| *w |= m);
            }
        }
    }

    /// Makes `b` one with `a`: what depended on either depends on `a`, which depends on what either
    /// did. The caller has seen that no third thing lies between them.
    pub(crate) fn merge(&mut self, a: usize, b: usize) {
        let mut union = self.row(a).to_vec();
        union.iter_mut().zip(self.row(b)).for_each(|(w, m)| *w |= m);
        union[a / 64] &= !(1 << (a % 64));
        union[b / 64] &= !(1 << (b % 64));
        let n = self.bits.len() / self.words;
        for k in 0..n {
            let after = k != a && k != b && (self.depends(k, a) || self.depends(k, b));
            let row = &mut self.bits[k * self.words..(k + 1) * self.words];
            if after {
                row.iter_mut().zip(&union).for_each(|(w, m)| *w |= m);
                row[a / 64] |= 1 << (a % 64);
                row[b / 64] &= !(1 << (b % 64));
            } else if k == a {
                row.copy_from_slice(&union);
            } else if k == b {
                row.fill(0);
            }
        }
    }
}

impl Reach {
    /// The closure of direct dependencies, which form no circle.
    pub(crate) fn of(before: &[std::collections::BTreeSet<usize>]) -> Reach {
        let mut reach = Reach::new(before.len());
        let mut done = vec![false; before.len()];
        for start in 0..before.len() {
            let mut stack = vec![start];
            while let Some(a) = stack.last().copied() {
                let open = before[a].iter().filter(|b| !done[**b]).copied();
                let depth = stack.len();
                stack.extend(open);
                if stack.len() == depth {
                    stack.pop();
                    if !std::mem::replace(&mut done[a], true) {
                        before[a].iter().for_each(|b| reach.inherit(a, *b));
                    }
                }
            }
        }
        reach
    }

    /// Makes `a`, on which nothing depends yet, come after `b`.
    pub(crate) fn inherit(&mut self, a: usize, b: usize) {
        for w in 0..self.words {
            self.bits[a * self.words + w] |= self.bits[b * self.words + w];
        }
        self.bits[a * self.words + b / 64] |= 1 << (b % 64);
    }
}
