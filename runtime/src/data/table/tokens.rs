//! Texts of a column as numbers: 0 fill, 1 unknown, 2 start and 3 end where they are marked, then the vocabulary.

use super::origin::Origin;
use crate::data::error::DataError;
use crate::data::split::Rows;
use crate::data::text::{most_frequent, words};
use std::collections::{BTreeSet, HashMap};
use tfm_lang::check::sources::Tokens;

const FILL: i32 = 0;
const UNKNOWN: i32 = 1;
const START: i32 = 2;
const END: i32 = 3;

/// How a column of texts is declared.
pub(super) struct Kind<'a> {
    pub(super) name: &'a str,
    pub(super) tokens: Tokens,
    pub(super) length: usize,
    pub(super) marks: bool,
}

impl Kind<'_> {
    /// How many numbers are marks.
    fn special(&self) -> usize {
        if self.marks { 4 } else { 2 }
    }

    fn room(&self) -> usize {
        (self.tokens.vocabulary() as usize).saturating_sub(self.special())
    }

    fn parts<'t>(&self, text: &'t str) -> Vec<&'t str> {
        match self.tokens {
            Tokens::Words(_) => words(text).filter(|w| *w != "\n").collect(),
            _ => text.char_indices().map(|(i, c)| &text[i..i + c.len_utf8()]).collect(),
        }
    }

    /// The vocabulary of these rows.
    pub(super) fn learn(&self, texts: &[String], rows: &Rows, origin: &Origin) -> Result<Vec<String>, DataError> {
        let all = rows.iter().flat_map(|row| self.parts(&texts[row]));
        if matches!(self.tokens, Tokens::Words(_)) {
            return Ok(most_frequent(all, self.room()));
        }
        let found: BTreeSet<&str> = all.collect();
        match found.len() > self.room() {
            false => Ok(found.into_iter().map(String::from).collect()),
            true => {
                let (n, special) = (found.len(), self.special());
                let message = format!(
                    "`{}` has {n} different characters and {special} marks, and `chars({})` is declared",
                    self.name,
                    self.tokens.vocabulary()
                );
                Err(origin.of_file(message).help(format!("write `chars({}, …)`", n + special)))
            }
        }
    }

    /// What a run learned, if it is of a column of this declaration.
    pub(super) fn checked<'v>(&self, known: &'v Vec<String>) -> Result<&'v Vec<String>, DataError> {
        match known.len() > self.room() {
            false => Ok(known),
            true => Err(DataError::new(format!(
                "the run's vocabulary of {} for `{}` does not belong to this declaration",
                known.len(),
                self.name
            ))
            .help("it was trained with another declaration; train it again")),
        }
    }

    /// The numbers of each text, `length` for each.
    pub(super) fn codes(&self, texts: &[String], vocabulary: &[String]) -> Vec<i32> {
        let first = self.special() as i32;
        let ids: HashMap<&str, i32> = vocabulary.iter().map(String::as_str).zip(first..).collect();
        let mut out = Vec::with_capacity(texts.len() * self.length);
        for text in texts {
            let end = out.len() + self.length;
            let most = self.length - if self.marks { 2 } else { 0 };
            out.extend(self.marks.then_some(START));
            out.extend(self.parts(text).iter().take(most).map(|w| ids.get(w).copied().unwrap_or(UNKNOWN)));
            out.extend(self.marks.then_some(END));
            out.resize(end, FILL);
        }
        out
    }
}
