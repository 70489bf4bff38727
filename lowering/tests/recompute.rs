//! A step that is made to fit computes the same values, bit for bit, in less memory.

mod common;

use common::graph;
use common::kernels::Array;
use common::machine::{self, Machine, Mode};
use common::oracle::World;
use common::random::random_graph;
use proptest::prelude::*;
use std::fmt::Write as _;
use tfm_lowering::graph::Graph;
use tfm_lowering::plan::{Kernel, Request, schedule, schedule_within};

/// A net of so many layers `h <- tanh(h w)` with its backward pass and an update of every weight.
fn net(depth: usize) -> Graph {
    let mut text = String::new();
    (0..depth).for_each(|i| writeln!(text, "variable w{i} : f64[8, 8] parameter").expect("a string"));
    text.push_str("%h0 = input x : f64[B, 8]\n");
    for i in 0..depth {
        let n = i + 1;
        write!(
            text,
            "%w{i} = read w{i} : f64[8, 8]
             %m{i} = matmul(%h{i}, %w{i}) : f64[B, 8]
             %h{n} = tanh(%m{i}) : f64[B, 8]\n"
        )
        .expect("a string");
    }
    writeln!(text, "%loss = sum(%h{depth}, axis: []) : f64[]\n%g{depth} = broadcast(%loss, to: [B, 8]) : f64[B, 8]")
        .expect("a string");
    for i in (0..depth).rev() {
        let n = i + 1;
        write!(
            text,
            "%q{i} = multiply(%h{n}, %h{n}) : f64[B, 8]
             %p{i} = multiply(%q{i}, %g{n}) : f64[B, 8]
             %d{i} = subtract(%g{n}, %p{i}) : f64[B, 8]
             %t{i} = transpose(%h{i}) : f64[8, B]
             %dw{i} = matmul(%t{i}, %d{i}) : f64[8, 8]
             %wt{i} = transpose(%w{i}) : f64[8, 8]
             %g{i} = matmul(%d{i}, %wt{i}) : f64[B, 8]
             %n{i} = subtract(%w{i}, %dw{i}) : f64[8, 8]\n"
        )
        .expect("a string");
    }
    writeln!(text, "entry e\n  output loss = %loss").expect("a string");
    (0..depth).for_each(|i| writeln!(text, "  assign w{i} = %n{i}").expect("a string"));
    graph(&text)
}

fn numbers(shape: &[usize], seed: f64) -> Array {
    let mut x = seed;
    Array::from_fn(shape, |_| {
        x = (x * 37.7 + 0.123).fract();
        x - 0.5
    })
}

#[test]
fn a_deep_net_fits_into_less() {
    let (depth, batch) = (16, 64);
    let g = net(depth);
    let sizes: std::collections::BTreeMap<_, _> = [("B".to_string(), batch as i64)].into();
    let request = Request { entry: "e".into(), fetches: vec!["loss".into()], assigns: true, sizes: sizes.clone() };
    let world = World {
        sizes,
        feeds: [("x".to_string(), numbers(&[batch, 8], 0.3))].into(),
        variables: (0..depth).map(|i| numbers(&[8, 8], 0.01 * (i + 1) as f64)).collect(),
    };
    let whole = schedule(&g, &request, &Machine).expect("a plan");
    let (same, done) = schedule_within(&g, &request, &Machine, whole.arena).expect("a plan");
    assert_eq!((&same, done), (&whole, None));

    let (small, done) = schedule_within(&g, &request, &Machine, whole.arena / 2).expect("a plan");
    let done = done.expect("something is done again");
    assert_eq!((done.before, done.after), (whole.arena, small.arena));
    assert!(small.arena <= whole.arena / 2, "{} of {}", small.arena, whole.arena);
    let products =
        |p: &tfm_lowering::plan::Plan| p.steps.iter().filter(|s| matches!(s.kernel, Kernel::Primitive(..))).count();
    assert!(products(&small) > products(&whole));
    assert!(small.steps.iter().flat_map(|s| &s.nodes).all(|v| (v.0 as usize) < g.nodes.len()));
    small.check().expect("a sound plan");
    for mode in [Mode::ByInstruction, Mode::ByElement] {
        assert_eq!(machine::execute(&small, &g, &world, mode), machine::execute(&whole, &g, &world, mode));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_graph_computes_the_same(choices in prop::collection::vec(any::<u16>(), 20..400)) {
        let (g, world) = random_graph(&choices, true);
        let fetches = g.entry("e").expect("an entry").outputs.iter().map(|(n, _)| n.clone()).collect();
        let request = Request { entry: "e".into(), fetches, assigns: true, sizes: world.sizes.clone() };
        let whole = schedule(&g, &request, &Machine).expect("a plan");
        let (small, _) = schedule_within(&g, &request, &Machine, 0).expect("a plan");
        prop_assert!(small.arena <= whole.arena);
        prop_assert_eq!(small.check(), Ok(()));
        let run = |plan| machine::execute(plan, &g, &world, Mode::ByInstruction);
        let bits = |(a, b): (Vec<Array>, Vec<Array>)| -> Vec<u64> {
            a.into_iter().chain(b).flat_map(|x| x.data).map(f64::to_bits).collect()
        };
        prop_assert_eq!(bits(run(&small)), bits(run(&whole)));
    }
}
