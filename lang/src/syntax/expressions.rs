//! Expressions: precedence is put on the flat lists of operands and operators that the grammar gives.

use tfm_grammar::Rule;

use super::ast::{Arg, BinaryOp, Each, Expr, ExprKind, IndexItem, UnaryOp};
use super::build::{Builder, Built, Node, first, next, optional};
use super::literals;
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// How tightly operators bind, from the loosest.
mod level {
    pub(super) const OR: u8 = 1;
    pub(super) const AND: u8 = 2;
    pub(super) const NOT: u8 = 3;
    pub(super) const COMPARE: u8 = 4;
    pub(super) const ADD: u8 = 5;
    pub(super) const MULTIPLY: u8 = 6;
    pub(super) const NEGATE: u8 = 7;
    pub(super) const POWER: u8 = 8;
}

/// The operands and operators of one flat list, not yet a tree.
struct Flat<'i> {
    nodes: std::iter::Peekable<pest::iterators::Pairs<'i, Rule>>,
    /// Depth of every operand: below all operators of the list, which is the most it can be.
    depth: usize,
}

impl Builder {
    /// `a |> f |> g(b)`
    pub(super) fn expr(&mut self, node: Node<'_>, depth: usize) -> Built<Expr> {
        self.check_depth(depth, &node)?;
        let inner = node.into_inner();
        let depth = depth + inner.len() - 1;
        let mut value: Option<Expr> = None;
        for node in inner {
            value = Some(match value {
                None => self.binary(node, depth)?,
                Some(left) => {
                    let right = self.stage(node, depth)?;
                    Expr { span: left.span.to(right.span), kind: Box::new(ExprKind::Pipe(left, right)) }
                }
            });
        }
        Ok(value.expect("the grammar puts a node here"))
    }

    /// What stands after `|>`.
    pub(super) fn stage(&mut self, node: Node<'_>, depth: usize) -> Built<Expr> {
        let value = self.postfix(node, depth)?;
        match &*value.kind {
            ExprKind::Name(_) | ExprKind::Field(..) | ExprKind::Call(..) | ExprKind::Lambda(..) => Ok(value),
            _ => Err(Box::new(
                Diagnostic::error("E0101", value.span, "after `|>` stands something that can be applied")
                    .says("neither a name nor a call")
                    .help(
                        "write the name of a function, layer or instance, or a call of one: `x |> relu |> Dense(10)`",
                    ),
            )),
        }
    }

    /// Everything tighter than `|>`.
    pub(super) fn binary(&mut self, node: Node<'_>, depth: usize) -> Built<Expr> {
        let operators = node.clone().into_inner().filter(|n| n.as_rule() != Rule::postfix).count();
        self.check_depth(depth + operators, &node)?;
        let mut flat = Flat { nodes: node.into_inner().peekable(), depth: depth + operators };
        self.climb(&mut flat, 0)
    }

    /// Precedence climbing: takes operators that bind at least as tightly as `least`.
    fn climb(&mut self, flat: &mut Flat<'_>, least: u8) -> Built<Expr> {
        let node = flat.nodes.next().expect("the grammar puts an operand here");
        let mut left = match node.as_rule() {
            Rule::neg => self.prefixed(UnaryOp::Neg, level::NEGATE, &node, flat)?,
            Rule::not => self.prefixed(UnaryOp::Not, level::NOT, &node, flat)?,
            _ => self.postfix(node, flat.depth)?,
        };
        let mut compared: Option<Span> = None;
        while let Some(node) = flat.nodes.peek() {
            let (op, bound) = operator(node);
            if bound < least {
                break;
            }
            let place = self.span(node);
            if bound == level::COMPARE {
                if let Some(before) = compared {
                    return Err(Box::new(chained(before, place)));
                }
                compared = Some(place);
            }
            flat.nodes.next();
            // `^` alone groups to the right, and its right side may carry a sign.
            let right = self.climb(flat, if op == BinaryOp::Pow { bound } else { bound + 1 })?;
            let span = left.span.to(right.span);
            left = Expr { span, kind: Box::new(ExprKind::Binary(op, place, left, right)) };
        }
        Ok(left)
    }

    fn prefixed(&mut self, op: UnaryOp, bound: u8, sign: &Node<'_>, flat: &mut Flat<'_>) -> Built<Expr> {
        let value = self.climb(flat, bound)?;
        Ok(Expr { span: self.span(sign).to(value.span), kind: Box::new(ExprKind::Unary(op, value)) })
    }

    /// A value with its calls, indices and fields.
    pub(super) fn postfix(&mut self, node: Node<'_>, depth: usize) -> Built<Expr> {
        let inner = node.clone().into_inner();
        let depth = depth + inner.len() - 1;
        self.check_depth(depth, &node)?;
        let mut value: Option<Expr> = None;
        for node in inner {
            let place = self.span(&node);
            value = Some(match (value, node.as_rule()) {
                (None, _) => self.primary(node, depth)?,
                (Some(left), rule) => {
                    let span = left.span.to(place);
                    let kind = match rule {
                        Rule::call => ExprKind::Call(left, self.args(node, depth + 1)?),
                        Rule::index => ExprKind::Index(left, self.index(node, depth + 1)?),
                        _ => ExprKind::Field(left, self.name(&first(node))),
                    };
                    Expr { span, kind: Box::new(kind) }
                }
            });
        }
        Ok(value.expect("the grammar puts a node here"))
    }

    fn args(&mut self, node: Node<'_>, depth: usize) -> Built<Vec<Arg>> {
        let mut all = Vec::new();
        for arg in node.into_inner() {
            let mut inner = arg.into_inner();
            let name = optional(&mut inner, Rule::word).map(|name| self.name(&name));
            all.push(Arg { name, value: self.expr(next(&mut inner), depth)? });
        }
        Ok(all)
    }

    fn index(&mut self, node: Node<'_>, depth: usize) -> Built<Vec<IndexItem>> {
        node.into_inner().map(|slice| self.slice(slice, depth)).collect()
    }

    fn slice(&mut self, node: Node<'_>, depth: usize) -> Built<IndexItem> {
        let span = self.span(&node);
        let text = node.as_str();
        let (mut from, mut until, mut sign) = (None, None, None);
        for part in node.into_inner() {
            match part.as_rule() {
                Rule::colon => sign = Some(part),
                Rule::ellipsis if from.is_none() => return Ok(IndexItem::Rest(span)),
                Rule::ellipsis => return Err(Box::new(self.range_in_index(&part, text, span))),
                Rule::expr => from = Some(self.expr(part, depth)?),
                _ => until = Some(self.binary(part, depth)?),
            }
        }
        match (sign, from) {
            (None, Some(value)) => Ok(IndexItem::At(value)),
            (_, from) => Ok(IndexItem::Slice(from, until, span)),
        }
    }

    fn range_in_index(&self, sign: &Node<'_>, text: &str, slice: Span) -> Diagnostic {
        let place = self.span(sign);
        let at = (place.start - slice.start) as usize;
        let (before, after) = (text.get(..at).unwrap_or("a"), text.get(at + 2..).unwrap_or("b"));
        let better = format!("{}:{}", before.trim(), after.trim());
        Diagnostic::error("E0107", place, "a slice is written with `:`")
            .says("`..` is for the ranges of loops")
            .help(format!("write `[{better}]`"))
            .fix("use `:`", place, ":")
    }

    fn primary(&mut self, node: Node<'_>, depth: usize) -> Built<Expr> {
        self.check_depth(depth, &node)?;
        let span = self.span(&node);
        let kind = match node.as_rule() {
            Rule::number => literals::number(node.as_str(), span)?,
            Rule::duration => {
                let mut inner = node.into_inner();
                let value = literals::float(next(&mut inner).as_str());
                ExprKind::Duration(value, literals::unit(next(&mut inner).as_str()))
            }
            Rule::bytes => {
                let mut inner = node.into_inner();
                let value = literals::float(next(&mut inner).as_str());
                ExprKind::Bytes((value * literals::bytes(next(&mut inner).as_str())) as u64)
            }
            Rule::string => ExprKind::Str(self.string(&node)?.text),
            Rule::boolean => ExprKind::Bool(node.as_str() == "true"),
            Rule::einops => ExprKind::Einops(self.einops(node)?),
            Rule::tensor => ExprKind::Type(self.tensor(node, depth + 1)?),
            Rule::tuple => return self.tuple(node, depth),
            Rule::list => self.list(node, depth + 1)?,
            Rule::conditional => self.conditional(node, depth + 1)?,
            Rule::loop_ => self.loop_(node, depth + 1)?,
            Rule::placed => self.placed(node, depth + 1)?,
            Rule::lambda => {
                let mut inner = node.into_inner();
                let params = self.params(next(&mut inner), depth + 1)?;
                ExprKind::Lambda(params, self.block(next(&mut inner), depth + 1))
            }
            _ => ExprKind::Name(node.as_str().into()),
        };
        Ok(Expr { span, kind: Box::new(kind) })
    }

    fn tuple(&mut self, node: Node<'_>, depth: usize) -> Built<Expr> {
        let span = self.span(&node);
        let inner: Built<Vec<Expr>> = node.into_inner().map(|value| self.expr(value, depth + 1)).collect();
        let mut values = inner?;
        match (values.len(), values.pop()) {
            // The brackets belong to its place.
            (1, Some(value)) => Ok(Expr { span, ..value }),
            (_, last) => {
                values.extend(last);
                Ok(Expr { span, kind: Box::new(ExprKind::Tuple(values)) })
            }
        }
    }

    fn list(&mut self, node: Node<'_>, depth: usize) -> Built<ExprKind> {
        let mut values = Vec::new();
        for part in node.into_inner() {
            match (part.as_rule(), values.pop()) {
                (Rule::each, Some(value)) => return Ok(ExprKind::ListFor(value, Box::new(self.each(part, depth)?))),
                (_, before) => {
                    values.extend(before);
                    values.push(self.expr(part, depth)?);
                }
            }
        }
        Ok(ExprKind::List(values))
    }

    fn each(&mut self, node: Node<'_>, depth: usize) -> Built<Each> {
        let mut inner = node.into_inner();
        let bound = next(&mut inner);
        let names = if bound.as_rule() == Rule::names { self.names(bound) } else { vec![self.name(&bound)] };
        let over = self.expr(next(&mut inner), depth)?;
        let (mut until, mut axis) = (None, None);
        if let Some(rest) = inner.next() {
            let rule = rest.as_rule();
            let value = Some(self.binary(first(rest), depth)?);
            if rule == Rule::until { until = value } else { axis = value }
        }
        Ok(Each { names, over, until, axis })
    }

    fn conditional(&mut self, node: Node<'_>, depth: usize) -> Built<ExprKind> {
        self.check_depth(depth, &node)?;
        let mut inner = node.into_inner();
        let condition = self.expr(next(&mut inner), depth)?;
        let then = self.block(next(&mut inner), depth);
        let otherwise = match inner.next() {
            None => None,
            Some(other) if other.as_rule() == Rule::block => Some(self.block(other, depth)),
            Some(other) => {
                let span = self.span(&other);
                let kind = Box::new(self.conditional(other, depth + 1)?);
                Some(super::statements::block_of(Expr { span, kind }))
            }
        };
        Ok(ExprKind::If { condition, then, otherwise })
    }

    fn loop_(&mut self, node: Node<'_>, depth: usize) -> Built<ExprKind> {
        let mut inner = node.into_inner();
        let scan = next(&mut inner).as_str() == "scan";
        let mut carries = Vec::new();
        while let Some(carry) = optional(&mut inner, Rule::carry) {
            let mut carry = carry.into_inner();
            let name = self.name(&next(&mut carry));
            carries.push((name, self.expr(next(&mut carry), depth)?));
        }
        let each = Box::new(self.each(next(&mut inner), depth)?);
        Ok(ExprKind::Loop { scan, carries, each, body: self.block(next(&mut inner), depth) })
    }

    fn placed(&mut self, node: Node<'_>, depth: usize) -> Built<ExprKind> {
        let mut inner = node.into_inner();
        let name = next(&mut inner);
        let span = self.span(&name);
        let mut device = Expr { span, kind: Box::new(ExprKind::Name(name.as_str().into())) };
        if let Some(call) = optional(&mut inner, Rule::call) {
            let span = span.to(self.span(&call));
            device = Expr { span, kind: Box::new(ExprKind::Call(device, self.args(call, depth)?)) };
        }
        Ok(ExprKind::Placed(device, self.block(next(&mut inner), depth)))
    }
}

fn operator(node: &Node<'_>) -> (BinaryOp, u8) {
    match node.as_str() {
        "or" => (BinaryOp::Or, level::OR),
        "and" => (BinaryOp::And, level::AND),
        "==" => (BinaryOp::Equal, level::COMPARE),
        "!=" => (BinaryOp::NotEqual, level::COMPARE),
        "<" => (BinaryOp::Less, level::COMPARE),
        "<=" => (BinaryOp::LessEqual, level::COMPARE),
        ">" => (BinaryOp::Greater, level::COMPARE),
        ">=" => (BinaryOp::GreaterEqual, level::COMPARE),
        "+" => (BinaryOp::Add, level::ADD),
        "-" => (BinaryOp::Sub, level::ADD),
        "*" => (BinaryOp::Mul, level::MULTIPLY),
        "/" => (BinaryOp::Div, level::MULTIPLY),
        "%" => (BinaryOp::Rem, level::MULTIPLY),
        "@" => (BinaryOp::MatMul, level::MULTIPLY),
        _ => (BinaryOp::Pow, level::POWER),
    }
}

fn chained(first: Span, second: Span) -> Diagnostic {
    Diagnostic::error("E0105", second, "comparisons do not chain")
        .says("a second comparison of the same value")
        .label(first, "the first")
        .help("write `a < b and b < c`")
}
