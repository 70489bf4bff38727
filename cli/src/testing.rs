//! Runs tests: the body of each on the CPU, and what it claims against the values.
//!
//! A failure is a diagnostic at its `expect`, so that it is shown as any other finding.

mod gradient;

use std::path::Path;
use tfm_lang::check::testing::{Claim, ClaimKind, FAILED, Test};
use tfm_lang::check::{Checked, Options, check, library_tests};
use tfm_lang::diagnostic::Diagnostic;
use tfm_lang::model::ValueId;
use tfm_lang::source::{Sources, Span};
use tfm_lang::types::DType;
use tfm_lowering::{build_body, simplify};
use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::Engine;
use tfm_runtime::session::{Context, Session, SessionError};
use tfm_runtime::tensor::Tensor;

/// The seed that parameters and random draws of a test start from.
const SEED: u64 = 1;

/// The entry of a test's graph.
const ENTRY: &str = "test";

/// Elements of a tensor that are shown at most.
const SHOWN: usize = 16;

/// Whether rewriting comes before running.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// The operations as they are written.
    Written,
    /// As training runs them.
    Simplified,
}

/// A file with its tests and the examples of its doc comments.
///
/// # Errors
/// When the file cannot be read.
pub fn tests_of_file(path: &Path) -> std::io::Result<(Sources, Checked)> {
    let text = std::fs::read(path)?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut load = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let mut sources = Sources::default();
    let main = sources.add(path.display().to_string(), String::from_utf8_lossy(&text), false);
    let options = Options { tests: true, ..Options::default() };
    let checked = check(&mut sources, tfm_stdlib::FILES, main, &mut load, &options);
    Ok((sources, checked))
}

/// The library's own tests and examples.
pub fn tests_of_library() -> (Sources, Vec<Test>) {
    let mut sources = Sources::default();
    let tests = library_tests(&mut sources, tfm_stdlib::FILES);
    (sources, tests)
}

/// Runs a test: everything about it that does not hold.
pub fn failures(test: &Test, form: Form) -> Vec<Diagnostic> {
    if !test.diagnostics.is_empty() {
        return test.diagnostics.clone();
    }
    let wanted = test.claims.iter().flat_map(|c| values_of(&c.kind));
    let outputs: Vec<(String, ValueId)> = wanted.enumerate().map(|(i, v)| (i.to_string(), v)).collect();
    let values = match run(test, &outputs, form) {
        Ok(values) => values,
        Err(e) => return vec![not_run(test.span, &e)],
    };
    let mut values = values.into_iter();
    let mut out = Vec::new();
    for claim in &test.claims {
        let own: Vec<Tensor> = values.by_ref().take(values_of(&claim.kind).count()).collect();
        out.extend(judge(test, claim, &own, form));
    }
    out
}

/// What must be computed for a claim.
fn values_of(kind: &ClaimKind) -> impl Iterator<Item = ValueId> {
    let (first, more) = match kind {
        ClaimKind::Decided(_) | ClaimKind::Gradient(_) => (None, None),
        ClaimKind::True { condition, sides } => (Some(*condition), sides.map(|(l, _, r)| [l, r])),
        ClaimKind::Close { got, want, .. } => (Some(*got), Some([*want, *want])),
    };
    first.into_iter().chain(more.into_iter().flatten())
}

fn run(test: &Test, outputs: &[(String, ValueId)], form: Form) -> Result<Vec<Tensor>, SessionError> {
    if outputs.is_empty() {
        return Ok(Vec::new());
    }
    let named: Vec<(&str, ValueId)> = outputs.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    let built = build_body(&test.variables, &test.body, ENTRY, &named, &*test.rules);
    let mut graph = built.map_err(|d| SessionError::Plan(d.message))?;
    if form == Form::Simplified {
        simplify(&mut graph);
    }
    let mut session = start(graph)?;
    let names: Vec<&str> = named.iter().map(|(n, _)| *n).collect();
    session.run(ENTRY, &[], &names, false, Context { seed: SEED, step: 0 })
}

/// A session whose variables have their first values.
fn start(graph: tfm_lowering::graph::Graph) -> Result<Session, SessionError> {
    let mut session = Session::new(graph, Cpu::new(1));
    match session.initialize(SEED) {
        Ok(()) => Ok(session),
        Err(e) => Err(SessionError::Plan(e.to_string())),
    }
}

/// A test whose values cannot be computed: an index out of range, a size that is too large.
fn not_run(span: Span, e: &SessionError) -> Diagnostic {
    let place = match e {
        SessionError::Kernel { cause: Some(cause), .. } => cause.span,
        _ => None,
    };
    let d = Diagnostic::error(FAILED, place.unwrap_or(span), format!("this cannot be computed: {e}"));
    if place.is_some_and(|p| p != span) { d.label(span, "in this test") } else { d }
}

fn judge(test: &Test, claim: &Claim, values: &[Tensor], form: Form) -> Option<Diagnostic> {
    match (&claim.kind, values) {
        (ClaimKind::Decided(found), _) => found.as_deref().cloned(),
        (ClaimKind::True { sides, .. }, [condition, rest @ ..]) => {
            let sides = sides.as_ref().map(|(_, sign, _)| *sign).zip(rest.first().zip(rest.get(1)));
            all_true(claim.span, condition, sides)
        }
        (ClaimKind::Close { tolerance, .. }, [got, want, ..]) => {
            close(claim.span, got, want, *tolerance, test.example.is_some())
        }
        (ClaimKind::Gradient(g), _) => gradient::check(claim.span, g, form),
        _ => None,
    }
}

fn all_true(span: Span, condition: &Tensor, sides: Option<(&str, (&Tensor, &Tensor))>) -> Option<Diagnostic> {
    let truths = condition.to_f64();
    let first = truths.iter().position(|t| *t == 0.0)?;
    let wrong = truths.iter().filter(|t| **t == 0.0).count();
    let message = match truths.len() {
        1 => "this is false".to_string(),
        n => format!("this is false for {wrong} of {n} elements, first {}", place(&condition.shape, first)),
    };
    let mut d = Diagnostic::error(FAILED, span, message).says("expected to hold");
    if let Some((sign, (l, r))) = sides {
        let (a, b) = (number(l.to_f64()[first], l.dtype), number(r.to_f64()[first], r.dtype));
        d = d.note(format!("there it says {a} {sign} {b}"));
        d = d.note(format!("the left side is {}", show(l))).note(format!("the right side is {}", show(r)));
    }
    Some(d)
}

/// How far apart numbers of a dtype may be that are meant to be the same, times 1 or their size.
fn usual_tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-6,
        DType::F32 => 1e-5,
        DType::Bf16 | DType::F16 => 1e-2,
        _ => 0.0,
    }
}

fn close(span: Span, got: &Tensor, want: &Tensor, tolerance: Option<f64>, example: bool) -> Option<Diagnostic> {
    let (first, second) = if example { ("it gives", "the example says") } else { ("the first is", "the second is") };
    let told = |message: String| {
        let d = Diagnostic::error(FAILED, span, message);
        d.note(format!("{first} {}", show(got))).note(format!("{second} {}", show(want)))
    };
    if got.shape != want.shape || got.dtype != want.dtype {
        return Some(told("these are not of one type".into()));
    }
    let near = tolerance.unwrap_or_else(|| usual_tolerance(got.dtype));
    let (a, b) = (got.to_f64(), want.to_f64());
    // A difference that is not a number is as large as can be.
    let off = |i: usize| {
        if a[i] == b[i] { 0.0 } else { Some((a[i] - b[i]).abs()).filter(|d| !d.is_nan()).unwrap_or(f64::INFINITY) }
    };
    let too_far = |i: &usize| off(*i) > near * b[*i].abs().max(1.0);
    let wrong = (0..a.len()).filter(too_far).count();
    let worst = (0..a.len()).filter(too_far).max_by(|i, j| off(*i).total_cmp(&off(*j)))?;
    let pair = format!("{} and {}", number(a[worst], got.dtype), number(b[worst], want.dtype));
    let message = match a.len() {
        1 => format!("these are not close: {pair}"),
        n => format!("{wrong} of {n} elements are not close: {pair} {}", place(&got.shape, worst)),
    };
    let allowed = near * b[worst].abs().max(1.0);
    Some(told(message).says(format!("the largest difference is {}, {} is allowed", short(off(worst)), short(allowed))))
}

/// `at [0, 2]`, or nothing where there is one element.
fn place(shape: &[usize], mut index: usize) -> String {
    let mut at: Vec<String> = Vec::new();
    for n in shape.iter().rev() {
        at.push((index % n).to_string());
        index /= n;
    }
    at.reverse();
    if at.is_empty() { String::new() } else { format!("at [{}]", at.join(", ")) }
}

/// A number with the digits that its dtype has.
fn number(x: f64, dtype: DType) -> String {
    match dtype {
        DType::F64 => x.to_string(),
        DType::Bool => (x != 0.0).to_string(),
        _ => (x as f32).to_string(),
    }
}

/// A difference with as many digits as one wants to know.
fn short(x: f64) -> String {
    let exponent = if x == 0.0 { 0 } else { x.abs().log10().floor() as i32 };
    if (-4..6).contains(&exponent) {
        format!("{x:.*}", (2 - exponent).clamp(0, 6) as usize)
    } else {
        format!("{x:.1e}")
    }
}

/// A tensor: nested lists where it is small, else its type and the first elements.
fn show(t: &Tensor) -> String {
    let elements: Vec<String> = t.to_f64().into_iter().take(SHOWN).map(|x| number(x, t.dtype)).collect();
    if t.size() > SHOWN {
        let shape: Vec<String> = t.shape.iter().map(usize::to_string).collect();
        return format!("{}[{}]: {}, …", t.dtype, shape.join(", "), elements.join(", "));
    }
    let mut parts = elements;
    for n in t.shape.iter().rev() {
        if *n > 0 {
            parts = parts.chunks(*n).map(|row| format!("[{}]", row.join(", "))).collect();
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_they_would_be_written() {
        assert_eq!(show(&Tensor::of::<f32>(&[2, 2], &[0.1, 2.0, -3.0, 4.5])), "[[0.1, 2], [-3, 4.5]]");
        assert_eq!(show(&Tensor::of::<f32>(&[], &[0.25])), "0.25");
        assert_eq!(show(&Tensor::of::<i32>(&[20], &[7; 20])), format!("i32[20]: {}, …", ["7"; 16].join(", ")));
        assert_eq!((place(&[2, 3], 4), place(&[], 0)), ("at [1, 1]".into(), String::new()));
        assert_eq!((short(0.0123456), short(2.5e-9), short(1234.5)), ("0.0123".into(), "2.5e-9".into(), "1234".into()));
    }

    #[test]
    fn close_is_relative_above_one_and_a_nan_is_not_close() {
        let is = |a: f32, b: f32, t| {
            close(Span::default(), &Tensor::of(&[], &[a]), &Tensor::of(&[], &[b]), t, false).is_none()
        };
        assert!(is(1.0, 1.000_009, None) && !is(1.0, 1.0001, None));
        assert!(is(1000.0, 1000.009, None) && !is(0.0, 0.001, None) && is(0.0, 0.001, Some(0.01)));
        assert!(!is(f32::NAN, f32::NAN, Some(1.0)) && is(f32::INFINITY, f32::INFINITY, None));
        assert!(!is(f32::INFINITY, 1.0, Some(1.0)));
    }
}
