//! Random numbers by counter, and permutations that need no memory.
//!
//! Everything here is a function of its key, so that an epoch's order or a drawn image can be made
//! again from nothing, in any order and on any machine.

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): each bit of the input moves half of the output.
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A key from several numbers, all of which matter, and their order.
pub fn key(parts: &[u64]) -> u64 {
    parts.iter().fold(0, |k, p| mix(k.wrapping_add(GOLDEN) ^ mix(p.wrapping_add(GOLDEN))))
}

/// A stream of random numbers.
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of a key.
    pub fn new(key: u64) -> Random {
        Random { state: key }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Uniform in [low, high).
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// A whole number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// About normal with deviation 1: the sum of four uniform numbers; within 3.5.
    pub fn normal(&mut self) -> f32 {
        let bits = self.bits();
        let sum: u32 = (0..4).map(|i| (bits >> (16 * i)) as u16 as u32).sum();
        // Each part has mean 32767.5 and variance 65536^2 / 12, so the sum has deviation 65536 / sqrt(3).
        (sum as f32 - 131_070.0) * (1.732_050_8 / 65_536.0)
    }
}

/// A permutation of `0..n` that is computed where it is asked for: an alternating Feistel network on the
/// least power of two that is large enough, walked on until it falls below `n` (Black and Rogaway 2002).
#[derive(Clone)]
pub struct Permutation {
    n: u64,
    low_bits: u32,
    high_bits: u32,
    keys: [u64; 8],
}

impl Permutation {
    /// The permutation of a key.
    pub fn new(n: usize, key: u64) -> Permutation {
        let bits = (n.max(2) as u64 - 1).ilog2() + 1;
        let mut random = Random::new(key);
        Permutation {
            n: n as u64,
            low_bits: bits / 2,
            high_bits: bits - bits / 2,
            keys: std::array::from_fn(|_| random.bits()),
        }
    }

    /// Where `i` goes.
    ///
    /// # Panics
    /// When `i` is not below `n`.
    pub fn at(&self, i: usize) -> usize {
        assert!((i as u64) < self.n, "{i} is not below {}", self.n);
        let mut x = i as u64;
        loop {
            x = self.round_trip(x);
            if x < self.n {
                return x as usize;
            }
        }
    }

    fn round_trip(&self, x: u64) -> u64 {
        let (low_mask, high_mask) = ((1u64 << self.low_bits) - 1, (1u64 << self.high_bits) - 1);
        let (mut low, mut high) = (x & low_mask, x >> self.low_bits);
        for keys in self.keys.chunks_exact(2) {
            high ^= mix(low ^ keys[0]) & high_mask;
            low ^= mix(high ^ keys[1]) & low_mask;
        }
        high << self.low_bits | low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_hit_everything_once() {
        for n in [1usize, 2, 3, 5, 8, 100, 1000, 4097] {
            let p = Permutation::new(n, key(&[n as u64, 3]));
            let mut seen: Vec<usize> = (0..n).map(|i| p.at(i)).collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..n), "of {n}");
        }
    }

    #[test]
    fn permutations_are_even() {
        // Over many keys each of ten things stands first, and each pair of the first two, about as often.
        let (mut first, mut pairs) = ([0usize; 10], [[0usize; 10]; 10]);
        for k in 0..9000 {
            let p = Permutation::new(10, key(&[k]));
            first[p.at(0)] += 1;
            pairs[p.at(0)][p.at(1)] += 1;
        }
        assert!(first.iter().all(|&c| (800..1000).contains(&c)), "{first:?}");
        let off = pairs.iter().enumerate().flat_map(|(i, r)| r.iter().enumerate().map(move |(j, &c)| (i, j, c)));
        assert!(off.into_iter().all(|(i, j, c)| if i == j { c == 0 } else { (60..145).contains(&c) }), "{pairs:?}");
    }

    #[test]
    fn numbers_have_their_moments() {
        let mut r = Random::new(key(&[1, 2]));
        let n = 100_000;
        let normals: Vec<f64> = (0..n).map(|_| r.normal().into()).collect();
        let mean = normals.iter().sum::<f64>() / n as f64;
        let variance = normals.iter().map(|x| x * x).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        let units = (0..n).map(|_| f64::from(r.unit())).sum::<f64>() / n as f64;
        assert!((units - 0.5).abs() < 0.005, "{units}");
        assert!((0..1000).all(|_| r.below(3) < 3));
    }

    #[test]
    fn keys_depend_on_every_part() {
        let keys = [key(&[1, 2]), key(&[2, 1]), key(&[1, 3]), key(&[1]), key(&[1, 2, 0])];
        assert!(keys.iter().enumerate().all(|(i, k)| !keys[..i].contains(k)));
    }
}
