//! `where` makes no NaN from the branch that it does not take, and `stop_gradient` stops.

use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::Engine;
use tfm_runtime::session::{Context, Session};
use tfm_tests::gradients::lower;

/// The gradient of the sum of a body in its parameter `a`, a row of numbers.
fn gradient(body: &str, a: &[f64]) -> Vec<f64> {
    let n = a.len();
    let text = format!(
        "import std.optim.Sgd

data digits = drawn_digits(train: 1, test: 1)

layer Probe()(label: float[B]) {{
  param a: float[{n}] = zeros()
  sum({body})
}}

train probe on digits.train {{
  minimize Probe()(f64(label))
  optimizer: Sgd(lr: 1.0)
  batch:     1
  steps:     1
}}
"
    );
    let (graph, _) = lower(&text).unwrap_or_else(|e| panic!("{e}\n{text}")).expect("it trains `a`");
    let mut session = Session::new(graph, Cpu::new(1));
    session.set_size("steps_per_epoch", 1);
    session.initialize(1).expect("it starts");
    session.tensors_mut()[0].elements_mut::<f64>().copy_from_slice(a);
    session.run("probe.step", &[], &[], true, Context { seed: 1, step: 1 }).expect(body);
    a.iter().zip(session.tensors()[0].to_f64()).map(|(before, after)| before - after).collect()
}

fn check(body: &str, a: &[f64], want: &[f64]) {
    let got = gradient(body, a);
    let near = got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-9);
    assert!(near, "{body} at {a:?} has the gradient {got:?}, not {want:?}");
}

const AT: &[f64] = &[0.0, 1.0, 2.0];

#[test]
fn the_branch_that_is_not_taken_makes_no_nan() {
    check("where(a > 0, log(a), 0)", AT, &[0.0, 1.0, 0.5]);
    check("where(a > 0, sqrt(a), 0)", AT, &[0.0, 0.5, 0.5 / 2f64.sqrt()]);
    check("where(a != 0, 1 / a, 0)", AT, &[0.0, -1.0, -0.25]);
    check("where(a == 0, 0, 1 / a)", AT, &[0.0, -1.0, -0.25]);
    check("where(a > 0, a * log(a), 0)", AT, &[0.0, 1.0, 2f64.ln() + 1.0]);
    check("where(a > 0, a ^ 0.5, a)", AT, &[1.0, 0.5, 0.5 / 2f64.sqrt()]);
    // Several rules behind each other, and the operand used in two branches.
    check("where(a > 0, sqrt(log(1 / (1 / a)) + 1), 3 * a)", AT, &[3.0, 0.5, 0.25 / (2f64.ln() + 1.0).sqrt()]);
    check("where(a > 1.5, where(a > 0, log(a), 0), a)", AT, &[1.0, 1.0, 0.5]);
    check("where(a > 0, where(a > 1.5, sqrt(a - 1.5), 1 / a), 0)", AT, &[0.0, -1.0, 0.5 / 0.5f64.sqrt()]);
    // What two masks share: the gradient is masked by either.
    check("where(a > 0, log(a), 0) + where(a > 1.5, log(a) * 2, 0)", AT, &[0.0, 1.0, 1.5]);
}

#[test]
fn a_vector_of_length_0_has_a_gradient() {
    let n = "sqrt(sum(a * a))";
    let zero = [0.0; 3];
    check(&format!("where({n} > 0, a / {n}, 0)"), &zero, &zero);
    check(
        "where(sqrt(sum(a * a, axis: 0, keep: true)) > 0, a / sqrt(sum(a * a, axis: 0, keep: true)), 0)",
        &zero,
        &zero,
    );
    check("where(reshape(sqrt(a), [1, 3]) > 0, reshape(sqrt(a), [1, 3]), 0)", &zero, &zero);
    check("where(transpose(reshape(a, [1, 3])) > 0, transpose(reshape(log(a), [1, 3])), 0)", &zero, &zero);
    // The norm is broadcast, the mask is not: it holds where one of its places does.
    check("where(a > 1, a * sqrt(sum(a)), a)", &zero, &[1.0; 3]);
}

#[test]
fn the_second_gradient_is_masked_too() {
    let twice = |body: &str| format!("gradient(sum({body}), a) * a");
    check(&twice("where(a > 0, log(a), 0)"), AT, &[0.0, 0.0, 0.0]);
    // d(a * 0.5 / sqrt(a)) = 0.25 / sqrt(a)
    check(&twice("where(a > 0, sqrt(a), 0)"), AT, &[0.0, 0.25, 0.25 / 2f64.sqrt()]);
    check(&twice("where(a != 0, 1 / a, 0)"), AT, &[0.0, 1.0, 0.25]);
}

#[test]
fn nothing_goes_back_through_stop_gradient() {
    check("stop_gradient(a) * a", AT, AT);
    check("stop_gradient(a * a) + a", AT, &[1.0, 1.0, 1.0]);
    check("gradient(sum(a * a * stop_gradient(a)), a)", AT, &[0.0, 2.0, 4.0]);
}
