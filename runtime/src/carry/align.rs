//! The best way to pair two lists without crossings.

/// Pairs of places in lists of these lengths, in rising order in both, with the greatest sum of scores. Two places
/// without a score are not paired. Of equal sums, the one that pairs later places is taken.
pub fn align(old: usize, new: usize, score: impl Fn(usize, usize) -> Option<u64>) -> Vec<(usize, usize)> {
    let width = new + 1;
    // The best sum for the lists from (i, j) on.
    let mut best = vec![0u64; (old + 1) * width];
    let scores: Vec<Option<u64>> = (0..old * new).map(|at| score(at / new, at % new)).collect();
    for i in (0..old).rev() {
        for j in (0..new).rev() {
            let paired = scores[i * new + j].map_or(0, |s| s + best[(i + 1) * width + j + 1]);
            best[i * width + j] = paired.max(best[(i + 1) * width + j]).max(best[i * width + j + 1]);
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < old && j < new {
        let here = best[i * width + j];
        if here == best[(i + 1) * width + j] {
            i += 1;
        } else if here == best[i * width + j + 1] {
            j += 1;
        } else {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(a: &str, b: &str) -> String {
        let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
        let pairs = align(a.len(), b.len(), |i, j| (a[i] == b[j]).then_some(1));
        assert!(pairs.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 < w[1].1));
        pairs.into_iter().map(|(i, _)| a[i]).collect()
    }

    #[test]
    fn the_longest_common_subsequence() {
        for (a, b, expected) in
            [("", "abc", ""), ("abc", "abc", "abc"), ("abcd", "bd", "bd"), ("xaybz", "ab", "ab"), ("ab", "ba", "b")]
        {
            assert_eq!(common(a, b), expected, "{a} {b}");
        }
        let better = align(2, 1, |i, _| Some(if i == 0 { 5 } else { 4 }));
        assert_eq!(better, [(0, 0)]);
    }
}
