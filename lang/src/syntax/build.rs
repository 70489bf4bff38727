//! From pest's pairs to the tree, one chunk at a time.
//!
//! A chunk that does not parse, or parses into something that means nothing (`a < b < c`), gives one
//! diagnostic and no node. Its blocks are built all the same, for the mistakes inside them.

use std::collections::VecDeque;

use pest::Parser as _;
use pest::iterators::{Pair, Pairs};
use tfm_grammar::{Rule, TfmParser};

use super::ast::{Name, StringLit};
use super::chunk::{Braces, Chunk, Map};
use super::errors;
use super::statements::Place;
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};

/// How deep expressions may stand in each other; every operator of a chain counts, since
/// `a + b + c` is `(a + b) + c`. Bounds the recursion of everything that walks the tree, and of its drop.
pub(super) const MAX_DEPTH: usize = 400;

/// A part of the tree, or what is wrong with the text.
pub(super) type Built<T> = Result<T, Box<Diagnostic>>;

/// A node of pest's tree.
pub(super) type Node<'i> = Pair<'i, Rule>;

/// Builds the chunks of one file.
pub(super) struct Builder {
    pub(super) file: FileId,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Where the text of the chunk at hand is in the file.
    map: Map,
    /// The blocks of the chunk at hand that no node has taken yet.
    blocks: VecDeque<Braces>,
    /// Which statements the blocks of the chunk at hand may hold.
    place: Place,
}

impl Builder {
    pub(super) fn new(file: FileId) -> Builder {
        Builder { file, diagnostics: Vec::new(), map: Map::default(), blocks: VecDeque::new(), place: Place::Body }
    }

    /// Parses a chunk by a rule and makes a node of it; `None` when that gave a diagnostic. Takes the chunk's
    /// blocks, and leaves it its text.
    pub(super) fn chunk<T>(
        &mut self,
        chunk: &mut Chunk,
        rule: Rule,
        place: Place,
        depth: usize,
        make: impl FnOnce(&mut Builder, Node<'_>, usize) -> Built<T>,
    ) -> Option<T> {
        let map = std::mem::replace(&mut self.map, std::mem::take(&mut chunk.map));
        let blocks = std::mem::replace(&mut self.blocks, std::mem::take(&mut chunk.blocks).into());
        let place = std::mem::replace(&mut self.place, place);
        let mut made = None;
        if !chunk.broken {
            let result = match TfmParser::parse(rule, &chunk.text) {
                Ok(pairs) => make(self, only(pairs), depth),
                Err(error) => Err(Box::new(errors::explain(rule, error, &chunk.text, &self.map, self.file))),
            };
            match result {
                Ok(node) => made = Some(node),
                Err(diagnostic) => {
                    // What follows a `{` that cannot stand there is a consequence.
                    self.blocks.retain(|braces| braces.open != diagnostic.span().start);
                    self.diagnostics.push(*diagnostic);
                }
            }
        }
        chunk.map = std::mem::replace(&mut self.map, map);
        let left = std::mem::replace(&mut self.blocks, blocks);
        let inner = std::mem::replace(&mut self.place, place);
        if !chunk.silent && !chunk.text.starts_with('{') {
            for braces in left {
                self.statements(braces.chunks, inner, depth + 1);
            }
        }
        made
    }

    /// The block whose `{` is where this node begins.
    pub(super) fn braces(&mut self, node: &Node<'_>) -> Option<Braces> {
        let open = self.map.start(node.as_span().start());
        let index = self.blocks.iter().position(|braces| braces.open == open)?;
        self.blocks.remove(index)
    }

    /// Which statements the blocks of this chunk may hold.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn span(&self, node: &Node<'_>) -> Span {
        let span = node.as_span();
        Span { file: self.file, start: self.map.start(span.start()), end: self.map.end(span.end()) }
    }

    pub(super) fn name(&self, node: &Node<'_>) -> Name {
        Name { text: node.as_str().into(), span: self.span(node) }
    }

    /// The names of `a.b.c`, of a list in brackets or of anything else that holds only names.
    pub(super) fn names(&self, node: Node<'_>) -> Vec<Name> {
        node.into_inner().map(|n| self.name(&n)).collect()
    }

    /// A text in quotes.
    pub(super) fn string(&self, node: &Node<'_>) -> Built<StringLit> {
        let span = self.span(node);
        let quoted = node.as_str();
        let inner = &quoted[1..quoted.len() - 1];
        let mut text = String::with_capacity(inner.len());
        let mut rest = inner.char_indices();
        while let Some((at, c)) = rest.next() {
            if c != '\\' {
                text.push(c);
                continue;
            }
            match rest.next().map(|(_, escaped)| escaped) {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some('0') => text.push('\0'),
                Some(c @ ('"' | '\\')) => text.push(c),
                other => {
                    let c = other.unwrap_or(' ');
                    let start = span.start + 1 + at as u32;
                    let place = Span { file: self.file, start, end: start + 1 + c.len_utf8() as u32 };
                    let error = Diagnostic::error("E0104", place, format!("`\\{c}` means nothing in a text"))
                        .help("write `\\\\` for one backslash; `\\n`, `\\t`, `\\r`, `\\0` and `\\\"` are the others");
                    return Err(Box::new(error));
                }
            }
        }
        Ok(StringLit { text, span })
    }

    /// An error where a node stands.
    pub(super) fn error<T>(&self, code: &'static str, node: &Node<'_>, message: impl Into<String>) -> Built<T> {
        Err(Box::new(Diagnostic::error(code, self.span(node), message)))
    }

    /// Refuses what is nested so deeply that walking it could overflow the stack.
    pub(super) fn check_depth(&self, depth: usize, node: &Node<'_>) -> Built<()> {
        if depth <= MAX_DEPTH {
            return Ok(());
        }
        let start = self.span(node).start;
        Err(Box::new(errors::too_deep(Span { file: self.file, start, end: start + 1 })))
    }
}

/// The one node of a result that is known to have one.
fn only(mut pairs: Pairs<'_, Rule>) -> Node<'_> {
    let whole = pairs.next().expect("a rule that matched is a pair");
    first(whole)
}

/// The first node inside; every rule this is asked of has one.
pub(super) fn first(node: Node<'_>) -> Node<'_> {
    node.into_inner().next().expect("the grammar puts a node here")
}

/// The next node; asked only where the grammar has one.
pub(super) fn next<'i>(nodes: &mut Pairs<'i, Rule>) -> Node<'i> {
    nodes.next().expect("the grammar puts a node here")
}

/// The next node, when it is of this rule.
pub(super) fn optional<'i>(nodes: &mut Pairs<'i, Rule>, rule: Rule) -> Option<Node<'i>> {
    if nodes.peek().is_some_and(|node| node.as_rule() == rule) { nodes.next() } else { None }
}
