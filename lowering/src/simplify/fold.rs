//! Arithmetic on literals; the identities stand in [`super::rules`].

use super::Rewriter;
use crate::graph::{Node, Op, Value};
use tfm_lang::dim::Dim;
use tfm_lang::model::Literal;
use tfm_lang::types::DType;

pub(super) fn known_size(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Constant(Literal::Dim(d)) = &node.op else { return None };
    Some(rw.number(d.as_constant()? as f64, node))
}

pub(super) fn cast_size(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let size = match &rw.graph.node(*node.args.first()?).op {
        Op::Constant(Literal::Dim(d)) if node.ty.dtype != DType::Bool => d.clone(),
        _ => return None,
    };
    Some(literal(rw, size, node))
}

fn literal(rw: &mut Rewriter, size: Dim, node: &Node) -> Value {
    rw.write(Node { op: Op::Constant(Literal::Dim(size)), args: Vec::new(), ..node.clone() })
}

pub(super) fn fold(rw: &mut Rewriter, node: &Node) -> Option<Value> {
    let Op::Primitive(name, _) = &node.op else { return None };
    if !node.ty.shape.is_empty() || node.args.is_empty() || node.args.len() > 2 {
        return None;
    }
    let args = node.args.iter().map(|a| {
        let arg = rw.graph.node(*a);
        match arg.op {
            Op::Constant(Literal::Number(x)) => in_dtype(x, arg.ty.dtype),
            _ => None,
        }
    });
    let x = evaluate(name, &args.collect::<Option<Vec<_>>>()?, node.ty.dtype)?;
    Some(rw.number(x, node))
}

/// What an elementwise primitive makes of numbers; `None` where that is not done here.
pub(crate) fn evaluate(name: &str, args: &[f64], dtype: DType) -> Option<f64> {
    let exact = !dtype.is_float();
    let x = match args[..] {
        [x] => unary(name, x, exact)?,
        [a, b] => binary(name, a, b, exact)?,
        _ => return None,
    };
    in_dtype(x, dtype)
}

/// The number rounded to a dtype; `None` where it does not fit, or where the dtype is not one that
/// arithmetic is done in here.
fn in_dtype(x: f64, dtype: DType) -> Option<f64> {
    let whole = |low: f64, high: f64| (x.fract() == 0.0 && low <= x && x <= high).then_some(x);
    match dtype {
        DType::F64 => Some(x),
        DType::F32 => Some(f64::from(x as f32)),
        DType::I64 => whole(-9e15, 9e15),
        DType::I32 => whole(f64::from(i32::MIN), f64::from(i32::MAX)),
        DType::I8 => whole(-128.0, 127.0),
        DType::U8 => whole(0.0, 255.0),
        DType::Bf16 | DType::F16 | DType::Bool => None,
    }
}

fn unary(name: &str, x: f64, whole: bool) -> Option<f64> {
    Some(match name {
        "negate" => -x,
        "abs" => x.abs(),
        "cast" if whole => x.trunc(),
        "cast" => x,
        _ if whole => return None,
        "exp" => x.exp(),
        "log" => x.ln(),
        "sqrt" => x.sqrt(),
        _ => return None,
    })
}

fn binary(name: &str, a: f64, b: f64, whole: bool) -> Option<f64> {
    Some(match name {
        "add" => a + b,
        "subtract" => a - b,
        "multiply" => a * b,
        "maximum" => a.max(b),
        "minimum" => a.min(b),
        "divide" if whole && b == 0.0 => return None,
        "divide" if whole => (a / b).floor(),
        "divide" => a / b,
        "power" => a.powf(b),
        _ => return None,
    })
}
