//! The caches of this processor, as far as products are planned by them.

use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::sync::OnceLock;

/// A cache of a core.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Cache {
    pub bytes: usize,
    /// Lines that share a place.
    pub ways: usize,
}

/// The second cache of a core, as the processor describes it; a small one where it does not.
pub(crate) fn second_cache() -> Cache {
    static CACHE: OnceLock<Cache> = OnceLock::new();
    *CACHE.get_or_init(|| described(2).unwrap_or(Cache { bytes: 256 << 10, ways: 4 }))
}

/// The cache for data of a level, as `cpuid` describes it: in leaf 4, or in leaf 0x8000001d of processors by AMD, which
/// have the same fields (Intel SDM volume 2A, CPUID; AMD APM volume 3, E.4).
fn described(level: u32) -> Option<Cache> {
    // Kinds of caches: none, for data, for instructions, for both.
    const NONE: u32 = 0;
    const INSTRUCTIONS: u32 = 2;
    // More are not asked for, whatever a machine that is not real says.
    const CACHES: u32 = 16;
    let last = |first: u32| __cpuid(first).eax;
    [(0, 4), (0x8000_0000, 0x8000_001d)].into_iter().filter(|&(first, leaf)| last(first) >= leaf).find_map(
        |(_, leaf)| {
            (0..CACHES).map(|i| __cpuid_count(leaf, i)).take_while(|c| c.eax & 31 != NONE).find_map(|c| {
                let field = |x: u32, from: u32, bits: u32| (x >> from & ((1 << bits) - 1)) as usize + 1;
                let ways = field(c.ebx, 22, 10);
                let bytes = ways * field(c.ebx, 12, 10) * field(c.ebx, 0, 12) * (c.ecx as usize + 1);
                (c.eax & 31 != INSTRUCTIONS && c.eax >> 5 & 7 == level).then_some(Cache { bytes, ways })
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the system found out by itself, where it tells.
    #[test]
    fn the_second_cache_is_what_the_system_says() {
        let read =
            |name: &str| std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index2/{name}")).ok();
        let (Some(level), Some(size), Some(ways)) = (read("level"), read("size"), read("ways_of_associativity")) else {
            eprintln!("skipped: the system does not describe its caches");
            return;
        };
        let bytes = size.trim().strip_suffix('K').and_then(|n| n.parse::<usize>().ok()).map(|n| n << 10);
        if level.trim() != "2" || bytes.is_none() {
            eprintln!("skipped: no second cache of so many K, level {level} size {size}");
            return;
        }
        let cache = second_cache();
        assert_eq!((Some(cache.bytes), cache.ways.to_string().as_str()), (bytes, ways.trim()));
    }
}
