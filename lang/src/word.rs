//! Words: names kept once for the whole process, so that they are copied and compared like numbers.
//!
//! A checker asks all day whether two names are the same; here that is one comparison of addresses. What was a word
//! once stays in memory: there are only so many names in what one process reads.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops::Deref;
use std::sync::{LazyLock, PoisonError, RwLock};

/// A name: of a variable, a primitive, an instance, a size.
#[derive(Clone, Copy)]
pub struct Word(&'static &'static str);

/// Every word there is.
static WORDS: LazyLock<RwLock<HashMap<&'static str, Word, BuildHasherDefault<Quick>>>> = LazyLock::new(RwLock::default);

impl Word {
    /// The word with this text.
    pub fn new(text: &str) -> Word {
        if let Some(known) = WORDS.read().unwrap_or_else(PoisonError::into_inner).get(text) {
            return *known;
        }
        let mut words = WORDS.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = words.get(text) {
            return *known;
        }
        let kept: &'static str = Box::leak(text.into());
        let word = Word(Box::leak(Box::new(kept)));
        words.insert(kept, word);
        word
    }

    /// Its text.
    pub fn as_str(&self) -> &'static str {
        self.0
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Word) -> bool {
        // Each text is kept once.
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Word {}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(std::ptr::from_ref(self.0).addr());
    }
}

/// By their texts, so that an order does not depend on which came first.
impl Ord for Word {
    fn cmp(&self, other: &Word) -> Ordering {
        if self == other { Ordering::Equal } else { (*self.0).cmp(*other.0) }
    }
}

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Word) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

impl AsRef<str> for Word {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl Default for Word {
    fn default() -> Word {
        Word::new("")
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Word {
        Word::new(text)
    }
}

impl From<&Word> for Word {
    fn from(word: &Word) -> Word {
        *word
    }
}

impl From<String> for Word {
    fn from(text: String) -> Word {
        Word::new(&text)
    }
}

impl From<&String> for Word {
    fn from(text: &String) -> Word {
        Word::new(text)
    }
}

impl From<Word> for String {
    fn from(word: Word) -> String {
        (*word.0).into()
    }
}

impl PartialEq<str> for Word {
    fn eq(&self, other: &str) -> bool {
        *self.0 == other
    }
}

impl PartialEq<&str> for Word {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other
    }
}

impl PartialEq<String> for Word {
    fn eq(&self, other: &String) -> bool {
        *self.0 == other
    }
}

impl PartialEq<Word> for str {
    fn eq(&self, other: &Word) -> bool {
        self == *other.0
    }
}

impl PartialEq<Word> for &str {
    fn eq(&self, other: &Word) -> bool {
        *self == *other.0
    }
}

impl PartialEq<Word> for String {
    fn eq(&self, other: &Word) -> bool {
        self == *other.0
    }
}

/// A word that the program itself names, looked up once for each place that says it.
macro_rules! word {
    ($text:literal) => {{
        static WORD: std::sync::OnceLock<$crate::word::Word> = std::sync::OnceLock::new();
        *WORD.get_or_init(|| $crate::word::Word::new($text))
    }};
}
pub(crate) use word;

/// A map by words. Its order is by chance: what is shown is sorted first.
pub(crate) type WordMap<T> = HashMap<Word, T, BuildHasherDefault<Quick>>;

/// A hash of few instructions, for addresses, small numbers and short texts that nobody chose to collide.
#[derive(Default)]
pub(crate) struct Quick(u64);

impl Quick {
    fn add(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        // The high bits are the good ones, a table goes by the low ones too.
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.add(u64::from_le_bytes(chunk.try_into().expect("chunks of 8")));
        }
        for byte in chunks.remainder() {
            self.add(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.add(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.add(n);
    }

    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_word() {
        let (a, b) = (Word::new("units"), Word::from(String::from("units")));
        assert_eq!(a, b);
        assert!(std::ptr::eq(a.as_str(), b.as_str()));
        assert_ne!(a, Word::new("unit"));
        assert_eq!(Word::default(), "");
    }

    #[test]
    fn the_order_is_of_texts() {
        let mut words = ["b", "a", "ab", ""].map(Word::new);
        words.sort_unstable();
        assert_eq!(words, ["", "a", "ab", "b"].map(Word::new));
    }
}
