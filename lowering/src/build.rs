//! Model → Graph: the forward parts of every `train` block, and how all variables start.

use crate::differentiate::{drop_custom_gradients, expand, gradients};
use crate::graph::splice::splice;
use crate::graph::{Entry, Graph, PendingTrain, Type, Value, Var, Variable};
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::model::{self, Body, Glance, Model, Op, Program, Rules, Train, ValueId, VarId, VariableKind};

/// The entry that gives every variable its first value.
pub const INIT: &str = "init";

/// The entry that starts the states of metrics anew; there where the model has such states.
pub const RESET: &str = "reset";

/// The entry of a `train` block's step.
pub fn step_entry(train: &str) -> String {
    format!("{train}.step")
}

/// The entry of a part of a batch, where a `train` block has `micro`; see [`crate::micro()`].
pub fn part_entry(train: &str) -> String {
    format!("{train}.part")
}

/// The entry that takes a block's batches, whole or in parts.
pub fn batch_entry(train: &Train) -> String {
    match train.settings.micro {
        Some(_) => part_entry(&train.name),
        None => step_entry(&train.name),
    }
}

/// The entry of a `train` block's evaluation.
pub fn evaluate_entry(train: &str) -> String {
    format!("{train}.evaluate")
}

/// The entry of what the periodic part with this number, counted from 0, looks at.
pub fn every_entry(train: &str, part: usize) -> String {
    format!("{train}.every_{}", part + 1)
}

/// The output of [`every_entry`] that `save images` writes.
pub fn images_output(images: &str) -> String {
    format!("images/{images}")
}

/// Writes a checked model as one graph.
///
/// Entries: [`INIT`]; [`RESET`]; for each `train` block [`step_entry`], whose outputs are the losses
/// and reports and whose assigns are the states that change, and [`evaluate_entry`], with what each
/// model gave as further outputs. A single loss is called `loss`; of several, one that is not
/// reported is called `loss_1`, `loss_2`, by its place. For each periodic part that looks at values there is
/// [`every_entry`].
///
/// The variables of the graph are those of the model under the same numbers. Gradients and updates
/// are still pending: see [`crate::differentiate()`] and [`crate::update()`].
pub fn build(model: &Model) -> Graph {
    let mut graph = Graph::default();
    let mut init = Entry { name: INIT.into(), ..Entry::default() };
    let mut reset = Entry { name: RESET.into(), ..Entry::default() };
    for variable in &model.variables {
        add_variable(&mut graph, &mut init, variable, variable.path.clone());
        if variable.kind == VariableKind::Metric {
            reset.assigns.extend(init.assigns.last().copied());
        }
    }
    graph.entries.push(init);
    if !reset.assigns.is_empty() {
        graph.entries.push(reset);
    }
    for train in &model.trains {
        let (step, losses) = program(&mut graph, &train.training, step_entry(&train.name));
        graph.entries.push(step);
        graph.pending.trains.push(PendingTrain { losses, gradients: Vec::new() });
        let (evaluate, _) = program(&mut graph, &train.evaluation, evaluate_entry(&train.name));
        graph.entries.push(evaluate);
        for (i, part) in train.periodic.iter().enumerate().filter(|(_, part)| !part.glance.is_empty()) {
            let entry = glance(&mut graph, &train.evaluation.body, &part.glance, every_entry(&train.name, i));
            graph.entries.push(entry);
        }
    }
    graph.debug_verify("build");
    graph
}

/// Writes a body that stands by itself, such as an example of the library, as a graph: [`INIT`], and an
/// entry of this name with these outputs. Nothing is trained.
///
/// # Errors
/// Those of a gradient that the body takes: of an operation that is not differentiable.
pub fn build_body(
    variables: &[model::Variable],
    body: &Body,
    name: &str,
    outputs: &[(&str, ValueId)],
    rules: &(dyn Rules + Send + Sync),
) -> Result<Graph, Diagnostic> {
    let roots: Vec<ValueId> = outputs.iter().map(|(_, v)| *v).collect();
    let (mut graph, init, values) = copied(variables, body, &roots);
    let outputs = outputs.iter().zip(values).map(|((name, _), value)| (name.to_string(), value)).collect();
    graph.entries.extend([init, Entry { name: name.into(), outputs, assigns: Vec::new() }]);
    expand(&mut graph, rules)?;
    drop_custom_gradients(&mut graph);
    graph.prune();
    graph.debug_verify("build");
    Ok(graph)
}

/// A graph with the variables, the entry that starts them, and a copy of the body: its roots there.
fn copied(variables: &[model::Variable], body: &Body, roots: &[ValueId]) -> (Graph, Entry, Vec<Value>) {
    let mut graph = Graph::default();
    let mut init = Entry { name: INIT.into(), ..Entry::default() };
    for variable in variables {
        add_variable(&mut graph, &mut init, variable, variable.path.clone());
    }
    let values = splice(&mut graph, body, &[], roots, None);
    (graph, init, values)
}

/// Writes a scalar that stands by itself with its gradient in some of the variables: [`INIT`], and an entry of
/// this name whose outputs are `loss` and, by the numbers of the variables, `gradient 3`. For checking gradients.
///
/// # Errors
/// Those of the rule of a primitive: it is not differentiable.
pub fn build_gradients(
    variables: &[model::Variable],
    body: &Body,
    name: &str,
    loss: ValueId,
    parameters: &[VarId],
    rules: &(dyn Rules + Send + Sync),
) -> Result<Graph, Diagnostic> {
    let (mut graph, init, values) = copied(variables, body, &[loss]);
    let loss = values[0];
    let outputs = vec![("loss".to_string(), loss)];
    graph.entries.extend([init, Entry { name: name.into(), outputs, assigns: Vec::new() }]);
    expand(&mut graph, rules)?;
    let loss = graph.entries[1].outputs[0].1;
    let found = gradients(&mut graph, rules, loss, parameters)?;
    let found = parameters.iter().zip(found).map(|(p, v)| (format!("gradient {}", p.0), v));
    graph.entries[1].outputs.extend(found);
    drop_custom_gradients(&mut graph);
    graph.prune();
    graph.debug_verify("build");
    Ok(graph)
}

/// Adds a variable with its first value. An initial value that reads a variable means that one's
/// first value, since nothing else is there yet.
pub(crate) fn add_variable(graph: &mut Graph, init: &mut Entry, variable: &model::Variable, path: String) -> Var {
    let (body, root) = &variable.init;
    let reads = body.nodes.iter().enumerate().filter_map(|(i, node)| match &node.op {
        Op::Read(var) => Some((ValueId(i as u32), init.assigns.iter().find(|(v, _)| v.0 == var.0)?.1)),
        _ => None,
    });
    let value = splice(graph, body, &reads.collect::<Vec<_>>(), &[*root], None)[0];
    let var = Var(graph.variables.len() as u32);
    let (ty, device) = (Type::from(&variable.ty), variable.device.clone());
    graph.variables.push(Variable { path, kind: variable.kind, ty, device });
    init.assigns.push((var, value));
    var
}

/// Copies what a periodic part looks at.
fn glance(graph: &mut Graph, body: &Body, glance: &Glance, name: String) -> Entry {
    let reports = glance.reports.iter().map(|r| (r.name.clone(), r.value));
    let images = glance.images.iter().map(|i| (images_output(&i.name), i.value));
    let (names, values): (Vec<String>, Vec<ValueId>) = reports.chain(images).unzip();
    let roots: Vec<ValueId> = values.into_iter().chain(glance.assigns.iter().map(|(_, v)| *v)).collect();
    let values = splice(graph, body, &[], &roots, None);
    let (outputs, assigned) = values.split_at(names.len());
    let assigns = glance.assigns.iter().zip(assigned).map(|((var, _), value)| (Var(var.0), *value)).collect();
    Entry { name, outputs: names.into_iter().zip(outputs.iter().copied()).collect(), assigns }
}

/// Copies a program; gives its entry and the values of its losses.
fn program(graph: &mut Graph, program: &Program, name: String) -> (Entry, Vec<Value>) {
    let reports = program.reports.iter().map(|r| r.value);
    let outputs = program.outputs.iter().map(|(_, v)| *v);
    let assigns = program.assigns.iter().map(|(_, v)| *v);
    let roots: Vec<ValueId> = program.losses.iter().copied().chain(reports).chain(outputs).chain(assigns).collect();
    let values = splice(graph, &program.body, &[], &roots, None);

    let (losses, rest) = values.split_at(program.losses.len());
    let (reports, rest) = rest.split_at(program.reports.len());
    let (outputs, assigned) = rest.split_at(program.outputs.len());
    let mut entry = Entry { name, ..Entry::default() };
    let mut offer = |name: String, value: Value| {
        if entry.outputs.iter().all(|(n, _)| *n != name) {
            entry.outputs.push((name, value));
        }
    };
    if let [loss] = losses {
        offer("loss".into(), *loss);
    }
    for (report, value) in program.reports.iter().zip(reports) {
        offer(report.name.clone(), *value);
    }
    for (i, loss) in losses.iter().enumerate().filter(|(_, loss)| losses.len() > 1 && !reports.contains(loss)) {
        offer(format!("loss_{}", i + 1), *loss);
    }
    for ((name, _), value) in program.outputs.iter().zip(outputs) {
        offer(name.clone(), *value);
    }
    entry.assigns = program.assigns.iter().zip(assigned).map(|((var, _), value)| (Var(var.0), *value)).collect();
    (entry, losses.to_vec())
}
