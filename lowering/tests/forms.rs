//! The text and protobuf forms, and the verifier.

mod common;

use common::graph;
use tfm_lang::dim::Dim;
use tfm_lang::model::{Attr, Literal};
use tfm_lang::types::DType;
use tfm_lowering::graph::make::Site;
use tfm_lowering::graph::{Graph, Node, Op, Type, Value, Var};

const MLP: &str = "\
variable Mlp.dense_1.w : f32[784, 512] parameter on \"job:ps/task:1/gpu:0\"
variable \"a b\\n\" : f32[] optimizer
%0 = input image : f32[B, 784]
%1 = read Mlp.dense_1.w : f32[784, 512] on \"job:ps/task:1/gpu:0\"  # Mlp.dense_1
%2 = matmul(%0, %1) : f32[B, 512]  # Mlp.dense_1
%3 = sum(%2, axis: [0, -1], keep: false) : f32[]
%4 = constant [1.0, -2.5e-7, inf] : f32[3]
%5 = constant size 2 * B + 1 : i32[]
%6 = constant true : bool[]  # \"odd scope #1\"
%7 = made_up(%3, %5, a: 1.0, b: (f32), c: \"x, (\\\"y\", d: bf16, e: -3, f: B * T, g: true, h: (inf)) : f32[(B / 2), 1]
entry mlp.step
  output loss = %3
  output made = %7
  assign \"a b\\n\" = %3
entry empty
";

#[test]
fn the_text_form_is_read_back_exactly() {
    let g: Graph = MLP.parse().expect("it is well formed");
    assert_eq!(g.to_string(), MLP);
    assert_eq!(g.verify("parsing"), Ok(()));
    assert_eq!(Graph::from_bytes(&g.to_bytes()).expect("its own bytes"), g);
    let Op::Primitive(_, attrs) = &g.nodes[7].op else { panic!("a primitive") };
    let kinds: Vec<Attr> = attrs.iter().map(|(_, a)| a.clone()).collect();
    assert_eq!(kinds[0], Attr::Float(1.0));
    assert_eq!(kinds[1], Attr::Int(Dim::var("f32")));
    assert_eq!(kinds[2], Attr::Str("x, (\"y".into()));
    assert_eq!(kinds[3], Attr::DType(DType::Bf16));
    assert_eq!(kinds[7], Attr::Int(Dim::var("inf")));
}

#[test]
fn wrong_texts_are_errors_with_a_line() {
    for (text, line, about) in [
        ("%0 = input x : f32[B]\n%1 = negate(%2) : f32[B]", 2, "`%2` does not stand above"),
        ("%0 = input x : f33[B]", 1, "`f33` is not a dtype"),
        ("%0 = input x : f32[B", 1, "`]` is missing"),
        ("%0 = read w : f32[]", 1, "there is no variable `w`"),
        ("\nvariable w : f32[] thing", 2, "`thing` is not a kind of variable"),
        ("output x = %0", 1, "`%0` does not stand above"),
        ("%0 = input x : f32[]\noutput x = %0", 2, "this stands below an `entry`"),
        ("%0 = input x : f32[]\n%0 = input y : f32[]", 2, "`%0` stands here twice"),
        ("%0 = constant 1..5 : f32[]", 1, "`1..5` is not a number"),
        ("%0 = input \"x : f32[]", 1, "a `\"` is missing"),
        ("%0 = f(a: \"x) : f32[]", 1, "a `\"` is missing"),
        ("%0 = input x : f32[] more", 1, "`more` is too much"),
        ("hello", 1, "`hello` begins no line"),
        ("%0 = input x : f32[] on \"tpu:0\"", 1, "`tpu:0` is no part of a device"),
        ("%0 = input x : f32[B / 0]", 1, "division by zero in a dimension"),
    ] {
        let e = text.parse::<Graph>().expect_err(text);
        assert_eq!((e.line, e.message.contains(about)), (line, true), "{text}: {e}");
    }
    let deep = format!("%0 = input x : f32[{}B{}]", "(".repeat(100_000), ")".repeat(100_000));
    assert!(deep.parse::<Graph>().is_err());
}

#[test]
fn bad_bytes_are_errors() {
    let good = graph(MLP).to_bytes();
    // Every prefix and every changed byte: an error or another graph that keeps the invariants.
    for n in 0..good.len() {
        let _ = Graph::from_bytes(&good[..n]);
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[n] ^= 1 << bit;
            if let Ok(g) = Graph::from_bytes(&bytes) {
                assert_eq!(g.verify("decoding"), Ok(()));
            }
        }
    }
    assert!(Graph::from_bytes(&good[..good.len() - 1]).is_err());
    assert!(Graph::from_bytes(b"not a graph").is_err());
}

fn broken(change: impl FnOnce(&mut Graph)) -> String {
    let mut g = graph(MLP);
    change(&mut g);
    g.verify("the test").expect_err("it is broken").to_string()
}

#[test]
fn the_verifier_names_node_and_pass() {
    assert_eq!(
        broken(|g| g.nodes[3].args[0] = Value(3)),
        "after the test: %3: its argument %3 does not stand before it"
    );
    assert_eq!(broken(|g| g.nodes[1].op = Op::Read(Var(9))), "after the test: %1: there is no variable 9");
    assert!(broken(|g| g.nodes[1].ty.shape.clear()).contains("%1: its type is f32[], the variable's is f32[784, 512]"));
    assert!(broken(|g| g.nodes[4].op = Op::Constant(Literal::Numbers(vec![1.0]))).contains("1 numbers for 3"));
    assert!(broken(|g| g.nodes[5].ty.shape.push(2.into())).contains("a literal of rank above 0"));
    let without = broken(|g| g.nodes[3] = Node { op: Op::Primitive("reshape".into(), vec![]), ..g.nodes[0].clone() });
    assert!(without.contains("%3: `reshape` has 0 arguments"), "{without}");
    assert!(broken(|g| g.nodes[1].device = None).contains("%1: its device hint is not that of its variable"));
    assert!(broken(|g| g.entries[0].outputs[0].1 = Value(99)).contains("output `loss` is %99"));
    assert!(broken(|g| g.entries[0].assigns[0].0 = Var(0)).contains("the assigned variable's is f32[784, 512]"));
    assert!(broken(|g| g.entries[1].name = "mlp.step".into()).contains("two entries"));
    assert!(broken(|g| g.variables[1].path = g.variables[0].path.clone()).contains("two variables"));
    let mixed = broken(|g| {
        let args = vec![Value(0), Value(2)];
        let ty = Type::new(DType::F32, g.ty(Value(0)).shape.clone());
        g.push(Site::default().node(Op::Primitive("add".into(), vec![]), args, ty));
    });
    assert!(mixed.contains("%8: `add` of f32[B, 512] gives f32[B, 784]"), "{mixed}");
}
