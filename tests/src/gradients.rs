//! Gradients of the library against central differences in f64, each from the example in its doc comment.
//!
//! An example `f([1, 2], 3)` becomes a layer whose parameter takes the place of `[1, 2]`, trained for one step
//! of `Sgd(lr: 1.0)` on `sum(sin(f(a0, 3)) * weights)`: the parameter moves by the gradient. Arguments are moved
//! off the kinks that examples like to stand on.

use crate::{check_text, one_line, probe};
use std::path::Path;
use tfm_lang::check::Options;
use tfm_lang::model::VariableKind;
use tfm_lang::source::Sources;
use tfm_lang::syntax::ast::{Callable, CallableKind, ItemKind, ResultType, TypeKind};
use tfm_lang::types::DType;
use tfm_lowering::graph::{Graph, Var};
use tfm_lowering::{build, differentiate, simplify, update};
use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::Engine;
use tfm_runtime::session::{Context, Session};

/// A declaration of the library.
pub struct Declared {
    /// What a file says before it can use it: an import, the declaration itself, or nothing.
    pub brought_by: String,
    /// The lines of its doc comment.
    pub doc: Vec<String>,
    /// What it declares.
    pub callable: Callable,
}

impl Declared {
    /// What its doc comment says after this word, line by line: `example:`, `gradient:`.
    pub fn lines(&self, word: &str) -> impl Iterator<Item = &str> {
        self.doc.iter().filter_map(move |line| line.trim().strip_prefix(word).map(str::trim))
    }
}

/// What came of the check of one gradient.
pub enum Outcome {
    /// So many derivatives agree.
    Agrees(usize),
    /// There is nothing to check, for this reason.
    Nothing(String),
    /// It is wrong, or could not be checked.
    Fails(String),
}

/// Everything that the library declares and that can be applied.
pub fn library() -> Vec<Declared> {
    let of_file = |(file, text): &(&str, &str)| {
        let (module, _) = file.split_once(['/', '.']).unwrap_or((file, ""));
        // The two folders whose names are always in scope need no import.
        let imported = !matches!(module, "primitives" | "functions");
        let import = |name: &str| if imported { format!("import std.{module}.{name}\n") } else { String::new() };
        declared_in(text, import)
    };
    let mut all: Vec<Declared> = tfm_stdlib::FILES.iter().flat_map(of_file).collect();
    // What else stands in its examples: `Bidirectional(Gru, 4)`.
    let imported: Vec<(String, String)> = all
        .iter()
        .filter(|d| !d.brought_by.is_empty())
        .map(|d| (d.callable.name.text.to_string(), d.brought_by.clone()))
        .collect();
    for declared in all.iter_mut().filter(|d| !d.brought_by.is_empty()) {
        let examples: String = declared.lines("example:").collect::<Vec<_>>().join(" ");
        let words: Vec<&str> = examples.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let others = imported.iter().filter(|(name, _)| *name != declared.callable.name.text);
        let more: String = others.filter(|(name, _)| words.contains(&&**name)).map(|(_, import)| &**import).collect();
        declared.brought_by += &more;
    }
    all
}

/// What a text declares; `brought_by` gives [`Declared::brought_by`] for a name.
pub fn declared_in(text: &str, brought_by: impl Fn(&str) -> String) -> Vec<Declared> {
    let mut sources = Sources::default();
    let id = sources.add("declared.tfm", text, true);
    let items = tfm_lang::syntax::parse(&sources, id).0.items.into_iter();
    let callables = items.filter_map(|item| match item.kind {
        ItemKind::Callable(c) => Some(Declared { brought_by: brought_by(&c.name.text), doc: item.doc, callable: c }),
        _ => None,
    });
    callables.collect()
}

/// Compares the gradient of one declaration with differences, at each of its examples.
///
/// What declares a gradient and no reason not to check it fails when there was nothing to check.
pub fn check_gradient(declared: &Declared) -> Outcome {
    let callable = &declared.callable;
    if let Some(reason) = declared.lines("gradient: not checked,").next() {
        return Outcome::Nothing(reason.into());
    }
    let nothing = |reason: &str| match callable.grad {
        Some(_) => Outcome::Fails(format!("its gradient is not checked: {reason}")),
        None => Outcome::Nothing(reason.into()),
    };
    use CallableKind::{Metric, Model, Optimizer, Schedule};
    match callable.kind {
        Optimizer | Schedule | Metric | Model => return nothing("it is not differentiated"),
        _ if !gives_floats(callable) => return nothing("its result is not floating"),
        _ => {}
    }
    let mut derivatives = 0;
    for example in declared.lines("example:") {
        match at_example(declared, example) {
            Ok(n) => derivatives += n,
            Err(e) => return Outcome::Fails(format!("at {example}: {e}")),
        }
    }
    if derivatives > 0 { Outcome::Agrees(derivatives) } else { nothing("no floating argument moves an example") }
}

/// Compares the gradient of the gradient of one declaration, taken with `gradient(…)`, with differences of the
/// gradient.
pub fn check_second(declared: &Declared) -> Outcome {
    let reasons = ["gradient: not checked,", "second gradient: not checked,"];
    if let Some(reason) = reasons.iter().find_map(|r| declared.lines(r).next()) {
        return Outcome::Nothing(reason.into());
    }
    use CallableKind::{Metric, Model, Optimizer, Schedule};
    if matches!(declared.callable.kind, Optimizer | Schedule | Metric | Model) || !gives_floats(&declared.callable) {
        return Outcome::Nothing("it is not differentiated".into());
    }
    let mut derivatives = 0;
    for example in declared.lines("example:") {
        match probe::of_second(declared, example).and_then(|probe| agree(&probe)) {
            Ok(n) => derivatives += n,
            Err(e) => return Outcome::Fails(format!("at {example}: {e}")),
        }
    }
    match derivatives {
        0 => Outcome::Nothing("its gradient is the same everywhere".into()),
        n => Outcome::Agrees(n),
    }
}

/// How many derivatives of a layer without arguments agree; `body` makes its parameters, of f64, and gives a
/// floating value.
pub fn check_body(body: &str) -> Result<usize, String> {
    agree(&probe::of_body(body))
}

/// How many derivatives agree at one example; 0 where nothing moves its value.
fn at_example(declared: &Declared, example: &str) -> Result<usize, String> {
    agree(&probe::of_example(declared, example)?)
}

fn agree(probe: &probe::Probe) -> Result<usize, String> {
    if probe.parameters == 0 {
        return Ok(0);
    }
    let agree = match lower(&probe.text) {
        Ok(Some((graph, trained))) => descend(graph, &trained, &probe.values),
        Ok(None) => Ok(0),
        Err(e) => Err(e),
    };
    agree.map_err(|e| format!("{e}\n{}", probe.text))
}

/// Whether the declared result can be floating.
fn gives_floats(callable: &Callable) -> bool {
    match &callable.result {
        Some(ResultType::One(ty)) => match &ty.kind {
            TypeKind::Tensor { dtype, .. } => DType::from_name(&dtype.text).is_none_or(|d| d.is_float()),
            _ => false,
        },
        // A loss gives a floating number.
        _ => true,
    }
}

/// The codes of the errors that a loss reaches no parameter, and that a value does not depend on another.
const REACHES_NOTHING: [&str; 2] = ["E0606", "E0803"];

/// The graph of a file and what it trains; `None` when its loss depends on no parameter.
///
/// # Errors
/// What is wrong with the file, a line for each finding.
pub fn lower(text: &str) -> Result<Option<(Graph, Vec<Var>)>, String> {
    let (sources, checked) = check_text("probe.tfm", text, Path::new("."), &Options::default());
    if checked.diagnostics.iter().any(|d| REACHES_NOTHING.contains(&d.code)) {
        return Ok(None);
    }
    let found: Vec<String> = checked.diagnostics.iter().map(|d| one_line(&sources, d)).collect();
    let model = checked.model.ok_or_else(|| found.join("\n"))?;
    let mut graph = build(&model);
    differentiate(&mut graph, &model).map_err(|d| one_line(&sources, &d))?;
    update(&mut graph, &model).map_err(|d| one_line(&sources, &d))?;
    simplify(&mut graph);
    let parameters = (0..).zip(&graph.variables).filter(|(_, v)| v.kind == VariableKind::Parameter);
    let parameters = parameters.map(|(i, _)| Var(i)).collect();
    Ok(Some((graph, parameters)))
}

/// How far apart the ends of a difference are, and how far it may be from the gradient.
struct Precision {
    /// Tried one after the other: where a gradient bends a lot only a small one is near it, elsewhere it is noise.
    steps: &'static [f64],
    tolerance: f64,
}

/// Takes one step and compares where it leads with differences of the loss; gives how many agree.
fn descend(graph: Graph, trained: &[Var], values: &[(String, Vec<f64>)]) -> Result<usize, String> {
    // What passes through f32 on its way has its digits.
    let passes_f32 = graph.nodes.iter().any(|n| n.ty.dtype == DType::F32 && !n.ty.shape.is_empty());
    let precision = match passes_f32 {
        true => Precision { steps: &[1e-2], tolerance: 1e-4 },
        false => Precision { steps: &[1e-5, 1e-7], tolerance: 1e-6 },
    };
    let mut session = Session::new(graph, Cpu::new(1));
    session.set_size("steps_per_epoch", 1);
    session.initialize(1).map_err(|e| e.to_string())?;
    let mut offset = 0;
    for var in trained {
        let path = session.graph().variables[var.0 as usize].path.clone();
        let tensor = &mut session.tensors_mut()[var.0 as usize];
        if tensor.dtype != DType::F64 {
            return Err(format!("`{path}` is of {}, not f64", tensor.dtype));
        }
        let given = values.iter().find(|(name, _)| path.ends_with(&format!(".{name}"))).map(|(_, given)| given);
        for (i, x) in tensor.elements_mut::<f64>().iter_mut().enumerate() {
            offset += 1;
            *x = given.and_then(|g| g.get(i)).copied().unwrap_or(*x) + moved(offset);
        }
    }
    let start = session.tensors().to_vec();
    loss(&mut session, true)?;
    let moved_to = session.tensors().to_vec();
    session.tensors_mut().clone_from_slice(&start);
    let (mut gradients, mut differences, mut all_near) = (Vec::<f64>::new(), Vec::<f64>::new(), true);
    for var in trained.iter().map(|v| v.0 as usize) {
        for (i, (x, after)) in start[var].to_f64().into_iter().zip(moved_to[var].to_f64()).enumerate() {
            let gradient = x - after;
            let near = |d: &f64| (gradient - d).abs() <= precision.tolerance * d.abs().max(1.0);
            let mut at = |x: f64| {
                session.tensors_mut()[var].elements_mut::<f64>()[i] = x;
                loss(&mut session, false)
            };
            let mut tried: Vec<f64> = Vec::new();
            while !tried.last().is_some_and(near) && tried.len() < precision.steps.len() {
                tried.push(difference(&mut at, x, precision.steps[tried.len()])?);
            }
            at(x)?;
            all_near &= tried.last().is_some_and(near);
            gradients.push(gradient);
            differences.extend(tried.last());
        }
    }
    match all_near {
        true => Ok(gradients.len()),
        false => Err(format!("the gradient is   {gradients:?}\ndifferences give  {differences:?}")),
    }
}

/// A difference whose error is of the fourth order: gradients of gradients bend a lot.
fn difference(at: &mut dyn FnMut(f64) -> Result<f64, String>, x: f64, h: f64) -> Result<f64, String> {
    let mut rise = |h: f64| Ok::<f64, String>(at(x + h)? - at(x - h)?);
    Ok((8.0 * rise(h)? - rise(2.0 * h)?) / (12.0 * h))
}

/// Between 0.01 and 0.06, another one for each number, so that none stays whole and no two stay equal.
fn moved(n: usize) -> f64 {
    0.01 + 0.05 * (n as f64 * std::f64::consts::SQRT_2).fract()
}

/// The loss at the parameters as they are; with `assigns` they move.
fn loss(session: &mut Session, assigns: bool) -> Result<f64, String> {
    let context = Context { seed: 1, step: 1 };
    let out = session.run("probe.step", &[], &["loss"], assigns, context).map_err(|e| e.to_string())?;
    Ok(out[0].to_f64()[0])
}
