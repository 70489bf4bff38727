//! Where each dimension came from: the declaration that introduced it, and each operation that
//! changed it.

use crate::source::Span;
use crate::types::OriginId;

/// One step in the life of a dimension.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// `12 = (26 - 2) / 2 + 1`, or `784, declared here`.
    pub text: String,
    /// The place in the text.
    pub span: Span,
    /// What it was made from.
    pub parents: Vec<OriginId>,
}

/// All origins of one check. Number 0 stands for "not known".
#[derive(Clone, Debug)]
pub(super) struct History {
    origins: Vec<Origin>,
}

impl Default for History {
    fn default() -> History {
        History { origins: vec![Origin { text: String::new(), span: Span::default(), parents: Vec::new() }] }
    }
}

impl History {
    pub fn add(&mut self, text: impl Into<String>, span: Span, parents: Vec<OriginId>) -> OriginId {
        self.origins.push(Origin { text: text.into(), span, parents });
        OriginId(self.origins.len() as u32 - 1)
    }

    /// Where it was written down, when that is known.
    pub fn place(&self, of: OriginId) -> Option<Span> {
        self.origins.get(of.0 as usize).filter(|o| !o.text.is_empty()).map(|o| o.span)
    }

    /// What it was made from.
    pub fn get(&self, of: OriginId) -> Option<&Origin> {
        self.origins.get(of.0 as usize).filter(|o| !o.text.is_empty())
    }

    /// The lines of a dimension's life, the latest first, each with its place; at most `limit`.
    pub fn lines(&self, of: OriginId, limit: usize) -> Vec<(&str, Span)> {
        let (mut out, mut next, mut seen) = (Vec::new(), vec![of], Vec::new());
        while let Some(id) = next.pop() {
            if seen.contains(&id) || out.len() == limit {
                continue;
            }
            seen.push(id);
            let Some(origin) = self.origins.get(id.0 as usize) else { continue };
            if !origin.text.is_empty() {
                out.push((origin.text.as_str(), origin.span));
            }
            next.extend(origin.parents.iter().rev());
        }
        out
    }
}
