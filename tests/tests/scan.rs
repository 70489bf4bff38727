//! `scan` in values and gradients: against the same loop written out by `fold`, against differences, and
//! against numbers that PyTorch gave.

use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::Engine;
use tfm_runtime::session::{Context, Session};
use tfm_tests::gradients::{check_body, lower};

/// A file that takes one step on what the body of a layer gives.
fn file(body: &str) -> String {
    format!(
        "import std.optim.Sgd

data digits = drawn_digits(train: 1, test: 1)

layer Probe()(label: float[B]) {{
{body}
}}

train probe on digits.train {{
  let y = Probe()(f64(label))
  minimize sum(sin(y) * cos(f64(reshape(iota(size(shape(y))), shape(y)))))
  optimizer: Sgd(lr: 1.0)
  batch:     1
  steps:     1
}}
"
    )
}

/// The loss, and the parameters after one step, whose values are fixed numbers before it.
fn step(body: &str) -> (f64, Vec<f64>) {
    let (graph, trained) = lower(&file(body)).unwrap_or_else(|e| panic!("{e}\n{body}")).expect("it trains something");
    let mut session = Session::new(graph, Cpu::new(2));
    session.set_size("steps_per_epoch", 1);
    session.initialize(1).expect("it starts");
    let mut n = 0.0f64;
    for var in &trained {
        for x in session.tensors_mut()[var.0 as usize].elements_mut::<f64>() {
            n += 1.0;
            *x = (n * 0.7).sin() * 0.5;
        }
    }
    let context = Context { seed: 1, step: 1 };
    let out = session.run("probe.step", &[], &["loss"], true, context).unwrap_or_else(|e| panic!("{e}\n{body}"));
    let after = trained.iter().flat_map(|v| session.tensors()[v.0 as usize].to_f64()).collect();
    (out[0].to_f64()[0], after)
}

fn same(scan: &str, fold: &str) {
    let ((a, after), (b, unrolled)) = (step(scan), step(fold));
    assert!((a - b).abs() < 1e-12, "{a} {b}\n{scan}");
    assert!(after.len() == unrolled.len() && !after.is_empty());
    assert!(after.iter().zip(&unrolled).all(|(a, b)| (a - b).abs() < 1e-11), "{after:?}\n{unrolled:?}\n{scan}");
}

const WEIGHTS: &str = "
  param x: float[2, 5, 3] = zeros()
  param w: float[3, 4] = zeros()
  param u: float[4, 4] = zeros()
  param b: float[4] = zeros()
";

#[test]
fn a_scan_is_its_fold() {
    let scan = "
  let (ys, h) = scan h = zeros([2, 4]) for x_t in x axis 1 {
    let h2 = tanh(x_t @ w + h @ u + b)
    yield h2 * h
    h2
  }
  concat([reshape(ys, [40]), reshape(h, [8])])";
    let fold = "
  let (ys, h) = fold ys = [], h = zeros([2, 4]) for t in 0..5 {
    let h2 = tanh(x[:, t] @ w + h @ u + b)
    (ys + [h2 * h], h2)
  }
  concat([reshape(stack(ys, axis: 1), [40]), reshape(h, [8])])";
    same(&format!("{WEIGHTS}{scan}"), &format!("{WEIGHTS}{fold}"));

    let scan = "
  let (h, c) = scan h = zeros([4]), c = b for t in 0..5 { (tanh(sum(h * u, axis: 1)) + c * f64(t), c + h) }
  h + c + x[0, 0, 0] + w[0]";
    let fold = "
  let (h, c) = fold h = zeros([4]), c = b for t in 0..5 { (tanh(sum(h * u, axis: 1)) + c * t, c + h) }
  h + c + x[0, 0, 0] + w[0]";
    same(&format!("{WEIGHTS}{scan}"), &format!("{WEIGHTS}{fold}"));
}

#[test]
fn gradients_of_scans_agree_with_differences() {
    let bodies = [
        // A recurrent net: two captured matrices and a bias.
        "scan h = zeros([2, 4]) for x_t in x axis 1 { tanh(x_t @ w + h @ u + b) }",
        // What is carried starts with a parameter; the matrix is used both ways round.
        "scan h = x[:, 0] @ w for x_t in x axis 1 { tanh(h @ transpose(u) @ u + x_t @ w) } + b",
        // Two tensors walked, two yields, the last axis.
        "let (both, s) = scan s = 0.0 for (a, c) in (x, sin(x)) axis -1 {
    yield (a * c, sum(a, axis: 1) + s)
    s + sum(a * c) * 0.1
  }
  let (p, q) = both
  sum(p) * q + s + sum(w) + sum(u) + sum(b)",
        // A range; what is yielded depends on nothing carried.
        "let (ys, n) = scan n = 0.0 for t in 1..4 { yield b * f64(t); n + 1 }
  sum(ys * n) + sum(x) * sum(w) * sum(u)",
        // A table in the turn, and rows of it by number.
        "let ids = reshape(iota(10), [2, 5]) % 3
  scan h = zeros([2, 4]) for i in ids axis 1 { tanh(w[i] + h @ u) * b } + sum(x)",
        // A scan in a scan, over what the outer one is given and over a captured tensor.
        "scan h = zeros([3]) for x_t in x axis 1 {
    let inner = scan g = h for row in x_t axis 0 { tanh(g + row * 0.5 + sum(w, axis: 1) * sum(u)) }
    inner * 0.9 + sum(b)
  }",
        // Draws in a turn, layers made once, a list, a function on the spot.
        "let noisy = fn(v) { v * random_uniform_like(v) }
  scan h = zeros([2, 4]) for x_t in x axis 1 {
    let parts = [x_t @ w, h @ u]
    noisy(tanh(parts[0] + parts[1])) + b
  }",
        // An integer and a mask are carried too.
        "let (h, n, m) = scan h = zeros([2, 4]), n = i32(0), m = x[:, 0, 0] > 0 for x_t in x axis 1 {
    let v = tanh(x_t @ w + h @ u + b)
    (where(reshape(m, [2, 1]), v, h + 0.1 * v), n + 1, x_t[:, 0] > x_t[:, 1])
  }
  h * f64(n)",
    ];
    for body in bodies {
        let n = check_body(&format!("{WEIGHTS}  {body}\n")).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(n, 30 + 12 + 16 + 4, "{body}");
    }
}

#[test]
fn gradients_are_taken_twice_through_scans() {
    let bodies = [
        "let y = scan h = zeros([2, 4]) for x_t in x axis 1 { tanh(x_t @ w + h @ u + b) }
  let g = gradient(sum(y * y), x)
  sum(g * g)",
        "let g = gradient(sum(scan h = b for t in 0..3 { tanh(sum(h * u, axis: 1)) }), (u, b))
  let (gu, gb) = g
  sum(sin(gu)) + sum(gb * gb) + sum(x) * sum(w)",
        // A gradient in each turn.
        "scan h = zeros([3]) for x_t in x axis 1 {
    let e = sum(tanh(x_t @ w) ^ 2) + sum(h * h * x_t) * sum(u) * sum(b)
    h - 0.1 * gradient(e, h) + sum(gradient(e, x_t), axis: 0)
  }",
    ];
    for body in bodies {
        let n = check_body(&format!("{WEIGHTS}  {body}\n")).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(n, 30 + 12 + 16 + 4, "{body}");
    }
}

#[test]
fn each_turn_draws_differently() {
    let body = "
  param a: float[4] = zeros()
  let (ys, s) = scan s = 0.0 for t in 0..3 { yield random_uniform([4], f64); s }
  let differ = sum(abs(ys[0] - ys[1])) * sum(abs(ys[1] - ys[2])) * sum(abs(ys[0] - ys[2]))
  a + where(differ > 0, 0.5, 0) + s";
    let (loss, _) = step(body);
    let parameter = |i: f64| ((i + 1.0) * 0.7).sin() * 0.5;
    let want: f64 = (0..4).map(|i| (parameter(f64::from(i)) + 0.5).sin() * f64::from(i).cos()).sum();
    assert!((loss - want).abs() < 1e-12, "{loss} {want}");
}
