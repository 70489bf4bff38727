//! Which operation gave the first number that is not finite.

use super::{Call, Session, SessionError, bind, describe, kernel_error};
use crate::cpu::{Cpu, Memory, NonFinite, Origin, Prepared};
use crate::run::Cause;
use std::sync::Arc;
use tfm_lang::model::Word;
use tfm_lowering::plan::schedule::{Request, schedule};
use tfm_lowering::plan::{Device, Fused, Instruction, Kernel, KernelFacts, Step, Value, View};

/// A device that fuses nothing and does nothing by elements, so that each operation has a step, and a result to look at, of its own.
struct Unfused<'a>(&'a Cpu);

impl Device for Unfused<'_> {
    fn kernel(&self, primitive: &str) -> Option<KernelFacts> {
        self.0.kernel(primitive).map(|facts| KernelFacts {
            elementwise: false,
            reduction: false,
            matrices: false,
            ..facts
        })
    }

    fn scratch(&self, primitive: &str, attrs: &[(Word, Value)], inputs: &[View], outputs: &[View]) -> usize {
        self.0.scratch(primitive, attrs, inputs, outputs)
    }
}

/// An elementwise operation has no kernel of its own: it becomes a fused program of one instruction.
fn by_itself(device: &Cpu, step: &mut Step) {
    if let Kernel::Loop(turns) = &mut step.kernel {
        let plan = &mut Arc::make_mut(turns).plan;
        plan.steps.iter_mut().for_each(|step| by_itself(device, step));
        return;
    }
    let Kernel::Primitive(name, attrs) = &step.kernel else { return };
    let (Some(first), Some(output)) = (step.inputs.first(), step.outputs.first()) else { return };
    if device.kernel(name).is_some_and(|facts| facts.elementwise) {
        let args: Vec<u16> = (0..step.inputs.len() as u16).collect();
        let result = args.len() as u16;
        let (op, attrs, from, to) = (*name, attrs.clone(), first.dtype, output.dtype);
        step.kernel = Kernel::Fused(Fused {
            shape: output.shape.clone(),
            row: 0,
            skips: None,
            inputs: args.len(),
            instructions: vec![Instruction { op, attrs, args, from, to }],
            outputs: vec![result],
        });
    }
}

impl Session {
    /// Runs an entry and says what gave the first number that is not finite; `None` when all
    /// are finite. It stops there: the variables are of no use then.
    pub(super) fn find_not_finite(&mut self, call: &Call) -> Result<Option<Cause>, SessionError> {
        let kept = self.plan(call)?;
        let before = self.variables.clone();
        let kept = self.plans.swap_remove(kept);
        let found = self.look(&kept.prepared, call);
        let cause = match found? {
            None => None,
            Some(NonFinite { origin: Origin::Step { nodes, .. }, .. }) if nodes.len() > 1 => {
                self.variables = before;
                // A search that fails leaves the group's last operation as the answer.
                let within = self.look_unfused(call).unwrap_or(None);
                within.or_else(|| nodes.last().map(|v| describe(&self.graph, *v)))
            }
            Some(found) => Some(self.cause(&kept.prepared, found.origin)),
        };
        self.plans.push(kept);
        Ok(cause)
    }

    fn look(&mut self, prepared: &Prepared, call: &Call) -> Result<Option<NonFinite>, SessionError> {
        self.step.elements_mut::<f32>()[0] = call.context.step as f32;
        if self.arena.len() < prepared.plan().arena {
            self.arena = crate::tensor::Bytes::zeros(prepared.plan().arena);
        }
        let bound = bind(prepared.plan(), call, &self.step)?;
        let memory = Memory { arena: &mut self.arena, variables: &mut self.variables, feeds: &bound };
        let found = self.device.first_non_finite(prepared, memory, &call.context);
        found.map_err(|e| kernel_error(&self.graph, prepared.plan(), e))
    }

    /// The same step with a plan that has each operation by itself.
    fn look_unfused(&mut self, call: &Call) -> Result<Option<Cause>, SessionError> {
        let fetches = call.fetches.iter().map(|f| f.to_string()).collect();
        let request = Request { entry: call.entry.into(), fetches, assigns: call.assigns, sizes: self.sizes.to_map() };
        let plan = schedule(&self.graph, &request, &Unfused(&self.device));
        let mut plan = plan.map_err(|e| SessionError::Plan(e.to_string()))?;
        plan.steps.iter_mut().for_each(|step| by_itself(&self.device, step));
        let prepared = self.device.prepare(plan).map_err(|e| SessionError::Plan(e.to_string()))?;
        let found = self.look(&prepared, call)?;
        Ok(found.map(|found| self.cause(&prepared, found.origin)))
    }

    fn cause(&self, prepared: &Prepared, origin: Origin) -> Cause {
        let other = |operation: String| Cause { operation, scope: String::new(), span: None };
        match origin {
            Origin::Feed(i) => other(format!("the data, {}", prepared.plan().feeds[i].0)),
            Origin::Variable(i) => other(format!("the value of {}", self.graph.variables[i].path)),
            Origin::Step { nodes, .. } => match nodes.last() {
                Some(value) => describe(&self.graph, *value),
                None => other("a copy".into()),
            },
        }
    }
}
