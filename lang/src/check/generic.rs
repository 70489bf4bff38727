//! Declarations that nothing applies, checked by themselves with opaque parameters: what is false for
//! every value is an error, what is undecided is left to the uses.

use super::apply::Argument;
use super::elab::{Elab, UpdateTarget};
use super::record::Record;
use super::value::{CallableId, Env, Value};
use crate::diagnostic::Diagnostic;
use crate::dim::Dim;
use crate::model::{Op, Train, UpdateParameter, Word};
use crate::source::FileId;
use crate::syntax::ast::{AxisExpr, CallableKind, ExprKind, Param, TypeKind};
use crate::types::{DType, TensorType};
use std::collections::HashSet;
use std::fmt::Write as _;

/// Ranks that `..S` is tried with.
const RANKS: [usize; 4] = [2, 1, 3, 0];

impl Elab {
    /// Checks each declaration of these files that was never applied.
    pub fn check_by_itself(&mut self, files: &[FileId]) {
        let program = self.program.clone();
        // Models first: their inputs have sizes, and what they apply is checked with those.
        let is_model = |id: &CallableId| program.callable(*id).callable.kind == CallableKind::Model;
        let (models, others): (Vec<_>, Vec<_>) = files.iter().flat_map(|f| program.declared_in(*f)).partition(is_model);
        for id in models.into_iter().chain(others) {
            if self.exhausted() {
                break;
            }
            if self.applied.contains(&id) || program.callable(id).callable.kind == CallableKind::Primitive {
                continue;
            }
            let mut first: Option<Vec<Diagnostic>> = None;
            for rank in RANKS {
                let alone = self.attempt(id, rank);
                let found = alone.diagnostics;
                if is_model(&id) {
                    self.applied.extend(alone.applied);
                }
                if found.is_empty() {
                    first = None;
                    break;
                }
                first.get_or_insert(found);
                if self.exhausted() {
                    break;
                }
            }
            for d in first.into_iter().flatten() {
                if !self.diagnostics.iter().any(|o| o.span() == d.span()) {
                    self.diagnostics.push(d);
                }
            }
        }
    }

    /// A declaration with unknown arguments: what is found in it, what it applies, what its names are.
    pub fn attempt(&mut self, id: CallableId, rank: usize) -> Elab {
        let mut record = self.record.take();
        record.iter_mut().for_each(|record| record.begin());
        let mut e = self.attempt_with(record, id, rank);
        self.record = e.record.take();
        self.record.iter_mut().for_each(|record| record.end(&e.history));
        e
    }

    fn attempt_with(&mut self, record: Option<Box<Record>>, id: CallableId, rank: usize) -> Elab {
        let mut e = Elab::new(self.program.clone());
        e.keep_names = self.keep_names;
        e.keep_trace = self.keep_trace;
        e.record = record;
        e.effort = self.effort;
        let callable = &self.program.callable(id).callable;
        // A model has no parameters that a use could set: when only its batch is unknown, it is checked as in its use.
        e.generic =
            callable.kind != CallableKind::Model || !callable.inputs.iter().all(|p| self.only_batch_unknown(id, p));
        let program = self.program.clone();
        let declared = program.callable(id);
        let callable = &declared.callable;
        let head = callable.head;
        let mut env = Env::new(declared.file);
        let statics = callable.statics.iter().flatten();
        let mut first_list = Vec::new();
        for p in statics {
            let value = opaque(p);
            if let Value::Int(d) = &value {
                e.open.extend(d.as_var().cloned());
            }
            env.bind(p.name.text, value.clone(), p.name.span);
            first_list.push(Argument { name: Some(p.name.clone()), value, span: p.name.span, pattern: None });
        }
        let args: Option<Vec<Argument>> = callable
            .inputs
            .iter()
            .map(|p| {
                e.stand_in(&mut env, p, rank).map(|value| Argument {
                    name: Some(p.name.clone()),
                    value,
                    span: p.name.span,
                    pattern: None,
                })
            })
            .collect();
        let Some(args) = args else { return e };
        let function = Value::Callable(id);
        let scalar = TensorType::new(DType::F32, []);
        let step = e.push(Op::Input("step".into()), Vec::new(), scalar, head);
        e.clock = Some(super::schedules::Clock { step, total: step, loss: step });
        let _ = match callable.kind {
            CallableKind::Layer => {
                e.call(function, first_list, head, head).and_then(|layer| e.call(layer, args, head, head))
            }
            CallableKind::Optimizer | CallableKind::Schedule => {
                if let Some(Value::Tensor(p)) = args.first().map(|a| a.value.clone()) {
                    let full = e.ty(p).clone();
                    e.update =
                        Some(UpdateTarget { path: "p".into(), full, rows: None, states: Vec::new(), alone: false });
                }
                e.call(function, first_list, head, head).and_then(|made| match (&made, callable.kind) {
                    (Value::Bound(b), CallableKind::Optimizer) => {
                        let env = bound_env(declared.file, &b.statics, head);
                        e.apply_optimizer(b, callable, env, args, head)
                    }
                    _ => e.schedule_now(made, head),
                })
            }
            _ => e.call(function, args, head, head),
        };
        self.effort = e.effort;
        e
    }

    /// Whether all sizes of an input but the first are known numbers.
    fn only_batch_unknown(&self, id: CallableId, p: &Param) -> bool {
        let Some(TypeKind::Tensor { axes, .. }) = p.ty.as_ref().map(|t| &t.kind) else { return false };
        let file = self.program.callable(id).file;
        axes.iter().enumerate().all(|(i, a)| match a {
            AxisExpr::Rest(_) => false,
            AxisExpr::Dim(e) => match &*e.kind {
                ExprKind::Name(n) => i == 0 || self.program.lookup(file, n).is_some(),
                _ => true,
            },
        })
    }

    /// A tensor of the declared type with unknown sizes; `..S` has this rank.
    pub fn stand_in(&mut self, env: &mut Env, p: &Param, rank: usize) -> Option<Value> {
        let Some(ty) = &p.ty else { return Some(Value::Opaque) };
        let TypeKind::Tensor { dtype, axes, below } = &ty.kind else { return Some(opaque(p)) };
        let element = DType::from_name(&dtype.text).unwrap_or(match dtype.text.as_str() {
            "int" => DType::I32,
            _ => DType::F32,
        });
        let mut shape: Vec<Dim> = Vec::new();
        for axis in axes {
            match axis {
                AxisExpr::Rest(e) => {
                    let ExprKind::Name(name) = &*e.kind else { return None };
                    shape.extend((0..rank).map(|i| Dim::var(format!("{name}{i}").as_str())));
                }
                AxisExpr::Dim(e) => {
                    if let ExprKind::Name(name) = &*e.kind
                        && env.get(name).is_none()
                        && self.program.lookup(env.file, name).is_none()
                    {
                        shape.push(Dim::var(name.as_str()));
                        continue;
                    }
                    match self.eval(env, e).ok()? {
                        Value::Int(d) => shape.push(d),
                        _ => return None,
                    }
                }
            }
        }
        let mut ty = TensorType::new(element, shape);
        for axis in ty.shape.iter_mut() {
            axis.origin =
                self.history.add(format!("{}, declared in `{}`", axis.dim, p.name.text), p.name.span, Vec::new());
        }
        if let Some(e) = below {
            ty.below = match &*e.kind {
                ExprKind::Name(name) if env.get(name).is_none() && self.program.lookup(env.file, name).is_none() => {
                    Some(Dim::var(name.as_str()))
                }
                _ => match self.eval(env, e).ok()? {
                    Value::Int(d) => Some(d),
                    _ => return None,
                },
            };
        }
        Some(Value::Tensor(self.push(Op::Input(p.name.text.as_str().into()), Vec::new(), ty, p.name.span)))
    }

    /// Writes each optimizer's step once for each type of parameter, so that its mistakes are found now. What was found
    /// right in an earlier block is in `right`, with the optimizer as it is written out, and not tried again.
    pub fn check_updates(&mut self, train: &Train, optimizers: &[Value], right: &mut HashSet<(String, TensorType)>) {
        for m in &train.minimize {
            let Some(optimizer) = optimizers.get(m.optimizer.0 as usize) else { continue };
            let mut written = String::new();
            let known = write_out(optimizer, &mut written);
            let mut parameters: Vec<UpdateParameter> = Vec::new();
            for v in m.parameters.iter().map(|id| &self.variables[id.0 as usize]) {
                let seen = known && right.contains(&(written.clone(), v.ty.clone()));
                if !seen && !parameters.iter().any(|p| p.ty == v.ty) {
                    parameters.push(UpdateParameter { path: v.path.clone(), ty: v.ty.clone(), rows: None });
                }
            }
            if parameters.is_empty() {
                continue;
            }
            let mut e = Elab::new(self.program.clone());
            let _ = e.update_of(optimizer, &parameters, &Dim::var(super::STEPS_PER_EPOCH));
            self.applied.extend(e.applied);
            if known && e.diagnostics.is_empty() {
                right.extend(parameters.into_iter().map(|p| (written.clone(), p.ty)));
            }
            for d in e.diagnostics {
                if !self.diagnostics.iter().any(|o| o.span() == d.span() && o.code == d.code) {
                    self.diagnostics.push(d);
                }
            }
        }
    }
}

/// Writes a value down so that equal texts are equal values; false where it is not known what it does.
fn write_out(value: &Value, out: &mut String) -> bool {
    let mut list = |items: &mut dyn Iterator<Item = &Value>| {
        let mut known = true;
        out.push('(');
        for item in items {
            known &= write_out(item, out);
            out.push(',');
        }
        out.push(')');
        known
    };
    match value {
        Value::Bound(bound) => {
            let known = list(&mut bound.statics.iter().map(|(_, v)| v));
            let _ = write!(out, "{:?}", bound.callable);
            known
        }
        Value::List(items) | Value::Tuple(items) => list(&mut items.iter()),
        Value::Int(_)
        | Value::Float(_)
        | Value::Bool(_)
        | Value::Str(_)
        | Value::Duration(..)
        | Value::DType(_)
        | Value::Callable(_) => write!(out, "{value:?}").is_ok(),
        _ => false,
    }
}

fn bound_env(file: FileId, statics: &[(Word, Value)], head: crate::source::Span) -> Env {
    let mut env = Env::new(file);
    for (name, value) in statics {
        env.bind(name, value.clone(), head);
    }
    env
}

/// A static parameter's value when nothing is known of it.
fn opaque(p: &Param) -> Value {
    match p.ty.as_ref().map(|t| &t.kind) {
        Some(TypeKind::Word(w)) if w == "int" => Value::Int(Dim::var(p.name.text.as_str())),
        _ => Value::Opaque,
    }
}
