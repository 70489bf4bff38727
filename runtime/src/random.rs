//! Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as
//! 1, 2, 3").
//!
//! Element `e` of a draw depends on the seed, the draw's key, the step and `e` alone, so that threads, tiles, replicas
//! and devices agree. Block `b` of four words is Philox of the counter (b, step); element `e` of f32 comes from word
//! `e % 4` of block `e / 4`, an f64 from two words, a pair of normal numbers from two uniform ones.

/// Which draw: everything that an element depends on but its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Draw {
    key: [u32; 2],
    step: u64,
}

impl Draw {
    /// The draw with this key at this step of a run.
    pub fn new(seed: u64, key: u64, step: u64) -> Draw {
        let mixed = mix(mix(seed).wrapping_add(key));
        Draw { key: [mixed as u32, (mixed >> 32) as u32], step }
    }

    /// Block `b` of four words.
    pub fn block(&self, b: u64) -> [u32; 4] {
        philox(self.counter(b), self.key)
    }

    #[inline(always)]
    fn counter(&self, b: u64) -> [u32; 4] {
        [b as u32, (b >> 32) as u32, self.step as u32, (self.step >> 32) as u32]
    }

    /// Words `from..from + to.len()` of the draw, counted through its blocks; `from` is a multiple of 4.
    #[inline(always)]
    pub fn words(&self, from: u64, to: &mut [u32]) {
        debug_assert_eq!(from % 4, 0);
        let mut b = from / 4;
        let mut wide = to.chunks_exact_mut(4 * LANES);
        for group in &mut wide {
            let words = philox_lanes(b, self.step, self.key);
            for lane in 0..LANES {
                for (w, word) in words.iter().enumerate() {
                    group[4 * lane + w] = word[lane];
                }
            }
            b += LANES as u64;
        }
        for rest in wide.into_remainder().chunks_mut(4) {
            rest.copy_from_slice(&self.block(b)[..rest.len()]);
            b += 1;
        }
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection that spreads neighbours apart.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: usize = 10;

/// Ten rounds on one counter.
#[inline(always)]
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let (mut c, mut k) = (counter, key);
    for _ in 0..ROUNDS {
        c = round(c, k);
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    c
}

#[inline(always)]
fn round(c: [u32; 4], k: [u32; 2]) -> [u32; 4] {
    let a = u64::from(MULTIPLIERS[0]) * u64::from(c[0]);
    let b = u64::from(MULTIPLIERS[1]) * u64::from(c[2]);
    [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32]
}

/// Blocks made side by side: so many that the compiler keeps the loops over them, and makes vectors of them.
const LANES: usize = 64;

/// Blocks `b..b + LANES`, the words of each in one column.
#[inline(always)]
fn philox_lanes(b: u64, step: u64, key: [u32; 2]) -> [[u32; LANES]; 4] {
    let [mut c0, mut c1] = [[0; LANES]; 2];
    for lane in 0..LANES {
        let counter = b + lane as u64;
        (c0[lane], c1[lane]) = (counter as u32, (counter >> 32) as u32);
    }
    let (mut c2, mut c3) = ([step as u32; LANES], [(step >> 32) as u32; LANES]);
    let mut k = key;
    for _ in 0..ROUNDS {
        for lane in 0..LANES {
            let next = round([c0[lane], c1[lane], c2[lane], c3[lane]], k);
            [c0[lane], c1[lane], c2[lane], c3[lane]] = next;
        }
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    [c0, c1, c2, c3]
}

/// From 0 up to 1, not included: the upper 24 bits.
#[inline(always)]
pub fn uniform_f32(word: u32) -> f32 {
    // Through i32, whose conversion is one instruction everywhere.
    (word >> 8) as i32 as f32 * (1.0 / 16_777_216.0)
}

/// From 0 up to 1, not included: the upper 53 bits of two words.
#[inline(always)]
pub fn uniform_f64(low: u32, high: u32) -> f64 {
    let bits = u64::from(low) | u64::from(high) << 32;
    (bits >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of Random123 (`kat_vectors`).
    #[test]
    fn philox_gives_the_known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let counter = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(philox(counter, [0xa409_3822, 0x299f_31d0]), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn lanes_are_blocks() {
        let draw = Draw::new(1, 2, 3);
        let mut words = vec![0; 4 * 37 + 3];
        let start = (1u64 << 32) - 5;
        draw.words(4 * start, &mut words);
        for (i, &w) in words.iter().enumerate() {
            assert_eq!(w, draw.block(start + i as u64 / 4)[i % 4]);
        }
    }

    #[test]
    fn uniform_numbers_stay_below_one() {
        assert_eq!((uniform_f32(0), uniform_f64(0, 0)), (0.0, 0.0));
        assert!(uniform_f32(u32::MAX) < 1.0 && uniform_f64(u32::MAX, u32::MAX) < 1.0);
    }
}
