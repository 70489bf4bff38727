//! Declarations.

use pest::iterators::Pairs;
use tfm_grammar::Rule;

use super::ast::{Callable, CallableKind, Column, Expr, Item, ItemKind, Name};
use super::build::{Builder, Built, Node, first, next, optional};
use super::chunk::{Chunk, Cut};
use super::scan::{self, ITEM_WORDS};
use super::statements::Place;
use super::words;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// True when the chunk begins with a declaration's word, or with a slip of one and a name after it.
fn declares(chunk: &Chunk) -> bool {
    let word = words::first(&chunk.text);
    ITEM_WORDS.contains(&word) || words::near_item(word).is_some() && words::second(&chunk.text).is_some()
}

impl Builder {
    /// The declarations of a file, handed over one after another.
    pub(super) fn items(&mut self, cut: Cut, take: &mut dyn FnMut(Item)) {
        let mut strays = cut.stray.into_iter().peekable();
        let mut chunks = cut.chunks.into_iter().peekable();
        // The last declaration's end, and whether something is wrong with it: then what trails behind it
        // is a consequence.
        let (mut closed, mut wrong) = (None, false);
        loop {
            let rest: Vec<Chunk> = std::iter::from_fn(|| chunks.next_if(|c| !declares(c))).collect();
            let until = chunks.peek().map_or(u32::MAX, |chunk| chunk.start);
            let stray: Vec<u32> = std::iter::from_fn(|| strays.next_if(|at| *at < until)).collect();
            if !wrong {
                self.between(&rest, &stray, closed);
            }
            rest.iter().for_each(|chunk| take(self.error_item(chunk)));
            let Some(chunk) = chunks.next() else { return };
            let brace = u32::from(chunk.text.ends_with('}'));
            let item = self.declaration(chunk);
            wrong = matches!(item.kind, ItemKind::Error(_));
            closed = Some(Span { start: item.span.end - brace, ..item.span });
            take(item);
        }
    }

    fn error_item(&self, chunk: &Chunk) -> Item {
        let span = Span { file: self.file, start: chunk.start, end: chunk.end };
        Item { doc: Vec::new(), span, kind: ItemKind::Error(words::bound(&chunk.text, &chunk.map, self.file)) }
    }

    pub(super) fn declaration(&mut self, mut chunk: Chunk) -> Item {
        let word = words::first(&chunk.text).to_string();
        let place = match word.as_str() {
            "train" => Place::Train,
            "test" => Place::Test,
            _ => Place::Body,
        };
        let made = if word == "data" {
            self.data(&mut chunk)
        } else if ITEM_WORDS.contains(&word.as_str()) {
            self.chunk(&mut chunk, Rule::item_only, place, 0, |builder, node, _| builder.item(node))
        } else {
            // A word that is nearly one: said once, its body looked through all the same.
            self.diagnostics.push(self.no_declaration(&chunk));
            for braces in std::mem::take(&mut chunk.blocks) {
                self.statements(braces.chunks, Place::Body, 1);
            }
            None
        };
        let doc = std::mem::take(&mut chunk.docs);
        match made {
            Some(kind) => Item { doc, span: Span { file: self.file, start: chunk.start, end: chunk.end }, kind },
            None => Item { doc, ..self.error_item(&chunk) },
        }
    }

    /// Text between declarations that is none: one error, at the `}` too many that let it out of the
    /// declaration before, else at its first word.
    fn between(&mut self, rest: &[Chunk], stray: &[u32], closed: Option<Span>) {
        if let Some(&at) = stray.first()
            && (closed.is_some() || rest.is_empty())
        {
            let place = Span { file: self.file, start: at, end: at + 1 };
            let mut error = Diagnostic::error("E0103", place, "this `}` closes nothing").says("no `{` is open here");
            if let Some(closed) = closed {
                error = error.label(closed, "the declaration above ends here");
            }
            self.diagnostics.push(error.help("take one `}` away, or write the `{` that it should close"));
        } else if let Some(chunk) = rest.first()
            && !chunk.broken
        {
            self.diagnostics.push(self.no_declaration(chunk));
        }
    }

    fn no_declaration(&self, chunk: &Chunk) -> Diagnostic {
        let length = scan::token_end(&chunk.text, 0);
        let place = Span { file: self.file, start: chunk.map.start(0), end: chunk.map.end(length) };
        let word = &chunk.text[..length];
        if let Some(meant) = words::near_item(word) {
            return Diagnostic::error("E0114", place, format!("`{word}` does not begin a declaration"))
                .says("not a word of the language")
                .help(format!("write `{meant}`"))
                .fix(format!("write `{meant}`"), place, meant);
        }
        let error = Diagnostic::error("E0114", place, "a declaration was expected here");
        match word {
            "let" => error.says("`let` stands inside a body").help("write `const name = value` for a static value"),
            "param" | "state" => error.says(format!("`{word}` stands inside a layer")),
            _ => error.says(format!("`{word}` begins none")).help(
                "a file is made of `import`, `dim`, `const`, `require`, `data`, `model`, `layer`, `fn`, `loss`, \
                 `metric`, `optimizer`, `schedule`, `train` and `test`",
            ),
        }
    }

    fn item(&mut self, node: Node<'_>) -> Built<ItemKind> {
        let node = first(node);
        let rule = node.as_rule();
        let start = self.span(&node).start;
        let mut inner = node.into_inner();
        Ok(match rule {
            Rule::import => self.import(inner),
            Rule::dim => ItemKind::Dim(self.name(&next(&mut inner)), self.expr(next(&mut inner), 0)?),
            Rule::constant => ItemKind::Const(self.name(&next(&mut inner)), self.expr(next(&mut inner), 0)?),
            Rule::require => {
                let condition = self.expr(next(&mut inner), 0)?;
                ItemKind::Require(condition, inner.next().map(|text| self.string(&text)).transpose()?)
            }
            Rule::train => {
                let name = self.name(&next(&mut inner));
                let data = self.expr(next(&mut inner), 0)?;
                ItemKind::Train { name, data, body: self.block(next(&mut inner), 0) }
            }
            Rule::test => {
                let title = self.string(&next(&mut inner))?;
                ItemKind::Test(title, self.block(next(&mut inner), 0))
            }
            _ => ItemKind::Callable(self.callable(rule, start, inner)?),
        })
    }

    fn import(&mut self, mut inner: Pairs<'_, Rule>) -> ItemKind {
        let mut path = self.names(next(&mut inner));
        let names = match inner.next() {
            Some(names) => self.names(names),
            // `import helpers` brings in the module itself.
            None if path.len() < 2 => Vec::new(),
            None => path.pop().into_iter().collect(),
        };
        ItemKind::Import { path, names }
    }

    fn callable(&mut self, rule: Rule, start: u32, mut inner: Pairs<'_, Rule>) -> Built<Callable> {
        let kind = match rule {
            Rule::model => CallableKind::Model,
            Rule::layer => CallableKind::Layer,
            Rule::function => CallableKind::Function,
            Rule::optimizer => CallableKind::Optimizer,
            Rule::schedule => CallableKind::Schedule,
            Rule::primitive => CallableKind::Primitive,
            _ if next(&mut inner).as_str() == "loss" => CallableKind::Loss,
            _ => CallableKind::Metric,
        };
        let name = self.name(&next(&mut inner));
        let mut lists = Vec::new();
        let mut head = Span { start, ..name.span };
        while let Some(params) = optional(&mut inner, Rule::params) {
            head = head.to(self.span(&params));
            lists.push(self.params(params, 0)?);
        }
        let inputs = lists.pop().unwrap_or_default();
        let mut made = Callable {
            kind,
            name,
            statics: lists.pop(),
            inputs,
            result: None,
            body: None,
            grad: None,
            condition: None,
            head,
        };
        for part in inner {
            match part.as_rule() {
                Rule::result => {
                    made.head = made.head.to(self.span(&part));
                    made.result = Some(self.result(part, 0)?);
                }
                Rule::block => made.body = Some(self.block(part, 0)),
                Rule::condition => made.condition = Some(self.expr(first(part), 0)?),
                _ => made.grad = Some(self.block(first(part), 0)),
            }
        }
        Ok(made)
    }

    /// `data name = source { columns } |> operator`. Its block is a schema: a column each line.
    fn data(&mut self, chunk: &mut Chunk) -> Option<ItemKind> {
        let schema = std::mem::take(&mut chunk.blocks);
        let made = self.chunk(chunk, Rule::item_only, Place::Body, 0, |builder, node, _| {
            let mut inner = first(node).into_inner();
            let name = builder.name(&next(&mut inner));
            let source = builder.postfix(next(&mut inner), 0)?;
            let mut operators: Vec<Expr> = Vec::new();
            for part in inner.filter(|part| part.as_rule() == Rule::postfix) {
                operators.push(builder.stage(part, 0)?);
            }
            Ok(ItemKind::Data { name, source, columns: Vec::new(), operators })
        });
        if chunk.silent {
            return None;
        }
        let rows: Vec<Chunk> = schema.into_iter().flat_map(|braces| braces.chunks).collect();
        let all = rows.len();
        let columns: Vec<Column> = rows.into_iter().filter_map(|mut row| self.column(&mut row)).collect();
        match made {
            // With a column missing nothing can be said about the fields.
            Some(ItemKind::Data { name, source, operators, .. }) if columns.len() == all => {
                Some(ItemKind::Data { name, source, columns, operators })
            }
            _ => None,
        }
    }

    fn column(&mut self, chunk: &mut Chunk) -> Option<Column> {
        self.chunk(chunk, Rule::column_only, Place::Body, 0, |builder, node, _| {
            let mut inner = node.into_inner();
            let name = next(&mut inner);
            let name = match name.as_rule() {
                Rule::string => {
                    let text = builder.string(&name)?;
                    Name { text: text.text.into(), span: text.span }
                }
                _ => builder.name(&name),
            };
            Ok(Column { name, value: builder.expr(next(&mut inner), 0)? })
        })
    }
}
