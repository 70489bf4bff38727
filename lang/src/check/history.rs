//! Where each dimension came from: the declaration that introduced it, and each operation that
//! changed it.

use crate::dim::Dim;
use crate::source::{Sources, Span};
use crate::types::OriginId;

/// One step in the life of a dimension.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// What happened.
    pub text: Text,
    /// The place in the text.
    pub span: Span,
    /// What it was made from.
    pub parents: Vec<OriginId>,
}

/// What happened to a dimension. Nearly all of these are never read, so that what they quote is written out only when
/// somebody asks; [`Text::told`] does it.
#[derive(Clone, Debug)]
pub(super) enum Text {
    /// `784, declared here`.
    Told(String),
    /// `12 = (26 - 2) / 2 + 1, from` this place.
    From(String, Span),
    /// A size that a declaration writes down at the first place, in what is applied at the second.
    Declared(Dim, Span, Option<Span>),
}

impl Text {
    /// In words.
    pub fn told(&self, sources: &Sources) -> String {
        match self {
            Text::Told(text) => text.clone(),
            Text::From(what, place) => format!("{what}, from `{}`", quote(sources, *place)),
            Text::Declared(dim, written, call) => {
                let written = quote(sources, *written);
                let call = call.map(|c| quote(sources, c)).filter(|c| !c.is_empty());
                match (written == dim.to_string(), call) {
                    (true, Some(call)) => format!("{dim}, from `{call}`"),
                    (true, None) => format!("{dim}, declared here"),
                    (false, Some(call)) => format!("{dim} is `{written}` of `{call}`"),
                    (false, None) => format!("{dim} is `{written}`"),
                }
            }
        }
    }
}

/// Text of a place, on one line and not too long, for messages.
pub(super) fn quote(sources: &Sources, span: Span) -> String {
    let text: String = sources.text(span).split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(48) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::Told(text)
    }
}

/// All origins of one check. Number 0 stands for "not known".
#[derive(Clone, Debug)]
pub(super) struct History {
    origins: Vec<Origin>,
}

impl Default for History {
    fn default() -> History {
        let nothing = Origin { text: Text::Told(String::new()), span: Span::default(), parents: Vec::new() };
        History { origins: vec![nothing] }
    }
}

impl History {
    pub fn add(&mut self, text: impl Into<Text>, span: Span, parents: Vec<OriginId>) -> OriginId {
        self.origins.push(Origin { text: text.into(), span, parents });
        OriginId(self.origins.len() as u32 - 1)
    }

    /// Where it was written down, when that is known.
    pub fn place(&self, of: OriginId) -> Option<Span> {
        self.get(of).map(|o| o.span)
    }

    /// What it was made from.
    pub fn get(&self, of: OriginId) -> Option<&Origin> {
        self.origins.get(of.0 as usize).filter(|_| of != OriginId::default())
    }

    /// The steps of a dimension's life, the latest first; at most `limit`.
    pub fn lines(&self, of: OriginId, limit: usize) -> Vec<&Origin> {
        let (mut out, mut next, mut seen) = (Vec::new(), vec![of], Vec::new());
        while let Some(id) = next.pop() {
            if seen.contains(&id) || out.len() == limit {
                continue;
            }
            seen.push(id);
            let Some(origin) = self.get(id) else { continue };
            out.push(origin);
            next.extend(origin.parents.iter().rev());
        }
        out
    }
}
