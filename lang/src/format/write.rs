//! Writes the tree: statements on lines of their own, comments, blank lines. How one statement is laid out is in
//! `layout`.

use super::align;
use super::tokens::{Comment, Token};
use super::tree::{Block, File, Node, Statement, first_token};

/// What has been written, and where the pen is.
pub(super) struct Writer<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: Vec<Token>,
    out: String,
    /// Characters of the line at hand.
    pub(super) column: usize,
    /// Blanks before it.
    pub(super) indent: usize,
    /// True until something is written on it.
    pub(super) fresh: bool,
    /// True when a comment ends it: what follows stands on the next.
    pub(super) ended: bool,
    /// Where the statement at hand begins.
    pub(super) base: usize,
    /// Where a line begins that only a comment forces.
    pub(super) margin: usize,
    /// Where comments at the ends of lines begin in what was written.
    comments: Vec<usize>,
}

/// Writes a file.
pub(super) fn write(text: &str, tokens: Vec<Token>, file: &File) -> String {
    let mut writer = Writer {
        text,
        tokens,
        out: String::with_capacity(text.len() + text.len() / 8),
        column: 0,
        indent: 0,
        fresh: true,
        ended: false,
        base: 0,
        margin: 0,
        comments: Vec::new(),
    };
    writer.statements(&file.statements, 0);
    writer.tail(&file.tail, 0, file.statements.is_empty());
    if !writer.out.is_empty() {
        writer.out.push('\n');
    }
    align::comments(writer.out, &writer.comments)
}

impl Writer<'_> {
    /// Begins a line.
    pub(super) fn line(&mut self, indent: usize) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        (self.column, self.indent, self.fresh, self.ended) = (indent, indent, true, false);
    }

    fn put(&mut self, words: &str, width: usize) {
        if std::mem::take(&mut self.fresh) {
            self.out.extend(std::iter::repeat_n(' ', self.indent));
        }
        self.out.push_str(words);
        self.column += width;
    }

    /// A comment on a line of its own, which has begun.
    fn whole_line(&mut self, comment: Comment) {
        let words = &self.text[comment.start as usize..comment.end as usize];
        self.put(words, words.chars().count());
        self.ended = true;
    }

    /// A comment at the end of the line.
    fn line_end(&mut self, comment: Comment) {
        self.put(" ", 1);
        self.comments.push(self.out.len());
        self.whole_line(comment);
    }

    /// Blanks before a token that would follow on this line.
    pub(super) fn gap(&self, token: usize) -> usize {
        let token = &self.tokens[token];
        if self.fresh || self.ended { 0 } else { (u32::from(token.space) + token.pad) as usize }
    }

    /// Writes a token and the comments at it.
    pub(super) fn token(&mut self, at: usize) {
        let (text, margin) = (self.text, self.margin);
        self.above(at, margin);
        if self.ended {
            self.line(margin);
        }
        for _ in 0..self.gap(at) {
            self.put(" ", 1);
        }
        let token = &self.tokens[at];
        let (width, after) = (token.width as usize, token.after);
        let words = token.text(text);
        self.put(words, width);
        if let Some(comment) = after {
            self.line_end(comment);
        }
    }

    /// Writes the comments above a token.
    pub(super) fn above(&mut self, at: usize, margin: usize) {
        for comment in std::mem::take(&mut self.tokens[at].before) {
            if !self.fresh {
                self.line(margin);
            }
            self.whole_line(comment);
        }
    }

    /// Writes nodes on one line.
    pub(super) fn flat(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Token(at) => self.token(*at),
                Node::Bracket(bracket) => {
                    self.token(bracket.open);
                    bracket.items.iter().for_each(|item| self.flat(item));
                    self.token(bracket.close);
                }
                Node::Block(block) => {
                    self.token(block.open);
                    block.statements.iter().for_each(|s| self.flat(&s.nodes));
                    self.token(block.close);
                }
            }
        }
    }

    /// Writes a block with a line for each statement; `indent` is that of its `}`.
    pub(super) fn block(&mut self, block: &Block, indent: usize) {
        let (base, margin) = (self.base, self.margin);
        self.token(block.open);
        if block.statements.is_empty() && block.tail.is_empty() && !self.ended {
            return self.token(block.close);
        }
        self.statements(&block.statements, indent + 2);
        self.tail(&block.tail, indent + 2, block.statements.is_empty());
        self.line(indent);
        (self.base, self.margin) = (base, margin);
        self.token(block.close);
    }

    /// Comments that nothing follows; no blank line before them where they are all there is.
    fn tail(&mut self, comments: &[Comment], indent: usize, alone: bool) {
        for (i, comment) in comments.iter().enumerate() {
            if comment.blank && !(alone && i == 0) {
                self.out.push('\n');
            }
            self.line(indent);
            self.whole_line(*comment);
        }
    }

    fn statements(&mut self, statements: &[Statement], indent: usize) {
        align::align(self.text, &mut self.tokens, statements, indent);
        let mut long = false;
        for (i, statement) in statements.iter().enumerate() {
            let at = self.out.len();
            let comments = self.comments.len();
            let (blank, begins) = self.statement(statement, indent, i == 0);
            // Declarations of more than a line, or with a doc comment, stand apart.
            let spread = self.out[begins..].trim_start_matches('\n').contains('\n');
            let constant = statement.nodes.first().is_some_and(|n| matches!(self.word(n), "dim" | "const"));
            let doc = !constant && statement.lead.iter().any(|c| self.text[c.start as usize..].starts_with("///"));
            if indent == 0 && i > 0 && (long || spread || doc) && !blank {
                self.out.insert(at, '\n');
                self.comments[comments..].iter_mut().for_each(|place| *place += 1);
            }
            long = spread;
        }
    }

    /// Writes a statement with the comments around it. Says whether a blank line stands above all that, and where in
    /// what was written the statement itself begins.
    fn statement(&mut self, statement: &Statement, indent: usize, first: bool) -> (bool, usize) {
        let mut above = false;
        for (i, comment) in statement.lead.iter().enumerate() {
            if comment.blank && !(first && i == 0) {
                self.out.push('\n');
                above |= i == 0;
            }
            self.line(indent);
            self.whole_line(*comment);
        }
        // A doc comment belongs to what is below it.
        let doc = statement.lead.last().is_some_and(|c| self.text[c.start as usize..].starts_with("///"));
        if statement.blank && !doc && !(first && statement.lead.is_empty()) {
            self.out.push('\n');
            above |= statement.lead.is_empty();
        }
        let begins = self.out.len();
        self.line(indent);
        (self.base, self.margin) = (indent, indent + 2);
        self.lay_out(&statement.nodes);
        if let Some(comment) = statement.trail {
            self.line_end(comment);
        }
        (above, begins)
    }

    /// The text of a node that is a token; empty for others.
    pub(super) fn word(&self, node: &Node) -> &str {
        match node {
            Node::Token(at) => self.tokens[*at].text(self.text),
            _ => "",
        }
    }

    /// True for a word or sign that a value follows.
    pub(super) fn is_keyword(&self, node: &Node) -> bool {
        matches!(node, Node::Token(at) if self.tokens[*at].keyword)
    }

    /// Blanks before a node that would follow on this line.
    pub(super) fn gap_before(&self, node: &Node) -> usize {
        self.gap(first_token(node))
    }
}
