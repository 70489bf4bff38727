//! The library's doc comments are true: every example gives what it says, and every gradient agrees with
//! differences. All from the `.tfm` files; nothing is written here about any one operation.

use tfm_lang::source::Sources;
use tfm_tests::examples::run_example;
use tfm_tests::gradients::{Outcome, check_gradient, declared_in, library};
use tfm_tests::one_line;

#[test]
fn every_example_of_the_library_is_true() {
    let mut sources = Sources::default();
    let examples = tfm_lang::check::examples(&mut sources, tfm_stdlib::FILES);
    let mut wrong = Vec::new();
    for example in &examples {
        match example {
            Ok(example) => {
                let ran = run_example(example);
                wrong.extend(ran.err().map(|e| format!("{}: {}: {e}", example.name, example.text)));
            }
            Err((text, d)) => wrong.push(format!("{text}: {}", one_line(&sources, d))),
        }
    }
    println!("{} examples", examples.len());
    assert!(wrong.is_empty(), "{} of {} examples:\n{}", wrong.len(), examples.len(), wrong.join("\n"));
    assert!(examples.len() >= library().iter().filter(|d| d.lines("example:").next().is_some()).count());
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
