//! Variables: `param`, `state` and `<-`.

use super::apply::Argument;
use super::elab::{Elab, Failed, Res};
use super::value::{Env, Value};
use crate::diagnostic::Diagnostic;
use crate::model::{Body, Op, ValueId, VarId, Variable, VariableKind};
use crate::source::Span;
use crate::syntax::ast::{CallableKind, Expr, ExprKind, Name, TypeExpr};
use crate::types::{Axis, DType, TensorType};
use crate::word::Word;

impl Elab {
    /// The value of a variable at this point of the text.
    pub fn read(&mut self, id: VarId, span: Span) -> ValueId {
        if let Some(v) = self.current.get(&id) {
            return *v;
        }
        let ty = self.variables[id.0 as usize].ty.clone();
        let v = self.push(Op::Read(id), Vec::new(), ty, span);
        self.current.insert(id, v);
        v
    }

    /// What kind of declaration is being applied.
    pub fn kind_here(&self) -> Option<CallableKind> {
        self.frames.iter().rev().find_map(|f| f.callable).map(|id| self.program.callable(id).callable.kind)
    }

    /// `param w: T = e` and `state m: T = e`.
    pub fn variable(
        &mut self,
        env: &mut Env,
        trained: bool,
        name: &Name,
        ty: Option<&TypeExpr>,
        init: Option<&Expr>,
        span: Span,
    ) -> Res<Value> {
        let word = if trained { "param" } else { "state" };
        let kind = match (self.kind_here(), trained) {
            (Some(CallableKind::Layer | CallableKind::Model), true) => VariableKind::Parameter,
            (Some(CallableKind::Layer | CallableKind::Model), false) => VariableKind::State,
            (Some(CallableKind::Optimizer | CallableKind::Schedule), false) => VariableKind::Optimizer,
            (Some(CallableKind::Metric), false) => VariableKind::Metric,
            _ => {
                let d = Diagnostic::error("E0405", span, format!("`{word}` does not belong here")).help(if trained {
                    "parameters are declared in a `layer` or a `model`"
                } else {
                    "a state is declared in a `layer`, a `model`, a `metric`, an `optimizer` or a `schedule`"
                });
                return Err(self.fail(d));
            }
        };
        let Some(init) = init else {
            let d = Diagnostic::error("E0501", span, format!("`{}` has no first value", name.text))
                .help("write `= zeros()` or another initialiser after its type");
            return Err(self.fail(d));
        };
        let declared = match ty {
            Some(ty) => Some(self.written_type(env, ty)?),
            None => None,
        };
        if kind == VariableKind::Optimizer {
            return self.optimizer_state(env, name, declared, init, span);
        }
        let path = match self.scopes.last().map(|s| &*s.path) {
            Some("") | None => name.text.to_string(),
            Some(scope) => format!("{scope}.{}", name.text),
        };
        if let Some(&id) = self.by_path.get(&path) {
            let have = self.variables[id.0 as usize].ty.clone();
            let same = declared.as_ref().is_none_or(|d| {
                d.dtype == have.dtype
                    && d.rank() == have.rank()
                    && d.shape.iter().zip(&have.shape).all(|(a, b)| self.agree(&a.dim, &b.dim))
            });
            if !same {
                let want = declared.map_or(String::new(), |d| d.to_string());
                let place = ty.map_or(span, |t| t.span);
                let d = Diagnostic::error(
                    "E0302",
                    place,
                    format!("`{path}` is {have}, this application would make it {want}"),
                )
                .help("an instance has one set of weights: apply it to tensors of one size, or make a second instance");
                return Err(self.fail(d));
            }
            return Ok(Value::Tensor(self.read(id, span)));
        }
        let (body, value, ty) = self.initial(env, &path, declared, init)?;
        let unknown = ty.shape.iter().map(|a| self.concrete(&a.dim)).find(|d| d.as_constant().is_none());
        if let Some(d) = unknown.filter(|_| !self.generic) {
            let d = Diagnostic::error(
                "E0507",
                span,
                format!("the size of `{}` depends on {d}, which is not known before the program runs", name.text),
            )
            .note("a parameter has one size for every batch");
            return Err(self.fail(d));
        }
        let id = VarId(self.variables.len() as u32);
        let device = self.device.clone();
        self.variables.push(Variable { path: path.clone(), kind, ty, init: (body, value), span: name.span, device });
        self.by_path.insert(path, id);
        Ok(Value::Tensor(self.read(id, span)))
    }

    /// The first value of a variable, as a body of its own, and the variable's type.
    pub fn initial(
        &mut self,
        env: &Env,
        path: &str,
        declared: Option<TensorType>,
        init: &Expr,
    ) -> Res<(Body, ValueId, TensorType)> {
        let result = self.initial_value(env, path, declared.clone(), init);
        match declared {
            // Its size may be unknown in a body by itself; every use writes the first value out.
            Some(ty) if self.generic && result.is_err() => Ok((Body::default(), ValueId(0), ty)),
            _ => result,
        }
    }

    fn initial_value(
        &mut self,
        env: &Env,
        path: &str,
        declared: Option<TensorType>,
        init: &Expr,
    ) -> Res<(Body, ValueId, TensorType)> {
        let mut env = env.clone();
        // Tensors of the step are not there when variables get their first values.
        env.names.retain(|(_, v, _)| !matches!(v, Value::Tensor(_)));
        let expected = declared.as_ref().map(|t| (t.dtype, t.shape.clone()));
        let scope = super::elab::Scope::new(format!("init:{path}"));
        let before = std::mem::replace(&mut self.expected, expected.clone());
        self.scopes.push(scope);
        let (body, result) = self.in_fresh_body(|e| {
            let value = match &expected {
                Some((dtype, shape)) => e.initializer(&mut env, init, *dtype, shape),
                None => e.eval(&mut env, init),
            };
            let dtype = expected.as_ref().map(|(d, _)| *d);
            let v = value.and_then(|v| e.tensor(&v, dtype, init.span))?;
            let v = match &expected {
                Some((_, shape)) if e.ty(v).rank() == 0 => e.broadcast(v, shape, init.span),
                _ => v,
            };
            Ok((v, e.ty(v).clone()))
        });
        self.scopes.pop();
        self.expected = before;
        let (v, have) = result?;
        let Some(declared) = declared else { return Ok((body, v, TensorType { below: None, ..have })) };
        let fits = have.dtype == declared.dtype
            && have.rank() == declared.rank()
            && have.shape.iter().zip(&declared.shape).all(|(a, b)| self.agree(&a.dim, &b.dim));
        if !fits {
            let d = Diagnostic::error(
                "E0302",
                init.span,
                format!("the first value is {have}, the declaration says {declared}"),
            );
            return Err(self.fail(d));
        }
        Ok((body, v, declared))
    }

    /// `= f(a)`: `f` with the shape and dtype of the declaration filled in.
    fn initializer(&mut self, env: &mut Env, init: &Expr, dtype: DType, shape: &[Axis]) -> Res<Value> {
        let ExprKind::Call(callee, args) = &*init.kind else { return self.eval(env, init) };
        let function = self.eval(env, callee)?;
        let Value::Callable(id) = function else { return self.eval(env, init) };
        let params: Vec<Word> = self.program.callable(id).callable.inputs.iter().map(|p| p.name.text).collect();
        let mut all = self.arguments(env, args)?;
        let filled = [("shape", Value::dims(shape.iter().map(|a| a.dim.clone()))), ("dtype", Value::DType(dtype))];
        for (name, value) in filled {
            let given = all.iter().any(|a| a.name.as_ref().is_some_and(|n| n.text == name));
            let positional = params
                .iter()
                .position(|p| p == name)
                .is_some_and(|i| all.iter().filter(|a| a.name.is_none()).count() > i);
            if params.iter().any(|p| p == name) && !given && !positional {
                all.push(Argument {
                    name: Some(Name { text: name.into(), span: init.span }),
                    value,
                    span: init.span,
                    pattern: None,
                });
            }
        }
        self.frame(None, init.span, Some(dtype));
        let result = self.call(function, all, callee.span, init.span);
        self.frames.pop();
        result
    }

    /// `m <- e`
    pub fn assign(&mut self, env: &mut Env, name: &Name, value: Value, span: Span) -> Res<()> {
        let Some(before) = env.get(name.text).cloned() else {
            let d = Diagnostic::error("E0201", name.span, format!("there is no `{}` to change here", name.text));
            return Err(self.fail(d));
        };
        self.not_in_scan(&format!("the change of `{}`", name.text), name.span)?;
        let Value::Tensor(old) = before else { return Err(Failed) };
        let have = self.ty(old).clone();
        let mut new = self.tensor(&value, Some(have.dtype), span)?;
        if self.ty(new).rank() == 0 && have.rank() > 0 && !matches!(value, Value::Tensor(_)) {
            new = self.broadcast(new, &have.shape, span);
        }
        let got = self.ty(new).clone();
        let fits = got.dtype == have.dtype
            && got.rank() == have.rank()
            && got.shape.iter().zip(&have.shape).all(|(a, b)| self.agree(&a.dim, &b.dim));
        if !fits {
            let d = Diagnostic::error("E0302", span, format!("`{}` is {have}, this would make it {got}", name.text));
            return Err(self.fail(d));
        }
        if let Some(CallableKind::Optimizer | CallableKind::Schedule) = self.kind_here() {
            self.optimizer_assign(name, new);
            env.rebind(name.text, Value::Tensor(new));
            return Ok(());
        }
        let variable = self.current.iter().find(|(_, v)| **v == old).map(|(id, _)| *id);
        let Some(id) = variable.filter(|id| self.variables[id.0 as usize].kind != VariableKind::Parameter) else {
            let d = Diagnostic::error("E0405", name.span, format!("`{}` is not a state", name.text))
                .help("only what was declared with `state` changes with `<-`");
            return Err(self.fail(d));
        };
        if self.variables[id.0 as usize].kind == VariableKind::State && !self.training {
            let d = Diagnostic::error("E0405", name.span, format!("`{}` would change in an evaluation too", name.text))
                .help("write the change under `if training { … }`");
            return Err(self.fail(d));
        }
        self.current.insert(id, new);
        if !self.assigned.contains(&id) {
            self.assigned.push(id);
        }
        env.rebind(name.text, Value::Tensor(new));
        Ok(())
    }

    /// Where a metric's states are kept: one set for training, one for evaluation.
    pub fn metric_path(&mut self, metric: &str) -> String {
        let phase = &self.phase;
        let base = format!("metrics.{phase}.{}", super::snake_case(metric));
        let scope = self.scopes.first_mut();
        let Some(scope) = scope else { return base };
        let n = scope.counters.entry(base.clone()).or_insert(0);
        *n += 1;
        format!("{base}_{n}")
    }
}
