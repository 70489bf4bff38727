//! Optimizers; and the answers to lowering: gradients and updates.

use super::apply::Argument;
use super::elab::{Elab, Failed, Res, Scope, UpdateTarget};
use super::hold::Hold;
use super::program::Program;
use super::schedules::Clock;
use super::value::{Bound, Env, Value};
use crate::diagnostic::{Diagnostic, Severity};
use crate::dim::Dim;
use crate::model::{
    Attr, Attrs, Body, GradientRule, Op, OptimizerId, ParameterUpdate, Rules, StateUpdate, Update, UpdateParameter,
    UpdateSettings, ValueId, VarId, Variable, VariableKind,
};
use crate::source::Span;
use crate::syntax::ast::{Callable, Expr, Name};
use crate::types::{DType, TensorType};
use std::sync::Arc;

/// What an optimizer may ask for at each parameter in each round before it counts against the limit of a file, so that a
/// deep net is not too much; those of the library take a fifth.
const EFFORT: usize = 2_000;

/// How often sums over all parameters may depend on each other.
const ROUNDS: usize = 6;

/// Answers lowering's questions from the checked program.
pub(super) struct Library {
    pub program: Arc<Program>,
    pub optimizers: Vec<Value>,
}

impl Rules for Library {
    fn gradient(
        &self,
        primitive: &str,
        attrs: &Attrs,
        args: &[TensorType],
        result: &TensorType,
    ) -> Result<GradientRule, Diagnostic> {
        let mut e = Elab::new(self.program.clone());
        let rule = e.gradient_of(primitive, attrs, args, result);
        or_first(rule, e)
    }

    fn update(
        &self,
        optimizer: OptimizerId,
        parameters: &[UpdateParameter],
        settings: &UpdateSettings,
    ) -> Result<Update, Diagnostic> {
        let mut e = Elab::new(self.program.clone());
        match self.optimizers.get(optimizer.0 as usize) {
            Some(value) => {
                let update = e.update_of(value, parameters, &settings.total_steps);
                or_first(update, e)
            }
            None => Err(Diagnostic::error("E0600", Span::default(), "there is no such optimizer")),
        }
    }
}

/// What was written out, or the first error: a statement may fail, as `require` does, and those after it may not.
fn or_first<T>(result: Res<T>, e: Elab) -> Result<T, Diagnostic> {
    match (result, e.diagnostics.into_iter().find(|d| d.severity == Severity::Error)) {
        (Ok(value), None) => Ok(value),
        (_, Some(d)) => Err(d),
        (Err(_), None) => Err(Diagnostic::error("E0600", Span::default(), "this could not be written out")),
    }
}

impl Elab {
    /// One step of an optimizer over all its parameters.
    pub fn update_of(&mut self, optimizer: &Value, parameters: &[UpdateParameter], total_steps: &Dim) -> Res<Update> {
        let Value::Bound(bound) = optimizer else { return Err(Failed) };
        let span = bound.span;
        let scalar = TensorType::new(DType::F32, []);
        let step = self.push(Op::Input("step".into()), Vec::new(), scalar.clone(), span);
        let total = self.scalar(&Value::Int(total_steps.clone()), DType::F32, span).unwrap_or(Err(Failed))?;
        let loss = self.push(Op::Input("loss".into()), Vec::new(), scalar, span);
        self.clock = Some(Clock { step, total, loss });
        let mut targets = Vec::new();
        for p in parameters {
            let mut ty = TensorType { below: None, ..p.ty.clone() };
            if let (Some(rows), Some(first)) = (&p.rows, ty.shape.first_mut()) {
                first.dim = rows.clone();
            }
            let value = self.push(Op::Input(format!("p:{}", p.path).as_str().into()), Vec::new(), ty.clone(), span);
            let gradient = self.push(Op::Input(format!("g:{}", p.path).as_str().into()), Vec::new(), ty, span);
            let target = UpdateTarget {
                path: p.path.clone(),
                full: p.ty.clone(),
                rows: p.rows.clone(),
                states: Vec::new(),
                alone: false,
            };
            targets.push((target, value, gradient));
        }
        for _ in 0..ROUNDS {
            self.totals.parts.clear();
            let mut done = Vec::new();
            for (target, value, gradient) in &mut targets {
                self.effort = self.effort.saturating_sub(EFFORT);
                for state in &mut target.states {
                    state.2 = state.1;
                }
                self.totals.asked.clear();
                let step = self.in_dtype(step, self.ty(*value).dtype, span);
                let args = [*value, *gradient, step].map(|v| Argument::of(Value::Tensor(v), span)).to_vec();
                self.update = Some(target.clone());
                let outcome = self.call(optimizer.clone(), args, span, span);
                *target = self.update.take().ok_or(Failed)?;
                let Value::Tuple(moved) = outcome? else { return Err(Failed) };
                done.push(moved);
            }
            if !self.add_up_totals(span)? {
                return self.finish_update((step, loss), targets, done);
            }
        }
        self.error("E0605", span, "sums over all parameters depend on each other too often")
    }

    /// What is counted in f32, the step and the rate, in the dtype of the parameter it moves.
    pub fn in_dtype(&mut self, v: ValueId, dtype: DType, span: Span) -> ValueId {
        let ty = self.ty(v).clone();
        if ty.dtype == dtype {
            return v;
        }
        self.primitive("cast", vec![("dtype".into(), Attr::DType(dtype))], vec![v], TensorType { dtype, ..ty }, span)
    }

    /// Adds up what this round asked to be summed; false when every sum was known.
    fn add_up_totals(&mut self, span: Span) -> Res<bool> {
        let parts = std::mem::take(&mut self.totals.parts);
        let keys: Vec<&String> = parts.iter().map(|(k, _)| k).collect();
        let mut fresh = false;
        for key in keys.into_iter().cloned().collect::<std::collections::BTreeSet<_>>() {
            if self.totals.known.contains_key(&key) {
                continue;
            }
            let mut sum: Option<ValueId> = None;
            for (_, part) in parts.iter().filter(|(k, _)| *k == key) {
                sum = Some(match sum {
                    None => *part,
                    Some(sum) => {
                        match self.call_primitive("add", vec![Value::Tensor(sum), Value::Tensor(*part)], span)? {
                            Value::Tensor(v) => v,
                            _ => return Err(Failed),
                        }
                    }
                });
            }
            if let Some(sum) = sum {
                self.totals.known.insert(key, sum);
                fresh = true;
            }
        }
        Ok(fresh)
    }

    fn finish_update(
        &mut self,
        (step, loss): (ValueId, ValueId),
        targets: Vec<(UpdateTarget, ValueId, ValueId)>,
        done: Vec<Arc<Vec<Value>>>,
    ) -> Res<Update> {
        let mut parameters = Vec::new();
        for ((target, value, gradient), moved) in targets.into_iter().zip(done) {
            let tensor = |v: Option<&Value>| if let Some(Value::Tensor(v)) = v { Some(*v) } else { None };
            let new_value = tensor(moved.first()).ok_or(Failed)?;
            let states = target
                .states
                .iter()
                .filter_map(|(path, before, now, by_rows)| {
                    let variable = self.variables.iter().position(|v| v.path == *path)?;
                    Some(StateUpdate { variable, value: *before, new_value: *now, by_rows: *by_rows })
                })
                .collect();
            parameters.push(ParameterUpdate { value, gradient, new_value, average: tensor(moved.get(1)), states });
        }
        let mut body = std::mem::take(&mut self.body);
        let mut variables = std::mem::take(&mut self.variables);
        self.finish_body(&mut body);
        for v in &mut variables {
            self.finish_variable(v);
        }
        Ok(Update { body, step, loss, parameters, variables })
    }

    /// An optimizer's body for one parameter. Gives the parameter after it, and what evaluation uses
    /// in its place where the body ends with a value.
    pub fn apply_optimizer(
        &mut self,
        bound: &Arc<Bound>,
        callable: &Callable,
        mut env: Env,
        mut args: Vec<Argument>,
        span: Span,
    ) -> Res<Value> {
        if self.update.is_none() && self.testing {
            return self.optimizer_example(bound, args, span);
        }
        if self.update.is_none() {
            let d = Diagnostic::error(
                "E0405",
                span,
                format!("the optimizer `{}` is applied by itself", callable.name.text),
            )
            .help("give it to `train`: `optimizer: …`");
            return Err(self.fail(d));
        }
        let hold = Hold::new(self, callable, &mut args, span)?;
        let Some(body) = &callable.body else { return Err(Failed) };
        self.inner_scope(&super::snake_case(&callable.name.text));
        let rates = self.rates_now(callable, &mut env, args.first().map(|a| &a.value), span);
        let sig = rates.and_then(|()| self.bind(callable, &callable.inputs, args, env, span, false));
        let value = sig.and_then(|sig| {
            self.frame(Some(bound.callable), span, sig.float());
            let mut env = sig.env.clone();
            let value = self.block(&mut env, body);
            self.frames.pop();
            Ok((value?, env))
        });
        self.scopes.pop();
        let (value, env) = value?;
        let Some(parameter) = callable.inputs.first() else {
            return self.error("E0501", callable.head, "an optimizer takes the parameter, its gradient and the step");
        };
        let mut moved = vec![env.get(parameter.name.text).cloned().unwrap_or(Value::Unknown)];
        if let Value::Tensor(_) = value {
            moved.push(value);
        }
        if let Some(hold) = hold {
            hold.back(self, &mut moved, span)?;
        }
        Ok(Value::Tuple(Arc::new(moved)))
    }

    /// A scope inside the one at hand, for the paths of states.
    pub fn inner_scope(&mut self, name: &str) {
        let outer = self.scopes.last().map_or("", |s| &s.path);
        let path = if outer.is_empty() { name.to_string() } else { format!("{outer}.{name}") };
        self.scopes.push(Scope::new(path));
    }

    /// `state m: float[..S] = zeros()` of an optimizer: one for each parameter, for all its rows.
    pub fn optimizer_state(
        &mut self,
        env: &mut Env,
        name: &Name,
        declared: Option<TensorType>,
        init: &Expr,
        span: Span,
    ) -> Res<Value> {
        let Some(declared) = declared else {
            return self.error("E0501", span, "a state of an optimizer needs a type");
        };
        self.not_in_scan("a state of an optimizer", span)?;
        let Some(target) = self.update.clone() else { return Err(Failed) };
        let scope = self.scopes.last().map_or_else(Default::default, |s| s.path);
        let path = format!("{}/{scope}.{}", target.path, name.text);
        if let Some((_, before, _, _)) = target.states.iter().find(|(p, ..)| *p == path) {
            return Ok(Value::Tensor(*before));
        }
        let by_rows = target.rows.as_ref().is_some_and(|rows| {
            declared.rank() == target.full.rank() && declared.shape.first().is_some_and(|a| a.dim == *rows)
        });
        // The variable has all rows, each of the declared size.
        let mut full = declared.clone();
        if let (true, Some(rows), Some(all)) = (by_rows, full.shape.first_mut(), target.full.shape.first()) {
            *rows = all.clone();
        }
        let (body, value, ty) = self.initial(env, &path, Some(full), init)?;
        self.variables.push(Variable {
            path: path.clone(),
            kind: VariableKind::Optimizer,
            ty,
            init: (body, value),
            span: name.span,
            device: None,
        });
        let before = if target.alone {
            Op::Read(VarId(self.variables.len() as u32 - 1))
        } else {
            Op::Input(path.as_str().into())
        };
        let before = self.push(before, Vec::new(), declared, span);
        if let Some(target) = &mut self.update {
            target.states.push((path, before, before, by_rows));
        }
        Ok(Value::Tensor(before))
    }

    /// `m <- e` in an optimizer's body, for a state; the parameter itself is a name like another.
    pub fn optimizer_assign(&mut self, name: &Name, new: ValueId) {
        let scope = self.scopes.last().map_or_else(Default::default, |s| s.path);
        let Some(target) = &mut self.update else { return };
        let path = format!("{}/{scope}.{}", target.path, name.text);
        if let Some(state) = target.states.iter_mut().find(|(p, ..)| *p == path) {
            state.2 = new;
        }
    }

    /// A body as it leaves the checker: every `dim` is its number.
    pub fn finish_body(&self, body: &mut Body) {
        if self.all_concrete() {
            return;
        }
        for node in &mut body.nodes {
            self.finish_type(&mut node.ty);
            match &mut node.op {
                Op::Primitive(_, attrs) => {
                    for (_, attr) in attrs {
                        match attr {
                            Attr::Int(d) => *d = self.concrete(d),
                            Attr::Ints(ds) => ds.iter_mut().for_each(|d| *d = self.concrete(d)),
                            _ => {}
                        }
                    }
                }
                Op::Constant(crate::model::Literal::Dim(d)) => *d = self.concrete(d),
                Op::CustomGradient(rule) => {
                    let rule = Arc::make_mut(rule);
                    self.finish_body(&mut rule.body);
                }
                Op::Scan(scan) => {
                    let scan = Arc::make_mut(scan);
                    scan.length = self.concrete(&scan.length);
                    self.finish_body(&mut scan.body);
                }
                _ => {}
            }
        }
    }

    /// True where no size has a name or a fact that could be put in.
    fn all_concrete(&self) -> bool {
        self.program.dims.is_empty() && self.facts.is_empty()
    }

    fn finish_type(&self, ty: &mut TensorType) {
        if self.all_concrete() {
            return;
        }
        for axis in ty.shape.iter_mut() {
            axis.dim = self.concrete(&axis.dim);
        }
        if let Some(below) = &mut ty.below {
            *below = self.concrete(below);
        }
    }

    pub fn finish_variable(&self, v: &mut Variable) {
        self.finish_type(&mut v.ty);
        self.finish_body(&mut v.init.0);
    }
}

/// `total(x)`: a scalar added up over all parameters of the optimizer.
pub(super) fn total(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    let [arg] = args.as_slice() else { return e.error("E0501", span, "`total` takes one scalar") };
    e.not_in_scan("`total`", span)?;
    if e.update.is_none() {
        return e.error("E0405", span, "`total` adds up over the parameters of an optimizer, and stands only in one");
    }
    let v = e.tensor(&arg.value, None, arg.span)?;
    if e.ty(v).rank() != 0 {
        let ty = e.ty(v).to_string();
        let d = Diagnostic::error("E0301", arg.span, format!("`total` takes a scalar, this is {ty}"))
            .help("reduce it first, `total(sum(x))`");
        return Err(e.fail(d));
    }
    if e.update.as_ref().is_some_and(|u| u.alone) {
        return Ok(Value::Tensor(v));
    }
    let scope = e.scopes.last().map_or_else(Default::default, |s| s.path);
    let n = e.totals.asked.entry(scope.to_string()).or_insert(0);
    *n += 1;
    let key = format!("{scope}#{n}");
    if let Some(sum) = e.totals.known.get(&key) {
        return Ok(Value::Tensor(*sum));
    }
    e.totals.parts.push((key, v));
    let dtype = e.ty(v).dtype;
    Ok(Value::Tensor(e.number(0.0, dtype, span)))
}

/// `sparse(p)`: whether the gradient of the parameter at hand comes in rows, so that only those are updated.
pub(super) fn sparse(e: &mut Elab, args: Vec<Argument>, _: Span, span: Span) -> Res<Value> {
    match (&e.update, args.as_slice()) {
        (Some(target), [_]) => Ok(Value::Bool(target.rows.is_some())),
        (None, _) => {
            e.error("E0405", span, "`sparse` asks about the parameter of an optimizer, and stands only in one")
        }
        _ => e.error("E0501", span, "`sparse` takes the parameter"),
    }
}
