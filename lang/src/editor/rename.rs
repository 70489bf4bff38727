//! Giving a name of the file another.

use super::{Document, Edit, Kind, Target};
use crate::syntax::scan::{RESERVED, is_word};

/// The edits that give the name at a place another one everywhere in this file. With `None` for the new name it only
/// says whether that can be done.
///
/// # Errors
///
/// Why it cannot, in words for the user.
pub fn rename(document: &Document, offset: u32, to: Option<&str>) -> Result<Vec<Edit>, String> {
    let found = document.index.at(offset).ok_or("there is no name here")?;
    let word = document.sources.text(found.span);
    let def = match &found.target {
        Target::Here(def) => *def,
        Target::Library(_) => return Err(format!("`{word}` is declared in the library")),
        Target::Other(file, _) => {
            return Err(format!("`{word}` is declared in `{}`: rename it there", document.sources.get(*file).name));
        }
        Target::Field(data) => return Err(format!("`{word}` is a field that the source of `{data}` names")),
        Target::Setting => return Err(format!("`{word}` is a setting of `train`")),
        Target::Named | Target::Unknown => return Err(format!("what `{word}` means is not known here")),
    };
    let declared = &document.index.defs[def];
    if document.sources.text(declared.span).starts_with('"') {
        return Err(format!("`{word}` is the name of a column in the data"));
    }
    if declared.kind == Kind::Column {
        return Err(format!("`{word}` is a column: its name is that in the data"));
    }
    let Some(to) = to else { return Ok(Vec::new()) };
    let begins = to.as_bytes().first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    if !begins || !to.bytes().all(is_word) || to == "_" {
        return Err(format!("`{to}` is no name: it begins with a letter and goes on with letters, digits and `_`"));
    }
    if RESERVED.contains(&to) {
        return Err(format!("`{to}` is a word of the language"));
    }
    let spans = document.references(offset, true);
    // Another thing of this name that can be seen where this one is used would be hidden, or would hide it.
    let seen = |at: u32| document.index.seen_at(at).find(|d| d.name == to && d.span != declared.span);
    let other = spans.iter().find_map(|span| seen(span.start)).or_else(|| {
        let (from, until) = declared.seen;
        document.index.defs.iter().find(|d| d.name == to && from <= d.span.start && d.span.start <= until)
    });
    if let Some(other) = other.filter(|_| to != word) {
        let (line, _) = document.sources.line_column(other.span);
        return Err(format!("there is a `{to}` already, in line {line}"));
    }
    Ok(spans.into_iter().map(|span| Edit { span, text: to.to_string() }).collect())
}
