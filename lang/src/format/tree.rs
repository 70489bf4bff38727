//! Tokens as a tree of statements, brackets and blocks, each with its width on one line.

use super::tokens::{Comment, Token};

/// A token by its place in the list, or what stands between two brackets.
#[derive(Debug)]
pub(super) enum Node {
    Token(usize),
    Bracket(Bracket),
    Block(Block),
}

/// `( … )`, `[ … ]` or the braces of an import.
#[derive(Debug)]
pub(super) struct Bracket {
    pub(super) open: usize,
    /// What stands between the commas; the comma behind each but the last belongs to it.
    pub(super) items: Vec<Vec<Node>>,
    pub(super) close: usize,
    /// True when a comma stands before the closing bracket: a line for each item.
    pub(super) spread: bool,
    /// Its width on one line; `None` where it cannot stand on one.
    pub(super) flat: Option<u32>,
}

/// `{ … }` around statements.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) open: usize,
    pub(super) statements: Vec<Statement>,
    pub(super) close: usize,
    /// Comments before the `}`.
    pub(super) tail: Vec<Comment>,
    pub(super) flat: Option<u32>,
}

/// A statement, declaration or column.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) nodes: Vec<Node>,
    /// Comments above it.
    pub(super) lead: Vec<Comment>,
    /// The comment at its end.
    pub(super) trail: Option<Comment>,
    /// True when a blank line stands right before its first token.
    pub(super) blank: bool,
}

/// The whole file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) statements: Vec<Statement>,
    /// Comments after the last declaration.
    pub(super) tail: Vec<Comment>,
}

/// Builds the tree. Comments around statements are taken out of the tokens.
pub(super) fn build(text: &str, tokens: &mut [Token]) -> File {
    let mut builder = Builder { text, tokens, at: 0 };
    let statements = builder.statements();
    let end = builder.tokens.len() - 1;
    File { statements, tail: std::mem::take(&mut builder.tokens[end].before) }
}

/// The width on one line of nodes that stand side by side, the blank before the first not counted.
pub(super) fn flat(tokens: &[Token], nodes: &[Node]) -> Option<u32> {
    let mut width = 0;
    for (i, node) in nodes.iter().enumerate() {
        let first = first_token(node);
        if i > 0 {
            width += u32::from(tokens[first].space) + tokens[first].pad;
        }
        width += match node {
            Node::Token(at) => token_width(&tokens[*at], i > 0)?,
            Node::Bracket(bracket) => bracket.flat?,
            Node::Block(block) => block.flat?,
        };
        if i + 1 < nodes.len() && tokens[last_token(node)].after.is_some() {
            return None;
        }
    }
    Some(width)
}

/// The token that a node ends with.
fn last_token(node: &Node) -> usize {
    match node {
        Node::Token(at) => *at,
        Node::Bracket(bracket) => bracket.close,
        Node::Block(block) => block.close,
    }
}

/// The token that a node begins with.
pub(super) fn first_token(node: &Node) -> usize {
    match node {
        Node::Token(at) => *at,
        Node::Bracket(bracket) => bracket.open,
        Node::Block(block) => block.open,
    }
}

/// A token's width; `None` where a comment or a chain that the author broke begins a line with it.
fn token_width(token: &Token, inner: bool) -> Option<u32> {
    let broken = !token.before.is_empty() || inner && breaks_chain(token);
    (!broken).then_some(token.width)
}

/// True for a `|>` that begins a line.
pub(super) fn breaks_chain(token: &Token) -> bool {
    token.fresh && token.level == Some(super::tokens::PIPE)
}

struct Builder<'a> {
    text: &'a str,
    tokens: &'a mut [Token],
    at: usize,
}

impl Builder<'_> {
    fn word(&self) -> &str {
        self.tokens[self.at].text(self.text)
    }

    fn done(&self) -> bool {
        self.at + 1 >= self.tokens.len()
    }

    /// Statements up to the `}` that closes them, or the end.
    fn statements(&mut self) -> Vec<Statement> {
        let mut all = Vec::new();
        while !self.done() && self.word() != "}" {
            let first = self.at;
            let lead = std::mem::take(&mut self.tokens[first].before);
            let blank = std::mem::take(&mut self.tokens[first].blank);
            let nodes = self.nodes(|b, from| b.at > from && b.tokens[b.at].begins);
            let trail = self.tokens[self.at - 1].after.take();
            all.push(Statement { nodes, lead, trail, blank });
        }
        all
    }

    /// Nodes until the next one is a closing bracket, or `ends`.
    fn nodes(&mut self, ends: impl Fn(&Builder, usize) -> bool) -> Vec<Node> {
        let (mut nodes, from) = (Vec::new(), self.at);
        while !self.done() && !matches!(self.word(), ")" | "]" | "}") && !ends(self, from) {
            nodes.push(self.node());
        }
        nodes
    }

    fn node(&mut self) -> Node {
        match self.word() {
            "{" if self.tokens[self.at].opens => Node::Block(self.block()),
            "(" | "[" | "{" => Node::Bracket(self.bracket()),
            _ => {
                self.at += 1;
                Node::Token(self.at - 1)
            }
        }
    }

    fn bracket(&mut self) -> Bracket {
        let open = self.at;
        self.at += 1;
        let mut items: Vec<Vec<Node>> = Vec::new();
        let mut spread = false;
        while !self.done() && !matches!(self.word(), ")" | "]" | "}") {
            let mut item = self.nodes(|b, _| b.word() == ",");
            spread = !self.done() && self.word() == ",";
            if spread {
                item.push(Node::Token(self.at));
                self.at += 1;
            }
            items.push(item);
        }
        let close = self.at;
        self.at += 1;
        let edges = [open, close].map(|at| token_width(&self.tokens[at], true));
        let ends = items.iter().filter_map(|item| item.last()).map(last_token);
        let commented = ends.chain([open]).any(|at| self.tokens[at].after.is_some());
        let flat = match (edges, spread || commented) {
            ([Some(left), Some(right)], false) => {
                let inner = items.iter().map(|item| flat(self.tokens, item)).sum::<Option<u32>>();
                inner.map(|width| left + width + right + (items.len() as u32).saturating_sub(1))
            }
            _ => None,
        };
        Bracket { open, items, close, spread, flat }
    }

    fn block(&mut self) -> Block {
        let open = self.at;
        self.at += 1;
        let broken = !self.done() && self.tokens[self.at].fresh && self.word() != "}";
        let statements = self.statements();
        let close = self.at;
        self.at += 1;
        let tail = std::mem::take(&mut self.tokens[close].before);
        let whole = !broken && tail.is_empty() && self.tokens[open].after.is_none();
        let flat = match &statements[..] {
            [] if whole => Some(2),
            [one] if whole && one.trail.is_none() && one.lead.is_empty() => {
                flat(self.tokens, &one.nodes).map(|width| width + 4)
            }
            _ => None,
        };
        Block { open, statements, close, tail, flat }
    }
}
