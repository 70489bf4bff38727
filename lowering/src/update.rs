//! Optimizer steps: every pending gradient becomes assigns of its parameter and of its states.
//!
//! A sparse gradient updates only the rows that the batch touched. Its numbers are made different
//! and its rows added up, the update is written on those rows, and the rows go back into the tables:
//!
//! ```text
//! at = unique(ids); g = merge_rows(ids, at, rows)
//! p' = write_rows(p, at, update(read_rows(p, at), g))
//! ```

use crate::build::{INIT, add_variable, evaluate_entry, every_entry, step_entry};
use crate::graph::make::Site;
use crate::graph::splice::splice;
use crate::graph::{Entry, Gradient, Graph, Op, SparseRows, Type, Value, Var, Variable};
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::dim::Dim;
use tfm_lang::model::{
    Attrs, Minimize, Model, ParameterUpdate, Train, Update, UpdateParameter, UpdateSettings, ValueId, VariableKind,
    Word,
};
use tfm_lang::syntax::ast::Unit;
use tfm_lang::types::DType;

/// The scope of the nodes that an optimizer's step is made of.
pub const SCOPE: &str = "update";

/// The path of the variable that keeps what evaluation uses in place of a parameter.
pub fn average_path(parameter: &str) -> String {
    format!("{parameter}/average")
}

/// Writes the update of every `minimize` into the step entries.
///
/// The optimizers' states become variables of kind `Optimizer`, started in `init`. Where an optimizer
/// gives an average, it is kept in one more such variable, [`average_path`], which starts as the
/// parameter does; the block's evaluation reads it instead of the parameter, and whoever predicts or
/// exports should too.
///
/// # Errors
/// Those of the optimizer's body.
pub fn update(graph: &mut Graph, model: &Model) -> Result<(), Diagnostic> {
    let scope = Word::from(SCOPE);
    for (t, train) in model.trains.iter().enumerate() {
        let gradients = std::mem::take(&mut graph.pending.trains[t].gradients);
        let losses = graph.pending.trains[t].losses.clone();
        for (minimize, gradients) in train.minimize.iter().zip(gradients) {
            let first = graph.nodes.len();
            descend(graph, model, train, minimize, (losses[minimize.loss], gradients))?;
            graph.nodes[first..].iter_mut().for_each(|node| node.scope = scope);
        }
    }
    graph.pending.trains.clear();
    graph.prune();
    graph.debug_verify("update");
    Ok(())
}

/// The steps of a whole run: a number, or a multiple of `steps_per_epoch`. A run that is measured in
/// time has the unknown `total_steps`, which no plan can be made for where a schedule asks for it.
pub fn total_steps(train: &Train) -> Dim {
    let count = train.length.count;
    match train.length.unit {
        Unit::Steps => Dim::constant(count.round() as i64),
        Unit::Examples => Dim::constant((count / train.batch.max(1) as f64).ceil() as i64),
        Unit::Epochs => {
            let thousandths = Dim::var("steps_per_epoch").scale((count * 1000.0).round() as i64);
            thousandths.div(&Dim::constant(1000)).unwrap_or(thousandths)
        }
        Unit::Minutes | Unit::Hours => Dim::var("total_steps"),
    }
}

/// A gradient ready for the optimizer.
struct Slope {
    var: Var,
    /// The gradient, of the parameter's type or of its rows.
    value: Value,
    /// Which rows, where it is sparse; -1 for none.
    rows: Option<Value>,
}

fn descend(
    graph: &mut Graph,
    model: &Model,
    train: &Train,
    minimize: &Minimize,
    (loss, gradients): (Value, Vec<(Var, Gradient)>),
) -> Result<(), Diagnostic> {
    let slopes: Vec<Slope> = gradients.into_iter().map(|(var, g)| slope(graph, var, g)).collect();
    let parameters: Vec<UpdateParameter> = slopes.iter().map(|s| asked(graph, s)).collect();
    let settings = UpdateSettings { total_steps: total_steps(train) };
    let update = model.rules.update(minimize.optimizer, &parameters, &settings)?;

    let states = add_states(graph, &update, &slopes, &train.name);
    let values = apply(graph, &update, loss, &slopes, &states);
    for ((parameter, slope), new) in update.parameters.iter().zip(&slopes).zip(values) {
        assign(graph, train, parameter, slope, &states, new);
    }
    Ok(())
}

fn asked(graph: &Graph, slope: &Slope) -> UpdateParameter {
    let variable = &graph.variables[slope.var.0 as usize];
    let rows = slope.rows.map(|r| graph.ty(r).shape[0].clone());
    UpdateParameter { path: variable.path.clone(), ty: variable.ty.tensor(), rows }
}

fn slope(graph: &mut Graph, var: Var, gradient: Gradient) -> Slope {
    let parts = match gradient {
        Gradient::Dense(value) => return Slope { var, value, rows: None },
        Gradient::Sparse(parts) => parts,
    };
    let site = Site::default();
    let row = graph.variables[var.0 as usize].ty.shape[1..].to_vec();
    let (ids, rows): (Vec<Value>, Vec<Value>) = parts.iter().map(|p| flat(graph, p, &row, &site)).unzip();
    let (ids, rows) = (graph.concat(ids, &site), graph.concat(rows, &site));
    let (of_ids, of_rows) = (graph.ty(ids).clone(), graph.ty(rows).clone());
    let unique = graph.primitive("unique", vec![ids], Attrs::new(), of_ids, &site);
    let value = graph.primitive("merge_rows", vec![ids, unique, rows], Attrs::new(), of_rows, &site);
    Slope { var, value, rows: Some(unique) }
}

/// Numbers `i32[N]` and rows `[N, ..R]` of one contribution.
fn flat(graph: &mut Graph, part: &SparseRows, row: &[Dim], site: &Site) -> (Value, Value) {
    let n = graph.ty(part.ids).size();
    let ids = graph.cast(part.ids, DType::I32, site);
    let ids = graph.reshape(ids, vec![n.clone()], site);
    let shape = std::iter::once(n).chain(row.iter().cloned()).collect();
    (ids, graph.reshape(part.rows, shape, site))
}

/// Adds the optimizer's variables; gives their numbers in its order.
fn add_states(graph: &mut Graph, update: &Update, slopes: &[Slope], train: &str) -> Vec<Var> {
    let mut init = take_entry(graph, INIT);
    let states = update.variables.iter().enumerate().map(|(i, variable)| {
        // A second `train` block with the same optimizer has states of its own.
        let taken = graph.variable(&variable.path).is_some();
        let path = if taken { format!("{}/{train}", variable.path) } else { variable.path.clone() };
        let var = add_variable(graph, &mut init, variable, path);
        let owner = update.parameters.iter().position(|p| p.states.iter().any(|s| s.variable == i));
        // States are kept where their parameter is.
        let device = owner.and_then(|o| graph.variables[slopes[o].var.0 as usize].device.clone());
        graph.variables[var.0 as usize].device = device;
        var
    });
    let states = states.collect();
    put_entry(graph, init);
    states
}

/// The new values that an update gives for one parameter.
struct NewValues {
    parameter: Value,
    average: Option<Value>,
    states: Vec<Value>,
}

/// Copies the optimizer's body with the old values bound.
fn apply(graph: &mut Graph, update: &Update, loss: Value, slopes: &[Slope], states: &[Var]) -> Vec<NewValues> {
    let site = Site::default();
    let step = site.node(Op::Input("step".into()), Vec::new(), Type::from(update.body.ty(update.step)));
    let mut bound = vec![(update.step, graph.push(step)), (update.loss, graph.cast(loss, DType::F32, &site))];
    let mut roots: Vec<ValueId> = Vec::new();
    for (parameter, slope) in update.parameters.iter().zip(slopes) {
        bound.push((parameter.value, read(graph, slope.var, slope.rows)));
        bound.push((parameter.gradient, slope.value));
        roots.push(parameter.new_value);
        roots.extend(parameter.average);
        for state in &parameter.states {
            bound.push((state.value, read(graph, states[state.variable], slope.rows.filter(|_| state.by_rows))));
            roots.push(state.new_value);
        }
    }
    let mut values = splice(graph, &update.body, &bound, &roots, None).into_iter();
    let mut next = move || values.next().expect("one value for each root");
    let parameters = update.parameters.iter().map(|p| NewValues {
        parameter: next(),
        average: p.average.map(|_| next()),
        states: p.states.iter().map(|_| next()).collect(),
    });
    parameters.collect()
}

/// A variable before the step, or its rows.
fn read(graph: &mut Graph, var: Var, rows: Option<Value>) -> Value {
    let Variable { ty, device, .. } = graph.variables[var.0 as usize].clone();
    let site = Site { device, ..Site::default() };
    let table = graph.push(site.node(Op::Read(var), Vec::new(), ty.clone()));
    let Some(rows) = rows else { return table };
    let mut shape = ty.shape;
    shape[0] = graph.ty(rows).shape[0].clone();
    graph.primitive("read_rows", vec![table, rows], Attrs::new(), Type { dtype: ty.dtype, shape }, &site)
}

/// The whole new value of a variable, from its new rows where the update was on rows.
fn whole(graph: &mut Graph, var: Var, rows: Option<Value>, new: Value) -> Value {
    let Some(rows) = rows else { return new };
    let ty = graph.variables[var.0 as usize].ty.clone();
    let table = read(graph, var, None);
    graph.primitive("write_rows", vec![table, rows, new], Attrs::new(), ty, &Site::default())
}

fn assign(
    graph: &mut Graph,
    train: &Train,
    parameter: &ParameterUpdate,
    slope: &Slope,
    states: &[Var],
    new: NewValues,
) {
    let mut assigns = Vec::new();
    for (state, value) in parameter.states.iter().zip(new.states) {
        let var = states[state.variable];
        assigns.push((var, whole(graph, var, slope.rows.filter(|_| state.by_rows), value)));
    }
    assigns.push((slope.var, whole(graph, slope.var, slope.rows, new.parameter)));
    if let Some(value) = new.average {
        let average = add_average(graph, slope.var);
        assigns.push((average, whole(graph, average, slope.rows, value)));
        let glances = (0..train.periodic.len()).map(|i| every_entry(&train.name, i));
        for entry in glances.chain([evaluate_entry(&train.name)]) {
            read_instead(graph, &entry, slope.var, average);
        }
    }
    let entry = graph.entry_mut(&step_entry(&train.name));
    entry.expect("build made an entry for each block").assigns.extend(assigns);
}

/// The variable of a parameter's average, which an earlier block may have made.
fn add_average(graph: &mut Graph, parameter: Var) -> Var {
    let Variable { path, ty, device, .. } = graph.variables[parameter.0 as usize].clone();
    let path = average_path(&path);
    if let Some(var) = graph.variable(&path) {
        return var;
    }
    let mut init = take_entry(graph, INIT);
    let var = Var(graph.variables.len() as u32);
    graph.variables.push(Variable { path, kind: VariableKind::Optimizer, ty, device });
    let start = init.assigns.iter().find(|(v, _)| *v == parameter).map(|(_, value)| *value);
    init.assigns.extend(start.map(|value| (var, value)));
    put_entry(graph, init);
    var
}

/// Makes one entry read another variable. Its nodes are its own until equal ones are merged, which
/// is done in `simplify`.
fn read_instead(graph: &mut Graph, entry: &str, old: Var, new: Var) {
    let roots = match graph.entry(entry) {
        Some(e) => e.outputs.iter().map(|(_, v)| *v).chain(e.assigns.iter().map(|(_, v)| *v)).collect::<Vec<_>>(),
        None => Vec::new(),
    };
    let needed = graph.needed(roots);
    for (node, _) in graph.nodes.iter_mut().zip(needed).filter(|(_, needed)| *needed) {
        if node.op == Op::Read(old) {
            node.op = Op::Read(new);
        }
    }
}

/// Takes an entry out, to be filled while the graph grows; an empty one where there is none.
fn take_entry(graph: &mut Graph, name: &str) -> Entry {
    let empty = || Entry { name: name.into(), ..Entry::default() };
    graph.entry_mut(name).map_or_else(empty, |e| std::mem::replace(e, empty()))
}

fn put_entry(graph: &mut Graph, entry: Entry) {
    match graph.entry_mut(&entry.name) {
        Some(place) => *place = entry,
        None => graph.entries.push(entry),
    }
}
