//! `memory: 2 GB`: a step that computes values again to need less memory gives the same weights, bit for bit.

use tfm_lang::types::DType;
use tfm_lowering::graph::{Graph, Op};
use tfm_runtime::cpu::Cpu;
use tfm_runtime::run::Engine;
use tfm_runtime::session::{Call, Context, Session};
use tfm_runtime::tensor::Tensor;
use tfm_tests::gradients::lower;

const CONVNET: &str = "
import std.layers.{BatchNorm, Conv2d, Dense, Dropout, MaxPool2d}
import std.losses.cross_entropy
import std.optim.Adam

data digits = drawn_digits(train: 16, test: 1)

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] {
  image
    |> Conv2d(8, kernel: 3, pad: 1) |> BatchNorm() |> relu |> Conv2d(8, kernel: 3, pad: 1) |> BatchNorm() |> relu
    |> MaxPool2d(2) |> Conv2d(8, kernel: 3, pad: 1) |> BatchNorm() |> relu |> Conv2d(8, kernel: 3) |> relu
    |> flatten |> Dropout(0.5) |> Dense(64, gelu) |> Dense(10)
}

train net on digits.train {
  minimize cross_entropy(Net(f32(image) / 255), label)
  optimizer: Adam(lr: 1e-3)
  batch:     16
  steps:     2
}
";

const TRANSFORMER: &str = "
import std.layers.{Dense, LayerNorm}
import std.losses.cross_entropy
import std.optim.Sgd

data digits = drawn_digits(train: 16, test: 1)

layer Block()(x: float[B, T, D]) -> float[B, T, D] {
  param w: float[D, D] = normal(0.2)
  let y = LayerNorm()(x)
  let h = x + softmax(y @ transpose(y, [0, 2, 1]) / sqrt(D)) @ y @ broadcast(reshape(w, [1, D, D]), [B, D, D])
  h + (LayerNorm()(h) |> Dense(4 * D, gelu) |> Dense(D))
}

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] {
  let h = fold h = reshape(image, [B, 28, 28]) for i in 0..4 { h |> Block() }
  h |> flatten |> Dense(10)
}

train net on digits.train {
  minimize cross_entropy(Net(f32(image) / 255), label)
  optimizer: Sgd(lr: 0.1)
  batch:     16
  steps:     2
}
";

/// Numbers of an input's dtype, small enough to be classes.
fn fed(graph: &Graph, name: &str) -> Tensor {
    let is_it = |n: &&tfm_lowering::graph::Node| matches!(&n.op, Op::Input(input) if &**input == name);
    let ty = &graph.nodes.iter().find(is_it).expect("an input").ty;
    let size = |s: &str| (s == "B").then_some(16);
    let shape: Vec<usize> = ty.shape.iter().map(|d| d.evaluate(&size).expect("a size") as usize).collect();
    let mut t = Tensor::zeros(ty.dtype, &shape);
    match ty.dtype {
        DType::U8 => (0..).zip(t.elements_mut::<u8>()).for_each(|(i, x): (u32, _)| *x = (i * 37 % 251) as u8),
        DType::I32 => (0..).zip(t.elements_mut::<i32>()).for_each(|(i, x): (i32, _)| *x = i * 7 % 10),
        DType::F32 => (0..).zip(t.elements_mut::<f32>()).for_each(|(i, x): (u32, _)| *x = (i * 37 % 251) as f32),
        other => panic!("the tests feed no {other}"),
    }
    t
}

/// The bytes of all variables after two steps, and those of the arena.
fn two_steps(graph: &Graph, memory: Option<usize>) -> (Vec<Vec<u8>>, usize) {
    let mut session = Session::new(graph.clone(), Cpu::new(2));
    session.set_size("steps_per_epoch", 2);
    session.initialize(1).expect("it starts");
    let variables: usize = session.tensors().iter().map(|t| t.bytes().len()).sum();
    if let Some(arena) = memory {
        session.set_memory("net.step", arena + variables);
    }
    let names = session.inputs("net.step");
    let tensors: Vec<Tensor> = names.iter().map(|n| fed(graph, n)).collect();
    let feeds: Vec<(&str, &Tensor)> = names.iter().map(String::as_str).zip(&tensors).collect();
    let mut call = Call { entry: "net.step", feeds: &feeds, fetches: &["loss"], assigns: true, ..Call::default() };
    let arena = session.plan_for(&call).expect("a plan").arena;
    assert_eq!(session.recomputed("net.step").is_some(), memory.is_some());
    for step in 1..=2 {
        call.context = Context { seed: 1, step };
        session.run_into(&call, &mut Vec::new()).unwrap_or_else(|e| panic!("{e}"));
    }
    (session.tensors().iter().map(|t| t.bytes().to_vec()).collect(), arena)
}

#[test]
fn a_step_in_less_memory_is_the_same_step() {
    for (name, text) in [("convnet", CONVNET), ("transformer", TRANSFORMER)] {
        let (graph, _) = lower(text).unwrap_or_else(|e| panic!("{e}")).expect("it trains something");
        let (weights, arena) = two_steps(&graph, None);
        let (again, small) = two_steps(&graph, Some(arena * 2 / 3));
        println!("{name}: {arena} bytes, then {small}");
        assert!(small < arena * 9 / 10, "{name}: {small} of {arena}");
        assert!(weights == again, "{name}: other weights");
    }
}
