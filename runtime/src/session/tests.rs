//! Sessions on a small graph: a line fitted by hand-written descent.

use super::*;

/// `w` moves against the gradient of `sum((x w - y)^2)`; `n` counts steps; `sum` is a metric's state.
const LINE: &str = "\
variable Line.w : f32[3] parameter
variable Line.w/sgd_1.n : f32[] optimizer
variable t.seen_1.sum : f32[] metric
%0 = input x : f32[B, 3]
%1 = input y : f32[B]
%2 = read Line.w : f32[3]  # Line
%3 = broadcast(%2, to: [B, 3]) : f32[B, 3]
%4 = multiply(%0, %3) : f32[B, 3]  # Line
%5 = sum(%4, axis: [1], keep: false) : f32[B]  # Line
%6 = subtract(%5, %1) : f32[B]
%7 = multiply(%6, %6) : f32[B]
%8 = sum(%7, axis: [0], keep: false) : f32[]
%9 = reshape(%6, to: [B, 1]) : f32[B, 1]
%10 = broadcast(%9, to: [B, 3]) : f32[B, 3]
%11 = multiply(%0, %10) : f32[B, 3]
%12 = sum(%11, axis: [0], keep: false) : f32[3]
%13 = constant 0.02 : f32[]
%14 = broadcast(%13, to: [3]) : f32[3]
%15 = multiply(%12, %14) : f32[3]
%16 = subtract(%2, %15) : f32[3]
%17 = read Line.w/sgd_1.n : f32[]
%18 = input step : f32[]
%19 = add(%17, %18) : f32[]
%20 = read t.seen_1.sum : f32[]
%21 = add(%20, %8) : f32[]
%22 = constant 0.5 : f32[]
%23 = broadcast(%22, to: [3]) : f32[3]
%24 = constant 0 : f32[]
%25 = log(%5) : f32[B]  # Line.log_1
%26 = multiply(%5, %6) : f32[B]
%27 = add(%25, %26) : f32[B]
%28 = cast(%27, dtype: f64) : f64[B]
%29 = cast(%28, dtype: f32) : f32[B]
%30 = sum(%29, axis: [0], keep: false) : f32[]
entry init
  assign Line.w = %23
  assign Line.w/sgd_1.n = %24
  assign t.seen_1.sum = %24
entry reset
  assign t.seen_1.sum = %24
entry t.step
  output loss = %8
  output seen = %21
  output logs = %30
  assign Line.w = %16
  assign Line.w/sgd_1.n = %19
  assign t.seen_1.sum = %21
entry t.evaluate
  output loss = %8
  output Line = %5
";

fn session() -> Session {
    let graph: Graph = LINE.parse().unwrap();
    graph.verify("test").unwrap();
    let mut session = Session::new(graph, Cpu::new(1));
    session.initialize(1).unwrap();
    session
}

fn xy(n: usize) -> (Tensor, Tensor) {
    let x: Vec<f32> = (0..n * 3).map(|i| (i % 7) as f32 / 7.0).collect();
    let y: Vec<f32> = (0..n).map(|i| 2.0 * x[3 * i] - x[3 * i + 1] + 0.5 * x[3 * i + 2]).collect();
    (Tensor::of(&[n, 3], &x), Tensor::of(&[n], &y))
}

const FIRST: Context = Context { seed: 1, step: 1 };

fn f32s(t: &Tensor) -> &[f32] {
    t.elements::<f32>()
}

fn call<'a>(
    entry: &'a str,
    feeds: &'a [(&'a str, &'a Tensor)],
    fetches: &'a [&'a str],
    assigns: bool,
    context: Context,
) -> Call<'a> {
    Call { entry, feeds, fetches, assigns, context }
}

#[test]
fn steps_descend_and_plans_are_kept_by_sizes() {
    let mut s = session();
    assert_eq!(f32s(&s.tensors()[0]), [0.5; 3]);
    let mut out = Vec::new();
    let mut losses = Vec::new();
    for step in 1..=400u64 {
        let (x, y) = xy(if step % 4 == 0 { 5 } else { 16 });
        let context = Context { seed: 1, step };
        s.run_into(&call("t.step", &[("x", &x), ("y", &y)], &["loss"], true, context), &mut out).unwrap();
        losses.push(f32s(&out[0])[0]);
    }
    assert!(losses[399] < losses[0] / 50.0, "{} {}", losses[0], losses[399]);
    assert_eq!(s.plans.len(), 2, "one for each batch size; that of the start is let go");
    assert_eq!(f32s(&s.tensors()[1]), [400.0 * 401.0 / 2.0], "`step` is fed from the context");
    let spent = f32s(&s.tensors()[2])[0];
    assert!((spent - losses.iter().sum::<f32>()).abs() < 1e-3 * spent);
    s.reset_metrics().unwrap();
    assert_eq!(f32s(&s.tensors()[2]), [0.0]);
}

#[test]
fn only_what_is_needed_must_be_fed() {
    let mut s = session();
    let (x, y) = xy(4);
    let out = s.run("t.evaluate", &[("x", &x), ("other", &y)], &["Line"], false, FIRST).unwrap();
    let by_hand: Vec<f32> = f32s(&x).chunks(3).map(|r| (r[0] * 0.5 + r[1] * 0.5) + r[2] * 0.5).collect();
    assert!(f32s(&out[0]).iter().zip(&by_hand).all(|(a, b)| (a - b).abs() < 1e-6));
    let mut say = |entry: &str, feeds: &[(&str, &Tensor)], fetch: &str| {
        s.run(entry, feeds, &[fetch], false, FIRST).err().unwrap().to_string()
    };
    assert_eq!(say("t.evaluate", &[("x", &x)], "loss"), "`t.evaluate` needs `y`, which was not fed");
    assert_eq!(say("t.evaluate", &[("x", &x)], "los"), "`t.evaluate` gives no `los`; it gives loss, Line");
    assert_eq!(say("u.step", &[], "loss"), "the graph has no entry `u.step`");
    let short = xy(3).1;
    assert_eq!(
        say("t.evaluate", &[("x", &x), ("y", &short)], "loss"),
        "`y` is fed with size 3 on axis 0, where 4 is expected (`B`)"
    );
}

#[test]
fn without_assigns_nothing_changes() {
    let mut s = session();
    let (x, y) = xy(4);
    s.run("t.step", &[("x", &x), ("y", &y)], &["loss", "seen"], false, FIRST).unwrap();
    assert_eq!(f32s(&s.tensors()[0]), [0.5; 3]);
    assert_eq!(f32s(&s.tensors()[2]), [0.0]);
}

#[test]
fn outputs_take_the_memory_that_fits() {
    let mut s = session();
    let ((x, y), (x2, y2)) = (xy(4), xy(6));
    let mut out = Vec::new();
    s.run_into(&call("t.evaluate", &[("x", &x), ("y", &y)], &["loss", "Line"], false, FIRST), &mut out).unwrap();
    let place = out[1].bytes().as_ptr();
    s.run_into(&call("t.evaluate", &[("x", &x), ("y", &y)], &["loss", "Line"], false, FIRST), &mut out).unwrap();
    assert_eq!(out[1].bytes().as_ptr(), place);
    s.run_into(&call("t.evaluate", &[("x", &x2), ("y", &y2)], &["Line"], false, FIRST), &mut out).unwrap();
    assert_eq!((out.len(), out[0].shape.as_slice()), (1, &[6][..]));
}

#[test]
fn the_operation_behind_a_nan_is_named() {
    let mut s = session();
    let (x, y) = xy(4);
    let feeds = [("x", &x), ("y", &y)];
    assert_eq!(s.first_not_finite(&call("t.step", &feeds, &["loss", "logs"], true, FIRST)).unwrap(), None);
    let negative = Tensor::of::<f32>(&[4, 3], &[-1.0; 12]);
    s.initialize(1).unwrap();
    let cause =
        s.first_not_finite(&call("t.step", &[("x", &negative), ("y", &y)], &["loss", "logs"], true, FIRST)).unwrap();
    let cause = cause.unwrap();
    assert_eq!((cause.operation.as_str(), cause.scope.as_str()), ("log", "Line.log_1"));
    s.initialize(1).unwrap();
    s.tensors_mut()[0].elements_mut::<f32>()[1] = f32::INFINITY;
    let cause = s.first_not_finite(&call("t.step", &feeds, &["loss"], true, FIRST)).unwrap().unwrap();
    assert_eq!(cause.operation, "the value of Line.w");
}
