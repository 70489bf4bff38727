//! The library's own words, kept: every example gives what it says, and every gradient agrees with finite
//! differences in f64. Both come from one list, the doc comments; nothing is written per operation.

use std::collections::BTreeSet;
use std::sync::Arc;
use tfm_lang::check::{Example, Options, examples};
use tfm_lang::model::{Body, GradientRule, Op, Rules, ValueId};
use tfm_lang::source::Sources;
use tfm_lang::types::DType;
use tfm_runtime::tensor::Tensor;
use tfm_tests::evaluate::{Evaluator, Surroundings};
use tfm_tests::{check_file, files, one_line, read, root};

type SharedRules = Arc<dyn Rules + Send + Sync>;

fn rules() -> SharedRules {
    let (_, checked) = check_file(&root().join("examples/01_digits.tfm"), &Options::default());
    checked.model.expect("the first example checks").rules
}

fn all() -> Vec<Example> {
    let mut sources = Sources::default();
    let (good, bad): (Vec<_>, Vec<_>) = examples(&mut sources, tfm_stdlib::FILES).into_iter().partition(Result::is_ok);
    let bad: Vec<String> = bad
        .into_iter()
        .filter_map(Result::err)
        .map(|(name, d)| format!("{name}: {}", one_line(&sources, &d)))
        .collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    good.into_iter().filter_map(Result::ok).collect()
}

#[test]
fn examples_give_what_they_say() {
    let rules = rules();
    let mut wrong = Vec::new();
    let all = all();
    assert!(all.len() > 100, "only {} examples were found", all.len());
    for e in &all {
        let context = Surroundings { variables: e.variables.clone(), rules: rules.clone() };
        let (got, want) = match Evaluator::new(&e.body, &[], &[e.got, e.want], &context).run(&[]) {
            Ok(values) => (values[0].to_f64(), values[1].to_f64()),
            Err(error) => {
                wrong.push(format!("{}: {}: {error}", e.name, e.text));
                continue;
            }
        };
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 2e-7 * b.abs().max(1.0);
        if got.len() != want.len() || !got.iter().zip(&want).all(close) {
            wrong.push(format!("{}: {}: it gives {got:?}", e.name, e.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the files of the library say of gradients: those that have one, and those whose doc comment says why finite
/// differences are not asked.
fn declared() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut differentiable, mut excused) = (BTreeSet::new(), BTreeSet::new());
    for path in files(&root().join("stdlib"), "tfm") {
        for declaration in read(&path).split("\n\n") {
            let head = declaration.lines().find_map(|l| l.strip_prefix("primitive ").or(l.strip_prefix("fn ")));
            let Some((name, _)) = head.and_then(|h| h.split_once('(')) else { continue };
            if declaration.contains("\n/// gradient: not checked") {
                excused.insert(name.to_string());
            } else if declaration.lines().any(|l| l.starts_with("grad {")) {
                differentiable.insert(name.to_string());
            }
        }
    }
    (differentiable, excused)
}

/// An application in an example: the gradient rule that is claimed for it, its arguments, its value.
struct Application {
    name: String,
    rule: Arc<GradientRule>,
    arguments: Vec<ValueId>,
    value: ValueId,
}

/// What the example is of, where it is applied in f64. What else is in the body has an example of its own, at a
/// place where it is smooth.
fn applications(e: &Example, differentiable: &BTreeSet<String>, rules: &SharedRules) -> Vec<Application> {
    let mut out = Vec::new();
    for (i, node) in e.body.nodes.iter().enumerate().filter(|(_, n)| n.ty.dtype == DType::F64) {
        match &node.op {
            Op::Primitive(name, attrs) if **name == *e.name && differentiable.contains(&e.name) => {
                let types: Vec<_> = node.args.iter().map(|a| e.body.ty(*a).clone()).collect();
                let rule = rules.gradient(name, attrs, &types, &node.ty);
                let rule = rule.unwrap_or_else(|d| panic!("{name} in {}: {}: {}", e.text, d.code, d.message));
                let (rule, arguments) = (Arc::new(rule), node.args.clone());
                out.push(Application { name: name.to_string(), rule, arguments, value: ValueId(i as u32) });
            }
            Op::CustomGradient(rule) if differentiable.contains(&e.name) && i as u32 == e.got.0 => {
                let (rule, arguments) = (rule.clone(), node.args[1..].to_vec());
                out.push(Application { name: e.name.clone(), rule, arguments, value: node.args[0] });
            }
            _ => {}
        }
    }
    out
}

#[test]
fn gradients_agree_with_finite_differences() {
    let rules = rules();
    let (differentiable, excused) = declared();
    assert!(differentiable.len() > 40, "only {} gradients were found", differentiable.len());
    let mut checked = BTreeSet::new();
    let mut wrong = Vec::new();
    for e in &all() {
        let everything: Vec<ValueId> = (0..e.body.nodes.len() as u32).map(ValueId).collect();
        let context = Surroundings { variables: e.variables.clone(), rules: rules.clone() };
        let values = Evaluator::new(&e.body, &[], &everything, &context).run(&[]);
        let values = values.unwrap_or_else(|error| panic!("{}: {error}", e.text));
        for application in applications(e, &differentiable, &rules) {
            let name = application.name.clone();
            match disagreement(&e.body, &application, &values, &context) {
                None => {}
                Some(problem) => wrong.push(format!("{name} in {}: {problem}", e.text)),
            }
            checked.insert(name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let missed: Vec<&String> = differentiable.difference(&checked).filter(|n| !excused.contains(*n)).collect();
    assert!(missed.is_empty(), "no example shows the gradient of {missed:?}");
}

/// Where the rule and the differences part, when they do. What is differentiated is the sum of the result with
/// weights that tell its elements apart.
fn disagreement(body: &Body, of: &Application, values: &[Tensor], context: &Surroundings) -> Option<String> {
    let value = |id: ValueId| &values[id.0 as usize];
    let result = value(of.value);
    let dy: Vec<f64> = (0..result.size()).map(|i| 0.3 + 0.7 * (i as f64 + 1.0).sin()).collect();

    let mut fed: Vec<Tensor> = of.arguments.iter().map(|a| value(*a).clone()).collect();
    fed.extend([result.clone(), Tensor::of::<f64>(&result.shape, &dy)]);
    let gradients: Vec<ValueId> = of.rule.outputs.iter().flatten().copied().collect();
    let claimed = Evaluator::new(&of.rule.body, &of.rule.inputs, &gradients, context).run(&fed);
    let mut claimed = match claimed {
        Ok(claimed) => claimed.into_iter(),
        Err(error) => return Some(error),
    };

    // An argument given twice moves in both places.
    let mut distinct: Vec<ValueId> = Vec::new();
    let mut sums: Vec<Vec<f64>> = Vec::new();
    for (argument, output) in of.arguments.iter().zip(&of.rule.outputs).filter(|(_, o)| o.is_some()) {
        let gradient = claimed.next().map(|t| t.to_f64());
        let (Some(_), Some(gradient)) = (output, gradient) else { return Some("a gradient is missing".into()) };
        match distinct.iter().position(|d| d == argument) {
            Some(at) => sums[at].iter_mut().zip(gradient).for_each(|(a, b)| *a += b),
            None => {
                distinct.push(*argument);
                sums.push(gradient);
            }
        }
    }
    let mut machine = Evaluator::new(body, &distinct, &[of.value], context);
    let start: Vec<Tensor> = distinct.iter().map(|d| value(*d).clone()).collect();
    let mut at = |which: usize, element: usize, to: f64| -> Result<Vec<f64>, String> {
        let mut moved = start.clone();
        moved[which].elements_mut::<f64>()[element] = to;
        Ok(machine.run(&moved)?[0].to_f64())
    };
    for (which, sum) in sums.iter().enumerate() {
        if start[which].size() != sum.len() {
            return Some(format!("argument {which} has {} elements, its gradient {}", start[which].size(), sum.len()));
        }
        for (element, claimed) in sum.iter().enumerate() {
            let x = start[which].elements::<f64>()[element];
            let h = 1e-6 * x.abs().max(1.0);
            let (above, below) = match (at(which, element, x + h), at(which, element, x - h)) {
                (Ok(above), Ok(below)) => (above, below),
                (Err(error), _) | (_, Err(error)) => return Some(error),
            };
            let rise = above.iter().zip(&below).zip(&dy).map(|((a, b), w)| (a - b) * w);
            let measured = rise.sum::<f64>() / (2.0 * h);
            if (measured - claimed).abs() > 1e-6 * measured.abs().max(1.0) {
                return Some(format!("element {element} of argument {which}: {claimed} claimed, {measured} measured"));
            }
        }
    }
    None
}
