//! `unused_result`: something is applied, and nobody uses what it gives.

use crate::diagnostic::Diagnostic;
use crate::lint::names::unused_lets;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::source::Span;
use crate::syntax::ast::CallableKind;
use std::collections::BTreeSet;

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0314",
    name: "unused_result",
    group: Group::Suspicious,
    level: Level::Warn,
    title: "something is applied, and nobody uses what it gives",
    why: "\
A layer, model or function is applied in a step and neither the loss nor a report depends on it. Most often \
its name was to be used further on and the one before it was.",
    bad: &[
        "\
let h = x |> Dense(32, relu)
let d = Dropout(0.5)(h)
let _ = mean(d)
minimize cross_entropy(h |> Dense(10), label)
",
        "\
layer Block()(x: float[B, D]) -> float[B, D] {
  let (_, h) = (softplus(x), x)
  h
}

model Net(x: f32[B, 784]) -> f32[B, 10] { x |> Block() |> Dense(10) }
",
    ],
    good: &["\
let h = x |> Dense(32, relu) |> Dropout(0.5)
minimize cross_entropy(h |> Dense(10), label)
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let unnamed: Vec<Span> = cx.files.iter().flat_map(unused_lets).map(|(_, e)| e).collect();
    let mut used: BTreeSet<Span> = BTreeSet::new();
    let mut unused: Vec<(Span, String)> = Vec::new();
    for pass in &cx.passes {
        let needed = pass.needed(&pass.roots);
        for a in pass.applications.iter().filter(|a| !a.results.is_empty() && !a.nodes.is_empty()) {
            let own = cx.is_own(a.span)
                && matches!(
                    a.kind,
                    CallableKind::Layer | CallableKind::Model | CallableKind::Function | CallableKind::Loss
                );
            if a.results.iter().any(|r| needed[r.0 as usize]) || !own {
                used.insert(a.span);
            } else {
                unused.push((a.span, a.name.to_string()));
            }
        }
    }
    let within = |a: Span, b: Span| a.file == b.file && a.start >= b.start && a.end <= b.end;
    let dead = |s: &Span| !used.contains(s) && !unnamed.iter().any(|u| within(*s, *u));
    let spans: Vec<Span> = unused.iter().map(|(s, _)| *s).filter(dead).collect();
    let outer = |s: &Span| !spans.iter().any(|o| o != s && within(*s, *o));
    let all = unused.iter().filter(|(s, _)| dead(s) && outer(s));
    all.map(|(s, name)| finding(*s, format!("nobody uses what `{name}` gives here")).help("use it, or leave it out"))
        .collect()
}
