//! What losses and metrics want, told by the names of their parameters, in the library and in the user's own: `logits` is
//! what `softmax` would take, `log_p` what `log_softmax` gives, `p` a probability, `prediction` a number.

use super::pass::Pass;
use crate::check::trace::Application;
use crate::model::ValueId;
use crate::syntax::ast::CallableKind;

/// What a loss or metric wants of the prediction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wants {
    /// One number for each class, before `softmax`.
    Logits,
    /// One number for yes, before `sigmoid`.
    Logit,
    /// Logarithms of probabilities.
    LogProbabilities,
    /// A probability.
    Probability,
    /// Any number.
    Number,
}

/// An application of a loss or a metric.
pub struct Scored<'a> {
    /// The application.
    pub of: &'a Application,
    /// What is predicted.
    pub predicted: ValueId,
    /// What it should be.
    pub wants: Wants,
    /// What it should come near to.
    pub target: Option<ValueId>,
}

/// The losses and metrics of a body. Where one hands its prediction on to another that wants the same, the outer one alone.
pub fn scored<'a>(pass: &Pass<'a>) -> Vec<Scored<'a>> {
    let kinds = [CallableKind::Loss, CallableKind::Metric];
    let all = pass.applications.iter().filter(|a| kinds.contains(&a.kind));
    let mut out: Vec<Scored> = all.filter_map(|a| of(pass, a)).collect();
    let around = |a: &Application, b: &Application| {
        a.nodes.start <= b.nodes.start && a.nodes.end >= b.nodes.end && a.nodes.len() > b.nodes.len()
    };
    let outer: Vec<_> = out.iter().map(|s| (s.of, s.predicted)).collect();
    out.retain(|s| !outer.iter().any(|(o, v)| around(o, s.of) && *v == s.predicted));
    out
}

fn of<'a>(pass: &Pass<'a>, a: &'a Application) -> Option<Scored<'a>> {
    let (name, predicted) = a.inputs.first()?;
    let target = ["target", "label", "labels"].iter().find_map(|n| a.input(n));
    let classes = pass.node(*predicted).ty.rank() > target.map_or(0, |t| pass.node(t).ty.rank());
    let same_shape = target.is_some_and(|t| pass.node(t).ty.shape == pass.node(*predicted).ty.shape);
    let softmaxed = pass.applications.iter().any(|i| {
        (&*i.name == "log_softmax" || &*i.name == "softmax")
            && a.nodes.start <= i.nodes.start
            && a.nodes.end >= i.nodes.end
    });
    let wants = match &**name {
        "logits" if classes || softmaxed => Wants::Logits,
        "logits" if same_shape => Wants::Logit,
        "logit" => Wants::Logit,
        "log_p" => Wants::LogProbabilities,
        "p" => Wants::Probability,
        "prediction" => Wants::Number,
        _ => return None,
    };
    Some(Scored { of: a, predicted: *predicted, wants, target })
}

impl Scored<'_> {
    /// Whether only the order of the classes counts, which `softmax` keeps.
    pub fn by_order(&self, pass: &Pass) -> bool {
        let inside = || self.of.nodes.clone().map(ValueId);
        self.of.kind == CallableKind::Metric
            && self.wants == Wants::Logits
            && !inside().any(|v| pass.is(v, "exp") || pass.is(v, "log"))
    }

    /// `loss` or `metric`.
    pub fn kind(&self) -> &'static str {
        if self.of.kind == CallableKind::Loss { "loss" } else { "metric" }
    }
}
