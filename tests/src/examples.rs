//! Runs the examples in the library's doc comments on a device.

use tfm_lang::check::Example;
use tfm_lang::types::DType;
use tfm_lowering::{build_body, simplify};
use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::Engine;
use tfm_runtime::session::{Context, Session};
use tfm_runtime::tensor::Tensor;

/// Whether both sides agree, once as the body is written and once simplified.
///
/// # Errors
/// What was computed and what the example says, in one line.
pub fn run_example(example: &Example) -> Result<(), String> {
    let sides = [("got", example.got), ("want", example.want)];
    let written = build_body(&example.variables, &example.body, "example", &sides);
    let mut simplified = written.clone();
    simplify(&mut simplified);
    for (form, graph) in [("as written", written), ("simplified", simplified)] {
        let mut session = Session::new(graph, Cpu::new(1));
        session.initialize(1).map_err(|e| format!("{form}: its variables do not start: {e}"))?;
        let context = Context { seed: 1, step: 0 };
        let sides = session.run("example", &[], &["got", "want"], false, context);
        let sides = sides.map_err(|e| format!("{form}: {e}"))?;
        compare(&sides[0], &sides[1]).map_err(|e| format!("{form}: {e}"))?;
    }
    Ok(())
}

/// Equal in shape and dtype; numbers may differ by what the dtype can tell apart.
fn compare(got: &Tensor, want: &Tensor) -> Result<(), String> {
    if got.shape != want.shape || got.dtype != want.dtype {
        return Err(format!("it gives {}{:?}, not {}{:?}", got.dtype, got.shape, want.dtype, want.shape));
    }
    let near = match got.dtype {
        DType::F64 => 1e-6,
        DType::F32 => 1e-5,
        DType::Bf16 | DType::F16 => 1e-2,
        _ => 0.0,
    };
    let (got, want) = (got.to_f64(), want.to_f64());
    // A difference that is not a number is not near.
    match got.iter().zip(&want).all(|(a, b)| (a - b).abs() <= near * b.abs().max(1.0)) {
        true => Ok(()),
        false => Err(format!("it gives {got:?}, not {want:?}")),
    }
}
