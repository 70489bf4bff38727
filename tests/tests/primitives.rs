//! The library's doc comments are true: every example gives what it says, and every gradient agrees with
//! differences. All from the `.tfm` files; nothing is written here about any one operation.

use tfm_lang::source::Sources;
use tfm_lang::syntax::ast::CallableKind;
use tfm_tests::examples::run_example;
use tfm_tests::gradients::{Outcome, check_gradient, library};
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
    assert!(wrong.is_empty(), "{} gradients:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_declares_a_gradient_has_it_checked() {
    for declared in library().iter().filter(|d| d.callable.grad.is_some()) {
        let stated = declared.lines("gradient: not checked,").next().is_some();
        let checked = matches!(check_gradient(declared), Outcome::Agrees(n) if n > 0);
        assert!(checked != stated, "{}: its gradient is neither checked nor excused", declared.callable.name.text);
    }
}

#[test]
fn every_primitive_is_computed_or_a_view() {
    let primitives: Vec<_> = library().into_iter().filter(|d| d.callable.kind == CallableKind::Primitive).collect();
    assert!(primitives.len() > 50, "only {} primitives were found", primitives.len());
    for declared in primitives {
        let name = declared.callable.name.text.as_str();
        assert!(declared.lines("example:").next().is_some(), "`{name}` has no example");
        let computed = tfm_runtime::cpu::names().any(|kernel| kernel == name);
        let moved = tfm_lowering::plan::views::movement(name).is_some();
        assert!(computed || moved, "`{name}` has no kernel and is no view");
    }
}
