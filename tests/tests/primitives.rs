//! The library's doc comments are true: every example gives what it says, and every gradient agrees with
//! differences. All from the `.tfm` files; nothing is written here about any one operation.

use tfm::testing::tests_of_library;
use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::Engine;
use tfm_runtime::session::{Context, Session};
use tfm_runtime::tensor::Tensor;
use tfm_tests::examples::run_test;
use tfm_tests::gradients::{Outcome, check_gradient, check_second, declared_in, library, lower};

#[test]
fn every_test_and_example_of_the_library_holds() {
    let (sources, tests) = tests_of_library();
    let wrong: Vec<String> = tests.iter().flat_map(|test| run_test(&sources, test)).collect();
    println!("{} tests and examples", tests.len());
    assert!(wrong.is_empty(), "of {} tests and examples:\n{}", tests.len(), wrong.join("\n"));
    let examples = tests.iter().filter(|t| t.example.is_some()).count();
    assert_eq!(examples, library().iter().map(|d| d.lines("example:").count()).sum::<usize>());
}

#[test]
fn every_gradient_of_the_library_agrees_with_differences() {
    let (mut agreeing, mut derivatives, mut wrong) = (0, 0, Vec::new());
    for declared in library() {
        let name = &declared.callable.name.text;
        match check_gradient(&declared) {
            Outcome::Agrees(n) => {
                println!("{name}: {n} derivatives");
                agreeing += 1;
                derivatives += n;
            }
            Outcome::Nothing(reason) => println!("{name}: not checked, {reason}"),
            Outcome::Fails(e) => wrong.push(format!("{name}: {e}")),
        }
    }
    println!("{agreeing} gradients, {derivatives} derivatives");
    assert!(agreeing > 50, "only {agreeing} gradients were checked");
    assert!(wrong.is_empty(), "{} gradients:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_second_gradient_of_the_library_agrees_with_differences() {
    let (mut agreeing, mut derivatives, mut wrong) = (0, 0, Vec::new());
    for declared in library() {
        let name = &declared.callable.name.text;
        match check_second(&declared) {
            Outcome::Agrees(n) => {
                agreeing += 1;
                derivatives += n;
            }
            Outcome::Nothing(reason) => println!("{name}: not checked, {reason}"),
            Outcome::Fails(e) => wrong.push(format!("{name}: {e}")),
        }
    }
    println!("{agreeing} second gradients, {derivatives} derivatives");
    assert!(agreeing > 40, "only {agreeing} second gradients were checked");
    assert!(wrong.is_empty(), "{} second gradients:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_wrong_gradient_is_found() {
    let check = |text: &str| {
        let declared = declared_in(text, |_| text.to_string());
        check_gradient(&declared[0])
    };
    let square = "/// example: square([1, 2]) is [1, 4]\nfn square(x: float[..S]) -> float[..S] { x * x }\n";
    assert!(matches!(check(square), Outcome::Agrees(2)));
    assert!(matches!(check(&format!("{square}grad {{ 2 * dy * x }}\n")), Outcome::Agrees(2)));
    let Outcome::Fails(said) = check(&format!("{square}grad {{ 2.0001 * dy * x }}\n")) else {
        panic!("a gradient that is off by a half of a tenth of a thousandth agrees");
    };
    assert!(said.starts_with("at square([1, 2]) is [1, 4]: the gradient is "), "{said}");
    let unchecked = "/// example: half(2) is 1\nfn half(x: int) -> float[] { 0.5 * x }\ngrad { 0 }\n";
    assert!(matches!(check(unchecked), Outcome::Fails(_)));
}

#[test]
fn optimizers_move_parameters_of_f64() {
    let text = "\
import std.optim.{Adam, Sgd, clip_norm}
import std.schedules.{linear, warmup}

data digits = drawn_digits(train: 1, test: 1)

layer Square()(x: float[B]) {
  param a: f64[2] = ones()
  sum(a * a) + 0 * sum(x)
}

train squared on digits.train {
  minimize Square()(f64(label))

  optimizer: OPTIMIZER
  batch: 1
  steps: 2
}
";
    // The first steps from 1, where the gradient is 2.
    let optimizers = [
        ("Sgd(lr: linear(0.25))", 0.5),
        ("Sgd(lr: warmup(0.25, over: 2 steps), momentum: 0.9)", 0.75),
        ("Adam(lr: linear(0.25)) |> clip_norm(1.0)", 0.75),
    ];
    for (optimizer, moved_to) in optimizers {
        let (graph, _) = lower(&text.replace("OPTIMIZER", optimizer)).expect(optimizer).expect("it has a parameter");
        let mut session = Session::new(graph, Cpu::new(1));
        session.set_size("steps_per_epoch", 1);
        session.initialize(1).expect("it starts");
        let label = Tensor::of(&[1], &[3i32]);
        let context = Context { seed: 1, step: 1 };
        session.run("squared.step", &[("label", &label)], &[], true, context).expect(optimizer);
        let a = session.tensors()[0].to_f64();
        assert!(a.iter().all(|a| (a - moved_to).abs() < 1e-6), "{optimizer}: {a:?}");
    }
}
