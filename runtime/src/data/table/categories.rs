//! Hashed categories: texts to numbers below `n`, those of the training part without collisions where they fit.

use crate::data::error::DataError;
use crate::data::random::key;
use crate::data::split::Rows;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// The cells of a column, each text kept once.
#[derive(Default)]
pub(super) struct Texts {
    /// The place of each text in the order of its first cell.
    places: HashMap<String, u32>,
    /// The texts in that order.
    texts: Vec<String>,
    /// The place of the text of each cell.
    cells: Vec<u32>,
}

/// The texts whose number is not their hash, with their numbers.
pub(super) type Moved = BTreeMap<String, i32>;

impl Texts {
    /// Adds a cell.
    pub(super) fn push(&mut self, cell: &str) {
        let new = self.places.len() as u32;
        let place = match self.places.get(cell) {
            Some(&place) => place,
            None => {
                self.texts.push(cell.into());
                *self.places.entry(cell.into()).or_insert(new)
            }
        };
        self.cells.push(place);
    }

    /// The text of a cell.
    pub(super) fn text(&self, row: usize) -> &str {
        &self.texts[self.cells[row] as usize]
    }

    /// What these rows teach: the most frequent text, and among equals the first in the alphabet, takes its
    /// hash; each further one its hash or, where that is taken, the next free number, 0 following on `n - 1`.
    /// Once all numbers are taken, every other text keeps its hash.
    pub(super) fn learn(&self, n: i64, rows: &Rows) -> Moved {
        let mut counts = vec![0u64; self.places.len()];
        rows.iter().for_each(|row| counts[self.cells[row] as usize] += 1);
        let mut seen: Vec<(Reverse<u64>, &str)> =
            self.places.iter().map(|(text, &place)| (Reverse(counts[place as usize]), text.as_str())).collect();
        seen.retain(|(count, _)| count.0 > 0);
        seen.sort_unstable();
        let mut free = Free { n, next: HashMap::new() };
        let mut moved = Moved::new();
        for (_, text) in seen.into_iter().take(usize::try_from(n).unwrap_or(usize::MAX)) {
            let hash = bucket(text, n);
            let number = free.take(hash);
            if number != hash {
                moved.insert(text.into(), number);
            }
        }
        moved
    }

    /// The number of each cell.
    pub(super) fn codes(&self, n: i64, moved: &Moved) -> Vec<i32> {
        let mut codes = vec![0; self.places.len()];
        for (text, &place) in &self.places {
            codes[place as usize] = moved.get(text).copied().unwrap_or_else(|| bucket(text, n));
        }
        self.cells.iter().map(|&place| codes[place as usize]).collect()
    }
}

/// What a run learned, if it is of a column of this declaration.
pub(super) fn checked<'a>(name: &str, n: i64, known: &'a Moved) -> Result<&'a Moved, DataError> {
    match known.iter().find(|(_, number)| !(0..n).contains(&i64::from(**number))) {
        None => Ok(known),
        Some((text, number)) => {
            let message = format!("the run has learned {number} for {text:?} of `{name}`, which is not below {n}");
            Err(DataError::new(message).help("it was trained with another declaration; train it again"))
        }
    }
}

/// Which numbers below `n` are free. A number that is taken leads to one nearer to the next free one, so
/// that a full table is filled in about as many steps as it has numbers.
struct Free {
    n: i64,
    next: HashMap<i32, i32>,
}

impl Free {
    /// Takes the first free number from `at` on; one must be free.
    fn take(&mut self, at: i32) -> i32 {
        let mut free = at;
        while let Some(&next) = self.next.get(&free) {
            free = next;
        }
        let after = ((i64::from(free) + 1) % self.n) as i32;
        let mut on_the_way = at;
        while let Some(next) = self.next.insert(on_the_way, after) {
            on_the_way = next;
        }
        free
    }
}

/// The hash of a text below `n`: FNV-1a, mixed, so that it is the same in each run and release.
fn bucket(text: &str, n: i64) -> i32 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    (key(&[hash]) % n as u64) as i32
}
