//! The tree of what was applied: models, and the layers in them. Who compares two versions of a file goes by it.

use super::elab::Elab;
use super::value::{Bound, Value};
use crate::model::Instance;
use crate::syntax::ast::Name;
use std::collections::HashSet;

/// Each path once: a body is evaluated with `training` true and with it false, and a model may be in several blocks.
pub(super) fn once(mut instances: Vec<Instance>) -> Vec<Instance> {
    let mut seen = HashSet::new();
    instances.retain(|i| seen.insert(i.path.clone()));
    instances
}

impl Elab {
    /// Notes a model, whose path is its name.
    pub fn note_model(&mut self, name: &Name) {
        let (layer, settings) = (String::new(), String::new());
        let path = name.text.to_string();
        let library = self.in_library(name.span);
        let parent = String::new();
        self.keep_instance(Instance { path, parent, layer, settings, is_named: true, library, span: name.span });
    }

    /// Notes a layer that has just got its path.
    pub fn note_instance(&mut self, bound: &Bound, layer: &str, path: &str, is_named: bool) {
        let settings: Vec<String> =
            bound.statics.iter().map(|(name, value)| format!("{name}: {}", self.setting(value))).collect();
        let parent = self.scopes.last().map_or_else(String::new, |s| s.path.to_string());
        let (layer, settings) = (layer.to_string(), settings.join(", "));
        let library = self.in_library(self.program.callable(bound.callable).callable.head);
        self.keep_instance(Instance {
            path: path.into(),
            parent,
            layer,
            settings,
            is_named,
            library,
            span: bound.span,
        });
    }

    fn keep_instance(&mut self, instance: Instance) {
        if !self.generic {
            self.instances.push(instance);
        }
    }

    /// A static value as text, the same for equal ones.
    pub fn setting(&self, value: &Value) -> String {
        let list = |values: &[Value]| values.iter().map(|v| self.setting(v)).collect::<Vec<_>>().join(", ");
        match value {
            Value::Int(dim) => self.concrete(dim).to_string(),
            Value::Float(x) => x.to_string(),
            Value::Bool(b) => b.to_string(),
            Value::Str(text) => format!("{text:?}"),
            Value::Duration(count, unit) => format!("{count} {unit:?}").to_lowercase(),
            Value::DType(dtype) => dtype.name().to_string(),
            Value::Tuple(values) | Value::List(values) => format!("[{}]", list(values)),
            Value::Named(items) => {
                let items = items.iter().map(|(name, v)| format!("{name}: {}", self.setting(v)));
                format!("[{}]", items.collect::<Vec<_>>().join(", "))
            }
            Value::Callable(id) => self.program.callable(*id).callable.name.text.to_string(),
            Value::Bound(bound) => {
                let name = &self.program.callable(bound.callable).callable.name.text;
                let named = bound.statics.iter().map(|(n, v)| format!("{n}: {}", self.setting(v)));
                format!("{name}({})", named.collect::<Vec<_>>().join(", "))
            }
            Value::Lambda(lambda) => self.program.sources.text(lambda.span).to_string(),
            Value::Builtin(builtin) => builtin.name.to_string(),
            Value::Data(_) | Value::DataSet(_) | Value::Tensor(_) | Value::Unknown | Value::Opaque => "…".into(),
        }
    }
}
