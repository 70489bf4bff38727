//! Statements and blocks, and which statement may stand where.

use tfm_grammar::Rule;

use super::ast::{Block, Expr, Pattern, Stmt, StmtKind, StopRule};
use super::build::{Builder, Built, Node, first, next, optional};
use super::chunk::{Braces, Chunk};
use super::words;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// Where a list of statements stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// In a function, layer, or anything else that is applied.
    Body,
    /// Directly in `train`.
    Train,
    /// In `every … { }` or `at end { }`.
    Periodic,
    /// Directly in `test`.
    Test,
}

/// A block that is just this value.
pub(super) fn block_of(value: Expr) -> Block {
    let span = value.span;
    Block { statements: vec![Stmt { span, kind: StmtKind::Expr(value) }], span }
}

impl Builder {
    /// The block that begins at this node.
    pub(super) fn block(&mut self, node: Node<'_>, depth: usize) -> Block {
        let place = self.place();
        self.block_in(node, place, depth)
    }

    /// The block that begins at this node, of another kind than what surrounds it.
    pub(super) fn block_in(&mut self, node: Node<'_>, place: Place, depth: usize) -> Block {
        let span = self.span(&node);
        let chunks = self.braces(&node).map_or(Vec::new(), |Braces { chunks, .. }| chunks);
        Block { statements: self.statements(chunks, place, depth + 1), span }
    }

    /// A list of statements.
    pub(super) fn statements(&mut self, chunks: Vec<Chunk>, place: Place, depth: usize) -> Vec<Stmt> {
        chunks.into_iter().map(|chunk| self.statement(chunk, place, depth)).collect()
    }

    fn statement(&mut self, mut chunk: Chunk, place: Place, depth: usize) -> Stmt {
        let span = Span { file: self.file, start: chunk.start, end: chunk.end };
        let inner = match words::first(&chunk.text) {
            "every" | "at" if place == Place::Train => Place::Periodic,
            _ => Place::Body,
        };
        let made = self.chunk(&mut chunk, Rule::stmt_only, inner, depth, |builder, node, depth| {
            let node = first(node);
            builder.stands_in(&node, place)?;
            builder.statement_kind(node, depth)
        });
        let bound = || StmtKind::Error(words::bound(&chunk.text, &chunk.map, self.file));
        Stmt { span, kind: made.unwrap_or_else(bound) }
    }

    /// Refuses commands outside the place they are for.
    fn stands_in(&self, node: &Node<'_>, place: Place) -> Built<()> {
        let (places, home): (&[Place], &str) = match node.as_rule() {
            Rule::setting => (&[Place::Train], "directly in `train … { }`"),
            Rule::minimize | Rule::every | Rule::at_end | Rule::stop | Rule::start | Rule::freeze => {
                (&[Place::Train], "directly in `train … { }`")
            }
            Rule::report => (&[Place::Train, Place::Periodic], "in `train … { }`"),
            Rule::evaluate | Rule::keep | Rule::best | Rule::save => {
                (&[Place::Periodic], "in `every … { }` or `at end { }`")
            }
            Rule::expect => (&[Place::Test], "in `test \"…\" { }`"),
            Rule::variable | Rule::assign | Rule::yield_ => (&[Place::Body], "in the body of what is applied"),
            _ => return Ok(()),
        };
        if places.contains(&place) {
            return Ok(());
        }
        let span = self.span(node);
        let word = words::first(node.as_str());
        let what = match node.as_rule() {
            Rule::setting => "a setting".to_string(),
            Rule::assign => "`<-`".to_string(),
            _ => format!("`{word}`"),
        };
        let place = Span { end: span.start + word.len() as u32, ..span };
        let mut error = Diagnostic::error("E0113", place, format!("{what} cannot stand here"))
            .says(format!("{what} stands {home}"));
        if node.as_rule() == Rule::setting {
            error = error.help(format!("write `let {word} = …` to name a value"));
        }
        Err(Box::new(error))
    }

    fn statement_kind(&mut self, node: Node<'_>, depth: usize) -> Built<StmtKind> {
        let rule = node.as_rule();
        if rule == Rule::expr {
            return Ok(StmtKind::Expr(self.expr(node, depth)?));
        }
        let mut inner = node.into_inner();
        Ok(match rule {
            Rule::let_ => {
                let bound = next(&mut inner);
                let pattern = if bound.as_rule() == Rule::names {
                    let span = self.span(&bound);
                    Pattern::Tuple(self.names(bound), span)
                } else {
                    let name = self.name(&bound);
                    let ty = optional(&mut inner, Rule::type_).map(|ty| self.type_expr(ty, depth)).transpose()?;
                    Pattern::Name(name, ty)
                };
                StmtKind::Let(pattern, self.expr(next(&mut inner), depth)?)
            }
            Rule::variable => {
                let trained = next(&mut inner).as_str() == "param";
                let name = self.name(&next(&mut inner));
                let ty = optional(&mut inner, Rule::type_).map(|ty| self.type_expr(ty, depth)).transpose()?;
                let init = inner.next().map(|init| self.expr(first(init), depth)).transpose()?;
                StmtKind::Variable { trained, name, ty, init }
            }
            Rule::require => {
                let condition = self.expr(next(&mut inner), depth)?;
                StmtKind::Require(condition, inner.next().map(|text| self.string(&text)).transpose()?)
            }
            Rule::assign => StmtKind::Assign(self.name(&next(&mut inner)), self.expr(next(&mut inner), depth)?),
            Rule::setting => StmtKind::Setting(self.name(&next(&mut inner)), self.expr(next(&mut inner), depth)?),
            Rule::yield_ => StmtKind::Yield(self.expr(next(&mut inner), depth)?),
            Rule::expect => {
                let value = self.expr(next(&mut inner), depth)?;
                StmtKind::Expect(value, inner.next().map(|block| self.block_in(block, Place::Body, depth)))
            }
            _ => self.command(rule, inner, depth)?,
        })
    }

    /// What stands in `train`.
    fn command(&mut self, rule: Rule, mut inner: pest::iterators::Pairs<'_, Rule>, depth: usize) -> Built<StmtKind> {
        Ok(match rule {
            Rule::minimize => {
                let loss = self.expr(next(&mut inner), depth)?;
                let over = optional(&mut inner, Rule::over).map(|over| self.exprs(first(over), depth)).transpose()?;
                let with = inner.next().map(|with| self.expr(first(with), depth)).transpose()?;
                StmtKind::Minimize { loss, over: over.unwrap_or_default(), with }
            }
            Rule::report => StmtKind::Report(self.exprs(next(&mut inner), depth)?),
            Rule::freeze => StmtKind::Freeze(self.exprs(next(&mut inner), depth)?),
            Rule::every => {
                let period = self.expr(next(&mut inner), depth)?;
                StmtKind::Every(period, self.block_in(next(&mut inner), Place::Periodic, depth))
            }
            Rule::at_end => StmtKind::AtEnd(self.block_in(next(&mut inner), Place::Periodic, depth)),
            Rule::stop => {
                let highest = optional(&mut inner, Rule::extreme).map(|word| word.as_str() == "highest");
                let metric = self.names(next(&mut inner));
                let rule = next(&mut inner);
                let is_stall = rule.as_rule() == Rule::stalls;
                let mut parts = rule.into_inner();
                let rule = if is_stall {
                    let patience = self.expr(next(&mut parts), depth)?;
                    let by = parts.next().map(|by| self.expr(by, depth)).transpose()?;
                    StopRule::Stalls { patience, by }
                } else {
                    let above = next(&mut parts).as_str() == "above";
                    StopRule::Passes { above, bound: self.expr(next(&mut parts), depth)? }
                };
                StmtKind::Stop { highest, metric, rule }
            }
            Rule::start => {
                let target = optional(&mut inner, Rule::path).map(|path| self.names(path)).unwrap_or_default();
                let file = self.string(&next(&mut inner))?;
                let at = inner.next().map(|place| self.names(first(place))).unwrap_or_default();
                StmtKind::Start { target, file, at }
            }
            Rule::evaluate => StmtKind::Evaluate(self.expr(next(&mut inner), depth)?),
            Rule::keep => StmtKind::CheckpointKeep(self.expr(next(&mut inner), depth)?),
            Rule::best => {
                let highest = next(&mut inner).as_str() == "highest";
                StmtKind::CheckpointBest(highest, self.names(next(&mut inner)))
            }
            _ => StmtKind::Save(self.expr(next(&mut inner), depth)?),
        })
    }

    fn exprs(&mut self, node: Node<'_>, depth: usize) -> Built<Vec<Expr>> {
        node.into_inner().map(|value| self.expr(value, depth)).collect()
    }
}
