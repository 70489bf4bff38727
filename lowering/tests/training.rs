//! From a checked model to a step: gradients against finite differences, sparse updates, averages.

mod common;

use common::kernels::Array;
use common::machine::{self, Mode};
use common::oracle::{self, World};
use common::rules::{Writer, ints, model, program, rule, ty, variable};
use tfm_lang::model::{Attr, Model, ValueId, VariableKind};
use tfm_lowering::graph::{Gradient, Graph, Var};
use tfm_lowering::{build, differentiate, simplify, update};

fn total(w: &mut Writer, x: ValueId) -> ValueId {
    w.op("sum", &[x], &[("axis", ints(Vec::new()))], ty("f64[]"))
}

/// sum(tanh(x @ w + b) * gather(table, ids)) with w : [3, 2], b : [2], table : [5, 2].
fn net() -> (Writer, ValueId) {
    let mut w = Writer::default();
    let x = w.input("x", ty("f64[B, 3]"));
    let ids = w.input("ids", ty("i32[B]"));
    let weight = w.read(0, ty("f64[3, 2]"));
    let y = w.op("matmul", &[x, weight], &[], ty("f64[B, 2]"));
    let bias = w.read(1, ty("f64[2]"));
    let bias = w.op("broadcast", &[bias], &[("to", ints(ty("f64[B, 2]").dims()))], ty("f64[B, 2]"));
    let h = w.map("add", &[y, bias]);
    let h = w.map("tanh", &[h]);
    let table = w.read(2, ty("f64[5, 2]"));
    let rows = w.op("gather", &[table, ids], &[], ty("f64[B, 2]"));
    let product = w.map("multiply", &[h, rows]);
    let loss = total(&mut w, product);
    (w, loss)
}

fn variables() -> Vec<tfm_lang::model::Variable> {
    let of = |(path, t): (&str, &str)| variable(path, VariableKind::Parameter, ty(t), 0.5);
    [("net.w", "f64[3, 2]"), ("net.b", "f64[2]"), ("net.table", "f64[5, 2]")].into_iter().map(of).collect()
}

fn trained(training: (Writer, ValueId), over: &[&[u32]], average: bool) -> Model {
    let (evaluation, value) = net();
    model(variables(), program(training.0, vec![training.1]), program(evaluation, vec![value]), over, average)
}

fn world(graph: &Graph) -> World {
    let mut world = World { sizes: [("B".to_string(), 4)].into(), ..World::default() };
    let wave = |shape: &[usize], k: f64| {
        let mut n = 0.0;
        Array::from_fn(shape, |_| {
            n += 1.0;
            f64::sin(n * k)
        })
    };
    world.feeds.insert("x".into(), wave(&[4, 3], 1.3));
    world.feeds.insert("ids".into(), Array::new(&[4], vec![3.0, 1.0, 3.0, 0.0]));
    world.feeds.insert("step".into(), Array::new(&[], vec![2.0]));
    let sizes = |v: &tfm_lowering::graph::Variable| -> Vec<usize> {
        v.ty.shape.iter().map(|d| d.as_constant().expect("known") as usize).collect()
    };
    world.variables = graph.variables.iter().enumerate().map(|(i, v)| wave(&sizes(v), 0.7 + i as f64)).collect();
    world
}

fn loss_of(graph: &Graph, world: &World) -> f64 {
    oracle::values(graph, world, &graph.pending.trains[0].losses)[&graph.pending.trains[0].losses[0]].data[0]
}

/// The gradient as a whole tensor.
fn dense(graph: &Graph, world: &World, var: Var, gradient: &Gradient) -> Array {
    let mut out = world.variables[var.0 as usize].clone();
    out.data.fill(0.0);
    let parts = match gradient {
        Gradient::Dense(v) => return oracle::values(graph, world, &[*v])[v].clone(),
        Gradient::Sparse(parts) => parts,
    };
    for part in parts {
        let values = oracle::values(graph, world, &[part.ids, part.rows]);
        let n = out.shape[1..].iter().product::<usize>();
        for (i, id) in values[&part.ids].data.iter().enumerate() {
            (0..n).for_each(|j| out.data[*id as usize * n + j] += values[&part.rows].data[i * n + j]);
        }
    }
    out
}

fn check_gradients(model: &Model) -> Vec<(Var, Gradient)> {
    let mut graph = build(model);
    differentiate(&mut graph, model).expect("rules for all");
    let world = world(&graph);
    for (var, gradient) in &graph.pending.trains[0].gradients[0] {
        let found = dense(&graph, &world, *var, gradient);
        for i in 0..found.data.len() {
            let moved = |by: f64| {
                let mut world = world.clone();
                world.variables[var.0 as usize].data[i] += by;
                loss_of(&graph, &world)
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope - found.data[i]).abs() < 1e-7, "{var:?}[{i}]: {slope} {}", found.data[i]);
        }
    }
    graph.pending.trains[0].gradients[0].clone()
}

#[test]
fn gradients_are_slopes() {
    let gradients = check_gradients(&trained(net(), &[&[0, 1, 2]], false));
    assert!(matches!(gradients[0].1, Gradient::Dense(_)));
    assert!(matches!(&gradients[2].1, Gradient::Sparse(parts) if parts.len() == 1));
}

#[test]
fn a_table_that_is_also_used_whole_has_a_dense_gradient() {
    let (mut w, loss) = net();
    let table = w.read(2, ty("f64[5, 2]"));
    let square = w.map("multiply", &[table, table]);
    let more = total(&mut w, square);
    let loss = w.map("add", &[loss, more]);
    let gradients = check_gradients(&trained((w, loss), &[&[2]], false));
    assert!(matches!(gradients[0].1, Gradient::Dense(_)));
}

#[test]
fn two_gathers_stay_sparse_and_iota_does_not() {
    let (mut w, loss) = net();
    let table = w.read(2, ty("f64[5, 2]"));
    let ids = w.input("ids", ty("i32[B]"));
    let again = w.op("gather", &[table, ids], &[], ty("f64[B, 2]"));
    let square = w.map("multiply", &[again, again]);
    let more = total(&mut w, square);
    let loss = w.map("add", &[loss, more]);
    let gradients = check_gradients(&trained((w, loss), &[&[2]], false));
    assert!(matches!(&gradients[0].1, Gradient::Sparse(parts) if parts.len() == 2));

    let mut w = Writer::default();
    let table = w.read(2, ty("f64[5, 2]"));
    let all = w.op("iota", &[], &[("n", Attr::Int(5.into()))], ty("i32[5]"));
    let rows = w.op("gather", &[table, all], &[], ty("f64[5, 2]"));
    let square = w.map("multiply", &[rows, rows]);
    let loss = total(&mut w, square);
    let gradients = check_gradients(&trained((w, loss), &[&[2, 0]], false));
    assert!(matches!(gradients[0].1, Gradient::Dense(_)));
    // Nothing reaches the weights: their gradient is zeros.
    assert!(matches!(gradients[1].1, Gradient::Dense(_)));
}

#[test]
fn a_gradient_of_ones_own_is_used_and_leaves_no_trace() {
    let mut w = Writer::default();
    let weight = w.read(0, ty("f64[3, 2]"));
    let square = w.map("multiply", &[weight, weight]);
    // Says that the gradient is 3, whatever the value.
    let own = rule(&[ty("f64[3, 2]")], &ty("f64[3, 2]"), |w, _, _, dy| {
        let three = w.filled(3.0, &ty("f64[3, 2]"));
        vec![Some(w.map("multiply", &[dy, three]))]
    });
    let value = w.custom(square, &[weight], own);
    let loss = total(&mut w, value);
    let model = trained((w, loss), &[&[0]], false);
    let mut graph = build(&model);
    assert_eq!(graph.pending.rules.len(), 1);
    differentiate(&mut graph, &model).expect("rules for all");
    let world = world(&graph);
    let (var, gradient) = graph.pending.trains[0].gradients[0][0].clone();
    assert_eq!(dense(&graph, &world, var, &gradient).data, vec![3.0; 6]);
    assert!(!graph.to_string().contains("custom_gradient"));
    let squares: f64 = world.variables[0].data.iter().map(|x| x * x).sum();
    assert!((loss_of(&graph, &world) - squares).abs() < 1e-12);
}

#[test]
fn a_step_moves_what_it_should() {
    let model = trained(net(), &[&[0, 1, 2]], false);
    let mut graph = build(&model);
    differentiate(&mut graph, &model).expect("rules for all");
    let pending = graph.clone();
    update(&mut graph, &model).expect("an optimizer");
    let world = world(&graph);
    let before = graph.clone();
    simplify(&mut graph);
    for graph in [&before, &graph] {
        let (_, after) = machine::run(graph, "t.step", &world, Mode::ByInstruction);
        for (var, gradient) in &pending.pending.trains[0].gradients[0] {
            let g = dense(&pending, &world, *var, gradient);
            let (p, path) = (&world.variables[var.0 as usize], &graph.variables[var.0 as usize].path);
            let state = graph.variable(&format!("{path}/momentum_1.m")).expect("a state").0 as usize;
            let m = &world.variables[state];
            for i in 0..p.data.len() {
                // Rows 2 and 4 of the table are not in the batch.
                let touched = var.0 != 2 || [0, 1, 3].contains(&(i / 2));
                let new_m = if touched { 0.9 * m.data[i] + g.data[i] } else { m.data[i] };
                let new_p = if touched { p.data[i] - 0.05 * new_m } else { p.data[i] };
                assert!((after[state].data[i] - new_m).abs() < 1e-12, "{path}[{i}] state");
                assert!((after[var.0 as usize].data[i] - new_p).abs() < 1e-12, "{path}[{i}]");
            }
        }
    }
    assert_eq!(graph.to_string().parse::<Graph>().expect("its own text"), no_spans(graph));
}

fn no_spans(mut graph: Graph) -> Graph {
    graph.nodes.iter_mut().for_each(|n| n.span = None);
    graph
}

#[test]
fn init_and_averages() {
    let model = trained(net(), &[&[0, 1, 2]], true);
    let mut graph = build(&model);
    differentiate(&mut graph, &model).expect("rules for all");
    update(&mut graph, &model).expect("an optimizer");
    simplify(&mut graph);
    let mut world = world(&graph);
    let (_, start) = machine::run(&graph, "init", &world, Mode::ByElement);
    for (v, value) in graph.variables.iter().zip(&start) {
        let expected = if v.path.contains("momentum") { 0.0 } else { 0.5 };
        assert!(value.data.iter().all(|x| *x == expected), "{}", v.path);
    }
    let average = graph.variable("net.w/average").expect("an average");
    // Evaluation reads the averages, the step the parameters.
    let loss = |world: &World, entry: &str| oracle::run(&graph, entry, world).0["loss"].data[0];
    let (step, evaluate) = (loss(&world, "t.step"), loss(&world, "t.evaluate"));
    world.variables[average.0 as usize].data[0] += 1.0;
    assert_eq!(loss(&world, "t.step"), step);
    assert_ne!(loss(&world, "t.evaluate"), evaluate);
}

#[test]
fn an_update_is_one_step_in_place() {
    let model = trained(net(), &[&[0, 1]], false);
    let mut graph = build(&model);
    differentiate(&mut graph, &model).expect("rules for all");
    update(&mut graph, &model).expect("an optimizer");
    simplify(&mut graph);
    let request = tfm_lowering::plan::Request {
        entry: "t.step".into(),
        fetches: vec!["loss".into()],
        assigns: true,
        sizes: [("B".to_string(), 4)].into(),
    };
    let plan = tfm_lowering::schedule(&graph, &request, &machine::Machine).expect("a plan");
    let text = plan.to_string();
    for var in [0, 1] {
        let state = graph.variable(&format!("{}/momentum_1.m", graph.variables[var].path)).expect("a state");
        let (p, m) = (format!("variable {var} "), format!("variable {} ", state.0));
        let writes = |line: &&str| line.split_once('→').is_some_and(|(_, out)| out.contains(&p) && out.contains(&m));
        assert_eq!(text.lines().filter(|l| l.contains("fused")).filter(writes).count(), 1, "{text}");
    }
    assert!(!text.contains("copy"), "{text}");
}
