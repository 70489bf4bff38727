//! Random nets that are right by how they are made: each must check, run, and give at every stage the shape that
//! the checker wrote down, which must be the one that the generator worked out by itself.

use std::fmt::Write as _;
use std::path::Path;
use tfm_lang::check::Options;
use tfm_tests::mutate::Random;
use tfm_tests::two_steps::{Outcome, two_steps};
use tfm_tests::{check_text, one_line};

const NETS: u64 = 60;

/// A stage that can stand behind this shape (without the batch): its expression over `x`, and what it gives.
fn stage(shape: &[usize], random: &mut Random) -> (String, Vec<usize>) {
    match *shape {
        [c, h, w] if random.below(6) > 0 => image(c, h, w, random),
        [c, h, w] => match random.below(3) {
            0 => ("x |> flatten".into(), vec![c * h * w]),
            1 => ("rearrange(x, `b c h w -> b (h w) c`)".into(), vec![h * w, c]),
            _ => ("x |> mean(axis: [2, 3])".into(), vec![c]),
        },
        [t, d] => sequence(t, d, random),
        [d] => row(d, random),
        _ => ("x".into(), shape.to_vec()),
    }
}

fn image(c: usize, h: usize, w: usize, random: &mut Random) -> (String, Vec<usize>) {
    let least = h.min(w);
    let kernel = 1 + random.below(least.min(4));
    let (stride, pad, channels) = (1 + random.below(3), random.below(kernel / 2 + 1), 1 + random.below(6));
    let after = |n: usize| (n + 2 * pad - kernel) / stride + 1;
    let pool = if random.below(2) == 0 { "MaxPool2d" } else { "AvgPool2d" };
    match random.below(8) {
        0 | 1 => (
            format!("x |> Conv2d({channels}, kernel: {kernel}, stride: {stride}, pad: {pad}) |> relu"),
            vec![channels, after(h), after(w)],
        ),
        2 => (format!("x |> {pool}({kernel}, stride: {stride}, pad: {pad})"), vec![c, after(h), after(w)]),
        3 => ("x |> BatchNorm() |> tanh".into(), vec![c, h, w]),
        4 => (format!("concat([x, x[:, 0:{}]], axis: 1)", 1 + c / 2), vec![c + 1 + c / 2, h, w]),
        5 => ("rearrange(x, `b c h w -> b c w h`) |> Dropout(0.2)".into(), vec![c, w, h]),
        6 => (format!("x |> GroupNorm({c}) |> gelu"), vec![c, h, w]),
        _ => (format!("x[:, :, {}:, :]", (h - 1) / 2), vec![c, h - (h - 1) / 2, w]),
    }
}

fn sequence(t: usize, d: usize, random: &mut Random) -> (String, Vec<usize>) {
    let units = 1 + random.below(12);
    let heads = (1..=d.min(4)).filter(|n| d.is_multiple_of(*n)).nth(random.below(2)).unwrap_or(1);
    match random.below(9) {
        0 => (format!("x |> Dense({units}, relu)"), vec![t, units]),
        1 => ("x |> LayerNorm()".into(), vec![t, d]),
        2 => (format!("x + softmax(x |> Dense({d}), axis: -1)"), vec![t, d]),
        3 => (format!("x |> Attention({heads})"), vec![t, d]),
        4 => ("rearrange(x, `b t d -> b (d t)`)".into(), vec![t * d]),
        5 => ("x |> mean(axis: 1)".into(), vec![d]),
        6 => ("cumsum(x, axis: 1) * 0.5".into(), vec![t, d]),
        7 => ("x |> max(axis: -1)".into(), vec![t]),
        _ => (format!("let h = fold h = x for i in 0..2 {{ h |> Dense({units}) }}\n  h"), vec![t, units]),
    }
}

fn row(d: usize, random: &mut Random) -> (String, Vec<usize>) {
    let units = 1 + random.below(20);
    let part = (1..=d).rev().find(|n| d.is_multiple_of(*n) && *n <= 4).unwrap_or(1);
    match random.below(6) {
        0 | 1 => (format!("x |> Dense({units}, tanh)"), vec![units]),
        2 => ("x * x + x |> LayerNorm()".into(), vec![d]),
        3 => (format!("reshape(x, [B, {part}, {}])", d / part), vec![part, d / part]),
        4 => ("stack([x, x, relu(x)], axis: 1)".into(), vec![3, d]),
        _ => ("concat([x, -x], axis: -1)".into(), vec![2 * d]),
    }
}

/// The program of a seed; each stage is a model whose declared result is the shape of the generator.
fn program(seed: u64) -> String {
    let mut random = Random::new(seed);
    let mut shape = vec![1, 28, 28];
    let written = |shape: &[usize]| {
        std::iter::once("B".into()).chain(shape.iter().map(usize::to_string)).collect::<Vec<String>>().join(", ")
    };
    let mut models = String::new();
    let mut body = String::from("  let x0 = Start(f32(image) / 255)\n");
    let stages = 3 + random.below(6);
    for i in 0..stages {
        let before = written(&shape);
        let (text, after) = stage(&shape, &mut random);
        shape = after;
        // Half of the results are left to be inferred.
        let result = if random.below(2) == 0 { format!(" -> f32[{}]", written(&shape)) } else { String::new() };
        writeln!(models, "model Stage{i}(x: f32[{before}]){result} {{\n  {text}\n}}\n").expect("a string");
        writeln!(body, "  let x{} = Stage{i}(x{i})", i + 1).expect("a string");
    }
    format!(
        "import std.layers.{{Attention, AvgPool2d, BatchNorm, Conv2d, Dense, Dropout, GroupNorm, LayerNorm, MaxPool2d}}
import std.optim.Sgd

data digits = drawn_digits(train: 10, test: 10)

model Start(image: f32[B, 1, 28, 28]) -> f32[B, 1, 28, 28] {{
  image |> Conv2d(1, kernel: 3, pad: 1)
}}

{models}train net on digits.train {{
{body}  minimize mean(x{stages} * x{stages})

  optimizer: Sgd(1e-3)
  batch: 4
  steps: 1
}}
"
    )
}

#[test]
fn random_nets_check_and_have_the_shapes_that_were_said() {
    let mut failures = Vec::new();
    for seed in 0..NETS {
        let text = program(seed);
        let (sources, checked) = check_text("net.tfm", &text, Path::new("."), &Options::default());
        let said: Vec<String> = checked.diagnostics.iter().map(|d| one_line(&sources, d)).collect();
        let outcome = checked.model.as_ref().map(two_steps);
        let wrong = match outcome {
            Some(Outcome::Ran) if said.is_empty() => continue,
            Some(Outcome::Ran) | None => said.join("\n"),
            Some(Outcome::Refused(d)) => one_line(&sources, &d),
            Some(Outcome::Value(why) | Outcome::Failed(why)) => why,
            Some(Outcome::TooLarge) => "too large to be run".into(),
        };
        failures.push(format!("seed {seed}: {wrong}\n{text}"));
    }
    assert!(failures.is_empty(), "{} of {NETS} nets:\n\n{}", failures.len(), failures.join("\n\n"));
}
