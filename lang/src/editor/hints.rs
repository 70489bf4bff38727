//! What is shown between the words of a text: shapes along pipelines and behind names, and the signature of the call
//! that is being written.

use super::{About, Analysis, Document, Library, Target};
use crate::format::lexed;
use crate::source::Span;
use crate::syntax::ast::{ExprKind, Pattern, StmtKind};
use crate::syntax::walk;

/// A text to show at a place that is not in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// Where: behind the byte before it.
    pub offset: u32,
    /// What.
    pub text: String,
}

/// Shapes: behind the names of `let`, and at the ends of lines along pipelines. The analysis must be of this text.
pub fn hints(document: &Document, analysis: &Analysis, within: Span) -> Vec<Hint> {
    let text = document.text();
    let mut found = Vec::new();
    let mut named: Vec<Span> = Vec::new();
    walk::blocks(&document.file, &mut |block| {
        block.statements.iter().for_each(|s| {
            let StmtKind::Let(pattern, value) = &s.kind else { return };
            named.push(value.span);
            let names = match pattern {
                Pattern::Name(name, None) => std::slice::from_ref(name),
                Pattern::Name(_, Some(_)) => &[],
                Pattern::Tuple(names, _) => names.as_slice(),
            };
            for name in names.iter().filter(|n| n.text != "_") {
                if let Some(seen) = analysis.record.at(name.span).filter(|seen| seen.tensor) {
                    found.push(Hint { offset: name.span.end, text: format!(": {}", seen.text) });
                }
            }
        })
    });
    walk::expressions(&document.file, &mut |e| {
        let ExprKind::Pipe(left, _) = &*e.kind else { return };
        // The value of a `let` is told at its name.
        let mut places = vec![e.span];
        if !matches!(&*left.kind, ExprKind::Pipe(..)) {
            places.push(left.span);
        }
        for place in places.into_iter().filter(|place| !named.contains(place)) {
            let rest = text.get(place.end as usize..).unwrap_or("").lines().next().unwrap_or("").trim_start();
            let ends = rest.is_empty() || rest.starts_with("//");
            if let Some(seen) = analysis.record.at(place).filter(|seen| ends && seen.tensor) {
                found.push(Hint { offset: place.end, text: format!("  {}", seen.text) });
            }
        }
    });
    found.retain(|hint| within.start <= hint.offset && hint.offset <= within.end);
    found.sort_by_key(|hint| hint.offset);
    found.dedup();
    found
}

/// The call that is being written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// The declaration's head.
    pub head: String,
    /// Its documentation.
    pub doc: String,
    /// Where in `head` each parameter of the list at hand stands, in bytes.
    pub parameters: Vec<(u32, u32)>,
    /// Which one is being written.
    pub active: Option<usize>,
}

/// The signature of the innermost call around a place.
pub fn signature(document: &Document, library: &Library, offset: u32) -> Option<Signature> {
    let call = open_call(document, library, offset)?;
    let list = call.about.lists.get(call.list)?;
    let head = call.about.head.clone();
    let mut from = 0;
    // Lists come one after another in the head.
    for parameter in call.about.lists[..call.list].iter().flatten() {
        from = head[from..].find(&parameter.text).map_or(from, |at| from + at + parameter.text.len());
    }
    let mut parameters = Vec::new();
    for parameter in list {
        let at = head[from..].find(&parameter.text).map_or(from, |at| from + at);
        from = at + parameter.text.len();
        parameters.push((at as u32, from as u32));
    }
    let active = match &call.named {
        Some(name) => list.iter().position(|p| p.name == *name),
        None => (call.before < list.len()).then_some(call.before),
    };
    Some(Signature { head, doc: call.about.doc.clone(), parameters, active })
}

/// A call whose bracket is open at a place.
pub(super) struct OpenCall {
    pub(super) about: About,
    /// Which list of the declaration it is: `Dense(64)(x)` has two.
    pub(super) list: usize,
    /// How many arguments stand before the one at hand.
    pub(super) before: usize,
    /// The name of the argument at hand.
    pub(super) named: Option<String>,
    /// The names of the arguments that are given.
    pub(super) given: Vec<String>,
}

/// Finds the innermost call around a place from the tokens before it, since a call that is being written does not parse.
pub(super) fn open_call(document: &Document, library: &Library, offset: u32) -> Option<OpenCall> {
    let text = document.text();
    let tokens: Vec<(u32, &str)> = lexed(text)
        .into_iter()
        .filter(|(start, _)| *start < offset)
        .map(|(start, end)| (start, &text[start as usize..end as usize]))
        .collect();
    let (mut depth, mut at) = (0usize, tokens.len());
    let (mut before, mut named, mut given) = (0, None, Vec::new());
    let open = loop {
        at = at.checked_sub(1)?;
        let (start, word) = tokens[at];
        match word {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" if depth > 0 => depth -= 1,
            "(" => break at,
            "[" => {}
            "{" => return None,
            "," if depth == 0 => before += 1,
            ":" if depth == 0 && at > 0 => {
                if before == 0 && named.is_none() && start < offset {
                    named = Some(tokens[at - 1].1.to_string());
                }
                given.push(tokens[at - 1].1.to_string());
            }
            _ => {}
        }
    };
    let (mut callee, mut list) = (open.checked_sub(1)?, 0);
    if tokens[callee].1 == ")" {
        let mut depth = 0usize;
        loop {
            match tokens[callee].1 {
                ")" => depth += 1,
                "(" => depth -= 1,
                _ => {}
            }
            callee = callee.checked_sub(1)?;
            if depth == 0 {
                break;
            }
        }
        list = 1;
    }
    let (start, name) = tokens[callee];
    let about = about_word(document, library, name, start)?;
    // The bracket of a declaration's own parameters is no call.
    if callee > 0 && crate::syntax::scan::ITEM_WORDS.contains(&tokens[callee - 1].1) {
        return None;
    }
    // A stage is given what stands before it as its first input.
    let piped = callee > 0 && tokens[callee - 1].1 == "|>" && (list == 1 || about.lists.len() == 1);
    before += usize::from(piped);
    Some(OpenCall { about, list, before, named, given })
}

/// What a name that can be applied says about itself.
fn about_word(document: &Document, library: &Library, name: &str, offset: u32) -> Option<About> {
    let target = match document.index.at(offset) {
        Some(found) if document.sources.text(found.span) == name => Some(found.target.clone()),
        _ => None,
    };
    let here = |document: &Document| {
        document.index.defs.iter().find(|d| d.name == name && !d.about.lists.is_empty()).map(|d| d.about.clone())
    };
    match target {
        Some(Target::Here(def)) if !document.index.defs[def].about.lists.is_empty() => {
            Some(document.index.defs[def].about.clone())
        }
        Some(Target::Library(entry)) => Some(library.get(entry).about.clone()),
        _ => here(document).or_else(|| library.find(name).map(|entry| library.get(entry).about.clone())),
    }
    .or_else(|| super::complete::source_about(name))
}
