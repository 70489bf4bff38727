//! A text as tokens, and blocks of them.

use super::arrange::{arrange, cut, cuts};
use super::error::DataError;
use super::files;
use super::learned::Learned;
use super::open::{Opened, Opening};
use super::split::{Blocks, Field, Records, Rows, Split};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use tfm_lang::check::sources::{Cell, Operator, Tokens, int, tokens};
use tfm_lang::types::DType;

/// Token 0 of words.
const UNKNOWN: &str = "<unknown>";

/// The file of the declaration.
pub(super) fn open(o: &Opening) -> Result<Opened, DataError> {
    let path = o.path("path")?;
    let cutting = o
        .operators
        .iter()
        .find_map(|op| if let Operator::Split { train, valid } = op { Some((*train, *valid)) } else { None });
    let here = Reading { path: &path, kind: tokens(&o.args) };
    let (ids, learned) = here.read(cutting.map(|(train, _)| train), o.learned)?;
    let ids = Arc::new(ids);
    let block = int(&o.args, "block") as usize;
    let parts = match cutting {
        None => vec![("all", 0..ids.len())],
        Some((train, valid)) => cuts(ids.len(), train, valid),
    };
    let others: Vec<Operator> =
        o.operators.iter().filter(|op| !matches!(op, Operator::Split { .. })).cloned().collect();
    let mut splits = Vec::new();
    for (name, range) in parts {
        let stride = if matches!(name, "all" | "train") { 1 } else { block };
        let (records, count) = blocks(ids.clone(), range.clone(), stride, block).ok_or_else(|| {
            let message =
                format!("`{}.{name}` has {} tokens, and a block needs {}", o.spec.name, range.len(), block + 1);
            DataError::of(&path, message).help("write a smaller `block`, or another `split`")
        })?;
        let fields = fields(&["tokens", "next"], block);
        let nothing = |_: &str, _| Cell::Number(f64::NAN);
        for part in arrange(vec![(name.into(), Rows::Range(0..count))], &others, &nothing)? {
            splits.push((part.name.clone(), part.split(&fields, &records)));
        }
    }
    Ok((splits, learned))
}

/// A user's text, as blocks one after the other; the last one ends where the text ends.
pub(super) fn open_file(o: &Opening, path: &Path) -> Result<Split, DataError> {
    let (ids, _) = Reading { path, kind: tokens(&o.args) }.read(None, o.learned)?;
    let (n, block) = (ids.len(), int(&o.args, "block") as usize);
    let Some(last) = n.checked_sub(block) else {
        return Err(DataError::of(path, format!("the text has {n} tokens, and a block needs {block}")));
    };
    let blocks = Blocks { tokens: Arc::new(ids), first: 0, stride: block, last, block };
    Ok(Split::new(fields(&["tokens"], block), Rows::Range(0..n.div_ceil(block)), Arc::new(blocks)))
}

fn fields(names: &[&str], block: usize) -> Vec<Field> {
    names.iter().map(|n| Field { name: n.to_string(), dtype: DType::I32, shape: vec![block] }).collect()
}

/// Blocks within `range` that leave room for the token after them, and how many.
fn blocks(
    tokens: Arc<Vec<i32>>,
    range: Range<usize>,
    stride: usize,
    block: usize,
) -> Option<(Arc<dyn Records>, usize)> {
    let room = range.len().checked_sub(block + 1)?;
    let last = range.start + room;
    Some((Arc::new(Blocks { tokens, first: range.start, stride, last, block }), room / stride + 1))
}

struct Reading<'a> {
    path: &'a Path,
    kind: Tokens,
}

impl Reading<'_> {
    /// The tokens of a text, with the vocabulary of its first part, or with that of a run.
    fn read(&self, train: Option<f64>, before: Option<&Learned>) -> Result<(Vec<i32>, Learned), DataError> {
        if self.kind == Tokens::Bytes {
            let bytes = files::read(self.path)?;
            return Ok((bytes.into_iter().map(i32::from).collect(), Learned::default()));
        }
        let text = files::read_text(self.path)?;
        let text = text.as_str();
        let before = before.map(|l| &l.vocabulary);
        if let Some(v) = before
            && (v.is_empty() || v.len() as i64 > self.kind.vocabulary())
        {
            let message = format!("the run's vocabulary of {} does not belong to this declaration", v.len());
            return Err(DataError::of(self.path, message).help("train it again"));
        }
        let (ids, vocabulary) = match self.kind {
            Tokens::Bytes => (Vec::new(), Vec::new()),
            Tokens::Chars(most) => {
                let vocabulary = match before {
                    Some(v) => v.clone(),
                    None => self.alphabet(text, train, most as usize)?,
                };
                (self.chars(text, &vocabulary)?, vocabulary)
            }
            Tokens::Words(most) => {
                let words: Vec<&str> = words(text).collect();
                let at = train.map_or(words.len(), |t| cut(words.len(), t));
                let vocabulary = before.cloned().unwrap_or_else(|| frequent(&words[..at], most as usize));
                let ids: HashMap<&str, i32> = vocabulary.iter().map(String::as_str).zip(0..).collect();
                (words.iter().map(|w| ids.get(w).copied().unwrap_or(0)).collect(), vocabulary)
            }
        };
        Ok((ids, Learned { vocabulary, ..Learned::default() }))
    }

    /// The characters of the training part in order, then those that only the rest has.
    fn alphabet(&self, text: &str, train: Option<f64>, most: usize) -> Result<Vec<String>, DataError> {
        let n = text.chars().count();
        let at = train.map_or(n, |t| cut(n, t));
        let first: BTreeSet<char> = text.chars().take(at).collect();
        let rest: BTreeSet<char> = text.chars().skip(at).filter(|c| !first.contains(c)).collect();
        let found = first.len() + rest.len();
        if found > most {
            let message = format!("the text has {found} different characters, and `chars({most})` is declared");
            return Err(DataError::of(self.path, message)
                .help(format!("write `tokens: chars({found})`, and {found} where the model has {most}")));
        }
        Ok(first.iter().chain(&rest).map(char::to_string).collect())
    }

    fn chars(&self, text: &str, vocabulary: &[String]) -> Result<Vec<i32>, DataError> {
        let ids: HashMap<char, i32> = vocabulary.iter().filter_map(|s| s.chars().next()).zip(0..).collect();
        // Most texts are ASCII, and a table is far quicker than a hash.
        let ascii: [i32; 128] = std::array::from_fn(|b| ids.get(&(b as u8 as char)).copied().unwrap_or(-1));
        let id = |c: char| if c.is_ascii() { ascii[c as usize] } else { ids.get(&c).copied().unwrap_or(-1) };
        let out: Vec<i32> = text.chars().map(id).collect();
        match out.iter().position(|&i| i < 0).and_then(|i| text.char_indices().nth(i)) {
            None => Ok(out),
            Some((at, c)) => {
                let line = text[..at].matches('\n').count() as u64 + 1;
                let message = format!("the character {c:?} is not among the {} that the run knows", vocabulary.len());
                Err(DataError::of(self.path, message).line(line))
            }
        }
    }
}

/// Runs of letters, digits and apostrophes; any other character that is no space; ends of lines.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let inside = |c: char| c.is_alphanumeric() || c == '\'';
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() && c != '\n');
        let first = rest.chars().next()?;
        let end = match inside(first) {
            true => rest.find(|c| !inside(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Unknown, then the most frequent words.
fn frequent(words: &[&str], most: usize) -> Vec<String> {
    let known = most_frequent(words.iter().copied(), most.saturating_sub(1));
    std::iter::once(UNKNOWN.to_string()).chain(known).collect()
}

/// The most frequent words, those as frequent in the order of Unicode.
pub(super) fn most_frequent<'a>(words: impl Iterator<Item = &'a str>, most: usize) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for w in words {
        *counts.entry(w).or_default() += 1;
    }
    let mut sorted: Vec<(&str, usize)> = counts.into_iter().collect();
    sorted.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    sorted.into_iter().take(most).map(|(w, _)| w.to_string()).collect()
}
