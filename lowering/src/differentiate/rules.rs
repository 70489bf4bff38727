//! The rules that were asked for, by primitive, attributes and types.

use crate::graph::{Graph, Node};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::model::{Attrs, GradientRule, Rules};

/// The library's answers.
pub(super) struct RuleCache<'a> {
    rules: &'a (dyn Rules + Send + Sync),
    known: HashMap<String, Arc<GradientRule>>,
}

impl RuleCache<'_> {
    pub fn new(rules: &(dyn Rules + Send + Sync)) -> RuleCache<'_> {
        RuleCache { rules, known: HashMap::new() }
    }

    /// The rule of a primitive that is this node.
    pub fn get(
        &mut self,
        graph: &Graph,
        name: &str,
        attrs: &Attrs,
        node: &Node,
    ) -> Result<Arc<GradientRule>, Diagnostic> {
        let mut key = crate::graph::text::head(name, attrs);
        for a in node.args.iter() {
            let _ = write!(key, " {}", graph.ty(*a));
        }
        let _ = write!(key, " : {}", node.ty);
        if let Some(rule) = self.known.get(&key) {
            return Ok(rule.clone());
        }
        let types: Vec<_> = node.args.iter().map(|a| graph.ty(*a).tensor()).collect();
        let rule = self.rules.gradient(name, attrs, &types, &node.ty.tensor()).map_err(|d| at(node, d))?;
        let rule = Arc::new(rule);
        self.known.insert(key, rule.clone());
        Ok(rule)
    }
}

/// A mistake that was found in the library, shown at the operation in the user's text.
fn at(node: &Node, mut d: Diagnostic) -> Diagnostic {
    if let Some(span) = node.span {
        d.labels.insert(0, tfm_lang::diagnostic::Label { span, text: "the gradient goes through here".into() });
    }
    d
}
