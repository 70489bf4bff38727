//! One statement: on its line where it fits, else broken at its blocks, then at its loosest operators, then in its
//! brackets.
//!
//! Once something does not fit, nothing below depends on how wide the whole would have been: so the result, whose
//! blocks and chains are broken where this broke them, is laid out alike.

use super::WIDTH;
use super::tokens::PIPE;
use super::tree::{Bracket, Node, breaks_chain, flat};
use super::write::Writer;

/// How far behind the indentation a list may begin and still go on under its first item.
const HANGING: usize = 56;

/// Words of declarations that have lists of parameters.
const CALLABLE: [&str; 8] = ["model", "layer", "fn", "loss", "metric", "optimizer", "schedule", "primitive"];

impl Writer<'_> {
    /// Writes the nodes of a statement.
    pub(super) fn lay_out(&mut self, nodes: &[Node]) {
        let declares = nodes.first().is_some_and(|n| self.is_keyword(n) && CALLABLE.contains(&self.word(n)));
        if !(declares && matches!(nodes.get(2), Some(Node::Bracket(_)))) {
            return self.run(nodes, 0);
        }
        let (base, mut from) = (self.base, 0);
        for at in 1..=nodes.len() {
            let part = nodes.get(at).map_or("", |n| if self.is_keyword(n) { self.word(n) } else { "" });
            if at < nodes.len() && !matches!(part, "grad" | "where") {
                continue;
            }
            if from == 0 {
                self.declaration(&nodes[..at]);
            } else {
                let indent = if self.word(&nodes[from]) == "where" { base + 2 } else { base };
                self.line(indent);
                self.run(&nodes[from..at], 0);
            }
            from = at;
        }
    }

    /// A declaration without what has lines of its own.
    fn declaration(&mut self, nodes: &[Node]) {
        let whole = flat(&self.tokens, nodes);
        match nodes.split_last() {
            _ if self.fits(whole, 0) => self.flat(nodes),
            Some((Node::Block(block), head)) => {
                self.head(head, 2);
                if whole.is_none() && self.fits(block.flat, 1) {
                    self.flat(&nodes[nodes.len() - 1..]);
                } else {
                    self.block(block, self.base);
                }
            }
            _ => self.head(nodes, 0),
        }
    }

    /// `layer Name(statics)(inputs) -> type`: a line for each list, and for the type where it does not fit.
    fn head(&mut self, nodes: &[Node], trail: usize) {
        if self.fits(flat(&self.tokens, nodes), trail) {
            return self.flat(nodes);
        }
        let (base, mut first, mut at) = (self.base, None, 0);
        while let Some(node) = nodes.get(at).filter(|n| self.word(n) != "->") {
            at += 1;
            if let Node::Bracket(bracket) = node {
                match first {
                    None => first = Some(self.column + self.gap_before(node)),
                    Some(column) => self.line(column),
                }
                self.bracket(bracket, if at == nodes.len() { trail } else { 0 });
            } else {
                self.run(std::slice::from_ref(node), 0);
            }
        }
        if !self.ended && !self.fits(flat(&self.tokens, &nodes[at..]), trail + 1) {
            self.line(base + 2);
        }
        self.run(&nodes[at..], trail);
    }

    /// True when something of this width, and `trail` after it, fits on the line.
    fn fits(&self, width: Option<u32>, trail: usize) -> bool {
        !self.ended && width.is_some_and(|width| self.column + width as usize + trail <= WIDTH)
    }

    /// Writes nodes; `trail` characters follow them on the line.
    fn run(&mut self, nodes: &[Node], trail: usize) {
        let Some(first) = nodes.first() else { return };
        if self.fits(flat(&self.tokens, nodes), self.gap_before(first) + trail) {
            return self.flat(nodes);
        }
        if let Some(at) = nodes[..nodes.len() - 1].iter().position(|n| matches!(self.word(n), "=" | "<-" | ":")) {
            return self.assigned(&nodes[..=at], &nodes[at + 1..], trail);
        }
        if nodes[..nodes.len() - 1].iter().any(|n| self.word(n) == ",") {
            return self.list(nodes, trail);
        }
        if nodes.iter().any(|n| matches!(n, Node::Block(_))) {
            return self.blocks(nodes, trail);
        }
        if let Some(at) = nodes.iter().skip(1).position(|n| self.is_keyword(n) && self.word(n) == "for") {
            self.run(&nodes[..=at], 0);
            self.line(self.indent + 2);
            return self.run(&nodes[at + 1..], trail);
        }
        match nodes.iter().skip(1).filter_map(|n| self.level(n)).chain(self.level(first)).min() {
            Some(PIPE) => self.chain(nodes, trail),
            Some(level) if self.level(first).is_none() => self.sum(nodes, level, trail),
            _ => self.plain(nodes, trail),
        }
    }

    fn level(&self, node: &Node) -> Option<u8> {
        match node {
            Node::Token(at) => self.tokens[*at].level,
            _ => None,
        }
    }

    /// `name = value`: what is wrong with the line is mended in the value; a text alone goes to the next line.
    fn assigned(&mut self, name: &[Node], value: &[Node], trail: usize) {
        self.plain(name, 0);
        let text = matches!(value, [text] if self.word(text).starts_with('"'));
        if text && !self.ended && !self.fits(flat(&self.tokens, value), trail + 1) {
            self.line(self.base + 2);
        }
        self.run(value, trail);
    }

    /// `report a, b`
    fn list(&mut self, nodes: &[Node], trail: usize) {
        let margin = self.margin;
        let mut rest = nodes;
        if self.is_keyword(&nodes[0]) {
            self.run(&nodes[..1], 0);
            rest = &nodes[1..];
        }
        self.margin = if self.fresh { self.column } else { self.column + 1 };
        let mut items: Vec<&[Node]> = Vec::new();
        let mut from = 0;
        for at in 0..rest.len() {
            if self.word(&rest[at]) == "," || at + 1 == rest.len() {
                items.push(&rest[from..=at]);
                from = at + 1;
            }
        }
        self.fill(&items, trail);
        self.margin = margin;
    }

    /// Values one after another, each on this line where it fits, else on the next, at the margin.
    fn fill(&mut self, items: &[&[Node]], trail: usize) {
        let indent = self.margin;
        for (i, item) in items.iter().enumerate() {
            let trail = if i + 1 == items.len() { trail } else { 0 };
            if i > 0 && !self.ended {
                let width = flat(&self.tokens, item);
                let below = width.is_some_and(|width| indent + width as usize + trail <= WIDTH);
                if !self.fits(width, trail + 1) && (below || !self.begins_here(item)) {
                    self.line(indent);
                }
            }
            self.run(item, trail);
        }
    }

    /// True when what can stand before the first break of these nodes fits on the line.
    fn begins_here(&self, nodes: &[Node]) -> bool {
        self.fits(Some(self.least(nodes)), 1)
    }

    /// The width up to the first place where the line may end.
    fn least(&self, nodes: &[Node]) -> u32 {
        let mut width = 0;
        for (i, node) in nodes.iter().enumerate() {
            match node {
                Node::Token(at) => {
                    let token = &self.tokens[*at];
                    if i > 0 && (!token.before.is_empty() || breaks_chain(token)) {
                        return width;
                    }
                    width += token.width + if i > 0 { u32::from(token.space) + token.pad } else { 0 };
                    if token.after.is_some() {
                        return width;
                    }
                }
                Node::Bracket(bracket) if bracket.items.is_empty() => width += 2,
                Node::Bracket(bracket) if bracket.spread => return width + 1,
                Node::Bracket(bracket) => return width + 1 + self.least(&bracket.items[0]),
                Node::Block(_) => return width + 2,
            }
        }
        width
    }

    /// `if c { … } else { … }`: a block that the author put on one line stays there where it fits, unless it is what
    /// makes the line too long.
    fn blocks(&mut self, nodes: &[Node], trail: usize) {
        let may_stay = flat(&self.tokens, nodes).is_none();
        let mut from = 0;
        for (at, node) in nodes.iter().enumerate() {
            let Node::Block(block) = node else { continue };
            self.run(&nodes[from..at], 2);
            let after = if at + 1 == nodes.len() { trail } else { 0 };
            if may_stay && self.fits(block.flat, after + 1) {
                self.flat(&nodes[at..=at]);
            } else {
                self.block(block, self.indent);
            }
            from = at + 1;
        }
        self.run(&nodes[from..], trail);
    }

    /// `a |> f |> g`: the stages that begin a line stand under the first `|>`, or further in than what they begin with
    /// where that stands alone.
    fn chain(&mut self, nodes: &[Node], trail: usize) {
        let margin = self.margin;
        let start = self.column + self.gap_before(&nodes[0]);
        let under = if self.fresh { start + 2 } else { start };
        let pipes: Vec<usize> = (0..nodes.len()).filter(|i| self.level(&nodes[*i]) == Some(PIPE)).collect();
        self.run(&nodes[..pipes[0]], 0);
        let mut indent = None;
        for (i, &at) in pipes.iter().enumerate() {
            let until = pipes.get(i + 1).copied().unwrap_or(nodes.len());
            let trail = if i + 1 == pipes.len() { trail } else { 0 };
            let stage = &nodes[at..until];
            let Node::Token(pipe) = nodes[at] else { continue };
            let token = &self.tokens[pipe];
            let commented = !token.before.is_empty();
            let asked = breaks_chain(token) || self.ended || commented;
            let here = match flat(&self.tokens, stage) {
                Some(width) => self.fits(Some(width), trail + 1),
                None => self.begins_here(stage),
            };
            if (asked || !here) && (i > 0 || at > 0) {
                let column = *indent.get_or_insert(under);
                self.margin = column;
                if !commented {
                    self.line(column);
                }
            } else {
                let column = *indent.get_or_insert(self.column + self.gap(pipe));
                self.margin = column;
            }
            self.token(pipe);
            self.run(&stage[1..], trail);
        }
        self.margin = margin;
    }

    /// `a + b - c`: broken before operators of this level.
    fn sum(&mut self, nodes: &[Node], level: u8, trail: usize) {
        let margin = self.margin;
        let start = self.column + self.gap_before(&nodes[0]);
        self.margin = if self.fresh { start + 2 } else { start };
        let indent = self.margin;
        let places: Vec<usize> = (0..nodes.len()).filter(|i| self.level(&nodes[*i]) == Some(level)).collect();
        let first = places[0];
        self.run(&nodes[..first], 0);
        for (i, &at) in places.iter().enumerate() {
            let until = places.get(i + 1).copied().unwrap_or(nodes.len());
            let trail = if i + 1 == places.len() { trail } else { 0 };
            let part = &nodes[at..until];
            let here = match flat(&self.tokens, part) {
                Some(width) => self.fits(Some(width), trail + 1),
                None => self.begins_here(part),
            };
            if !here && !self.ended {
                self.line(indent);
            }
            self.run(&part[..1], 0);
            self.run(&part[1..], trail);
        }
        self.margin = margin;
    }

    /// Words and brackets one after another.
    fn plain(&mut self, nodes: &[Node], trail: usize) {
        for (at, node) in nodes.iter().enumerate() {
            match node {
                Node::Token(token) => self.token(*token),
                Node::Bracket(bracket) => {
                    let rest = &nodes[at + 1..];
                    let words = rest.iter().take_while(|n| matches!(n, Node::Token(_))).count();
                    let after = flat(&self.tokens, &rest[..words]).unwrap_or(0) as usize;
                    self.bracket(bracket, after + if words == rest.len() { trail } else { 1 });
                }
                Node::Block(block) => self.block(block, self.indent),
            }
        }
    }

    fn bracket(&mut self, bracket: &Bracket, trail: usize) {
        let gap = self.gap(bracket.open);
        if let Some(width) = bracket.flat
            && self.fits(Some(width), gap + trail)
        {
            self.token(bracket.open);
            bracket.items.iter().for_each(|item| self.flat(item));
            return self.token(bracket.close);
        }
        let (margin, indent) = (self.margin, self.indent);
        let inside = self.column + gap + 1;
        self.token(bracket.open);
        let far = inside > indent + HANGING;
        if bracket.spread || far {
            self.margin = indent + 2;
            if !self.ended {
                self.line(indent + 2);
            }
            if bracket.spread {
                for (i, item) in bracket.items.iter().enumerate() {
                    if i > 0 {
                        self.line(indent + 2);
                    }
                    self.run(item, 0);
                }
            } else {
                let items: Vec<&[Node]> = bracket.items.iter().map(Vec::as_slice).collect();
                self.fill(&items, 0);
            }
            self.close(bracket.close, indent);
        } else {
            self.margin = inside;
            let items: Vec<&[Node]> = bracket.items.iter().map(Vec::as_slice).collect();
            self.fill(&items, trail + 1);
            self.token(bracket.close);
        }
        self.margin = margin;
    }

    /// A closing bracket on a line of its own; the comments before it belong to what it closes.
    fn close(&mut self, close: usize, indent: usize) {
        if !self.tokens[close].before.is_empty() {
            self.line(indent + 2);
            self.above(close, indent + 2);
        }
        self.line(indent);
        self.token(close);
    }
}
