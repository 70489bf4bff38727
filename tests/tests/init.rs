//! Initialisers give what their declarations say: means, deviations, bounds, right angles.

use tfm_lowering::graph::Var;
use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::Engine;
use tfm_runtime::session::Session;
use tfm_tests::gradients::lower;

/// The elements of a parameter of this shape that starts so.
fn started(shape: &[usize], init: &str) -> Vec<f64> {
    let [a] = parameters(&format!("param a: f32{shape:?} = {init}\n  a")).try_into().expect(init);
    a
}

/// The elements of each parameter that a layer with this body makes, in the order of its text.
fn parameters(body: &str) -> Vec<Vec<f64>> {
    let text = format!(
        "import std.layers.{{Conv1d, Conv2d, Conv3d, DepthwiseConv2d}}\n\
         import std.optim.Sgd\n\
         data digits = drawn_digits(train: 1, test: 1)\n\
         layer Part()() {{\n  {body}\n}}\n\
         layer Net()() {{\n  let y = Part()()\n  sum(y * y)\n}}\n\
         train net on digits.train {{\n  minimize Net()()\n  optimizer: Sgd(lr: 0.1)\n  batch: 1\n  steps: 1\n}}\n"
    );
    let (graph, parameters) = lower(&text).expect(body).expect("it has a parameter");
    let mut session = Session::new(graph, Cpu::new(2));
    session.set_size("steps_per_epoch", 1);
    session.initialize(7).expect(body);
    parameters.iter().map(|&Var(p)| session.tensors()[p as usize].to_f64()).collect()
}

/// What is wanted of an initialiser on a shape: the deviation, and the largest absolute value where there is a bound.
struct Wanted {
    shape: &'static [usize],
    init: &'static str,
    deviation: f64,
    most: f64,
}

#[test]
fn means_deviations_and_bounds() {
    let free = f64::INFINITY;
    let want = |shape, init, deviation: f64, most: f64| Wanted { shape, init, deviation, most };
    let even = |most: f64| most / 3f64.sqrt();
    let matrix: &[usize] = &[300, 200];
    let kernel: &[usize] = &[64, 32, 5, 5];
    // 32 * 25 inputs, 64 * 25 outputs.
    let (inputs, outputs) = (800.0f64, 1600.0f64);
    let glorot = (6f64 / (inputs + outputs)).sqrt();
    for w in [
        want(matrix, "uniform(-0.5, 0.5)", even(0.5), 0.5),
        want(matrix, "normal(0.3)", 0.3, free),
        want(matrix, "fan_in_uniform()", even(1.0 / 300f64.sqrt()), 1.0 / 300f64.sqrt()),
        want(matrix, "glorot_uniform()", even((6f64 / 500.0).sqrt()), (6f64 / 500.0).sqrt()),
        want(kernel, "glorot_uniform()", even(glorot), glorot),
        want(kernel, "glorot_normal()", (2.0 / (inputs + outputs)).sqrt(), free),
        want(kernel, "he_uniform()", (2.0 / inputs).sqrt(), (6.0 / inputs).sqrt()),
        want(matrix, "he_normal()", (2f64 / 300.0).sqrt(), free),
        want(kernel, "lecun_normal()", 1.0 / inputs.sqrt(), free),
        want(matrix, "lecun_uniform()", 1.0 / 300f64.sqrt(), 3f64.sqrt() / 300f64.sqrt()),
        // What is left of a normal distribution within two deviations has 0.8796 of its deviation.
        want(matrix, "truncated_normal(0.1)", 0.087_96, 0.2),
    ] {
        let x = started(w.shape, w.init);
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let deviation = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        let most = x.iter().fold(0f64, |m, x| m.max(x.abs()));
        let said = format!("{}: mean {mean}, deviation {deviation}, most {most}", w.init);
        assert!(mean.abs() < 5.0 * w.deviation / n.sqrt(), "{said}");
        assert!((deviation / w.deviation - 1.0).abs() < 0.02, "{said}, not {}", w.deviation);
        assert!(most <= w.most * (1.0 + 1e-6), "{said}, not {}", w.most);
        // A bound is reached, or nearly so.
        assert!(w.most == free || most > 0.99 * w.most, "{said}, not {}", w.most);
    }
}

/// Weights by He's rule, biases within `1 / sqrt(fan_in)`.
#[test]
fn convolutions_of_every_rank() {
    for (layer, fan_in) in [
        ("Conv1d(500, kernel: 5, groups: 2)(ones([1, 12, 5]))", 30),
        ("Conv2d(500, kernel: [3, 2], groups: 2)(ones([1, 8, 3, 2]))", 24),
        ("Conv3d(500, kernel: [1, 2, 3])(ones([1, 4, 1, 2, 3]))", 24),
        ("DepthwiseConv2d(kernel: 3, multiplier: 50)(ones([1, 10, 3, 3]))", 9),
    ] {
        let most = |x: &[f64]| x.iter().fold(0f64, |m, x| m.max(x.abs()));
        let [w, b] = parameters(layer).try_into().expect(layer);
        let fan_in = f64::from(fan_in);
        for (name, most, bound) in [("w", most(&w), (6.0 / fan_in).sqrt()), ("b", most(&b), 1.0 / fan_in.sqrt())] {
            assert!(most <= bound * (1.0 + 1e-6) && most > 0.97 * bound, "{layer}: {name} within {most}, not {bound}");
        }
    }
}

#[test]
fn rows_or_columns_stand_at_right_angles() {
    for (shape, gain) in [(&[40usize, 90][..], 1.0), (&[90, 40], 2.0), (&[64, 64], 1.0), (&[8, 3, 2, 2], 1.0)] {
        let (rows, columns) = (shape[0], shape[1..].iter().product::<usize>());
        let x = started(shape, &format!("orthogonal(gain: {gain:?})"));
        let at = |i: usize, k: usize| if rows <= columns { x[i * columns + k] } else { x[k * columns + i] };
        let (few, many) = (rows.min(columns), rows.max(columns));
        for (i, j) in (0..few).flat_map(|i| (0..few).map(move |j| (i, j))) {
            let product: f64 = (0..many).map(|k| at(i, k) * at(j, k)).sum();
            let want = if i == j { gain * gain } else { 0.0 };
            assert!((product - want).abs() < 1e-4, "{shape:?}: rows {i} and {j}: {product}");
        }
    }
}

#[test]
fn fixed_starts() {
    assert_eq!(started(&[2, 3], "eye()"), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(started(&[2], "constant(3)"), [3.0, 3.0]);
    assert_eq!(started(&[2], "zeros()"), [0.0, 0.0]);
    assert_eq!(started(&[2], "ones()"), [1.0, 1.0]);
}
