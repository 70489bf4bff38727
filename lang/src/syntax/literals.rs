//! Numbers, durations and the patterns in backticks.

use tfm_grammar::Rule;

use super::ast::{EinTerm, Einops, ExprKind, Unit};
use super::build::{Builder, Built, Node};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// A number as the grammar lets it through: an `Int` without `.` and exponent, else a `Float`.
pub(super) fn number(text: &str, span: Span) -> Built<ExprKind> {
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        let digits = text.replace('_', "");
        return digits.parse().map(ExprKind::Int).map_err(|_| {
            let error = Diagnostic::error("E0111", span, "this number does not fit")
                .says(format!("larger than {}", i64::MAX))
                .help("write it as a fraction, `1e20`, if it need not be exact");
            Box::new(error)
        });
    }
    let value = float(text);
    if value.is_finite() {
        return Ok(ExprKind::Float(value));
    }
    let error = Diagnostic::error("E0111", span, "this number does not fit")
        .says(format!("larger than {:e}, the largest f64", f64::MAX));
    Err(Box::new(error))
}

/// A number as a fraction; the grammar lets no other text through.
pub(super) fn float(text: &str) -> f64 {
    text.replace('_', "").parse().unwrap_or(f64::INFINITY)
}

/// The unit that a word of the grammar names, one or several.
pub(super) fn unit(word: &str) -> Unit {
    match word.as_bytes() {
        [b's', ..] => Unit::Steps,
        [b'e', b'p', ..] => Unit::Epochs,
        [b'e', ..] => Unit::Examples,
        [b'm', ..] => Unit::Minutes,
        _ => Unit::Hours,
    }
}

/// The bytes that a unit of memory stands for.
pub(super) fn bytes(word: &str) -> f64 {
    match word.as_bytes() {
        [b'K', ..] => 1e3,
        [b'M', ..] => 1e6,
        _ => 1e9,
    }
}

fn open_group(open: Span) -> Diagnostic {
    Diagnostic::error("E0112", open, "this `(` is never closed")
        .says("in this pattern")
        .help("write `)` after its last axis")
}

/// A pattern while it is read.
#[derive(Default)]
struct Reading {
    inputs: Vec<Vec<EinTerm>>,
    terms: Vec<EinTerm>,
    group: Option<(Span, Vec<EinTerm>)>,
    arrow: bool,
}

impl Builder {
    /// `` `b t (h d) -> b h t d` ``
    pub(super) fn einops(&mut self, node: Node<'_>) -> Built<Einops> {
        let span = self.span(&node);
        let mut reading = Reading::default();
        for token in node.into_inner().filter(|n| n.as_rule() == Rule::einop) {
            self.einop(&token, &mut reading)?;
        }
        if let Some((open, _)) = reading.group {
            return Err(Box::new(open_group(open)));
        }
        let output = if reading.arrow {
            Some(reading.terms)
        } else {
            reading.inputs.push(reading.terms);
            None
        };
        Ok(Einops { span, inputs: reading.inputs, output })
    }

    fn einop(&self, token: &Node<'_>, reading: &mut Reading) -> Built<()> {
        let span = self.span(token);
        if let (Some((open, _)), "->" | ",") = (&reading.group, token.as_str()) {
            return Err(Box::new(open_group(*open)));
        }
        let term = match token.as_str() {
            "(" if reading.group.is_some() => {
                return self.error("E0112", token, "groups of a pattern do not stand in each other");
            }
            "(" => {
                reading.group = Some((span, Vec::new()));
                return Ok(());
            }
            ")" => match reading.group.take() {
                Some((open, terms)) => EinTerm::Group(terms, open.to(span)),
                None => return self.error("E0112", token, "this `)` closes nothing in the pattern"),
            },
            "->" if reading.arrow => return self.error("E0112", token, "a pattern has one `->`"),
            "," if reading.arrow => return self.error("E0112", token, "a pattern has one output"),
            "->" | "," => {
                reading.arrow = token.as_str() == "->";
                reading.inputs.push(std::mem::take(&mut reading.terms));
                return Ok(());
            }
            ".." => EinTerm::Rest(span),
            text if text.starts_with(|c: char| c.is_ascii_digit()) => match text.parse() {
                Ok(size) => EinTerm::Size(size, span),
                Err(_) => return self.error("E0111", token, "this number does not fit"),
            },
            _ => EinTerm::Axis(self.name(token)),
        };
        match &mut reading.group {
            Some((_, terms)) => terms.push(term),
            None => reading.terms.push(term),
        }
        Ok(())
    }
}
