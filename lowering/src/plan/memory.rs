//! Offsets in one arena: two buffers share bytes only if they are not alive at the same time.

/// The unit in which memory is given out, in bytes.
pub const ALIGNMENT: usize = 64;

/// A buffer and the steps during which it is alive, both included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buffer {
    /// Its size.
    pub bytes: usize,
    /// The step that writes it.
    pub first: usize,
    /// The last step that reads it.
    pub last: usize,
}

impl Buffer {
    fn meets(&self, other: &Buffer) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// An offset for each buffer, and the size of the arena.
///
/// The largest first, each into the smallest gap that fits between those it meets in time (greedy
/// by size: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
pub fn offsets(buffers: &[Buffer]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|i| (std::cmp::Reverse(buffers[*i].bytes), buffers[*i].first, *i));
    let mut offsets = vec![0; buffers.len()];
    // Sorted by offset.
    let mut placed: Vec<usize> = Vec::with_capacity(buffers.len());
    let mut arena = 0;
    for i in order {
        let buffer = &buffers[i];
        let need = buffer.bytes.next_multiple_of(ALIGNMENT);
        let (mut end, mut best) = (0, None);
        for other in placed.iter().copied().filter(|o| buffers[*o].meets(buffer)) {
            let start: usize = offsets[other];
            if let Some(gap) = start.checked_sub(end).filter(|gap| *gap >= need)
                && best.is_none_or(|(smallest, _)| gap < smallest)
            {
                best = Some((gap, end));
            }
            end = end.max(start + buffers[other].bytes.next_multiple_of(ALIGNMENT));
        }
        offsets[i] = best.map_or(end, |(_, at)| at);
        arena = arena.max(offsets[i] + need);
        let at = placed.partition_point(|o| offsets[*o] <= offsets[i]);
        placed.insert(at, i);
    }
    debug_assert!(overlap(buffers, &offsets).is_none(), "two live buffers share bytes");
    (offsets, arena)
}

/// Two buffers that are alive together on the same bytes.
fn overlap(buffers: &[Buffer], offsets: &[usize]) -> Option<(usize, usize)> {
    let apart = |a: usize, b: usize| {
        let (ba, bb) = (&buffers[a], &buffers[b]);
        !ba.meets(bb) || offsets[a] + ba.bytes <= offsets[b] || offsets[b] + bb.bytes <= offsets[a]
    };
    (0..buffers.len()).flat_map(|a| (0..a).map(move |b| (a, b))).find(|(a, b)| !apart(*a, *b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again() {
        let b = |bytes, first, last| Buffer { bytes, first, last };
        let buffers = [b(100, 0, 1), b(64, 1, 2), b(100, 2, 3), b(10, 0, 3)];
        let (offsets, arena) = offsets(&buffers);
        assert_eq!(offsets[0], offsets[2]);
        assert_eq!(arena, 128 + 64 + 64);
        assert!(offsets.iter().all(|o| o % ALIGNMENT == 0));
        assert_eq!(overlap(&buffers, &offsets), None);
        assert_eq!(overlap(&buffers, &[0, 0, 0, 192]), Some((1, 0)));
    }
}
