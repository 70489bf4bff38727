//! From an example of the library to a file that trains what stands in place of its arguments.

use crate::gradients::Declared;
use std::fmt::Write as _;
use tfm_lang::source::{Sources, Span};
use tfm_lang::syntax::ast::{Arg, CallableKind, Expr, ExprKind, Param, TypeExpr, TypeKind, UnaryOp};

/// A file to be trained for one step.
pub struct Probe {
    /// The file.
    pub text: String,
    /// The number of parameters that it trains: those in place of arguments, and those of a layer.
    pub parameters: usize,
    /// What the parameters in place of arguments start at.
    pub values: Vec<(String, Vec<f64>)>,
}

/// A number or a list in the text, as a tensor.
struct Tensor {
    place: Span,
    shape: Vec<usize>,
    elements: Vec<f64>,
}

/// The file that trains the floating arguments of an example, `softmax([0, 1]) is [0.27, 0.73]`.
///
/// # Errors
/// When the example does not apply what it is an example of, or to something that is not a literal.
pub fn of_example(declared: &Declared, example: &str) -> Result<Probe, String> {
    written(declared, example, &|value, _| format!("  {value}\n"))
}

/// The file that descends the gradients in the floating arguments of an example.
///
/// # Errors
/// Those of [`of_example`].
pub fn of_second(declared: &Declared, example: &str) -> Result<Probe, String> {
    let mut probe = written(declared, example, &|value, arguments| {
        let mut body = format!("  let y = {value}\n  let first = sum(sin(f64(y)) * {})\n", weights("y"));
        for i in 0..arguments {
            writeln!(body, "  let g{i} = gradient(first, a{i})").expect("a string can be written");
        }
        let sums: Vec<String> = (0..arguments).map(|i| format!("sum(g{i} * {})", weights(&format!("g{i}")))).collect();
        writeln!(body, "  {}", if sums.is_empty() { "0.0".into() } else { sums.join(" + ") })
            .expect("a string can be written");
        body
    })?;
    if probe.values.is_empty() {
        probe.parameters = 0;
    }
    Ok(probe)
}

/// The file that trains the parameters that a body makes.
pub fn of_body(body: &str) -> Probe {
    Probe { text: file_around("", body), parameters: 1, values: Vec::new() }
}

/// A number of its own for each element of a value.
fn weights(value: &str) -> String {
    format!("cos(1.3 * f64(reshape(iota(size(shape({value}))), shape({value}))) + 0.4)")
}

fn written(declared: &Declared, example: &str, body: &dyn Fn(&str, usize) -> String) -> Result<Probe, String> {
    let callable = &declared.callable;
    let name = &callable.name.text;
    let text = example.split(" is ").next().unwrap_or(example);
    let mut sources = Sources::default();
    let file = sources.add("example", text, true);
    let whole = tfm_lang::syntax::parse_expression(&sources, file).map_err(|d| d.message)?;
    let (call, args) = application(&whole, name).ok_or_else(|| format!("`{text}` does not apply `{name}`"))?;
    let mut tensors = Vec::new();
    for (i, arg) in args.iter().enumerate() {
        if let Some(ty) = parameter(&callable.inputs, i, arg).and_then(|p| p.ty.as_ref()) {
            floats(ty, &arg.value, &mut tensors)?;
        }
    }
    let mut written = text[call.span.start as usize..call.span.end as usize].to_string();
    let mut params = String::new();
    // From the last to the first, so that the places of those before stay right.
    for (i, tensor) in tensors.iter().enumerate().rev() {
        let at = (tensor.place.start - call.span.start) as usize..(tensor.place.end - call.span.start) as usize;
        written.replace_range(at, &format!("a{i}"));
    }
    for (i, tensor) in tensors.iter().enumerate() {
        writeln!(params, "  param a{i}: f64{:?} = zeros()", tensor.shape).expect("a string can be written");
    }
    let own = if callable.kind == CallableKind::Layer { 1 } else { 0 };
    let values = tensors.into_iter().enumerate().map(|(i, t)| (format!("a{i}"), t.elements)).collect::<Vec<_>>();
    let body = params + &body(&written, values.len());
    Ok(Probe { parameters: values.len() + own, text: file_around(&declared.brought_by, &body), values })
}

/// A file that descends the sum of the sines of a value's elements, each times a number of its own. The sine
/// makes the gradient depend on the value, and keeps the -1e30 of a mask from hiding the other elements.
fn file_around(brought_by: &str, body: &str) -> String {
    let weights = weights("y");
    format!(
        "import std.optim.Sgd
{brought_by}

data digits = drawn_digits(train: 1, test: 1)

layer Probe()(label: float[B]) {{
{body}}}

train probe on digits.train {{
  let y = Probe()(f64(label))

  minimize sum(sin(f64(y)) * {weights})

  optimizer: Sgd(lr: 1.0)
  batch:     1
  steps:     1
}}
"
    )
}

/// Where an expression applies this name: the call and the list it is applied to.
fn application<'a>(e: &'a Expr, name: &str) -> Option<(&'a Expr, &'a [Arg])> {
    match &*e.kind {
        ExprKind::Call(callee, args) => {
            let inner = match &*callee.kind {
                ExprKind::Call(made, _) => made,
                _ => callee,
            };
            if matches!(&*inner.kind, ExprKind::Name(n) if n == name) {
                return Some((e, args));
            }
            args.iter().find_map(|arg| application(&arg.value, name))
        }
        // One of several results.
        ExprKind::Index(of, _) => application(of, name).map(|(_, args)| (e, args)),
        _ => None,
    }
}

/// The parameter that an argument is for.
fn parameter<'a>(params: &'a [Param], i: usize, arg: &Arg) -> Option<&'a Param> {
    match &arg.name {
        Some(name) => params.iter().find(|p| p.name.text == name.text),
        None => params.get(i),
    }
}

/// Adds the floating tensors of an argument of this type.
fn floats(ty: &TypeExpr, e: &Expr, tensors: &mut Vec<Tensor>) -> Result<(), String> {
    match (&ty.kind, &*e.kind) {
        (TypeKind::List(element), ExprKind::List(items)) => {
            items.iter().try_for_each(|item| floats(element, item, tensors))
        }
        (TypeKind::Tensor { dtype, .. }, _) if matches!(&*dtype.text, "float" | "number" | "any") => {
            let mut tensor = Tensor { place: e.span, shape: Vec::new(), elements: Vec::new() };
            if read(e, 0, &mut tensor)? {
                tensors.push(tensor);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Reads a literal at this depth of lists; false for one of truths.
fn read(e: &Expr, depth: usize, into: &mut Tensor) -> Result<bool, String> {
    match &*e.kind {
        ExprKind::Int(n) => into.elements.push(*n as f64),
        ExprKind::Float(x) => into.elements.push(*x),
        ExprKind::Bool(_) => return Ok(false),
        ExprKind::Unary(UnaryOp::Neg, e) => {
            let floating = read(e, depth, into)?;
            into.elements.iter_mut().last().into_iter().for_each(|x| *x = -*x);
            return Ok(floating);
        }
        ExprKind::List(items) => {
            if into.shape.len() == depth {
                into.shape.push(items.len());
            }
            for item in items {
                if !read(item, depth + 1, into)? {
                    return Ok(false);
                }
            }
        }
        ExprKind::Call(callee, args) if matches!(&*callee.kind, ExprKind::Name(n) if n == "zeros" || n == "ones") => {
            let mut sizes = Tensor { place: e.span, shape: Vec::new(), elements: Vec::new() };
            let shape = args.first().ok_or("`zeros` and `ones` take a shape")?;
            let filled = if matches!(&*callee.kind, ExprKind::Name(n) if n == "ones") { 1.0 } else { 0.0 };
            read(&shape.value, 0, &mut sizes)?;
            into.shape = sizes.elements.iter().map(|n| *n as usize).collect();
            into.elements = vec![filled; into.shape.iter().product()];
        }
        _ => return Err("an argument of the example is neither a number nor a list of them".into()),
    }
    Ok(true)
}
