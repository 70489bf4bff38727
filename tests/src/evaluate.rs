//! Running a body of the checker by itself: for the library's examples and gradients.

use std::sync::Arc;
use tfm_lang::model::{Body, DataRef, Model, Op, Period, Program, Rules, Train, ValueId, Variable};
use tfm_lang::source::Span;
use tfm_lang::syntax::ast::Unit;
use tfm_lowering::build::evaluate_entry;
use tfm_lowering::{build, differentiate, simplify, update};
use tfm_runtime::cpu::{Context, Cpu};
use tfm_runtime::run::Engine;
use tfm_runtime::session::Session;
use tfm_runtime::tensor::Tensor;

/// What a body needs besides its nodes.
pub struct Surroundings {
    /// The variables that it reads.
    pub variables: Vec<Variable>,
    /// The gradients of primitives.
    pub rules: Arc<dyn Rules + Send + Sync>,
}

/// A body with values that can be fetched from it, on the CPU.
pub struct Evaluator {
    session: Session,
    names: Vec<String>,
}

impl Evaluator {
    /// A machine for these values of the body. `inputs` are fed in place of the nodes that they name, as `x0`,
    /// `x1` and so on. The whole pipeline stands between: build, differentiate, update, simplify.
    pub fn new(body: &Body, inputs: &[ValueId], wanted: &[ValueId], context: &Surroundings) -> Self {
        let mut body = body.clone();
        for (i, input) in inputs.iter().enumerate() {
            let node = &mut body.nodes[input.0 as usize];
            (node.op, node.args) = (Op::Input(format!("x{i}").into()), Vec::new());
        }
        let names: Vec<String> = (0..wanted.len()).map(|i| format!("y{i}")).collect();
        let outputs = names.iter().cloned().zip(wanted.iter().copied()).collect();
        let nothing = || Program {
            body: Body::default(),
            losses: Vec::new(),
            reports: Vec::new(),
            outputs: Vec::new(),
            assigns: Vec::new(),
        };
        let train = Train {
            name: "t".into(),
            data: DataRef { data: 0, split: 0, operators: Vec::new() },
            batch: 1,
            length: Period { count: 1.0, unit: Unit::Steps },
            seed: 0,
            training: nothing(),
            evaluation: Program { body, outputs, ..nothing() },
            minimize: Vec::new(),
            periodic: Vec::new(),
            stop: Vec::new(),
            span: Span::default(),
        };
        let model = Model {
            variables: context.variables.clone(),
            data: Vec::new(),
            trains: vec![train],
            rules: context.rules.clone(),
        };
        let mut graph = build(&model);
        let lowered = differentiate(&mut graph, &model).and_then(|()| update(&mut graph, &model));
        lowered.unwrap_or_else(|d| panic!("{}: {}", d.code, d.message));
        simplify(&mut graph);
        let mut session = Session::new(graph, Cpu::new(1));
        session.initialize(1).unwrap_or_else(|e| panic!("{e}"));
        Evaluator { session, names }
    }

    /// The values, given the inputs in their order.
    pub fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let feeds: Vec<(String, &Tensor)> = inputs.iter().enumerate().map(|(i, t)| (format!("x{i}"), t)).collect();
        let feeds: Vec<(&str, &Tensor)> = feeds.iter().map(|(n, t)| (n.as_str(), *t)).collect();
        let fetches: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let context = Context { seed: 1, step: 0 };
        self.session.run(&evaluate_entry("t"), &feeds, &fetches, false, context).map_err(|e| e.to_string())
    }
}
