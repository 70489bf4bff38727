//! Types, parameters and results.

use tfm_grammar::Rule;

use super::ast::{AxisExpr, Expr, ExprKind, Name, Param, ResultType, TypeExpr, TypeKind};
use super::build::{Builder, Built, Node, first, next, optional};
use crate::source::Span;
use crate::word::Word;

impl Builder {
    /// `(units: int, bias: bool = true)`
    pub(super) fn params(&mut self, node: Node<'_>, depth: usize) -> Built<Vec<Param>> {
        node.into_inner().map(|param| self.param(param, depth)).collect()
    }

    fn param(&mut self, node: Node<'_>, depth: usize) -> Built<Param> {
        let mut inner = node.into_inner();
        let name = self.name(&next(&mut inner));
        let ty = optional(&mut inner, Rule::type_).map(|ty| self.type_expr(ty, depth + 1)).transpose()?;
        let default = inner.next().map(|value| self.expr(value, depth + 1)).transpose()?;
        Ok(Param { name, ty, default })
    }

    /// What stands after `->`.
    pub(super) fn result(&mut self, node: Node<'_>, depth: usize) -> Built<ResultType> {
        let node = first(node);
        if node.as_rule() == Rule::type_ {
            return Ok(ResultType::One(self.type_expr(node, depth + 1)?));
        }
        let mut all = Vec::new();
        for result in node.into_inner() {
            let mut inner = result.into_inner();
            let name = optional(&mut inner, Rule::ident).map(|name| self.name(&name));
            let ty = self.type_expr(next(&mut inner), depth + 1)?;
            let nameless = Name { text: Word::default(), span: Span { end: ty.span.start, ..ty.span } };
            all.push(Param { name: name.unwrap_or(nameless), ty: Some(ty), default: None });
        }
        // `-> (f32[B])` is one type in brackets.
        match all.as_mut_slice() {
            [Param { name, ty, .. }] if name.text.is_empty() && ty.is_some() => {
                Ok(ty.take().map_or(ResultType::Named(Vec::new()), ResultType::One))
            }
            _ => Ok(ResultType::Named(all)),
        }
    }

    /// A type as it stands in a declaration.
    pub(super) fn type_expr(&mut self, node: Node<'_>, depth: usize) -> Built<TypeExpr> {
        self.check_depth(depth, &node)?;
        let span = self.span(&node);
        let mut inner = node.into_inner();
        let node = next(&mut inner);
        let mut ty = match node.as_rule() {
            Rule::tensor_t => self.tensor(node, depth)?,
            Rule::list_t => {
                let of = self.type_expr(first(node), depth + 1)?;
                TypeExpr { span, kind: TypeKind::List(Box::new(of)) }
            }
            _ => TypeExpr { span, kind: TypeKind::Word(node.as_str().into()) },
        };
        if let (Some(bound), TypeKind::Tensor { below, .. }) = (inner.next(), &mut ty.kind) {
            *below = Some(Box::new(self.binary(first(bound), depth + 1)?));
        }
        ty.span = span;
        Ok(ty)
    }

    /// `f32[B, 10]`
    pub(super) fn tensor(&mut self, node: Node<'_>, depth: usize) -> Built<TypeExpr> {
        let span = self.span(&node);
        let mut inner = node.into_inner();
        let dtype = self.name(&next(&mut inner));
        let mut axes = Vec::new();
        for axis in next(&mut inner).into_inner() {
            let axis = first(axis);
            axes.push(match axis.as_rule() {
                Rule::rest_axis => AxisExpr::Rest(self.rest_axis(axis, depth + 1)?),
                _ => AxisExpr::Dim(self.binary(axis, depth + 1)?),
            });
        }
        Ok(TypeExpr { span, kind: TypeKind::Tensor { dtype, axes, below: None } })
    }

    fn rest_axis(&mut self, node: Node<'_>, depth: usize) -> Built<Expr> {
        let span = self.span(&node);
        match node.into_inner().next() {
            Some(of) => self.postfix(of, depth),
            None => Ok(Expr { span, kind: Box::new(ExprKind::Name("_".into())) }),
        }
    }
}
