//! The formatter: one style for every file, without options.
//!
//! A line is 120 characters at most, a block two further in than what it belongs to. Blanks stand around binary
//! operators, after commas and colons, and nowhere at the end of a line. What does not fit goes on under the place
//! where its list, chain or sum began; a list with a comma after its last value has a line for each. Lines that
//! belong together are aligned: settings, columns of a schema, `minimize` and `report`, the `=` of neighbours whose
//! names are of nearly one length, comments at the ends of neighbouring lines.
//!
//! Three things are the author's, because they say something: whether a blank line stands between two statements,
//! whether a block of one statement stands on one line, and before which `|>` a chain breaks. Everything else follows
//! from the words alone, so that two files of the same words come out alike.
//!
//! *Invariants:* the tokens and comments of the result are those of the text, in their order, but for `;`, and
//! statements begin at the same tokens; formatting the result gives the result. The first is checked in each run.

mod align;
mod layout;
mod spaces;
mod tokens;
mod tree;
mod write;

#[cfg(test)]
mod tests;

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources};
use crate::syntax;
use crate::syntax::outline::{self, Outline};

/// How many characters a line has at most.
pub const WIDTH: usize = 120;

/// Why a file was not formatted.
#[derive(Clone, PartialEq, Debug)]
pub enum Refused {
    /// It does not parse; these say where.
    Broken(Vec<Diagnostic>),
    /// The result would not have said the same: a mistake of the formatter's.
    Changed,
}

/// The file in the one style. Lines end as the first line of the file ends.
///
/// # Errors
///
/// A file that does not parse is not formatted.
pub fn format(sources: &Sources, file: FileId) -> Result<String, Refused> {
    let outline = syntax::parsed_outline(sources, file).map_err(Refused::Broken)?;
    let text = &sources.get(file).text;
    let tokens = tokens::read(text, &outline);
    let words: Vec<_> = tokens::words(text, &tokens).collect();
    let made = styled(text, tokens);
    let again = tokens::read(&made, &outline::outline(&made));
    if !tokens::words(&made, &again).eq(words) {
        return Err(Refused::Changed);
    }
    let windows = text.find('\n').is_some_and(|at| text[..at].ends_with('\r'));
    Ok(if windows { made.replace('\n', "\r\n") } else { made })
}

/// Where the tokens of a text begin and end, comments left out; of any text.
pub(crate) fn lexed(text: &str) -> Vec<(u32, u32)> {
    let mut all = tokens::read(text, &Outline::default());
    all.pop();
    all.iter().map(|token| (token.start, token.end)).collect()
}

/// Tokens and comments of any text: first byte, one past the last, whether it is a comment, whether a word of the
/// language.
pub(crate) fn lexed_kinds(text: &str) -> Vec<(u32, u32, bool, bool)> {
    let mut all = tokens::read(text, &outline::outline(text));
    spaces::mark(text, &mut all);
    let mut found = Vec::with_capacity(all.len());
    for token in &all {
        found.extend(token.before.iter().map(|c| (c.start, c.end, true, false)));
        if token.start < token.end {
            found.push((token.start, token.end, false, token.keyword));
        }
        found.extend(token.after.iter().map(|c| (c.start, c.end, true, false)));
    }
    found
}

/// The text of these tokens in the one style; it must parse.
fn styled(text: &str, mut tokens: Vec<tokens::Token>) -> String {
    spaces::mark(text, &mut tokens);
    let file = tree::build(text, &mut tokens);
    write::write(text, tokens, &file)
}
