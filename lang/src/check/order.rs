//! Arguments that stand in another order than the parameters: found by trying, so that one error says so.

use super::apply::Argument;
use super::elab::{Elab, Res};
use super::operators::sign_of_primitive;
use super::signature::{Signature, static_fits};
use super::value::Env;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{Callable, Param};

/// Only so many arguments are tried in other places.
const TRIED: usize = 4;

impl Elab {
    /// Matches arguments to the inputs of a declaration and binds its names, as `bind_in_order` does; where that
    /// fails and two arguments swapped would fit, that is the error.
    pub fn bind(
        &mut self,
        callable: &Callable,
        params: &[Param],
        args: Vec<Argument>,
        env: Env,
        span: Span,
        broadcast: bool,
    ) -> Res<Signature> {
        // What the library writes is in order, and an operator's operands are alike: no other order can be meant.
        let operator = || sign_of_primitive(&callable.name.text) != callable.name.text;
        if self.in_library(span) || operator() {
            return self.bind_in_order(callable, params, args, env, span, broadcast);
        }
        let before = self.diagnostics.len();
        // One argument has no other order.
        let kept = (args.len() > 1).then(|| (args.clone(), env.clone()));
        let result = self.bind_in_order(callable, params, args, env, span, broadcast);
        if let Some(kept) = kept
            && result.is_err()
            && self.diagnostics.len() > before
        {
            self.try_other_orders(callable, params, kept, span, broadcast, before);
        }
        result
    }

    fn try_other_orders(
        &mut self,
        callable: &Callable,
        params: &[Param],
        (args, env): (Vec<Argument>, Env),
        span: Span,
        broadcast: bool,
        before: usize,
    ) {
        let found = self.diagnostics.split_off(before);
        let positional = |a: &Argument| a.name.is_none() && a.pattern.is_none();
        let n = args.iter().take_while(|a| positional(a)).count().min(params.len()).min(TRIED);
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
        for (i, j) in pairs {
            let mut swapped = args.clone();
            swapped.swap(i, j);
            let fits = self.bind_in_order(callable, params, swapped.clone(), env.clone(), span, broadcast).is_ok();
            self.diagnostics.truncate(before);
            if fits {
                let d = self.swapped(callable, params, found[0].code, &args, (i, j), span);
                self.diagnostics.push(d);
                return;
            }
        }
        self.diagnostics.extend(found);
    }

    fn swapped(
        &self,
        callable: &Callable,
        params: &[Param],
        code: &'static str,
        args: &[Argument],
        (i, j): (usize, usize),
        span: Span,
    ) -> Diagnostic {
        let name = self.quote(head_of(self.program.sources.text(span), span));
        let what = if self.in_library(span) || name.is_empty() { callable.name.text.as_str() } else { &name };
        let told = |a: &Argument| match &a.value {
            super::value::Value::Tensor(v) => self.ty(*v).to_string(),
            other => self.describe(other),
        };
        let place = |k: usize| format!("{}, where `{}` is wanted", told(&args[k]), params[k].name.text);
        let mut right: Vec<String> = args
            .iter()
            .map(|a| match &a.name {
                Some(name) => format!("{}: {}", name.text, self.quote(a.span)),
                None => self.quote(a.span),
            })
            .collect();
        right.swap(i, j);
        let piped = args[0].span.file == span.file && args[0].span.start < span.start;
        let help = if piped {
            format!("write `{} |> {what}({})`", right[0], right[1..].join(", "))
        } else {
            format!("write `{what}({})`", right.join(", "))
        };
        Diagnostic::error(code, args[i].span, format!("`{what}` has its arguments in the wrong order"))
            .says(place(i))
            .label(args[j].span, place(j))
            .help(help)
    }

    /// Static arguments of which two would fit in each other's places.
    pub fn swapped_statics(
        &mut self,
        callable: &Callable,
        params: &[Param],
        slots: &[Option<Argument>],
        span: Span,
    ) -> Res<()> {
        let n = slots.iter().take_while(|s| s.as_ref().is_some_and(|a| a.name.is_none())).count().min(TRIED);
        let args: Vec<Argument> = slots[..n].iter().flatten().cloned().collect();
        let fits =
            |i: usize, a: &Argument| params[i].ty.as_ref().is_none_or(|ty| static_fits(callable.kind, ty, &a.value));
        if (0..n).all(|i| fits(i, &args[i])) {
            return Ok(());
        }
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
        for (i, j) in pairs {
            let mut swapped = args.clone();
            swapped.swap(i, j);
            if (0..n).all(|k| fits(k, &swapped[k])) {
                let all: Vec<Argument> = slots.iter().flatten().cloned().collect();
                let d = self.swapped(callable, params, "E0503", &all, (i, j), span);
                return Err(self.fail(d));
            }
        }
        Ok(())
    }
}

/// The part of an application that names what is applied: `Net` of `Net(flatten(x))`.
pub(super) fn head_of(text: &str, span: Span) -> Span {
    let length = text.find(['(', '[', ' ', '\n']).unwrap_or(text.len());
    Span { end: span.start + length as u32, ..span }
}
