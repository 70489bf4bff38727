//! The places of a file where its learning rate and its batch stand.

use std::collections::BTreeMap;
use std::ops::Range;
use tfm_lang::source::{FileId, Sources, Span};
use tfm_lang::syntax::ast::{Arg, CallableKind, Expr, ExprKind, File, Item, ItemKind, StmtKind, TypeKind};
use tfm_lang::syntax::parse;

/// A parsed file, with what it and the library declare.
pub struct Text {
    text: String,
    file: File,
    /// For an optimizer or a schedule by name, the names of its parameters and which is the rate.
    rates: BTreeMap<String, (Vec<String>, usize)>,
}

/// Where an optimizer stands, and its rate.
#[derive(Clone, Debug)]
pub struct Rate {
    /// The optimizer as it is written.
    pub optimizer: String,
    /// What is put in place of what: an empty range where nothing stands yet.
    place: Range<usize>,
    /// What comes before and after the rate where nothing stands yet.
    around: (&'static str, &'static str),
    /// The expression of the rate, where there is one.
    value: Option<Expr>,
}

impl Text {
    /// Parses a file that was checked.
    pub fn of(text: &str) -> Text {
        let mut sources = Sources::default();
        let id = sources.add("file", text, false);
        let (file, _) = parse(&sources, id);
        let mut rates = BTreeMap::new();
        for (name, library) in tfm_stdlib::FILES {
            if name.starts_with("optim/") || name.starts_with("schedules/") {
                let id = sources.add(*name, *library, true);
                note_rates(&parse(&sources, id).0.items, &mut rates);
            }
        }
        note_rates(&file.items, &mut rates);
        Text { text: text.into(), file, rates }
    }

    /// The optimizers of a block, each with its rate: that of `optimizer:`, or of each `minimize … with`.
    pub fn rates_of(&self, train: &str) -> Vec<Rate> {
        let mut found = Vec::new();
        for statement in self.block(train) {
            let expr = match &statement.kind {
                StmtKind::Setting(name, value) if name.text == "optimizer" => value,
                StmtKind::Minimize { with: Some(with), .. } => with,
                _ => continue,
            };
            found.extend(self.rate_in(expr));
        }
        found
    }

    fn block(&self, train: &str) -> &[tfm_lang::syntax::ast::Stmt] {
        let found = self.file.items.iter().find_map(|item| match &item.kind {
            ItemKind::Train { name, body, .. } if name.text == train => Some(body.statements.as_slice()),
            _ => None,
        });
        found.unwrap_or_default()
    }

    /// The rate of the first optimizer in an expression that has one, `Adam(1e-3) |> clip_norm(1.0)`.
    fn rate_in(&self, expr: &Expr) -> Option<Rate> {
        match &*expr.kind {
            ExprKind::Pipe(inner, outer) => self.rate_in(inner).or_else(|| self.rate_in(outer)),
            ExprKind::Call(callee, args) => {
                let Some((names, rate)) = self.rates.get(called(callee)?) else {
                    return args.iter().find_map(|a| self.rate_in(&a.value));
                };
                let optimizer = self.slice(expr.span).to_string();
                if let Some(value) = argument(args, names, *rate) {
                    let place = range(value.span);
                    return Some(Rate { optimizer, place, around: ("", ""), value: Some(value.clone()) });
                }
                let end = range(expr.span).end.saturating_sub(1);
                let before = if args.is_empty() { "lr: " } else { ", lr: " };
                Some(Rate { optimizer, place: end..end, around: (before, ""), value: None })
            }
            _ => None,
        }
    }

    /// The text with something else in place of a rate, whatever stands there.
    pub fn with_rate(&self, rate: &Rate, value: &str) -> String {
        self.with(rate.place.clone(), &format!("{}{value}{}", rate.around.0, rate.around.1))
    }

    /// The text with another number for a rate: the literal in it, in the schedule around it, or of the `const` that it
    /// names; `None` where there is no single number to change. The second value is what was there.
    pub fn with_rate_literal(&self, rate: &Rate, value: &str) -> Option<(String, String)> {
        let Some(expr) = &rate.value else { return Some((self.with_rate(rate, value), String::new())) };
        let place = self.literal(expr, 8)?;
        Some((self.with(place.clone(), value), self.text[place].to_string()))
    }

    /// The text with another batch, in the same way.
    pub fn with_batch(&self, train: &str, value: &str) -> Option<(String, String)> {
        let setting = self.block(train).iter().find_map(|s| match &s.kind {
            StmtKind::Setting(name, value) if name.text == "batch" => Some(value),
            _ => None,
        })?;
        let place = self.literal(setting, 8)?;
        Some((self.with(place.clone(), value), self.text[place].to_string()))
    }

    /// The number that an expression comes down to.
    fn literal(&self, expr: &Expr, depth: usize) -> Option<Range<usize>> {
        match &*expr.kind {
            ExprKind::Int(_) | ExprKind::Float(_) => Some(range(expr.span)),
            ExprKind::Name(name) if depth > 0 => {
                let value = self.file.items.iter().find_map(|item| match &item.kind {
                    ItemKind::Const(n, value) if n.text == *name => Some(value),
                    _ => None,
                })?;
                self.literal(value, depth - 1)
            }
            ExprKind::Call(callee, args) if depth > 0 => {
                let (names, rate) = self.rates.get(called(callee)?)?;
                self.literal(argument(args, names, *rate)?, depth - 1)
            }
            _ => None,
        }
    }

    fn with(&self, place: Range<usize>, text: &str) -> String {
        format!("{}{text}{}", &self.text[..place.start], &self.text[place.end..])
    }

    fn slice(&self, span: Span) -> &str {
        &self.text[range(span)]
    }
}

fn range(span: Span) -> Range<usize> {
    debug_assert_eq!(span.file, FileId::default());
    span.start as usize..span.end as usize
}

/// The last word of what is called: `Adam`, of `optim.Adam` too.
fn called(callee: &Expr) -> Option<&str> {
    match &*callee.kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Field(_, name) => Some(&name.text),
        _ => None,
    }
}

/// The argument for a parameter, by its name or its place.
fn argument<'a>(args: &'a [Arg], names: &[String], index: usize) -> Option<&'a Expr> {
    let named = args.iter().find(|a| a.name.as_ref().is_some_and(|n| n.text == names[index]));
    named.or_else(|| args.get(index).filter(|a| a.name.is_none())).map(|a| &a.value)
}

/// Notes which parameter of the optimizers and schedules is the rate: of an optimizer `lr`, or the first schedule; of a
/// schedule what it comes from or rises to.
fn note_rates(items: &[Item], rates: &mut BTreeMap<String, (Vec<String>, usize)>) {
    const HEIGHTS: [&str; 5] = ["top", "high", "from", "then", "lr"];
    for item in items {
        let ItemKind::Callable(c) = &item.kind else { continue };
        let params = c.statics.as_deref().unwrap_or_default();
        let named = |name: &str| params.iter().position(|p| p.name.text == name);
        let is_schedule = |p: &tfm_lang::syntax::ast::Param| matches!(p.ty.as_ref().map(|t| &t.kind), Some(TypeKind::Word(w)) if w == "schedule");
        let rate = match c.kind {
            CallableKind::Optimizer => named("lr").or_else(|| params.iter().position(is_schedule)),
            CallableKind::Schedule => HEIGHTS.into_iter().find_map(named),
            _ => None,
        };
        if let Some(rate) = rate {
            rates.insert(c.name.text.to_string(), (params.iter().map(|p| p.name.text.to_string()).collect(), rate));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(optimizer: &str) -> Text {
        Text::of(&format!(
            "const rate = 1e-3\ntrain net on digits.train {{\n  optimizer: {optimizer}\n  batch: 64 // sixty-four\n}}\n"
        ))
    }

    #[test]
    fn the_number_of_a_rate_is_found_where_it_stands() {
        for (given, wanted) in [
            ("Adam(lr: 1e-3)", "Adam(lr: 0.5)"),
            ("Adam(2e-4, beta1: 0.5)", "Adam(0.5, beta1: 0.5)"),
            ("Adam()", "Adam(lr: 0.5)"),
            ("AdamW(decay: 0.1)", "AdamW(decay: 0.1, lr: 0.5)"),
            ("Adam(lr: cosine(4e-3)) |> clip_norm(1.0)", "Adam(lr: cosine(0.5)) |> clip_norm(1.0)"),
            (
                "Sgd(lr: warmup(cosine(4e-3, to: 1e-5), over: 9 steps))",
                "Sgd(lr: warmup(cosine(0.5, to: 1e-5), over: 9 steps))",
            ),
            ("Adam(lr: cyclic(1e-5, 1e-2, rise: 9 steps))", "Adam(lr: cyclic(1e-5, 0.5, rise: 9 steps))"),
            ("Adam(lr: one_cycle(top: 1e-2))", "Adam(lr: one_cycle(top: 0.5))"),
        ] {
            let text = file(given);
            let rates = text.rates_of("net");
            assert_eq!(rates.len(), 1, "{given}");
            let (changed, _) = text.with_rate_literal(&rates[0], "0.5").unwrap_or_else(|| panic!("{given}"));
            assert_eq!(changed, text.text.replace(given, wanted), "{given}");
        }
        let text = file("Adam(lr: rate)");
        let (changed, old) = text.with_rate_literal(&text.rates_of("net")[0], "0.5").unwrap();
        assert_eq!((changed, old), (text.text.replace("1e-3", "0.5"), "1e-3".into()), "of a `const`");
        let text = file("Adam(lr: 2 * rate)");
        assert!(text.with_rate_literal(&text.rates_of("net")[0], "0.5").is_none());
        assert!(text.with_rate(&text.rates_of("net")[0], "x").contains("Adam(lr: x)"));
        assert_eq!(file("nothing").rates_of("net").len(), 0);
        assert_eq!(text.with_batch("net", "128").unwrap(), (text.text.replace("64", "128"), "64".into()));
    }

    #[test]
    fn an_optimizer_of_the_file_is_known_by_its_schedule() {
        let text = Text::of(
            "optimizer Mine(pull: float, pace: schedule = 1e-3)(p: float[..S], g: float[..S], step: float[]) { p <- p }\n\
             train net on digits.train {\n  minimize a over A with Mine(0.1, 3e-3)\n  minimize b over B with Adam()\n}\n",
        );
        let rates = text.rates_of("net");
        assert_eq!(rates.iter().map(|r| r.optimizer.as_str()).collect::<Vec<_>>(), ["Mine(0.1, 3e-3)", "Adam()"]);
        assert!(text.with_rate(&rates[0], "X").contains("Mine(0.1, X)"));
    }
}
