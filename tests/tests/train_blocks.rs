//! What `train` blocks become in the graph: entries, rounding, hints, sums over parts.

use std::collections::BTreeSet;
use tfm::pipeline::{Compiled, compile};
use tfm_lang::check::Options;
use tfm_lang::model::VariableKind;
use tfm_lowering::graph::{Graph, Op, Value};

const FILE: &str = "\
import std.layers.{Conv2d, Dense, Embedding}
import std.losses.cross_entropy
import std.optim.Adam

data digits = drawn_digits(train: 100, test: 60)

optimizer Averaged(rate: float)(p: float[..S], g: float[..S], step: float[]) {
  state a: float[..S] = zeros()
  p <- p - rate * g
  a <- 0.9 * a + 0.1 * p
  a
}

model Net(image: f32[B, 1, 28, 28], label: i32[B] below 10) -> f32[B, 10] {
  let tables = [on job(\"ps\", task: i) { Embedding(10, 4)(label) } for i in 0..3]
  let seen   = image |> Conv2d(4, kernel: 5, stride: 2) |> relu |> flatten
  concat(tables + [seen], axis: -1) |> Dense(10)
}

train net on digits.train {
  let logits = Net(f32(image) / 255, label)
  minimize cross_entropy(logits, label)
  optimizer: OPTIMIZER
  batch: 24
  steps: 12
SETTINGS
  every 1 epoch {
    let best = mean(max(logits, axis: -1))
    report best
    save images f32(image) / 255
  }
}
";

fn made(optimizer: &str, settings: &str) -> Compiled {
    let text = FILE.replace("OPTIMIZER", optimizer).replace("SETTINGS", settings);
    let compiled = compile("net.tfm", &text, &mut |_| None, &Options::default(), &|_| {});
    compiled.unwrap_or_else(|r| panic!("{:?}", r.diagnostics))
}

/// The nodes that an entry needs.
fn needed<'a>(graph: &'a Graph, entry: &str) -> impl Iterator<Item = Value> + 'a {
    let entry = graph.entry(entry).unwrap_or_else(|| panic!("no {entry} in\n{graph}"));
    let roots = entry.outputs.iter().map(|(_, v)| *v).chain(entry.assigns.iter().map(|(_, v)| *v));
    let needed = graph.needed(roots);
    (0..graph.nodes.len() as u32).map(Value).filter(move |v| needed[v.0 as usize])
}

fn inputs(graph: &Graph, entry: &str) -> BTreeSet<String> {
    let name = |v: Value| if let Op::Input(name) = &graph.node(v).op { Some(name.to_string()) } else { None };
    needed(graph, entry).filter_map(name).collect()
}

#[test]
fn a_periodic_part_is_an_entry_of_its_own() {
    let graph = made("Adam(1e-3)", "").graph;
    let outputs: Vec<&str> = graph.entry("net.every_1").unwrap().outputs.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(outputs, ["best", "images/images"]);
    assert_eq!(inputs(&graph, "net.every_1"), BTreeSet::from(["image".into(), "label".into()]));
    // Like an evaluation it reads the averages of an optimizer that keeps some.
    let graph = made("Averaged(1e-3)", "").graph;
    for entry in ["net.every_1", "net.evaluate"] {
        for v in needed(&graph, entry) {
            let Op::Read(var) = graph.node(v).op else { continue };
            let variable = &graph.variables[var.0 as usize];
            assert_ne!(variable.kind, VariableKind::Parameter, "{entry} reads {}", variable.path);
        }
    }
}

#[test]
fn every_product_of_a_block_rounds_what_it_multiplies() {
    let products = |settings: &str| -> Vec<(bool, String)> {
        let graph = made("Adam(1e-3)", settings).graph;
        let is_rounded = |v: Value| {
            let from = |v: Value| graph.is_primitive(v, "cast").map(|(args, _)| args[0]);
            from(v).and_then(from).is_some() && from(v).is_some_and(|short| graph.ty(short).dtype.name() == "bf16")
        };
        let named = |v: &Value| match &graph.node(*v).op {
            Op::Primitive(name, _) if &**name == "matmul" || name.starts_with("conv") => Some(name.to_string()),
            _ => None,
        };
        let all = (0..graph.nodes.len() as u32).map(Value);
        all.filter_map(|v| Some((graph.node(v).args.iter().all(|a| is_rounded(*a)), named(&v)?))).collect()
    };
    let rounded = products("  precision: bf16");
    assert!(rounded.iter().all(|(rounded, _)| *rounded), "{rounded:?}");
    let names: BTreeSet<&str> = rounded.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["conv", "conv_kernel", "matmul"]));
    assert!(products("").iter().all(|(rounded, _)| !rounded));
}

#[test]
fn a_step_in_parts_updates_from_sums_alone() {
    let graph = made("Adam(1e-3)", "  micro: 8").graph;
    let of_step = inputs(&graph, "net.step");
    assert!(of_step.iter().all(|name| name == "step" || name.starts_with("micro/")), "{of_step:?}");
    // Tables stay sparse: their rows are put one after the other, and not added up.
    assert!(of_step.contains("micro/rows/Net.embedding_1.table/0/ids"), "{of_step:?}");
    let part = graph.entry("net.part").unwrap();
    assert!(part.assigns.is_empty());
    let outputs: Vec<&str> = part.outputs.iter().map(|(n, _)| n.as_str()).collect();
    assert!(outputs.contains(&"loss") && outputs.contains(&"micro/sum/Net.dense_1.w"), "{outputs:?}");
    assert!(made("Adam(1e-3)", "  micro: 24").graph.entry("net.part").is_none(), "one part is the whole");
}

#[test]
fn hints_reach_nodes_and_variables_and_fall_back_once() {
    let compiled = made("Adam(1e-3)", "");
    let hints: Vec<(&str, usize, bool)> =
        compiled.fallbacks.iter().map(|f| (f.hint.as_str(), f.count, f.is_cluster)).collect();
    assert_eq!(hints, [("job(\"ps\", …)", 3, true)]);
    let graph = &compiled.graph;
    let device = |path: &str| {
        let variable = graph.variable(path).unwrap_or_else(|| panic!("{path}"));
        graph.variables[variable.0 as usize].device.as_ref().map(|d| d.to_string())
    };
    assert_eq!(device("Net.embedding_2.table").as_deref(), Some("job:ps/task:1"));
    assert_eq!(device("Net.embedding_2.table/adam.m").as_deref(), Some("job:ps/task:1"));
    assert_eq!(device("Net.dense_1.w"), None);
    let text = graph.to_string();
    assert_eq!(text.parse::<Graph>().map(|g| g.to_string()), Ok(text));
    assert_eq!(Graph::from_bytes(&graph.to_bytes()).unwrap().to_string(), graph.to_string());
}
