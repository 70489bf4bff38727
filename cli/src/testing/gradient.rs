//! `expect gradient(f)`: the derivatives as training computes them, against central differences.

use super::{ENTRY, Form, SEED, not_run, place, start};
use tfm_lang::check::testing::{FAILED, GradientClaim};
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::source::Span;
use tfm_lang::types::DType;
use tfm_lowering::{build_gradients, simplify};
use tfm_runtime::session::{Context, Session, SessionError};
use tfm_runtime::tensor::Tensor;

/// Elements of one argument or parameter that are moved, spread evenly over it.
const MOVED: usize = 32;

/// How far apart the ends of a difference are, and how far it may be from the gradient, times 1 or its size.
struct Precision {
    step: f64,
    tolerance: f64,
}

/// One derivative.
struct Derivative {
    of: usize,
    at: usize,
    gradient: f64,
    difference: f64,
}

/// What does not agree, when something does not.
pub(super) fn check(span: Span, claim: &GradientClaim, form: Form) -> Option<Diagnostic> {
    let built = build_gradients(&claim.variables, &claim.body, ENTRY, claim.loss, &claim.parameters, &*claim.rules);
    let mut graph = match built {
        Ok(graph) => graph,
        Err(d) => return Some(Diagnostic { code: FAILED, ..d }.label(span, "its gradient is wanted here")),
    };
    if form == Form::Simplified {
        simplify(&mut graph);
    }
    // What passes through f32 on its way has its digits.
    let passes_f32 = graph.nodes.iter().any(|n| n.ty.dtype == DType::F32 && !n.ty.shape.is_empty());
    let precision = match passes_f32 {
        true => Precision { step: 1e-2, tolerance: 2e-3 },
        false => Precision { step: 1e-5, tolerance: 1e-6 },
    };
    let found = match start(graph).and_then(|mut session| derivatives(&mut session, claim, precision.step)) {
        Ok(found) => found,
        Err(e) => return Some(not_run(span, &e)),
    };
    let path = |d: &Derivative| &claim.variables[claim.parameters[d.of].0 as usize].path;
    let shape = |d: &Derivative| -> Vec<usize> {
        let ty = &claim.variables[claim.parameters[d.of].0 as usize].ty;
        ty.shape.iter().map(|a| a.dim.as_constant().unwrap_or(1) as usize).collect()
    };
    let at = |d: &Derivative| format!("`{}` {}", path(d), place(&shape(d), d.at)).trim_end().to_string();
    if let Some(d) = found.iter().find(|d| !d.gradient.is_finite() || !d.difference.is_finite()) {
        let message = format!("the gradient in {} is {}, differences give {}", at(d), d.gradient, d.difference);
        let d = Diagnostic::error(FAILED, span, message);
        return Some(d.help("choose arguments where the function is defined: `expect gradient(f, x)`"));
    }
    let off = |d: &Derivative| (d.gradient - d.difference).abs() / d.difference.abs().max(1.0);
    let wrong = found.iter().filter(|d| off(d) > precision.tolerance);
    let count = wrong.clone().count();
    let worst = wrong.max_by(|a, b| off(a).total_cmp(&off(b)))?;
    let message =
        format!("the gradient in {} is {:.6}, differences give {:.6}", at(worst), worst.gradient, worst.difference);
    let d = Diagnostic::error(FAILED, span, message);
    let d = d.says(format!("{count} of {} derivatives disagree", found.len()));
    Some(d.note("the scalar is the sum of the sines of what the function gives, each times a number of its own"))
}

/// The derivatives in each parameter, at its first value.
fn derivatives(session: &mut Session, claim: &GradientClaim, step: f64) -> Result<Vec<Derivative>, SessionError> {
    let names: Vec<String> = claim.parameters.iter().map(|p| format!("gradient {}", p.0)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let context = Context { seed: SEED, step: 0 };
    let gradients = session.run(ENTRY, &[], &names, false, context)?;
    let mut out = Vec::new();
    for (of, gradient) in gradients.iter().enumerate() {
        let gradient = gradient.to_f64();
        for at in (0..gradient.len()).step_by(gradient.len().div_ceil(MOVED).max(1)) {
            let var = claim.parameters[of].0 as usize;
            let mut moved = |by: f64, undo: bool| -> Result<(f64, f64), SessionError> {
                let tensor = &mut tfm_runtime::run::Engine::tensors_mut(session)[var];
                let (before, x) = shift(tensor, at, by);
                let loss = session.run(ENTRY, &[], &["loss"], false, context)?[0].to_f64()[0];
                if undo {
                    set(&mut tfm_runtime::run::Engine::tensors_mut(session)[var], at, before);
                }
                Ok((loss, x))
            };
            let (high, right) = moved(step, true)?;
            let (low, left) = moved(-step, true)?;
            out.push(Derivative { of, at, gradient: gradient[at], difference: (high - low) / (right - left) });
        }
    }
    Ok(out)
}

/// Moves an element, and gives it before and after, as the dtype could hold it.
fn shift(tensor: &mut Tensor, at: usize, by: f64) -> (f64, f64) {
    let before = tensor.to_f64()[at];
    set(tensor, at, before + by);
    (before, tensor.to_f64()[at])
}

fn set(tensor: &mut Tensor, at: usize, x: f64) {
    match tensor.dtype {
        DType::F64 => tensor.elements_mut::<f64>()[at] = x,
        DType::F32 => tensor.elements_mut::<f32>()[at] = x as f32,
        // Arguments are made in f64 or f32; a parameter of another dtype stays, and its difference is not a number.
        _ => {}
    }
}
