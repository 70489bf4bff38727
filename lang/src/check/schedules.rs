//! Schedules: their values at the step at hand, in an optimizer's body, in a test and in an example.

use super::apply::Argument;
use super::elab::{Elab, Failed, Res, UpdateTarget};
use super::value::{Env, Value};
use crate::model::{Literal, Op, ValueId};
use crate::source::Span;
use crate::syntax::ast::{Callable, TypeKind};
use crate::types::{DType, TensorType};
use crate::word::Word;

/// What a schedule is a function of, while an update is written: f32, of rank 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// The step's number, from 1.
    pub step: ValueId,
    /// The number of steps of the run.
    pub total: ValueId,
    /// The loss of this step.
    pub loss: ValueId,
}

/// The parameters of a first list that are of a type, or lists of it.
fn typed<'a>(callable: &'a Callable, word: &'a str) -> impl Iterator<Item = Word> {
    let params = callable.statics.iter().flatten();
    let of_type = move |kind: &TypeKind| match kind {
        TypeKind::Word(w) => w == word,
        TypeKind::List(inner) => matches!(&inner.kind, TypeKind::Word(w) if w == word),
        TypeKind::Tensor { .. } => false,
    };
    params.filter(move |p| p.ty.as_ref().is_some_and(|t| of_type(&t.kind))).map(|p| p.name.text)
}

impl Elab {
    /// Gives the schedules of a first list their values now, in the dtype of the parameter that they move.
    pub fn rates_now(&mut self, callable: &Callable, env: &mut Env, moves: Option<&Value>, span: Span) -> Res<()> {
        for name in typed(callable, "schedule") {
            let Some(value) = env.get(name).cloned() else { continue };
            self.inner_scope(&name);
            let now = self.schedule_now(value, span);
            self.scopes.pop();
            let now = match (now?, moves) {
                (Value::Tensor(rate), Some(Value::Tensor(p))) => {
                    Value::Tensor(self.in_dtype(rate, self.ty(*p).dtype, span))
                }
                (now, _) => now,
            };
            env.rebind(name, now);
        }
        Ok(())
    }

    /// A number for a duration is so much of the run: makes it a number of steps.
    fn parts_of_the_run(&mut self, callable: &Callable, env: &mut Env, total: ValueId) -> Res<()> {
        for name in typed(callable, "duration") {
            let steps = match env.get(name).cloned() {
                Some(Value::List(items)) => {
                    let steps = items.iter().map(|v| self.steps_of(v, total, callable.head));
                    Value::list(steps.collect::<Res<_>>()?)
                }
                Some(value) => self.steps_of(&value, total, callable.head)?,
                None => continue,
            };
            env.rebind(name, steps);
        }
        Ok(())
    }

    fn steps_of(&mut self, duration: &Value, total: ValueId, span: Span) -> Res<Value> {
        if !duration.is_number() {
            return Ok(duration.clone());
        }
        self.call_primitive("multiply", vec![duration.clone(), Value::Tensor(total)], span)
    }

    /// The value of a schedule at the step at hand.
    pub fn schedule_now(&mut self, value: Value, span: Span) -> Res<Value> {
        let Value::Bound(bound) = &value else { return Ok(value) };
        let Some(Clock { step, total, loss }) = self.clock else { return Err(Failed) };
        let program = self.program.clone();
        self.applied.insert(bound.callable);
        let declared = program.callable(bound.callable);
        let callable = &declared.callable;
        let mut env = Env::new(declared.file);
        for (name, value) in &bound.statics {
            env.bind(name, value.clone(), bound.span);
        }
        self.rates_now(callable, &mut env, None, span)?;
        self.parts_of_the_run(callable, &mut env, total)?;
        let args = [step, total, loss].map(|v| Argument::of(Value::Tensor(v), span)).to_vec();
        let args = args.into_iter().take(callable.inputs.len()).collect();
        let sig = self.bind(callable, &callable.inputs, args, env, bound.span, false)?;
        self.inner_scope(&super::snake_case(&callable.name.text));
        self.frame(Some(bound.callable), bound.span, Some(DType::F32));
        let Some(body) = &callable.body else { return Err(Failed) };
        let mut env = sig.env.clone();
        let result = self.block(&mut env, body);
        self.frames.pop();
        self.scopes.pop();
        let v = self.tensor(&result?, Some(DType::F32), bound.span)?;
        if self.ty(v).rank() != 0 {
            let ty = self.ty(v).to_string();
            return self.error("E0309", callable.head, format!("a schedule gives one number, this gives {ty}"));
        }
        Ok(Value::Tensor(v))
    }

    /// `cosine(1.0)(6, 10)`: a schedule at a step, as tests and examples write it; after the step and the number of
    /// steps may stand the loss.
    pub fn schedule_example(&mut self, value: Value, args: &[Argument], span: Span) -> Res<Value> {
        let scalar = TensorType::new(DType::F32, []);
        let mut clock = Vec::new();
        for arg in args {
            clock.push(self.tensor(&arg.value, Some(DType::F32), span)?);
        }
        while clock.len() < 3 {
            let one = Op::Constant(Literal::Number(1.0));
            clock.push(self.push(one, Vec::new(), scalar.clone(), span));
        }
        let outer =
            self.update.replace(UpdateTarget::alone(format!("example_{}", self.variables.len()), scalar.clone()));
        self.clock = Some(Clock { step: clock[0], total: clock[1], loss: clock[2] });
        let now = self.schedule_now(value, span);
        self.update = outer;
        now
    }
}
