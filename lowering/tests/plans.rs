//! A plan computes what the graph says: views, fusion, shared memory, assigns in place.

mod common;

use common::kernels::Array;
use common::machine::{self, Mode};
use common::oracle;
use common::random::random_graph;
use proptest::prelude::*;
use tfm_lowering::simplify;

fn equal(a: &Array, b: &Array) -> bool {
    let same = |(x, y): (&f64, &f64)| x == y || x.is_nan() && y.is_nan();
    a.shape == b.shape && a.data.iter().zip(&b.data).all(same)
}

/// Equal up to the rounding of sums whose terms were reordered by a rewrite.
fn close(a: &Array, b: &Array) -> bool {
    let near = |(x, y): (&f64, &f64)| x.is_nan() && y.is_nan() || x == y || (x - y).abs() <= 1e-9 * (1.0 + x.abs());
    a.shape == b.shape && a.data.iter().zip(&b.data).all(near)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_computes_the_graph(choices in prop::collection::vec(any::<u16>(), 20..400)) {
        let (graph, world) = random_graph(&choices, true);
        let (outputs, variables) = oracle::run(&graph, "e", &world);
        for mode in [Mode::ByInstruction, Mode::ByElement] {
            let (planned, changed) = machine::run(&graph, "e", &world, mode);
            for (name, value) in &outputs {
                prop_assert!(equal(value, &planned[name]), "{name}: {value:?} {:?}\n{graph}", planned[name]);
            }
            for (i, (a, b)) in variables.iter().zip(&changed).enumerate() {
                prop_assert!(equal(a, b), "v{i}: {a:?} {b:?}\n{graph}");
            }
        }
    }

    #[test]
    fn simplifying_keeps_the_values(choices in prop::collection::vec(any::<u16>(), 20..400)) {
        // No casts to integers: they make a last bit that a rewrite changed a whole number.
        let (graph, world) = random_graph(&choices, false);
        let (outputs, variables) = oracle::run(&graph, "e", &world);
        let mut simple = graph.clone();
        simplify(&mut simple);
        prop_assert!(simple.nodes.len() <= graph.nodes.len() + 8);
        let (after, changed) = machine::run(&simple, "e", &world, Mode::ByInstruction);
        for (name, value) in &outputs {
            prop_assert!(close(value, &after[name]), "{name}: {value:?} {:?}\n{graph}\n{simple}", after[name]);
        }
        for (i, (a, b)) in variables.iter().zip(&changed).enumerate() {
            prop_assert!(close(a, b), "v{i}: {a:?} {b:?}\n{graph}\n{simple}");
        }
        let again = { let mut g = simple.clone(); simplify(&mut g); g };
        prop_assert_eq!(again, simple);
    }

    #[test]
    fn forms_round_trip(choices in prop::collection::vec(any::<u16>(), 20..200)) {
        let (graph, _) = random_graph(&choices, true);
        prop_assert_eq!(&graph.to_string().parse::<tfm_lowering::graph::Graph>().unwrap(), &graph);
        prop_assert_eq!(&tfm_lowering::graph::Graph::from_bytes(&graph.to_bytes()).unwrap(), &graph);
    }
}
